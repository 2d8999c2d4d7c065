"""The methods of arrays that people reach for, each by NumPy's function of the same name."""

from typing import Any, Self

import numpy

from tinygrad_jp.core.arrays import Axis

np: Any = numpy  # On Variables, NumPy's functions return Variables: its own type hints do not know.


class ArrayMethods:
    """`x.sum()` for `np.sum(x)`, and so on."""

    __slots__ = ("_data",)

    _data: Any
    call: Any  # How a `@primitive` is applied to this kind of argument.

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

    @property
    def dtype(self) -> numpy.dtype[Any]:
        return self._data.dtype

    @property
    def T(self) -> Self:
        return np.transpose(self)

    def reshape(self, *shape: Any) -> Self:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Self:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        return np.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Axis = None) -> Self:
        return np.squeeze(self, axis=axis)

    def ravel(self) -> Self:
        return np.reshape(self, -1)

    flatten = ravel

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Self:
        return np.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Self:
        return np.mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Self:
        return np.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Self:
        return np.min(self, axis=axis, keepdims=keepdims)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        return np.clip(self, min, max)

    def dot(self, b: Any) -> Self:
        return np.dot(self, b)

    def argmax(self, axis: int | None = None) -> Any:
        return np.argmax(self._data, axis=axis)

    def argmin(self, axis: int | None = None) -> Any:
        return np.argmin(self._data, axis=axis)

    def item(self) -> Any:
        return self._data.item()

    def tolist(self) -> Any:
        return self._data.tolist()
