"""The program beside the graph: the lines of `source`, each with the steps of the trace that it stands for."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_jp.core import Outputs, key_of
from tinygrad_jp.devices import fetched
from tinygrad_jp.formatting import LANGUAGES
from tinygrad_jp.programs import source

MOST_OPERATIONS = 200  # A longer program would make the page slow: the page then writes a line for each step itself.
MOST_NUMBERS = 1_000_000  # In all results: writing a program computes them again, several times.


def program(trace: Any) -> list[dict[str, Any]]:
    """For each line its code, the rows of its events, and its result; empty if there is no program to show.

    The code is a text, or one for each language; `value` is an array.
    """
    sizes = [np.size(y) for f in trace.order for y in (f.y if isinstance(f.y, Outputs) else [f.y])]
    if not 0 < len(sizes) <= MOST_OPERATIONS or sum(sizes) > MOST_NUMBERS:
        return []
    try:
        texts = [_written(trace, lang) for lang in LANGUAGES]
    except Exception:  # Not every graph can be written, and a Function of a user's own may do anything.
        return []
    lines = texts[0]
    line_of = {(phase, node, target): i for i, line in enumerate(lines) for phase, node, target in line.places}
    result = lines[line_of["forward", trace.order[-1], None]].value
    if not np.array_equal(result, fetched(trace.y.data), equal_nan=True):
        return []  # Parameters or data have changed since.
    rows = _rows(trace, lines, line_of)
    codes = zip(*([text for text, *_ in lines] for lines in texts), strict=True)
    return [
        {"code": code[0] if len(set(code)) == 1 else code, "rows": rows.get(i, []), "value": line.value}
        for i, (line, code) in enumerate(zip(lines, codes, strict=True))
    ]


def _written(trace: Any, lang: str) -> Any:
    """The lines of the program, with the names of the trace."""
    with np.errstate(all="ignore"):
        return source(trace.y, names=dict(_names(trace)), lang=lang).lines


def _names(trace: Any) -> Iterator[tuple[str, Any]]:
    for x in (trace.y, *(x for f in trace.order for x in f.variables)):
        yield trace.labels[key_of(x)], x
    for a in (a for f in trace.order for a in f.args):
        if id(a) in trace.constants:
            yield trace.constants[id(a)], a


def _rows(trace: Any, lines: list[Any], line_of: dict[Any, int]) -> dict[int, list[int]]:
    """For each line the numbers of its events. An event without a line goes to that of the next: it needs none."""
    rows: dict[int, list[int]] = {}
    line = max(i for i, line in enumerate(lines) if line.text.startswith("    return "))
    for row, event in reversed([*enumerate(trace.events)]):
        phase = "forward" if event.kind == "forward" else "backward"
        line = line_of.get((phase, event.f, event.target), line)
        rows.setdefault(line, []).insert(0, row)
    return rows
