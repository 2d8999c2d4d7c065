"""A recorded program as fast NumPy: results go into memory that is kept, and no call is dearer than it must be."""

import math
import operator
from collections import defaultdict
from typing import Any

import numpy as np

from tinygrad_jp.core.arrays import Outputs, astype
from tinygrad_jp.programs.blocks import Memory
from tinygrad_jp.programs.recorded import with_item
from tinygrad_jp.programs.values import Decision, Effect, Value, item, together, values_in

TINY = 1 << 10
"""Up to so many numbers, a copy in the shape of the result is faster than broadcasting."""
SMALL = 1 << 14
"""Up to so many numbers, a mask is faster as a float."""
_INFIX: dict[Any, str] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.power: "**", np.less: "<", np.less_equal: "<=",
    np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!=",
}  # fmt: skip
_REDUCTIONS: dict[Any, Any] = {
    np.sum: np.add, np.max: np.maximum, np.min: np.minimum, np.prod: np.multiply, np.all: np.logical_and,
    np.any: np.logical_or,
}  # fmt: skip
_VIEWS = {np.transpose, np.reshape, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.broadcast_to,
          operator.getitem, np.ravel}  # fmt: skip


EFFECTS = "# effects"
"""A line before each line that changes something."""


class Fast:
    """Writes the lines that compute `order`, Values and Effects in the order of the recording.

    reads: the text that reads an input. fixed: inputs whose memory stays as it is from call to call. own: arrays of the
    caller's that some Values are to be written to. lasting: Values that outlive the call, in memory of their own.
    """

    gradient: Any  # What names the Variable that is a gradient: see `Plan`.

    def __init__(
        self,
        order: list[Value],
        roots: dict[Value, set[Value]],
        reads: dict[Value, str],
        fixed: set[Value],
        own: dict[Value, Any],
        lasting: set[Value],
    ) -> None:
        self.order, self.reads, self.fixed, self.own, self.lasting = order, reads, set(fixed), own, lasting
        self.env: dict[str, Any] = {}
        self.names: dict[Value, str] = {}
        self.hoisted: list[tuple[str, str]] = []  # Names in `env`, and the text that gives them from fixed inputs.
        self.real: dict[Value, Any] = {}  # Values whose memory is known now.
        self.memory = Memory()
        self.blocks: dict[Any, Any] = {}
        self.extra: dict[Value, list[Any]] = defaultdict(list)  # Blocks that are needed for one line only.
        self.lines: list[str] = []
        self.pure: list[str] = []  # The same with given inputs, and without effects.
        self._constants: dict[Any, str] = {}
        self.roots = roots
        self.position = {x: i for i, x in enumerate(order)}
        self.users: dict[Value, list[Value]] = defaultdict(list)
        for x in order:
            for a in set(values_in(x.args, x.kwargs)) if x.func is not None else ():
                self.users[a].append(x)
        self.last = {root: i for i, x in enumerate(order) for root in self._roots_used(x)}
        self.last |= dict.fromkeys((root for x in lasting for root in self.roots[x]), len(order))
        self.needed = {}  # type: ignore[var-annotated]
        for x in reversed(order):  # Until when the name of a Value is needed.
            passed_on = [self.needed[u] if u.func in (item, together) else self.position[u] for u in self.users[x]]
            self.needed[x] = max([len(order) if x in lasting else self.position[x], *passed_on])
        self.locals: list[tuple[int, str]] = []

    def write_all(self) -> None:
        for x in self.order:
            self.write(x)

    def define(self, functions: dict[str, list[str]], fixed: dict[str, Any], step: str) -> str:
        """Make functions of lines, for the arrays that Variables hold now. Returns their text."""
        text = "\n\n\n".join("\n    ".join([f"def {head}:", *body]) for head, body in functions.items())
        self.env |= {name: x._array for name, x in fixed.items()}
        for name, expression in self.hoisted:
            self.env[name] = eval(expression, self.env)
        exec(compile(text, f"<program of {step}>", "exec"), self.env)
        return text

    def line(self, text: str) -> None:
        self.lines.append(text)
        self.pure.append(text)

    def _roots_used(self, x: Value) -> set[Value]:
        return set().union(*(self.roots[a] for a in values_in(x.args, x.kwargs))) if x.func is not None else set()

    # Names

    def name(self, x: Any) -> str:
        """An argument as text."""
        if isinstance(x, Value):
            return self.names[x]
        if isinstance(x, tuple | list) and not hasattr(x, "_make") and any(True for _ in values_in(x)):
            inner = ", ".join(map(self.name, x))
            if isinstance(x, Outputs):
                return f"{self.constant(Outputs)}([{inner}])"
            return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
        if isinstance(x, slice) and any(True for _ in values_in(x)):
            return f"slice({self.name(x.start)}, {self.name(x.stop)}, {self.name(x.step)})"
        if type(x) in (int, bool, str, type(None)) or (type(x) is float and math.isfinite(x)):
            return repr(x)
        if isinstance(x, tuple) and all(type(e) in (int, bool) for e in x):
            return repr(x)
        return self.constant(x)

    def constant(self, x: Any) -> str:
        """The name of an object that the program keeps."""
        key: Any = (x.dtype.str, x.shape, x.tobytes()) if isinstance(x, np.generic) else id(x)
        if key not in self._constants:
            self._constants[key] = name = f"c{len(self._constants)}"
            self.env[name] = x
        return self._constants[key]

    def function(self, func: Any) -> str:
        name = str(getattr(func, "__name__", "f")).strip("_<>")
        if isinstance(func, np.ufunc) or getattr(np, name, None) is func:
            self.env.setdefault(f"np_{name}", func)
            return f"np_{name}"
        return self.constant(func)

    def number(self, x: Any, like: Any) -> str:
        """A number beside arrays, as an array of no axes in their dtype, which NumPy takes at once."""
        if isinstance(x, np.generic | int | float) and not isinstance(x, bool | np.bool_) and like.kind == "f":
            array = np.asarray(x, like)
            key = ("0-d", like.str, array.tobytes())
            if key not in self._constants:
                self._constants[key] = f"c{len(self._constants)}"
                self.env[self._constants[key]] = array
            return self._constants[key]
        return self.name(x)

    def scalar(self, x: Any, y: Value) -> str:
        """An argument of an operation on single numbers, in the dtype of the result where that is faster."""
        weak = type(x) in (int, float) and y.dtype.kind == "f" and y.func is not np.power
        return self.constant(y.dtype.type(x)) if weak else self.name(x)

    # Lines

    def write(self, x: Value) -> None:
        """The lines that compute x, or do it."""
        i = self.position[x]
        if isinstance(x.func, Effect):
            if not isinstance(x.func, Decision):
                self.lines.append(EFFECTS)
            self.lines += x.func.lines(x, self)
            self.pure.append(f"yield {self.name(tuple(x.args))}")
        elif x.func is None:
            self.read(x)
        elif x.func is item:
            self.names[x] = f"{self.name(x.args[0])}[{x.args[1]}]"
        elif x.func is together:
            self.names[x] = self.name(tuple(x.args))
        elif not self._as_view(x) and not self._in_memory(x):
            self.assign(x, self.expression(x))
        for block in self.extra.pop(x, ()):
            self._release(block)
        for root in self._roots_used(x) | {x}:
            if self.last.get(root, i) == i:
                self._release(root)

    def read(self, x: Value) -> None:
        """The lines that read an input."""
        known, given = x in self.fixed or self.reads[x].isidentifier(), "next(inputs)"
        self.names[x] = name = self.reads[x] if known else self.local(x)
        self.lines += [] if known else [f"{name} = {self.reads[x]}"]
        self.pure.append(f"{name} = {given}")

    def assign(self, x: Value, text: str) -> None:
        name = self.local(x)
        self.line(f"{name} = {text}")

    def local(self, x: Value) -> str:
        """Give x a name that is not needed any more, so that what had it is freed."""
        i = self.position[x]
        free = next((k for k, (until, _) in enumerate(self.locals) if until <= i), None)
        name = f"v{len(self.locals)}" if free is None else self.locals.pop(free)[1]
        self.locals.append((self.needed[x], name))
        self.names[x] = name
        return name

    def _release(self, root: Any) -> None:
        if root in self.blocks:
            self.memory.free.append(self.blocks.pop(root))

    def _as_view(self, x: Value) -> bool:
        """Name a view of memory that is known once and for all."""
        if x.func not in _VIEWS or x in self.roots[x] or x in self.lasting or x in self.own:
            return False
        values = list(values_in(x.args, x.kwargs))
        if len(values) != 1:
            return False
        (a,) = values
        if a in self.real:
            view = x.func(*(self.real[a] if e is a else e for e in x.args), **x.kwargs)
            if view.shape != x.shape or not np.may_share_memory(view, self.real[a]):
                return False
            self.real[x], self.names[x] = view, self.constant(view)
            return True
        if a in self.fixed:
            name, text = f"w{len(self.hoisted)}", self.expression(x)
            self.hoisted.append((name, text))
            self.pure.append(f"{name} = {text}")
            self.names[x] = name
            self.fixed.add(x)
            return True
        return False

    def out(self, x: Value, dying: tuple[Any, ...] = ()) -> str:
        """The name of the memory for x; that of an argument which is not needed any more, if it fits."""
        if x in self.own:
            array = self.own[x]
        else:
            a = next((a for a in dying if self._can_overwrite(a, x, self.position[x])), None)
            if a is not None:
                self.blocks[x], array = self.blocks.pop(a), self.real[a]
                self.last.pop(a, None)
            else:
                array, self.blocks[x] = self.memory.array_like(x.data)
        self.real[x], self.names[x] = array, self.constant(array)
        return self.names[x]

    def _can_overwrite(self, a: Any, x: Value, i: int) -> bool:
        return (
            isinstance(a, Value)
            and a in self.blocks
            and self.roots[a] == {a}
            and self.last.get(a) == i
            and self.real[a].shape == x.shape
            and a.dtype == x.dtype
            and self.real[a].strides == x.data.strides
            and not any(b is not a and a in self.roots[b] for b in values_in(x.args))
        )

    def _in_memory(self, x: Value) -> bool:
        """Write x with `out=`. False where that cannot be."""
        if x in self.lasting or isinstance(x.data, tuple) or not x.ndim or not x.size or x.dtype.kind not in "fiub":
            return False
        if isinstance(x.func, np.ufunc) and x.func.signature is None and x.func.nout == 1 and not x.kwargs:
            return self._elementwise(x)
        if x.func in (np.dot, np.matmul) and not x.kwargs:
            return self._product(x)
        if x.func in (*_REDUCTIONS, np.mean, with_item):
            return self._with_item(x) if x.func is with_item else self._reduction(x)
        if x.func in (np.copy, astype) or (x.func is np.reshape and x in self.roots[x]):
            return self._copy(x)
        return False

    def _elementwise(self, x: Value) -> bool:
        a = list(x.args)
        if any(not isinstance(e, Value | np.ndarray | np.generic | int | float) for e in a):
            return False
        if self._is_positive_mask(x):
            return True
        floats = {e.dtype for e in a if getattr(e, "dtype", None) is not None and e.dtype.kind == "f"}
        like = x.dtype if x.dtype.kind == "f" else next(iter(floats)) if len(floats) == 1 else np.dtype(int)
        texts = [self.number(e, like) if not isinstance(e, Value | np.ndarray) else self.name(e) for e in a]
        func = x.func
        if func is np.power and not isinstance(a[1], Value) and np.ndim(a[1]) == 0 and a[1] == 2:
            func, texts = np.square, texts[:1]
        texts = [self._widened(e, text, x) for e, text in zip(a, texts, strict=False)]
        out = self.out(x, x.args)
        last = f"out={out}" if func in (np.maximum, np.minimum) else out
        self.line(f"{self.function(func)}({', '.join(texts)}, {last})")
        return True

    def _widened(self, a: Any, text: str, x: Value) -> str:
        """An argument of a small result in the shape of that: NumPy takes four times as long to broadcast it."""
        if x.size > TINY or np.shape(a) == x.shape or getattr(a, "dtype", x.dtype) != x.dtype or x.dtype.kind != "f":
            return text
        if not isinstance(a, Value) and np.size(a) == 1:
            return self.constant(np.full_like(x.data, a)) if x.func in (np.maximum, np.minimum) else text
        if not np.ndim(a):
            return text
        wide, self.blocks[x, text] = self.memory.array_like(np.empty_like(x.data))
        self.extra[x].append((x, text))
        name = self.constant(wide)
        self.line(f"{name}[...] = {text}")
        return name

    def _is_positive_mask(self, x: Value) -> bool:
        """Write a small mask y > 0 as sign(y), where no y is negative: NumPy multiplies floats faster."""
        if x.func is not np.greater or x.size > SMALL or isinstance(x.args[1], Value) or np.any(x.args[1] != 0):
            return False
        y = x.args[0]
        positive = isinstance(y, Value) and y.func is np.maximum and not isinstance(y.args[1], Value)
        if not positive or np.ndim(y.args[1]) or y.args[1] != 0 or y.shape != x.shape:
            return False
        uses = self.users[x]
        if not all(u.func is np.multiply and u.dtype == y.dtype and u.shape == x.shape for u in uses):
            return False
        mask, self.blocks[x] = self.memory.array_like(np.empty_like(y.data))
        self.real[x] = mask
        source = self.name(y)
        self.names[x] = self.constant(mask)
        self.line(f"{self.function(np.sign)}({source}, {self.names[x]})")
        return True

    def _product(self, x: Value) -> bool:
        a, b = x.args
        if not (_is_array(a) and _is_array(b)) or not a.ndim or not b.ndim or not x.data.flags.c_contiguous:
            return False
        if not a.dtype == b.dtype == x.dtype:
            return False
        left, right = self.name(a), self.name(b)
        if a.ndim <= 2 and b.ndim <= 2:
            self.line(f"{left}.dot({right}, {self.out(x)})")
        elif x.func is np.matmul:
            self.line(f"{self.function(np.matmul)}({left}, {right}, {self.out(x)})")
        else:
            self.line(f"{self.function(np.dot)}({left}, {right}, {self.out(x)})")
        return True

    def _reduction(self, x: Value) -> bool:
        (a, *rest), settings = x.args, dict(x.kwargs)
        axis = rest[0] if rest else settings.pop("axis", None)
        keepdims = settings.pop("keepdims", False)
        if len(rest) > 1 or settings or not isinstance(a, Value) or a.dtype != x.dtype or not x.data.flags.c_contiguous:
            return False
        if x.func is np.mean and x.dtype.itemsize < 4:
            return False
        source, out = self.name(a), self.out(x)
        ufunc = np.add if x.func is np.mean else _REDUCTIONS[x.func]
        reduce = self.reduction(ufunc)
        self.line(f"{reduce}({source}, {axis!r}, None, {out}, {bool(keepdims)})")
        if x.func is np.mean:
            n = self.number(a.size // x.size, x.dtype)
            self.line(f"{self.function(np.divide)}({out}, {n}, {out})")
        return True

    def reduction(self, ufunc: Any) -> str:
        name = f"np_{ufunc.__name__}_reduce"
        self.env.setdefault(name, ufunc.reduce)
        return name

    def _copy(self, x: Value) -> bool:
        (a, *_) = x.args
        if not isinstance(a, Value) or isinstance(a.data, tuple):
            return False
        source, out = self.name(a), self.out(x)
        if x.func is np.reshape:
            target = self.real[x]
            if not target.flags.c_contiguous or x.kwargs.get("order", "C") != "C":
                self.line(f"{out}[...] = {self.expression(x)}")
                return True
            out = self.constant(target.reshape(a.shape))
        loses = not np.can_cast(a.dtype, x.dtype, "same_kind")
        self.line(f"{out}[...] = {source}" if loses else f"{self.function(np.copyto)}({out}, {source})")
        return True

    def _with_item(self, x: Value) -> bool:
        a, i, value = x.args
        if not isinstance(a, Value | np.ndarray):
            return False
        before = self.name(a)
        out = self.out(x, (a,))
        if out != before:
            self.line(f"{self.function(np.copyto)}({out}, {before})")
        self.line(f"{out}[{self.index(i)}] = {self.name(value)}")
        return True

    # Expressions

    def expression(self, x: Value) -> str:
        """One call, as Python's shortest way to it. A view of no axes becomes the number that it shows now."""
        return self._expression(x) + "[()]" * (x.func in _VIEWS and not isinstance(x.data, tuple) and not x.ndim)

    def _expression(self, x: Value) -> str:
        func, args = x.func, x.args
        scalar = not isinstance(x.data, tuple) and not x.ndim
        if func in _INFIX and scalar and not x.kwargs and len(args) == 2:
            return f"{self.scalar(args[0], x)} {_INFIX[func]} {self.scalar(args[1], x)}"
        if func is np.negative and scalar:
            return f"-{self.name(args[0])}"
        if func is operator.getitem:
            return f"{self.name(args[0])}[{self.index(args[1])}]"
        if func in (np.dot, np.matmul) and all(_is_array(a) and 1 <= a.ndim <= 2 for a in args) and not x.kwargs:
            return f"{self.name(args[0])}.dot({self.name(args[1])})"
        if func is np.transpose and len(args) == 1 and not x.kwargs:
            return f"{self.name(args[0])}.T"
        if func is np.reshape and isinstance(args[0], Value) and x.kwargs in ({}, {"order": "C"}) and len(args) == 2:
            return f"{self.name(args[0])}.reshape({self.name(args[1])})"
        whole = len(args) == 1 and x.kwargs in ({}, {"axis": None})
        if func in _REDUCTIONS and scalar and whole and args[0].dtype == x.dtype:
            return f"{self.reduction(_REDUCTIONS[func])}({self.name(args[0])}, None)"
        if func is astype:
            dtype = [*args[1:], *x.kwargs.values()][0]
            return f"{self.name(args[0])}.astype({self.constant(np.dtype(dtype))})"
        settings = [f"{k}={self.name(v)}" for k, v in x.kwargs.items()]
        return f"{self.function(func)}({', '.join([*map(self.name, args), *settings])})"

    def index(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(map(self.index, index)) + "," * (len(index) == 1)
        if isinstance(index, slice):
            ends = ["" if e is None else self.name(e) for e in (index.start, index.stop)]
            return ":".join(ends) + ("" if index.step is None else f":{self.name(index.step)}")
        return "..." if index is Ellipsis else self.name(index)


def roots_of(order: list[Value]) -> dict[Value, set[Value]]:
    """The Values that the memory of each was made for: itself, or others, where it shares theirs."""
    roots: dict[Value, set[Value]] = {}
    for x in order:
        args = [] if x.func is None else list(values_in(x.args, x.kwargs))
        shared = args if x.func in (item, together) else [a for a in args if _share_memory(a.data, x.data)]
        roots[x] = set().union(*(roots[a] for a in shared)) or {x}
    return roots


def _share_memory(a: Any, b: Any) -> bool:
    """Whether two arrays may share memory, or some of two tuples of arrays."""
    parts = [x if isinstance(x, tuple) else (x,) for x in (a, b)]
    return any(np.ndim(x) and np.ndim(y) and np.may_share_memory(x, y) for x in parts[0] for y in parts[1])


def _is_array(x: Any) -> bool:
    return isinstance(x, Value | np.ndarray) and not isinstance(getattr(x, "data", None), tuple)
