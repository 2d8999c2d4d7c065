"""The methods of ufuncs: `np.add.reduce` is `np.sum`, `np.multiply.outer` a product that broadcasts, and so on.

`at` and `reduceat` have no rule, nor has what is not in these tables; they are refused by name.
"""

from collections.abc import Callable
from typing import Any

import numpy

from tinygrad_jp.calculus.orders import running_max, running_min
from tinygrad_jp.core import PULLBACKS, Array, Axis, apply, pullback
from tinygrad_jp.core.arrays import keepdims_shape
from tinygrad_jp.core.table import COMPOSITIONS, composition
from tinygrad_jp.devices import on_device
from tinygrad_jp.kinds import DTypeLike, np


def _reduced(func: Any) -> Callable[..., Any]:
    """`func` as a method of a ufunc: along the first axis if none is given."""

    def reduce(
        array: Array,
        axis: Axis = 0,
        dtype: DTypeLike | None = None,
        keepdims: bool = False,
        initial: Array | None = None,
        where: Array = True,
    ) -> Array:
        settings = {"dtype": dtype, "initial": initial, "where": None if where is True else where}
        settings = {name: x for name, x in settings.items() if x is not None}
        return func(array, axis=axis, keepdims=keepdims, **settings)

    return reduce


def _accumulated(func: Any) -> Callable[..., Any]:
    def accumulate(array: Array, axis: int | None = 0, dtype: DTypeLike | None = None) -> Array:
        if not np.ndim(array):
            raise TypeError("accumulate: expected an array of one axis or more, got a single number")
        if axis is None and np.ndim(array) > 1:
            raise ValueError("accumulate: expected one axis, got axis=None of several; give the axis")
        return func(array, axis=axis or 0, dtype=dtype)

    return accumulate


def _outer(ufunc: numpy.ufunc) -> Callable[..., Any]:
    """Every element of A with every element of B: the axes of A, then those of B."""

    def outer(A: Array, B: Array) -> Array:
        return ufunc(np.reshape(A, np.shape(A) + (1,) * np.ndim(B)), B)

    return outer


COMPOSITIONS |= {
    np.add.reduce: _reduced(np.sum),
    np.multiply.reduce: _reduced(np.prod),
    np.maximum.reduce: _reduced(np.max),
    np.minimum.reduce: _reduced(np.min),
    np.fmax.reduce: _reduced(np.nanmax),
    np.fmin.reduce: _reduced(np.nanmin),
    np.add.accumulate: _accumulated(np.cumsum),
    np.multiply.accumulate: _accumulated(np.cumprod),
    np.maximum.accumulate: _accumulated(running_max),
    np.minimum.accumulate: _accumulated(running_min),
}
COMPOSITIONS |= {
    ufunc.outer: _outer(ufunc)
    for ufunc in PULLBACKS
    if isinstance(ufunc, numpy.ufunc) and ufunc.nin == 2 and not ufunc.signature
}


@composition(np.logaddexp.reduce)
def log_sum(array: Array, axis: Axis = 0, keepdims: bool = False) -> Array:
    return apply(_log_sum, array, axis=axis, keepdims=keepdims)


def _log_sum(x: Array, axis: Axis, keepdims: bool) -> Array:
    if not on_device(x):
        return np.logaddexp.reduce(x, axis, keepdims=keepdims)
    top = np.max(x, axis=axis, keepdims=True)
    shifted = np.where(x == top, 0, x - top)  # ∞ − ∞ is NaN.
    y = np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)) + top
    return y if keepdims else y.squeeze(axis)


@pullback(_log_sum)
def d_log_sum(gy: Array, y: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    """The share eˣ⁻ʸ of each element in the sum; 0 where the sum is infinite."""
    gy, y = (np.reshape(v, keepdims_shape(x.shape, axis)) for v in (gy, y))
    finite = np.isfinite(y)
    return gy * np.where(finite, np.exp(np.where(finite, x, 0) - np.where(finite, y, 0)), 0)
