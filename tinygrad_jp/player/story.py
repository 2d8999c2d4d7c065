"""What the player's page is told about a trace: its graph, its operations and steps, as plain data and as SVG."""

import re
from typing import Any

import numpy as np

from tinygrad_jp.core import Function, Variable
from tinygrad_jp.core.arrays import is_released
from tinygrad_jp.formatting import escape, number, summary_of
from tinygrad_jp.graph.dot import Options, Text, Titles, dot_quoted, short
from tinygrad_jp.graph.rendering import rendered
from tinygrad_jp.graph.structure import Node, picture
from tinygrad_jp.graph.words import numbers
from tinygrad_jp.player.words import LANGUAGES, WORDS, word
from tinygrad_jp.symbols import Symbol

MOST_EVENTS = 2000
MOST_NODES = 100  # Of a larger graph, layers are closed and repetitions drawn once.
MOST_INPUTS = 200

UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # No page could hold them.
_LABEL = re.compile(r'^(\w+) \[label="((?:[^"\\]|\\.)*)"', re.M)
_NEWLINE = r"\n"


class Story:
    """What the page is told: operations, events and inputs; every array and every rule once, by their numbers."""

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

    def told(self) -> dict[str, Any]:
        trace = self.trace
        root = trace.y if trace.y.creator is None else trace.y.creator
        first, *rest = [[self.event(e) for e in part] for part in self.parts]
        events = [*first, *({"kind": "gap", "count": self.gap} for _ in rest), *(e for part in rest for e in part)]
        leaves = [x for x in trace.labels if isinstance(x, Variable)]
        return {
            "lang": trace.lang,
            "words": WORDS,
            "y": trace.labels[root],
            "seed": self.array(trace.grads[root]),
            "value": self.array(trace.y._data),
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

    def array(self, x: Any) -> int | None:
        """The number of an array among the records."""
        if x is None:
            return None
        record = self.record(x)
        n = self.arrays.setdefault(repr(record), len(self.records))
        if n == len(self.records):
            self.records.append(record)
        return n

    def record(self, x: Any) -> Any:
        """Up to nine elements as nested lists of short numbers; else shape, mean and spread, and a small picture."""
        if isinstance(x, tuple):
            return {"text": summary_of(x)}
        if np.size(x) <= 9:
            return _listed(x)
        if is_released(x):
            return {"text": summary_of(x)}
        with np.errstate(all="ignore"):
            mean, spread = number(np.mean(x, dtype=float)), number(np.std(x, dtype=float))
            return {"shape": str(np.shape(x)), "mean": mean, "spread": spread, "heat": heat_map(x, self.side)}

    def math(self, formula: Symbol | None, numbers: bool = False) -> Any:
        """MathML as nested lists, [tag, *children], that the page builds its elements from: names remain text."""
        from xml.etree import ElementTree

        if formula is None or (numbers and formula.text() == formula.text(numbers=True)):
            return None
        return _tree(ElementTree.fromstring(UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", formula.mathml(numbers))))[1]

    # What happens

    def operation(self, f: Function) -> dict[str, Any]:
        trace, computed = self.trace, self.trace.computed(f)
        ids = {"id": self.id_of(f), "outId": self.id_of(self.picture.made[f])}
        math = {"math": self.math(computed), "numbers": self.math(computed, numbers=True)}
        text = {"name": f.name, "out": trace.labels[f], "text": computed.text() if computed is not None else f.name}
        return ids | math | text | {"value": self.array(f.y), "gradient": self.array(trace.grads.get(f))}

    def event(self, event: Any) -> dict[str, Any]:
        told = {"kind": event.kind, "value": self.array(event.value)}
        if event.f is not None:
            told["operation"] = self.operations.setdefault(event.f, len(self.operations))
        return told | self.share(event) if event.kind == "accumulate" else told

    def share(self, event: Any) -> dict[str, Any]:
        """What an accumulating event says beyond others: the rule, whom its gradient goes to, and how that adds up."""
        trace, f = self.trace, event.f
        formula = trace.formula(event)
        words = tuple(trace.words(event, lang) for lang in LANGUAGES)
        whole = self.array(formula._data) if formula is not None and formula.shape != event.value.shape else None
        return {
            "to": trace.labels[event.target],
            **dict(zip(("toId", "edge"), self.way(event), strict=True)),
            "rule": self.rules.setdefault(words, len(self.rules)),
            "math": self.math(formula),
            "numbers": self.math(formula, numbers=True) if formula is not None and formula.func else None,
            "before": self.array(event.before),
            "after": self.array(event.after),
            "whole": whole,
            "summed": whole is not None or (formula is None and _broadcast(f, event.value)),
        }

    def input(self, x: Variable) -> dict[str, Any]:
        label, g = self.trace.labels[x], self.trace.grad(x)
        return {"label": label, "value": self.array(x._data), "gradient": self.array(g)}

    # The graph

    def id_of(self, thing: Any) -> str | None:
        """The id of what is drawn for a Function or a Variable; None where that is hidden."""
        drawn = self.picture
        node = drawn.nodes.get(
            drawn.shown(thing) if isinstance(thing, Variable) else drawn.unit(drawn.outline.at[thing])
        )
        return node.id if node else None

    def way(self, event: Any) -> tuple[str | None, str]:
        """The node that a share goes to and the edge that it goes along; the second edge between two nodes counts."""
        earlier = [x for x in event.f.xs[: event.position + 1] if x is not None]
        source = self.id_of(earlier[-1])
        twin = sum((x.creator or x) is event.target for x in earlier)
        return source, f"{source}-{self.id_of(event.f)}" + (f"-{twin}" if twin > 1 else "")

    def variables(self) -> list[tuple[Node, Variable]]:
        """The nodes that stand for one Variable each."""
        nodes = self.picture.nodes.values()
        return [(node, node.things[0]) for node in nodes if node.kind in "vp" and len(node.things) == 1]

    def node(self, node: Node, x: Variable) -> dict[str, Any]:
        g = self.gradient(x)
        return {"id": node.id, "label": self.label(x), "gradient": self.array(g), "lines": len(_lines(g))}

    def label(self, x: Variable) -> str:
        return str(self.trace.labels[x if x.creator is None else x.creator])

    def gradient(self, x: Variable) -> Any:
        return self.trace.grads.get(x if x.creator is None else x.creator)

    def graphs(self) -> str:
        """The graph, once where it is the same in both languages; where nothing can draw it, a list of operations."""
        texts = {lang: self.dot(lang) for lang in LANGUAGES}
        alike = len(set(texts.values())) == 1
        try:
            drawn = {lang: _svg(text) for lang, text in texts.items() if lang == "en" or not alike}
        except RuntimeError:
            return self.list_of_operations()
        mark = "" if alike else ' lang="{}"'
        return "\n".join(f'<div class="graph"{mark.format(lang)}>{svg}</div>' for lang, svg in drawn.items())

    def dot(self, lang: str) -> str:
        """The graph from left to right, with the labels of the trace, and room for every gradient."""
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
        note = escape(word(self.trace.lang, "operations"))
        return f'<div class="graph"><p data-word="operations">{note}</p><ol>{"".join(lines.values())}</ol></div>'


def _svg(text: str) -> str:
    """A picture to stand in a page, without the tooltips that would only tell ids."""
    svg = rendered(text, "svg").decode()
    return re.sub(r"<title>.*?</title>\n?|<!--.*?-->\n?", "", svg[svg.index("<svg") :], flags=re.S)


def _lines(g: Any) -> list[str]:
    """The lines that tell a gradient inside a node."""
    return [f"∇ {line}" if i == 0 else line for i, line in enumerate(numbers(np.asarray(g)))] if g is not None else []


def _broadcast(f: Function, g: Any) -> bool:
    return isinstance(f.func, np.ufunc) and f.func.signature is None and np.shape(f.y) != np.shape(g)


def _listed(x: Any) -> Any:
    return [_listed(e) for e in x] if np.ndim(x) else number(x[()] if isinstance(x, np.ndarray) else x)


def _tree(e: Any) -> list[Any]:
    children = [part for child in e for part in (_tree(child), ["mo", child.tail]) if part[1:] != [None]]
    return [e.tag, *([e.text] if e.text else []), *children]


def heat_map(x: Any, side: int) -> list[str]:
    """An array as a small picture: rows of digits in base 19, from the most negative, 0, to the most positive, i.

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
