"""Shapes: the derivatives of what moves elements, repeats them, joins them, or leaves some out."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy

from tinygrad_jp.core import PULLBACKS, Array, Outputs, Shape, apply, output, primitive, pullback
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.operators import plain_settings
from tinygrad_jp.core.table import CALLS, Joint, composition
from tinygrad_jp.devices import beside, device_of, on_device
from tinygrad_jp.kinds import ArrayMethods, DTypeLike, Index, np


@primitive
def scatter_add(x: Array, index: Index, shape: Shape) -> Array:
    """Zeros of `shape` with `x` added at `index`: the adjoint of `[index]`. Where indices repeat, the parts add up.

    >>> scatter_add(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 2]), (4,))
    array([1., 0., 5., 0.])
    """
    if x.dtype == np.float16:  # Added up in float32: in float16, 2048 + 1 is 2048.
        return scatter_add(x.astype(np.float32), index, shape).astype(x.dtype)
    y = np.zeros(shape, x.dtype, like=x if on_device(x) else None)
    parts = index if isinstance(index, tuple) else (index,)
    if all(i is None or i is Ellipsis or isinstance(i, int | np.integer | slice) for i in parts):
        y[index] = x  # Slices never meet an element twice.
    elif on_device(y):
        _add_on_device(y, index, x)
    elif isinstance(index, np.ndarray) and index.dtype.kind in "iu" and y.ndim > 1:
        _add_rows(y, index.ravel().astype(np.intp) % max(len(y), 1), x.reshape(index.size, *shape[1:]))
    else:
        np.add.at(y, index, x)
    return y


def _add_on_device(y: Array, index: Any, x: Array) -> None:
    """Add x to y[index]. CuPy's `np.add.at` takes one array as index: if need be, the places that the index means."""
    if not on_device(index):
        y, index, x = y.ravel(), np.arange(y.size, like=y).reshape(y.shape)[index].ravel(), x.ravel()
    np.add.at(y, index, x)


def _add_rows(y: Array, index: Array, x: Array) -> None:
    """Set y[i] to the sum of the rows of x whose index is i: sorted first, five times as fast as `np.add.at`."""
    order = index.argsort(kind="stable")
    index = index[order]
    first = np.flatnonzero(np.diff(index, prepend=-1))
    y[index[first]] = np.add.reduceat(x[order], first, axis=0)


@pullback(operator.getitem)
def d_getitem(gy: Array, y: Array, x: Array, index: Index) -> Array:
    """The adjoint of taking is putting back."""
    return scatter_add(gy, index, x.shape)


@pullback(scatter_add)
def d_scatter_add(gy: Array, y: Array, x: Array, index: Index, shape: Shape) -> Array:
    """The adjoint of putting is taking."""
    return gy[index]


@pullback(output)
def d_output(gy: Array, y: Array, ys: Array, i: int, n: int) -> Outputs:
    """The gradient of one output alone."""
    return Outputs(gy if j == i else None for j in range(n))


# ---------------------------------------------------------------------------------------------------------------------
# What moves, repeats and leaves out elements. Called on their places, such a function says where each came from.


def places(x: Array) -> Array:
    """The flat index of every element of x, in x's layout in memory."""
    index = np.zeros_like(x, dtype=np.intp)
    index[...] = np.arange(x.size, like=index).reshape(x.shape)
    return index


def put_back(gy: Array, x: Array, source: Array) -> Array:
    """Add each element of gy to the element of x that it came from; `source` holds their places."""
    return np.reshape(scatter_add(np.reshape(gy, -1), np.reshape(source, -1), (x.size,)), x.shape)


PULLBACKS |= {
    np.take_along_axis: lambda gy, y, x, indices, axis=-1: put_back(
        gy, x, np.take_along_axis(places(x), indices, axis)
    ),
    np.repeat: lambda gy, y, x, repeats, axis=None: put_back(gy, x, np.repeat(places(x), repeats, axis)),
    np.tile: lambda gy, y, x, reps: put_back(gy, x, np.tile(places(x), reps)),
    np.diagonal: lambda gy, y, x, offset=0, axis1=0, axis2=1: put_back(
        gy, x, np.diagonal(places(x), offset, axis1, axis2)
    ),
}


@pullback(np.take)
def d_take(gy: Array, y: Array, x: Array, indices: Array, axis: int | None = None, mode: str = "raise") -> Array:
    """Each element is put back to where it was taken from."""
    if axis is None or mode != "raise" or not x.ndim or not x.size:
        return put_back(gy, x, _take(places(x), indices, axis, mode))
    return scatter_add(gy, (slice(None),) * (axis % x.ndim) + (beside(indices, x).astype(np.intp),), x.shape)


def _take(x: Array, indices: Array, axis: int | None, mode: str) -> Array:
    """`np.take`, which knows no mode in CuPy."""
    if not on_device(x):
        return np.take(x, indices, axis, mode=mode)
    n = x.size if axis is None else x.shape[axis]
    places = beside(indices, x)
    return np.take(x, {"raise": places, "wrap": places % n}.get(mode, np.clip(places, 0, n - 1)), axis)


def _sort(x: Array, axis: int | None = -1, **settings: Any) -> Array:
    """`np.sort`, which is always stable in CuPy, and knows no kinds."""
    return np.sort(x, axis) if on_device(x) else np.sort(x, axis, **settings)


@pullback(np.pad)
def d_pad(
    gy: Array,
    y: Array,
    x: Array,
    pad_width: Any,
    mode: str = "constant",
    constant_values: Any = 0,
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Array:
    """Cutting the margin off; where it is made of elements, adding it to them."""
    if mode in ("edge", "reflect", "symmetric", "wrap") and reflect_type == "even":
        return put_back(gy, x, np.pad(places(x), pad_width, mode=mode))
    inside = np.pad(places(x) + 1, pad_width) > 0  # True where there is no margin.
    corner = [int(i) for i in np.argwhere(inside)[0]] if x.size else [0] * x.ndim
    if mode == "constant" or not x.size:
        return gy[tuple(slice(a, a + n) for a, n in zip(corner, x.shape, strict=True))]
    for i, (before, n) in enumerate(zip(corner, x.shape, strict=True)):
        widths = ((before, y.shape[i] - before - n), (0, 0))
        length = {} if stat_length is None else {"stat_length": (np.broadcast_to(stat_length, (x.ndim, 2))[i], (1, 1))}
        settings = length if mode == "mean" else {} if mode == "linear_ramp" else {"reflect_type": reflect_type}
        # Along one axis padding is a matrix: that which pads the columns of the identity.
        matrix = beside(np.pad(np.eye(n), widths, mode=mode, **settings).astype(gy.dtype), gy)
        gy = np.moveaxis(np.tensordot(matrix, gy, (0, i)), 0, i)
    return gy


LINEAR_MARGINS = ("constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "mean")


@composition(np.pad)
def pad(
    array: Array,
    pad_width: Any,
    mode: Any = "constant",
    constant_values: Any = None,
    end_values: Any = None,
    stat_length: Any = None,
    reflect_type: str | None = None,
) -> Array:
    if mode not in LINEAR_MARGINS:
        raise ValueError(
            f"np.pad: expected mode {' or '.join(map(repr, LINEAR_MARGINS))} on a Variable, got {mode!r}; "
            f"build other margins with np.concatenate"
        )
    settings = {"constant_values": constant_values, "end_values": end_values}
    settings |= {"stat_length": stat_length, "reflect_type": reflect_type}
    given = plain_settings(np.pad, {name: s for name, s in settings.items() if s is not None})
    return apply(np.pad, array, pad_width=pad_width, mode=mode, **given)


# ---------------------------------------------------------------------------------------------------------------------
# New shapes for the same elements


@pullback(np.reshape)
def d_reshape(gy: Array, y: Array, x: Array, shape: Shape, order: str = "C", copy: bool | None = None) -> Array:
    """The same elements in x's shape."""
    if order in ("C", "F"):
        return np.reshape(gy, x.shape, order=order)
    return put_back(gy, x, np.reshape(places(x), shape, order=order))


@pullback(np.ravel)
def d_ravel(gy: Array, y: Array, x: Array, order: str = "C") -> Array:
    """The same elements in x's shape."""
    return np.reshape(gy, x.shape, order=order) if order in ("C", "F") else put_back(gy, x, np.ravel(places(x), order))


@pullback(np.transpose)
def d_transpose(gy: Array, y: Array, x: Array, axes: Any = None) -> Array:
    """The inverse permutation."""
    return np.transpose(gy, None if axes is None else tuple(numpy.argsort([i % x.ndim for i in axes])))


PULLBACKS |= {
    np.squeeze: lambda gy, y, x, axis=None: np.reshape(gy, x.shape),
    np.expand_dims: lambda gy, y, x, axis: np.reshape(gy, x.shape),
    np.moveaxis: lambda gy, y, x, source, destination: np.moveaxis(gy, destination, source),
    np.swapaxes: lambda gy, y, x, axis1, axis2: np.swapaxes(gy, axis1, axis2),
    np.broadcast_to: lambda gy, y, x, shape: sum_to(gy, x.shape),
    np.flip: lambda gy, y, x, axis=None: np.flip(gy, axis),
    np.roll: lambda gy, y, x, shift, axis=None: np.roll(gy, numpy.negative(shift).tolist(), axis),
    # Of a vector, NumPy takes a matrix whose rows are all that vector.
    np.tril: lambda gy, y, x, k=0: sum_to(np.tril(gy, k), x.shape),
    np.triu: lambda gy, y, x, k=0: sum_to(np.triu(gy, k), x.shape),
}

CALLS |= {
    np.take: lambda x, indices, axis=None, mode="raise": _take(x, indices, axis, mode),
    np.reshape: lambda x, shape, **settings: np.reshape(x, shape, **settings),
    np.take_along_axis: lambda x, indices, axis=-1: np.take_along_axis(x, indices, axis),
    np.sort: _sort,
}

# ---------------------------------------------------------------------------------------------------------------------
# Joining and splitting


def together(x: Any) -> Any:
    """A nested list with Variables in it as one Variable, anything else as it is."""
    return stack(x) if isinstance(x, list | tuple) and _holds_variables(x) else x


def as_values(x: Any, *others: Any) -> Array:
    """x as an array, or as a Variable if it is one or holds some; a list becomes an array beside the others."""
    x = together(x)
    return x if isinstance(x, ArrayMethods) else beside(x, *(() if isinstance(x, np.ndarray) else others))


def _holds_variables(x: Any) -> bool:
    return isinstance(x, ArrayMethods) or (isinstance(x, list | tuple) and any(map(_holds_variables, x)))


@composition(np.concatenate)
def concatenate(
    arrays: Sequence[Array], axis: int | None = 0, dtype: DTypeLike | None = None, casting: Any = "same_kind"
) -> Array:
    return apply(_concatenate, *map(together, arrays), axis=axis, dtype=dtype, casting=casting)


@composition(np.stack)
def stack(arrays: Sequence[Array], axis: int = 0, dtype: DTypeLike | None = None, casting: Any = "same_kind") -> Array:
    return apply(_stack, *map(together, arrays), axis=axis, dtype=dtype, casting=casting)


@composition(np.vstack)
def vstack(tup: Sequence[Array], dtype: DTypeLike | None = None, casting: Any = "same_kind") -> Array:
    rows = [x if np.ndim(x) > 1 else np.reshape(x, (1, -1)) for x in map(together, tup)]
    return apply(_concatenate, *rows, axis=0, dtype=dtype, casting=casting)


@composition(np.hstack)
def hstack(tup: Sequence[Array], dtype: DTypeLike | None = None, casting: Any = "same_kind") -> Array:
    parts = [x if np.ndim(x) else np.reshape(x, 1) for x in map(together, tup)]
    axis = 0 if parts and np.ndim(parts[0]) == 1 else 1
    return apply(_concatenate, *parts, axis=axis, dtype=dtype, casting=casting)


def _concatenate(*xs: Array, axis: int | None = 0, dtype: DTypeLike | None = None, casting: Any = "same_kind") -> Array:
    return np.concatenate(xs, axis=axis, dtype=dtype, casting=casting)


def _stack(*xs: Array, axis: int = 0, dtype: DTypeLike | None = None, casting: Any = "same_kind") -> Array:
    if device_of(*xs) is not None:  # CuPy takes no numbers.
        xs = tuple(beside(x, *xs) if isinstance(x, float | int) else x for x in xs)
    return np.stack(xs, axis=axis, dtype=dtype, casting=casting)


def d_concatenate(
    gy: Array, y: Array, *xs: Array, axis: int | None = 0, dtype: DTypeLike | None = None, casting: Any = "same_kind"
) -> list[Array]:
    """Splitting at the seams."""
    seams = numpy.cumsum([np.size(x) if axis is None else x.shape[axis] for x in xs])[:-1].tolist()
    parts = np.split(gy, seams, axis=0 if axis is None else axis)
    return [np.reshape(part, np.shape(x)) for part, x in zip(parts, xs, strict=True)] if axis is None else parts


def d_stack(
    gy: Array, y: Array, *xs: Array, axis: int = 0, dtype: DTypeLike | None = None, casting: Any = "same_kind"
) -> list[Array]:
    """Taking the stack apart."""
    return list(gy.swapaxes(0, axis) if axis in (0, 1) else np.moveaxis(gy, axis, 0))


PULLBACKS |= {_concatenate: Joint(d_concatenate), _stack: Joint(d_stack)}
