"""What a function can read besides its arguments: what its code names, and all that is reached from there."""

import collections
import copy
import functools
import inspect
import itertools
import random
import sys
import types
from collections.abc import Iterator
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.core import Parameter, Variable
from tinygrad_jp.core.operators import Operators
from tinygrad_jp.kinds import ArrayMethods
from tinygrad_jp.layers import Layer
from tinygrad_jp.layers.layer import CHANGES
from tinygrad_jp.optimizers import Optimizer

PLAIN = (int, float, complex, str, bytes, bool, type(None), np.generic)
_FOREIGN = sys.stdlib_module_names | {"numpy", "scipy", "tinygrad_jp"}
_ABSENT, _ARRAY = object(), object()
_NAMESPACES = ("SimpleNamespace", "Namespace")  # Those of types and argparse, which hold settings.


class Watched(NamedTuple):
    """A name that a function can read: where it is kept, what it is now, and how a user calls it."""

    holder: Any
    key: str
    value: Any
    label: str

    def now(self) -> Any:
        return look_up(self.holder, self.key)


def look_up(holder: Any, key: Any) -> Any:
    """What a dict or a list holds at a key, or a cell, or an object in its slots."""
    try:
        if isinstance(holder, types.CellType):
            return holder.cell_contents
        if isinstance(holder, dict | list):
            return holder[key]
        return vars(holder)[key] if isinstance(holder, type) else getattr(holder, key)
    except (LookupError, ValueError, AttributeError):
        return _ABSENT


def place(holder: str, name: "Watched") -> str:
    """The text that looks a name up, where its holder is called `holder`."""
    if isinstance(name.holder, types.CellType):
        return f"{holder}.cell_contents"
    if isinstance(name.holder, dict | list):
        return f"{holder}[{name.key!r}]"
    return f"{holder}.__dict__[{name.key!r}]" if isinstance(name.holder, type) else f"{holder}.{name.key}"


def put(holder: Any, key: Any, value: Any) -> None:
    """Let a name be another value. Where it is of another kind, that may call for another program."""
    CHANGES[0] += not isinstance(look_up(holder, key), type(value))
    if isinstance(holder, types.CellType):
        holder.cell_contents = value
    elif isinstance(holder, dict | list):
        holder[key] = value
    else:
        setattr(holder, key, value)


class World:
    """What `f` can reach: `names`, `layers`, `optimizers`, and `variables` with what they are called.

    `states` are the names that hold a Variable which is no Parameter: a step may give them another. `arrays` are those
    that hold an array, which a step may write into, and `fixed` the arrays whose content must stay as it is.
    `collections` are the lists, dicts and sets, with what is in them now.
    """

    def __init__(self, f: Any, *args: Any) -> None:
        self.names: list[Watched] = []
        self.states: list[Watched] = []
        self.arrays: list[Watched] = []
        self.fixed: list[tuple[Any, bytes, str]] = []
        self.collections: list[tuple[Any, list[Any], str]] = []
        self.generators: list[Any] = []
        self._copies: list[tuple[Any, Any]] = []
        self.layers: list[Layer] = []
        self.optimizers: list[Optimizer] = []
        self.variables: dict[Variable, str] = {}
        self._seen: dict[Any, Any] = {}
        self._step = inspect.unwrap(getattr(f, "func", getattr(f, "__func__", f)))
        for x in (f, *args):
            self._explore(x, "")

    def _explore(self, x: Any, label: str) -> None:
        if isinstance(x, PLAIN) or id(x) in self._seen:
            return
        self._seen[id(x)] = x
        if isinstance(x, np.random.Generator | np.random.RandomState | random.Random):
            self.generators.append(x)
        elif isinstance(x, np.ndarray):
            self.fixed.append((x, x.tobytes(), label or "an array"))
        elif isinstance(x, Variable):
            self.variables.setdefault(x, label or x.name or "x")
        elif isinstance(x, Layer):
            self.layers.append(x)
            self._explore_attributes(x, label)
        elif isinstance(x, Optimizer):
            self.optimizers.append(x)
            self._explore(x.target, label)
        elif isinstance(x, functools.partial):
            for part in (x.func, *x.args, *x.keywords.values()):
                self._explore(part, label)
        elif isinstance(x, types.MethodType):
            self._explore(x.__self__, label)
            self._explore(x.__func__, label)
        elif isinstance(x, types.FunctionType):
            self._explore_function(x)
        elif isinstance(x, property | functools.cached_property):
            self._explore(getattr(x, "fget", None) or getattr(x, "func", None), label)
        elif isinstance(x, list | tuple | set | frozenset | dict | collections.deque):
            self._explore_collection(x, label)
        elif isinstance(x, type) or hasattr(x, "__wrapped__") or _is_explored(type(x)):
            self._explore_attributes(x, label)
        else:  # Of other packages, what they do with a model is their own affair; but they may hold one.
            for key, part in dict(getattr(x, "__dict__", {})).items():
                if isinstance(part, Layer | Optimizer | Variable):
                    self._watch(vars(x), key, f"{label}.{key}")

    def _explore_function(self, f: types.FunctionType) -> None:
        self._explore_attributes(f, f.__name__)
        if f is self._step or not _is_foreign(f):
            names = set(_names(f.__code__))
            for name in sorted(names & f.__globals__.keys()):
                self._watch(f.__globals__, name, name)
                module = f.__globals__[name]
                if isinstance(module, types.ModuleType) and module.__name__.partition(".")[0] not in _FOREIGN:
                    for inner in sorted(names & vars(module).keys()):
                        self._watch(vars(module), inner, f"{name}.{inner}")
            for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
                self._watch(cell, name, name)
        for default in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._explore(default, "")

    def _watch(self, holder: Any, key: str, label: str) -> None:
        if (id(holder), key) in self._seen:
            return
        value = self._seen[id(holder), key] = look_up(holder, key)
        if is_array(value):
            self.arrays.append(Watched(holder, key, value, label))
            return
        if isinstance(value, Variable) and not isinstance(value, Parameter):
            self._seen[id(value)] = value
            self.states.append(Watched(holder, key, value, label))
            return
        self.names.append(Watched(holder, key, value, label))
        if value is not _ABSENT and not isinstance(value, types.ModuleType):
            self._explore(value, label)

    def _explore_attributes(self, x: Any, label: str) -> None:
        """What an object holds, or a class of the user's, and what the methods of its class read."""
        if isinstance(x, type) and _is_foreign(x):
            return
        # Of classes what Python keeps there is left out, and of wrappers, such as compiled steps, what is their own.
        hidden = "__" if isinstance(x, type) else "_" if _is_foreign(type(x)) and hasattr(x, "__wrapped__") else None
        for key in list(vars(x)) if hasattr(x, "__dict__") else ():
            if hidden is None or key == "__wrapped__" or not key.startswith(hidden):
                holder = x if isinstance(x, type) else vars(x)
                self._watch(holder, key, f"{label}.{key}" if label else key)
        for cls in type(x).__mro__ if not isinstance(x, type) else ():
            for key in _slots(cls):
                self._watch(x, key, f"{label}.{key}" if label else key)
            for method in vars(cls).values() if not _is_foreign(cls) else ():
                self._explore(getattr(method, "__func__", method), label)

    def _explore_collection(self, x: Any, label: str) -> None:
        self.collections.append((x, contents(x), label or "a list"))
        if not isinstance(x, tuple | frozenset):
            self._copies.append((x, copy.copy(x)))
        items = x.items() if isinstance(x, dict) else enumerate(x)
        for key, part in list(items)[:1000]:
            name = f"{label}.{key}" if label else str(key)
            if is_array(part) and isinstance(x, dict | list):
                self._watch(x, key, name)
            else:
                self._explore(part, name)

    def all_names(self) -> list[Watched]:
        return [*self.states, *self.arrays, *self.names]

    def changes(self) -> Iterator[str]:
        """What is not as it was, in words."""
        for name in self.names:
            if not same(name.now(), name.value):
                yield name.label
        for x, before, label in self.collections:
            now = contents(x)
            if len(now) != len(before) or not all(map(same, now, before)):
                yield label
        for x, content, label in self.fixed:
            if x.tobytes() != content:
                yield label

    def restore(self) -> None:
        """Undo the changes of arrays and collections."""
        for x, content, _ in self.fixed:
            if x.tobytes() != content:
                x[...] = np.frombuffer(content, x.dtype).reshape(x.shape)
        for x, before in self._copies:
            if len(x) != len(before) or not all(map(is_, _parts(x), _parts(before))):
                x.clear()
                x.extend(before) if hasattr(x, "extend") else x.update(before)


def _parts(x: Any) -> Iterator[Any]:
    return itertools.chain(x, x.values() if isinstance(x, dict) else ())


def contents(x: Any) -> list[Any]:
    """What is in a collection, with one and the same thing for all arrays that are watched by themselves."""
    if isinstance(x, dict | list):
        return [_ARRAY if is_array(e) else e for e in ((*x, *x.values()) if isinstance(x, dict) else x)]
    return list(x)


def is_array(x: Any) -> bool:
    """Whether x is an array of numbers, or one of a recording. Masks are not: they may decide by their number."""
    own = isinstance(x, ArrayMethods) and not isinstance(x, Operators)
    return own or (type(x) is np.ndarray and x.dtype.kind in "fiu" and x.dtype.isnative)


def _is_explored(cls: type) -> bool:
    """Whether a step can reach, and change, what is in objects of this class."""
    return not _is_foreign(cls) or cls.__name__ in _NAMESPACES


def _slots(cls: type) -> Iterator[str]:
    slots = () if _is_foreign(cls) else cls.__dict__.get("__slots__", ())
    return (key for key in ((slots,) if isinstance(slots, str) else slots) if not key.startswith("__"))


def same(a: Any, b: Any) -> bool:
    """Whether two values are one, or equal as numbers and texts are."""
    return a is b or (type(a) is type(b) and isinstance(a, PLAIN) and (a == b or a != a != b))


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names(inner)


@functools.cache
def _is_foreign_module(name: str | None) -> bool:
    module = sys.modules.get(name or "")
    installed = "site-packages" in str(getattr(module, "__file__", ""))
    return (name or "").partition(".")[0] in _FOREIGN or installed


def _is_foreign(x: Any) -> bool:
    """Whether a function or class is not the user's: it reads nothing that changes."""
    return _is_foreign_module(getattr(x, "__module__", None))
