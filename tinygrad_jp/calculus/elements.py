"""The derivatives, as a calculus book would list them: functions of single elements.

A rule takes `gy`, the gradient of the output; `y`, the output; and the function's arguments, `x` or `a` and `b`. It
returns the gradient of one argument. On the ordinary backward pass all of these are arrays. Under `create_graph` they
are Variables, so that a derivative has derivatives of its own. Rules of ufuncs need not think of broadcasting: the
engine sums their gradients back to the shape of the argument.
"""

import math

from tinygrad_jp.core import PULLBACKS, Array, apply, arrays
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.table import DOMAIN_LIMITED, NONDIFFERENTIABLE, composition
from tinygrad_jp.kinds import DTypeLike, np


def divide_or_zero(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0.

    >>> divide_or_zero(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    array([0. , 0.5])
    """
    zero = b == 0
    return np.where(zero, 0, a) / np.where(zero, 1, b)


def softmax_share(a: Array, b: Array, y: Array) -> Array:
    """e^(a − y), the share of a in e^y = e^a + e^b; one half where a and b are the same infinity.

    >>> a, b = np.array([0.0, np.inf, -np.inf]), np.array([0.0, 0.0, -np.inf])
    >>> softmax_share(a, b, np.logaddexp(a, b))
    array([0.5, 1. , 0.5])
    """
    known = a == y  # Infinities, whose difference would be NaN; and what is larger by so much that the share is 1.
    return np.where(known & (a == b), 0.5, np.exp(np.where(known, 0, a) - np.where(known, 0, y)))


PULLBACKS |= {
    np.add: (lambda gy, y, a, b: gy, lambda gy, y, a, b: gy),
    np.subtract: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy),
    np.multiply: (lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a),
    np.divide: (lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b),
    # a % b = a − b·⌊a/b⌋; its jumps have no slope.
    np.remainder: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy * np.floor_divide(a, b)),
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
}


def d_power_base(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """b·a^(b−1), which is 0 where b is 0, for every a."""
    if isinstance(b, int | float):
        return gy * b * a ** (b - 1) if b != 0 else gy * 0
    safe = np.where((b == 0) & ((a == 0) | (a != a)), 1, a)
    return gy * b * safe ** (b - 1)


def d_power_exponent(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """y·log a, which is 0 where a is 0: there y is 0 for every b > 0."""
    if isinstance(a, int | float):
        return gy * y * (math.log(a) if a > 0 else 0.0 if a == 0 else math.nan)
    return gy * y * np.log(np.where(a == 0, 1, a))


PULLBACKS[np.power] = (d_power_base, d_power_exponent)

# Each argument of `where` and `clip` may broadcast. They are not ufuncs, so their rules sum back themselves.
PULLBACKS |= {
    np.where: (
        None,
        lambda gy, y, m, a, b: sum_to(np.where(m, gy, 0), a.shape),
        lambda gy, y, m, a, b: sum_to(np.where(m, 0, gy), b.shape),
    ),
    # min(max(x, a), b): between the bounds, and on them, the slope is 1. A bound that is None is no bound.
    np.clip: (
        lambda gy, y, x, a, b: sum_to(gy * ~(_below(x, a) | _above(x, b)), x.shape),
        lambda gy, y, x, a, b: sum_to(gy * (_below(x, a) & ~_above(a, b)), a.shape),
        lambda gy, y, x, a, b: sum_to(gy * (_above(x, b) | (_above(a, b) & _below(x, a))), b.shape),
    ),
    arrays.astype: lambda gy, y, x, dtype: gy,
}


def _below(x: Array, a: Array | None) -> Array:
    return np.False_ if a is None else x < a


def _above(x: Array, b: Array | None) -> Array:
    return np.False_ if x is None or b is None else x > b


@composition(np.clip)
def clip(
    a: Array,
    a_min: Array | None = None,
    a_max: Array | None = None,
    min: Array | None = None,
    max: Array | None = None,
) -> Array:
    return apply(np.clip, a, min if a_min is None else a_min, max if a_max is None else a_max)


@composition(np.full_like)
def full_like(
    a: Array, fill_value: Array, dtype: DTypeLike | None = None, shape: int | tuple[int, ...] | None = None
) -> Array:
    """The fill value, broadcast."""
    kind = np.result_type(a) if dtype is None else dtype
    return np.broadcast_to(apply(np.positive, fill_value), np.shape(a) if shape is None else shape).astype(kind)


# What has no derivative, or a derivative of zero
NONDIFFERENTIABLE |= {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    *(np.sign, np.signbit, np.floor, np.ceil, np.trunc, np.rint, np.round, np.fix, np.floor_divide),
    *(np.isnan, np.isinf, np.isfinite, np.isclose, np.allclose, np.array_equal, np.any, np.all),
    *(np.argmax, np.argmin, np.argsort, np.argwhere, np.nonzero, np.count_nonzero, np.searchsorted),
    *(np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.shares_memory, np.may_share_memory),
    *(np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str, np.array2string),
}

# What is not defined everywhere
DOMAIN_LIMITED |= {
    *(np.log, np.log2, np.log10, np.log1p, np.sqrt, np.reciprocal, np.divide, np.remainder, np.power),
    *(np.arcsin, np.arccos, np.arccosh, np.arctanh),
}
