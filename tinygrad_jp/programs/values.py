"""Values: arrays that remember how they were computed, as Symbols do, and where in the graph that was."""

import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

from tinygrad_jp.core import Array
from tinygrad_jp.kinds import np
from tinygrad_jp.symbols import Symbol

FORWARD, BACKWARD = "forward", "backward"


class Place(NamedTuple):
    """The operation that a line belongs to, on the way forward or back; there, the Function or Variable it leads to."""

    phase: str
    node: Any
    target: Any = None


_NOWHERE = Place(FORWARD, None)
PLACE: ContextVar[Place] = ContextVar("place", default=_NOWHERE)
next_number = itertools.count().__next__


class Value(Symbol):
    """An array of the program: its data in the example at hand, and the call that computes it."""

    __slots__ = ("number", "place")

    def __init__(self, data: Any, name: str = "", func: Any = None, args: Any = (), kwargs: Any = None) -> None:
        super().__init__(0 if isinstance(data, tuple) else data, name, func, args, kwargs)
        if isinstance(data, tuple):
            self._array = data
        self.number, self.place = next_number(), PLACE.get()

    def again(self, data: Any, func: Any, args: Any, kwargs: Any) -> "Value":
        """A Value in the place of this one, computed otherwise."""
        y = Value(data, self.name, func, args, kwargs)
        y.number, y.place = self.number, self.place
        return y

    @staticmethod
    def call(func: Any, *args: Any, **kwargs: Any) -> Any:
        """Call `func` on the data, and remember the call: a Value, or several where it returns several arrays."""
        y = func(*plain(args), **plain(kwargs))
        if isinstance(y, np.ndarray | np.generic):
            return Value(y, "", func, args, kwargs)
        if isinstance(y, tuple | list) and all(isinstance(e, np.ndarray | np.generic) for e in y):
            whole = Value(tuple(y), "", func, args, kwargs)
            items = [Value(e, "", item, (whole, i)) for i, e in enumerate(y)]
            return type(y)._make(items) if hasattr(y, "_make") else type(y)(items)
        return y

    __hash__ = object.__hash__


class Effect:
    """What a program does, rather than computes: the `func` of a Value that nothing is computed from."""

    __name__ = "effect"
    about: str

    def lines(self, x: Value, program: Any) -> list[str]:
        """The lines of a fast program that do it to the arguments of x."""
        raise NotImplementedError


class Decision(Effect):
    """An `Effect` that changes nothing, but may end the program."""


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


def together(*ys: Array) -> Any:
    """Several arrays as one value."""
    return ys
