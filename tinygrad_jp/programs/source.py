"""A graph as the program that a person would have written: `source`."""

import inspect
import keyword
import os
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, overload

import numpy as np

from tinygrad_jp.core import Parameter, Variable, as_variable, toposort
from tinygrad_jp.derivatives import grad
from tinygrad_jp.files import write_whole
from tinygrad_jp.formatting import Phrases, labels, language, phrase
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.colours import coloured
from tinygrad_jp.programs.recorded import Held
from tinygrad_jp.programs.recorder import Recorder
from tinygrad_jp.programs.recording import LONGEST
from tinygrad_jp.programs.replaying import Replay
from tinygrad_jp.programs.simplifying import simplified
from tinygrad_jp.programs.values import Value, behind
from tinygrad_jp.programs.writing import WIDTH, Line, Writer

PHRASES: Phrases = {
    "example": ("Example data, as large as those that were recorded", "記録したデータと同じ大きさの例です"),
}


class Source(str):
    """A program in Python, as text. `exec` it, print it, or save it as a file that runs.

    `name` is the name of its function, `arguments` the arrays that were recorded, by the names of its arguments, and
    `returns` the names of what it returns. `lines` are its lines one by one, with the operations they belong to.
    """

    name: str
    arguments: dict[str, Any]
    returns: list[str]
    lang: str
    lines: list[Line]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file that runs, as a whole or not at all, and return its path: it prints the result of example data.

        Raises ValueError for a suffix other than .py, OSError if the file cannot be written.
        """
        path = Path(path)
        if path.suffix != ".py":
            raise ValueError(f"save: expected a path that ends in .py, got {str(path)!r}")
        write_whole(path, f"{self}\n\n\n{self._example()}".encode())
        return path

    def _example(self) -> str:
        calls = [f"        {name}={_example_data(x)},\n" for name, x in self.arguments.items()]
        result = f"{self.name}(\n{''.join(calls)}    )" if calls else f"{self.name}()"
        first = f"result{'[0]' if len(self.returns) > 1 else ''}"
        return (
            'if __name__ == "__main__":\n'
            f"    # {phrase(PHRASES, self.lang, 'example')}\n"
            f"    rng = np.random.default_rng(0)\n    result = {result}\n    print({first})\n"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{coloured(str(self))}</pre>"


def _example_data(x: Any) -> str:
    """Random numbers of the shape, the dtype and the range of x."""
    x = np.asarray(x)
    if x.dtype.kind == "b":
        return f"rng.random({x.shape}) < 0.5"
    low, high = (x.min().item(), x.max().item()) if x.size and np.isfinite(x).all() else (0, 1)
    if x.dtype.kind in "iu":
        return f"rng.integers({low}, {high + 1}, {x.shape}, np.{x.dtype.name})"
    return f"rng.uniform({low:.4g}, {high:.4g}, {x.shape}).astype(np.{x.dtype.name})"


@overload
def source(
    loss: Variable, *, names: Mapping[str, Any] | None = None, lang: str | None = None, order: int = 1
) -> Source: ...
@overload
def source(
    loss: Callable[..., Any], *, names: Mapping[str, Any] | None = None, lang: str | None = None, order: int = 1
) -> Callable[..., Source]: ...
def source(
    loss: Variable | Callable[..., Any],
    *,
    names: Mapping[str, Any] | None = None,
    lang: str | None = None,
    order: int = 1,
) -> Any:
    """The forward and the backward pass of `loss` as plain NumPy: a program that runs by itself.

    Its arguments are the Variables and arrays that `loss` was computed from. It returns `loss` and the gradients of the
    Variables that have a name or are Parameters, or else of all. Given a function instead, `source(f)(x)` is the
    program of what f returns for x.

    Shapes, Python's numbers and what Python decided are as they were recorded; NumPy's arrays and numbers are
    arguments. Functions of the library that are longer than a few lines stay calls of themselves, and stand above in
    their own source. Raises TypeError, in a sentence with the name of the function, where one cannot be written.

    names: names for Variables and arrays, such as `locals()`; otherwise Variables are called as in `trace`.
    lang: "en" or "ja", for the comments; None asks the locale.
    order: how often it is differentiated. For 2 there is a vector `v_x` for each x among the arguments, and the program
    returns the derivatives of Σ v_x·gx as well, the products of the Hessian with the vectors.

    >>> x, W = Variable([[1.0, 2.0]], "x"), Variable([[0.5], [0.1]], "W")
    >>> print(source(np.sum(np.tanh(x @ W) ** 2), lang="en"))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def step(x, W):
        # matmul, tanh
        v2 = np.tanh(x @ W)
        # power, sum
        y = np.sum(v2 ** 2)
        # back through power, tanh
        gv1 = 2.0 * v2 * (1 - v2 * v2)
        # back through matmul
        gx = gv1 @ W.T
        gW = x.T @ gv1
        return y, gx, gW
    """
    if isinstance(loss, Variable) and loss.creator is None:
        raise ValueError(
            "source: no graph leads to this Variable, so there is nothing to write: it was made from data, or computed "
            "under no_grad(), or as a gradient without backward(create_graph=True)"
        )
    if isinstance(loss, Variable):
        return _Program(loss, names or {}, language(lang), "step", order).written()
    if callable(loss):
        return _source_of_function(loss, names or {}, lang, order)
    raise TypeError(f"source: expected a Variable or a function, got {type(loss).__name__}")


def _source_of_function(
    f: Callable[..., Any], names: Mapping[str, Any], lang: str | None, order: int
) -> Callable[..., Source]:
    """A function of f's arguments that gives the program of what f returns."""

    def written(*xs: Any) -> Source:
        parameters = [*inspect.signature(f).parameters][: len(xs)]
        if getattr(f, "__globals__", None) is grad.__globals__:  # A derivative that the engine computes.
            return _source_of_derivative(f, dict(zip(parameters, xs, strict=False)), language(lang))
        variables = [x if isinstance(x, Variable) else Variable(x) for x in xs]
        y = f(*variables)
        given = {**names, **dict(zip(parameters, variables, strict=False))}
        if "y" in given and given["y"] is not y:
            given["result"] = y
        return _Program(y, given, language(lang), f.__name__, order).written()

    return written


def _source_of_derivative(f: Callable[..., Any], xs: dict[str, Any], lang: str) -> Source:
    """The program of f's value, a derivative. It is computed on Values, with all its passes there and back."""
    recorder = Recorder(LONGEST, to_read=True)
    arguments = [Value(as_variable(x).data, name) for name, x in xs.items()]
    with recorder:
        y = f(*(Variable(Held(recorder, x)) for x in arguments))
    if recorder.decisions:
        where = recorder.decisions[0][2]
        raise NotWritten(f"source: {f.__name__} decides by its numbers at {where} which no text does")
    outputs = simplified([recorder.values(getattr(y, "_array", y))])
    labels = {x: "result" for x in outputs if isinstance(x, Value)}
    return text_of(f.__name__, lang, arguments, outputs, labels, ["result"])


class _Program:
    """The program of one graph."""

    def __init__(self, y: Variable, names: Mapping[str, Any], lang: str, name: str, order: int) -> None:
        self.y, self.names, self.lang, self.order = y, names, lang, order
        self.name = name
        functions = toposort(y.creator)[::-1] if y.creator is not None else []
        self.variables = {id(x): name for name, x in names.items() if isinstance(x, Variable)}
        leaves = {x: None for f in functions for x in f.variables if x.creator is None}
        given = {name: x for name, x in names.items() if isinstance(x, Variable)}
        given |= {name: x for x in leaves for name, a in names.items() if a is x.data and name not in given}
        self.labels = labels(y, functions, given)
        self.unnamed = 0
        self.replay = Replay(y, self._label)
        self.leaves = list(leaves)

    def _label(self, x: Any) -> str:
        """What to call an argument."""
        if isinstance(x, Variable):
            return self.labels[x]
        known = next((name for name, a in self.names.items() if a is x), None)
        return known or {"b": "mask", "i": "t", "u": "t"}.get(x.dtype.kind, "a")

    def wanted(self) -> list[Variable]:
        """The Variables whose gradients are returned."""
        leaves = [x for x in self.leaves if not x.is_constant]
        leaves = [x for x in leaves if x.dtype.kind in "fiu"]
        own = [x for x in leaves if isinstance(x, Parameter) or x.name or id(x) in self.variables]
        return own or leaves

    def written(self) -> Source:
        replay = self.replay
        hints = {replay.value(y): self.labels[f] for f, y in replay.made.items() if isinstance(y, Variable)}
        names = {y.creator: self.labels[f] for f, y in replay.made.items() if isinstance(y, Variable)}
        leaves = {replay.leaves[x]: self.labels[x] for x in self.wanted()}
        outputs, returned = [replay.value(replay.root)], [self.labels[self.y.creator or self.y]]
        total, vectors, letter = replay.root, [], "g"
        for n in range(self.order):
            again = n + 1 < self.order
            grads = replay.gradients(total, again)
            for x, g in grads.items():
                name, value = leaves.get(x) or names.get(x), replay.recorder.values(getattr(g, "_array", g))
                if name and isinstance(value, Value):
                    hints.setdefault(value, f"{letter}{name}" if n == 0 else f"{letter}_{name}")
            found = [(name, grads.get(x, np.zeros_like(x.data))) for x, name in leaves.items()]
            outputs += [replay.recorder.values(getattr(g, "_array", g)) for _, g in found]
            returned += [f"{letter}{name}" for name, _ in found]
            if again:
                total, more = replay.along(found)
                vectors += more
                letter = "h"
        return self._text(hints, outputs, returned, vectors)

    def _text(self, hints: Any, outputs: list[Any], returned: list[str], vectors: list[Value]) -> Source:
        named = simplified([*hints, *outputs])
        kept, outputs = named[: len(hints)], named[len(hints) :]
        labels: dict[Value, str] = {}
        for new, label in zip(kept, hints.values(), strict=True):
            if isinstance(new, Value):
                labels.setdefault(new, label)
        values = [self.replay.value(x) for x in self.replay.leaves.values()]
        arguments = [*(v for _, v in self.replay.inputs.values()), *values, *vectors]
        return text_of(self.name, self.lang, arguments, outputs, labels, returned, self._described)

    def _described(self, node: Any) -> str:
        """An operation in a few words: the path of its layer, and its name."""
        parameters = [x for x in getattr(node, "variables", ()) if isinstance(x, Parameter)]
        paths = {self.labels[x].rpartition(".")[0] for x in parameters if x in self.labels}
        layer = paths.pop() if len(paths) == 1 else ""
        return f"{layer}: {described(node)}" if layer else described(node)


def described(node: Any) -> str:
    """An operation in a few words: the path of its layer, and its name."""
    name = str(getattr(getattr(node, "func", None), "__name__", "seed")).strip("_")
    return f"{node.path}: {name}" if getattr(node, "path", "") else name


def text_of(
    name: str,
    lang: str,
    arguments: list[Value],
    outputs: list[Any],
    labels: Any,
    returned: list[str],
    words: Callable[[Any], str] | None = None,
) -> Source:
    """The whole text: imports, the functions that are called, and the program."""
    used = set(behind(outputs))
    arguments = [v for v in arguments if v in used]
    name = name if name.isidentifier() and not keyword.iskeyword(name) else "step"
    writer = Writer(labels, words or described, lang)
    body = writer.lines(arguments, outputs)
    names = [writer.write(x)[0] for x in arguments]
    head = _wrapped(f"def {name}", names, ":", always=True)
    last = _wrapped("return ", [writer.result(x) for x in outputs], "")
    whole = _whole(writer.borrowed, "\n".join([*head, *(f"    {line}" for line in [*(x.text for x in body), *last])]))
    text = Source(whole)
    texts = whole.split("\n")
    above = len(texts) - len(body) - len(last)
    found = [*[Line("")] * above, *body, *[Line("")] * len(last)]
    text.lines = [line._replace(text=written) for written, line in zip(texts, found, strict=True)]
    text.name, text.lang, text.returns = name, lang, returned
    text.arguments = {name: v.data for name, v in zip(names, arguments, strict=True)}
    return text


def _wrapped(before: str, items: list[str], after: str, always: bool = False) -> list[str]:
    """`before`, the items with commas between them, and `after`; in brackets if they fill more than a line."""
    joined = ", ".join(items)
    if len(joined) <= WIDTH:
        return [f"{before}({joined}){after}" if always else f"{before}{joined}{after}"]
    return [
        f"{before}(",
        *textwrap.wrap(f"{joined},", WIDTH, initial_indent="    ", subsequent_indent="    "),
        f"){after}",
    ]


def _whole(borrowed: Any, text: str) -> str:
    """Imports, the functions that are called, and the program."""
    definitions = list(reversed(borrowed.definitions.values()))
    definitions += [f"{name} = {function}" for name, function in borrowed.aliases.items()]
    future = ["from __future__ import annotations", ""] if any(d.startswith("class ") for d in definitions) else []
    imports = sorted({"import numpy as np", *borrowed.imports})
    text = "\n".join([*future, *imports, "", "", *(f"{d}\n\n" for d in definitions), text])
    return _without_underscores(
        text, [x for x in borrowed.definitions if x.startswith("_") and x not in borrowed.aliases]
    )


def _without_underscores(text: str, names: list[str]) -> str:
    """`text` with the plain names of functions that have a private one, where those are free."""
    for name in names:
        if not re.search(rf"\b{name.strip('_')}\b", re.sub(r"(#.*|\"\"\"(.|\n)*?\"\"\")", "", text)):
            text = re.sub(rf"\b{name}\b", name.strip("_"), text)
    return text
