"""A picture as text in DOT, the language of Graphviz."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.core import Array, Function, Parameter, Variable, key_of
from tinygrad_jp.core.arrays import is_released
from tinygrad_jp.formatting import array_lines, norm, number, short, showable
from tinygrad_jp.graph.looks import CLASSES, LIGHT, LOOKS, WARNING, is_ordered, sign, width
from tinygrad_jp.graph.marks import warnings_about
from tinygrad_jp.graph.outline import Scope, common
from tinygrad_jp.graph.phrases import say
from tinygrad_jp.graph.structure import Node, Picture

_HEAD = """\
digraph {{
graph [rankdir={}, nodesep=0.25, ranksep=0.3, fontname="Helvetica,Arial,sans-serif", fontsize=11, labeljust=l]
node [id="\\N", fontname="Helvetica,Arial,sans-serif", fontsize=11, height=0.3, width=0.3, margin="0.09,0.04"]
edge [id="\\T-\\H", fontname="Helvetica,Arial,sans-serif", fontsize=9, arrowsize=0.6, color="#5f656e"]"""
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": "\N{REPLACEMENT CHARACTER}", "&": "&amp;"})
_POINTS = 6.5  # Roughly the width of a character.
Lines = list[tuple[str, str]]  # Each line of a node with its role: name, shape, value, gradient, sign or warning.


class Options(NamedTuple):
    """The language of a picture, and whether its nodes show values, gradients and shapes.

    The player has more of its own: which way the graph runs, the gradient and the title of a Variable, and what stands
    at the edge into an argument of a Function.
    """

    lang: str
    values: bool = True
    grads: bool = True
    shapes: bool = True
    rankdir: str = "TB"
    gradient: Callable[[Variable], Array | None] | None = None
    title: Callable[[Any], str] | None = None
    edge: Callable[[Function, int], str] | None = None


class Titles:
    """The titles of Variables and layers: the path in the outermost layer, their own name, or the one in `names`."""

    def __init__(self, picture: Picture, names: Mapping[str, Any]) -> None:
        kinds = (Variable, np.ndarray)
        named = {str(name): x for name, x in names.items() if isinstance(x, kinds) or hasattr(x, "named_params")}
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
    """The text of a picture as it grows. `legend` collects the words that need an explanation.

    `roles` says for each node what its lines are.
    """

    def __init__(self, picture: Picture, names: Mapping[str, Any], options: Options) -> None:
        self.picture, self.options, self.titles = picture, options, Titles(picture, names)
        self.warnings = self._warnings()
        edges = [part for part in picture.parts if not isinstance(part, Node)]
        self.sources = _neighbors((target, source) for source, target, back, _ in edges if not back)
        self.targets = _neighbors((source, target) for source, target, _, _ in edges)
        self.rows = {_innermost_fold(source, target) for source, target, back, _ in edges if back}
        self.lines = [_HEAD.format(options.rankdir)]
        self.roles: dict[str, list[str]] = {}
        self.widths: dict[Node, int] = {}
        self.later: list[str] = []  # Edges, which must not stand inside a cluster.
        self.open: tuple[Scope, ...] = ()
        self.clusters: dict[Scope, str] = {}
        self.flow: dict[Node, float | None] = {}
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

    def _warnings(self) -> dict[Node, list[str]]:
        """The warnings of each node, in words."""
        drawn, options = self.picture, self.options
        found: dict[Node, dict[str, None]] = {}
        for thing, keys in warnings_about(drawn, options.values, options.grads).items():
            is_function = isinstance(thing, Function)
            key = drawn.drawn_as(drawn.outline.at[thing]) if is_function else drawn.representative(thing)
            if key in drawn.nodes:
                found.setdefault(drawn.nodes[key], {}).update((self._say(*parts), None) for parts in keys)
        return {node: list(texts) for node, texts in found.items()}

    def title(self, x: Any) -> str:
        own = self.options.title
        return short(own(x)) if own and own(x) else self.titles.of(x)

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
        return ["  ".join(filter(None, (self.title(scope.layer), short(type(scope.layer).__name__))))]

    def _node(self, node: Node) -> None:
        lines = self._label(node)
        warnings = [(f"⚠ {text}", "warning") for text in self.warnings.get(node, [])]
        self._enter(node.path)
        self.lines.append(self._drawn(node.id, node.kind, [*lines, *warnings], node.things[0]))
        self.widths[node] = max((_columns(text) for text, _ in lines), default=1) + 4

    def _drawn(self, name: str, kind: str, lines: Lines, thing: Any = None) -> str:
        """The line for a node. Its class says what it is, and whether there is a warning about it."""
        lines = [(part, role) for text, role in lines for part in text.split("\n")]
        self.roles[name] = [role for text, role in lines if showable(text)]
        warned = any(role == "warning" for _, role in lines)
        look = LOOKS[kind] + WARNING * warned
        look += _function_look(thing, lines) if kind == "f" else _room(lines)
        label = dot_quoted(*(text for text, _ in lines))
        return f'{name} [label="{label}", class="{CLASSES[kind]}{" warning" * warned}", {look}]'

    def _edge(self, source: Node, target: Node, back: bool, position: int) -> None:
        """An edge, as wide as the gradient at one end. A second edge between two nodes has an id of its own."""
        n = self.drawn[source, target] = self.drawn.get((source, target), 0) + 1
        look = [f'id="{source.id}-{target.id}-{n}"'] if n > 1 else []
        if back:
            self._explain("loop")
            look.append("style=dashed, constraint=false")
        flow = self.flow.get(source if source.kind in "vp" else target)
        if flow is not None:
            self._explain("flow")
            look.append(f'class=flow, color="{LIGHT["gradient"]}", penwidth={flow}')
        label = self.options.edge(target.things[0], position) if self.options.edge and target.kind == "f" else ""
        if label:
            self.roles[f"{source.id}-{target.id}" + (f"-{n}" if n > 1 else "")] = ["local"] * len(label.split("\n"))
            look.append(f'label="{dot_quoted(label)}", fontcolor="{LIGHT["local"]}"')
        line = f"{source.id} -> {target.id}" + (f" [{', '.join(look)}]" if look else "")
        (self.later if self.open else self.lines).append(line)

    # Labels

    def _label(self, node: Node) -> Lines:
        first = node.things[0]
        if node.kind == "f":
            return [(text, "sign") for text in sign(first)]
        if node.kind == "b":
            return [(text, "shape" if i else "name") for i, text in enumerate(self._box(node, first))]
        if node.kind == "c":
            return self._constant(node.things)
        return self._variable(node)

    def _variable(self, node: Node) -> Lines:
        x, *more = node.things
        lines: Lines = [(title, "name")] if (title := self.title(x)) else []
        if x.data is None:  # A Parameter that waits for its data.
            return lines
        count = f" × {len(more) + 1:,}" if more else ""
        shape = f"{x.shape} {x.dtype}" if x.ndim else ""  # A single number needs neither.
        if self.options.shapes and (shape or count):
            lines.append(((shape + count).strip(), "shape"))
        if self.options.values:
            values = [x.data for x in node.things if not is_released(x.data)]
            lines += [(text, "value") for text in (self._numbers(values) if values else [self._say("released")])]
        return lines + self._gradient(node)

    def _numbers(self, arrays: list[Array]) -> list[str]:
        """The lines for one array, or for the norms of several."""
        if len(arrays) > 1:
            self._explain("range")
            norms = sorted(map(norm, arrays))
            return ["‖·‖ " + " … ".join(dict.fromkeys(number(norms[i]) for i in (0, -1)))]
        if arrays[0].size > 9:
            self._explain("statistics")
        return array_lines(arrays[0])

    def _gradient(self, node: Node) -> Lines:
        own = self.options.gradient
        found = [own(x) if own else x.grad.data if x.grad is not None else None for x in node.things]
        gradients = [g for g in found if g is not None]
        if not self.options.grads or not gradients:
            return []
        if own is None:
            self._explain("gradient")
            self.flow[node] = width(min(map(norm, gradients)))
        lines = self._numbers(gradients)
        if len(gradients) == 1 and 1 < gradients[0].size < 10 and own is None:
            lines.append(f"‖·‖ {number(norm(gradients[0]))}")
        return [(f"∇ {line}" if i == 0 else line, "gradient") for i, line in enumerate(lines)]

    def _constant(self, values: list[Any]) -> Lines:
        first = values[0]
        if np.ndim(first) == 0:
            return [(number(first, 6) + (", …" if any(v != first and v == v for v in values) else ""), "value")]
        lines: Lines = [(title, "name")] if (title := self.title(first)) else []
        shape = f"{first.shape} {first.dtype}" + (f" × {len(values):,}" if len(values) > 1 else "")
        return [*lines, (shape, "shape")] if self.options.shapes else lines

    def _box(self, node: Node, scope: Scope) -> list[str]:
        """The lines of a closed layer: its name and kind, the shapes that go in and out, how many parameters it has."""
        if not scope.count:
            return [self._say("rest", scope.hi - scope.lo)]
        lines = self._cluster(scope)
        if self.options.shapes:
            lines.append(" → ".join(_shapes(side.get(node, [])) for side in (self.sources, self.targets)))
        count = sum(p.size for p in scope.layer.named_params().values() if p.data is not None)
        return [*lines, self._say("parameter" if count == 1 else "parameters", count)] if count else lines

    # Beside the graph

    def _unused(self) -> None:
        """One node for the Parameters that the output does not depend on."""
        if not self.titles.unused or not self.options.grads:
            return
        titles = [self.titles.of(p) for p in self.titles.unused]
        titles = titles[:5] + ([self._say("more", len(titles) - 5)] if titles[5:] else [])
        lines = [*((title, "name") for title in titles), (f"⚠ {self._say('no path')}", "warning")]
        self.lines.append(self._drawn(f"p{len(self.picture.nodes)}", "p", lines))

    def _legend(self) -> None:
        """Explain the signs and the words that occur in the picture, in lines as long as the graph is wide."""
        if self.picture.folded:
            self._explain("folded", len(self.picture.nodes), self.picture.full_size)
        columns = max(round(self._width() / _POINTS), 24)
        lines = [line for text in self.legend.values() for line in wrapped(text, columns)]
        if lines:
            self.lines.append('label="{}"'.format("".join(rf"{line}\l" for line in lines)))

    def _width(self) -> float:
        """About how wide the graph will be, in points: as wide as the nodes that are equally far from the start."""
        rank: dict[Node, int] = {}
        for part in self.picture.parts:
            if not isinstance(part, Node) and not part[2]:
                source, target, _, _ = part
                rank[target] = max(rank.get(target, 0), rank.get(source, 0) + 1)
        rows: dict[int, float] = {}
        for node, columns in self.widths.items():
            rows[rank.get(node, 0)] = rows.get(rank.get(node, 0), 0) + columns * _POINTS
        return max(rows.values(), default=0)


def _columns(text: str) -> int:
    """How many columns a text takes: a Chinese character is two wide."""
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _room(lines: Lines) -> str:
    """Room for the lines in any font: a reader's may be wider than the one that Graphviz measures; names are bold."""
    widths = (sum(map(_width_of, text)) * (1.1 if role == "name" else 1) for text, role in lines)
    return f', width="{max(widths, default=0) * 11 / 72 + 0.15:.2f}"'


def _width_of(c: str) -> float:
    """About how wide a character is in a wide font, as a part of its height."""
    if c in "iljtfrI.,:;'|![]()- ":
        return 0.4
    return 1.0 if c in "mwMW@%—…" else 0.78 if c.isupper() else 0.65 if c.isascii() else 1.0


def wrapped(text: str, columns: int) -> list[str]:
    """The lines of a text. Latin words stay whole, Chinese and Japanese text is cut anywhere but before a stop.

    >>> wrapped("破線の矢印: 次の繰り返しへ", 12), wrapped("dashed edge: again", 12)
    (['破線の矢印:', '次の繰り返し', 'へ'], ['dashed edge:', 'again'])
    """
    lines = [""]
    for piece in re.findall(r"[!-~‖·±…∇]+\s*|[^!-~\s‖·±…∇][、。）」ー]*\s*|\s+", text):
        if _columns(lines[-1] + piece.rstrip()) > columns and lines[-1]:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _function_look(f: Function, lines: Lines) -> str:
    """A circle around a sign, a box with round ends around a word; in its order what flows in, where that matters."""
    text = max((text for text, _ in lines), key=len)
    circle, box = ", shape=circle, margin=0.02, fontsize=13, style=filled", ', shape=box, style="rounded,filled"'
    return (circle if len(text) == 1 else box + _room(lines)) + (", ordering=in" if is_ordered(f) else "")


def _neighbors(pairs: Iterable[tuple[Node, Node]]) -> dict[Node, list[Node]]:
    neighbors: dict[Node, list[Node]] = {}
    for node, neighbor in pairs:
        neighbors.setdefault(node, []).append(neighbor)
    return neighbors


def _innermost_fold(source: Node, target: Node) -> Scope | None:
    """The repetition that an edge back to its start belongs to."""
    return next((scope for scope in reversed(common([source.path, target.path])) if scope.count > 1), None)


def _shapes(nodes: list[Node]) -> str:
    """The shapes of the first few results and inputs among `nodes`."""
    shapes = [str(node.things[0].shape) for node in dict.fromkeys(nodes) if node.kind == "v"]
    return ", ".join(shapes[:3]) + (", …" if shapes[3:] else "")


def _frame(scope: Scope) -> str:
    return f'style=rounded, color="{LIGHT["frame"]}", penwidth={2 if scope.count > 1 else 1}'


def dot_quoted(*lines: str) -> str:
    """`lines` written so that, between quotes in DOT, they are shown as they are."""
    return r"\n".join(showable(line).translate(_ESCAPES) for line in lines)
