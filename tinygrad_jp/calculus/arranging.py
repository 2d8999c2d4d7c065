"""Arranging: what turns, cuts, fills and lays out arrays. Rules follow elements by calling NumPy on their places."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from tinygrad_jp.calculus.shapes import as_values, scatter_add, together
from tinygrad_jp.core import PULLBACKS, Array, Axis, Shape, apply, pullback
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.operators import plain
from tinygrad_jp.core.table import CALLS, composition
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import ArrayMethods, DTypeLike, np


def gather_back(gy: Array, x: Array, moved: Callable[[Array], Array]) -> Array:
    """Add each element of gy to the element of x that it came from.

    `moved` does to the places of x what was done to x. They count from 1, and 0 is where nothing of x has gone.
    """
    source = moved(beside(numpy.arange(1, x.size + 1).reshape(x.shape), x))
    return np.reshape(scatter_add(np.reshape(gy, -1), np.reshape(source, -1), (x.size + 1,))[1:], x.shape)


PULLBACKS |= {
    np.copy: lambda gy, y, x, order="K": gy,
    np.rot90: lambda gy, y, x, k=1, axes=(0, 1): np.rot90(gy, -k, axes),
    np.diag: lambda gy, y, x, k=0: gather_back(gy, x, lambda p: np.diag(p, k)),
    np.diagflat: lambda gy, y, x, k=0: np.reshape(np.diagonal(gy, k), x.shape),
    np.delete: lambda gy, y, x, obj, axis=None: gather_back(gy, x, lambda p: np.delete(p, obj, axis)),
    np.resize: lambda gy, y, x, new_shape: gather_back(gy, x, lambda p: np.resize(p, new_shape)),
    np.extract: (None, lambda gy, y, m, x: gather_back(gy, x, lambda p: np.extract(m, p))),
    np.compress: (None, lambda gy, y, m, x, axis=None: gather_back(gy, x, lambda p: np.compress(m, p, axis))),
    np.insert: (
        lambda gy, y, x, obj, values, axis=None: gather_back(
            gy, x, lambda p: np.insert(p, obj, np.zeros(np.shape(values), int), axis)
        ),
        None,
        lambda gy, y, x, obj, values, axis=None: gather_back(
            gy, values, lambda p: np.insert(np.zeros(x.shape, int), obj, p, axis)
        ),
    ),
}

CALLS[np.delete] = lambda x, obj, axis=None: np.delete(x, obj, axis)  # CuPy names it otherwise.


@pullback(np.rollaxis)
def d_rollaxis(gy: Array, y: Array, x: Array, axis: int, start: int = 0) -> Array:
    """The inverse permutation of the axes."""
    order = numpy.rollaxis(numpy.empty(range(x.ndim)), axis, start).shape
    return np.transpose(gy, tuple(numpy.argsort(order).tolist()))


@composition(np.insert)
def insert(arr: Array, obj: Any, values: Array, axis: int | None = None) -> Array:
    indices = obj if isinstance(obj, slice) or np.size(obj) else np.asarray(obj, np.intp)
    return apply(np.insert, together(arr), indices, together(values), axis=axis)


@composition(np.append)
def append(arr: Array, values: Array, axis: int | None = None) -> Array:
    return np.concatenate([as_values(arr), as_values(values)], axis=axis)


@composition(np.flipud)
def flipud(m: Array) -> Array:
    return np.flip(_with_axes("np.flipud", m, 1), 0)


@composition(np.fliplr)
def fliplr(m: Array) -> Array:
    return np.flip(_with_axes("np.fliplr", m, 2), 1)


def _with_axes(whose: str, x: Array, n: int) -> Array:
    if np.ndim(x) < n:
        raise ValueError(f"{whose}: expected an array of {n} or more axes, got shape {np.shape(x)}")
    return x


# ---------------------------------------------------------------------------------------------------------------------
# One more axis, or more


@composition(np.atleast_1d)
def atleast_1d(*arys: Array) -> Any:
    return _one_or_all([x if np.ndim(x) else np.reshape(x, 1) for x in arys])


@composition(np.atleast_2d)
def atleast_2d(*arys: Array) -> Any:
    return _one_or_all([x if np.ndim(x) > 1 else np.reshape(x, (1, -1)) for x in arys])


@composition(np.atleast_3d)
def atleast_3d(*arys: Array) -> Any:
    return _one_or_all([x if np.ndim(x) > 2 else np.expand_dims(atleast_2d(x), -1) for x in arys])


def _one_or_all(xs: list[Array]) -> Any:
    return xs[0] if len(xs) == 1 else tuple(xs)


@composition(np.column_stack)
def column_stack(tup: Sequence[Array]) -> Array:
    columns = [x if np.ndim(x) > 1 else np.reshape(x, (-1, 1)) for x in map(together, tup)]
    return np.concatenate(columns, axis=1)


@composition(np.dstack)
def dstack(tup: Sequence[Array]) -> Array:
    return np.concatenate([atleast_3d(together(x)) for x in tup], axis=2)


@composition(np.broadcast_arrays)
def broadcast_arrays(*args: Array) -> tuple[Array, ...]:
    xs = [together(x) for x in args]
    shape = np.broadcast_shapes(*map(np.shape, xs))
    return tuple(np.broadcast_to(x, shape) for x in xs)


@composition(np.meshgrid)
def meshgrid(*xi: Array, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """Each vector along an axis of its own; with "xy", the first two change places."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"np.meshgrid: expected indexing 'xy' or 'ij', got {indexing!r}")
    n = len(xi)
    axes = [1 - i if indexing == "xy" and n > 1 and i < 2 else i for i in range(n)]
    grids = [
        np.reshape(x, tuple(-1 if j == i else 1 for j in range(n)))
        for x, i in zip(map(together, xi), axes, strict=True)
    ]
    return tuple(grids) if sparse else broadcast_arrays(*grids)


@composition(np.ix_)
def ix_(*args: Array) -> tuple[Array, ...]:
    """Indices, which are plain; but vectors of floats are an open mesh."""
    meshes = numpy.ix_(*map(plain, args))
    floats = [isinstance(x, ArrayMethods) and x.dtype.kind == "f" and x.size > 0 for x in args]
    return tuple(np.reshape(x, m.shape) if f else m for x, m, f in zip(args, meshes, floats, strict=True))


# ---------------------------------------------------------------------------------------------------------------------
# Cutting


def _cut(split: Any, x: Array, where: Any, axis: int) -> list[Array]:
    """The slices that NumPy's `split` would cut, each a Variable."""
    marks = split(numpy.arange(np.shape(x)[axis]), where)
    lead = (slice(None),) * (axis % np.ndim(x))
    return [x[(*lead, slice(m[0], m[-1] + 1) if len(m) else slice(0, 0))] for m in marks]


@composition(np.split)
def split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    return _cut(numpy.split, ary, indices_or_sections, axis)


@composition(np.array_split)
def array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    return _cut(numpy.array_split, ary, indices_or_sections, axis)


@composition(np.hsplit)
def hsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    return split(_with_axes("np.hsplit", ary, 1), indices_or_sections, 1 if np.ndim(ary) > 1 else 0)


@composition(np.vsplit)
def vsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    return split(_with_axes("np.vsplit", ary, 2), indices_or_sections, 0)


@composition(np.dsplit)
def dsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    return split(_with_axes("np.dsplit", ary, 3), indices_or_sections, 2)


@composition(np.unstack)
def unstack(x: Array, axis: int = 0) -> tuple[Array, ...]:
    return tuple(np.moveaxis(_with_axes("np.unstack", x, 1), axis, 0))


# ---------------------------------------------------------------------------------------------------------------------
# Filling


@composition(np.full)
def full(shape: int | Shape, fill_value: Array, dtype: DTypeLike | None = None, order: str = "C") -> Array:
    """NumPy asks here only for `np.full(shape, v, like=v)`."""
    y = np.broadcast_to(together(fill_value), shape)
    return y if dtype is None else y.astype(dtype)


@composition(np.asarray)
def asarray(a: Any, dtype: DTypeLike | None = None) -> Array:
    """A nested list with Variables in it, stacked. NumPy asks here only for `np.asarray([a, b], like=a)`."""
    y = together(a)
    return y if dtype is None or y.dtype == dtype else y.astype(dtype)


@composition(np.array)
def array(object: Any, dtype: DTypeLike | None = None) -> Array:
    return asarray(object, dtype)


@composition(np.astype)
def astype(x: Array, dtype: DTypeLike, copy: bool = True) -> Array:
    return x.astype(dtype, copy=copy)


@composition(np.linspace)
def linspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    start, stop = together(start), together(stop)
    y = apply(np.linspace, start, stop, num=num, endpoint=endpoint, dtype=dtype, axis=axis)
    if not retstep:
        return y
    steps = num - 1 if endpoint else num
    return y, (np.subtract(stop, start) / steps if steps > 0 else np.nan)


def _shares(gy: Array, x: Array, num: int, endpoint: bool, axis: int, first: bool) -> Array:
    """The gradient of an end: the share that it has in each of the numbers, times its gradient."""
    t = beside(numpy.linspace(0, 1, num, endpoint).astype(gy.dtype), gy)
    return sum_to(np.moveaxis(gy, axis, -1) @ (1 - t if first else t), x.shape)


PULLBACKS[np.linspace] = (
    lambda gy, y, a, b, num=50, endpoint=True, dtype=None, axis=0: _shares(gy, a, num, endpoint, axis, first=True),
    lambda gy, y, a, b, num=50, endpoint=True, dtype=None, axis=0: _shares(gy, b, num, endpoint, axis, first=False),
)


@composition(np.logspace)
def logspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    base: Array = 10.0,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Array:
    """base ** linspace."""
    start, stop, base = together(start), together(stop), together(base)
    if np.ndim(base):
        n = len(np.broadcast_shapes(*map(np.shape, (start, stop, base))))
        start, stop, base = (np.reshape(x, (1,) * (n - np.ndim(x)) + np.shape(x)) for x in (start, stop, base))
        base = np.expand_dims(base, axis)
    y = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


@composition(np.geomspace)
def geomspace(
    start: Array, stop: Array, num: int = 50, endpoint: bool = True, dtype: DTypeLike | None = None, axis: int = 0
) -> Array:
    """Steps of equal ratio: exp of a linspace of logarithms."""
    kind = np.result_type(as_values(start).dtype, as_values(stop).dtype, np.float64)
    start, stop = as_values(start).astype(kind), as_values(stop).astype(kind)
    if (start == 0).any() or (stop == 0).any():
        raise ValueError("np.geomspace: expected ends that are not 0")
    sign = np.sign(start)
    y = sign * np.power(10.0, np.linspace(np.log10(start * sign), np.log10(stop * sign), num, endpoint))
    ends = [np.broadcast_to(end, (1, *y.shape[1:])) for end in (start, stop)]  # They have no rounding error.
    if num > 0:
        y = np.concatenate([ends[0], y[1:-1], ends[1]] if endpoint and num > 1 else [ends[0], y[1:]])
    y = np.moveaxis(y, 0, axis)
    return y if dtype is None else y.astype(dtype)


@composition(np.fft.fftshift)
def fftshift(x: Array, axes: Axis = None) -> Array:
    return _rolled_by_half(x, axes, 1)


@composition(np.fft.ifftshift)
def ifftshift(x: Array, axes: Axis = None) -> Array:
    return _rolled_by_half(x, axes, -1)


def _rolled_by_half(x: Array, axes: Axis, sign: int) -> Array:
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return np.roll(x, tuple(sign * (x.shape[i] // 2) for i in axes), axes)
