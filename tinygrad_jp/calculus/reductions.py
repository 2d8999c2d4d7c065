"""Sums and extremes: the derivatives of what folds many elements into one."""

import functools
import inspect
import math
from typing import Any

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.core import PULLBACKS, Array, Axis, Variable, apply, primitive, pullback
from tinygrad_jp.core.arrays import keepdims_shape, normalize_axes, reduced_size
from tinygrad_jp.core.errors import name_of
from tinygrad_jp.core.operators import plain_settings
from tinygrad_jp.core.table import COMPOSITIONS, composition
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import DTypeLike, Rule, np


@pullback(np.sum)
def d_sum(
    gy: Array,
    y: Array,
    x: Array,
    axis: Axis = None,
    keepdims: bool = False,
    dtype: DTypeLike | None = None,
    initial: Array = 0,
    where: Array = True,
) -> Array:
    """Every summand moves the sum by one: spread gy back over the summed axes."""
    if axis is not None and not keepdims:
        gy = np.reshape(gy, keepdims_shape(x.shape, axis))
    gx = np.broadcast_to(gy, x.shape)
    return gx if where is True else np.where(where, gx, 0)


@pullback(np.mean)
def d_mean(
    gy: Array,
    y: Array,
    x: Array,
    axis: Axis = None,
    keepdims: bool = False,
    dtype: DTypeLike | None = None,
    where: Array = True,
) -> Array:
    """Each of n elements moves the mean by 1/n."""
    if where is True:
        return d_sum(gy * _over_count(1, gy, x, axis), y, x, axis, keepdims)
    share = np.reshape(gy, keepdims_shape(x.shape, axis)) * _over_count(1, gy, x, axis, where)
    return np.where(where, np.broadcast_to(share, x.shape), 0)


def _over_count(a: float, gy: Array, x: Array, axis: Axis, where: Array = True, ddof: float = 0) -> Array:
    """a / (n − ddof) where n elements are folded into one, or those in the mask; NaN if that is not positive."""
    if where is True:
        free = reduced_size(x.shape, axis) - ddof
        return a / free if free > 0 else math.nan
    n = np.sum(np.broadcast_to(where, x.shape), axis=normalize_axes(axis, x.ndim), keepdims=True)
    return (a / np.where(n > ddof, n - ddof, math.nan)).astype(gy.dtype)


@pullback(np.max)
def d_max(
    gy: Array,
    y: Array,
    x: Array,
    axis: Axis = None,
    keepdims: bool = False,
    initial: Array | None = None,
    where: Array = True,
) -> Array:
    """Only what reaches the extreme moves it; where several do, they share alike."""
    if initial is not None and not x.size:
        return np.zeros(x.shape, gy.dtype)
    shape = keepdims_shape(x.shape, axis)
    hit = x == np.reshape(y, shape)
    hit = (hit if where is True else hit & where).astype(x.dtype)
    # As means, since a sum of ones overflows in float16.
    found = hit.mean(axis=normalize_axes(axis, x.ndim), keepdims=True)
    if where is not True or initial is not None:  # It may be that no element reaches it.
        found = np.where(found == 0, 1, found)
    share = hit * (1 / max(reduced_size(x.shape, axis), 1)) / found
    return np.reshape(gy, shape) * share


PULLBACKS |= {np.min: d_max, np.amax: d_max, np.amin: d_max}


@pullback(np.var)
def d_var(
    gy: Array,
    y: Array,
    x: Array,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    dtype: DTypeLike | None = None,
    where: Array = True,
    correction: float | None = None,
) -> Array:
    """Twice the deviation from the mean, over the degrees of freedom; the derivative of the mean itself cancels out."""
    if where is not True:
        x = np.where(where, x, 0)  # What is left out may be NaN.
    ddof = ddof if correction is None else correction
    gy = np.reshape(gy, keepdims_shape(x.shape, axis)) * _over_count(2, gy, x, axis, where, ddof)
    mean = x.mean(axis=axis if where is True else normalize_axes(axis, x.ndim), keepdims=True)
    if where is not True:
        mean = mean * _over_count(reduced_size(x.shape, axis), gy, x, axis, where)
    return gy * (x - mean) if where is True else np.where(where, gy * (x - mean), 0)


@pullback(np.std)
def d_std(
    gy: Array,
    y: Array,
    x: Array,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    dtype: DTypeLike | None = None,
    where: Array = True,
    correction: float | None = None,
) -> Array:
    """Half the derivative of the variance, over the deviation; 0 where all elements are equal."""
    return d_var(divide_or_zero(gy, 2 * y), y, x, axis, ddof, keepdims, dtype, where, correction)


def _deviation(x: Array) -> Array:
    return np.sqrt(x)


@pullback(_deviation)
def d_deviation(gy: Array, y: Array, x: Array) -> Array:
    """That of the root of a variance; 0 where all elements are equal, as for np.std."""
    return divide_or_zero(gy, 2 * y)


def _spread(func: Any) -> Any:
    """The composition of np.var or np.std: one node, unless a mean is given, whose own gradient then counts."""

    def spread(a: Array, mean: Array | None = None, **settings: Any) -> Array:
        settings = plain_settings(func, settings)
        if mean is None:
            if "ddof" not in settings and "correction" in settings:  # CuPy has the older name alone.
                settings["ddof"] = settings.pop("correction")
            return apply(func, a, **settings)
        if "ddof" in settings and "correction" in settings:
            raise ValueError(f"{name_of(func)}: expected ddof= or correction=, got both")
        free = settings.pop("ddof", 0) + settings.pop("correction", 0)
        y = np.mean(np.square(np.subtract(a, mean)), **settings)
        counted = np.broadcast_to(settings.pop("where", True), np.shape(a))
        n = np.sum(counted, **{**settings, "dtype": None})
        y = y * beside((n / np.maximum(n - free, 0)).astype(y.dtype), y)
        return apply(_deviation, y) if func is np.std else y

    known = ("a", *inspect.signature(d_var).parameters.keys() - {"gy", "y", "x"}, "mean")
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in known]
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return spread


COMPOSITIONS |= {np.var: _spread(np.var), np.std: _spread(np.std)}


# ---------------------------------------------------------------------------------------------------------------------
# Without NaN


def _without_nan(rule: Rule) -> Rule:
    """The rule of a function that leaves NaN out: that of its namesake, with a mask."""

    @functools.wraps(rule)
    def masked(gy: Array, y: Array, x: Array, where: Array = True, **settings: Any) -> Array:
        return rule(gy, y, x, where=where & ~np.isnan(x), **settings)

    return masked


PULLBACKS |= {
    np.nansum: _without_nan(d_sum),
    np.nanmean: _without_nan(d_mean),
    np.nanmax: _without_nan(d_max),
    np.nanmin: _without_nan(d_max),
    np.nanvar: _without_nan(d_var),
    np.nanstd: _without_nan(d_std),
    np.nancumsum: lambda gy, y, x, axis=None, dtype=None: np.where(np.isnan(x), 0, d_cumsum(gy, y, x, axis)),
    np.nancumprod: lambda gy, y, x, axis=None, dtype=None: np.where(
        np.isnan(x), 0, d_cumprod(gy, y, np.where(np.isnan(x), 1, x), axis)
    ),
}


@composition(np.nanprod)
def nanprod(
    a: Array,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    initial: Array = 1,
    where: Array = True,
) -> Array:
    return prod(np.where(np.isnan(a), 1, a), axis, dtype, keepdims, initial, where)


@composition(np.ptp)
def ptp(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------------------------
# Sums and products so far


@pullback(np.cumsum)
def d_cumsum(gy: Array, y: Array, x: Array, axis: int | None = None, dtype: DTypeLike | None = None) -> Array:
    """An element adds to every sum from its own place on."""
    along = 0 if axis is None else axis
    return np.reshape(np.flip(np.cumsum(np.flip(gy, along), along), along), x.shape)


def recurrence(a: Array, b: Array) -> Array:
    """y[i] = a[i]·y[i−1] + b[i] along the first axis, from y[0] = b[0].

    >>> recurrence(np.array([9.0, 2.0, 3.0]), np.array([1.0, 1.0, 1.0]))
    array([ 1.,  3., 10.])
    """
    y = b.copy()
    for i in range(1, len(y)):
        y[i] += a[i] * y[i - 1]
    return y


def d_recurrence_a(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """What reaches y[i], times y[i−1]."""
    return d_recurrence_b(gy, y, a, b) * np.concatenate([np.zeros_like(y[:1]), y[:-1]])


def d_recurrence_b(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """The same recurrence, backwards: what reaches y[i] is its own gradient, and a[i+1] times what reaches y[i+1]."""
    return np.flip(_recurrence(np.roll(np.flip(a, 0), 1, 0), np.flip(gy, 0)), 0)


_recurrence = primitive(recurrence)
PULLBACKS[recurrence] = (d_recurrence_a, d_recurrence_b)


@pullback(np.cumprod)
def d_cumprod(gy: Array, y: Array, x: Array, axis: int | None = None, dtype: DTypeLike | None = None) -> Array:
    """What stands before an element, times a recurrence over what follows: no division, so zeros do no harm."""
    if axis is None or not x.ndim:
        return np.reshape(d_cumprod(gy, y, np.reshape(x, -1), 0), x.shape)
    x, y, gy = (np.moveaxis(v, axis, 0) for v in (x, y, gy))
    before = np.concatenate([np.ones_like(y[:1]), y[:-1]])
    return np.moveaxis(before * d_recurrence_b(gy, y, x, gy), 0, axis)


@composition(np.cumulative_sum)
def cumulative_sum(
    x: Array, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(np.cumsum, x, axis, dtype, include_initial)


@composition(np.cumulative_prod)
def cumulative_prod(
    x: Array, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(np.cumprod, x, axis, dtype, include_initial)


def _cumulative(func: Any, x: Array, axis: int | None, dtype: DTypeLike | None, include_initial: bool) -> Array:
    if axis is None and np.ndim(x) > 1:
        axes = counted(np.ndim(x), "axis", "axes")
        raise ValueError(f"np.cumulative_{func.__name__[3:]}: expected the axis of an array of {axes}")
    along = 0 if axis is None else axis
    y = func(x, axis=along, dtype=dtype)
    if not include_initial:
        return y
    first = beside(np.full(keepdims_shape(y.shape, along), func is np.cumprod, y.dtype), y)
    return np.concatenate([first, y], axis=along)


@composition(np.prod)
def prod(
    a: Array,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    initial: Array = 1,
    where: Array = True,
) -> Array:
    """By halves: a tree of products, whose derivatives are right at zeros, too."""
    shape = np.shape(a)
    axes = normalize_axes(axis, len(shape))
    rest = [n for i, n in enumerate(shape) if i not in axes]
    if where is not True:
        a = np.where(np.broadcast_to(where, shape), a, 1)
    if dtype is not None or a.dtype.kind != "f":
        dtype = np.prod(np.empty(0, a.dtype), dtype=dtype).dtype  # Small integers become larger ones.
        a = a if a.dtype == dtype else a.astype(dtype)
    x = np.reshape(np.moveaxis(a, axes, tuple(range(len(axes)))), (reduced_size(shape, axis), *rest))
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] * x[half : 2 * half]
        x = np.concatenate([pairs, x[2 * half :]]) if len(x) % 2 else pairs
    y = x[0] if len(x) else np.sum(x, axis=0) + 1  # The product of nothing is 1.
    if not isinstance(initial, int) or initial != 1:
        y = y * (initial if isinstance(initial, Variable) else beside(initial, y)).astype(a.dtype)
    return np.reshape(y, keepdims_shape(shape, axis)) if keepdims else y


@composition(np.average)
def average(
    a: Array, axis: Axis = None, weights: Array | None = None, returned: bool = False, keepdims: bool = False
) -> Array:
    """Σ w·a / Σ w. Weights are of a's shape, or of that of the axes, in the order in which `axis` names them."""
    shape = np.shape(a)
    if weights is None:
        y = np.mean(a, axis=axis, keepdims=keepdims)
        total = beside(np.asarray(np.size(a) / np.size(y), y.dtype), y)
    else:
        if np.shape(weights) != shape:
            weights = _weights_along(axis, weights, shape)
        total = np.sum(np.broadcast_to(weights, shape), axis=axis, keepdims=keepdims)
        total = total if total.dtype.kind == "f" else total.astype(np.float64)
        if (total == 0).any():
            raise ZeroDivisionError("np.average: expected weights that do not sum to zero")
        y = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (y, np.broadcast_to(total, y.shape)) if returned else y


def _weights_along(axis: Axis, weights: Array, shape: tuple[int, ...]) -> Array:
    """Weights that are given for the axes alone, laid along them."""
    if axis is None:
        raise TypeError(f"np.average: expected weights of shape {shape}, got {np.shape(weights)}; or give the axis")
    axes = normalize_axes(axis, len(shape))
    lengths = tuple(shape[i] for i in axes)
    if np.shape(weights) != lengths:
        raise ValueError(f"np.average: expected weights of shape {lengths} along axis {axis}, got {np.shape(weights)}")
    in_order = np.transpose(weights, np.argsort(axes).tolist())
    return np.reshape(in_order, [n if i in axes else 1 for i, n in enumerate(shape)])
