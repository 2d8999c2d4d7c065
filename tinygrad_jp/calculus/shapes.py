"""Shapes: what moves elements, repeats them, or leaves some out."""

import operator
from typing import Any

import numpy

from tinygrad_jp.core import PULLBACKS, Array, Outputs, Shape, apply, output, primitive, pullback
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.kinds import Index, np
from tinygrad_jp.core.table import Joint, composition


@primitive
def scatter_add(x: Array, index: Index, shape: Shape) -> Array:
    """Zeros of `shape` with `x` added at `index`: the adjoint of `[index]`. Where indices repeat, the parts add up.

    >>> scatter_add(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 2]), (4,))
    array([1., 0., 5., 0.])
    """
    y = np.zeros(shape, x.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if all(i is None or i is Ellipsis or isinstance(i, int | np.integer | slice) for i in parts):
        y[index] = x  # Slices never meet an element twice.
    elif isinstance(index, np.ndarray) and index.dtype.kind in "iu" and y.ndim > 1:
        _add_rows(y, index.ravel().astype(np.intp) % max(len(y), 1), x.reshape(index.size, *shape[1:]))
    else:
        np.add.at(y, index, x)
    return y


def _add_rows(y: Array, index: Array, x: Array) -> None:
    """Set y[i] to the sum of the rows of x whose index is i: sorted first, five times as fast as `np.add.at`."""
    order = index.argsort(kind="stable")
    index = index[order]
    first = np.flatnonzero(np.diff(index, prepend=-1))
    y[index[first]] = np.add.reduceat(x[order], first, axis=0)


@pullback(operator.getitem)
def d_getitem(gy: Any, y: Any, x: Any, index: Any) -> Any:
    """The adjoint of taking is putting back."""
    return scatter_add(gy, index, x.shape)


@pullback(scatter_add)
def d_scatter(gy: Any, y: Any, x: Any, index: Any, shape: Shape) -> Any:
    """The adjoint of putting is taking."""
    return gy[index]


@pullback(output)
def d_output(gy: Any, y: Any, ys: Any, i: int, n: int) -> Any:
    """The gradient of the i-th output alone."""
    return Outputs(gy if j == i else None for j in range(n))


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


PULLBACKS |= {_concatenate: Joint(d_concatenate), _stack: Joint(d_stack)}


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
