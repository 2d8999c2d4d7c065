"""Numbers at the edge: infinities, zeros, singular matrices, very large and very small numbers, other dtypes."""

import itertools

import numpy as np
import pytest
from scipy import special

from tests.cases import CASES
from tinygrad_jp import Variable, grad, gradient_check, hessian
from tinygrad_jp.calculus.special import i0_derivative

INF, NAN, TINY, HUGE = np.inf, np.nan, 1e-300, 1e300


def slopes(f, *xs):
    """The gradients of f, which must come without a warning."""
    variables = [Variable(x) for x in xs]
    np.sum(f(*variables)).backward()
    return [np.zeros_like(x.data) if x.grad is None else x.grad.data for x in variables]


# Element by element

AT_THE_EDGE = [
    (np.logaddexp, (INF, 0.0), (1.0, 0.0)),
    (np.logaddexp, (-INF, 0.0), (0.0, 1.0)),
    (np.logaddexp, (-INF, -INF), (0.5, 0.5)),
    (np.logaddexp, (INF, INF), (0.5, 0.5)),
    (np.logaddexp, (INF, -INF), (1.0, 0.0)),
    (np.logaddexp, (1e4, -1e4), (1.0, 0.0)),
    (np.arctan2, (HUGE, HUGE), (0.5 / HUGE, -0.5 / HUGE)),
    (np.arctan2, (TINY, TINY), (0.5 / TINY, -0.5 / TINY)),
    (np.arctan2, (0.0, 0.0), (0.0, 0.0)),
    (np.arctan2, (0.0, -HUGE), (-1 / HUGE, 0.0)),
    (np.hypot, (HUGE, HUGE), (0.5**0.5, 0.5**0.5)),
    (np.hypot, (0.0, 0.0), (0.0, 0.0)),
    (np.arccosh, (HUGE,), (1 / HUGE,)),
    (np.arctan, (HUGE,), (0.0,)),
    (np.arcsinh, (HUGE,), (1 / HUGE,)),
    (np.arcsin, (1 - 1e-14,), (1 / np.sqrt((1 - (1 - 1e-14)) * (2 - 1e-14)),)),
    (np.arctanh, (1 - 1e-14,), (1 / ((1 - (1 - 1e-14)) * (2 - 1e-14)),)),
    (np.remainder, (7.0, 2.0), (1.0, -3.0)),
    (np.remainder, (-7.0, 2.0), (1.0, 4.0)),
    *((lambda x: x**0, (a,), (0.0,)) for a in (0.0, INF, -INF, NAN, -2.0)),
    *((lambda x: x**0.0, (a,), (0.0,)) for a in (0.0, INF, NAN)),
    *((np.power, (a, 0.0), (0.0, None)) for a in (0.0, 2.0, INF, NAN)),
    (np.power, (0.0, 2.0), (0.0, 0.0)),
    (np.power, (0.0, 1.0), (1.0, 0.0)),
    (lambda x: x**1, (0.0,), (1.0,)),
    (np.maximum, (INF, INF), (0.5, 0.5)),
    (np.logaddexp2, (INF, 0.0), (1.0, 0.0)),
    (np.logaddexp2, (-INF, -INF), (0.5, 0.5)),
    (np.logaddexp2, (1e4, -1e4), (1.0, 0.0)),
    (np.fmax, (2.0, NAN), (1.0, 0.0)),
    (np.fmax, (NAN, 2.0), (0.0, 1.0)),
    (np.fmin, (NAN, 2.0), (0.0, 1.0)),
    (np.fmin, (2.0, 2.0), (0.5, 0.5)),
    (np.fmod, (7.0, 2.0), (1.0, -3.0)),
    (np.fmod, (-7.0, 2.0), (1.0, 3.0)),
    (np.fmod, (7.0, INF), (1.0, 0.0)),
    (lambda a, b: np.divmod(a, b)[1], (-7.0, 2.0), (1.0, 4.0)),
    (np.fmod, (0.75, 0.25), (1.0, -3.0)),
    (lambda x: np.modf(x)[0], (INF,), (1.0,)),
    (lambda x: np.modf(x)[0], (-2.0,), (1.0,)),
    (lambda x: np.frexp(x)[0], (0.0,), (1.0,)),
    (lambda x: np.frexp(x)[0], (8.0,), (1 / 16,)),
    (np.sinc, (0.0,), (0.0,)),
    (np.sinc, (1.0,), (-1.0,)),
    (np.sinc, (1e-9,), (-1e-9 * np.pi**2 / 3,)),
    (np.i0, (0.0,), (0.0,)),
    (np.i0, (1e-9,), (0.5e-9,)),
    (np.nan_to_num, (NAN,), (0.0,)),
    (np.nan_to_num, (INF,), (0.0,)),
    (lambda x: np.copysign(x, -1), (0.0,), (0.0,)),
    (lambda x: np.copysign(x, -1), (-2.0,), (1.0,)),
    (lambda h: np.heaviside([0.0, 1.0], h), (3.0,), (1.0,)),
    (lambda x: np.interp(x, [0, 1, 2], [0, 1, 5]), (1.0,), (4.0,)),  # At a point, the slope to its right,
    (lambda x: np.interp(x, [0, 1, 2], [0, 1, 5]), (2.0,), (4.0,)),  # at the last one that to its left,
    (lambda x: np.interp(x, [0, 1, 2], [0, 1, 5]), (2.5,), (0.0,)),  # and outside none.
    (lambda x: np.interp(x, [1], [5]), (1.0,), (0.0,)),
    (np.float_power, (0.0, 1.0), (1.0, 0.0)),
    (lambda q: np.quantile([1.0, 2.0, 5.0], q), (0.5,), (6.0,)),  # Upwards, 2 · (5 − 2),
    (lambda q: np.quantile([1.0, 2.0, 5.0], q), (1.0,), (6.0,)),  # and at the end downwards.
    (lambda q: np.quantile([1.0, 2.0, 5.0], q, method="nearest"), (0.6,), (0.0,)),
]


@pytest.mark.parametrize(("f", "at", "expected"), AT_THE_EDGE)
def test_slopes_at_the_edge(f, at, expected):
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-6)):
        with np.errstate(over="ignore"):
            xs = [np.array([a]).astype(dtype) for a in at]
        if all(np.array_equal(x, [a], equal_nan=True) for x, a in zip(xs, at, strict=True)):
            for found, wanted in zip(slopes(f, *xs), expected, strict=True):
                np.testing.assert_allclose(found, [found.item() if wanted is None else wanted], rtol)


def test_the_mixed_derivative_of_a_power_whose_exponent_is_0():
    found = hessian(lambda p: p[0] ** p[1])(np.array([2.0, 0.0]))
    np.testing.assert_allclose(found, [[0.0, 0.5], [0.5, np.log(2) ** 2]])


@pytest.mark.parametrize("bounds", [(1.0, -1.0), (None, 0.5), (0.5, None), (-1.0, 1.0)])
def test_clip_is_a_maximum_and_then_a_minimum(bounds):
    x = np.array([-2.0, -0.3, 0.0, 0.7, 3.0])
    low, high = (None if b is None else np.array(b) for b in bounds)

    def by_hand(x, low, high):
        x = x if low is None else np.maximum(x, low)
        return x if high is None else np.minimum(x, high)

    given = [b for b in (low, high) if b is not None]

    def both(f):
        def call(x, *bounds):
            bounds = list(bounds)
            return f(x, None if low is None else bounds.pop(0), None if high is None else bounds.pop(0))

        return slopes(call, x, *given)

    for found, expected in zip(both(np.clip), both(by_hand), strict=True):
        np.testing.assert_array_equal(found, expected)


# Orders: ties, NaN, and what is empty

HALF = 0.5


@pytest.mark.parametrize(
    ("f", "x", "gx"),
    [
        (np.median, [3.0, 1.0, 2.0], [0, 0, 1]),
        (np.median, [3.0, 1.0, 2.0, 0.0], [0, HALF, HALF, 0]),
        (np.median, [2.0, 2.0, 2.0], [0, 1, 0]),
        (np.nanmedian, [3.0, NAN, 2.0, 1.0], [0, 0, 1, 0]),
        (np.nanmedian, [NAN, NAN], None),
        (np.nanmax, [1.0, NAN, 3.0, 3.0], [0, 0, HALF, HALF]),
        (np.nanmax, [NAN, NAN], [0, 0]),
        (np.nansum, [1.0, NAN], [1, 0]),
        (np.nanmean, [1.0, NAN, 2.0], [HALF, 0, HALF]),
        (np.nancumsum, [1.0, NAN, 2.0], [3, 0, 1]),
        (np.nanprod, [2.0, NAN, 3.0], [3, 0, 2]),
        (np.nancumprod, [2.0, NAN, 3.0], [5, 0, 2]),
        (np.prod, [0.0, 2.0, 0.0], [0, 0, 0]),
        (np.cumprod, [0.0, 2.0, 3.0], [9, 0, 0]),
        (np.cumprod, [2.0, 0.0, 3.0], [1, 8, 0]),
        (np.cumprod, [0.0, 0.0], [1, 0]),
        (lambda x: np.max(x, initial=5.0), [1.0, 3.0], [0, 0]),
        (lambda x: np.max(x, initial=3.0), [1.0, 3.0], [0, 1]),
        (lambda x: np.max(x, initial=0.0, where=[True, False]), [1.0, 3.0], [1, 0]),
        (lambda x: np.sum(x, where=False), [1.0, NAN], [0, 0]),
        (lambda x: np.mean(x, where=[True, False]), [1.0, NAN], [1, 0]),
        (lambda x: np.std(x, where=[True, True, False]), [1.0, 1.0, NAN], [0, 0, 0]),
        (np.maximum.accumulate, [1.0, 1.0, 0.0, 2.0], [1, 2, 0, 1]),
        (np.minimum.accumulate, [1.0, 2.0, 1.0], [2, 0, 1]),
        (np.maximum.reduce, [1.0, 3.0, 3.0], [0, HALF, HALF]),
        (np.logaddexp.reduce, [0.0, -INF], [1, 0]),
        (np.logaddexp.reduce, [-INF, -INF], [0, 0]),
        (np.ptp, [1.0, 1.0, 3.0], [-HALF, -HALF, 1]),
        (lambda x: np.partition(x, 1) * [1, 2, 3], [3.0, 1.0, 2.0], [3, 1, 2]),
        (lambda x: np.unwrap(x), [0.0, 6.0], [1, 1]),
        (lambda x: np.piecewise(x, [x <= 1, x >= 1], [lambda x: 2 * x, lambda x: 3 * x]), [0.0, 1.0], [2, 3]),
        (lambda x: np.piecewise(x, [x > 0], [np.log]), [2.0, -1.0], [HALF, 0]),
        (lambda x: np.select([x > 0, x > -2], [x, 5 * x]), [1.0, -1.0, -3.0], [1, 5, 0]),
    ],
)
@pytest.mark.filterwarnings("ignore:All-NaN")
def test_where_the_gradient_goes(f, x, gx):
    for dtype in (np.float64, np.float32):
        (found,) = slopes(f, np.array(x, dtype))
        assert found.dtype == dtype
        if gx is not None:
            np.testing.assert_array_equal(found, gx)


@pytest.mark.parametrize("f", [np.sinc, np.i0, lambda x: np.cumprod(np.stack([x, x, x]))[-1]])
def test_derivatives_at_0_to_the_fourth_order(f):
    """Those of sinc and of I₀ from their power series."""
    expected = {np.sinc: [0, -(np.pi**2) / 3, 0, np.pi**4 / 5], np.i0: [0, 1 / 2, 0, 3 / 8]}.get(f, [0, 0, 6, 0])
    x, found = Variable(0.0), []
    y = f(x)
    for _ in expected:
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
        found.append(y.item())
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("x", [0.1, 1.0, 7.9, 8.1, 30.0, 600.0])
def test_the_derivatives_of_i0_keep_their_digits(x):
    found = [i0_derivative(np.float64(x), k) for k in (0, 1)]
    np.testing.assert_allclose(found, [np.i0(x).item(), special.i1(x)], rtol=1e-13)


def test_a_quantile_in_the_middle_of_nothing_but_nan_moves_nothing_else():
    x = np.array([[1.0, NAN, 3.0], [NAN, NAN, NAN]])
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        (g,) = slopes(lambda x: np.nanquantile(x, [0.25, 1.0], axis=1), x)
    np.testing.assert_array_equal(g[0], [0.75, 0.0, 1.25])
    assert not g[1].any()


# Norms, variances, sums


@pytest.mark.parametrize("order", [1, 2, 3, 1.5, 4, np.inf, -np.inf, 0])
@pytest.mark.parametrize("axis", [None, 1])
def test_the_norm_of_zeros_has_slope_zero(order, axis):
    x = np.zeros((2, 3)) if axis else np.zeros(3)
    assert not np.any(slopes(lambda x: np.linalg.norm(x, ord=order, axis=axis), x)[0])
    x[..., 0] = 2.0
    assert np.all(np.isfinite(slopes(lambda x: np.linalg.norm(x, ord=order, axis=axis), x)[0]))


@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_a_norm_does_not_overflow_where_the_norm_does_not(order):
    for scale in (1e150, 1e-150):
        found = slopes(lambda x: np.linalg.norm(x, ord=order), np.array([3.0, -4.0]) * scale)[0]
        expected = slopes(lambda x: np.linalg.norm(x, ord=order), np.array([3.0, -4.0]))[0]
        np.testing.assert_allclose(found, expected)


@pytest.mark.filterwarnings("ignore:Degrees of freedom", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("f", [np.var, np.std])
@pytest.mark.parametrize("ddof", [3, 5])
def test_without_degrees_of_freedom_the_gradient_is_nan_as_the_variance_is(f, ddof):
    (g,) = slopes(lambda x: f(x, ddof=ddof), np.array([1.0, 2.0, 4.0]))
    assert g.shape == (3,) and np.isnan(g).all()


# Matrices

SINGULAR = {
    "rank 2 of 3": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]]),
    "rank 1 of 3": np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
    "zeros": np.zeros((3, 3)),
    "one number": np.zeros((1, 1)),
    "rank 1 of 2": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "regular": np.array([[2.0, 1.0], [1.0, 3.0]]),
    "a negative determinant": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "rank 3 of 4": np.diag([1.0, 2.0, 3.0, 0.0])[::-1],
}


def determinant(x):
    """By Leibniz's formula, whose derivatives need no inverse."""
    n = x.shape[0]
    terms = []
    for order in itertools.permutations(range(n)):
        sign = (-1) ** sum(a > b for a, b in itertools.combinations(order, 2))
        term = sign
        for i, j in enumerate(order):
            term = term * x[i, j]
        terms.append(term)
    return sum(terms)


@pytest.mark.parametrize("x", SINGULAR.values(), ids=SINGULAR)
def test_the_derivatives_of_the_determinant_of_a_singular_matrix(x):
    np.testing.assert_allclose(grad(np.linalg.det)(x), grad(determinant)(x), atol=1e-9)
    np.testing.assert_allclose(hessian(np.linalg.det)(x), hessian(determinant)(x), atol=1e-9)


def test_one_singular_matrix_in_a_batch_leaves_the_others_alone():
    batch = np.stack([SINGULAR["rank 2 of 3"], np.eye(3), SINGULAR["zeros"]])
    (g,) = slopes(np.linalg.det, batch)
    for x, found in zip(batch, g, strict=True):
        np.testing.assert_allclose(found, grad(determinant)(x), atol=1e-12)


def test_the_third_derivative_of_a_determinant():
    assert gradient_check(np.linalg.det, np.array([[2.0, 1.0], [0.5, 3.0]]), order=3)


# Every case of the table, in other dtypes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_big_endian_data_give_the_same(case, rng):
    inputs = case.inputs(rng)
    swapped = [x.astype(x.dtype.newbyteorder(">")) for x in inputs]
    native, foreign = slopes(case.f, *inputs), slopes(case.f, *swapped)
    for a, b in zip(native, foreign, strict=True):
        assert b.dtype == a.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_float16_stays_float16_and_finite(case, rng):
    inputs = case.inputs(rng, np.float16)
    try:
        case.f(*map(Variable, inputs))
    except TypeError as error:
        assert "float16" in str(error)  # LAPACK has none.
        pytest.skip("NumPy's linear algebra has no float16")
    for g in slopes(case.f, *inputs):
        assert g.dtype == np.float16
        assert np.isfinite(g).all()


FOLDING = {
    "mean": np.mean,
    "max of equal ones": lambda x: np.max(x * 0),
    "min of equal ones": lambda x: np.min(x * 0),
    "norm": np.linalg.norm,
    "mean where": lambda x: np.mean(x, where=x > 0),
    "nanmax of equal ones": lambda x: np.nanmax(x * 0),
    "median of equal ones": lambda x: np.median(x * 0),
}


@pytest.mark.parametrize("f", FOLDING.values(), ids=FOLDING)
def test_float16_folds_more_elements_than_it_can_count(f, rng):
    x = rng.uniform(0.5, 1, 100_000)
    found, expected = slopes(f, x.astype(np.float16))[0], slopes(f, x)[0]
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=1e-6)


ADDING_UP = {
    "broadcasting": (lambda x: x * np.ones(5000, np.float16), 1),
    "broadcast_to": (lambda x: np.broadcast_to(x, (5000, 1)), 1),
    "taking rows": (lambda x: x[np.zeros(5000, int)], 1),
    "taking elements": (lambda x: x[np.zeros(5000, int), 0], (1, 1)),
    "np.take": (lambda x: np.take(x, np.zeros(5000, int)), 1),
    "repeat": (lambda x: np.repeat(x, 5000), 1),
    "tile": (lambda x: np.tile(x, 5000), 1),
    "pad": (lambda x: np.pad(x, (0, 4999), mode="edge"), 1),
}


@pytest.mark.parametrize(("f", "shape"), ADDING_UP.values(), ids=ADDING_UP)
def test_float16_adds_up_more_gradients_than_it_can_count_one_by_one(f, shape):
    (g,) = slopes(f, np.ones(shape, np.float16))
    assert (g.dtype, g.item()) == (np.float16, 5000.0)


def test_the_norm_of_float16_beyond_the_square_root_of_its_largest_number():
    x = np.array([600.0, -600.0], np.float16)
    np.testing.assert_allclose(slopes(np.linalg.norm, x)[0], [0.5**0.5, -(0.5**0.5)], rtol=1e-3)
