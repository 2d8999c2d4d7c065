"""The derivatives, as a calculus book would list them: functions of single elements.

A rule takes `gy`, the gradient of the output; `y`, the output; and the function's arguments, `x` or `a` and `b`. It
returns the gradient of one argument. On the ordinary backward pass all of these are arrays. Under `create_graph` they
are Variables, so that a derivative has derivatives of its own. Rules of ufuncs need not think of broadcasting: the
engine sums their gradients back to the shape of the argument.
"""

import functools
import math
from typing import Any

from tinygrad_jp.core import PULLBACKS, Array, apply, arrays, as_variable, pullback
from tinygrad_jp.core.errors import name_of, warn_user
from tinygrad_jp.core.table import CALLS, NONDIFFERENTIABLE, composition
from tinygrad_jp.kinds import DTypeLike, np


def divide_or_zero(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0.

    >>> divide_or_zero(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    array([0. , 0.5])
    """
    zero = b == 0
    return np.where(zero, 0, a / np.where(zero, 1, b))  # In this order a may be one of Python's numbers.


def softmax_share(a: Array, b: Array, y: Array, exp: Any = np.exp) -> Array:
    """e^(a − y), the share of a in e^y = e^a + e^b; one half where a and b are the same infinity.

    >>> a, b = np.array([0.0, np.inf, -np.inf]), np.array([0.0, 0.0, -np.inf])
    >>> softmax_share(a, b, np.logaddexp(a, b))
    array([0.5, 1. , 0.5])
    """
    known = a == y  # Infinities, whose difference would be NaN; and what is larger by so much that the share is 1.
    return np.where(known & (a == b), 0.5, exp(np.where(known, 0, a) - np.where(known, 0, y)))


PULLBACKS |= {
    np.add: (lambda gy, y, a, b: gy, lambda gy, y, a, b: gy),
    np.subtract: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy),
    np.multiply: (lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a),
    np.divide: (lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b),
    # a % b = a − b·⌊a/b⌋, and fmod takes the whole number next to a/b towards 0; their jumps have no slope.
    np.remainder: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy * np.floor_divide(a, b)),
    np.fmod: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy * np.rint((a - y) / b)),
    np.negative: lambda gy, y, x: -gy,
    np.positive: lambda gy, y, x: gy,
    np.reciprocal: lambda gy, y, x: -gy * y * y,
    np.square: lambda gy, y, x: gy * 2 * x,
    np.sqrt: lambda gy, y, x: gy / (2 * y),
    np.cbrt: lambda gy, y, x: gy / (3 * y * y),
    np.exp: lambda gy, y, x: gy * y,
    np.exp2: lambda gy, y, x: gy * y * math.log(2),
    np.expm1: lambda gy, y, x: gy * (y + 1),
    np.log: lambda gy, y, x: gy / x,
    np.log2: lambda gy, y, x: gy / (x * math.log(2)),
    np.log10: lambda gy, y, x: gy / (x * math.log(10)),
    np.log1p: lambda gy, y, x: gy / (1 + x),
    np.sin: lambda gy, y, x: gy * np.cos(x),
    np.cos: lambda gy, y, x: -gy * np.sin(x),
    np.tan: lambda gy, y, x: gy * (1 + y * y),
    # As products, 1 − x² and x² − 1 keep their digits near 1, and do not overflow.
    np.arcsin: lambda gy, y, x: gy / np.sqrt((1 - x) * (1 + x)),
    np.arccos: lambda gy, y, x: -gy / np.sqrt((1 - x) * (1 + x)),
    np.arctan: lambda gy, y, x: gy / np.hypot(1, x) / np.hypot(1, x),
    np.sinh: lambda gy, y, x: gy * np.cosh(x),
    np.cosh: lambda gy, y, x: gy * np.sinh(x),
    np.tanh: lambda gy, y, x: gy * (1 - y * y),
    np.arcsinh: lambda gy, y, x: gy / np.hypot(1, x),
    np.arccosh: lambda gy, y, x: gy / (np.sqrt(x - 1) * np.sqrt(x + 1)),
    np.arctanh: lambda gy, y, x: gy / ((1 - x) * (1 + x)),
    # Divided twice by the hypotenuse, whose square would overflow; the slope at the origin is 0.
    np.arctan2: (
        lambda gy, y, a, b: gy * divide_or_zero(divide_or_zero(b, np.hypot(a, b)), np.hypot(a, b)),
        lambda gy, y, a, b: -gy * divide_or_zero(divide_or_zero(a, np.hypot(a, b)), np.hypot(a, b)),
    ),
    np.logaddexp: (
        lambda gy, y, a, b: gy * softmax_share(a, b, y),
        lambda gy, y, a, b: gy * softmax_share(b, a, y),
    ),
    np.logaddexp2: (
        lambda gy, y, a, b: gy * softmax_share(a, b, y, np.exp2),
        lambda gy, y, a, b: gy * softmax_share(b, a, y, np.exp2),
    ),
    **dict.fromkeys((np.deg2rad, np.radians), lambda gy, y, x: gy * (math.pi / 180)),
    **dict.fromkeys((np.rad2deg, np.degrees), lambda gy, y, x: gy * (180 / math.pi)),
    # Of real numbers these three are the number itself; `unwrap` adds whole periods.
    np.conjugate: lambda gy, y, x: gy,
    np.real: lambda gy, y, x: gy,
    np.real_if_close: lambda gy, y, x, tol=100: gy,
    np.unwrap: lambda gy, y, x, discont=None, axis=-1, period=math.tau: gy,
    np.nan_to_num: lambda gy, y, x, nan=0.0, posinf=None, neginf=None: gy * np.isfinite(x),
    np.ldexp: (lambda gy, y, x, n: np.ldexp(gy, n), None),
    # Jumps have no slope: heaviside has one only where it is its second argument, and a sign passes nothing on.
    np.heaviside: (None, lambda gy, y, a, b: gy * (a == 0)),
    np.copysign: (lambda gy, y, a, b: np.where(np.signbit(b), -gy, gy) * np.sign(a), None),
    np.nextafter: (lambda gy, y, a, b: gy, None),
    # Kinks: the slope of |x| and of hypot at 0 is 0; of a and b that are equal, each has half of the larger's slope.
    np.hypot: (lambda gy, y, a, b: gy * divide_or_zero(a, y), lambda gy, y, a, b: gy * divide_or_zero(b, y)),
    np.absolute: lambda gy, y, x: gy * np.sign(x),
    np.fabs: lambda gy, y, x: gy * np.sign(x),
    np.maximum: (
        lambda gy, y, a, b: gy * (a > b) + gy * (a == b) / 2,
        lambda gy, y, a, b: gy * (b > a) + gy * (a == b) / 2,
    ),
    np.minimum: (
        lambda gy, y, a, b: gy * (a < b) + gy * (a == b) / 2,
        lambda gy, y, a, b: gy * (b < a) + gy * (a == b) / 2,
    ),
    # NaN gives way to a number.
    np.fmax: (
        lambda gy, y, a, b: gy * ((a > b) | np.isnan(b)) + gy * (a == b) / 2,
        lambda gy, y, a, b: gy * ((b > a) | (np.isnan(a) & ~np.isnan(b))) + gy * (a == b) / 2,
    ),
    np.fmin: (
        lambda gy, y, a, b: gy * ((a < b) | np.isnan(b)) + gy * (a == b) / 2,
        lambda gy, y, a, b: gy * ((b < a) | (np.isnan(a) & ~np.isnan(b))) + gy * (a == b) / 2,
    ),
}


def d_power_base(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """b·a^(b−1), which is 0 where b is 0, for every a."""
    if isinstance(b, int | float):
        return gy * b * a ** (b - 1) if b != 0 else gy * 0
    safe = np.where((b == 0) & ((a == 0) | (a != a)), 1, a)
    if safe.dtype.kind in "biu":  # Integers have no power of −1.
        safe = safe * 1.0
    return gy * b * safe ** (b - 1)


def d_power_exponent(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """y·log a, which is 0 where a is 0: there y is 0 for every b > 0."""
    if isinstance(a, int | float):
        return gy * y * (math.log(a) if a > 0 else 0.0 if a == 0 else math.nan)
    return gy * y * np.log(np.where(a == 0, 1, a))


PULLBACKS |= dict.fromkeys((np.power, np.float_power), (d_power_base, d_power_exponent))

PULLBACKS[arrays.astype] = lambda gy, y, x, dtype: gy


# Functions of two results: one of them is a whole number, and a plain array


@composition(np.divmod)
def divmod(x1: Array, x2: Array) -> tuple[Array, Array]:
    return np.floor_divide(x1, x2), np.remainder(x1, x2)


@composition(np.modf)
def modf(x: Array) -> tuple[Array, Array]:
    x = as_variable(x)
    if x.dtype.kind != "f":  # Of integers, too, both parts are of a floating dtype.
        x = x.astype(np.modf(np.empty(0, x.dtype))[0].dtype)
    return apply(_fraction, x), np.trunc(x)


@composition(np.frexp)
def frexp(x: Array) -> tuple[Array, Array]:
    return apply(_mantissa, x), np.frexp(as_variable(x).data)[1]


def _fraction(x: Array) -> Array:
    return np.modf(x)[0]


def _mantissa(x: Array) -> Array:
    return np.frexp(x)[0]


@pullback(_fraction)
def d_fraction(gy: Array, y: Array, x: Array) -> Array:
    """What is left of a number without its whole part moves as the number does."""
    return gy


@pullback(_mantissa)
def d_mantissa(gy: Array, y: Array, x: Array) -> Array:
    """Divided by a power of two, whose jumps have no slope."""
    return np.ldexp(gy, -np.frexp(as_variable(x).data)[1])


@composition(np.full_like)
def full_like(
    a: Array, fill_value: Array, dtype: DTypeLike | None = None, shape: int | tuple[int, ...] | None = None
) -> Array:
    """The fill value, broadcast."""
    kind = np.result_type(a) if dtype is None else dtype
    return np.broadcast_to(apply(np.copy, fill_value), np.shape(a) if shape is None else shape).astype(kind)


@composition(np.imag)
def imag(val: Array) -> Array:
    return np.imag(_real(np.imag, val))


@composition(np.angle)
def angle(z: Array, deg: bool = False) -> Array:
    return np.angle(_real(np.angle, z), deg)


def _real(func: Any, x: Array) -> Array:
    """The data of x, if they are real: then the derivative is 0. Of complex ones none may be needed."""
    if x.dtype.kind == "c" and not as_variable(x).is_constant:
        raise TypeError(
            f"{name_of(func)}: complex numbers are not differentiated; compute with real and imaginary parts"
        )
    return as_variable(x).data


# What has no derivative, or a derivative of zero
NONDIFFERENTIABLE |= {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    *(np.sign, np.signbit, np.floor, np.ceil, np.trunc, np.rint, np.round, np.around, np.fix, np.floor_divide),
    np.spacing,
    *(np.isnan, np.isinf, np.isfinite, np.isclose, np.allclose, np.array_equal, np.any, np.all),
    *(
        np.argmax,
        np.argmin,
        np.nanargmax,
        np.nanargmin,
        np.argsort,
        np.argpartition,
        np.lexsort,
        np.argwhere,
        np.nonzero,
        np.count_nonzero,
        np.searchsorted,
    ),
    *(np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.shares_memory, np.may_share_memory),
    *(np.argpartition, np.flatnonzero, np.lexsort, np.nanargmax, np.nanargmin, np.digitize, np.isin, np.array_equiv),
    *(np.isposinf, np.isneginf, np.isreal, np.iscomplex, np.spacing, np.linalg.matrix_rank, np.common_type),
    *(np.can_cast, np.min_scalar_type, np.tril_indices_from, np.triu_indices_from, np.diag_indices_from),
    *(np.gcd, np.lcm),
    *(np.ravel_multi_index, np.unravel_index, np.einsum_path, np.isnat),
    *(np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str, np.array2string),
}

# What is not defined everywhere, and warns
DOMAIN_LIMITED = {
    *(np.log, np.log2, np.log10, np.log1p, np.sqrt, np.reciprocal, np.divide, np.remainder, np.power),
    *(np.fmod, np.float_power),
    *(np.arcsin, np.arccos, np.arccosh, np.arctanh),
}


def _with_user_warning(ufunc: Any, *args: Any) -> Any:
    """`ufunc(*args)`, where NumPy's warning, of the logarithm of −1 for example, points at the user's line."""
    modes = np.geterr()
    if "warn" not in modes.values() or "call" in modes.values():
        return ufunc(*args)
    ours = {kind: "call" if mode == "warn" else mode for kind, mode in modes.items()}
    with np.errstate(**ours, call=functools.partial(_warn_of_number, ufunc)):
        return ufunc(*args)


def _warn_of_number(ufunc: Any, kind: str, flag: int) -> None:
    warn_user(f"{kind} encountered in {ufunc.__name__}", RuntimeWarning)


CALLS |= {ufunc: functools.partial(_with_user_warning, ufunc) for ufunc in DOMAIN_LIMITED}
