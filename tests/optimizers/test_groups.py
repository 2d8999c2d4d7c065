"""Groups of parameters with learning rates of their own, and what an optimizer says of itself."""

import copy
import pickle

import numpy as np
import pytest

from tinygrad_jp import models, optimizers
from tinygrad_jp.optimizers import schedules

KINDS = [
    kind
    for name in optimizers.__all__
    if isinstance(kind := getattr(optimizers, name), type)
    and issubclass(kind, optimizers.Optimizer)
    and kind is not optimizers.Optimizer
]
x = np.linspace(-1, 1, 12).reshape(4, 3)


def step(model, optimizer, n=3):
    for _ in range(n):
        model.cleargrads()
        (model(x) ** 2).sum().backward()
        optimizer.update()
    return {path: p.data.copy() for path, p in model.named_params().items()}


def new():
    model = models.MLP(4, 3, 1, rng=0, dtype=float)
    model(x)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_steps_as_under_an_optimizer_of_its_own(kind):
    """One update: afterwards the gradients depend on the other groups."""

    def alone(lr):
        model = new()
        return step(model, kind(lr=lr).setup(model), 1)

    model, slow, fast = new(), alone(0.01), alone(0.1)
    before = model.state()
    optimizer = kind(lr=0.05).setup(
        model, groups={model.l0: 0.01, model.l1: None, model.l2: schedules.step_decay(0.1, 9, 1)}
    )
    after = step(model, optimizer, 1)
    for path in ("l0.W", "l0.b"):
        assert np.array_equal(after[path], slow[path])
    for path in ("l1.W", "l1.b"):
        assert np.array_equal(after[path], before[path])
    for path in ("l2.W", "l2.b"):
        assert np.array_equal(after[path], fast[path])
    assert "l1.W" not in optimizer.state()["steps"]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_keep_their_groups(again):
    model = new()
    optimizer = optimizers.Adam().setup(model, groups={model.l0: 0.1, model.l1: None})
    step(model, optimizer)
    other, its = again((model, optimizer))
    ours, theirs = step(model, optimizer), step(other, its)
    assert all(np.array_equal(array, theirs[path]) for path, array in ours.items())


def test_the_last_group_counts_and_setup_starts_anew():
    model = new()
    optimizer = optimizers.SGD(0.1).setup(model, groups={model: None, model.l2.b: 0.1})
    before = model.state()
    after = step(model, optimizer)
    assert [path for path in after if not np.array_equal(before[path], after[path])] == ["l2.b"]
    optimizer.setup(model)
    before = model.state()
    assert all((before[path] != a).any() for path, a in step(model, optimizer).items())


@pytest.mark.parametrize("group", [{"l0": 0.1}, {models.MLP(1): 0.1}])
def test_groups_of_other_things_are_refused(group):
    with pytest.raises(ValueError, match="groups of layers"):
        optimizers.SGD().setup(new(), groups=group)


@pytest.mark.parametrize("lr", [-1.0, "a", float("nan")])
def test_a_rate_that_is_none_is_refused(lr):
    model = new()
    with pytest.raises((ValueError, TypeError), match="lr"):
        optimizers.SGD().setup(model, groups={model.l0: lr})


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimizer_says_what_it_is(kind):
    model, optimizer = new(), kind()
    assert repr(optimizer).startswith(f"{kind.__name__}(")
    assert "no model" in repr(optimizer)
    step(model, optimizer.setup(model))
    assert repr(optimizer).endswith("of MLP: 3 updates")


def test_a_schedule_is_written_with_its_settings():
    assert (
        repr(optimizers.SGD(schedules.step_decay(0.1, 30, 0.5)))
        == "SGD(lr=step_decay(0.1, 30, 0.5)) of no model: 0 updates"
    )
    assert "plateau(0.1, gamma=0.1, patience=10)" in repr(optimizers.SGD(schedules.plateau(0.1)))
