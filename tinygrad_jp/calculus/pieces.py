"""Pieces: the derivatives of what is put together of several functions, each of which holds somewhere."""

from collections.abc import Sequence
from typing import Any

import numpy

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.calculus.shapes import scatter_add
from tinygrad_jp.core import PULLBACKS, Array, Variable, apply, as_variable
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.operators import plain, plain_settings
from tinygrad_jp.core.table import composition
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside, fetched
from tinygrad_jp.kinds import np

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
}


def _below(x: Array, a: Array | None) -> Array:
    return np.False_ if a is None else x < a


def _above(x: Array, b: Array | None) -> Array:
    return np.False_ if x is None or b is None else x > b


_MISSING = numpy._NoValue


@composition(np.clip)
def clip(a: Array, a_min: Any = _MISSING, a_max: Any = _MISSING, min: Any = _MISSING, max: Any = _MISSING) -> Array:
    """Both bounds by position or as a_min and a_max, where None is no bound; or one or both as min and max."""
    if a_min is _MISSING and a_max is _MISSING:
        a_min, a_max = (None if bound is _MISSING else bound for bound in (min, max))
    elif a_min is _MISSING or a_max is _MISSING:
        raise TypeError("np.clip: expected a_min and a_max, got one of them; None is no bound")
    elif min is not _MISSING or max is not _MISSING:
        raise ValueError("np.clip: expected a_min and a_max, or min and max, got both pairs")
    return apply(np.clip, a, a_min, a_max)


# ---------------------------------------------------------------------------------------------------------------------
# A choice of arrays


@composition(np.select)
def select(condlist: Sequence[Array], choicelist: Sequence[Array], default: Array = 0) -> Array:
    """One `where` inside the other, the first condition outermost."""
    conditions = [beside(plain(c)) for c in condlist]
    if len(conditions) != len(choicelist) or not conditions:
        raise ValueError(f"np.select: expected a choice for each condition, got {len(choicelist)}, {len(conditions)}")
    if any(c.dtype != bool for c in conditions):
        raise TypeError("np.select: expected boolean conditions, as x > 0 gives")
    dtype, y = _common_dtype([*choicelist, default]), default
    for condition, choice in zip(reversed(conditions), reversed(choicelist), strict=True):
        y = np.where(condition, choice, y)
    return y if y.dtype == dtype else y.astype(dtype)


def _common_dtype(xs: Sequence[Array]) -> Any:
    return np.result_type(*(x if type(x) in (int, float, complex) else beside(plain(x)) for x in xs))


@composition(np.choose)
def choose(a: Array, choices: Sequence[Array], mode: str = "raise") -> Array:
    """From a stack of the choices, for each index the element at its place."""
    index, n = numpy.asarray(fetched(plain(a))), len(choices)
    np.choose(index, [numpy.empty(np.shape(c)) for c in choices], mode=mode)  # Raises NumPy's errors.
    index = index % n if mode == "wrap" else numpy.clip(index, 0, n - 1)
    shape = numpy.broadcast_shapes(index.shape, *map(np.shape, choices))
    dtype, choices = _common_dtype(choices), [c if isinstance(c, Variable) else beside(c, *choices) for c in choices]
    stacked = np.stack([np.broadcast_to(c, shape) for c in choices], dtype=dtype)
    return np.take_along_axis(stacked, beside(numpy.broadcast_to(index, shape)[None], stacked), axis=0)[0]


@composition(np.piecewise)
def piecewise(*args: Any, x: Array, condlist: Any, funclist: Sequence[Any], **kw: Any) -> Array:
    """What each function gives where its condition holds, and no later one does, put to its places among zeros."""
    flat = np.reshape(x, -1)
    condlist = fetched(plain(condlist))
    condlist = [fetched(c) for c in condlist] if isinstance(condlist, list | tuple) else condlist
    if np.isscalar(condlist) or (not isinstance(condlist[0], list | numpy.ndarray) and np.ndim(x)):
        condlist = [condlist]
    holds = numpy.asarray(condlist, dtype=bool)
    if len(holds) == len(funclist) - 1:
        holds = numpy.concatenate([holds, ~holds.any(axis=0, keepdims=True)])
    if len(holds) != len(funclist):
        n = len(holds)
        expected = f"{n} or {n + 1} functions for {counted(n, 'condition')}"
        raise ValueError(f"np.piecewise: expected {expected}, got {len(funclist)}")
    y = beside(numpy.zeros(flat.shape, flat.dtype), flat)
    for i, func in enumerate(funclist):
        here = numpy.broadcast_to(holds[i], np.shape(x)).reshape(-1)
        if here.any():
            value = func(flat[here], *args, **kw) if callable(func) else func
            last = ~holds[i + 1 :].any(axis=0).reshape(-1)
            value = value if isinstance(value, Variable) else beside(value, flat)
            value = np.broadcast_to(value, (here.sum(),))[numpy.broadcast_to(last, here.shape)[here]]
            y = y + scatter_add(value.astype(flat.dtype), here & last, flat.shape)
    return np.reshape(y, np.shape(x))


# ---------------------------------------------------------------------------------------------------------------------
# Straight lines between points


@composition(np.interp)
def interp(
    x: Array,
    xp: Array,
    fp: Array,
    left: Array | None = None,
    right: Array | None = None,
    period: float | None = None,
) -> Array:
    """One node, but for the ends: what is given for them, or the points of a period before and after."""
    if period is not None:
        period = plain_settings(np.interp, {"period": period})["period"]
        if not period:
            raise ValueError("np.interp: expected a period other than 0")
        x, xp, fp = _around(x, xp, fp, abs(period))
        left = right = None
    y = apply(np.interp, x, xp, fp)
    if left is not None:
        y = np.where(np.less(x, xp[0]), left, y)
    return y if right is None else np.where(np.greater(x, xp[-1]), right, y)


def _around(x: Array, xp: Array, fp: Array, period: float) -> tuple[Array, Array, Array]:
    """x within one period, and the points of that period in order, with one more on each side."""
    if np.shape(xp) != np.shape(fp):
        raise ValueError(f"np.interp: expected as many points as heights, got {np.shape(xp)} and {np.shape(fp)}")
    x, xp, fp = (v.astype(float) if isinstance(v, Variable) else beside(v).astype(float) for v in (x, xp, fp))
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp).tolist()
    order = [order[-1], *order, order[0]]
    ends = numpy.zeros(len(order))
    ends[0], ends[-1] = -period, period
    return x, xp[order] + beside(ends, xp), fp[order]


def _segment(x: Array, xp: Array) -> tuple[Array, Array, Array, Array]:
    """The points on both sides of x, how far from the left one to the right one it is, and whether it is there."""
    x_, xp_ = as_variable(x).data, as_variable(xp).data
    i = numpy.clip(numpy.searchsorted(xp_, x_, side="right") - 1, 0, max(len(xp_) - 2, 0))
    j = numpy.minimum(i + 1, len(xp_) - 1)
    inside = (xp_[0] <= x_) & (x_ <= xp_[-1])
    t = np.where(inside, divide_or_zero(x - xp[i], xp[j] - xp[i]), x_ > xp_[-1])
    return i, j, t, inside


def d_interp_x(gy: Array, y: Array, x: Array, xp: Array, fp: Array) -> Array:
    """The slope of the line that x is on, at a point that of the line to its right; 0 outside."""
    i, j, _, inside = _segment(x, xp)
    return gy * divide_or_zero(fp[j] - fp[i], xp[j] - xp[i]) * inside


def d_interp_xp(gy: Array, y: Array, x: Array, xp: Array, fp: Array) -> Array:
    """A point that moves to the right takes its line along: each end gets its share of the slope, with its sign."""
    i, j, t, inside = _segment(x, xp)
    g = -gy * divide_or_zero(fp[j] - fp[i], xp[j] - xp[i]) * inside
    return scatter_add(g * (1 - t), i, xp.shape) + scatter_add(g * t, j, xp.shape)


def d_interp_fp(gy: Array, y: Array, x: Array, xp: Array, fp: Array) -> Array:
    """The two ends of a line share the gradient: the nearer one gets the more of it."""
    i, j, t, _ = _segment(x, xp)
    return scatter_add(gy * (1 - t), i, fp.shape) + scatter_add(gy * t, j, fp.shape)


PULLBACKS[np.interp] = (d_interp_x, d_interp_xp, d_interp_fp)
