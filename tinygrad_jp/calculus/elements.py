"""The derivatives, as a calculus book would list them: functions of single elements.

A rule takes `gy`, the gradient of the output; `y`, the output; and the function's arguments, `x` or `a` and `b`. It
returns the gradient of one argument. On the ordinary backward pass all of these are arrays; under `create_graph` they
are Variables, so that a derivative has derivatives of its own. Rules of ufuncs need not think of broadcasting: the
engine sums their gradients back to the shape of the argument.
"""

import math
from typing import Any

from tinygrad_jp.core import PULLBACKS, Array, apply, arrays
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.kinds import np
from tinygrad_jp.core.table import DOMAIN_LIMITED, NONDIFFERENTIABLE, composition


def divide_or_zero(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0.

    >>> divide_or_zero(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    array([0. , 0.5])
    """
    zero = b == 0
    return np.where(zero, 0, a) / np.where(zero, 1, b)


PULLBACKS |= {
    np.add: (lambda gy, y, a, b: gy, lambda gy, y, a, b: gy),
    np.subtract: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy),
    np.multiply: (lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a),
    np.divide: (lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b),
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
    np.arcsin: lambda gy, y, x: gy / np.sqrt(1 - x * x),
    np.arccos: lambda gy, y, x: -gy / np.sqrt(1 - x * x),
    np.arctan: lambda gy, y, x: gy / (1 + x * x),
    np.sinh: lambda gy, y, x: gy * np.cosh(x),
    np.cosh: lambda gy, y, x: gy * np.sinh(x),
    np.tanh: lambda gy, y, x: gy * (1 - y * y),
    np.arcsinh: lambda gy, y, x: gy / np.hypot(1, x),
    np.arccosh: lambda gy, y, x: gy / np.sqrt(x * x - 1),
    np.arctanh: lambda gy, y, x: gy / (1 - x * x),
    np.arctan2: (
        lambda gy, y, a, b: gy * b / (a * a + b * b),
        lambda gy, y, a, b: -gy * a / (a * a + b * b),
    ),
    np.logaddexp: (lambda gy, y, a, b: gy * np.exp(a - y), lambda gy, y, a, b: gy * np.exp(b - y)),
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


def d_power_base(gy: Any, y: Any, a: Any, b: Any) -> Any:
    """b·a^(b−1), which is 0 where b is 0, also at a = 0."""
    if isinstance(b, int | float):
        return gy * b * a ** (b - 1) if b != 0 else gy * 0 * a
    return gy * b * a ** np.where(b == 0, 1, b - 1)


def d_power_exponent(gy: Any, y: Any, a: Any, b: Any) -> Any:
    """y·log a, which is 0 where a is 0: there y is 0 for every b > 0."""
    if isinstance(a, int | float):
        return gy * y * (math.log(a) if a > 0 else 0.0 if a == 0 else math.nan)
    return gy * y * np.log(np.where(a == 0, 1, a))


PULLBACKS[np.power] = (d_power_base, d_power_exponent)

# Of the arguments of `where` and `clip`, each may broadcast: they are no ufuncs, so their rules sum back themselves.
PULLBACKS |= {
    np.where: (
        None,
        lambda gy, y, m, a, b: sum_to(np.where(m, gy, 0), a.shape),
        lambda gy, y, m, a, b: sum_to(np.where(m, 0, gy), b.shape),
    ),
    # Between the bounds, and on them, the slope is 1.
    np.clip: (
        lambda gy, y, x, a, b: sum_to(gy * (y == x), x.shape),
        lambda gy, y, x, a, b: sum_to(gy * (x < a), a.shape),
        lambda gy, y, x, a, b: sum_to(gy * (x > b), b.shape),
    ),
    arrays.astype: lambda gy, y, x, dtype: gy,
}


@composition(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    return apply(np.clip, a, min if a_min is None else a_min, max if a_max is None else a_max)


# What has no derivative, or a derivative of zero; and what is not defined everywhere

NONDIFFERENTIABLE |= {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    *(np.sign, np.signbit, np.floor, np.ceil, np.trunc, np.rint, np.round, np.fix, np.floor_divide),
    *(np.isnan, np.isinf, np.isfinite, np.isclose, np.allclose, np.array_equal, np.any, np.all),
    *(np.argmax, np.argmin, np.argsort, np.argwhere, np.nonzero, np.count_nonzero, np.searchsorted, np.unique),
    *(np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.shares_memory, np.may_share_memory),
    *(np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.array_repr, np.array_str, np.array2string),
}

DOMAIN_LIMITED |= {
    *(np.log, np.log2, np.log10, np.log1p, np.sqrt, np.reciprocal, np.divide, np.power),
    *(np.arcsin, np.arccos, np.arccosh, np.arctanh),
}
