"""What the table of cases does not say of `F`: dropout, accuracy, and arrays as arguments."""

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
from tinygrad_jp import Variable, seed


def test_functions_take_arrays_and_give_variables():
    y = F.softmax(F.relu(F.linear([[1.0, -2.0]], np.eye(2))))
    assert isinstance(y, Variable)
    np.testing.assert_allclose(y.data, [[np.e / (1 + np.e), 1 / (1 + np.e)]])


def test_dropout_keeps_the_mean_and_the_dtype():
    x = Variable(np.ones((100, 100), np.float32))
    y = F.dropout(x, 0.2, rng=0)
    assert y.dtype == np.float32
    assert set(np.unique(y.data)) == {0, np.float32(1.25)}
    assert abs(y.mean().item() - 1) < 0.01
    y.backward()
    np.testing.assert_array_equal(x.grad.data, y.data)


def test_dropout_in_test_mode_lets_everything_pass():
    x = Variable(np.ones(5))
    with tg.test_mode():
        assert F.dropout(x) is x
    assert F.dropout(x, 0.0) is x


def test_one_seed_makes_dropout_reproducible():
    seed(1)
    a = F.dropout(np.ones(50))
    seed(1)
    b = F.dropout(np.ones(50))
    c = F.dropout(np.ones(50))
    assert a.tolist() == b.tolist() != c.tolist()


def test_accuracy():
    y = Variable([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.0, 0.1, 0.9]])
    assert F.accuracy(y, [1, 0, 0]).item() == pytest.approx(2 / 3)
    assert F.accuracy(y.data, Variable([1, 0, 2])).item() == 1.0


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, np.uint64])
def test_labels_of_any_integer_type(dtype):
    x = Variable(np.zeros((2, 3)))
    assert F.softmax_cross_entropy(x, np.array([0, 2], dtype)).item() == pytest.approx(np.log(3))


# Stable where the mathematics is


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("f", "x", "y", "gx"),
    [
        (F.softplus, [-1e4, 1e4], [0.0, 1e4], [0.0, 1.0]),
        (lambda x: F.sigmoid_cross_entropy(x, [0, 1]), [-1e4, 1e4], 0.0, [0.0, 0.0]),
        (lambda x: F.sigmoid_cross_entropy(x, [1, 0]), [-1e4, 1e4], 1e4, [-0.5, 0.5]),
        (F.softmax, [1e4, 1e4], [0.5, 0.5], [0.0, 0.0]),
        (F.softmax, [-np.inf, 0.0], [0.0, 1.0], [0.0, 0.0]),
        (F.softmax, [-np.inf, -np.inf], [0.0, 0.0], [0.0, 0.0]),
        (F.logsumexp, [-np.inf, 1.0], 1.0, [0.0, 1.0]),
        (F.logsumexp, [-np.inf, -np.inf], -np.inf, [0.0, 0.0]),
        (F.log_softmax, [0.0, 1e4], [-1e4, 0.0], [1.0, -1.0]),
        (lambda p: F.binary_cross_entropy(p, [0, 1]), [0.0, 1.0], 0.0, [0.5, -0.5]),
        (np.linalg.norm, [0.0, 0.0], 0.0, [0.0, 0.0]),
        (np.var, [2.0, 2.0], 0.0, [0.0, 0.0]),
        (np.std, [2.0, 2.0], 0.0, [0.0, 0.0]),
        (lambda x: np.hypot(x, 0.0), [0.0], [0.0], [0.0]),
        (lambda x: np.prod(x), [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0]),
        (F.layer_norm, [3.0, 3.0], [0.0, 0.0], [0.0, 0.0]),
        (lambda q: F.kl_divergence(np.float32([0, 1]), q), [0.0, 1.0], 0.0, [0.0, -1.0]),
    ],
)
def test_extremes(f, x, y, gx, dtype):
    x = Variable(np.array(x, dtype))
    result = f(x)
    result.backward()
    assert result.dtype == x.grad.dtype == dtype
    np.testing.assert_allclose(result.data, y, atol=1e-6)
    np.testing.assert_allclose(x.grad.data, gx, atol=1e-6)


def test_a_square_root_at_zero_is_as_steep_as_in_mathematics():
    x = Variable([0.0, 1.0])
    y = np.sqrt(x)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        y.backward()
    assert x.grad.tolist() == [np.inf, 0.5]


@pytest.mark.parametrize("log", [np.log, F.log])
def test_numpys_own_warning_is_kept_and_points_at_the_users_line(log):
    with pytest.warns(RuntimeWarning, match="invalid value encountered in log") as warnings:
        log(Variable([-1.0]))
    (warning,) = warnings
    assert warning.filename == __file__
    with np.errstate(invalid="ignore"):
        assert np.isnan(log(Variable([-1.0])).item())
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError, match="invalid value"):
        log(Variable([-1.0]))


def test_a_binary_cross_entropy_at_the_wrong_end_still_teaches():
    p = Variable([0.0])
    loss = F.binary_cross_entropy(p, [1])
    loss.backward()
    assert loss.item() == pytest.approx(-np.log(np.finfo(float).eps))
    assert p.grad.item() < -1e15


def test_batch_norm_learns_the_statistics_and_uses_them():
    rng = np.random.default_rng(0)
    gamma, beta, mean, var = np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)
    for _ in range(200):
        F.batch_norm(rng.normal([1, 2, 3], [1, 2, 3], (50, 3)), gamma, beta, mean, var)
    np.testing.assert_allclose(mean, [1, 2, 3], atol=0.3)
    np.testing.assert_allclose(var, [1, 4, 9], rtol=0.2)
    x = rng.normal([1, 2, 3], [1, 2, 3], (4, 3))
    with tg.test_mode():
        y = F.batch_norm(x, gamma, beta, mean, var)
    np.testing.assert_allclose(y.data, (x - mean) / np.sqrt(var + 2e-5))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_cross_entropy_that_ignores_everything_is_zero(smoothing):
    x = Variable(np.ones((2, 3)))
    loss = F.softmax_cross_entropy(x, [7, 7], ignore_label=7, label_smoothing=smoothing)
    loss.backward()
    assert loss.item() == 0.0
    assert x.grad.tolist() == [[0.0] * 3] * 2


def test_one_hot():
    assert F.one_hot([[1], [0]], 2).tolist() == [[[0.0, 1.0]], [[1.0, 0.0]]]


def test_slogdet_gives_a_sign_and_a_variable():
    sign, logabsdet = np.linalg.slogdet(Variable([[0.0, 2.0], [1.0, 0.0]]))
    assert sign == -1
    assert logabsdet.item() == pytest.approx(np.log(2))


# Adjoint identities: ⟨Jv, w⟩ = ⟨v, Jᵀw⟩ for what is linear


@pytest.mark.parametrize(
    ("f", "shape"),
    [
        (lambda x: x[np.array([0, 2, 2])], (3, 2)),
        (lambda x: tg.calculus.shapes.scatter_add(x, np.array([0, 2, 2]), (4, 2)), (3, 2)),
        (lambda x: np.sum(x, axis=0), (3, 2)),
        (lambda x: np.broadcast_to(x, (4, 3, 2)), (3, 2)),
        (lambda x: np.concatenate(np.split(x, 3)[::-1]), (3, 2)),
        (lambda x: np.cumsum(x, axis=0), (3, 2)),
        (lambda x: np.pad(np.roll(np.flip(x), 1), 1), (3, 2)),
        (lambda x: np.einsum("ij,kj->ik", x, np.arange(6.0).reshape(3, 2)), (3, 2)),
        (lambda x: F.im2col(x, 2, pad=1), (1, 2, 3, 3)),
        (lambda x: F.conv2d(x, np.arange(12.0).reshape(3, 1, 2, 2), stride=2, pad=1), (1, 1, 5, 5)),
        (lambda x: F.average_pooling(x, 2), (1, 2, 4, 4)),
    ],
)
def test_adjoint_identities(f, shape):
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal(shape), rng.standard_normal(shape)
    y, pull = tg.vjp(f, x)
    w = rng.standard_normal(y.shape)
    np.testing.assert_allclose(np.sum(f(Variable(v)).data * w), np.sum(v * pull(w)[0]))
