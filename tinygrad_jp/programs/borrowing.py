"""Functions that a program calls, in their own source, with all that they need: so that it runs by itself."""

import ast
import dis
import functools
import inspect
import re
import textwrap
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_jp import devices
from tinygrad_jp.core import Variable
from tinygrad_jp.kinds import ArrayMethods

# What these do where all arrays are NumPy's, and nothing is recorded.
STAND_INS = {
    "on_device": "def on_device(x):\n    return False",
    "device_of": "def device_of(*xs):\n    return None",
    "array_class": "def array_class(x):\n    return np.ndarray",
    "beside": "def beside(x, *others):\n    return np.asarray(x)",
    "fetched": "def fetched(x):\n    return x",
    "apply": "def apply(func, *args, **settings):\n    return func(*args, **settings)",
    "as_variable": "def as_variable(x):\n    return x",
}


class NotWritten(TypeError):
    """A part of a computation that no program can be written for."""


class Borrowed:
    """Definitions of functions, by the names that a program calls them by, and the imports that they need.

    taken: names that the program uses for other things.
    """

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.imports: dict[str, None] = {}
        self.definitions: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self._names: dict[int, str] = {}
        self._constants: dict[tuple[str, str], str] = {}
        self._kept: list[Any] = []  # An id is an object's own only as long as that lives.

    def name(self, func: Any, wanted: str | None = None) -> str:
        """The name of `func`, whose definition is now among the `definitions`."""
        func = _bare(func)
        if _is_engine(func):
            raise NotWritten(f"source: a rule uses the engine's {func.__name__}, so it cannot be written as NumPy")
        if id(func) not in self._names:
            own = wanted if wanted and func.__name__ == "<lambda>" else func.__name__
            name = own
            self._names[id(func)] = name = self._free(name)
            self._kept.append(func)
            self._define(func, name)
        return self._names[id(func)]

    def _define(self, func: Any, name: str) -> None:
        if func.__name__ in STAND_INS and func.__module__ in (devices.__name__, Variable.__module__):
            text = STAND_INS[func.__name__]
        elif isinstance(func, type) and issubclass(func, ArrayMethods):
            text = f'class {name}:\n    """Here all arrays are NumPy\'s own."""'
        else:
            text = re.sub(r"\bas_variable\((\w+)\)\.data", r"\1", _source(func, name))
            for used, value in _globals(func):
                text = self._resolved(text, used, value)
        self.definitions.pop(name, None)
        self.definitions[name] = text

    def _resolved(self, text: str, used: str, value: Any) -> str:
        """`text`, after what it calls `used` has been brought in as well."""
        if isinstance(value, types.ModuleType):
            if not value.__name__.startswith("tinygrad_jp"):
                self.imports[_import(value.__name__, used)] = None
                return text
            for attribute in sorted(set(re.findall(rf"\b{used}\.(\w+)", text))):
                text = re.sub(rf"\b{used}\.{attribute}\b", self._value(attribute, getattr(value, attribute)), text)
            return text
        name = self._value(used, value)
        if name != used and re.search(rf"\b{name}\b", text):  # It has another meaning there.
            self.aliases[used] = name
            return text
        return re.sub(rf"(?<![\w.]){used}\b", name, text)

    def _value(self, used: str, value: Any) -> str:
        """The name of a value of a module: a function, a class or a constant."""
        own = str(getattr(value, "__name__", ""))
        for place, prefix in ((np, "np"), (np.linalg, "np.linalg"), (np.fft, "np.fft")):
            if own and getattr(place, own, None) is value:
                return f"{prefix}.{own}"
        module = str(getattr(value, "__module__", ""))
        if isinstance(value, np.ufunc) or module.partition(".")[0] in ("numpy", "functools", "typing", "collections"):
            self.imports[f"from {'numpy' if isinstance(value, np.ufunc) else module} import {used}"] = None
            return used
        if callable(value) and not isinstance(value, type(Any)):
            return self.name(value)
        text = f"np.{value!r}" if isinstance(value, np.dtype) else repr(value)
        if not isinstance(value, np.dtype) and not _is_literal(value):
            raise NotWritten(f"source: a function uses {used}, a {type(value).__name__} that no text stands for")
        if (used, text) not in self._constants:
            self._constants[used, text] = name = self._free(used)
            self.definitions[name] = f"{name} = {text}"
        return self._constants[used, text]

    def _free(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


@functools.cache
def is_borrowable(func: Any) -> bool:
    """Whether a function and all that it needs can be written down."""
    try:
        return bool(Borrowed(set()).name(func))
    except NotWritten:
        return False


def _is_engine(func: Any) -> bool:
    room, _, module = str(func.__module__).rpartition(".")
    known = isinstance(func, type) or func.__name__ in STAND_INS
    return room == "tinygrad_jp.core" and module != "arrays" and not known


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False


def _import(module: str, name: str) -> str:
    return f"import {module}" if module == name else f"import {module} as {name}"


def _bare(func: Any) -> Any:
    """The function of arrays that is called: of a primitive, its body; of a cache, what it keeps the results of."""
    func = getattr(func, "primitive", func)
    return func.__wrapped__ if hasattr(func, "cache_info") else func


def _codes(func: Any) -> Iterator[types.CodeType]:
    """The code of a function or of all methods of a class, and of what is defined inside."""
    methods = vars(func).values() if isinstance(func, type) else [func]
    waiting = [f.__code__ for f in methods if isinstance(f, types.FunctionType)]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _globals(func: Any) -> list[tuple[str, Any]]:
    """What a function uses of its module, by name."""
    module = inspect.getmodule(func)
    known = func.__globals__ if isinstance(func, types.FunctionType) else vars(module)
    loads = [i.argval for code in _codes(func) for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"]
    bases = [base.__name__ for base in getattr(func, "__orig_bases__", ()) if hasattr(base, "__name__")]
    names = dict.fromkeys(name for name in [*loads, *bases] if name in known)
    around = inspect.getclosurevars(func).nonlocals if isinstance(func, types.FunctionType) else {}
    return [(name, x) for name, x in [*((n, known[n]) for n in names), *around.items()] if x is not func]


def _source(func: Any, name: str) -> str:
    """The definition of a function or class, without decorators and annotations, and with a short docstring."""
    if func.__name__ == "<lambda>":
        rule = _lambda(func)
        return f"def {name}({ast.unparse(rule.args)}):\n    return {ast.unparse(rule.body)}"
    try:
        text = textwrap.dedent(inspect.getsource(getattr(func, "__code__", func)))
    except (OSError, TypeError):
        raise NotWritten(f"source: {func.__name__} has no source in Python that could be written down") from None
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    lines = text.splitlines()
    body = [*_docstring(node), *lines[_first_line_of_code(node) - 1 :]]
    return "\n".join([_header(node, name), *body]).rstrip()


def _lambda(func: Any) -> ast.Lambda:
    """A lambda in the text of its module."""
    lines, _ = inspect.findsource(func)
    text = "".join(lines)
    at = min(p for p in func.__code__.co_positions() if p[0] == p[1] and p[2] is not None)
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Lambda) and node.lineno == func.__code__.co_firstlineno
    ]
    return next((node for node in found if _spans(node, at[0], at[2])), found[0])


def _spans(node: ast.Lambda, line: int | None, column: int | None) -> bool:
    """Whether the body of a lambda holds a place in the file."""
    start, end = (node.body.lineno, node.body.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
    return start <= (line or 0, column or 0) <= end


def _header(node: ast.FunctionDef | ast.ClassDef, name: str) -> str:
    """`def f(x, axis=-1):`"""
    if isinstance(node, ast.ClassDef):
        bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
        return f"class {name}({', '.join(map(ast.unparse, bases))}):"
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return f"def {name}({ast.unparse(node.args)}):"


def _docstring(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    written = ast.get_docstring(node)
    return textwrap.indent(f'"""{written.partition(chr(10) * 2)[0]}"""', "    ").splitlines() if written else []


def _first_line_of_code(node: ast.FunctionDef | ast.ClassDef) -> int:
    if ast.get_docstring(node) is None:
        return node.body[0].lineno
    end = node.body[0].end_lineno
    assert end is not None
    return end + 1
