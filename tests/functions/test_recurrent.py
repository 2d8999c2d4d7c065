"""Recurrent layers: against formulas and PyTorch, step by step and in one call, and what becomes of their state."""

import copy
import pickle
import re

import numpy as np
import pytest

import tinygrad_jp.layers as L
from tests.cases import gru_step, lstm_step, rnn_step, steps
from tinygrad_jp import Variable, gradient_check, no_grad, optimizers
from tinygrad_jp.functions import recurrent

N, T, I, H = 3, 5, 4, 2
LAYERS = [L.RNN, L.LSTM, L.GRU]
FORMULAS = {
    L.RNN: lambda layer: lambda z, h: rnn_step(z, layer.U.data, h),
    L.LSTM: lambda layer: lambda z, h, c: lstm_step(z, layer.U.data, h, c),
    L.GRU: lambda layer: lambda z, h: gru_step(z, layer.U.data, layer.b_hn.data, h),
}
each = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)


def made(kind, dtype=np.float64, rng=0):
    """A layer whose biases are not zero either."""
    layer = kind(H, I, dtype=dtype, rng=rng)
    for p in layer.params():
        p.data = p.data + np.random.default_rng(len(p)).standard_normal(p.shape).astype(dtype) / 2
    return layer


def stepwise(layer, x):
    """What the layer gives for one step of x (N, T, I) after the other."""
    return np.stack([layer(x[:, t]) for t in range(x.shape[1])], axis=1)


def in_portions(layer, x):
    """The same for two steps, one step, and the rest."""
    return np.concatenate([layer(x[:, :2]), layer(x[:, 2])[:, None], layer(x[:, 3:])], axis=1)


def at_once(layer, x):
    return layer(x)


def gradients(layer, run, x):
    """The states that `run` gives, and the gradients of Σ h² by x and all parameters, in turn."""
    layer.reset_state()
    layer.cleargrads()
    x = Variable(x)
    h = run(layer, x)
    (h**2).sum().backward()
    return [h.data, *(p.grad.data for p in (x, *layer.params()))]


@pytest.fixture
def x(rng):
    return rng.standard_normal((N, T, I))


@each
def test_layers_are_their_formulas(kind, x):
    layer = made(kind)
    z = (x @ layer.W.data + layer.b.data).swapaxes(0, 1)
    states = steps(FORMULAS[kind](layer), z, *[np.zeros((N, H))] * (2 if kind is L.LSTM else 1))
    np.testing.assert_allclose(layer(x).data, states[0].swapaxes(0, 1), rtol=1e-12)
    np.testing.assert_allclose(layer.h.data, states[0, -1], rtol=1e-12)
    if kind is L.LSTM:
        np.testing.assert_allclose(layer.c.data, states[1, -1], rtol=1e-12)


@each
def test_pytorch_computes_the_same_and_its_weights_can_be_brought_in(kind, x):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, kind.__name__)(I, H, batch_first=True).double()
    W, U, b_ih, b_hh = (p.detach().numpy().T.copy() for p in theirs.parameters())
    ours = kind(H, dtype=np.float64)
    ours.W.data, ours.U.data = W, U
    if kind is L.GRU:
        ours.b.data = b_ih + np.append(b_hh[: 2 * H], np.zeros(H))
        ours.b_hn.data = b_hh[2 * H :]
    else:
        ours.b.data = b_ih + b_hh
    h, gx, gW, gU, gb, *gb_hn = gradients(ours, at_once, x)
    their_x = torch.from_numpy(x).requires_grad_()
    their_h, _ = theirs(their_x)
    (their_h**2).sum().backward()
    expected = [their_h.detach().numpy(), *(p.grad.numpy().T for p in theirs.parameters())]
    np.testing.assert_allclose(gx, their_x.grad.numpy(), atol=1e-12)
    for a, b in zip((h, gW, gU, gb), expected[:4], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    if gb_hn:
        np.testing.assert_allclose(gb_hn[0], expected[4][2 * H :], atol=1e-12)


@each
def test_step_by_step_and_in_portions_is_as_in_one_call(kind, x):
    layer = made(kind)
    whole = gradients(layer, at_once, x)
    for run in (stepwise, in_portions):
        for a, b in zip(whole, gradients(layer, run, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@each
@pytest.mark.parametrize("run", [at_once, stepwise])
def test_derivatives_to_second_order(kind, run, rng):
    layer = made(kind)
    params = layer.named_params()

    def f(x, *weights):
        layer.reset_state()
        vars(layer).update(zip(params, weights, strict=True))
        return run(layer, x)

    assert gradient_check(f, rng.standard_normal((2, 3, I)), *(p.data for p in params.values()), order=2)


# From 16 steps of 16 sequences on, the rules copy U. Of 1,000 sequences LSTM takes 8 steps at once.
@each
@pytest.mark.parametrize("shape", [(N, T, I), (16, 16, I), (1000, 8, I), (1000, 19, I)])
def test_the_first_derivatives_are_the_same_on_arrays_and_on_variables(kind, shape, rng):
    layer, x = made(kind), rng.standard_normal(shape)
    usual = gradients(layer, at_once, x)[1:]
    layer.reset_state()
    layer.cleargrads()
    x = Variable(x)
    (layer(x) ** 2).sum().backward(create_graph=True)
    for a, b in zip(usual, (x, *layer.params()), strict=True):
        np.testing.assert_allclose(a, b.grad.data, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("doubles", ["z", "U"])
@pytest.mark.parametrize("step", [rnn_step, lstm_step, gru_step], ids=lambda step: step.__name__)
def test_where_z_or_U_is_in_double_precision_so_is_the_result(step, doubles, rng):
    G, more, n_states = {rnn_step: (1, [], 1), lstm_step: (4, [], 2), gru_step: (3, [(H,)], 1)}[step]
    shapes = [(T, N, G * H), (H, G * H), *more, *[(N, H)] * n_states]
    z, U, *rest = (rng.standard_normal(shape, np.float32) for shape in shapes)
    z, U = z.astype(float if doubles == "z" else "f"), U.astype(float if doubles == "U" else "f")
    weights, states = [U, *rest[: len(more)]], rest[len(more) :]
    y = getattr(recurrent, step.__name__.removesuffix("_step"))(z, *weights, *states)
    expected = steps(lambda z, *states: step(z, *weights, *states), z, *states)
    np.testing.assert_allclose(y[:, [6, 5]].swapaxes(0, 1) if step is lstm_step else y[None], expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [L.LSTM, L.GRU])
def test_no_number_is_too_large(kind):
    x = np.array([[[-1e4], [1e4], [0.0]]], np.float32)
    layer = kind(1, rng=0)
    layer(x)
    layer.reset_state()
    layer.W.data[:] = 1
    h = layer(Variable(x))
    (h**2).sum().backward()
    assert np.isfinite(h.data).all()
    assert all(np.isfinite(p.grad.data).all() for p in layer.params())
    expected = [0, np.tanh(1)] if kind is L.LSTM else [-1, -1]
    np.testing.assert_allclose(h.data[0, :2, 0], expected, atol=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# State


@each
def test_the_state_is_kept_until_it_is_reset(kind, x):
    layer = made(kind)
    assert layer.h is None
    first = layer(x[:, 0])
    assert layer.h is first
    assert layer(x[:, 0]).tolist() != first.tolist()
    layer.reset_state()
    assert layer.h is None
    assert getattr(layer, "c", None) is None
    np.testing.assert_array_equal(layer(x[:, 0]).data, first.data)
    np.testing.assert_array_equal(layer.h.data, first.data)


@each
def test_truncated_backpropagation_through_time(kind, x):
    """After `unchain_backward`, the gradient ends where the last portion began; the state goes on."""
    layer = made(kind)
    for run in (stepwise, at_once):
        layer.reset_state()
        loss = (run(layer, x) ** 2).sum()
        loss.backward()
        loss.unchain_backward()
        state = {name: getattr(layer, name).data for name in ("h", "c") if hasattr(layer, name)}
        layer.cleargrads()
        (run(layer, x) ** 2).sum().backward()
        truncated = [p.grad.data for p in layer.params()]
        fresh = copy.copy(layer)
        fresh.cleargrads()
        for name, array in state.items():
            setattr(fresh, name, Variable(array))
        (run(fresh, x) ** 2).sum().backward()
        for a, p in zip(truncated, fresh.params(), strict=True):
            np.testing.assert_allclose(a, p.grad.data, rtol=1e-9, atol=1e-12)


@each
def test_learning_in_portions_keeps_no_more_than_one_of_them(kind, x):
    layer = made(kind)
    lengths = []
    for _ in range(4):
        loss = (stepwise(layer, x) ** 2).sum()
        loss.backward()
        lengths.append(count_of_functions(loss))
        loss.unchain_backward()
    assert lengths[1] == lengths[2] == lengths[3]


def count_of_functions(y):
    found, stack = set(), [y.creator]
    while stack:
        f = stack.pop()
        if f is not None and f not in found:
            found.add(f)
            stack += [x.creator for x in f.inputs]
    return len(found)


@each
def test_without_a_graph_the_state_goes_on_as_a_constant(kind, x):
    layer = made(kind)
    with no_grad():
        layer(x)
    (layer(x) ** 2).sum().backward()
    assert all(np.any(p.grad.data) for p in layer.params())


@each
def test_copies_and_pickles_keep_the_state(kind, x):
    fresh = kind(H, rng=0)
    for duplicate in (copy.deepcopy(fresh), pickle.loads(pickle.dumps(fresh))):
        assert duplicate.h is None
        np.testing.assert_array_equal(duplicate(x).data, copy.deepcopy(fresh)(x).data)
    layer = made(kind)
    layer(x)
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    following = layer(x[:, 0]).data
    for duplicate in copies:
        np.testing.assert_array_equal(duplicate(x[:, 0]).data, following)
        assert list(duplicate.named_params()) == list(layer.named_params())


# ---------------------------------------------------------------------------------------------------------------------
# Parameters


@each
def test_parameters(kind):
    layer = kind(H, rng=0)  # Without `seed` or rng, RNN draws U at its first state.
    G = layer.gates
    names = ["W", "U", "b"] + ["b_hn"] * (kind is L.GRU)
    assert list(layer.named_params()) == names == [p.name for p in layer.params()]
    assert layer.W.data is None
    assert repr(layer) == f"{kind.__name__}(?, {H}): ? parameters"
    layer([[1.0, 2.0, 3.0]])
    assert [p.shape for p in layer.params()] == [(3, G * H), (H, G * H), (G * H,), (H,)][: len(names)]
    assert repr(layer).startswith(f"{kind.__name__}(3, {H}): ")
    assert list(layer.state()) == names


@each
def test_each_gate_starts_by_itself(kind):
    layer = kind(200, 50, rng=0)
    for p, fan_in in ((layer.W, 50), (layer.U, 200)):
        blocks = np.split(p.data, layer.gates, axis=1)
        for i, block in enumerate(blocks):
            assert block.var() == pytest.approx(1 / fan_in, rel=0.05)
            assert not any(np.array_equal(block, other) for other in blocks[:i])
    orthogonal = kind(4, 4, init="orthogonal", dtype=np.float64)
    for block in np.split(orthogonal.U.data, layer.gates, axis=1):
        np.testing.assert_allclose(block.T @ block, np.eye(4), atol=1e-12)
    assert kind(3, 2, rng=1).W.data.tolist() == kind(3, 2, rng=1).W.data.tolist()


@each
def test_float32_is_kept(kind, x):
    layer = made(kind, np.float32)
    x = Variable(x.astype(np.float32))
    for run in (stepwise, at_once):
        h = run(layer, x)
        (h**2).mean().backward()
        assert {v.dtype for v in (h, layer.h, x.grad, *(p.grad for p in layer.params()))} == {np.dtype(np.float32)}


@each
def test_a_layer_learns_to_remember(kind):
    """The target is the input of two steps before."""
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 12, 1)).astype(np.float32)
    layer, out = kind(8, rng=0), L.Linear(1, rng=0)
    model = L.Layer()
    model.layers = [layer, out]
    optimizer = optimizers.Adam(0.02).setup(model)
    losses = []
    for _ in range(150):
        layer.reset_state()
        loss = ((out(layer(x))[:, 2:] - x[:, :-2]) ** 2).mean()
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 20


@each
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((N,), "expected x of shape (N, 4), or (N, T, 4) with T of at least 1, got (3,)"),
        ((N, I + 1), "expected x of shape (N, 4), or (N, T, 4) with T of at least 1, got (3, 5)"),
        ((N, T, I, 1), "expected x of shape (N, 4), or (N, T, 4) with T of at least 1, got (3, 5, 4, 1)"),
        ((N, 0, I), "expected x of shape (N, 4), or (N, T, 4) with T of at least 1, got (3, 0, 4)"),
        ((N + 1, I), "expected x of at most 3 sequences, as many as the state has, got 4; call reset_state()"),
    ],
)
def test_mistakes(kind, shape, message, x):
    layer = made(kind)
    layer(x)
    before = layer.h
    with pytest.raises(ValueError, match=re.escape(f"{kind.__name__}: {message}")):
        layer(np.zeros(shape))
    assert layer.h is before
    waiting = kind(H)
    with pytest.raises(ValueError, match=re.escape("(N, T, I)")):
        waiting(np.zeros(3))
    assert waiting.W.data is None
