"""The kinds of arguments, named once; and the methods that all kinds of arrays share."""

import functools
from collections.abc import Callable
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy
from numpy.typing import ArrayLike as _NumpyArrayLike
from numpy.typing import DTypeLike as DTypeLike

from tinygrad_jp.hints import hinting

np: Any = numpy  # On Variables NumPy's functions return Variables, which its own type hints do not know.

Shape: TypeAlias = tuple[int, ...]
Axis: TypeAlias = int | tuple[int, ...] | None
Array: TypeAlias = Any
"""What a rule is given, and returns: an array, or a Variable where the pass is recorded, or a Symbol."""
Rule: TypeAlias = Callable[..., Array]
"""From gy, y, the arguments and the settings of a function to the gradient of one argument, or of all."""


DEFAULTS = {"where": True, "dtype": None, "casting": "same_kind", "order": "K", "subok": True}
"""What every ufunc takes, and what it does without."""


def in_dtype(ufunc: numpy.ufunc, args: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The arguments of a ufunc in the floating dtype that its settings ask for, and those settings that are left."""
    # np.dtype(float) == None, and an array is equal to nothing as a whole: compare types first.
    default = {k for k, v in settings.items() if k in DEFAULTS and type(v) is type(DEFAULTS[k]) and v == DEFAULTS[k]}
    left = {k: v for k, v in settings.items() if k not in default}
    dtype = np.dtype(left.get("dtype", object))
    if dtype.kind == "f" and f"{dtype.char * ufunc.nin}->{dtype.char}" in ufunc.types:
        del left["dtype"]
        args = [x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype) for x in args]
    return args, left


def method(func: Any) -> Callable[..., Any]:
    """The method of an array that calls NumPy's `func` on it."""
    return functools.wraps(func)(lambda self, *args, **settings: func(self, *args, **settings))


def reflected(func: Any) -> Callable[..., Any]:
    """The method of an operator with the array on its right."""
    return lambda self, other: func(other, self)


def _plain_method(func: Any) -> Callable[..., Any]:
    """A method without a gradient, which gives a plain array."""
    return functools.wraps(func)(lambda self, *args, **settings: func(self._array, *args, **settings))


def _reduction(func: Any) -> Callable[..., Any]:
    """A method that reduces an array. By position it takes axis and keepdims, as DeZero's do, or what NumPy's do."""

    def reduced(self: Any, axis: Axis = None, *rest: Any, **settings: Any) -> Any:
        if len(rest) == 1 and isinstance(rest[0], int | numpy.bool_):  # In NumPy's order dtype or out is next.
            return func(self, axis=axis, keepdims=rest[0], **settings)
        return func(self, axis, *rest, **settings) if rest else func(self, axis=axis, **settings)

    reduced.__name__, reduced.__doc__ = func.__name__, f"`np.{func.__name__}` of this array."
    return reduced


def is_table(x: Any) -> bool:
    """Whether x becomes an array beside a Variable: a list, or a table or tensor of another library.

    >>> is_table([1, 2]), is_table(np.ones(2)), is_table(2.0)
    (True, False, False)
    """
    if isinstance(x, list | tuple):
        return True
    return hasattr(x, "__array__") and not (hasattr(x, "__array_function__") or isinstance(x, np.generic))


class ArrayMethods:
    """The methods of arrays that people reach for, each by NumPy's function of the same name: `x.sum()`."""

    __slots__ = ("_array",)

    _array: Any
    call: Any  # How a `@primitive` is applied to this kind of argument.

    @property
    def shape(self) -> Shape:
        return self._array.shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def dtype(self) -> numpy.dtype[Any]:
        return self._array.dtype

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    @property
    def T(self) -> Self:
        return np.transpose(self)

    @property
    def mT(self) -> Self:
        return np.swapaxes(self, -1, -2)

    def reshape(self, *shape: Any, **settings: Any) -> Self:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **settings)

    def transpose(self, *axes: Any) -> Self:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def ravel(self, order: str = "C") -> Self:
        return np.reshape(self, -1, order=order)

    flatten = ravel

    def compress(self, condition: "ArrayLike", axis: int | None = None) -> Self:
        return np.compress(condition, self, axis)

    def copy(self) -> Self:
        return np.copy(self)

    def item(self, *index: Any) -> Any:
        return self._array.item(*index)

    def tolist(self) -> Any:
        return self._array.tolist()

    @property
    def real(self) -> Self:
        return np.real(self)

    @property
    def imag(self) -> Any:
        return np.imag(self)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        return np.clip(self, min, max)

    sum, mean, max, min, prod, var, std = map(_reduction, (np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std))
    swapaxes, squeeze, dot, cumsum, cumprod = map(method, (np.swapaxes, np.squeeze, np.dot, np.cumsum, np.cumprod))
    choose, conj, conjugate = map(method, (np.choose, np.conj, np.conjugate))
    repeat, take, diagonal, trace = map(method, (np.repeat, np.take, np.diagonal, np.trace))
    argmax, argmin, argsort, argpartition = map(_plain_method, (np.argmax, np.argmin, np.argsort, np.argpartition))
    all, any, round, nonzero, searchsorted = map(_plain_method, (np.all, np.any, np.round, np.nonzero, np.searchsorted))
    if not TYPE_CHECKING:  # It would hide every misspelt name.
        __getattr__ = hinting("Variable")


ArrayLike: TypeAlias = _NumpyArrayLike | ArrayMethods
"""What a user may give: an array, a number, nested lists of numbers, or a Variable."""
Index: TypeAlias = int | slice | EllipsisType | ArrayLike | tuple[Any, ...] | None
"""What may stand in square brackets."""
