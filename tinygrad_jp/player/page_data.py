"""The data of the player's page: the operations and steps of a trace as plain data, and its graph as SVG."""

import re
from typing import Any

import numpy as np

from tinygrad_jp.core import Array, Function, Variable, key_of
from tinygrad_jp.core.arrays import is_released
from tinygrad_jp.devices import fetched
from tinygrad_jp.formatting import LANGUAGES, array_lines, escape, nested, short, showable, statistics, summary_of
from tinygrad_jp.graph.dot import Options, Text, Titles, dot_quoted
from tinygrad_jp.graph.rendering import rendered
from tinygrad_jp.graph.structure import Node, picture
from tinygrad_jp.player.phrases import PHRASES, say
from tinygrad_jp.symbols import Symbol

MOST_EVENTS = 2000
MOST_NODES = 100  # In a larger graph, layers are closed and repetitions drawn once.
MOST_INPUTS = 200

_LABEL = re.compile(r'^(\w+) \[label="((?:[^"\\]|\\.)*)"', re.M)
_NEWLINE = r"\n"


class PageData:
    """Operations, events and inputs. Each array and each rule is stored once, and the others refer to its number."""

    def __init__(self, trace: Any) -> None:
        self.trace = trace
        self.picture = picture(trace.y, -1 if len(trace.order) <= MOST_NODES else None)
        if len(self.picture.nodes) > MOST_NODES:
            self.picture = picture(trace.y, None)
        half = MOST_EVENTS // 2
        self.gap = max(len(trace.events) - 2 * half, 0)
        self.parts = [trace.events[:half], trace.events[-half:]] if self.gap else [trace.events]
        self.arrays: dict[str, int] = {}
        self.records: list[Any] = []
        self.rules: dict[tuple[str, ...], int] = {}
        self.operations: dict[Function, int] = {}
        self.side = 16 if len(trace.events) < 500 else 8

    def as_dict(self) -> dict[str, Any]:
        trace = self.trace
        root = key_of(trace.y)
        first, *rest = [[self.event(e) for e in part] for part in self.parts]
        events = [*first, *({"kind": "gap", "count": self.gap} for _ in rest), *(e for part in rest for e in part)]
        leaves = [x for x in trace.labels if isinstance(x, Variable)]
        return {
            "lang": trace.lang,
            "phrases": PHRASES,
            "y": trace.labels[root],
            "seed": self.array(trace.grads[root]),
            "value": self.array(trace.y.data),
            "nodes": [self.node(node, x) for node, x in self.variables()],
            "inputs": [self.input(x) for x in leaves[:MOST_INPUTS]],
            "moreInputs": max(len(leaves) - MOST_INPUTS, 0),
            "half": MOST_EVENTS // 2,
            "events": events,
            "operations": [self.operation(f) for f in self.operations],
            "rules": list(self.rules),
            "arrays": self.records,
        }

    # Arrays and formulas

    def array(self, x: Array | None) -> int | None:
        """The number of an array among the records."""
        if x is None:
            return None
        record = self.record(x)
        n = self.arrays.setdefault(repr(record), len(self.records))
        if n == len(self.records):
            self.records.append(record)
        return n

    def record(self, x: Array) -> Any:
        """Up to nine elements as nested lists of short numbers; of more the shape, mean, deviation and a heat map."""
        x = fetched(x)
        if isinstance(x, tuple) or (np.size(x) > 9 and is_released(x)):
            return {"text": summary_of(x)}
        if np.size(x) <= 9:
            return nested(x)
        mean, deviation = statistics(x)
        return {"shape": str(np.shape(x)), "mean": mean, "deviation": deviation, "heat": heat_map(x, self.side)}

    def math(self, formula: Symbol | None, numbers: bool = False) -> Any:
        """MathML as nested lists, [tag, *children], from which the page builds elements: names stay text."""
        from xml.etree import ElementTree

        if formula is None or (numbers and formula.text() == formula.text(numbers=True)):
            return None
        return _tree(ElementTree.fromstring(showable(formula.mathml(numbers))))[1]

    # Operations, events, inputs

    def operation(self, f: Function) -> dict[str, Any]:
        trace, computed = self.trace, self.trace.computed(f)
        ids = {"id": self.id_of(f), "outId": self.id_of(self.picture.result_of[f])}
        math = {"math": self.math(computed), "numbers": self.math(computed, numbers=True)}
        text = {"name": f.name, "out": trace.labels[f], "text": computed.text() if computed is not None else f.name}
        return ids | math | text | {"value": self.array(f.y), "gradient": self.array(trace.grads.get(f))}

    def event(self, event: Any) -> dict[str, Any]:
        data = {"kind": event.kind, "value": self.array(event.value)}
        if event.f is not None:
            data["operation"] = self.operations.setdefault(event.f, len(self.operations))
        return data | self.share(event) if event.kind == "accumulate" else data

    def share(self, event: Any) -> dict[str, Any]:
        """The rest of an accumulate event: its rule, where the share goes, and how the gradient there adds up."""
        trace, f = self.trace, event.f
        formula = trace.formula(event)
        sentences = tuple(trace.words(event, lang) for lang in LANGUAGES)
        whole = self.array(formula.data) if formula is not None and formula.shape != event.value.shape else None
        return {
            "to": trace.labels[event.target],
            **dict(zip(("toId", "edge"), self.edge_to(event), strict=True)),
            "rule": self.rules.setdefault(sentences, len(self.rules)),
            "math": self.math(formula),
            "numbers": self.math(formula, numbers=True) if formula is not None and formula.func else None,
            "before": self.array(event.before),
            "after": self.array(event.after),
            "whole": whole,
            "summed": whole is not None or (formula is None and _broadcast(f, event.value)),
        }

    def input(self, x: Variable) -> dict[str, Any]:
        label, g = self.trace.labels[x], self.trace.grad(x)
        return {"label": label, "value": self.array(x.data), "gradient": self.array(g)}

    # The graph

    def id_of(self, thing: Any) -> str | None:
        """The id of the node that is drawn for a Function or a Variable; None if it is hidden."""
        drawn = self.picture
        is_variable = isinstance(thing, Variable)
        node = drawn.nodes.get(drawn.representative(thing) if is_variable else drawn.drawn_as(drawn.outline.at[thing]))
        return node.id if node else None

    def edge_to(self, event: Any) -> tuple[str | None, str]:
        """The ids of the node that a share goes to, and of the edge that it takes."""
        earlier = [x for x in event.f.xs[: event.position + 1] if x is not None]
        source = self.id_of(earlier[-1])
        n = sum(key_of(x) is event.target for x in earlier)
        return source, f"{source}-{self.id_of(event.f)}" + (f"-{n}" if n > 1 else "")

    def variables(self) -> list[tuple[Node, Variable]]:
        """The nodes that stand for one Variable each."""
        nodes = self.picture.nodes.values()
        return [(node, node.things[0]) for node in nodes if node.kind in "vp" and len(node.things) == 1]

    def node(self, node: Node, x: Variable) -> dict[str, Any]:
        g = self.gradient(x)
        return {"id": node.id, "label": self.label(x), "gradient": self.array(g), "lines": len(_lines(g))}

    def label(self, x: Variable) -> str:
        return str(self.trace.labels[key_of(x)])

    def gradient(self, x: Variable) -> Array | None:
        return self.trace.grads.get(key_of(x))

    def graphs(self) -> str:
        """The graph in both languages, or once if they are equal. If nothing can draw it, a list of operations."""
        texts = {lang: self.dot(lang) for lang in LANGUAGES}
        alike = len(set(texts.values())) == 1
        try:
            drawn = {lang: _svg(text) for lang, text in texts.items() if lang == "en" or not alike}
        except RuntimeError:
            return self.list_of_operations()
        mark = "" if alike else ' lang="{}"'
        return "\n".join(f'<div class="graph"{mark.format(lang)}>{svg}</div>' for lang, svg in drawn.items())

    def dot(self, lang: str) -> str:
        """The graph from left to right, with the labels of the trace, and with lines for every gradient."""
        drawn = self.picture
        names = {self.label(x): x for _, x in self.variables()}
        titles, nodes = Titles(drawn, names), {node.id: x for node, x in self.variables()}

        def labelled(m: re.Match[str]) -> str:
            if m[1] not in nodes:
                return m[0]
            x = nodes[m[1]]
            title, rest = dot_quoted(short(self.label(x))), m[2].removeprefix(dot_quoted(titles.of(x)))
            rest = rest if x.ndim else rest.replace(rf"\n() {x.dtype}", "", 1)
            lines = [title + rest, *(dot_quoted(line) for line in _lines(self.gradient(x)))]
            return f'{m[1]} [label="{_NEWLINE.join(lines)}"'

        text = _LABEL.sub(labelled, str(Text(drawn, names, Options(lang, grads=False))))
        return text.replace("graph [ordering=in", "graph [rankdir=LR, ordering=in", 1)

    def list_of_operations(self) -> str:
        lines: dict[str | None, str] = {}
        for f in self.trace.order[:MOST_EVENTS]:
            computed = self.trace.computed(f)
            text = f"{self.trace.labels[f]} = {computed.text() if computed is not None else f.name}"
            lines.setdefault(self.id_of(f), f'<li class="node" id="{self.id_of(f)}">{escape(text)}</li>')
        note = escape(say(self.trace.lang, "operations"))
        return f'<div class="graph"><p data-phrase="operations">{note}</p><ol>{"".join(lines.values())}</ol></div>'


def _svg(text: str) -> str:
    """An SVG for a page, without the tooltips, which would only show ids."""
    svg = rendered(text, "svg").decode()
    return re.sub(r"<title>.*?</title>\n?|<!--.*?-->\n?", "", svg[svg.index("<svg") :], flags=re.S)


def _lines(g: Array | None) -> list[str]:
    """The lines that show a gradient inside a node."""
    lines = array_lines(np.asarray(fetched(g))) if g is not None else []
    return [f"∇ {line}" if i == 0 else line for i, line in enumerate(lines)]


def _broadcast(f: Function, g: Array) -> bool:
    return isinstance(f.func, np.ufunc) and f.func.signature is None and np.shape(f.y) != np.shape(g)


def _tree(e: Any) -> list[Any]:
    children = [part for child in e for part in (_tree(child), ["mo", child.tail]) if part[1:] != [None]]
    return [e.tag, *([e.text] if e.text else []), *children]


def heat_map(x: Array, side: int) -> list[str]:
    """An array as a small picture: rows of digits in base 19, from 0, the most negative, to i, the most positive.

    >>> heat_map(np.arange(-8.0, 8.0).reshape(2, 8), 4)
    ['0257', 'aceh']
    """
    a = np.asarray(x, dtype=float)
    a = a.reshape(-1, a.shape[-1])
    for axis in (0, 1):
        parts = np.array_split(a, min(side, a.shape[axis]), axis)
        a = np.stack([part.mean(axis) for part in parts], axis)
    finite = np.isfinite(a)
    most = np.abs(a[finite]).max(initial=0) or 1.0
    levels = np.rint(np.where(finite, a, 0) / most * 9).astype(int) + 9
    signs = np.where(finite, np.array(list("0123456789abcdefghi"))[levels], "x")
    return ["".join(row) for row in signs]
