"""Operations on arrays that NumPy lacks, in NumPy's own words.

Because each is written in calls that `Variable` records, most of them run on arrays and on Variables alike.
"""

import functools
import math
from typing import Any

import numpy

np: Any = numpy  # On Variables, NumPy's functions return Variables, which its own type hints do not know.

Shape = tuple[int, ...]
Axis = int | tuple[int, ...] | None


def sum_to(x: Any, shape: Shape) -> Any:
    """Sum `x` down to `shape`: the adjoint of broadcasting from `shape` to `x.shape`.

    >>> sum_to(np.ones((2, 3)), (3,))
    array([2., 2., 2.])
    >>> sum_to(np.ones((2, 3)), (2, 1))
    array([[3.],
           [3.]])
    """
    if x.shape == shape:
        return x
    lead = len(x.shape) - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, x.shape[lead:], strict=True)):
        raise ValueError(f"sum_to: {x.shape} is not {shape} broadcast; give the shape before broadcasting")
    axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 != x.shape[lead + i])
    y = np.sum(x, axis=axes, keepdims=True)
    return np.reshape(y, shape) if lead else y


def divide_or_zero(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0.

    >>> divide_or_zero(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    array([0. , 0.5])
    """
    zero = b == 0
    return np.where(zero, 0, a) / np.where(zero, 1, b)


def sum_rows(x: Any) -> Any:
    """The sum of x (..., D) over all axes but the last, as a product with ones: BLAS sums faster than NumPy.

    >>> sum_rows(np.ones((2, 3, 2)))
    array([6., 6.])
    """
    x = x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    return x.T.dot(_ones(len(x), x.dtype))


@functools.lru_cache(maxsize=16)
def _ones(n: int, dtype: Any) -> Any:
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def normalized(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes that `axis` stands for, counted from the first.

    >>> normalized((0, -1), ndim=3), normalized(None, ndim=2)
    ((0, 2), (0, 1))
    """
    if axis is None:
        return tuple(range(ndim))
    return tuple(i % ndim for i in (axis if isinstance(axis, tuple) else (axis,)))


def kept(shape: Shape, axis: Axis) -> Shape:
    """The shape that a reduction of `shape` over `axis` leaves with `keepdims=True`.

    >>> kept((2, 3, 4), axis=(0, -1))
    (1, 3, 1)
    """
    axes = normalized(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def count(shape: Shape, axis: Axis) -> int:
    """How many elements of `shape` a reduction over `axis` folds into one.

    >>> count((2, 3, 4), axis=(0, -1))
    8
    """
    return math.prod(shape[i] for i in normalized(axis, len(shape)))


def let_go(x: Any) -> Any:
    """What stands in the place of x where its memory has been used again: NaN in x's shape, in no memory.

    >>> let_go(np.ones((2, 2))).sum(), is_let_go(let_go(np.ones((2, 2))))
    (np.float64(nan), True)
    """
    return np.broadcast_to(x.dtype.type(np.nan), x.shape)


def is_let_go(x: Any) -> bool:
    """Whether x is what `let_go` returned."""
    return x.size > 1 and not any(x.strides) and bool(np.isnan(x.flat[0]))


def astype(x: Any, dtype: Any) -> Any:
    """`x` in another dtype."""
    return x.astype(dtype)


def scatter(x: Any, index: Any, shape: Shape) -> Any:
    """Zeros of `shape` with `x` added at `index`: the adjoint of `[index]`. Where indices repeat, the parts add up.

    >>> scatter(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 2]), (4,))
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


def _add_rows(y: Any, index: Any, x: Any) -> None:
    """Set y[i] to the sum of the rows of x whose index is i: sorted first, five times as fast as `np.add.at`."""
    order = index.argsort(kind="stable")
    index = index[order]
    first = np.flatnonzero(np.diff(index, prepend=-1))
    y[index[first]] = np.add.reduceat(x[order], first, axis=0)


def one_hot(t: Any, n: int, dtype: Any = np.float32) -> Any:
    """Rows of zeros with a one at each label: shape `(*t.shape, n)`.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    y = np.zeros((t.size, n), dtype)
    y[np.arange(t.size), t.ravel()] = 1
    return y.reshape(*t.shape, n)


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
        return x.dot(_ones(x.shape[-1], x.dtype))[..., None]
    return x.sum(axis=axis, keepdims=True)


def _is_last(axis: Axis, x: Any) -> bool:
    return axis == -1 or axis == x.ndim - 1
