"""Sums and extremes: what folds many elements into one."""

from typing import Any

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.core import PULLBACKS, Axis, pullback
from tinygrad_jp.core.arrays import keepdims_shape, normalize_axes, reduced_size
from tinygrad_jp.core.kinds import np
from tinygrad_jp.core.table import composition


@pullback(np.sum)
def d_sum(gy: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Every summand moves the sum by one: spread gy back over the summed axes."""
    if axis is not None and not keepdims:
        gy = np.reshape(gy, keepdims_shape(x.shape, axis))
    return np.broadcast_to(gy, x.shape)


@pullback(np.mean)
def d_mean(gy: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Each of n elements moves the mean by 1/n."""
    return d_sum(gy / reduced_size(x.shape, axis), y, x, axis, keepdims)


@pullback(np.max)
def d_max(gy: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Only what reaches the extreme moves it; where several do, they share alike."""
    shape = keepdims_shape(x.shape, axis)
    hit = (x == np.reshape(y, shape)).astype(x.dtype)
    return np.reshape(gy, shape) * hit / hit.sum(axis=axis, keepdims=True)


PULLBACKS |= {np.min: d_max, np.amax: d_max, np.amin: d_max}


@pullback(np.var)
def d_var(gy: Any, y: Any, x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Twice the deviation from the mean, over the degrees of freedom; that of the mean itself cancels out."""
    gy = gy * (2 / (reduced_size(x.shape, axis) - ddof))
    return np.reshape(gy, keepdims_shape(x.shape, axis)) * (x - x.mean(axis=axis, keepdims=True))


@pullback(np.std)
def d_std(gy: Any, y: Any, x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Half that of the variance, over the deviation; 0 where all is constant."""
    return d_var(divide_or_zero(gy, 2 * y), y, x, axis, ddof, keepdims)


@pullback(np.cumsum)
def d_cumsum(gy: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """An element adds to every sum from its own place on."""
    along = 0 if axis is None else axis
    return np.reshape(np.flip(np.cumsum(np.flip(gy, along), along), along), x.shape)


@composition(np.prod)
def prod(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """By halves: a tree of products, whose derivatives are right at zeros too."""
    axes = normalize_axes(axis, a.ndim)
    rest = [n for i, n in enumerate(a.shape) if i not in axes]
    x = np.reshape(np.moveaxis(a, axes, range(len(axes))), (reduced_size(a.shape, axis), *rest))
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] * x[half : 2 * half]
        x = np.concatenate([pairs, x[2 * half :]]) if len(x) % 2 else pairs
    y = x[0] if len(x) else np.sum(x, axis=0) + 1  # The product of nothing is 1.
    return np.reshape(y, keepdims_shape(a.shape, axis)) if keepdims else y


@composition(np.average)
def average(a: Any, axis: Axis = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    if weights is None:
        return np.mean(a, axis=axis, keepdims=keepdims)
    if np.shape(weights) != np.shape(a):
        axes = normalize_axes(axis, np.ndim(a))
        weights = np.reshape(weights, [n if i in axes else 1 for i, n in enumerate(np.shape(a))])
    total = np.sum(np.broadcast_to(weights, np.shape(a)), axis=axis, keepdims=keepdims)
    return np.sum(a * weights, axis=axis, keepdims=keepdims) / total


@composition(np.sort)
def sort(a: Any, axis: int | None = -1) -> Any:
    """Each element carries its gradient back to where it came from."""
    if axis is None:
        return sort(np.reshape(a, -1), 0)
    return np.take_along_axis(a, np.argsort(a, axis=axis, kind="stable"), axis)
