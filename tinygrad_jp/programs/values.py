"""Values: arrays that remember how they were computed, as Symbols do, and where in the graph that was."""

import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

from tinygrad_jp.core import Array, Function, Outputs
from tinygrad_jp.core.operators import Operators
from tinygrad_jp.kinds import method, np
from tinygrad_jp.symbols import Symbol

FORWARD, BACKWARD = "forward", "backward"


class Place(NamedTuple):
    """The operation that a line belongs to, on the way forward or back; there, the Function or Variable it leads to."""

    phase: str
    node: Any
    target: Any = None


class Application(NamedTuple):
    """One application of a function, as the backward pass sees it: a Function whose arguments are Values."""

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    f: Function | None = None


_NOWHERE = Place(FORWARD, None)
PLACE: ContextVar[Place] = ContextVar("place", default=_NOWHERE)
# What depends on shapes and dtypes alone is the same for all data: it stays an array.
_BY_SHAPE = {np.zeros_like, np.ones_like, np.empty_like, np.shape, np.ndim, np.size, np.result_type}
next_number = itertools.count().__next__


class Value(Symbol):
    """An array of the program: its data in the example at hand, and the call that computes it.

    `application` is what a backward pass goes through: the call itself, or the function in whose body that stands.
    """

    __slots__ = ("application", "number", "place")

    def __init__(self, data: Any, name: str = "", func: Any = None, args: Any = (), kwargs: Any = None) -> None:
        super().__init__(0 if isinstance(data, tuple) else data, name, func, args, kwargs)
        if isinstance(data, tuple):
            self._array = data
        self.number, self.place = next_number(), PLACE.get()
        self.application = None if func is None else Application(func, tuple(args), self.kwargs)

    @staticmethod
    def call(func: Any, *args: Any, **kwargs: Any) -> Any:
        """Call `func` on the data, and remember the call: a Value, or several where it returns several arrays."""
        func = getattr(func, "primitive", func)
        if any(isinstance(a, Operators) for a in args):
            return next(a for a in args if isinstance(a, Operators)).call(func, *args, **kwargs)
        y = func(*plain(args), **plain(kwargs))
        if func in _BY_SHAPE:
            return y
        if isinstance(y, np.ndarray | np.generic):
            return Value(y, "", func, args, kwargs)
        if isinstance(y, tuple | list) and all(isinstance(e, np.ndarray | np.generic) for e in y):
            whole = Value(tuple(y), "", func, args, kwargs)
            items = [Value(e, "", item, (whole, i)) for i, e in enumerate(y)]
            return type(y)._make(items) if hasattr(y, "_make") else type(y)(items)
        return y

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, Operators) for a in args):
            return NotImplemented
        return super().__array_ufunc__(ufunc, method, *args, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, Operators) for kind in types) or "out" in kwargs:
            return NotImplemented
        return self.call(func, *args, **kwargs)

    def __mod__(self, other: Any) -> Any:
        return np.remainder(self, other)

    def __floordiv__(self, other: Any) -> Any:
        return np.floor_divide(self, other)

    __hash__ = object.__hash__

    argmax, argmin, argsort, round, all, any = map(method, (np.argmax, np.argmin, np.argsort, np.round, np.all, np.any))

    def _known_only_when_it_runs(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a Value stands for other data, too: it is not a number, nor an array")

    __array__ = __bool__ = __float__ = __int__ = __index__ = item = tolist = _known_only_when_it_runs
    __contains__ = __setitem__ = _known_only_when_it_runs


def item(whole: Any, i: int) -> Array:
    """One of several arrays that a function returned."""
    return whole[i]


def plain(tree: Any) -> Any:
    """`tree` with the data of every Value in its place."""
    return mapped(tree, lambda x: x.data if isinstance(x, Value) else x)


def mapped(tree: Any, change: Any) -> Any:
    """`tree`, an argument of a call, with `change` made to each of its leaves."""
    if isinstance(tree, tuple) and hasattr(tree, "_make"):
        return tree._make(mapped(e, change) for e in tree)
    if isinstance(tree, list | tuple):
        return type(tree)([mapped(e, change) for e in tree])
    if isinstance(tree, dict):
        return {key: mapped(e, change) for key, e in tree.items()}
    if isinstance(tree, slice):
        return slice(*(mapped(e, change) for e in (tree.start, tree.stop, tree.step)))
    return change(tree)


def leaves_in(tree: Any) -> list[Any]:
    """What stands in the arguments of a call: Values, arrays, numbers, None."""
    found: list[Any] = []
    mapped(tree, found.append)
    return found


def values_in(*trees: Any) -> Iterator[Value]:
    """The Values among these."""
    return (x for x in leaves_in(trees) if isinstance(x, Value))


def behind(*roots: Any, through: Any = lambda x: (x.args, x.kwargs)) -> list[Value]:
    """All Values that `roots` are computed from, and they themselves, in the order of computation."""
    found = dict.fromkeys(values_in(roots))
    waiting = list(found)
    while waiting:
        for x in values_in(through(waiting.pop())):
            if x not in found:
                found[x] = None
                waiting.append(x)
    return sorted(found, key=lambda x: x.number)


def outputs_of(y: Any) -> Any:
    """The whole of what a function returned as one Value: several arrays stand in a tuple."""
    return Value(plain(tuple(y)), "", together, tuple(y)) if isinstance(y, Outputs) else y


def together(*ys: Array) -> Any:
    """Several arrays as one value."""
    return ys


def items_of(whole: Value) -> Outputs:
    """The arrays of a Value that stands for several."""
    return Outputs(Value(e, "", item, (whole, i)) for i, e in enumerate(whole.data))
