"""Sums and extremes: the derivatives of what folds many elements into one."""

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.core import PULLBACKS, Array, Axis, pullback
from tinygrad_jp.core.arrays import keepdims_shape, normalize_axes, reduced_size
from tinygrad_jp.core.table import composition
from tinygrad_jp.kinds import DTypeLike, np


@pullback(np.sum)
def d_sum(
    gy: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None
) -> Array:
    """Every summand moves the sum by one: spread gy back over the summed axes."""
    if axis is not None and not keepdims:
        gy = np.reshape(gy, keepdims_shape(x.shape, axis))
    return np.broadcast_to(gy, x.shape)


@pullback(np.mean)
def d_mean(
    gy: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None
) -> Array:
    """Each of n elements moves the mean by 1/n."""
    return d_sum(gy * (1 / max(reduced_size(x.shape, axis), 1)), y, x, axis, keepdims)


@pullback(np.max)
def d_max(gy: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Only what reaches the extreme moves it; where several do, they share alike."""
    shape = keepdims_shape(x.shape, axis)
    hit = (x == np.reshape(y, shape)).astype(x.dtype)
    # As means, since a sum of ones overflows in float16.
    share = hit * (1 / max(reduced_size(x.shape, axis), 1)) / hit.mean(axis=normalize_axes(axis, x.ndim), keepdims=True)
    return np.reshape(gy, shape) * share


PULLBACKS |= {np.min: d_max, np.amax: d_max, np.amin: d_max}


@pullback(np.var)
def d_var(gy: Array, y: Array, x: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Array:
    """Twice the deviation from the mean, over the degrees of freedom; the derivative of the mean itself cancels out."""
    free = max(reduced_size(x.shape, axis) - ddof, 0)
    gy = gy * (2 / free if free else np.nan)  # NumPy's variance is NaN or infinite there, and has warned of it.
    return np.reshape(gy, keepdims_shape(x.shape, axis)) * (x - x.mean(axis=axis, keepdims=True))


@pullback(np.std)
def d_std(gy: Array, y: Array, x: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Array:
    """Half the derivative of the variance, over the deviation; 0 where all elements are equal."""
    return d_var(divide_or_zero(gy, 2 * y), y, x, axis, ddof, keepdims)


@pullback(np.cumsum)
def d_cumsum(gy: Array, y: Array, x: Array, axis: int | None = None, dtype: DTypeLike | None = None) -> Array:
    """An element adds to every sum from its own place on."""
    along = 0 if axis is None else axis
    return np.reshape(np.flip(np.cumsum(np.flip(gy, along), along), along), x.shape)


@composition(np.prod)
def prod(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """By halves: a tree of products, whose derivatives are right at zeros, too."""
    shape = np.shape(a)
    axes = normalize_axes(axis, len(shape))
    rest = [n for i, n in enumerate(shape) if i not in axes]
    x = np.reshape(np.moveaxis(a, axes, range(len(axes))), (reduced_size(shape, axis), *rest))
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] * x[half : 2 * half]
        x = np.concatenate([pairs, x[2 * half :]]) if len(x) % 2 else pairs
    y = x[0] if len(x) else np.sum(x, axis=0) + 1  # The product of nothing is 1.
    return np.reshape(y, keepdims_shape(shape, axis)) if keepdims else y


@composition(np.average)
def average(
    a: Array, axis: Axis = None, weights: Array | None = None, returned: bool = False, keepdims: bool = False
) -> Array:
    """Σ w·a / Σ w. Weights are of a's shape, or of that of the axes, in the order in which `axis` names them."""
    shape = np.shape(a)
    if weights is None:
        y = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.asarray(np.size(a) / np.size(y), np.result_type(a))
    else:
        if np.shape(weights) != shape:
            weights = _weights_along(axis, weights, shape)
        total = np.sum(np.broadcast_to(weights, shape), axis=axis, keepdims=keepdims)
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
