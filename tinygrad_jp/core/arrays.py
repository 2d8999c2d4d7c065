"""Operations on arrays that NumPy lacks, in NumPy's own words, so that most of them run on Variables, too."""

import math
from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_jp.devices import on_device
from tinygrad_jp.kinds import Array, ArrayMethods, Axis, DTypeLike, Shape, np
from tinygrad_jp.memory import is_released as is_released
from tinygrad_jp.memory import released as released


def as_data(data: Any, whose: str = "Variable") -> Any:
    """`data` as an array of numbers, or as a NumPy scalar if it is a single number."""
    if isinstance(data, ArrayMethods) and not on_device(data):
        raise TypeError(f"{whose}: expected an array, a list or a number, got a Variable; use as_variable(x) or x.data")
    if isinstance(data, np.ndarray) and hasattr(data, "mask"):
        raise TypeError(f"{whose}: expected an array, got a masked array; fill it first, with a.filled(0)")
    try:
        array = data if type(data) is np.ndarray or on_device(data) else np.asarray(data)
    except ValueError as error:
        raise TypeError(f"{whose}: the data do not form an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{whose}: expected an array, a list or a number (floats, integers or booleans), "
            f"got {type(data).__name__} of dtype {array.dtype}; convert it to numbers first"
        )
    if not array.dtype.isnative:  # Data from another machine: results are in this one's order of bytes.
        array = array.astype(array.dtype.newbyteorder("="))
    return array if array.ndim or on_device(array) else array[()]


def sum_to(x: Array, shape: Shape) -> Array:
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
    if x.dtype == np.float16:  # Summed in float32: in float16, 2048 + 1 is 2048.
        y = np.sum(x, axis=axes, keepdims=True, dtype=np.float32).astype(x.dtype)
    else:
        y = np.sum(x, axis=axes, keepdims=True)
    return np.reshape(y, shape) if lead else y


def normalize_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes that `axis` stands for, counted from the first. Raises AxisError where there is no such axis.

    >>> normalize_axes((0, -1), ndim=3), normalize_axes(None, ndim=2)
    ((0, 2), (0, 1))
    """
    if axis is None or (ndim == 0 and axis in (0, -1)):  # NumPy reduces a number over its axis 0.
        return tuple(range(ndim))
    return normalize_axis_tuple(axis, ndim)


def keepdims_shape(shape: Shape, axis: Axis) -> Shape:
    """The shape that a reduction of `shape` over `axis` leaves with `keepdims=True`.

    >>> keepdims_shape((2, 3, 4), axis=(0, -1))
    (1, 3, 1)
    """
    axes = normalize_axes(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def reduced_size(shape: Shape, axis: Axis) -> int:
    """How many elements of `shape` a reduction over `axis` folds into one.

    >>> reduced_size((2, 3, 4), axis=(0, -1))
    8
    """
    return math.prod(shape[i] for i in normalize_axes(axis, len(shape)))


def astype(x: Array, dtype: DTypeLike) -> Array:
    """`x` in another dtype."""
    return x.astype(dtype)


class Outputs(tuple[Array, ...]):
    """The outputs of a function that has several, or their gradients (None where there is none)."""

    __slots__ = ()

    def __add__(self, other: Array) -> "Outputs":
        return Outputs(b if a is None else a if b is None else a + b for a, b in zip(self, other, strict=True))


def output(ys: Outputs, i: int, n: int) -> Array:
    """The `i`-th of `n` outputs."""
    return ys[i]
