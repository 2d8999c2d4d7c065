"""Every rule of the table of derivatives: its values, its conventions, and how its function may be called.

That its derivatives are right, `test_numerical_gradients.py` says.
"""

import numpy as np
import pytest

import tinygrad_jp.functions as F
from tests.cases import CASES, ELSEWHERE, RULES, SCIPY, WIDER, Case
from tinygrad_jp import Variable, gradient_check, hessian
from tinygrad_jp.core import Observer, run_backward
from tinygrad_jp.functions import convolution

by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@by_case
def test_value(case: Case, rng):
    xs = case.inputs(rng)
    y = case.f(*map(Variable, xs))
    expected = (case.value or case.f)(*xs)
    assert isinstance(y, Variable)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12)


@by_case
def test_float32_stays_float32(case: Case, rng):
    arrays = case.inputs(rng, np.float32)
    xs = [Variable(x) for x in arrays]
    y = case.f(*xs)
    assert case.value or y.dtype == case.f(*arrays).real.dtype  # NumPy 2.5 has complex eigenvalues only.
    assert y.dtype == (np.float64 if case.name in WIDER else np.float32)
    y.backward()
    assert {x.grad.dtype for x in xs} == {np.dtype(np.float32)}


class Sealing(Observer):
    """Lets no rule write to what it is given."""

    def entered(self, f, gy):
        for given in (gy, f.y, *f.args):
            for a in given if isinstance(given, tuple) else (given,):
                if isinstance(a, np.ndarray):
                    a.flags.writeable = False


@by_case
def test_rules_change_nothing_that_they_are_given(case: Case, rng):
    xs = [Variable(x) for x in case.inputs(rng)]
    y = case.f(*xs)
    y.backward()
    _, sealed = run_backward(y, observer=Sealing())
    for x in xs:
        np.testing.assert_array_equal(sealed[x], x.grad.data)


def test_every_rule_has_its_case():
    proven = {case.table for case in CASES} | {f for entries in ELSEWHERE.values() for f in entries}
    assert {f.__name__ for f in (RULES | SCIPY) - proven} == set()


def test_every_case_has_its_rule():
    assert {case.name for case in CASES if case.table not in RULES | SCIPY} == set()


def test_every_function_of_F_has_its_case():
    names = {case.name.removeprefix("F.") for case in CASES}
    assert set(F.__all__) - names - set(convolution.__all__) == {
        "accuracy",
        "confusion_matrix",
        "one_hot",
    }  # these have no gradient


# Conventions where a derivative does not exist, or a formula would fail


@pytest.mark.parametrize(
    ("f", "x", "gx"),
    [
        (np.abs, 0.0, 0.0),
        (F.relu, 0.0, 0.0),
        (lambda x: np.clip(x, 0.0, 1.0), [0.0, 1.0, 2.0], [1.0, 1.0, 0.0]),
        (np.max, [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
        (np.min, [[1.0, 1.0], [1.0, 1.0]], [[0.25, 0.25], [0.25, 0.25]]),
        (lambda x: np.maximum(x, 2.0), [1.0, 2.0, 3.0], [0.0, 0.5, 1.0]),
        (lambda x: np.minimum(2.0, x), [1.0, 2.0, 3.0], [1.0, 0.5, 0.0]),
        (lambda x: x**0, [0.0, 1.0], [0.0, 0.0]),
        (lambda x: x**1, [0.0, 1.0], [1.0, 1.0]),
        (lambda x: 0.0**x, [1.0, 2.0], [0.0, 0.0]),
        (lambda x: x ** np.array([0, 1]), [0.0, 0.0], [0.0, 1.0]),
    ],
)
def test_the_derivative_at_a_kink_or_a_tie(f, x, gx):
    x = Variable(x)
    f(x).backward()
    np.testing.assert_array_equal(x.grad.data, gx)


def test_the_third_derivative_of_a_square_at_zero():
    x = Variable(0.0)
    y = x**2
    derivatives = []
    for _ in range(3):
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
        derivatives.append(y.item())
    assert derivatives == [0.0, 2.0, 0.0]


def test_no_overflow_where_the_mathematics_has_none():
    for dtype in (np.float32, np.float64):
        x = Variable(np.array([[-1e4, 0.0, 1e4]], dtype))
        for f in (F.sigmoid, F.softmax, F.log_softmax, lambda x: F.softmax_cross_entropy(x, [0])):
            x.cleargrad()
            f(x).sum().backward()
            assert np.isfinite(f(x).data).all()
            assert np.isfinite(x.grad.data).all()
    np.testing.assert_allclose(F.sigmoid(-40.0).data, np.exp(-40.0), rtol=1e-12)


SMOOTH = ["tanh", "divide", "power", "matmul (2, 3) (3, 4)", "var {'axis': 1}", "einsum ij,jk->ik", "inv", "norm {}"]
SMOOTH += ["cholesky", "eigh 0 L", "eigh 1 L", "svd 0 (4, 4)", "qr reduced 0 (4, 4)", "pinv", "matrix_power -3"]
SMOOTH += ["softmax", "log_softmax", "layer_norm", "linear", "softmax_cross_entropy", "gelu", "prod {}", "sigmoid"]


@pytest.mark.parametrize("case", [case for case in CASES if case.name in SMOOTH], ids=lambda case: case.name)
def test_derivatives_of_third_order(case: Case, rng):
    assert gradient_check(case.f, *case.inputs(rng), order=3, rtol=1e-4, atol=1e-5)


# How NumPy's functions may be called


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, 0),
        lambda x: np.sum(x, (0, 1), keepdims=True),
        lambda x: np.sum(a=x, axis=-1),
        lambda x: np.mean(x, axis=0, dtype=None),
        lambda x: np.max(x, 1),
        lambda x: np.var(x, 0, ddof=1),
        lambda x: np.transpose(x, axes=(1, 0)),
        lambda x: np.reshape(x, shape=(3, 2)),
        lambda x: np.clip(x, 0.0, 1.0),
        lambda x: np.clip(x, a_min=0.0, a_max=1.0),
        lambda x: np.clip(x, min=0.0),
        lambda x: np.where(x > 0, x, 0.0),
        lambda x: np.tensordot(x, x, ([0], [0])),
        lambda x: np.linalg.norm(x, None, 1),
        lambda x: np.roll(x, 1, 0),
        lambda x: np.concatenate((x, x), 1),
        lambda x: np.stack([x, x], axis=1),
        lambda x: np.multiply(2, x),
        lambda x: np.full((2, 3), 2.0) * x,
        lambda x: np.matmul(np.ones((4, 2)), x),
        lambda x: np.add([1.0, 2.0, 3.0], x),
    ],
)
def test_arguments_go_where_numpy_has_them(call):
    x = np.arange(6.0).reshape(2, 3) - 2.5
    y = call(Variable(x))
    np.testing.assert_allclose(y.data, call(x))
    y.sum().backward()


@pytest.mark.parametrize(
    "f",
    [np.argmax, np.argmin, np.argsort, np.sign, np.floor, np.ceil, np.rint, np.round, np.trunc, np.isnan, np.isfinite]
    + [
        np.linalg.matrix_rank,
        np.shape,
        np.ndim,
        np.size,
        np.zeros_like,
        np.ones_like,
        np.nonzero,
        np.count_nonzero,
        np.any,
        np.all,
    ],
)
def test_what_has_no_derivative_is_plain(f):
    x = np.array([[0.5, -1.5], [2.5, 0.0]])
    result, expected = f(Variable(x)), f(x)
    assert type(result) is type(expected)
    np.testing.assert_array_equal(result, expected)


def test_comparisons_with_numpys_own_helpers():
    x = Variable([1.0, 2.0])
    assert np.allclose(x, [1.0, 2.0])
    assert np.array_equal(x, Variable([1.0, 2.0]))
    assert np.searchsorted(x, 1.5) == 1


@pytest.mark.parametrize("transform", [np.fft.fft, np.fft.ifft, np.fft.rfft, lambda x: np.fft.fft2(x[None])])
@pytest.mark.parametrize("at", [np.zeros(4), np.array([1.0, -2.0, 0.0, 3.0])])
def test_the_power_of_a_spectrum_has_all_derivatives(transform, at):
    """As np.real(z * np.conj(z)), also where z is 0; np.abs(z) ** 2 is twice |z| times its slope, which is 0 there."""

    def power(x):
        z = transform(x)
        return np.sum(np.real(z * np.conj(z)))

    basis = np.stack([transform(row).ravel() for row in np.eye(4)])
    np.testing.assert_allclose(hessian(power)(at), 2 * np.real(basis @ basis.conj().T), atol=1e-12)
