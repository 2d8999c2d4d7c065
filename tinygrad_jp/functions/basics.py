"""NumPy's functions under DeZero's names, and the affine map."""

import math

from tinygrad_jp.core import PULLBACKS, Array, ArrayLike, Axis, Shape, Variable, apply, arrays, as_variable, primitive
from tinygrad_jp.core.table import OUTPUT_UNUSED
from tinygrad_jp.devices import DEVICES, apart, beside, fetched, on_device
from tinygrad_jp.functions.precision import DOUBLE, SINGLE, upcast
from tinygrad_jp.functions.stable import sum_rows
from tinygrad_jp.kinds import DTypeLike, Index, np

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


def sin(x: ArrayLike) -> Variable:
    """The sine of x, in radians.

    >>> sin([0.0, np.pi / 2])
    variable([0. 1.])
    """
    return apply(np.sin, x)


def cos(x: ArrayLike) -> Variable:
    """The cosine of x, in radians.

    >>> cos([0.0, np.pi])
    variable([ 1. -1.])
    """
    return apply(np.cos, x)


def tanh(x: ArrayLike) -> Variable:
    """The hyperbolic tangent of x.

    >>> tanh([-100.0, 0.0, 100.0])
    variable([-1.  0.  1.])
    """
    return apply(np.tanh, x)


def exp(x: ArrayLike) -> Variable:
    """e to the power x.

    >>> exp([0.0, 1.0])
    variable([1.         2.71828183])
    """
    return apply(np.exp, x)


def log(x: ArrayLike) -> Variable:
    """The natural logarithm of x.

    >>> log([1.0, np.e])
    variable([0. 1.])
    """
    return apply(np.log, x)


@upcast("x")
def sum(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The sum of x over `axis`, or over all.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    variable([4. 6.])
    """
    return apply(np.sum, x, axis=axis, keepdims=keepdims)


def mean(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean of x over `axis`, or over all.

    >>> mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
    variable([2. 3.])
    """
    return apply(np.mean, x, axis=axis, keepdims=keepdims)


average = mean


def max(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The largest element of x over `axis`, or of all. Equal ones share the gradient equally.

    >>> max([[1.0, 5.0], [4.0, 2.0]], axis=1)
    variable([5. 4.])
    """
    return apply(np.max, x, axis=axis, keepdims=keepdims)


def min(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The smallest element of x over `axis`, or of all. Equal ones share the gradient equally.

    >>> min([[1.0, 5.0], [4.0, 2.0]], axis=1)
    variable([1. 2.])
    """
    return apply(np.min, x, axis=axis, keepdims=keepdims)


def clip(x: ArrayLike, x_min: ArrayLike, x_max: ArrayLike) -> Variable:
    """x where it lies between the bounds, otherwise the nearer bound. Its slope is 1 up to the bounds, 0 beyond.

    >>> clip([-2.0, 0.5, 2.0], -1.0, 1.0)
    variable([-1.   0.5  1. ])
    """
    return apply(np.clip, x, x_min, x_max)


def reshape(x: ArrayLike, shape: Shape) -> Variable:
    """The elements of x in another shape. One of its lengths may be -1, which stands for what is left.

    >>> reshape(np.arange(6), (3, -1)).shape
    (3, 2)
    """
    return apply(np.reshape, x, shape=shape)


def flatten(x: ArrayLike) -> Variable:
    """Each example of x (N, ...) as one row: (N, D).

    >>> flatten(np.zeros((10, 3, 8, 8))).shape
    (10, 192)
    """
    shape = np.shape(x)
    if not shape:
        raise ValueError("flatten: expected x of shape (N, ...), got a single number; use reshape(x, (1, 1))")
    return apply(np.reshape, x, shape=(shape[0], math.prod(shape[1:])))


def transpose(x: ArrayLike, axes: Shape | None = None) -> Variable:
    """x with its axes in the order `axes`, or reversed.

    >>> transpose(np.zeros((2, 3, 4))).shape, transpose(np.zeros((2, 3, 4)), (0, 2, 1)).shape
    ((4, 3, 2), (2, 4, 3))
    """
    return apply(np.transpose, x, axes=axes)


def expand_dims(x: ArrayLike, axis: Axis) -> Variable:
    """x with a new axis of length 1 at `axis`.

    >>> expand_dims([1.0, 2.0], 1).shape
    (2, 1)
    """
    return apply(np.expand_dims, x, axis=axis)


@upcast("x")
def broadcast_to(x: ArrayLike, shape: Shape) -> Variable:
    """x, repeated to `shape` by the rules of broadcasting.

    >>> broadcast_to([1.0, 2.0], (2, 2))
    variable([[1. 2.]
              [1. 2.]])
    """
    return apply(np.broadcast_to, x, shape=shape)


@upcast("x")
def sum_to(x: ArrayLike, shape: Shape) -> Variable:
    """x, summed down to `shape`: the adjoint of `broadcast_to`.

    >>> sum_to([[1.0, 2.0], [3.0, 4.0]], (1, 2))
    variable([[4. 6.]])
    """
    return arrays.sum_to(as_variable(x), shape)


@upcast("x")
def get_item(x: ArrayLike, slices: Index) -> Variable:
    """`x[slices]`. Where an index occurs more than once, its gradients add up.

    >>> get_item([1.0, 2.0, 3.0], [0, 2, 2])
    variable([1. 3. 3.])
    """
    return as_variable(x)[slices]


@upcast("W")
def embed_id(x: ArrayLike, W: ArrayLike) -> Variable:
    """The rows of W (V, D) at the integers x, of shape (*x.shape, D).

    >>> embed_id([1, 0, 1], [[0.0, 0.5], [1.0, 1.5]])
    variable([[1.  1.5]
              [0.  0.5]
              [1.  1.5]])
    """
    W = as_variable(W)
    if not W.ndim:
        raise ValueError("embed_id: expected W of shape (V, D), got a single number")
    ids = as_integers("embed_id", x, W)
    check_range("embed_id", ids, W.shape[0])
    return W[ids]


def one_hot(t: ArrayLike, n: int, dtype: DTypeLike = np.float32) -> Variable:
    """Rows of `n` zeros with a one at each label: shape (*t.shape, n). It has no gradient.

    >>> one_hot([2, 0], 3)
    variable([[0. 0. 1.]
              [1. 0. 0.]])
    """
    labels = as_integers("one_hot", t)
    check_range("one_hot", labels, n)
    return Variable(one_hot_rows(labels, n, dtype))


@primitive
def one_hot_rows(t: Array, n: int, dtype: DTypeLike = np.float32) -> Array:
    """`one_hot` for rules: an array, of labels that have been checked.

    >>> one_hot_rows(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    y = np.zeros((t.size, n), dtype, like=t)
    y[np.arange(t.size, like=t), t.ravel()] = 1
    return y.reshape(*t.shape, n)


def as_integers(name: str, t: ArrayLike, x: ArrayLike | None = None) -> Array:
    """The labels or indices `t` as an array of integers, where x is. Otherwise an error in the name of `name`."""
    given = t.data if isinstance(t, Variable) else t
    plain = isinstance(given, np.ndarray) and not on_device(given)
    integers: Array = np.asarray(given) if plain else beside(given, x)
    if DEVICES and (error := apart(name, (x, integers))):
        raise error
    if not integers.size and integers.dtype.kind == "f":  # NumPy takes an empty list for floats.
        return integers.astype(int)
    if integers.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {integers.dtype}; use .astype(int)")
    return integers


def check_range(name: str, t: Array, n: int) -> None:
    """Refuse integers that are not from 0 to n − 1."""
    if not t.size:
        return
    low, high = t.min(), t.max()
    if on_device(t):  # Fetched at once: each time, the host waits for the device.
        low, high = fetched(np.stack([low, high]))
    if not 0 <= low <= high < n:
        remedy = f"; give ignore_label={low} to leave those out" if low < 0 and "entropy" in name else ""
        raise ValueError(f"{name}: expected integers from 0 to {n - 1}, got {low} to {high}{remedy}")


@upcast("x", "W")
def matmul(x: ArrayLike, W: ArrayLike) -> Variable:
    """The product of matrices, x @ W, with x (..., N, K), W (..., K, M) and the result (..., N, M).

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    variable([[11.]])
    """
    return apply(np.matmul, x, W)


def linear(x: ArrayLike, W: ArrayLike, b: ArrayLike | None = None) -> Variable:
    """The affine map of a fully connected layer.

    y = x·W + b, with x of shape (..., I), W (I, O), b (O,) or None, and y (..., O). Another b is broadcast to y.

    >>> linear([[1.0, 2.0]], [[1.0, 0.0], [0.0, 3.0]], [0.5, 0.5])
    variable([[1.5 6.5]])
    """
    if getattr(x, "ndim", 0) == 2 and ((dtype := x.dtype) is SINGLE or dtype is DOUBLE):  # type: ignore[union-attr]
        return apply(_linear, x, W, b)
    return _linear_of_any(x, W, b)


@upcast("x", "W", "b")
def _linear_of_any(x: ArrayLike, W: ArrayLike, b: ArrayLike | None) -> Variable:
    """`linear` of examples of any shape and dtype."""
    shape = np.shape(x)
    if not shape:
        raise ValueError("linear: expected x of shape (..., I), got one number; give an array of one element")
    if np.ndim(b) > 1:
        return linear(x, W) + b
    if len(shape) == 2:
        return apply(_linear, x, W, b)
    rows = apply(_linear, np.reshape(x, (math.prod(shape[:-1]), shape[-1])), W, b)  # BLAS multiplies matrices only.
    return rows.reshape(*shape[:-1], rows.shape[-1])


def _linear(x: Array, W: Array, b: Array | None) -> Array:
    if W.ndim != 2:
        raise ValueError("expected W of shape (I, O); reshape it")
    y = x.dot(W)
    if b is None:
        return y
    if b.dtype != y.dtype:
        y = y.astype(np.result_type(y, b))
    y += b
    return y


# `np.dot` and no method of x, which may be an array while gy is a Variable.
PULLBACKS[_linear] = (
    lambda gy, y, x, W, b: gy.dot(W.T),
    lambda gy, y, x, W, b: np.dot(x.T, gy),
    lambda gy, y, x, W, b: sum_rows(gy) if b.shape == gy.shape[1:] else arrays.sum_to(gy, b.shape),
)
OUTPUT_UNUSED.add(_linear)
