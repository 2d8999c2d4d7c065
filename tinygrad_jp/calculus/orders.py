"""Orders: the derivatives of what sorts elements, or picks those that stand somewhere in their order.

Each element of the result is an element of x, or lies between two neighbours, and its gradient goes back to these. Of
elements that are equal, the one that a stable sort puts there gets it.
"""

import functools
from typing import Any, NamedTuple

import numpy

from tinygrad_jp.calculus.shapes import places, put_back, scatter_add
from tinygrad_jp.core import PULLBACKS, Array, Axis, primitive, pullback
from tinygrad_jp.core.arrays import normalize_axes, reduced_size, sum_to
from tinygrad_jp.devices import beside, device_of, fetched, on_device
from tinygrad_jp.kinds import DTypeLike, Rule, np


@pullback(np.sort)
def d_sort(gy: Array, y: Array, x: Array, axis: int | None = -1, kind: Any = None, stable: bool | None = None) -> Array:
    """Each element carries its gradient back to where it came from."""
    order = np.argsort(x, axis=axis, kind="stable")
    return put_back(gy, x, order if axis is None else np.take_along_axis(places(x), order, axis))


@pullback(np.partition)
def d_partition(gy: Array, y: Array, x: Array, kth: Any, axis: int | None = -1, kind: str = "introselect") -> Array:
    """Each element carries its gradient back to where it came from: the ranks of y and of x say where."""
    ranks = np.argsort(y, axis=-1 if axis is None else axis, kind="stable")
    return d_sort(np.take_along_axis(gy, ranks, -1 if axis is None else axis), y, x, axis)


# ---------------------------------------------------------------------------------------------------------------------
# The largest and the smallest so far


def _accumulate(ufunc: Any, x: Array, axis: int, dtype: DTypeLike | None = None) -> Array:
    """`ufunc.accumulate`, for which CuPy takes steps of 1, 2, 4, ... elements."""
    if not on_device(x):
        return ufunc.accumulate(x, axis, dtype)
    y, step = np.moveaxis(x if dtype is None else x.astype(dtype), axis, 0), 1
    while step < len(y):
        y, step = np.concatenate([y[:step], ufunc(y[step:], y[:-step])]), 2 * step
    return np.moveaxis(y, 0, axis)


@primitive
def running_max(x: Array, axis: int, dtype: DTypeLike | None = None) -> Array:
    return _accumulate(np.maximum, x, axis, dtype)


@primitive
def running_min(x: Array, axis: int, dtype: DTypeLike | None = None) -> Array:
    return _accumulate(np.minimum, x, axis, dtype)


@pullback(running_max)
def d_running_max(gy: Array, y: Array, x: Array, axis: int, dtype: DTypeLike | None = None) -> Array:
    """The gradient goes to the element that set the extreme; where several did, to the latest."""
    length = x.shape[axis]
    steps = numpy.expand_dims(numpy.arange(length), [i for i in range(x.ndim) if i != axis % x.ndim])
    latest = _accumulate(np.maximum, np.where(np.equal(x, y), beside(steps, y), 0), axis)
    return put_back(gy, x, np.take_along_axis(places(x), latest, axis))


pullback(running_min)(d_running_max)


# ---------------------------------------------------------------------------------------------------------------------
# Quantiles


class _Neighbours(NamedTuple):
    """The elements of x between which its quantiles lie."""

    flat: Array  # x, with the axes that are folded first and as one
    low: tuple[Array, ...]  # the index of the lower neighbour of each quantile
    high: tuple[Array, ...]
    part: Array  # how far from the lower to the higher one the quantile lies
    slope: Any  # from the gradient of the rank of each quantile to that of q


def _neighbours(x: Array, q: Array, axis: Axis, method: str, without_nan: bool) -> _Neighbours:
    axes = normalize_axes(axis, x.ndim)
    rest = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    flat = np.reshape(np.moveaxis(x, axes, range(len(axes))), (reduced_size(x.shape, axis), *rest))
    order = np.argsort(flat, axis=0, kind="stable")
    n = np.sum(~np.isnan(flat), axis=0) if without_nan else len(flat)
    q = np.reshape(q, np.shape(q) + (1,) * len(rest))
    rank = _rank(q, n, method)
    # Where the rank is a whole number, the quantile is taken to move upwards, and at the last downwards.
    low = np.clip(np.floor(rank), 0, np.maximum(n - 2, 0)).astype(int)
    high = np.clip(low + 1, 0, np.maximum(n - 1, 0))
    low, high = (np.broadcast_to(i, np.shape(q)[: np.ndim(q) - len(rest)] + rest) for i in (low, high))
    grid = tuple(numpy.ogrid[tuple(map(slice, rest))])
    part = (rank - low).astype(x.dtype if x.dtype.kind == "f" else float)
    part = beside(part, flat) if isinstance(part, np.ndarray) and device_of(flat) is not None else part
    to_q = functools.partial(d_rank, y=rank, q=q, n=n, method=method)
    return _Neighbours(flat, (order[(low, *grid)], *grid), (order[(high, *grid)], *grid), part, to_q)


def rank(q: Array, n: Array, method: str) -> Array:
    """Where the quantile q of n elements stands among their ranks, 0 … n − 1.

    >>> rank(np.array([0.25, 0.5]), np.array(4), "linear")
    array([0.75, 1.5 ])
    """
    shares, counts = fetched(q), fetched(n)
    found = np.zeros(np.broadcast_shapes(np.shape(q), np.shape(n)))
    for m in np.unique(counts):
        ranks = np.quantile(np.arange(max(m, 1.0)), np.ravel(shares), method=method)
        found = np.where(counts == m, np.reshape(ranks, np.shape(q)), found)
    return found if device_of(q, n) is None else beside(found, q, n)


_rank = primitive(rank)
# The slope of the rank of q among n elements, where it is not n, by method. All others jump from element to element.
SHIFTS = {
    **{"linear": -1, "weibull": 1, "hazen": 0, "interpolated_inverted_cdf": 0},
    **{"median_unbiased": 1 / 3, "normal_unbiased": 1 / 4},
}


@pullback(rank)
def d_rank(gy: Array, y: Array, q: Array, n: Array, method: str) -> Array:
    """The number of elements, give or take one, by method; 0 where the rank jumps."""
    inside = (y > 0) & (y < n - 1) | (method == "linear")
    slope = ((n + SHIFTS[method]) * inside if method in SHIFTS else np.zeros_like(y)).astype(gy.dtype)
    return sum_to(gy * slope, np.shape(q))


def d_quantile_x(
    gy: Array,
    y: Array,
    x: Array,
    q: Array,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
    without_nan: bool = False,
) -> Array:
    """The two neighbours in the order of x share the gradient: the nearer one gets the more of it."""
    if not x.size:
        return np.zeros(x.shape, gy.dtype)
    if without_nan:
        gy = np.where(np.isnan(y), 0, gy)  # There was nothing else.
    at = _neighbours(x, q, axis, method, without_nan)
    g = np.reshape(gy, at.low[0].shape)
    g = scatter_add(g * (1 - at.part), at.low, at.flat.shape) + scatter_add(g * at.part, at.high, at.flat.shape)
    axes = normalize_axes(axis, x.ndim)
    folded = [x.shape[i] for i in axes]
    return np.moveaxis(np.reshape(g, (*folded, *at.flat.shape[1:])), range(len(axes)), axes)


def d_quantile_q(
    gy: Array,
    y: Array,
    x: Array,
    q: Array,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
    without_nan: bool = False,
) -> Array:
    """The distance of the two neighbours in the order of x, times the number of elements; 0 where y jumps."""
    if not x.size:
        return np.zeros(np.shape(q), gy.dtype)
    at = _neighbours(x, q, axis, method, without_nan)
    g = np.reshape(gy, at.low[0].shape) * (at.flat[at.high] - at.flat[at.low])
    return np.reshape(at.slope(g), np.shape(q))


def _quantile_rules(scale: float, without_nan: bool) -> tuple[Rule, Rule]:
    """The rules of a function of x and of q, of which q / scale is the quantile."""

    def of_x(
        gy: Array, y: Array, x: Array, q: Array, axis: Axis = None, method: str = "linear", keepdims: bool = False
    ) -> Array:
        return d_quantile_x(gy, y, x, q / scale, axis, method, keepdims, without_nan)

    def of_q(
        gy: Array, y: Array, x: Array, q: Array, axis: Axis = None, method: str = "linear", keepdims: bool = False
    ) -> Array:
        return d_quantile_q(gy, y, x, q / scale, axis, method, keepdims, without_nan) / scale

    of_x.__doc__, of_q.__doc__ = d_quantile_x.__doc__, d_quantile_q.__doc__
    return of_x, of_q


PULLBACKS |= {
    np.quantile: _quantile_rules(1, without_nan=False),
    np.percentile: _quantile_rules(100, without_nan=False),
    np.nanquantile: _quantile_rules(1, without_nan=True),
    np.nanpercentile: _quantile_rules(100, without_nan=True),
}


@pullback(np.median)
def d_median(gy: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The element in the middle gets the gradient, or each of the two half of it."""
    return d_quantile_x(gy, y, x, 0.5, axis)


@pullback(np.nanmedian)
def d_nanmedian(gy: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The element in the middle gets the gradient, or each of the two half of it."""
    return d_quantile_x(gy, y, x, 0.5, axis, without_nan=True)
