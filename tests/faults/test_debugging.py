"""`debug()`: the first NaN or infinity is named, and data that were changed between forward and backward are found."""

from pathlib import Path

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Config, Function, Variable, debug, models, no_grad, optimizers


class Model(models.Model):
    def __init__(self):
        self.encoder = models.MLP((3, 2), activation=F.relu, rng=0)
        self.head = L.Linear(1, rng=1)

    def forward(self, x):
        return self.head(np.log(self.encoder(x)))


class Wrong(Function):
    """An operation of a user's own, whose gradient is not finite."""

    def forward(self, x):
        return x + 1

    def backward(self, gy):
        return gy * np.inf


def forward_nan():
    np.log(Variable([1.0, -2.0, 3.0], name="x"))


def operator_infinity():
    Variable([1.0, 2.0], name="x") / np.zeros(2)


def nan_in_a_layer():
    model = Model()
    model.encoder.l1.b.data[...] = -100
    model(np.ones((2, 4), np.float32))


def infinite_gradient():
    np.sqrt(Variable([0.0, 4.0], name="x")).sum().backward()


def wrong_rule_of_ones_own():
    Wrong()(Variable(1.0)).backward()


def infinite_second_derivative():
    x = Variable([0.0, 1.0])
    (x**1.5).sum().backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.sum().backward()


def changed_weights():
    model = L.Linear(2, in_size=3, rng=0)
    loss = (model(Variable(np.ones((1, 3), np.float32))) ** 2).sum()
    model.W.data *= 2
    loss.backward()


def changed_data_of_an_operator():
    x = Variable(np.array([1.0, 2.0]), name="x")
    y = (x * x).sum()
    x.data[0] = 5
    y.backward(retain_grad=True)


MISTAKES = [
    (forward_nan, FloatingPointError, r"debug: log returned nan \(1 of 3 elements\), from x \(3,\) from -2 to 3"),
    (operator_infinity, FloatingPointError, r"debug: divide returned inf \(2 of 2 elements\), from x \(2,\)"),
    (nan_in_a_layer, FloatingPointError, r"debug: log returned nan .*; in Model; at .*test_debugging.py"),
    (infinite_gradient, FloatingPointError, r"debug: sqrt passed back a gradient of inf \(1 of 2 elements\)"),
    (wrong_rule_of_ones_own, FloatingPointError, "debug: Wrong passed back a gradient of inf"),
    (infinite_second_derivative, FloatingPointError, "passed back a gradient of inf"),
    (changed_weights, RuntimeError, r"debug: linear: its input 2, W \(3, 2\) .* was changed after.*; in Linear"),
    (changed_data_of_an_operator, RuntimeError, r"debug: multiply: its input 1, x \(2,\) from 2 to 5, was changed"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES, ids=lambda x: getattr(x, "__name__", None))
def test_the_mistake_is_named_with_the_users_own_line(mistake, error, message):
    with pytest.raises(error, match=message) as raised, debug():
        mistake()
    line = str(raised.value).rpartition("; at ")[2]
    assert line.startswith(__file__)
    source = line.split(": ", 1)[1]
    assert source
    assert source in Path(__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("mistake", [changed_weights, changed_data_of_an_operator, wrong_rule_of_ones_own])
def test_outside_nothing_is_said(mistake):
    mistake()


def test_the_path_of_the_layer_is_told():
    model = Model()
    model.encoder(np.ones((1, 4), np.float32))
    model.encoder.l0.W.data[0, 0] = np.nan
    with pytest.raises(FloatingPointError, match=r"debug: linear returned nan .*; in encoder\.l0, Linear; at"), debug():
        model(np.ones((2, 4), np.float32))


def test_gradients_are_the_same_while_debugging():
    x = np.random.default_rng(0).random((4, 3))
    model = models.MLP((5, 2), activation=F.relu, rng=0)
    grads = []
    for _ in range(2):
        with debug():
            model.cleargrads()
            F.softmax_cross_entropy(model(x), [0, 1, 1, 0]).backward()
        grads.append([p.grad.data for p in model.params()])
        model.cleargrads()
        F.softmax_cross_entropy(model(x), [0, 1, 1, 0]).backward()
        for p, g in zip(model.params(), grads[-1], strict=True):
            np.testing.assert_array_equal(p.grad.data, g)


def test_settings_hold_inside_and_come_back():
    with debug():
        assert Config.enable_backprop is True
        with no_grad():
            assert Config.enable_backprop is False
            np.log(Variable(-1.0))
    assert Config.enable_backprop is True
    with pytest.raises(ZeroDivisionError), debug():
        raise ZeroDivisionError
    (Variable(1.0) / Variable(3.0)).backward()


# What is allowed, and rarely meant


def train(kept, steps=40):
    """Steps of training, each of whose losses is given to `kept`."""
    model = models.MLP((3, 1), rng=0)
    x = np.ones((2, 2), np.float32)
    for _ in range(steps):
        loss = (model(x) ** 2).sum()
        model.cleargrads()
        loss.backward()
        kept(loss)


def test_losses_that_keep_their_graphs_are_told_of():
    losses = []
    with debug(), pytest.warns(UserWarning, match=r"still in memory.*losses\.append\(loss\.item\(\)\)") as caught:
        train(losses.append)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_losses_that_keep_nothing_are_not():
    numbers = []
    with debug():
        train(lambda loss: numbers.append(loss.item()))


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        (lambda x: F.softmax_cross_entropy(x, [0, 1]), F.softmax),
        (lambda x: F.softmax_cross_entropy(x, [0, 1]), F.log_softmax),
        (lambda x: F.sigmoid_cross_entropy(x, np.ones((2, 2))), F.sigmoid),
        (lambda x: F.softmax_cross_entropy(x, [0, 1]), F.sigmoid),
        (lambda x: F.softmax_cross_entropy(x, [0, 1], weight=[1, 2]), F.softmax),
        (lambda x: F.softmax_cross_entropy(x, [0, 9], ignore_label=9), F.softmax),
        (lambda x: F.softmax_cross_entropy(x.reshape(2, 1, 2), [[0], [1]]), F.softmax),
        (lambda x: F.sigmoid_cross_entropy(x, np.ones((2, 2))), F.softmax),
        (F.sigmoid, F.sigmoid),
        (F.softmax, F.softmax),
    ],
)
def test_an_activation_before_what_applies_it_is_told_of(loss, activation):
    x = Variable([[0.5, -1.0], [1.0, 2.0]])
    with debug():
        loss(x)
    with debug(), pytest.warns(UserWarning, match=rf"is applied to the result of {activation.__name__}") as caught:
        loss(activation(x))
    assert caught[0].filename == __file__


def test_a_graph_kept_from_before_an_update_is_told_of():
    model = models.MLP((3, 1), rng=0)
    optimizer = optimizers.SGD(0.1).setup(model)
    with debug():
        loss = (model(np.ones((2, 2), np.float32)) ** 2).sum()
        loss.backward()
        optimizer.update()
        with pytest.raises(RuntimeError, match="its graph is older than the last backward pass: compute the result ag"):
            loss.backward()


@pytest.mark.parametrize("layer", [L.RNN, L.LSTM, L.GRU])
def test_the_state_of_a_recurrent_network_that_is_never_cut_off_is_told_of(layer):
    def step():
        loss = (model(np.ones((2, 2), np.float32)) ** 2).sum()
        model.cleargrads()
        loss.backward()
        return loss

    model = layer(3, in_size=2)
    optimizer = optimizers.SGD(0.1).setup(model)
    with debug():
        for _ in range(40):
            step().unchain_backward()
            optimizer.update()
    model.reset_state()
    with debug(), pytest.raises(RuntimeError, match=r"loss\.unchain_backward\(\)"):
        for _ in range(2):
            step()
            optimizer.update()
    model.reset_state()
    with debug(), pytest.warns(UserWarning, match="unchain the state of a recurrent network"):
        for _ in range(40):
            step()
