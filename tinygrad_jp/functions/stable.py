"""Sums, and exponentials without overflow, on plain arrays: what activations, losses and normalizations compute."""

import functools
import math
from typing import Any

import numpy as np

from tinygrad_jp.core import Array, Axis
from tinygrad_jp.core.kinds import DTypeLike


def sum_rows(x: Array) -> Array:
    """The sum of x (..., D) over all axes but the last, as a product with ones: BLAS sums faster than NumPy.

    >>> sum_rows(np.ones((2, 3, 2)))
    array([6., 6.])
    """
    x = x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    return x.T.dot(ones(len(x), x.dtype))


@functools.lru_cache(maxsize=16)
def ones(n: int, dtype: DTypeLike) -> Array:
    """A vector of n ones, which is shared, and cannot be written to."""
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ), from e to the power −|x|, which cannot overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """x − log Σ eˣ along `axis`."""
    y = x - _largest(x, axis)
    return y - np.log(np.maximum(_total(np.exp(y), axis), 0.5))


def softmax(x: Any, axis: Axis = -1) -> Any:
    """eˣ / Σ eˣ along `axis`."""
    e = np.exp(x - _largest(x, axis))
    return e / np.maximum(_total(e, axis), 0.5)  # A sum is at least 1; or 0, where all are −∞.


def logsumexp(x: Any, axis: Axis = -1, keepdims: bool = False) -> Any:
    """log Σ eˣ along `axis`."""
    m = _largest(x, axis)
    with np.errstate(divide="ignore"):  # The logarithm of no probability at all is −∞.
        y = m + np.log(_total(np.exp(x - m), axis))
    return y if keepdims else y.squeeze(axis)


def _largest(x: Any, axis: Axis) -> Any:
    """What x is shifted by before exp, which overflows above 88 in float32: finite, so that −∞ stays −∞."""
    if _is_last(axis, x) and x.shape[-1] <= 32:
        x = np.asfortranarray(x)  # Along short rows NumPy compares one by one, down long columns many at a time.
    return np.maximum(x.max(axis=axis, keepdims=True), np.finfo(x.dtype).min)


def _total(x: Any, axis: Axis) -> Any:
    """The sum along `axis`, kept with length 1: over the last axis as a product with ones, since BLAS sums faster."""
    if _is_last(axis, x):
        return x.dot(ones(x.shape[-1], x.dtype))[..., None]
    return x.sum(axis=axis, keepdims=True)


def _is_last(axis: Axis, x: Any) -> bool:
    return axis == -1 or axis == x.ndim - 1
