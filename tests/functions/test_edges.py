"""Every function of `F` at the edge: each dtype and byte order, integers, single numbers, lists, and length 0."""

import inspect
import itertools
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import special

import tinygrad_jp as tg
import tinygrad_jp.functions as F
from tinygrad_jp import Variable
from tinygrad_jp.functions import recurrent

pytestmark = pytest.mark.filterwarnings("error")


def array(*shape: int, low: int = -3, step: float = 0.25) -> np.ndarray:
    """Multiples of `step`, which float16 holds exactly, from `low` on and around again."""
    return low + step * (np.arange(np.prod(shape, dtype=int)) * 7 % 23).reshape(shape)


POSITIVE = {"low": 1}
SPREAD = np.array([[0.25, 0.75], [0.5, 0.5], [0.875, 0.125]])


class Sample(NamedTuple):
    """A call of F: `f` of some arrays, of which the first `batch` have the examples along their first axis."""

    f: Any
    args: tuple[np.ndarray, ...]
    batch: int = 1
    floats: bool = False  # integers are computed in float64
    number: bool = False  # single numbers are accepted
    nothing: bool = True  # no examples are accepted


def statistics(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(n), np.ones(n)


LABELS = np.array([2, 0, 1])
X = array(3, 4)
IMAGES = array(2, 2, 4, 4)
SAMPLES: dict[str, Sample] = {
    **{name: Sample(getattr(F, name), (X,), number=True) for name in ("sin", "cos", "tanh", "exp", "relu", "elu")},
    **{
        name: Sample(getattr(F, name), (X,), number=True, floats=True)
        for name in ("sigmoid", "gelu", "silu", "softplus", "softmax", "log_softmax", "logsumexp", "layer_norm")
    },
    "leaky_relu": Sample(F.leaky_relu, (X,), number=True, floats=True),
    "log": Sample(F.log, (array(3, 4, **POSITIVE),), number=True),
    **{
        f.__name__: Sample(lambda x, f=f: f(x, axis=-1 if np.ndim(x) else None), (X,), number=True)
        for f in (F.sum, F.mean, F.max, F.min)
    },
    "average": Sample(F.average, (X,), batch=0, number=True),
    "clip": Sample(lambda x: F.clip(x, -1, 1), (X,), number=True),
    "reshape": Sample(lambda x: F.reshape(x, (-1,)) if np.size(x) else F.reshape(x, (0, 2)), (X,), number=True),
    "flatten": Sample(F.flatten, (array(3, 2, 2),)),
    "transpose": Sample(F.transpose, (X,), number=True),
    "expand_dims": Sample(lambda x: F.expand_dims(x, 0), (X,), number=True),
    "broadcast_to": Sample(lambda x: F.broadcast_to(x, (2, *np.shape(x))), (X,), number=True),
    "sum_to": Sample(lambda x: F.sum_to(x, (1, 4) if np.ndim(x) == 2 else ()), (X,), number=True),
    "get_item": Sample(lambda x: F.get_item(x, (..., [0, 2, 2])), (X,)),
    "embed_id": Sample(lambda W: F.embed_id(LABELS, W), (X,), batch=0),
    "matmul": Sample(F.matmul, (X, array(4, 2))),
    "linear": Sample(F.linear, (X, array(4, 2), array(2))),
    "softmax_cross_entropy": Sample(
        lambda x: F.softmax_cross_entropy(x, LABELS[: np.size(x)] if np.ndim(x) else 0),
        (X,), floats=True, nothing=False,
    ),
    "sigmoid_cross_entropy": Sample(
        F.sigmoid_cross_entropy, (X, np.rint(array(3, 4) / 8 + 0.5)), batch=2, floats=True, number=True, nothing=False
    ),
    "binary_cross_entropy": Sample(
        F.binary_cross_entropy, (SPREAD, SPREAD), batch=2, floats=True, number=True, nothing=False
    ),
    "kl_divergence": Sample(F.kl_divergence, (SPREAD, SPREAD / 2 + 0.25), batch=2, floats=True, nothing=False),
    **{
        name: Sample(getattr(F, name), (X, X[:, ::-1]), batch=2, floats=True, number=True, nothing=False)
        for name in ("mean_squared_error", "mean_absolute_error", "huber_loss")
    },
    "attention_weights": Sample(F.attention_weights, (array(2, 3, 4), array(2, 3, 4) / 2), batch=2, floats=True),
    "scaled_dot_product_attention": Sample(
        F.scaled_dot_product_attention, (array(2, 3, 4), array(2, 3, 4) / 2, array(2, 3, 2)), batch=3, floats=True
    ),
    "split_heads": Sample(lambda x: np.stack(F.split_heads(x, 2, 2)), (array(2, 3, 8),)),
    "join_heads": Sample(F.join_heads, (array(2, 2, 3, 2),)),
    "batch_norm": Sample(lambda x, g, b: F.batch_norm(x, g, b, *statistics(4)), (X, array(4), array(4)), floats=True),
    "group_norm": Sample(lambda x, g, b: F.group_norm(x, 2, g, b), (X, array(4), array(4)), floats=True),
    "dropout": Sample(lambda x: F.dropout(x, 0.2, rng=0), (X,), floats=True, number=True),
    "conv2d": Sample(lambda *xs: F.conv2d(*xs, 1, 1), (IMAGES, array(3, 2, 3, 3), array(3))),
    "deconv2d": Sample(lambda *xs: F.deconv2d(*xs, 2, 1), (IMAGES, array(2, 3, 3, 3), array(3))),
    "pooling": Sample(lambda x: F.pooling(x, 3, 2, 1), (IMAGES,)),
    "average_pooling": Sample(lambda x: F.average_pooling(x, 3, 2, 1), (IMAGES,)),
    "im2col": Sample(lambda x: F.im2col(x, 3, 1, 1), (IMAGES,)),
    "col2im": Sample(lambda x: F.col2im(x, (len(x), 2, 4, 4), 3, 1, 1, False), (array(2, 2, 3, 3, 4, 4),)),
}  # fmt: skip
# The other forms of some of them.
FORMS = {
    "gelu exact": Sample(lambda x: F.gelu(x, approximate=False), (X,), number=True, floats=True),
    "softmax of an axis": Sample(lambda x: F.softmax(x, axis=0), (X,), number=True, floats=True),
    "log_softmax of an axis": Sample(lambda x: F.log_softmax(x, axis=0), (X,), number=True, floats=True),
    "logsumexp of all": Sample(lambda x: F.logsumexp(x, axis=None), (X,), number=True, floats=True),
    "linear without b": Sample(F.linear, (X, array(4, 2))),
    "linear, a row as b": Sample(F.linear, (X, array(4, 2), array(1, 2))),
    "linear, many rows as b": Sample(F.linear, (X, array(4, 2), array(3, 2)), batch=0),
    "linear of sequences": Sample(F.linear, (array(2, 3, 4), array(4, 2), array(2))),
    "softmax_cross_entropy smoothed": Sample(
        lambda x: F.softmax_cross_entropy(x, LABELS[: np.size(x)] if np.ndim(x) else 0, label_smoothing=0.5),
        (X,), floats=True, nothing=False,
    ),
    "attention_weights masked": Sample(
        lambda q, k: F.attention_weights(q, k, np.tri(3, dtype=bool)),
        (array(2, 3, 4), array(2, 3, 4) / 2), batch=2, floats=True,
    ),
    "layer_norm with gamma and beta": Sample(F.layer_norm, (X, array(4), array(4)), floats=True, number=True),
    "layer_norm of other axes": Sample(lambda x: F.layer_norm(x, axis=(1, 2)), (array(2, 3, 4),), floats=True),
    "batch_norm of images": Sample(
        lambda x, g, b: F.batch_norm(x, g, b, *statistics(2)), (IMAGES, array(2), array(2)), floats=True
    ),
    "conv2d, groups": Sample(lambda *xs: F.conv2d(*xs, groups=2), (IMAGES, array(4, 1, 2, 2))),
    "rnn": Sample(recurrent.rnn, (array(3, 2, 4) / 4, array(4, 4) / 4, array(2, 4) / 4), batch=0),
    "lstm": Sample(recurrent.lstm, (array(3, 2, 8), array(2, 8) / 4, array(2, 2), array(2, 2)), batch=0),
    "gru": Sample(recurrent.gru, (array(3, 2, 6), array(2, 6) / 4, array(2), array(2, 2)), batch=0),
}  # fmt: skip
ALL = SAMPLES | FORMS
every = pytest.mark.parametrize("sample", ALL.values(), ids=list(ALL))


def test_every_function_of_F_is_here():
    assert set(F.__all__) - set(SAMPLES) == {"accuracy", "confusion_matrix", "one_hot"}  # these have no gradient


def weighted(y):
    """Multiples of ¼ in the shape of y, as its gradient: under equal weights that of softmax would be 0."""
    return (np.arange(y.size) % 5 - 2).reshape(y.shape) / 4


def evaluated(f, args, dtype):
    """The value of f, and its gradients, all arrays."""
    xs = [Variable(a.astype(dtype)) for a in args]
    y = f(*xs)
    y.grad = weighted(y)
    y.backward()
    return y.data, [x.grad.data for x in xs]


def assert_close(actual, expected):
    """As close as the precision of `actual` allows, measured by the largest element."""
    eps = np.finfo(actual.dtype).eps if actual.dtype.kind == "f" else 0
    scale = max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(actual.astype(float), expected, rtol=0, atol=8 * float(eps) * scale)


FLOATS = [np.float16, np.float32, np.float64, ">f2", ">f4", ">f8"]
INTEGERS = [np.int8, np.uint8, np.int64, ">i4"]


@every
@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: np.dtype(dtype).str)
def test_floats_of_any_precision_and_byte_order(sample, dtype):
    expected, gradients = evaluated(sample.f, sample.args, np.float64)
    y, gxs = evaluated(sample.f, sample.args, dtype)
    assert y.dtype == np.dtype(dtype).newbyteorder("=")
    assert_close(y, expected)
    for gx, gradient in zip(gxs, gradients, strict=True):
        assert gx.dtype == np.dtype(dtype).newbyteorder("=")
        assert_close(gx, gradient)


@every
@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda dtype: np.dtype(dtype).str)
def test_integers(sample, dtype):
    signed = np.dtype(dtype).kind == "i"
    args = [(np.rint(a) if signed else np.abs(np.rint(a))).astype(dtype) for a in sample.args]
    if sample.f is F.log:
        args = [a + a.dtype.type(1) for a in args]
    expected = sample.f(*(Variable(a.astype(float)) for a in args)).data
    for ys in (sample.f(*args), sample.f(*map(Variable, args))):
        if sample.floats:
            assert ys.dtype == np.float64
        assert_close(np.asarray(getattr(ys, "data", ys)), expected)


@every
def test_lists(sample):
    if sample.f in (recurrent.rnn, recurrent.lstm, recurrent.gru):
        pytest.skip("these take arrays")
    np.testing.assert_array_equal(sample.f(*(a.tolist() for a in sample.args)).data, sample.f(*sample.args).data)


@every
@pytest.mark.parametrize("kind", [float, np.float64, np.array, Variable], ids=lambda kind: kind.__name__)
def test_single_numbers(sample, kind):
    numbers = [kind(float(a.flat[0])) for a in sample.args]
    if not sample.number:
        with pytest.raises((ValueError, TypeError, IndexError)) as caught:
            sample.f(*numbers)
        name = next((name for name in ALL if ALL[name] is sample), "").partition(" ")[0].strip(",")
        assert (
            name in str(caught.value)
            or isinstance(caught.value, IndexError)
            or name in ("rnn", "lstm", "gru", "col2im")
        )
        return
    y = sample.f(*numbers)
    expected = sample.f(*(a.reshape(-1)[:1] for a in sample.args))
    assert y.dtype == np.float64
    np.testing.assert_allclose(y.data.reshape(-1), expected.data.reshape(-1), rtol=1e-15)
    if kind is Variable:
        y.backward()
        assert all(x.grad is not None and x.grad.shape == () and np.isfinite(x.grad.item()) for x in numbers)


@pytest.mark.parametrize("name", [name for name, sample in ALL.items() if sample.number and len(sample.args) > 1])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_pythons_numbers_are_weak(name, dtype):
    sample = ALL[name]
    for i in range(1 if name in ("sigmoid_cross_entropy", "binary_cross_entropy") else len(sample.args)):
        numbers = [float(a.flat[0]) for a in sample.args]
        numbers[i] = Variable(np.asarray(numbers[i], dtype))
        assert sample.f(*numbers).dtype == dtype


@every
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_no_examples(sample, dtype):
    xs = [Variable(a[:0].astype(dtype) if i < sample.batch else a.astype(dtype)) for i, a in enumerate(sample.args)]
    if not sample.nothing:
        with pytest.raises(ValueError, match=r"at least one element|labels"):
            sample.f(*xs)
        return
    y = sample.f(*xs)
    y.backward(create_graph=True)
    assert y.dtype == dtype
    for x in xs:
        assert x.grad.shape == x.shape
        assert np.isfinite(x.grad.data).all()
        if not y.size:
            assert not x.grad.data.any()


@every
def test_a_sum_recorded_has_the_same_gradients(sample):
    """A pass that is recorded starts from an array, so rules meet arrays and Variables side by side."""

    def gradients(which, record):
        xs = [Variable(a) if i in which else a for i, a in enumerate(sample.args)]
        np.sum(sample.f(*xs)).backward(create_graph=record)
        return [xs[i].grad.data for i in which]

    n = len(sample.args)
    for which in itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(1, n + 1)):
        for plain, recorded in zip(gradients(which, False), gradients(which, True), strict=True):
            np.testing.assert_allclose(recorded, plain, rtol=1e-12, atol=1e-12)


# Length 0 along any axis


@pytest.mark.parametrize(
    ("f", "shapes", "shape"),
    [
        (F.flatten, [(0, 3, 4)], (0, 12)),
        (F.flatten, [(2, 0, 4)], (2, 0)),
        (F.flatten, [(0, 0)], (0, 0)),
        *((f, [(2, 0)], (2, 0)) for f in (F.softmax, F.log_softmax, F.layer_norm, F.sigmoid, F.gelu, F.dropout)),
        *((f, [(0, 2)], (0, 2)) for f in (F.softmax, F.log_softmax, F.layer_norm, F.sigmoid, F.gelu, F.dropout)),
        *((lambda x, f=f: f(x, axis=0), [(0, 2)], (0, 2)) for f in (F.softmax, F.log_softmax, F.layer_norm)),
        (lambda x: F.gelu(x, approximate=False), [(0, 2)], (0, 2)),
        (F.logsumexp, [(0, 2)], (0,)),
        (F.layer_norm, [(2, 0), (0,), (0,)], (2, 0)),
        (F.layer_norm, [(0, 3), (3,), (3,)], (0, 3)),
        (lambda x, g, b: F.batch_norm(x, g, b, np.zeros(0), np.ones(0)), [(2, 0), (0,), (0,)], (2, 0)),
        (lambda x, g, b: F.batch_norm(x, g, b, *statistics(2)), [(3, 2, 0), (2,), (2,)], (3, 2, 0)),
        (lambda x, g, b: F.group_norm(x, 2, g, b), [(2, 0), (0,), (0,)], (2, 0)),
        (lambda x, g, b: F.group_norm(x, 2, g, b), [(2, 4, 0), (4,), (4,)], (2, 4, 0)),
        (F.attention_weights, [(2, 0), (3, 0)], (2, 3)),
        (F.attention_weights, [(0, 2), (3, 2)], (0, 3)),
        (F.attention_weights, [(2, 2), (0, 2)], (2, 0)),
        (F.scaled_dot_product_attention, [(2, 0), (3, 0), (3, 4)], (2, 4)),
        (F.scaled_dot_product_attention, [(2, 2), (0, 2), (0, 4)], (2, 4)),
        (F.scaled_dot_product_attention, [(0, 5, 2), (0, 3, 2), (0, 3, 0)], (0, 5, 0)),
        (lambda x: F.split_heads(x, 2)[0], [(0, 3, 4)], (0, 2, 3, 2)),
        (lambda x: F.split_heads(x, 2)[0], [(2, 0, 4)], (2, 2, 0, 2)),
        (lambda x: F.split_heads(x, 2)[0], [(2, 3, 0)], (2, 2, 3, 0)),
        (F.join_heads, [(2, 0, 3, 4)], (2, 3, 0)),
        (F.linear, [(2, 0), (0, 3), (3,)], (2, 3)),
        (F.linear, [(2, 3), (3, 0), (0,)], (2, 0)),
        (F.linear, [(2, 0, 3), (3, 4), (4,)], (2, 0, 4)),
        (F.linear, [(0,), (0, 4), (4,)], (4,)),
        (lambda W: F.embed_id([], W), [(3, 2)], (0, 2)),
        (lambda W: F.embed_id([], W), [(0, 2)], (0, 2)),
        (lambda x, W: F.conv2d(x, W, None, 1, 1), [(2, 0, 4, 4), (3, 0, 3, 3)], (2, 3, 4, 4)),
        (lambda x, W: F.conv2d(x, W, None, 1, 1), [(2, 3, 4, 4), (0, 3, 3, 3)], (2, 0, 4, 4)),
        (lambda x, W: F.deconv2d(x, W, None, 1, 1), [(2, 3, 4, 4), (3, 0, 3, 3)], (2, 0, 4, 4)),
        (lambda x: F.pooling(x, 2), [(2, 0, 4, 4)], (2, 0, 3, 3)),
        (lambda x: F.average_pooling(x, 2), [(2, 0, 4, 4)], (2, 0, 3, 3)),
        (recurrent.rnn, [(0, 2, 4), (4, 4), (2, 4)], (0, 2, 4)),
        (recurrent.rnn, [(3, 0, 4), (4, 4), (0, 4)], (3, 0, 4)),
        (recurrent.lstm, [(0, 2, 8), (2, 8), (2, 2), (2, 2)], (0, 7, 2, 2)),
        (recurrent.lstm, [(3, 0, 8), (2, 8), (0, 2), (0, 2)], (3, 7, 0, 2)),
        (recurrent.gru, [(0, 2, 6), (2, 6), (2,), (2, 2)], (0, 2, 2)),
        (recurrent.gru, [(3, 0, 6), (2, 6), (2,), (0, 2)], (3, 0, 2)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_length_zero(f, shapes, shape):
    for record in (False, True):
        xs = [Variable(array(*s).astype(np.float32)) for s in shapes]
        y = f(*xs)
        y.backward(create_graph=record)
        assert y.shape == shape
        assert np.isfinite(y.data).all()
        for x in xs:
            assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
            assert np.isfinite(x.grad.data).all()


def test_one_hot_and_labels_of_no_examples():
    assert F.one_hot([], 3).shape == (0, 3)
    assert F.one_hot(np.zeros((2, 0), int), 3).shape == (2, 0, 3)


def test_a_batch_of_none_leaves_the_statistics_of_batch_norm():
    mean, var = np.full(2, 5.0), np.full(2, 7.0)
    F.batch_norm(np.zeros((0, 2)), np.ones(2), np.zeros(2), mean, var)
    F.batch_norm(np.zeros((3, 2, 0)), np.ones(2), np.zeros(2), mean, var)
    assert (mean.tolist(), var.tolist()) == ([5, 5], [7, 7])


def test_statistics_of_batch_norm_in_float16():
    mean, var = np.zeros(2, np.float16), np.ones(2, np.float16)
    x = np.float16([[600, -600], [-600, 600]] * 3)
    for _ in range(3):
        F.batch_norm(x, np.ones(2, np.float16), np.zeros(2, np.float16), mean, var, decay=0.99999)
    assert mean.dtype == var.dtype == np.float16
    assert np.isfinite(var).all()
    with tg.test_mode():
        y = F.batch_norm(x, np.ones(2, np.float16), np.zeros(2, np.float16), mean, var)
    assert y.dtype == np.float16
    assert np.isfinite(y.data).all()


@pytest.mark.parametrize("statistics", [([0.0, 0.0], [1.0, 1.0]), ((0.0, 0.0), np.ones(2))])
def test_statistics_that_cannot_be_updated_are_refused_while_training(statistics):
    arguments = (np.ones((3, 2)), np.ones(2), np.zeros(2), *statistics)
    with pytest.raises(TypeError, match="batch_norm: expected mean and var as arrays, which are updated in place"):
        F.batch_norm(*arguments)
    with tg.test_mode():
        np.testing.assert_allclose(F.batch_norm(*arguments).data, 1, rtol=1e-4)


# Constant rows


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [0.1, -1.7, 1000.1, 3e4])
@pytest.mark.parametrize("n", [1, 3, 768, 5000])
@pytest.mark.parametrize(
    "f",
    [
        lambda row: F.layer_norm(row, np.ones(row.size, row.dtype), np.zeros(row.size, row.dtype)),
        F.layer_norm,
        lambda row: F.layer_norm(row.reshape(-1, 1), axis=0),
        lambda row: F.group_norm(row.reshape(1, 1, -1), 1),
        lambda row: F.batch_norm(row.reshape(-1, 1), *np.ones((2, 1), row.dtype) - [[0], [1]], *np.ones((2, 1))),
        lambda row: F.batch_norm(row.reshape(1, 1, -1), *np.ones((2, 1), row.dtype) - [[0], [1]], *np.ones((2, 1))),
    ],
    ids=["layer_norm fused", "layer_norm", "layer_norm of columns", "group_norm", "batch_norm", "batch_norm of images"],
)
def test_constant_rows_are_normalized_to_zero(f, n, value, dtype):
    assert not f(np.full(n, value, dtype)).data.any()


@pytest.mark.parametrize("offset", [0, 1e3, 1e5])
def test_means_far_from_zero_are_no_less_exact(offset, rng):
    x = (rng.standard_normal((4, 768)) + offset).astype(np.float32)
    expected = (x - x.mean(-1, keepdims=True, dtype=float)) / x.std(-1, keepdims=True, dtype=float)
    np.testing.assert_allclose(F.layer_norm(x, np.ones(768), np.zeros(768)).data, expected, atol=2e-5)
    for y in (F.layer_norm(x), F.group_norm(x, 1)):
        np.testing.assert_allclose(y.data, expected, atol=2e-5 + np.finfo(np.float32).eps * offset)


# float16: what overflows, or stops growing, in it


N = 65_520  # In float16 this is infinite.


@pytest.mark.parametrize(
    "f",
    [
        F.mean_squared_error,
        F.mean_absolute_error,
        lambda a, b: F.huber_loss(a, b, 100.0),
        lambda a, b: F.sigmoid_cross_entropy(a, (b > 0).astype(int)),
        lambda a, b: F.binary_cross_entropy(F.sigmoid(a), (b > 0).astype(int)),
        lambda a, b: F.kl_divergence(F.sigmoid(a), F.sigmoid(b)),
        lambda a, b: F.softmax_cross_entropy(np.stack([a, b], -1), np.zeros(N, int)),
        lambda a, b: F.average_pooling(np.reshape(a, (1, 1, 252, 260)), (252, 260)),
        lambda a, b: F.softmax(a),
        lambda a, b: F.logsumexp(a),
        lambda a, b: F.log_softmax(a),
        lambda a, b: F.layer_norm(a),
        lambda a, b: F.layer_norm(a * 600),
        lambda a, b: F.batch_norm(np.reshape(a * 600, (-1, 1)), np.float16([1]), np.float16([0]), *statistics(1)),
        lambda a, b: F.linear(np.reshape(a, (1, -1)) / 64, np.reshape(a, (-1, 1)) / 64),
        lambda a, b: F.matmul(np.reshape(a, (1, -1)) / 64, np.reshape(a, (-1, 1)) / 64),
        lambda a, b: F.linear(np.reshape(a, (-1, 1)), np.float16([[2]]), np.reshape(b, -1)[:1]),
        lambda a, b: F.conv2d(np.reshape(a, (1, 1, 252, 260)), np.float16([[[[2]]]]), np.reshape(b, -1)[:1]),
        lambda a, b: F.embed_id(np.zeros(N, int), np.reshape(b, (-1, 1))),
        lambda a, b: F.get_item(a, np.zeros(N, int)),
        lambda a, b: F.broadcast_to(F.get_item(a, slice(1)), (N,)),
        lambda a, b: F.sum(np.reshape(a * 0 + 0.5, (-1, 1)), axis=0),
        lambda a, b: F.sum_to(np.reshape(a * 0 + 0.5, (-1, 1)), (1, 1)),
        lambda a, b: F.mean(a * 0 + 0.5),
        lambda a, b: F.max(a),
        lambda a, b: F.attention_weights(np.ones((1, 2), np.float16), np.reshape(a, (-1, 2))),
    ],
)
def test_long_sums_in_float16(f, rng):
    values = [rng.integers(-12, 13, N) / 4 for _ in range(2)]

    def evaluate(dtype):
        a, b = (Variable(v.astype(dtype)) for v in values)
        y = f(a, b)
        y.grad = np.ones(y.shape) if y.size == 1 else np.where(np.arange(y.size) % 3, 0.5, 0).reshape(y.shape)
        y.backward()
        return y, [x.grad for x in (a, b) if x.grad is not None]

    (y, gradients), (expected, exact) = evaluate(np.float16), evaluate(np.float64)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.data.astype(float), expected.data, rtol=4e-3, atol=4e-3 * np.abs(expected.data).max())
    for gx, gradient in zip(gradients, exact, strict=True):
        assert gx.dtype == np.float16
        assert gx.data.any() or not gradient.data.any()
        worst = np.abs(gradient.data).max()  # Below 6e-5, float16 has no more than 2e-8 of precision.
        np.testing.assert_allclose(gx.data.astype(float), gradient.data, rtol=0, atol=6e-3 * worst + 6e-8)


@pytest.mark.parametrize(
    "name", [name for name, sample in ALL.items() if sample.number and len(sample.args) == 1 and name != "dropout"]
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_slopes_at_large_numbers_are_finite(name, dtype):
    f = ALL[name].f
    large = [300.0, 6e4] if dtype is np.float16 else [300.0, 6e4, 1e20, 1e30]
    for number in large:
        for x in (Variable(np.array([number], dtype)), Variable(np.array([-number], dtype))):
            if (name == "exp" and x.data[0] > 0) or (name == "log" and x.data[0] < 0):
                continue
            y = f(x)
            y.backward()
            assert np.isfinite(y.data).all()
            assert np.isfinite(x.grad.data).all()


# Infinities, and other limits


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("f", "x", "y", "gx"),
    [
        (F.logsumexp, [np.inf, 0.0], np.inf, [1.0, 0.0]),
        (F.logsumexp, [np.inf, -np.inf], np.inf, [1.0, 0.0]),
        (F.logsumexp, [np.inf, 3.0, np.inf], np.inf, [0.5, 0.0, 0.5]),
        (F.logsumexp, [-np.inf, -np.inf], -np.inf, [0.0, 0.0]),
        (F.logsumexp, [-np.inf, 2.0], 2.0, [0.0, 1.0]),
        (lambda x: F.logsumexp(np.stack([x, x]), axis=None), [np.inf, 0.0], np.inf, [1.0, 0.0]),
        (F.softplus, [-np.inf, np.inf], [0.0, np.inf], [0.0, 1.0]),
        (F.sigmoid, [-np.inf, np.inf], [0.0, 1.0], [0.0, 0.0]),
        (F.tanh, [-np.inf, np.inf], [-1.0, 1.0], [0.0, 0.0]),
        (F.relu, [-np.inf, np.inf], [0.0, np.inf], [0.0, 1.0]),
        (F.elu, [-np.inf, np.inf], [-1.0, np.inf], [0.0, 1.0]),
        (F.leaky_relu, [-np.inf, np.inf], [-np.inf, np.inf], [0.2, 1.0]),
        (lambda x: F.softmax_cross_entropy(x, 0), [2.0, -np.inf], 0.0, [0.0, 0.0]),
    ],
)
def test_infinities(f, x, y, gx, dtype):
    for record in (False, True):
        leaf = Variable(np.array(x, dtype))
        with warnings.catch_warnings():
            if f not in (F.logsumexp, F.softplus):
                warnings.simplefilter("ignore", RuntimeWarning)
            result = f(leaf)
            result.backward(create_graph=record)
        np.testing.assert_allclose(result.data, y)
        np.testing.assert_allclose(leaf.grad.data, gx, atol=1e-7)


def test_the_second_derivative_of_huber_loss_is_one_up_to_delta_and_zero_beyond():
    x = Variable([0.0, 0.3, -0.3, 2.0, -2.0])
    F.huber_loss(x, np.zeros(5)).backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    np.sum(gx * 5).backward()
    assert gx.tolist() == pytest.approx([0, 0.06, -0.06, 0.2, -0.2])
    assert x.grad.tolist() == pytest.approx([1, 1, 1, 0, 0])


def test_differences_of_unsigned_integers():
    for loss, expected in [(F.mean_absolute_error, 2), (F.mean_squared_error, 4), (F.huber_loss, 1.5)]:
        for a, b in [(np.uint8(1), np.uint8(3)), (np.uint8([1, 1]), np.uint8([3, 3])), ([1], [3]), (1, 3)]:
            assert loss(a, b).item() == expected


@pytest.mark.parametrize("dtype", [">i2", ">i8", ">u4", np.uint64, np.int8])
def test_labels_and_ids_of_any_integer_type(dtype):
    t = np.array([2, 0, 1], dtype)
    assert F.accuracy(np.eye(3), t).item() == pytest.approx(0)
    assert F.one_hot(t, 3).tolist() == np.eye(3)[[2, 0, 1]].tolist()
    assert F.embed_id(t, np.eye(3)).tolist() == np.eye(3)[[2, 0, 1]].tolist()
    assert F.softmax_cross_entropy(np.zeros((3, 3)), t).item() == pytest.approx(np.log(3))
    with pytest.raises(ValueError, match="from 0 to 1, got 0 to 2"):
        F.softmax_cross_entropy(np.zeros((3, 2)), t)


def test_negative_labels_are_refused():
    for f in (lambda t: F.softmax_cross_entropy(np.zeros((1, 3)), t), lambda t: F.one_hot(t, 3)):
        with pytest.raises(ValueError, match="from 0 to 2, got -1 to -1"):
            f(np.array([-1], ">i4"))


# The exact form of gelu


def test_gelu_exact_is_the_normal_distribution_in_every_digit():
    x = np.concatenate([np.linspace(-37, 37, 20_001), np.linspace(-1, 1, 2001), [-1e300, 1e300, 0.0]])
    phi = special.ndtr(x)
    y = F.gelu(x, approximate=False).data
    np.testing.assert_allclose(y, x * phi, rtol=1e-13, atol=1e-290)
    np.testing.assert_allclose(F.gelu(x, approximate=True).data[:22_002], (x * phi)[:22_002], atol=5e-4)


def test_upcast_keeps_names_and_signatures():
    for name in F.__all__:
        f = getattr(F, name)
        assert f.__module__.startswith("tinygrad_jp.functions.")
        assert f.__doc__
        assert inspect.signature(f).parameters
    x, W = np.float16([[1, 2]]), np.float16([[3], [4]])
    assert F.linear(W=W, x=x, b=None).data.tolist() == [[11]]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        F.linear(x, W, c=1)
    with pytest.raises(TypeError, match="positional"):
        F.linear(x, W, None, None)
