"""Norms of vectors and of matrices, and how much a matrix may stretch an error."""

from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.core import Array, Axis, apply, as_variable, pullback
from tinygrad_jp.core.table import COMPOSITIONS, composition
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside, on_device
from tinygrad_jp.kinds import Rule, np


@composition(np.linalg.norm)
def norm(x: Array, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """Of vectors of any order; of matrices "fro", "nuc", 1, −1, 2, −2, inf and −inf."""
    x, ndim = _floats(x), np.ndim(x)
    axes = tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)
    if len(axes) > 2 and (axis is not None or ord is not None):
        raise ValueError(f"np.linalg.norm: expected one or two axes, got {len(axes)}; np.linalg.vector_norm takes more")
    if ord is None or (ord in ("fro", "f") and len(axes) == 2):
        return apply(_vector_norm, x, ord=2, axis=axes, keepdims=keepdims)
    if len(axes) == 1 and not isinstance(ord, str):
        return apply(_vector_norm, x, ord=ord, axis=axes, keepdims=keepdims)
    if len(axes) == 2 and ord in _OF_MATRICES:
        y = _OF_MATRICES[ord](np.moveaxis(x, axes, (-2, -1)))
        return np.expand_dims(y, axes) if keepdims else y
    of = f"vectors there are numbers, of matrices {', '.join(map(repr, ['fro', *_OF_MATRICES]))}"
    raise ValueError(f"np.linalg.norm: there is no ord={ord!r} of {counted(len(axes), 'axis', 'axes')}; of {of}")


def _floats(x: Array) -> Array:
    """A norm of integers is a float, as NumPy's is."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _largest(x: Array) -> Array:
    return np.max(x, axis=-1) if x.shape[-1] else np.sum(x, axis=-1)  # The largest of nothing is 0.


def _smallest(x: Array) -> Array:
    return np.min(x, axis=-1)


def _sums(x: Array, axis: int) -> Array:
    return np.sum(abs(x), axis=axis)


def _stretches(x: Array) -> Array:
    """The singular values; one that is 0 is at its minimum, a kink, where its slope is 0."""
    s = np.linalg.svdvals(x)
    rounding = 10 * np.finfo(s.dtype).eps * np.sum(s.data, axis=-1, keepdims=True)
    return np.where(s.data > rounding, s, s.data)


# Of the last two axes.
_OF_MATRICES: dict[Any, Rule] = {
    1: lambda x: _largest(_sums(x, -2)),
    -1: lambda x: _smallest(_sums(x, -2)),
    np.inf: lambda x: _largest(_sums(x, -1)),
    -np.inf: lambda x: _smallest(_sums(x, -1)),
    2: lambda x: _largest(_stretches(x)),
    -2: lambda x: _smallest(_stretches(x)),
    "nuc": lambda x: np.sum(_stretches(x), axis=-1),
}


@composition(np.linalg.vector_norm)
def vector_norm(x: Array, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Array:
    """Of all elements along the axes, as of one vector."""
    x, ndim = _floats(x), np.ndim(x)
    axes = tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)
    return apply(_vector_norm, x, ord=ord, axis=axes, keepdims=keepdims)


COMPOSITIONS[np.linalg.matrix_norm] = lambda x, keepdims=False, ord="fro": norm(x, ord, (-2, -1), keepdims)


def _vector_norm(x: Array, ord: float, axis: tuple[int, ...], keepdims: bool) -> Array:
    """(Σ |x|^ord)^(1/ord), in float32 for float16, whose squares would overflow."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    if on_device(x):
        return _norm_by_parts(wide, ord, axis, keepdims).astype(x.dtype)
    return np.linalg.vector_norm(wide, ord=ord, axis=axis, keepdims=keepdims).astype(x.dtype)


def _norm_by_parts(x: Array, ord: float, axis: tuple[int, ...], keepdims: bool) -> Array:
    """The same of an array on a device: CuPy has no vector_norm."""
    size = np.abs(x)
    if abs(ord) == np.inf:
        return (size.max if ord > 0 else size.min)(axis=axis, keepdims=keepdims)
    if ord == 0:
        return (x != 0).astype(x.dtype).sum(axis=axis, keepdims=keepdims)
    return (size**ord).sum(axis=axis, keepdims=keepdims) ** (1 / ord)


@pullback(_vector_norm)
def d_vector_norm(gy: Array, y: Array, x: Array, ord: float, axis: tuple[int, ...], keepdims: bool) -> Array:
    """(|x| / y)^(ord − 1) with the sign of x, which for ord 2 is the unit vector; 0 where all elements are 0."""
    if not keepdims:
        gy, y = np.expand_dims(gy, axis), np.expand_dims(y, axis)
    if ord == 0:
        return np.zeros_like(x) * gy
    if abs(ord) == np.inf:
        hit = (abs(x) == y).astype(x.dtype)
        return gy * np.sign(x) * hit / hit.sum(axis=axis, keepdims=True)
    if ord == 2:
        return gy * divide_or_zero(x, y)
    share = divide_or_zero(abs(x), y)
    return gy * np.sign(x) * np.where(share == 0, 1, share) ** (ord - 1)  # For ord < 1, a power of 0 is infinite.


@composition(np.linalg.cond)
def cond(x: Array, p: Any = None) -> Array:
    """The norm times that of the inverse; of a singular matrix infinite, and without a gradient."""
    x = as_variable(x)
    value = beside(np.linalg.cond(x.data, p))
    finite = np.isfinite(value)
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        a, b = (s[..., -1], s[..., 0]) if p == -2 else (s[..., 0], s[..., -1])
        return np.where(finite, a / np.where(finite, b, 1), value)
    x = np.where(finite[..., None, None], x, beside(numpy.eye(x.shape[-1], dtype=value.dtype), x))
    return np.where(finite, np.linalg.matrix_norm(x, ord=p) * np.linalg.matrix_norm(np.linalg.inv(x), ord=p), value)
