"""What is computed in one, against its parts: equal up to rounding, to the second order, however arrays lie."""

import math

import numpy as np
import pytest

import tinygrad_jp.functions as F
from tests.cases import CASES, spread
from tinygrad_jp import Parameter, Variable, debug, draw, models, no_grad, trace
from tinygrad_jp.core.arrays import is_released
from tinygrad_jp.core.table import OUTPUT_UNUSED
from tinygrad_jp.functions import recurrent

LABELS = np.array([2, 0, 1, 1])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - np.max(x.data, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def standardized(x, eps):
    z = x - np.mean(x, axis=-1, keepdims=True)
    return z / np.sqrt(np.mean(z * z, axis=-1, keepdims=True) + eps)


def pixels(x, W, b):
    """A convolution, kernel pixel by kernel pixel."""
    height, width = (n - k + 1 for n, k in zip(x.shape[2:], W.shape[2:], strict=True))
    windows = {(i, j): x[:, :, i : i + height, j : j + width] for i in range(W.shape[2]) for j in range(W.shape[3])}
    y = sum(np.einsum("nchw,oc->nohw", window, W[:, :, i, j]) for (i, j), window in windows.items())
    return y + np.reshape(b, (-1, 1, 1))


def rnn(z, U, h):
    hs = [h := np.tanh(z_t + h @ U) for z_t in z]
    return np.stack(hs)


def lstm(z, U, h, c):
    hs = []
    for z_t in z:
        i, f, u, o = np.split(z_t + h @ U, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
        h = sigmoid(o) * np.tanh(c)
        hs.append(h)
    return np.stack(hs)


def gru(z, U, b, h):
    hs = []
    for z_t in z:
        (zr, zk, zn), (ur, uk, un) = np.split(z_t, 3, axis=-1), np.split(h @ U, 3, axis=-1)
        r, k = sigmoid(zr + ur), sigmoid(zk + uk)
        h = (1 - k) * np.tanh(zn + r * (un + b)) + k * h
        hs.append(h)
    return np.stack(hs)


# The fused form, the composed one, and the shapes of what they take.
PAIRS = {
    "linear": (F.linear, lambda x, W, b: x @ W + b, (7, 5), (5, 3), (3,)),
    "linear of sequences": (F.linear, lambda x, W, b: x @ W + b, (2, 7, 5), (5, 3), (3,)),
    "mean_squared_error": (F.mean_squared_error, lambda a, b: np.sum((a - b) ** 2) / 7, (7, 3), (7, 3)),
    "softmax": (F.softmax, softmax, (7, 5)),
    "log_softmax": (F.log_softmax, lambda x: np.log(softmax(x)), (7, 5)),
    "logsumexp": (F.logsumexp, lambda x: np.log(np.sum(np.exp(x), axis=-1)), (7, 5)),
    "softmax_cross_entropy": (
        lambda x: F.softmax_cross_entropy(x, LABELS),
        lambda x: -np.mean(np.log(softmax(x))[np.arange(4), LABELS]),
        (4, 3),
    ),
    "sigmoid": (F.sigmoid, sigmoid, (7, 5)),
    "gelu": (F.gelu, lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), (7, 5)),
    "layer_norm": (F.layer_norm, lambda x, gamma, beta: standardized(x, 1e-5) * gamma + beta, (7, 5), (5,), (5,)),
    "scaled_dot_product_attention": (
        F.scaled_dot_product_attention,
        lambda q, k, v: softmax(q @ np.swapaxes(k, -1, -2) / 2) @ v,
        *[(2, 6, 4)] * 3,
    ),
    "conv2d": (F.conv2d, pixels, (2, 3, 6, 5), (4, 3, 3, 2), (4,)),
    "rnn": (recurrent.rnn, rnn, (5, 2, 3), (3, 3), (2, 3)),
    "lstm": (lambda *args: recurrent.lstm(*args)[:, 6], lstm, (5, 2, 12), (3, 12), (2, 3), (2, 3)),
    "gru": (recurrent.gru, gru, (5, 2, 9), (3, 9), (3,), (2, 3)),
}


def to_second_order(f, xs):
    """The value of f, the gradients of a weighted sum of its squares, and their derivatives in one direction."""
    xs = [Variable(x) for x in xs]
    y = f(*xs)
    rng = np.random.default_rng(1)
    weights, *directions = (spread(rng, a.shape).astype(a.dtype) for a in (y, *xs))
    np.sum(y * y * weights).backward(create_graph=True)
    first = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    sum(np.sum(g * v) for g, v in zip(first, directions, strict=True)).backward()
    return [y.data, *(g.data for g in first), *(x.grad.data for x in xs)]


def assert_close(results, expected, roundings=64):
    for a, b in zip(results, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=roundings * np.finfo(b.dtype).eps * max(np.abs(b).max(), 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_the_fused_form_is_that_of_its_parts(name, dtype, rng):
    fused, composed, *shapes = PAIRS[name]
    xs = [spread(rng, shape).astype(dtype) for shape in shapes]
    assert_close(to_second_order(fused, xs), to_second_order(composed, xs))


def channels_before_rows(x):
    """The order C-H-W-N, that of what `conv2d` returns."""
    return np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0) if x.ndim > 2 else x


@pytest.mark.parametrize(
    "arranged",
    [
        np.asfortranarray,
        channels_before_rows,
        lambda x: np.flip(np.flip(x).copy()),
        lambda x: x.repeat(3, -1)[..., ::3],
    ],
    ids=["Fortran", "C-H-W-N", "negative strides", "gaps"],
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_memory_order_changes_no_result(case, arranged, rng):
    xs = case.inputs(rng)
    results = to_second_order(case.f, [arranged(x) if x.ndim else x for x in xs])
    assert_close(results, to_second_order(case.f, xs))


@pytest.mark.parametrize("name", PAIRS)
def test_rows_that_are_one_row_repeated(name, rng):
    """Broadcast arrays, with strides of 0."""
    f, _, *shapes = PAIRS[name]
    xs = [np.broadcast_to(spread(rng, shape[1:]), shape) for shape in shapes]
    assert_close(to_second_order(f, xs), to_second_order(f, [x.copy() for x in xs]))


# relu written over its input


def hidden(x, inplace, W=None):
    W = Variable(np.ones((2, 100), np.float32)) if W is None else W
    h = F.linear(x, W)
    return F.relu(h, inplace=inplace), h


X = np.random.default_rng(0).standard_normal((3000, 2), np.float32)


def test_an_overwritten_input_gives_the_same_to_second_order():
    xs = [X, np.random.default_rng(1).standard_normal((2, 100), np.float32)]
    plain, inplace = (to_second_order(lambda x, W, i=i: hidden(x, i, W)[0] ** 2, xs) for i in (False, True))
    for a, b in zip(inplace, plain, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_overwritten_input_keeps_its_shape_and_takes_no_memory():
    W = Variable(np.ones((2, 100), np.float32))
    h = F.linear(X, W)
    data = h.data
    y = F.relu(h, inplace=True)
    assert np.shares_memory(y.data, data)
    assert (h.shape, h.dtype) == ((3000, 100), np.float32)
    assert is_released(h.data)
    assert is_released(h.creator.y)
    assert is_released(y.creator.args[0])
    h.backward()
    np.testing.assert_allclose(W.grad.data, X.sum(axis=0)[:, None].repeat(100, axis=1), rtol=1e-3, atol=1e-3)


def in_debugging():
    with debug():
        return hidden(X, True)


def without_a_graph():
    with no_grad():
        return hidden(X, True)


def of_a_leaf():
    x = Variable(np.ones((3000, 100), np.float32))
    return F.relu(x, inplace=True), x


def of_a_function_that_looks_at_its_result():
    x = np.tanh(Variable(np.ones((3000, 100), np.float32)))
    return F.relu(x, inplace=True), x


def of_other_data():
    h = F.linear(X, Variable(np.ones((2, 100), np.float32)))
    h.data = np.ones((3000, 100), np.float32)
    return F.relu(h, inplace=True), h


@pytest.mark.parametrize(
    "made",
    [
        *(in_debugging, without_a_graph, of_a_leaf, of_a_function_that_looks_at_its_result, of_other_data),
        lambda: hidden(X, False),
        lambda: hidden(X[:100], True),
    ],
)
def test_nothing_else_is_overwritten(made):
    y, x = made()
    assert not np.shares_memory(x.data, y.data)
    assert np.isfinite(x.data).all()


def test_a_large_network_lets_go_of_what_relu_took():
    model = models.MLP((100, 1), activation=F.relu)
    y = np.mean(model(X))
    assert [is_released(f.y) for f in (v.f for v in trace(y).events if v.kind == "forward")] == [
        True,
        False,
        False,
        False,
    ]


def test_pictures_say_released_and_see_nothing_odd():
    y = np.mean(hidden(X, True)[0])
    assert "(3000, 100), released" in trace(y).explain()
    dot = draw(y, values=True, lang="en").dot
    assert "released" in dot
    assert "NaN" not in dot
    assert "解放済み" in draw(y, values=True, lang="ja").dot


@pytest.mark.parametrize("case", [case for case in CASES if case.table in OUTPUT_UNUSED], ids=lambda case: case.name)
def test_what_may_be_overwritten_is_not_looked_at(case, rng):
    xs = [Parameter(x) for x in case.inputs(rng)]
    y = case.f(*xs)
    f = y.creator
    while f.func not in OUTPUT_UNUSED:
        (f,) = (x.creator for x in f.xs if x is not None and x.creator is not None)
    gy = spread(rng, f.y.shape)
    for _, pull, _ in f.edges:
        np.testing.assert_array_equal(pull(gy, None, *f.args), pull(gy, f.y, *f.args))
