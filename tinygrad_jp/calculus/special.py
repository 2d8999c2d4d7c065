"""Special functions: the derivatives of NumPy's, and of those of `scipy.special`, which is never imported here.

SciPy's ufuncs arrive by NumPy's protocol. When one first does, its rule is entered. Kinks are met as in
`elements`: where two pieces join, the slope is that of the formula, or 0.
"""

import functools
import math
import sys
from typing import Any

import numpy

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.core import PULLBACKS, Array, primitive, pullback
from tinygrad_jp.core.table import LATE, Variadic
from tinygrad_jp.kinds import Rule, np

# sin u / u = 1 − u²/3! + u⁴/5! − …, of which the slope is u times this polynomial in u².
_SINC_SLOPE = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(1, 12)]


@pullback(np.sinc)
def d_sinc(gy: Array, y: Array, x: Array) -> Array:
    """(cos πx − y)/x; near 0, where that loses its digits, the power series."""
    near = (x > -0.5) & (x < 0.5)
    u, other = np.where(near, x, 0) * math.pi, np.where(near, 1, x)
    series = 0.0
    for c in reversed(_SINC_SLOPE):
        series = series * (u * u) + c
    return gy * np.where(near, series * u * math.pi, (np.cos(math.pi * other) - np.sinc(other)) / other)


@pullback(np.i0)
def d_i0(gy: Array, y: Array, x: Array) -> Array:
    """I₁, the first derivative of I₀."""
    return gy * _i0_derivative(x, 1)


def i0_derivative(x: Array, k: int) -> Array:
    """The k-th derivative of the Bessel function I₀: the mean of cosᵏθ·e^(x·cos θ) over a turn.

    The mean over n points is exact but for Bessel functions of order 2n, which are far below the rounding error as long
    as I₀ does not overflow. Source: Trefethen and Weideman, The Exponentially Convergent Trapezoidal Rule, 2014.

    >>> i0_derivative(np.array(1.0), 1).round(12)  # I₁(1)
    np.float64(0.565159103992)
    """
    y = np.zeros_like(x)
    for c in numpy.cos((numpy.arange(64) + 0.5) * (math.pi / 128)).tolist():
        y = y + c**k * (np.sinh(c * x) if k % 2 else np.cosh(c * x))
    return y / 64


_i0_derivative = primitive(i0_derivative)
PULLBACKS[i0_derivative] = lambda gy, y, x, k: gy * _i0_derivative(x, k + 1)


# ---------------------------------------------------------------------------------------------------------------------
# SciPy's


def enter(ufunc: Any) -> bool:
    """Enter the rule of a ufunc of scipy.special, which the user has imported. Returns whether there is one."""
    special: Any = sys.modules.get("scipy.special")
    name = getattr(ufunc, "__name__", "")
    if special is None or ufunc not in (getattr(special, name, None), getattr(special._ufuncs, name, None)):
        return False
    rules = _scipy(special).get(name)
    if rules is not None:
        PULLBACKS[ufunc] = rules
    return rules is not None


LATE.add(enter)


def _weak(x: Any) -> Any:
    """A number of NumPy's as one of Python's, which does not widen float32."""
    return float(x) if isinstance(x, np.floating) else x


class _OfSecond(Variadic):
    """The rule of the second argument, of a function whose first one, an order or a shape, is a constant."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> Rule:
        if i == 0:
            raise TypeError(
                "scipy.special: no derivative with respect to an order or a shape, the first argument, is known; "
                "give it as a number or as n.data"
            )
        return self.rule


def _gamma_density(sp: Any, a: Array, x: Array) -> Array:
    """xᵃ⁻¹·e⁻ˣ/Γ(a). Only a number near 1 is raised to a power: that does not overflow, and has its slope at x = 0."""
    m = np.maximum(np.floor(x), 0) + 1
    return (x / m) ** (a - 1) * np.exp((a - 1) * np.log(m) - x - _weak(sp.gammaln(a)))


def _expn_before(sp: Any, y: Array, n: Array, x: Array) -> Array:
    """The exponential integral of order n − 1, where y is that of order n. SciPy has none of order −1: (e⁻ˣ + y)/x."""
    first, before = np.equal(n, 0), np.maximum(n - 1, 0).astype(x.dtype)
    return np.where(first, divide_or_zero(np.exp(-x) + y, x), sp.expn(before, np.where(first, 1, x)))


# log x = u − u²/2 + u³/3 − … for u = x − 1
_LOG = [(-1) ** k / k for k in range(26, 0, -1)]


def _spence_slope(x: Array) -> Array:
    """log x/(1 − x); near 1, where that is 0/0, the power series."""
    near = (x > 0.8) & (x < 1.25)
    u, other, series = np.where(near, x - 1, 0), np.where(near, 2, x), 0.0
    for c in _LOG:
        series = series * u + c
    return np.where(near, series, np.log(other) / (1 - other))


def _density(x: Array) -> Array:
    return np.exp(-x * x / 2) / math.sqrt(math.tau)


def _safe(a: Array, b: Array, zero: float) -> Array:
    """b, and zero + 1 where a is 0 and b is `zero`: there a·log(b − zero) is 0."""
    return np.where(np.equal(a, 0) & np.equal(b, zero), zero + 1, b)


@functools.cache
def _scipy(sp: Any) -> dict[str, Any]:
    """The rules of the functions in `sp`, which is scipy.special, by their names."""
    spread, peak = 2 / math.sqrt(math.pi), math.sqrt(math.pi) / 2
    return {
        # Of the exponential and the logarithm
        "expit": lambda gy, y, x: gy * y * sp.expit(-x),
        "log_expit": lambda gy, y, x: gy * sp.expit(-x),
        "logit": lambda gy, y, x: gy / (x * (1 - x)),
        "exp10": lambda gy, y, x: gy * y * math.log(10),
        "exp2": lambda gy, y, x: gy * y * math.log(2),
        "expm1": lambda gy, y, x: gy * (y + 1),
        "log1p": lambda gy, y, x: gy / (1 + x),
        "cbrt": lambda gy, y, x: gy / (3 * y * y),
        "cosm1": lambda gy, y, x: -gy * np.sin(x),
        "xlogy": (
            lambda gy, y, a, b: gy * np.log(_safe(a, b, 0)),
            lambda gy, y, a, b: gy * a / _safe(a, b, 0),
        ),
        "xlog1py": (
            lambda gy, y, a, b: gy * np.log1p(_safe(a, b, -1)),
            lambda gy, y, a, b: gy * a / (1 + _safe(a, b, -1)),
        ),
        "entr": lambda gy, y, x: gy * (-np.log(x) - 1),
        "rel_entr": (lambda gy, y, a, b: gy * (np.log(a / b) + 1), lambda gy, y, a, b: -gy * a / b),
        "kl_div": (lambda gy, y, a, b: gy * np.log(a / b), lambda gy, y, a, b: gy * (1 - a / b)),
        "huber": (
            lambda gy, y, a, b: gy * np.where(abs(b) > a, abs(b) - a, 0),
            lambda gy, y, a, b: gy * np.clip(b, -a, a),
        ),
        "pseudo_huber": (
            lambda gy, y, a, b: gy * (2 * y / a - b * b / np.hypot(a, b)),
            lambda gy, y, a, b: gy * a * b / np.hypot(a, b),
        ),
        # Of the normal distribution
        "erf": lambda gy, y, x: gy * spread * np.exp(-x * x),
        "erfc": lambda gy, y, x: -gy * spread * np.exp(-x * x),
        "erfcx": lambda gy, y, x: gy * (2 * x * y - spread),
        "erfi": lambda gy, y, x: gy * spread * np.exp(x * x),
        "dawsn": lambda gy, y, x: gy * (1 - 2 * x * y),
        "erfinv": lambda gy, y, x: gy * peak * np.exp(y * y),
        "erfcinv": lambda gy, y, x: -gy * peak * np.exp(y * y),
        "ndtr": lambda gy, y, x: gy * _density(x),
        "log_ndtr": lambda gy, y, x: gy * math.sqrt(2 / math.pi) / sp.erfcx(x * -math.sqrt(0.5)),
        "ndtri": lambda gy, y, x: gy / _density(y),
        # Of the factorial
        "gamma": lambda gy, y, x: gy * y * sp.digamma(x),
        "gammaln": lambda gy, y, x: gy * sp.digamma(x),
        "loggamma": lambda gy, y, x: gy * sp.digamma(x),
        "psi": lambda gy, y, x: gy * sp.zeta(2, x),
        "_zeta": _OfSecond(lambda gy, y, n, x: -gy * n * sp.zeta(n + 1, x)),
        "beta": (
            lambda gy, y, a, b: gy * y * (sp.digamma(a) - sp.digamma(a + b)),
            lambda gy, y, a, b: gy * y * (sp.digamma(b) - sp.digamma(a + b)),
        ),
        "betaln": (
            lambda gy, y, a, b: gy * (sp.digamma(a) - sp.digamma(a + b)),
            lambda gy, y, a, b: gy * (sp.digamma(b) - sp.digamma(a + b)),
        ),
        "gammainc": _OfSecond(lambda gy, y, a, x: gy * _gamma_density(sp, a, x)),
        "gammaincc": _OfSecond(lambda gy, y, a, x: -gy * _gamma_density(sp, a, x)),
        # Integrals
        "expi": lambda gy, y, x: gy * np.exp(x) / x,
        "exp1": lambda gy, y, x: -gy * np.exp(-x) / x,
        "expn": _OfSecond(lambda gy, y, n, x: -gy * _expn_before(sp, y, n, x)),
        "spence": lambda gy, y, x: gy * _spence_slope(x),
        # Bessel's functions: each leads to its neighbours in order
        "i0": lambda gy, y, x: gy * sp.i1(x),
        "i1": lambda gy, y, x: gy * (sp.i0(x) + sp.iv(2, x)) / 2,
        "iv": _OfSecond(lambda gy, y, n, x: gy * (sp.iv(n - 1, x) + sp.iv(n + 1, x)) / 2),
        "i0e": lambda gy, y, x: gy * (sp.i1e(x) - np.sign(x) * y),
        "i1e": lambda gy, y, x: gy * ((sp.i0e(x) + sp.ive(2, x)) / 2 - np.sign(x) * y),
        "ive": _OfSecond(lambda gy, y, n, x: gy * ((sp.ive(n - 1, x) + sp.ive(n + 1, x)) / 2 - np.sign(x) * y)),
        "j0": lambda gy, y, x: -gy * sp.j1(x),
        "j1": lambda gy, y, x: gy * (sp.j0(x) - sp.jv(2, x)) / 2,
        "jv": _OfSecond(lambda gy, y, n, x: gy * (sp.jv(n - 1, x) - sp.jv(n + 1, x)) / 2),
        "y0": lambda gy, y, x: -gy * sp.y1(x),
        "y1": lambda gy, y, x: gy * (sp.y0(x) - sp.yv(2, x)) / 2,
        "yv": _OfSecond(lambda gy, y, n, x: gy * (sp.yv(n - 1, x) - sp.yv(n + 1, x)) / 2),
        "k0": lambda gy, y, x: -gy * sp.k1(x),
        "k1": lambda gy, y, x: -gy * (sp.k0(x) + sp.kv(2, x)) / 2,
        "kv": _OfSecond(lambda gy, y, n, x: -gy * (sp.kv(n - 1, x) + sp.kv(n + 1, x)) / 2),
    }
