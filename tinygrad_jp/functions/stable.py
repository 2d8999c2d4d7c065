"""Sums, and functions of the exponential that do not overflow, on plain arrays: what the rest of `F` computes with."""

import functools
import math

from tinygrad_jp.core import Array, Axis
from tinygrad_jp.devices import beside, device_of, on_device
from tinygrad_jp.kinds import DTypeLike, np


def sum_rows(x: Array) -> Array:
    """The sum of x (..., D) over all axes but the last.

    As a product with ones it takes 1.5 µs instead of 6.4 at (100, 10): BLAS sums faster than NumPy.

    >>> sum_rows(np.ones((2, 3, 2)))
    array([6., 6.])
    """
    x = x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if type(x) is not np.ndarray and device_of(x) is not None:
        return x.sum(axis=0)
    return x.T.dot(ones(len(x), x.dtype))


@functools.lru_cache(maxsize=16)
def ones(n: int, dtype: DTypeLike) -> Array:
    """A vector of n ones. It is shared, so it cannot be written to."""
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), computed from e to the power −|x|, which cannot overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """x − log Σ eˣ along `axis`."""
    y = x - _largest(x, axis)
    return y - np.log(np.maximum(_total(np.exp(y), axis), 0.5))


def softmax(x: Array, axis: int = -1) -> Array:
    """eˣ / Σ eˣ along `axis`."""
    e = np.exp(x - _largest(x, axis))
    return e / np.maximum(_total(e, axis), 0.5)  # The sum is at least 1, or 0 where every x is −∞.


def logsumexp(x: Array, axis: Axis = -1, keepdims: bool = False) -> Array:
    """log Σ eˣ along `axis`."""
    m = np.minimum(_largest(x, axis), np.finfo(x.dtype).max)  # ∞ − ∞ would be NaN.
    with np.errstate(divide="ignore"):  # The logarithm of 0 is −∞, as it should be.
        y = m + np.log(_total(np.exp(x - m), axis))
    return y if keepdims else y.squeeze(axis)


def _largest(x: Array, axis: Axis) -> Array:
    """The shift of x before exp, which overflows above 88 in float32. Never −∞, so that −∞ stays −∞.

    At (1000, 10) the copy saves 54 of 68 µs: NumPy compares short rows element by element, long columns at once.
    """
    lowest = np.finfo(x.dtype).min
    if on_device(x):  # CuPy's max has no `initial`.
        return np.maximum(x.max(axis=axis, keepdims=True), lowest)
    if _is_last(axis, x) and x.shape[-1] <= 32:
        x = np.copy(x, order="F")
    return x.max(axis=axis, keepdims=True, initial=lowest)


def _total(x: Array, axis: Axis) -> Array:
    """The sum along `axis`, kept with length 1. Over the last axis it is a product with ones, as in `sum_rows`."""
    if _is_last(axis, x) and not on_device(x):
        return x.dot(ones(x.shape[-1], x.dtype))[..., None]
    return x.sum(axis=axis, keepdims=True)


def inner(a: Array, b: Array, axis: int) -> Array:
    """Σ a·b along `axis`, kept with length 1."""
    if on_device(a):  # CuPy has no vecdot.
        return (a * b).sum(axis=axis, keepdims=True)
    return np.expand_dims(np.vecdot(a, b, axis=axis), axis)


def _is_last(axis: Axis, x: Array) -> bool:
    return axis == -1 or axis == x.ndim - 1


# The error function. Each table holds a numerator and a denominator, from the highest power down.

_NEAR = (  # erf(x) / x in x², up to 0.46875
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_MIDDLE = (  # erfc(x)·e^x² in x, up to 4
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
     8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_FAR = (  # (1/√π − x·erfc(x)·e^x²)·x² in 1/x², beyond
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip


def normal(x: Array) -> Array:
    """Φ(x), the normal distribution function, in full precision: within 2e-16 of it, and within 6e-14 of its size.

    Φ(x) = erfc(−x/√2) / 2. Source: Cody, Rational Chebyshev Approximations for the Error Function, Math. Comp. 23
    (1969), with the coefficients of his program CALERF. At a million elements it takes a tenth of the time of math.erf.

    >>> normal(np.array([-10.0, 0.0, 1.0]))
    array([7.61985302e-24, 5.00000000e-01, 8.41344746e-01])
    """
    z = beside(np.abs(x) * math.sqrt(0.5))
    tail = np.empty_like(z)  # erfc(z) / 2
    near, far = z <= 0.46875, z > 4
    for where, part in ((near, _erfc_near), (far, _erfc_far), (~(near | far), _erfc_middle)):
        tail[where] = part(z[where]) / 2
    return np.where(x > 0, 1 - tail, tail)


def _erfc_near(z: Array) -> Array:
    return 1 - z * _ratio(_NEAR, z * z)


def _erfc_middle(z: Array) -> Array:
    return _ratio(_MIDDLE, z) * _exp_of_minus_square(z)


def _erfc_far(z: Array) -> Array:
    z = np.minimum(z, 30)  # From there on it is 0, while z² could overflow.
    r = 1 / (z * z)
    return (1 / math.sqrt(math.pi) - r * _ratio(_FAR, r)) / z * _exp_of_minus_square(z)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    """A rational function of x, by Horner's scheme."""
    p, q = (functools.reduce(lambda y, c: y * x + c, rest, first) for first, *rest in coefficients)
    return p / q


def _exp_of_minus_square(z: Array) -> Array:
    """e^(−z²). With z rounded to sixteenths its square is exact, and what is left is small: no digit is lost."""
    rounded = np.trunc(z * 16) / 16
    return np.exp(-rounded * rounded) * np.exp((rounded - z) * (rounded + z))
