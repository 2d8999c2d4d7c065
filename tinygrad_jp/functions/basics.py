"""NumPy's functions under DeZero's names, and the affine map."""

import math
from typing import Any

import numpy

from tinygrad_jp.core import PULLBACKS, Axis, Shape, Variable, apply, arrays, as_variable
from tinygrad_jp.core.kinds import np
from tinygrad_jp.core.table import OUTPUT_UNUSED
from tinygrad_jp.functions.stable import sum_rows

__all__ = [
    "average",
    "broadcast_to",
    "clip",
    "cos",
    "embed_id",
    "exp",
    "expand_dims",
    "flatten",
    "get_item",
    "linear",
    "log",
    "matmul",
    "max",
    "mean",
    "min",
    "one_hot",
    "reshape",
    "sin",
    "sum",
    "sum_to",
    "tanh",
    "transpose",
]


def sin(x: Any) -> Variable:
    """The sine of x, in radians."""
    return apply(np.sin, x)


def cos(x: Any) -> Variable:
    """The cosine of x, in radians."""
    return apply(np.cos, x)


def tanh(x: Any) -> Variable:
    """The hyperbolic tangent of x."""
    return apply(np.tanh, x)


def exp(x: Any) -> Variable:
    """e to the power x."""
    return apply(np.exp, x)


def log(x: Any) -> Variable:
    """The natural logarithm of x."""
    return apply(np.log, x)


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The sum of x over `axis`, or over all.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    variable([4. 6.])
    """
    return apply(np.sum, x, axis=axis, keepdims=keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean of x over `axis`, or over all.

    >>> mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
    variable([2. 3.])
    """
    return apply(np.mean, x, axis=axis, keepdims=keepdims)


average = mean


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The largest element of x over `axis`, or of all. Equal ones share the gradient equally."""
    return apply(np.max, x, axis=axis, keepdims=keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The smallest element of x over `axis`, or of all. Equal ones share the gradient equally."""
    return apply(np.min, x, axis=axis, keepdims=keepdims)


def clip(x: Any, x_min: Any, x_max: Any) -> Variable:
    """x, where it lies between the bounds, else the nearer bound. The slope is 1 between them and on them, else 0.

    >>> clip([-2.0, 0.5, 2.0], -1.0, 1.0)
    variable([-1.   0.5  1. ])
    """
    return apply(np.clip, x, x_min, x_max)


def reshape(x: Any, shape: Shape) -> Variable:
    """The elements of x in another shape, of which one length may be -1."""
    return apply(np.reshape, x, shape=shape)


def flatten(x: Any) -> Variable:
    """Each example of x (N, ...) as one row: (N, D).

    >>> flatten(np.zeros((10, 3, 8, 8))).shape
    (10, 192)
    """
    n = np.shape(x)[0]
    return apply(np.reshape, x, shape=(n, int(np.size(x) // n) if n else -1))


def transpose(x: Any, axes: Shape | None = None) -> Variable:
    """x with its axes in the order `axes`, or reversed."""
    return apply(np.transpose, x, axes=axes)


def expand_dims(x: Any, axis: Axis) -> Variable:
    """x with a new axis of length 1 at `axis`."""
    return apply(np.expand_dims, x, axis=axis)


def broadcast_to(x: Any, shape: Shape) -> Variable:
    """x, repeated to `shape` by the rules of broadcasting."""
    return apply(np.broadcast_to, x, shape=shape)


def sum_to(x: Any, shape: Shape) -> Variable:
    """x, summed down to `shape`: the adjoint of `broadcast_to`.

    >>> sum_to([[1.0, 2.0], [3.0, 4.0]], (1, 2))
    variable([[4. 6.]])
    """
    return arrays.sum_to(as_variable(x), shape)


def get_item(x: Any, slices: Any) -> Variable:
    """`x[slices]`. Where indices repeat, the gradients add up.

    >>> get_item([1.0, 2.0, 3.0], [0, 2, 2])
    variable([1. 3. 3.])
    """
    return as_variable(x)[slices]


def embed_id(x: Any, W: Any) -> Variable:
    """The rows of W (V, D) at the integers x, of shape (*x.shape, D).

    >>> embed_id([1, 0, 1], [[0.0, 0.5], [1.0, 1.5]])
    variable([[1.  1.5]
              [0.  0.5]
              [1.  1.5]])
    """
    x = numpy.asarray(x.data if isinstance(x, Variable) else x)
    n = np.shape(W)[0]
    if x.dtype.kind not in "iu":
        raise TypeError(f"embed_id: expected integers, got {x.dtype}; use x.astype(int)")
    if x.size and not 0 <= x.min() <= x.max() < n:
        raise ValueError(f"embed_id: expected integers from 0 to {n - 1}, got {x.min()} to {x.max()}")
    return as_variable(W)[x]


def one_hot(t: Any, n: int, dtype: Any = np.float32) -> Variable:
    """Rows of `n` zeros with a one at each label: shape (*t.shape, n). It has no gradient.

    >>> one_hot([2, 0], 3)
    variable([[0. 0. 1.]
              [1. 0. 0.]])
    """
    t = numpy.asarray(t.data if isinstance(t, Variable) else t)
    if t.dtype.kind not in "iu" or (t.size and not 0 <= t.min() <= t.max() < n):
        raise ValueError(f"one_hot: expected integer labels from 0 to {n - 1}, got {t.dtype} {t.min()} to {t.max()}")
    return Variable(one_hot_rows(t, n, dtype))


def one_hot_rows(t: Any, n: int, dtype: Any = np.float32) -> Any:
    """Rows of zeros with a one at each label: shape `(*t.shape, n)`.

    >>> one_hot_rows(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    y = np.zeros((t.size, n), dtype)
    y[np.arange(t.size), t.ravel()] = 1
    return y.reshape(*t.shape, n)


def matmul(x: Any, W: Any) -> Variable:
    """The product of matrices, x @ W, with x (..., N, K), W (..., K, M) and the result (..., N, M)."""
    return apply(np.matmul, x, W)


def linear(x: Any, W: Any, b: Any = None) -> Variable:
    """The affine map of a fully connected layer.

    y = x·W + b, with x of shape (..., I), W (I, O), b (O,) or None, and y (..., O).

    >>> linear([[1.0, 2.0]], [[1.0, 0.0], [0.0, 3.0]], [0.5, 0.5])
    variable([[1.5 6.5]])
    """
    if getattr(x, "ndim", 0) == 2:
        return apply(_linear, x, W, b)
    shape = np.shape(x)
    if not shape:
        raise ValueError("linear: expected x of shape (..., I), got one number; give an array of one element")
    rows = apply(_linear, np.reshape(x, (math.prod(shape[:-1]), shape[-1])), W, b)  # BLAS multiplies matrices only.
    return rows.reshape(*shape[:-1], rows.shape[-1])


def _linear(x: Any, W: Any, b: Any) -> Any:
    y = x.dot(W)
    if b is None:
        return y
    if b.dtype != y.dtype or b.ndim != 1:
        return y + b
    y += b
    return y


PULLBACKS[_linear] = (
    lambda gy, y, x, W, b: gy.dot(W.T),
    lambda gy, y, x, W, b: np.dot(x.T, gy),  # No method of x, which may be an array where gy is a Variable.
    lambda gy, y, x, W, b: sum_rows(gy),
)
OUTPUT_UNUSED.add(_linear)
