"""The derivatives, as a calculus book would list them.

A rule takes `gy`, the gradient of the output; `y`, the output; and the function's arguments, `x` or `a` and `b`. It
returns the gradient of one argument. On the ordinary backward pass all of these are arrays; under `create_graph` they
are Variables, so that a derivative has derivatives of its own. Rules of ufuncs need not think of broadcasting: the
engine sums their gradients back to the shape of the argument.
"""

import math
import operator
from typing import Any

import numpy

from tinygrad_jp.core import apply, arrays, primitive
from tinygrad_jp.core.arrays import Axis, Shape, count, kept, normalized, sum_to
from tinygrad_jp.core.table import PARTIAL, PLAIN, PULLBACKS, Together, composition, pullback

np: Any = numpy  # On Variables, NumPy's functions return Variables: its own type hints do not know.


def per(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    zero = b == 0
    return np.where(zero, 0, a) / np.where(zero, 1, b)


# ---------------------------------------------------------------------------------------------------------------------
# Element by element

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
    np.hypot: (lambda gy, y, a, b: gy * per(a, y), lambda gy, y, a, b: gy * per(b, y)),
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


# ---------------------------------------------------------------------------------------------------------------------
# Sums and extremes


@pullback(np.sum)
def d_sum(gy: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Every summand moves the sum by one: spread gy back over the summed axes."""
    if axis is not None and not keepdims:
        gy = np.reshape(gy, kept(x.shape, axis))
    return np.broadcast_to(gy, x.shape)


@pullback(np.mean)
def d_mean(gy: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Each of n elements moves the mean by 1/n."""
    return d_sum(gy / count(x.shape, axis), y, x, axis, keepdims)


@pullback(np.max)
def d_max(gy: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Only what reaches the extreme moves it; where several do, they share alike."""
    shape = kept(x.shape, axis)
    hit = x == np.reshape(y, shape)
    return np.reshape(gy, shape) * hit / hit.sum(axis=axis, keepdims=True, dtype=x.dtype)


PULLBACKS |= {np.min: d_max, np.amax: d_max, np.amin: d_max}


@pullback(np.var)
def d_var(gy: Any, y: Any, x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Twice the deviation from the mean, over the degrees of freedom; that of the mean itself cancels out."""
    gy = gy * (2 / (count(x.shape, axis) - ddof))
    return np.reshape(gy, kept(x.shape, axis)) * (x - x.mean(axis=axis, keepdims=True))


@pullback(np.std)
def d_std(gy: Any, y: Any, x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Half that of the variance, over the deviation; 0 where all is constant."""
    return d_var(per(gy, 2 * y), y, x, axis, ddof, keepdims)


@pullback(np.cumsum)
def d_cumsum(gy: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """An element adds to every sum from its own place on."""
    along = 0 if axis is None else axis
    return np.reshape(np.flip(np.cumsum(np.flip(gy, along), along), along), x.shape)


@composition(np.prod)
def prod(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """By halves: a tree of products, whose derivatives are right at zeros too."""
    axes = normalized(axis, a.ndim)
    rest = [n for i, n in enumerate(a.shape) if i not in axes]
    x = np.reshape(np.moveaxis(a, axes, range(len(axes))), (count(a.shape, axis), *rest))
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] * x[half : 2 * half]
        x = np.concatenate([pairs, x[2 * half :]]) if len(x) % 2 else pairs
    y = x[0] if len(x) else np.sum(x, axis=0) + 1  # The product of nothing is 1.
    return np.reshape(y, kept(a.shape, axis)) if keepdims else y


@composition(np.average)
def average(a: Any, axis: Axis = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    if weights is None:
        return np.mean(a, axis=axis, keepdims=keepdims)
    if np.shape(weights) != np.shape(a):
        axes = normalized(axis, np.ndim(a))
        weights = np.reshape(weights, [n if i in axes else 1 for i, n in enumerate(np.shape(a))])
    total = np.sum(np.broadcast_to(weights, np.shape(a)), axis=axis, keepdims=keepdims)
    return np.sum(a * weights, axis=axis, keepdims=keepdims) / total


@composition(np.sort)
def sort(a: Any, axis: int | None = -1) -> Any:
    """Each element carries its gradient back to where it came from."""
    if axis is None:
        return sort(np.reshape(a, -1), 0)
    return np.take_along_axis(a, np.argsort(a, axis=axis, kind="stable"), axis)


# ---------------------------------------------------------------------------------------------------------------------
# Shapes

scatter = primitive(arrays.scatter)


@pullback(operator.getitem)
def d_getitem(gy: Any, y: Any, x: Any, index: Any) -> Any:
    """The adjoint of taking is putting back."""
    return scatter(gy, index, x.shape)


@pullback(scatter)
def d_scatter(gy: Any, y: Any, x: Any, index: Any, shape: Shape) -> Any:
    """The adjoint of putting is taking."""
    return gy[index]


@pullback(np.transpose)
def d_transpose(gy: Any, y: Any, x: Any, axes: Any = None) -> Any:
    """The inverse permutation."""
    return np.transpose(gy, None if axes is None else tuple(numpy.argsort([i % x.ndim for i in axes])))


PULLBACKS |= {
    np.reshape: lambda gy, y, x, shape: np.reshape(gy, x.shape),
    np.squeeze: lambda gy, y, x, axis=None: np.reshape(gy, x.shape),
    np.expand_dims: lambda gy, y, x, axis: np.reshape(gy, x.shape),
    np.moveaxis: lambda gy, y, x, source, destination: np.moveaxis(gy, destination, source),
    np.swapaxes: lambda gy, y, x, axis1, axis2: np.swapaxes(gy, axis1, axis2),
    np.broadcast_to: lambda gy, y, x, shape: sum_to(gy, x.shape),
    np.flip: lambda gy, y, x, axis=None: np.flip(gy, axis),
    np.roll: lambda gy, y, x, shift, axis=None: np.roll(gy, -np.asarray(shift), axis),
    np.tril: lambda gy, y, x, k=0: np.tril(gy, k),
    np.triu: lambda gy, y, x, k=0: np.triu(gy, k),
}


@pullback(np.pad)
def d_pad(gy: Any, y: Any, x: Any, pad_width: Any, constant_values: Any = 0) -> Any:
    """Cutting the margin off."""
    margins = numpy.broadcast_to(pad_width, (x.ndim, 2))
    return gy[tuple(slice(a, a + n) for (a, _), n in zip(margins, x.shape, strict=True))]


@composition(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    if mode != "constant":
        raise ValueError(
            f"np.pad: expected mode 'constant' on a Variable, got {mode!r}; build other margins by np.take"
        )
    return apply(np.pad, array, pad_width=pad_width, constant_values=constant_values)


@composition(np.ravel)
def ravel(a: Any) -> Any:
    return np.reshape(a, -1)


@composition(np.concatenate)
def concatenate(arrays: Any, axis: int = 0) -> Any:
    return apply(_concatenate, *arrays, axis=axis)


@composition(np.stack)
def stack(arrays: Any, axis: int = 0) -> Any:
    return apply(_stack, *arrays, axis=axis)


def _concatenate(*xs: Any, axis: int = 0) -> Any:
    return np.concatenate(xs, axis=axis)


def _stack(*xs: Any, axis: int = 0) -> Any:
    return np.stack(xs, axis=axis)


def d_concatenate(gy: Any, y: Any, *xs: Any, axis: int = 0) -> Any:
    """Splitting at the seams."""
    return np.split(gy, numpy.cumsum([x.shape[axis] for x in xs])[:-1], axis=axis)


def d_stack(gy: Any, y: Any, *xs: Any, axis: int = 0) -> Any:
    """Taking the stack apart."""
    return list(gy.swapaxes(0, axis) if axis in (0, 1) else np.moveaxis(gy, axis, 0))


PULLBACKS |= {_concatenate: Together(d_concatenate), _stack: Together(d_stack)}


@composition(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """The slices that NumPy would cut, each a Variable."""
    n = ary.shape[axis]
    marks = numpy.split(numpy.arange(n), indices_or_sections)
    lead = (slice(None),) * (axis % ary.ndim)
    return [ary[(*lead, slice(m[0], m[-1] + 1) if len(m) else slice(0, 0))] for m in marks]


@composition(np.vstack)
def vstack(tup: Any) -> Any:
    return np.concatenate([x if np.ndim(x) > 1 else np.reshape(x, (1, -1)) for x in tup], axis=0)


@composition(np.hstack)
def hstack(tup: Any) -> Any:
    tup = [x if np.ndim(x) else np.reshape(x, 1) for x in tup]
    return np.concatenate(tup, axis=0 if np.ndim(tup[0]) == 1 else 1)


@composition(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """Broadcast a new axis before each, then merge the two."""
    reps = tuple(numpy.atleast_1d(reps).tolist())
    n = max(len(reps), A.ndim)
    reps, shape = (1,) * (n - len(reps)) + reps, (1,) * (n - A.ndim) + A.shape
    spread = np.broadcast_to(
        np.reshape(A, [m for size in shape for m in (1, size)]),
        [m for pair in zip(reps, shape, strict=True) for m in pair],
    )
    return np.reshape(spread, [r * size for r, size in zip(reps, shape, strict=True)])


@composition(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    n = a.size if axis is None else a.shape[axis]
    return np.take(a, numpy.repeat(numpy.arange(n), repeats), axis=axis)


@composition(np.take)
def take(a: Any, indices: Any, axis: int | None = None) -> Any:
    if axis is None:
        return np.reshape(a, -1)[indices]
    return a[(slice(None),) * (axis % a.ndim) + (indices,)]


@composition(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        return np.reshape(arr, -1)[indices]
    where = list(numpy.indices(indices.shape, sparse=True))
    where[axis] = indices
    return arr[tuple(where)]


# ---------------------------------------------------------------------------------------------------------------------
# What has no derivative, or a derivative of zero; and what is not defined everywhere

PLAIN |= {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    *(np.sign, np.signbit, np.floor, np.ceil, np.trunc, np.rint, np.round, np.fix, np.floor_divide),
    *(np.isnan, np.isinf, np.isfinite, np.isclose, np.allclose, np.array_equal, np.any, np.all),
    *(np.argmax, np.argmin, np.argsort, np.argwhere, np.nonzero, np.count_nonzero, np.searchsorted, np.unique),
    *(np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.shares_memory, np.may_share_memory),
    *(np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.array_repr, np.array_str, np.array2string),
}

PARTIAL |= {
    *(np.log, np.log2, np.log10, np.log1p, np.sqrt, np.reciprocal, np.divide, np.power),
    *(np.arcsin, np.arccos, np.arccosh, np.arctanh),
}
