"""Arrays of a step that is being recorded: each call of NumPy on them is computed, and remembered as a Value.

Such an array stands where the step would see one of NumPy's. It may be written into, which gives it a new Value.
"""

import functools
import operator
from typing import Any

import numpy

from tinygrad_jp.core import Array
from tinygrad_jp.core.arrays import astype
from tinygrad_jp.core.operators import Operators
from tinygrad_jp.kinds import ArrayMethods, Shape, method, np
from tinygrad_jp.programs.recording import users_line
from tinygrad_jp.programs.values import Value

_MADE_PLAIN = (
    "turns an array into one of NumPy's own, as np.asarray, np.array (np.stack joins arrays), a method of another "
    "array or an index of one do (Variable(a)[i].data is one); give it to a function of NumPy's as it is"
)


def with_item(x: Array, i: Any, value: Array) -> Array:
    """x, but for `value` at the index i."""
    y = np.array(x)
    y[i] = value
    return y


def with_added(x: Array, i: Any, value: Array) -> Array:
    """x with `value` added at the index i, as often as i names a place."""
    y = np.array(x)
    np.add.at(y, i, value)
    return y


def viewed(x: Array, dtype: Any) -> Array:
    return x.view(dtype)


AS_ONE: set[Any] = {with_item, with_added, astype, viewed}
_WRITERS = {np.put, np.putmask, np.place, np.fill_diagonal, np.put_along_axis}


@functools.cache
def writer(func: Any) -> Any:
    """A function that returns a copy of what `func` would write into, or `func.at` if it is a ufunc."""

    def written(x: Array, *args: Any, **settings: Any) -> Array:
        y = np.array(x)
        func(y, *args, **settings)
        return y

    def written_at(x: Array, *args: Any) -> Array:
        y = np.array(x)
        func.at(y, *args)
        return y

    chosen = written_at if isinstance(func, numpy.ufunc) else written
    AS_ONE.add(chosen)
    return chosen


@functools.cache
def masked(ufunc: Any) -> Any:
    """A function that returns a copy of what `ufunc` would write its results into, `where` that is wanted."""

    def written_where(x: Array, where: Any, *args: Any, **settings: Any) -> Array:
        y = np.array(x)
        ufunc(*args, out=y, where=where, **settings)
        return y

    AS_ONE.add(written_where)
    return written_where


class Recorded(ArrayMethods):
    """An array of a step that is being recorded. `value` is what it holds now."""

    __slots__ = ("__weakref__", "index", "is_number", "recorder", "source", "value", "version")
    beside_numpys = True

    def __init__(self, recorder: Any, value: Value, source: "Recorded | None" = None) -> None:
        self.recorder, self.value, self.version = recorder, value, 0
        self.is_number = not value.ndim  # NumPy's numbers cannot be written into: x += 1 makes another one.
        # That of which this is a view, and the version of it that is seen.
        self.source = None if source is None else (source, source.version)
        self.index: Any = None  # In brackets, that by which it is a part of that.

    # What NumPy's arrays have

    @property
    def shape(self) -> Shape:
        return numpy.shape(self.value.data)

    ndim, size, dtype, nbytes = (
        property(operator.attrgetter(f"value.data.{name}")) for name in ("ndim", "size", "dtype", "nbytes")
    )
    base = None

    @staticmethod
    def call(func: Any, *args: Any, **settings: Any) -> Any:
        for a in args:
            if isinstance(a, Operators):
                return a.call(func, *args, **settings)
        return next(a for a in args if isinstance(a, Recorded)).recorder.call(func, args, settings)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, out: Any = None, **settings: Any) -> Any:
        if any(isinstance(a, Operators) for a in args):
            return NotImplemented
        if method == "at":
            self._written_by(with_added if ufunc is np.add else writer(ufunc), *args)
            return None
        if out and "where" in settings and method == "__call__" and ufunc.nout == 1:
            return self._written_by(masked(ufunc), out[0], settings.pop("where"), *args, **settings)
        func = ufunc if method == "__call__" else getattr(ufunc, method)
        return self.recorder.call(func, args, settings, out and out[0])

    def __array_function__(self, func: Any, types: Any, args: Any, settings: Any) -> Any:
        if any(issubclass(kind, Operators) for kind in types):
            return NotImplemented
        if func is np.copyto:
            self._written_by(with_item, args[0], settings.get("where", ...), args[1])
            return None
        if func in _WRITERS:
            self._written_by(writer(func), *args, **settings)
            return None
        out = settings.pop("out", None) if "out" in settings else None
        return self.recorder.call(func, args, settings, out)

    def _written_by(self, func: Any, x: Any, *args: Any, **settings: Any) -> Any:
        """Let x, which is returned, hold what `func` returns for it."""
        if not isinstance(x, Recorded) or (self.recorder.to_read and func not in (with_item, with_added)):
            self.recorder.refuse("writes into an array that was made without its data; make it with np.empty_like")
        x.write(func, x, *args, **settings)
        return x

    def write(self, func: Any, x: Any, *args: Any, **settings: Any) -> None:
        """Let this hold what `func`, which leaves x as it is, returns for x."""
        self.assign(self.recorder.call(func, (x, *args), settings))

    def assign(self, new: Any) -> "Recorded":
        """Let this hold `new`, in its own shape and dtype."""
        if new.dtype != self.dtype:
            new = new.astype(self.dtype)
        if self.source is not None:
            self._write_through(new)
        self.value, self.version = new.value, self.version + 1
        return self

    def _write_through(self, new: "Recorded") -> None:
        """Write into the array of which this is a part."""
        whole, version = self.source or (self, self.version)
        if self.index is None or whole.version != version:
            what = "writes into a reshaped array, or a part of a part; write into the whole, as in x[i] += 1"
            self.recorder.refuse(what)
        whole.write(with_item, whole, self.index[0], new)
        self.source = whole, whole.version

    def __contains__(self, x: Any) -> bool:
        return bool(np.any(np.equal(self, x)))

    def __getitem__(self, index: Any) -> Any:
        part = self.recorder.call(operator.getitem, (self, index), {})
        if part.source is not None and self.source is None:
            part.index = (index,)
        return part

    def __setitem__(self, index: Any, value: Any) -> None:
        if index is Ellipsis and np.shape(value) == self.shape and isinstance(value, Recorded):
            self.assign(value)
        else:
            self.write(with_item, self, index, value)

    def fill(self, value: Any) -> None:
        self[...] = value

    def astype(self, dtype: Any, copy: bool = True, **_: Any) -> Any:
        if self.dtype == dtype and not copy:
            return self
        return self.recorder.call(astype, (self, np.dtype(dtype)), {})

    def view(self, kind: Any = None) -> Any:
        if kind is None or kind is np.ndarray:
            return self[...]
        return self.recorder.call(viewed, (self, np.dtype(kind)), {})

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __divmod__(self, other: Any) -> Any:
        return np.floor_divide(self, other), np.remainder(self, other)

    argmax, argmin, argsort, round, all, any = map(method, (np.argmax, np.argmin, np.argsort, np.round, np.all, np.any))
    argpartition, searchsorted, nonzero = map(method, (np.argpartition, np.searchsorted, np.nonzero))
    __neg__, __pos__, __abs__, __invert__ = map(method, (np.negative, np.positive, np.absolute, np.invert))

    # What leaves the recording

    def __bool__(self) -> bool:
        return bool(self.recorder.decided(self.value, bool))

    def __int__(self) -> int:
        return int(self.recorder.decided(self.value, int))

    def __index__(self) -> int:
        return int(self.recorder.decided(self.value, operator.index))

    def __float__(self) -> float:
        return float(self.recorder.decided(self.value, float))

    def item(self, *index: Any) -> Any:
        return self.recorder.decided((self[index] if index else self).value, lambda x: x.item())

    def __array__(self, dtype: Any = None, *_: Any, **__: Any) -> Array:
        return self.recorder.settled(self, _MADE_PLAIN).astype(dtype or self.dtype)

    def tolist(self) -> Any:
        what = "turns an array into numbers; return it, and do that outside"
        return self.recorder.settled(self, what).tolist()

    def __format__(self, spec: str) -> str:
        self.recorder.refuse_in_the_end("prints an array; return it, and print it outside")
        return format(self.value.data if spec == "" or self.ndim else self.value.data[()], spec)

    def __str__(self) -> str:
        return format(self)

    def __repr__(self) -> str:
        return format(self)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"compiled: {users_line()} uses {name!r} of an array, which a program does not have; do that outside"
            if hasattr(numpy.ndarray, name)
            else f"'numpy.ndarray' object has no attribute {name!r}"
        )

    def __reduce__(self) -> Any:
        self.recorder.refuse("saves or copies an array by pickle or copy; do that outside")


class Held(Recorded):
    """A `Recorded` array as the step sees it. Inside of functions and rules they are plain ones, as NumPy's would be.

    It has the method by which arrays on devices are fetched, so that Variables take it for data.
    """

    __slots__ = ()

    def get(self) -> "Held":
        return self

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What a step finds that asks `isinstance(x, np.ndarray)`."""
        return type(self.value.data) if self.is_number else numpy.ndarray


def _operator(ufunc: Any) -> tuple[Any, Any, Any]:
    """The methods of a binary operator: with the array on its left, on its right, and in place."""

    def left(self: Recorded, other: Any) -> Any:
        return NotImplemented if isinstance(other, Operators) else ufunc(self, other)

    def in_place(self: Recorded, other: Any) -> Any:
        y = ufunc(self, other)
        if self.is_number:
            return y
        if y.shape != self.shape or not np.can_cast(y.dtype, self.dtype, "same_kind"):
            ufunc(self.value.data, y.value.data, out=np.empty_like(self.value.data))  # NumPy says what is wrong.
        return self.assign(y)

    return left, lambda self, other: ufunc(other, self), in_place


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    for _prefix, _method in zip(("", "r", "i"), _operator(_ufunc), strict=True):
        setattr(Recorded, f"__{_prefix}{_name}__", _method)
for _name, _ufunc in {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal
}.items():  # fmt: skip
    setattr(Recorded, f"__{_name}__", _operator(_ufunc)[0])
