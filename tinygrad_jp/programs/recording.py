"""What recorders share: whether results are alike, what is long, and where something was computed or asked."""

import dis
import inspect
import linecache
import sys
import types
from typing import Any

import numpy as np

from tinygrad_jp.core import Function, propagate
from tinygrad_jp.programs.simplifying import simplified
from tinygrad_jp.programs.values import BACKWARD, FORWARD, Place, behind, leaves_in, values_in

LONGEST, MOST_NUMBERS = 8, 16
"""The most operations of a function or rule that is written out to be read, and the most numbers of an array in it.

What is longer stays one call of itself.
"""


def place_of(frame: Any, f: Function | None = None) -> Place:
    """The pass that f belongs to: if the engine is walking back, the operation that it is walking through."""
    while frame is not None:
        if frame.f_code is propagate.__code__:
            return Place(BACKWARD, frame.f_locals["f"])
        frame = frame.f_back
    return Place(FORWARD, f)


def alike(a: Any, b: Any) -> bool:
    """Whether two results are the same, up to rounding."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if a is None or b is None:
        return a is b
    if np.shape(a) != np.shape(b) or getattr(a, "dtype", None) != getattr(b, "dtype", None):
        return False
    if np.all(np.equal(a, b)):  # Nearly always, and in less memory.
        return True
    rtol = 1e3 * float(np.finfo(b.dtype).eps) if getattr(b, "dtype", np.dtype(bool)).kind == "f" else 0
    return bool(np.allclose(a, b, rtol, rtol, equal_nan=True))


def is_long(y: Any, start: int, longest: int) -> bool:
    """Whether many operations since the number `start` lead to y, or a table of numbers is needed."""
    simple = simplified(list(values_in(y)))
    new = [x for x in behind(simple, through=lambda x: (x.args, x.kwargs) if x.number > start else None) if x.func]
    new = [x for x in new if x.number > start]
    return len(new) > longest or any(map(_is_table, leaves_in([simple, *((x.args, x.kwargs) for x in new)])))


def _is_table(x: Any) -> bool:
    """Whether x is an array of many numbers that follow no simple pattern."""
    if not isinstance(x, np.ndarray) or x.size <= MOST_NUMBERS:
        return False
    flat = x.ravel()
    return bool((flat != flat[0]).any() and (flat != np.arange(x.size)).any())


def read_by(func: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The settings that func needs; others tell its rule what has been computed already."""
    if not isinstance(func, types.FunctionType):
        return kwargs
    parameters = inspect.signature(func, follow_wrapped=False).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return kwargs
    needed = {i.argval for i in dis.get_instructions(func) if i.opname.startswith("LOAD_")}
    needed |= {p.name for p in parameters if p.default is p.empty}
    return {name: x for name, x in kwargs.items() if name in needed}


def users_line() -> str:
    """The line of the user's program that is running."""
    frame: Any = sys._getframe(1)
    inside = ("tinygrad_jp", "numpy")
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in inside:
        frame = frame.f_back
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"line {frame.f_lineno}" + (f", `{text}`," if text else "")
