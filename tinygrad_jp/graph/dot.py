"""A picture as text in DOT, the language of Graphviz."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.core import Array, Parameter, Variable, key_of
from tinygrad_jp.core.arrays import is_released
from tinygrad_jp.formatting import array_lines, norm, number, short, showable
from tinygrad_jp.graph.marks import COLORS, all_finite, color_index, color_label, warnings_about
from tinygrad_jp.graph.outline import Scope, common
from tinygrad_jp.graph.phrases import say
from tinygrad_jp.graph.structure import Node, Picture

_HEAD = """\
digraph {
graph [ordering=in, nodesep=0.3, ranksep=0.3, fontname="Helvetica,Arial,sans-serif", fontsize=11, labeljust=l]
node [id="\\N", fontname="Helvetica,Arial,sans-serif", fontsize=11, height=0.4, style=filled]
edge [id="\\T-\\H", arrowsize=0.7, color="#606060"]"""
# The looks of a Parameter, a Variable, a Function, a closed layer, a constant.
_LOOKS = {
    "p": 'color="#a04000", fillcolor=orange, penwidth=2',
    "v": "color=orange",
    "f": "color=lightblue, shape=box",
    "b": "color=lightblue, shape=box, peripheries=2",
    "c": 'color="#909090", fillcolor="#f0f0f0", style="filled,dashed"',
}
_WARNING = ', color="#d55e00", penwidth=3, fillcolor={}'
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": "\N{REPLACEMENT CHARACTER}", "&": "&amp;"})


class Options(NamedTuple):
    """The language of a picture, and whether its nodes show values, gradients and shapes."""

    lang: str
    values: bool = True
    grads: bool = True
    shapes: bool = True


class Titles:
    """The titles of Variables and layers: the path in the outermost layer, their own name, or the one in `names`."""

    def __init__(self, picture: Picture, names: Mapping[str, Any]) -> None:
        named = {str(name): x for name, x in names.items() if isinstance(x, Variable) or hasattr(x, "named_params")}
        self.given = {_key(x): name for name, x in reversed(named.items())}
        self.paths: dict[int, str] = {}
        outer = list({id(call.layer): call.layer for call in picture.outline.scopes[0].calls}.values())
        held = [x for x in named.values() if isinstance(x, Parameter)]
        for layer in outer:
            own = self.given.get(_key(layer), "")
            prefix = own if len(outer) > 1 else ""
            params = layer.named_params()
            held += params.values()
            for path, x in [*layer.layers_by_path(), *params.items()]:
                self.paths.setdefault(id(x), ".".join(filter(None, (prefix, path))) or own)
        self.unused = [x for x in dict.fromkeys(held) if picture.functions and x not in picture.drawn_for]

    def of(self, x: Any) -> str:
        return short(str(self.paths.get(id(x)) or getattr(x, "name", None) or self.given.get(_key(x), "")))


def _key(x: Any) -> int:
    """A key for a layer or a Variable: the same for all Variables that hold one result."""
    return id(key_of(x) if isinstance(x, Variable) else x)


class Text:
    """The text of a picture as it grows. `legend` collects the words that need an explanation."""

    def __init__(self, picture: Picture, names: Mapping[str, Any], options: Options) -> None:
        self.picture, self.options, self.titles = picture, options, Titles(picture, names)
        edges = [part for part in picture.parts if not isinstance(part, Node)]
        self.sources = _neighbors((target, source) for source, target, back in edges if not back)
        self.targets = _neighbors((source, target) for source, target, _ in edges)
        self.rows = {_innermost_fold(source, target) for source, target, back in edges if back}
        self.lines = [_HEAD]
        self.later: list[str] = []  # Edges, which must not stand inside a cluster.
        self.open: tuple[Scope, ...] = ()
        self.clusters: dict[Scope, str] = {}
        self.colors: dict[Node, int | None] = {}
        self.legend: dict[str, str] = {}
        self.drawn: dict[tuple[Node, Node], int] = {}
        for part in picture.parts:
            if isinstance(part, Node):
                self._node(part)
            else:
                self._edge(*part)
        self._enter(())
        self._unused()
        self._legend()
        self.lines.append("}\n")

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _say(self, key: str, *args: Any) -> str:
        return say(self.options.lang, key, *args)

    def _explain(self, key: str, *args: Any) -> None:
        self.legend.setdefault(key, self._say(key, *args))

    # Lines

    def _enter(self, path: tuple[Scope, ...]) -> None:
        """Close the clusters that do not contain `path`, and open those that do."""
        shared = len(common([self.open, path]))
        self.lines += ["}"] * (len(self.open) - shared)
        for scope in path[shared:]:
            new = scope not in self.clusters
            name = self.clusters.setdefault(scope, f"cluster_{len(self.clusters)}")
            self.lines.append(f"subgraph {name} {{")
            if new:
                self.lines.append(f'graph [id={name}, label="{dot_quoted(*self._cluster(scope))}", {_frame(scope)}]')
        self.open = path
        if not path:
            self.lines += self.later
            self.later = []

    def _cluster(self, scope: Scope) -> list[str]:
        if scope.count > 1:
            return [self._say("row" if scope in self.rows else "side", scope.count)]
        return ["  ".join(filter(None, (self.titles.of(scope.layer), short(type(scope.layer).__name__))))]

    def _node(self, node: Node) -> None:
        lines, warnings = self._label(node)
        look = _LOOKS[node.kind]
        if warnings:
            look += _WARNING.format("lightblue" if node.kind == "f" else "orange")
        self._enter(node.path)
        self.lines.append(f'{node.id} [label="{dot_quoted(*lines, *(f"⚠ {text}" for text in warnings))}", {look}]')

    def _edge(self, source: Node, target: Node, back: bool) -> None:
        """An edge, in the color of the gradient at one end. A second edge between two nodes has an id of its own."""
        n = self.drawn[source, target] = self.drawn.get((source, target), 0) + 1
        look = [f'id="{source.id}-{target.id}-{n}"'] if n > 1 else []
        if back:
            self._explain("loop")
            look.append("style=dashed, constraint=false")
        color = self.colors.get(source if source.kind in "vp" else target)
        if color is not None:
            self._explain("scale")
            look.append(f'color="{COLORS[color]}", penwidth=2.5')
        line = f"{source.id} -> {target.id}" + (f" [{', '.join(look)}]" if look else "")
        (self.later if self.open else self.lines).append(line)

    # Labels

    def _label(self, node: Node) -> tuple[list[str], list[str]]:
        """The lines of a node, and the warnings under them."""
        first = node.things[0]
        if node.kind == "f":
            return [short(first.name)], warnings_about(node.things, self.options.lang) if self.options.values else []
        if node.kind == "b":
            return self._box(node, first), []
        if node.kind == "c":
            return self._constant(node.things), []
        return self._variable(node)

    def _variable(self, node: Node) -> tuple[list[str], list[str]]:
        x, *more = node.things
        lines = [title] if (title := self.titles.of(x)) else []
        if x.data is None:  # A Parameter that waits for its data.
            return lines, []
        if self.options.shapes:
            lines.append(f"{x.shape} {x.dtype}" + (f" × {len(more) + 1:,}" if more else ""))
        warnings = []
        if self.options.values:
            values = [x.data for x in node.things if not is_released(x.data)]
            lines += self._numbers(values) if values else [self._say("released")]
            warnings += [] if all_finite(values) else [self._say("not finite")]
        gradients = [x.grad.data for x in node.things if x.grad is not None]
        if self.options.grads and gradients:
            lines += self._gradient(node, gradients)
            warnings += [self._say("zero")] if not all(g.any() for g in gradients if g.size) else []
            warnings += [] if all_finite(gradients) else [self._say("gradient not finite")]
        return lines, warnings

    def _numbers(self, arrays: list[Array]) -> list[str]:
        """The lines for one array, or for the norms of several."""
        if len(arrays) > 1:
            self._explain("range")
            norms = sorted(map(norm, arrays))
            return ["‖·‖ " + " … ".join(dict.fromkeys(number(norms[i], 3) for i in (0, -1)))]
        if arrays[0].size > 9:
            self._explain("statistics")
        return array_lines(arrays[0])

    def _gradient(self, node: Node, gradients: list[Array]) -> list[str]:
        self.colors[node] = color_index(min(map(norm, gradients)))
        lines = self._numbers(gradients)
        if len(gradients) == 1 and 1 < gradients[0].size < 10:
            lines.append(f"‖·‖ {number(norm(gradients[0]), 3)}")
        return [f"{self._say('gradient')} {line}" if i == 0 else line for i, line in enumerate(lines)]

    def _constant(self, values: list[Any]) -> list[str]:
        first = values[0]
        if np.ndim(first) == 0:
            return [number(first, 6) + (", …" if any(v != first and v == v for v in values) else "")]
        return [f"{first.shape} {first.dtype}"] if self.options.shapes else []

    def _box(self, node: Node, scope: Scope) -> list[str]:
        """The lines of a closed layer: its name and kind, the shapes that go in and out, how many parameters it has."""
        if not scope.count:
            return [self._say("rest", scope.hi - scope.lo)]
        lines = self._cluster(scope)
        if self.options.shapes:
            lines.append(" → ".join(_shapes(side.get(node, [])) for side in (self.sources, self.targets)))
        count = sum(p.size for p in scope.layer.named_params().values() if p.data is not None)
        return [*lines, self._say("parameters", count)] if count else lines

    # Beside the graph

    def _unused(self) -> None:
        """One node for the Parameters that the output does not depend on."""
        if not self.titles.unused or not self.options.grads:
            return
        titles = [self.titles.of(p) for p in self.titles.unused]
        lines = titles[:5] + ([self._say("more", len(titles) - 5)] if titles[5:] else [])
        text = dot_quoted(*lines, f"⚠ {self._say('no path')}")
        self.lines.append(f'p{len(self.picture.nodes)} [label="{text}", {_LOOKS["p"]}{_WARNING.format("orange")}]')

    def _legend(self) -> None:
        """Explain the colors and the words that occur in the picture."""
        if self.picture.folded:
            self._explain("folded", len(self.picture.nodes), self.picture.full_size)
        colors = sorted({i for i in self.colors.values() if i is not None})
        scale = self.legend.pop("scale", None)
        if scale:
            self.lines += [
                "subgraph cluster_scale {",
                f'graph [id=scale, label="{scale}", style=solid, color="#c0c0c0", penwidth=1]',
                'node [shape=box, fontsize=9, height=0.25, margin="0.05,0.03"]',
                *(f'step{i} [label="{color_label(i)}", color="{COLORS[i]}", {_ink(i)}]' for i in colors),
                f"{{rank=same {' -> '.join(f'step{i}' for i in colors)} [style=invis]}}",
                "}",
            ]
        if self.legend:
            text = "".join(rf"{line}\l" for line in self.legend.values())
            self.lines.append(f'label="{text}"')


def _neighbors(pairs: Iterable[tuple[Node, Node]]) -> dict[Node, list[Node]]:
    neighbors: dict[Node, list[Node]] = {}
    for node, neighbor in pairs:
        neighbors.setdefault(node, []).append(neighbor)
    return neighbors


def _innermost_fold(source: Node, target: Node) -> Scope | None:
    """The repetition that an edge back to its start belongs to."""
    return next((scope for scope in reversed(common([source.path, target.path])) if scope.count > 1), None)


def _ink(i: int) -> str:
    return f"fontcolor={'white' if i < 6 else 'black'}"


def _shapes(nodes: list[Node]) -> str:
    """The shapes of the first few results and inputs among `nodes`."""
    shapes = [str(node.things[0].shape) for node in dict.fromkeys(nodes) if node.kind == "v"]
    return ", ".join(shapes[:3]) + (", …" if shapes[3:] else "")


def _frame(scope: Scope) -> str:
    style = ("rounded", "#26828e", 2) if scope.count > 1 else ("dashed", "#808080", 1)
    return 'style={}, color="{}", penwidth={}'.format(*style)


def dot_quoted(*lines: str) -> str:
    """`lines` written so that, between quotes in DOT, they are shown as they are."""
    return r"\n".join(showable(line).translate(_ESCAPES) for line in lines)
