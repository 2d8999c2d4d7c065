"""Values, written down: a line for each that has a name, with the others inside, and comments that name operations."""

import builtins
import inspect
import keyword
import operator
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tinygrad_jp.core.arrays import astype
from tinygrad_jp.formatting import Phrases, phrase
from tinygrad_jp.kinds import np
from tinygrad_jp.programs.borrowing import Borrowed
from tinygrad_jp.programs.simplifying import is_item, is_view
from tinygrad_jp.programs.values import FORWARD, Place, Value, behind, item, mapped, plain, together, values_in
from tinygrad_jp.symbols import Symbol, Text

WIDTH = 72
"""The most characters of an expression that is nested inside another."""
_COMPARED, _POWER, _ATOM = 0, 6, 7
PHRASES: Phrases = {"back": ("back through {}", "{} の逆伝播"), "joined": (", ", "、")}


class Line(NamedTuple):
    """A line of a program: its text, and of a statement the operations it belongs to, and its result in the example."""

    text: str
    places: tuple[Place, ...] = ()
    value: Any = None


class Writer(Text):
    """Writes the body of a function that computes `outputs`.

    labels: names for some of the Values. described: an operation in a few words, by the node of its `place`.
    """

    def __init__(self, labels: Mapping[Value, str], described: Any, lang: str) -> None:
        super().__init__(numbers=False)
        self.labels, self.described, self.lang = labels, described, lang
        self.taken: set[str] = {"np", *keyword.kwlist, *dir(builtins)}
        self.borrowed = Borrowed(self.taken)
        self.known: dict[Value, tuple[str, int]] = {}
        self.inside: dict[Value, list[Place]] = {}

    def lines(self, arguments: Iterable[Value], outputs: list[Any]) -> list[Line]:
        """The statements, and the comments above them."""
        for x in arguments:
            self.known[x] = self.new_name(x.name), _ATOM
        order = behind(outputs)
        self.uses = Counter(a for x in order for a in values_in(x.args, x.kwargs))
        self.users = {a: x for x in order for a in values_in(x.args, x.kwargs)}
        self.final = set(values_in(outputs))
        written: list[Line] = []
        for x in order:
            if x.func is not None and not is_item(x):
                written += self.statement(x, written)
        return written

    def statement(self, x: Value, written: list[Line]) -> list[Line]:
        """The line that computes x, or none if it will stand inside another."""
        text, binds = self.expression(x)
        places = [p for a in values_in(x.args, x.kwargs) for p in self.inside.pop(a, ())]
        places = list(dict.fromkeys([*places, x.place]))
        if self.nests(x, text):
            self.known[x] = text, binds
            if not is_view(x):
                self.inside[x] = places
            return []
        self.known[x] = name, _ = self.new_name(self.labels.get(x, "")), _ATOM
        comment = self.comment(places)
        above = next((text for text, *_ in reversed(written) if text.startswith("#")), None)
        return [*([Line(comment)] if comment != above else []), Line(f"{name} = {text}", tuple(places), x.data)]

    def nests(self, x: Value, text: str) -> bool:
        """Whether x stands inside the expression that uses it."""
        if is_view(x) and isinstance(x.args[0], Value) and self.write(x.args[0])[0].isidentifier():
            return x not in self.final
        if self.uses[x] != 1 or x in self.final or x.func is together or isinstance(x.data, tuple):
            return False
        return (
            len(text) <= WIDTH and self.users[x].place.phase == x.place.phase and not self.is_long(self.users[x], text)
        )

    def is_long(self, user: Value, text: str) -> bool:
        """Whether `user` would be too long with `text` and the other nested expressions in it."""
        others = (self.known.get(a, ("", 0))[0] for a in values_in(user.args, user.kwargs))
        return len(text) + sum(map(len, others)) > WIDTH

    def comment(self, places: list[Place]) -> str:
        joined = phrase(PHRASES, self.lang, "joined")
        phase = places[-1].phase
        names = joined.join(dict.fromkeys(self.described(p.node) for p in places if p.phase == phase))
        return f"# {names if phase == FORWARD else phrase(PHRASES, self.lang, 'back', names)}"

    def new_name(self, wanted: str) -> str:
        """A name that is not taken, made of `wanted`."""
        plain_name = re.sub(r"\W", "_", wanted) or "h1"
        plain_name = f"_{plain_name}" if plain_name[0].isdigit() else plain_name
        stem, name, n = plain_name.rstrip("0123456789") or plain_name, plain_name, 1
        while name in self.taken:
            n += 1
            name = f"{stem}{n}" if stem != plain_name or not wanted else f"{plain_name}{n}"
        self.taken.add(name)
        return name

    # Expressions: those of a formula, but exact, and in full

    def write(self, x: Any) -> tuple[str, int]:
        if is_item(x):
            return f"{self.write(x.args[0])[0]}[{x.args[1]}]", _ATOM
        return self.known[x] if isinstance(x, Value) else self.constant(x)

    def result(self, x: Any) -> str:
        """What is returned: a constant may be a number of Python's."""
        weak = isinstance(x, np.float64)
        return self.write(float(x) if weak else x)[0]

    def expression(self, x: Value) -> tuple[str, int]:
        """One call, on names and nested expressions."""
        if x.func is together:
            return self.constant(x.args)
        self.here = x.place
        func = np.matmul if x.func is np.dot and all(1 <= np.ndim(a) <= 2 for a in x.args[:2]) else x.func
        call = Symbol(0 if isinstance(x.data, tuple) else x.data, "", func, self.exact(x), x.kwargs)
        return super().write(call)

    def exact(self, x: Value) -> tuple[Any, ...]:
        """The arguments, with Python's numbers where these give the same as NumPy's, which bring their dtype along."""
        args = tuple([a[()] if isinstance(a, np.ndarray) and not a.ndim else a for a in x.args])
        if not any(isinstance(a, np.generic) for a in args):
            return args
        weak = tuple(_python_number(a) if isinstance(a, np.generic) else a for a in args)
        try:
            y = x.func(*plain(weak), **plain(x.kwargs))
        except Exception:  # A rule may ask its arguments for anything that Python's numbers lack.
            return args
        same = getattr(y, "dtype", None) == x.dtype and np.array_equal(y, x.data, equal_nan=x.dtype.kind == "f")
        return weak if same else args

    def infix(self, x: Symbol, binds: int, python: str, sign: str) -> tuple[str, int]:
        if binds == _COMPARED:  # Python would read a < b < c as two comparisons.
            return f"{self.within(x.args[0], 1)} {python} {self.after(x.args[1], 1)}", binds
        return super().infix(x, binds, python, sign)

    def constant(self, x: Any) -> tuple[str, int]:
        if isinstance(x, np.ndarray) and x.ndim:
            return _array_text(x), _ATOM
        if isinstance(x, np.generic | np.ndarray):
            return f"np.{x.dtype.name}({_finite(repr(_python_number(x[()])))})", _ATOM
        if isinstance(x, float):
            text = _finite(repr(x))
            return text, _ATOM if text[0] != "-" else 5
        if isinstance(x, tuple) and hasattr(x, "_make"):
            return f"{self.borrowed.name(type(x))}({', '.join(self.write(e)[0] for e in x)})", _ATOM
        if isinstance(x, list | tuple):
            inner = ", ".join(self.write(int(e) if isinstance(e, np.integer) else e)[0] for e in x)
            return (f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"), _ATOM
        if isinstance(x, slice):
            return f"slice({', '.join(self.write(e)[0] for e in (x.start, x.stop, x.step))})", _ATOM
        if isinstance(x, np.dtype) or (isinstance(x, type) and issubclass(x, np.generic)):
            return f"np.{np.dtype(x).name}", _ATOM
        if callable(x):
            return self.function(x), _ATOM
        text = repr(x)
        return ("..." if x is Ellipsis else text), _ATOM if text[0] != "-" else 5

    def call(self, x: Symbol) -> str:
        first, *rest = x.args or (None,)
        if x.func is operator.getitem:
            return f"{self.within(first, _ATOM)}[{self.index(rest[0])}]"
        if x.func is astype:
            dtype = np.dtype([*rest, *x.kwargs.values()][0])
            return f"{self.within(first, _ATOM)}.astype({self.constant(dtype)[0]})"
        if x.func is item:
            return f"{self.within(first, _ATOM)}[{rest[0]}]"
        if is_view(x):
            return f"{self.within(first, _ATOM)}.T"
        defaults = _defaults(x.func) | ({"keepdims": False} if x.func is np.sum else {})
        given = {name: v for name, v in x.kwargs.items() if not _is(v, defaults.get(name, ...))}
        settings = [f"{name}={self.write(v)[0]}" for name, v in given.items()]
        return f"{self.function(x.func)}({', '.join([*(self.write(a)[0] for a in x.args), *settings])})"

    def index(self, index: Any) -> str:
        """What stands in square brackets."""
        if isinstance(index, tuple) and index:
            return ", ".join(map(self.index, index)) + "," * (len(index) == 1)
        if isinstance(index, slice):
            start, stop, step = ("" if e is None else self.write(e)[0] for e in (index.start, index.stop, index.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return self.write(index)[0]

    def function(self, func: Any) -> str:
        """What a program calls `func`: NumPy's own name, or that of a definition above it."""
        for module, prefix in ((np, "np"), (np.linalg, "np.linalg"), (np.fft, "np.fft")):
            if getattr(module, name := str(getattr(func, "__name__", "")), None) is func:
                return f"{prefix}.{name}"
        if isinstance(getattr(func, "__self__", None), np.ufunc):  # np.add.reduce
            return f"{self.function(func.__self__)}.{func.__name__}"
        if isinstance(func, np.ufunc):
            place = "scipy.special._ufuncs" if func.__name__.startswith("_") else "scipy.special"
            self.borrowed.imports[f"from {place} import {func.__name__}"] = None
            return str(func.__name__)
        return self.borrowed.name(func, f"d_{_name(self.here.node)}")


def _name(node: Any) -> str:
    return str(getattr(getattr(node, "func", None), "__name__", "rule")).strip("_")


def _is(value: Any, default: Any) -> bool:
    simple = isinstance(value, bool | str | int | tuple) and type(value) is type(default)
    return value is default or (simple and bool(value == default))


def _defaults(func: Any) -> dict[str, Any]:
    try:
        return {p.name: p.default for p in inspect.signature(func).parameters.values()}
    except (TypeError, ValueError):
        return {}


def _python_number(x: Any) -> Any:
    """A number of NumPy's in the fewest digits that give it: 0.1 for np.float32(0.1)."""
    return float(str(x)) if x.dtype.kind == "f" else x.item()


def _finite(text: str) -> str:
    return {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(text, text)


def _array_text(x: Any) -> str:
    """An array that is the same for all data, in Python: by its pattern if it has one."""
    dtype = "" if x.dtype in (np.dtype(float),) else f", np.{x.dtype.name}"
    if not x.size:
        return f"np.zeros({x.shape}{dtype})"
    if (x == x.flat[0]).all():
        value = _python_number(x.flat[0])
        name = {0: "zeros", 1: "ones"}.get(value)
        return f"np.{name}({x.shape}{dtype})" if name else f"np.full({x.shape}, {_finite(repr(value))}{dtype})"
    if x.dtype.kind == "i" and (x.ravel() == np.arange(x.size)).all():
        return f"np.arange({x.size})" + (f".reshape({x.shape})" if x.ndim > 1 else "")
    if x.ndim == 2 and x.shape[0] == x.shape[1] and (x == np.eye(len(x))).all():
        return f"np.eye({len(x)}{', dtype=np.' + x.dtype.name if dtype else ''})"
    numbers = mapped(x.tolist(), lambda e: e) if x.dtype.kind != "f" else _shortest(x)
    return f"np.array({_finite_all(repr(numbers))}{dtype})"


def _shortest(x: Any) -> Any:
    return [_shortest(e) for e in x] if np.ndim(x) else _python_number(x)


def _finite_all(text: str) -> str:
    return re.sub(r"\b(inf|nan)\b", r"np.\1", text)
