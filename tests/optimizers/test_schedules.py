"""Schedules: their values, against those of torch too, and that they can be saved."""

import copy
import pickle

import numpy as np
import pytest

from tinygrad_jp import Layer, Parameter, load_checkpoint, optimizers, save_checkpoint
from tinygrad_jp.optimizers import schedules


class Points(Layer):
    """A model that is nothing but parameters."""

    def __init__(self, *xs):
        self.xs = [Parameter(np.array(x)) for x in xs]


# A schedule, and that of torch.optim.lr_scheduler, both from a rate of 0.8.
SCHEDULES = {
    "step_decay": (schedules.step_decay(0.8, 3, 0.5), ("StepLR", {"step_size": 3, "gamma": 0.5})),
    "exponential": (schedules.exponential(0.8, 0.9), ("ExponentialLR", {"gamma": 0.9})),
    "cosine": (schedules.cosine(0.8, 20, final=0.1), ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.1})),
}


def test_every_schedule_is_in_the_table():
    assert {*SCHEDULES, "by_epoch", "plateau"} == set(schedules.__all__)


@pytest.mark.parametrize("name", SCHEDULES)
def test_by_epoch_counts_epochs(name):
    schedule = SCHEDULES[name][0]
    rate = schedules.by_epoch(schedule, 5)
    assert [rate(t) for t in range(1, 31)] == [schedule(epoch) for epoch in range(1, 7) for _ in range(5)]
    assert pickle.loads(pickle.dumps(rate))(7) == rate(7)


@pytest.mark.parametrize("losses", [[3, 2, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5], [1.0] * 12, [5, 6, 4, 7, 8, 9, 3, 3, 3]])
def test_plateau_is_that_of_torch(losses):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.8)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0)
    ours = schedules.plateau(0.8, gamma=0.5, patience=2)
    for loss in losses:
        theirs.step(loss)
        ours.report(loss)
        assert ours(1) == pytest.approx(optimizer.param_groups[0]["lr"])


def with_plateau(best=None):
    model = Points([1.0, 2.0])
    optimizer = optimizers.SGD(schedules.plateau(1.0, gamma=0.5, patience=1)).setup(model)
    (model.xs[0] ** 2).sum().backward()
    optimizer.update()
    for loss in best or ():
        optimizer.lr.report(loss)
    return model, optimizer


def test_a_checkpoint_holds_what_a_plateau_knows(tmp_path):
    model, optimizer = with_plateau([3.0, 4.0, 2.0])
    save_checkpoint(tmp_path / "run.npz", model, optimizer)
    other = with_plateau()
    load_checkpoint(tmp_path / "run.npz", *other)
    assert other[1].lr.state() == optimizer.lr.state() == {"lr": 0.5, "best": 2.0, "waited": 0}

    state = optimizer.state()
    for wrong in ({"lr": 0.5}, {"lr": 0.5, "best": "low", "waited": 0}):
        with pytest.raises(ValueError, match="schedule"):
            other[1].load_state(state | {"schedule": wrong})
    with pytest.raises(ValueError, match="schedule"):
        optimizers.SGD(schedules.exponential(1.0, 0.5)).setup(model).load_state(state)
    del state["schedule"]  # As it was before.
    other[1].load_state(state)
    assert other[1].lr.state() == optimizer.lr.state()


def test_plateau_has_a_floor_and_a_state():
    rate = schedules.plateau(1.0, gamma=0.1, patience=1, final=0.05)
    for _ in range(9):
        rate.report(1.0)
    again = schedules.plateau(1.0)
    again.load_state(rate.state())
    assert rate(1) == again(1) == pickle.loads(pickle.dumps(rate))(1) == 0.05
    for wrong in (lambda: schedules.plateau(-1), lambda: schedules.plateau(1, patience=0)):
        with pytest.raises(ValueError, match="plateau"):
            wrong()
    with pytest.raises(ValueError, match="by_epoch"):
        schedules.by_epoch(rate, 0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_as_in_torch(name):
    torch = pytest.importorskip("torch")
    schedule, (theirs, settings) = SCHEDULES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.8)
    their = getattr(torch.optim.lr_scheduler, theirs)(optimizer, **settings)
    for t in range(1, 21):
        assert schedule(t) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        their.step()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_gives_the_same_rates(name, again):
    schedule = SCHEDULES[name][0]
    assert [again(schedule)(t) for t in range(1, 30)] == [schedule(t) for t in range(1, 30)]


@pytest.mark.parametrize("schedule", [*(each[0] for each in SCHEDULES.values()), schedules.cosine(0.8, 9, warmup=4)])
def test_updates_count_from_1_and_before_them_the_rate_is_that_of_the_first(schedule):
    seen = []
    optimizer = optimizers.SGD(schedule).setup(model := Points(1.0))
    for _ in range(12):
        model.cleargrads()
        (model.xs[0] ** 2).backward()
        optimizer.update()
        seen.append(optimizer.rate)
    assert seen == [schedule(t) for t in range(1, 13)]
    assert schedule(0) == schedule(1)


def test_cosine_rises_falls_and_stays():
    rates = [schedules.cosine(0.4, 12, warmup=4, final=0.1)(t) for t in range(1, 16)]
    np.testing.assert_allclose(rates[:5], [0.1, 0.2, 0.3, 0.4, 0.4])
    assert np.all(np.diff(rates[4:13]) < 0)
    np.testing.assert_allclose(rates[8], 0.25)
    np.testing.assert_allclose(rates[12:], 0.1)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: schedules.step_decay(0.1, 0, 0.5), "step_decay: expected every of at least 1 step, got 0"),
        (lambda: schedules.cosine(0.1, 10, warmup=10), "cosine: expected 0 <= warmup < steps, got warmup=10"),
        *(
            (lambda make=make, bad=bad: make(bad), rf"^{name}: expected \w+ of at least 0 and below inf, got {bad}")
            for bad in (-0.1, float("nan"), float("inf"))
            for name, make in (
                ("step_decay", lambda bad: schedules.step_decay(bad, 3, 0.5)),
                ("step_decay", lambda bad: schedules.step_decay(0.1, 3, bad)),
                ("exponential", lambda bad: schedules.exponential(bad, 0.5)),
                ("exponential", lambda bad: schedules.exponential(0.1, bad)),
                ("cosine", lambda bad: schedules.cosine(bad, 3)),
                ("cosine", lambda bad: schedules.cosine(0.1, 3, final=bad)),
            )
        ),
        (lambda: schedules.cosine(0.1, 0), "cosine: expected 0 <= warmup < steps, got warmup=0 and steps=0"),
    ],
)
def test_a_mistake_is_answered(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
