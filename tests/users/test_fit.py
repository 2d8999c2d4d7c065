"""The training loop: what it does is what one would write."""

import inspect
import math
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_jp import DataLoader, History, datasets, fit, models, optimizers, using_config
from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.fitting import loop
from tinygrad_jp.optimizers import schedules

X = np.linspace(-1, 1, 40)[:, None]
T = X**2


def new(**settings):
    return models.MLP(8, 1, activation=np.tanh, rng=0), DataLoader((X, T), 16, rng=0), optimizers.Adam(0.01)


def test_it_is_the_loop_that_one_writes():
    model, loader, optimizer = new()
    history = fit(model, F.mean_squared_error, loader, optimizer, 3, show=False)
    other, loader, optimizer = new()
    optimizer.setup(other)
    for _ in range(3):
        losses = []
        for x, t in loader:
            loss = F.mean_squared_error(other(x), t)
            other.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(loss.item())
    assert all(np.array_equal(a, b) for a, b in zip(model.state().values(), other.state().values(), strict=True))
    assert history["loss"][-1] == pytest.approx(np.average(losses, weights=[16, 16, 8]))


def test_it_is_short():
    assert len(inspect.getsource(loop).splitlines()) < 120


@pytest.mark.parametrize("as_loader", [True, False])
def test_validation_is_measured_as_in_use_and_the_best_weights_are_kept(as_loader):
    model = models.Sequential(L.Linear(8, rng=0), F.relu, L.Dropout(0.5, rng=0), L.Linear(1, rng=0))
    valid = DataLoader((X, T), 7) if as_loader else (X, T)
    history = fit(model, F.mean_squared_error, DataLoader((X, T), 8, rng=0), optimizers.SGD(0.5), 30, valid, show=False)
    with using_config("train", False):
        now = F.mean_squared_error(model(X), T).item()
    assert now == pytest.approx(min(history["validation loss"]), rel=1e-5)
    assert now < history["validation loss"][-1]


def test_it_stops_early():
    model, loader, _ = new()
    history = fit(model, F.mean_squared_error, loader, optimizers.SGD(0.0), 50, (X, T), patience=3, show=False)
    assert len(history) == 4
    with pytest.raises(ValueError, match="validation"):
        fit(model, F.mean_squared_error, loader, optimizers.SGD(0.0), 50, patience=3)


@pytest.mark.parametrize("data", [(X, T), datasets.Digits()])
def test_data_that_are_not_in_batches(data):
    model, _, optimizer = new()
    with pytest.raises(TypeError, match=r"write DataLoader\(data, 32\)"):
        fit(model, F.mean_squared_error, data, optimizer, 1)


def test_metrics_two_inputs_and_states():
    class Both(L.Layer):
        def __init__(self):
            self.rnn, self.out = L.GRU(4, rng=0), L.Linear(2, rng=0)

        def forward(self, a, b):
            return self.out(self.rnn(a)[:, -1] + b[:, None])

    rng = np.random.default_rng(0)
    a, b, t = rng.standard_normal((20, 5, 3)), rng.standard_normal(20), rng.integers(0, 2, 20)
    history = fit(
        Both(),
        F.softmax_cross_entropy,
        DataLoader((a, b, t), 8, rng=0),  # 20 is no multiple of 8.
        optimizers.Adam(0.05),
        40,
        (a, b, t),
        metrics={"accuracy": F.accuracy},
        show=False,
    )
    assert history.names == ["loss", "validation loss", "validation accuracy"]
    assert max(history["validation accuracy"]) > 0.9


def test_a_plateau_is_told():
    model, loader, _ = new()
    optimizer = optimizers.SGD(schedules.plateau(0.0, gamma=0.5, patience=2))
    fit(model, F.mean_squared_error, loader, optimizer, 3, show=False)
    assert optimizer.lr.waited == 0
    assert optimizer.lr.best < math.inf


def test_a_loss_that_is_not_finite_stops():
    model, loader, _ = new()
    with warnings.catch_warnings(), pytest.raises(FloatingPointError, match="lower lr"):
        warnings.simplefilter("ignore")
        fit(model, F.mean_squared_error, loader, optimizers.SGD(1e20), 50, show=False)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_a_history_draws_itself(n, tmp_path):
    history = History({"loss": 1 / (i + 1), "validation loss": 2.0, "validation <a>": float("nan")} for i in range(n))
    root = ElementTree.fromstring(history._repr_html_())
    text = "".join(root.itertext())
    assert "validation <a>" in text
    history.draw(tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_text() == history.svg()
    with pytest.raises(ValueError, match="svg"):
        history.draw(tmp_path / "curves.png")
    assert len(repr(history).splitlines()) == n + 1
    assert history[0]["loss"] == 1
    assert len(history[:1]) == 1
    with pytest.raises(KeyError, match="expected one of"):
        history["accuracy"]


def test_an_empty_history_can_be_shown():
    assert repr(History()) == "epoch"
    assert "no epoch" in History()._repr_html_()


def test_a_model_shows_its_layers():
    page = models.MLP(3, 1)._repr_html_()
    assert page.count("<tr>") == 4
    assert "Linear(?, 3)" in page
