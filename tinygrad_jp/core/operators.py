"""What Python and NumPy call on a Variable: operators, comparisons, conversions, and NumPy's two protocols."""

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_jp.core.arrays import astype
from tinygrad_jp.core.binding import bind, check_settings
from tinygrad_jp.core.errors import call_error, check_nothing_lost, missing_rule_error, name_of, warn_user
from tinygrad_jp.core.table import COMPOSITIONS, LATE, NONDIFFERENTIABLE, PULLBACKS
from tinygrad_jp.devices import fetched, on_device
from tinygrad_jp.hints import array_error
from tinygrad_jp.kinds import ArrayLike, ArrayMethods, DTypeLike, Index, in_dtype, is_table, method, reflected

ARRAYS = (np.ndarray, np.generic)
CONSTANTS = (float, int, *ARRAYS, complex, list, tuple)
"""What may stand beside a Variable in an operation, and has no gradient."""
NO_SETTINGS: dict[str, Any] = {}


def _is_constant(x: Any) -> bool:
    return isinstance(x, CONSTANTS) or on_device(x) or is_table(x)


def plain(x: Any) -> Any:
    """`x` with every Variable in it replaced by its data."""
    if isinstance(x, Operators):
        return x._array
    if isinstance(x, tuple) and hasattr(x, "_make"):  # A named tuple.
        return x._make(map(plain, x))
    if isinstance(x, list | tuple):
        return type(x)([plain(e) for e in x])
    if isinstance(x, dict):
        return {key: plain(e) for key, e in x.items()}
    return x


def plain_settings(func: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """`settings` as plain arrays and numbers; a Variable whose gradient would be lost is refused."""
    for name, x in settings.items():
        if isinstance(x, Operators) and x.dtype.kind == "f" and not x.is_constant:
            raise TypeError(f"{name_of(func)}: no derivative with respect to {name}= is known; give it as x.data")
    return plain(settings)


def _infix(ufunc: np.ufunc, op: Callable[[Any, Any], Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The two methods of a binary operator: with the Variable on its left, and on its right.

    Python's operator computes, since on single numbers it is ten times as fast as the ufunc. The ufunc names the rule.
    """

    def left(self: "Operators", other: Any) -> Any:
        a = self._array
        if isinstance(other, Operators):
            b = other._array
        elif isinstance(other, (float, int)) or (isinstance(other, ARRAYS) and other.dtype.kind != "c"):
            b = other
        else:
            return self.call(ufunc, self, other) if _is_constant(other) else NotImplemented
        try:
            y = op(a, b)
        except (ValueError, TypeError) as error:
            raise call_error(ufunc, (a, b), error) from None
        return self.record(ufunc, None, NO_SETTINGS, (self, None if b is other else other), y, a, b)

    def right(self: "Operators", other: Any) -> Any:
        return self.call(ufunc, other, self) if _is_constant(other) else NotImplemented

    return left, right


def _comparison(op: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The method of a comparison, which gives a plain boolean array."""
    return lambda self, other: op(self._array, plain(other))


def _conversion(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The method that turns a Variable into a plain number, in which a graph would be lost."""

    def converted(self: "Operators") -> Any:
        check_nothing_lost(self, f"{kind.__name__}(v)")
        return kind(self._array)

    return converted


class Operators(ArrayMethods):
    """The operators of a Variable.

    They know how to call a function, and leave to the class of the Variable how that is recorded: `call(func, *args)`
    calls and records it, `record(func, args, settings, xs, y)` records a result.
    """

    __slots__ = ()
    __pandas_priority__ = 5000  # Above pandas' own 4000: its operators leave `frame * v` to Variables.
    record: Any
    is_constant: Any

    __add__, __radd__ = _infix(np.add, operator.add)
    __sub__, __rsub__ = _infix(np.subtract, operator.sub)
    __mul__, __rmul__ = _infix(np.multiply, operator.mul)
    __truediv__, __rtruediv__ = _infix(np.divide, operator.truediv)
    __pow__, __rpow__ = _infix(np.power, operator.pow)
    __matmul__, __rmatmul__ = _infix(np.matmul, operator.matmul)
    __mod__, __rmod__ = _infix(np.remainder, operator.mod)
    __neg__, __pos__, __abs__ = map(method, (np.negative, np.positive, np.absolute))

    __eq__, __ne__, __lt__ = map(_comparison, (operator.eq, operator.ne, operator.lt))
    __le__, __gt__, __ge__ = map(_comparison, (operator.le, operator.gt, operator.ge))
    __hash__ = object.__hash__

    __floordiv__, __divmod__ = map(method, (np.floor_divide, np.divmod))
    __rfloordiv__, __rdivmod__ = map(reflected, (np.floor_divide, np.divmod))

    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> Self:
        return self.call(astype, self, dtype=dtype)

    def __getitem__(self, index: Index) -> Self:
        return self.call(operator.getitem, self, plain(index))

    def __setitem__(self, index: Index, value: ArrayLike) -> None:
        raise TypeError(
            "a Variable cannot be assigned into: its graph would not see it; change x.data, or build a new one"
        )

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object: this Variable holds one number, not an array")
        return len(self._array)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: ArrayLike) -> bool:
        return bool(np.any(self._array == plain(value)))

    __float__, __int__, __complex__ = map(_conversion, (float, int, complex))

    def __index__(self) -> int:
        return operator.index(fetched(self._array))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of a Variable of shape {self.shape} is ambiguous; use .all() or .any()")
        return bool(self._array)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        func = ufunc if method == "__call__" else getattr(ufunc, method)  # np.add.reduce, for example.
        if "out" in kwargs:
            if not all(x.is_constant for x in args if isinstance(x, Operators)):
                raise TypeError(f"{name_of(ufunc)}: out= and a += v on an array a lose the graph; write a = a + v")
            warn_user(f"{name_of(ufunc)}: write v.data where v is a gradient: w.data -= lr * w.grad.data", UserWarning)
            return func(*plain(args), **kwargs)
        if func in PULLBACKS:
            if kwargs:
                args, kwargs = in_dtype(func, args, kwargs)
            return self.call(func, *args, **kwargs)
        if func in COMPOSITIONS:
            check_settings(func, kwargs, COMPOSITIONS[func])
            return COMPOSITIONS[func](*args, **kwargs)
        if ufunc in NONDIFFERENTIABLE:
            return func(*plain(args), **plain(kwargs))
        if any(enter(func) for enter in LATE):
            return self.__array_ufunc__(ufunc, method, *args, **kwargs)
        raise missing_rule_error(func)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func in COMPOSITIONS:
            positional, settings = bind(func, args, kwargs, 0)
            check_settings(func, settings, COMPOSITIONS[func])
            return COMPOSITIONS[func](*positional, **settings)
        if func in PULLBACKS:
            positional, settings = bind(func, args, kwargs, len(PULLBACKS[func]))
            return self.call(func, *positional, **plain_settings(func, settings))
        if func in NONDIFFERENTIABLE:
            return func(*plain(args), **plain(kwargs))
        raise missing_rule_error(func)

    if not TYPE_CHECKING:  # For a type checker, a class with __array__ is turned into arrays by np.tanh and the like.

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            if self.is_constant:
                return np.array(self._array, dtype, copy=copy)
            raise array_error()
