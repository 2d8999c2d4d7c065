"""The backward pass step by step: what each rule was given, what it returned, and how gradients add up.

>>> a, b = Variable(2.0, "a"), Variable(3.0, "b")
>>> print(trace(a * b + a, names={}, lang="en").explain())
Forward
  1  v1 = a * b = 2 * 3 = 6
  2  y = v1 + a = 6 + 2 = 8
Backward: start from the gradient of y by itself, 1
  2  y = v1 + a, gradient 1
       to v1: gy = 1                      v1's gradient: 1
       to a: gy = 1                       a's gradient: 1
  1  v1 = a * b, gradient 1
       to a: gy * b = 1 * 3 = 3           a's gradient: 1 + 3 = 4
       to b: gy * a = 1 * 2 = 2           b's gradient: 2
"""

import inspect
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_jp.core import Function, Outputs, Variable, key_of
from tinygrad_jp.core.table import Joint, Variadic
from tinygrad_jp.files import write_whole
from tinygrad_jp.formatting import summary_of
from tinygrad_jp.graph.words import language
from tinygrad_jp.player import framed, page
from tinygrad_jp.symbols import Symbol
from tinygrad_jp.tracing.recording import Event, Key, contribution, labels, record
from tinygrad_jp.tracing.words import rule_in_words, word

__all__ = ["Event", "Trace", "trace"]

MOST_PATHS = 20
SHORT, LONG = 40, 80  # The most characters for a formula with numbers in it, and for one with names.


def trace(y: Variable, *, names: Mapping[str, Any] | None = None, lang: str | None = None) -> "Trace":
    """Go through the backward pass of `y` as `y.backward()` does, and write down every step.

    No `grad` is changed. `names`, such as `locals()`, says what to call Variables; others are called by their own
    `name`, Parameters by their path in the model, and the rest v1, v2, ... in the order of computation. `lang` is "en"
    or "ja"; by default the locale decides.
    """
    if not isinstance(y, Variable):
        raise TypeError(f"trace: expected a Variable, got {type(y).__name__}; pass the result of a computation")
    return Trace(y, names, lang)


class Trace:
    """The steps of a backward pass, in order: `for event in trace(y)`, `len(trace(y))`, `trace(y)[0]`.

    `labels` names every Function's result and every leaf; `grads` holds their gradients, which are those that
    `backward()` computes.
    """

    def __init__(self, y: Variable, names: Mapping[str, Any] | None = None, lang: str | None = None) -> None:
        self.y, self.lang = y, language(lang)
        self.order, steps, self.grads = record(y)
        self.labels = labels(y, self.order, names or {})
        self.events = [*(Event("forward", f, f.y) for f in self.order), *steps]

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __getitem__(self, i: Any) -> Any:
        return self.events[i]

    def grad(self, x: Variable) -> Any:
        """The gradient by `x`: an array, or None where none reaches it."""
        return self.grads.get(key_of(x))

    # The rules, read

    def computed(self, f: Function) -> Symbol | None:
        """What `f` computed, as a formula; None where it has several results."""
        args = [self._symbol(f, i, a, "") for i, a in enumerate(f.args)]
        func = type(f) if f.func is None else f.func
        return None if isinstance(f.y, Outputs) else Symbol(f.y, "", func, args, f.kwargs)

    def formula(self, event: Event) -> Symbol | None:
        """The rule of an accumulating `event`, as the formula that it computes: by running it on symbols.

        None where a rule does not run on symbols, or gives another value on them.
        """
        f = event.f
        if f is None or isinstance(f.pullbacks, Joint) or isinstance(f.y, Outputs):
            return None
        pull = next(pull for i, pull, _ in f.edges if i == event.position)
        names = list(inspect.signature(pull).parameters)[2:]
        args = [self._symbol(f, i, a, names[min(i, len(names) - 1)]) for i, a in enumerate(f.args)]
        gy = self.grads[f]
        try:
            formula = pull(Symbol(gy, "gy"), Symbol(f.y, self.labels[f]), *args)
            same = isinstance(formula, Symbol) and np.array_equal(formula._data, pull(gy, f.y, *f.args), equal_nan=True)
        except Exception:  # Whatever a rule does that symbols do not know: there is no formula then.
            return None
        return formula if same else None

    def _symbol(self, f: Function, i: int, a: Any, name: str) -> Any:
        """Argument `i` of `f` as a Symbol; what is no Variable and no array of floats stays as it is."""
        if (x := f.xs[i]) is not None:
            return Symbol(a, self.labels[key_of(x)])
        return Symbol(a, name) if name and isinstance(a, np.ndarray) and a.ndim and a.dtype.kind == "f" else a

    def words(self, event: Event, lang: str | None = None) -> str:
        """The rule of an accumulating `event` in one sentence."""
        lang = lang or self.lang
        assert event.f is not None
        pullbacks = event.f.pullbacks
        rule = pullbacks.rule if isinstance(pullbacks, Variadic) else pullbacks[event.position]
        written = (inspect.getdoc(rule) or "").partition("\n\n")[0].replace("\n", " ")
        return rule_in_words(event.f.func, lang) or written or word(lang, "its own rule", event.f.name)

    # Telling it

    def explain(self, *targets: Variable) -> str:
        """The steps as text, line by line; with `targets`, only what reaches them, path by path."""
        told = self._paths(targets) if targets else [*self._forward(), *self._backward(), *self._held()]
        return "\n".join(told)

    def __str__(self) -> str:
        return self.explain()

    def __repr__(self) -> str:
        return f"<Trace of {self.labels[key_of(self.y)]}: {len(self)} events; print it, or save it as a page>"

    def _statement(self, f: Function) -> str:
        """`v1 = a * b`."""
        computed = self.computed(f)
        return f"{self.labels[f]} = {computed.text() if computed is not None else f.name}"

    def _forward(self) -> Iterator[str]:
        yield word(self.lang, "forward")
        for n, f in enumerate(self.order, 1):
            computed = self.computed(f)
            numbers = computed.text(numbers=True) if computed is not None else ""
            steps = [self._statement(f), *([numbers] if 0 < len(numbers) <= SHORT else [])]
            yield f"{n:3}  {' = '.join([*steps, summary_of(f.y)])}"

    def _backward(self) -> Iterator[str]:
        yield word(self.lang, "seed", self.labels[key_of(self.y)], summary_of(self.grads[key_of(self.y)]))
        number = {f: n for n, f in enumerate(self.order, 1)}
        for event in self.events:
            if event.kind == "backward" and event.f:
                incoming = word(self.lang, "incoming", self._statement(event.f), summary_of(event.value))
                yield f"{number[event.f]:3}  {incoming}"
            elif event.kind == "accumulate":
                yield from self._accumulate(event)

    def _accumulate(self, event: Event) -> Iterator[str]:
        label = self.labels[event.target]
        line = f"       {word(self.lang, 'to', label)}: {self._rule(event)}"
        if event.before is None and (isinstance(event.value, Outputs) or np.size(event.value) > 1):
            yield line
            return
        total = f"{summary_of(event.before)} + {summary_of(event.value)} = " if event.before is not None else ""
        total = f"{word(self.lang, 'total', label)}: {total}{summary_of(event.after)}"
        yield from [f"{line:<41} {total}"] if len(line) < 42 else [line, f"{'':41} {total}"]

    def _held(self) -> Iterator[str]:
        """A warning of leaves that hold the gradient of something else: what comes now will be added to it."""
        held = [x for x in self.labels if isinstance(x, Variable) and x.grad is not None and x in self.grads]
        names = [self.labels[x] for x in held if not np.allclose(x.grad.data, self.grads[x], 1e-3, equal_nan=True)]
        if names:
            yield word(self.lang, "held", ", ".join(names))

    def _rule(self, event: Event) -> str:
        """`gy * b = 1 * 3 = 3`, or the rule in words where that is too long."""
        formula = self.formula(event)
        text = formula.text() if formula is not None else ""
        if formula is None or len(text) > LONG:
            return f"{self.words(event)} = {summary_of(event.value)}"
        numbers = formula.text(numbers=True)
        steps = [text, numbers] if formula.func and len(numbers) <= SHORT and numbers != text else [text]
        summed = formula.shape != np.shape(event.value)
        last = word(self.lang, "summed" if summed else "value", summary_of(event.value))
        return " = ".join(steps) + last

    def _paths(self, targets: tuple[Variable, ...]) -> Iterator[str]:
        """For each target the ways that lead to it, and what comes along each: together they are its gradient."""
        for x in targets:
            key = key_of(x)
            if key not in self.labels:
                raise ValueError(word(self.lang, "not here", summary_of(x._data)))
            paths = list(islice(self._ways(key), MOST_PATHS + 1))
            yield word(
                self.lang,
                "paths" if len(paths) <= MOST_PATHS else "many paths",
                self.labels[key],
                min(len(paths), MOST_PATHS),
            )
            for n, path in enumerate(paths[:MOST_PATHS], 1):
                yield f"{n:3}  {' → '.join([self.labels[path[0][0]], *(self.labels[to] for _, _, to in path)])}"
                g = self.grads[path[0][0]]
                for f, edge, to in path:
                    g = contribution(f, edge, g)
                    yield f"       {word(self.lang, 'through', self._statement(f), self.labels[to], summary_of(g))}"
            if self.grads.get(key) is not None:
                yield f"     {word(self.lang, 'total', self.labels[key])}: {summary_of(self.grads[key])}"

    def _ways(self, goal: Key) -> Iterator[list[tuple[Function, Any, Key]]]:
        """Every path from the output to `goal`, as the edges it takes; no step is tried that cannot lead there."""
        leads = {goal}
        for f in self.order:
            if any(key_of(x) in leads for x in f.variables):
                leads.add(f)
        root = key_of(self.y)
        stack: list[list[tuple[Function, Any, Key]]] = (
            [[(root, edge, key_of(edge[2]))] for edge in reversed(root.edges) if key_of(edge[2]) in leads]
            if isinstance(root, Function) and root in leads and root is not goal
            else []
        )
        while stack:
            path = stack.pop()
            end = path[-1][2]
            if end is goal:
                yield path
            elif isinstance(end, Function):
                stack += [[*path, (end, e, key_of(e[2]))] for e in reversed(end.edges) if key_of(e[2]) in leads]

    # Playing it

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that plays the steps, as a whole or not at all, and return its path.

        It holds the graph, the words in both languages, and all else it needs: a browser opens it with neither a
        network nor Python. Raises ValueError for a suffix other than .html, OSError where it cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".html":
            raise ValueError(f"save: expected a path that ends in .html, got {str(path)!r}")
        write_whole(path, page(self).encode())
        return path

    def _repr_html_(self) -> str:
        return framed(page(self))

    # Checking what was derived by hand

    def check(self, **grads: Any) -> str:
        """Compare gradients derived by hand, given by their Variables' names, with the engine's and numerical ones.

        Each is equal, close (to rounding), or different; then the largest difference is told, and at the end the first
        step of the backward pass at which the two part.
        """
        by_label = {label: key for key, label in self.labels.items()}
        unknown = [name for name in grads if name not in by_label]
        if unknown:
            raise ValueError(word(self.lang, "unknown", ", ".join(unknown), ", ".join(by_label)))
        lines, wrong = [], []
        for name, mine in grads.items():
            key = by_label[name]
            verdict, line = self._compared(name, key, mine)
            lines.append(line)
            if not verdict:
                wrong.append(key)
        first = next((e for e in self.events if e.kind == "accumulate" and e.target in wrong), None)
        if first is not None:
            lines.append(self._parting(first, np.asarray(grads[self.labels[first.target]])))
        return "\n".join(lines)

    def _compared(self, name: str, key: Key, mine: Any) -> tuple[bool, str]:
        g, mine = self.grads.get(key), np.asarray(mine)
        data = key.y if isinstance(key, Function) else key._data
        if g is None:
            g = np.zeros_like(data)
        if mine.shape != g.shape:
            return False, f"{name}: {word(self.lang, 'shape', g.shape, mine.shape)}"
        largest = float(np.abs(mine - g).max(initial=0))
        close = np.allclose(mine, g, rtol=1e-5 if g.dtype == np.float64 else 1e-3, atol=1e-8)
        verdict = "equal" if np.array_equal(mine, g) else "close" if close else "different"
        numerical = word(self.lang, "numerical", summary_of(self.numerical(key))) if g.size <= 9 else ""
        return (
            close,
            f"{name}: {word(self.lang, verdict, summary_of(mine), summary_of(g), f'{largest:.3g}')}{numerical}",
        )

    def _parting(self, first: Event, mine: Any) -> str:
        """Where a gradient goes wrong: at its first share, or where the share comes from that it lacks."""
        shares = [e for e in self.events if e.kind == "accumulate" and e.target is first.target]
        total = self.grads[first.target]
        lacking = [e for e in (shares if len(shares) > 1 else []) if np.allclose(mine + e.value, total)]
        event = lacking[0] if lacking else first
        assert event.f is not None
        words = word(self.lang, "missing" if lacking else "parts", self.labels[event.target], self._statement(event.f))
        return f"{words}: {self._rule(event)}"

    def numerical(self, key: Key, h: float = 1e-5) -> Any:
        """The gradient by `key` from central differences, the computation repeated in float64 for each element."""
        data = np.asarray(key.y if isinstance(key, Function) else key._data, np.float64)
        seed = self.grads[key_of(self.y)]
        g = np.zeros_like(data)
        for i in np.ndindex(data.shape):
            ends = []
            for step in (h, -h):
                moved = data.copy()
                moved[i] += step
                ends.append(np.sum(seed * self._replayed(key, moved)))
            g[i] = (ends[0] - ends[1]) / (2 * h)
        return g

    def _replayed(self, key: Key, value: Any) -> Any:
        """The output, with `value` in the place of the result or leaf `key`."""
        values: dict[Key, Any] = {key: value}
        for f in self.order:
            if f not in values:
                args = [a if x is None else values.get(key_of(x), a) for a, x in zip(f.args, f.xs, strict=True)]
                args = [a.astype(np.float64) if getattr(a, "dtype", None) == np.float32 else a for a in args]
                values[f] = f.forward(*args) if f.func is type(f) else f.func(*args, **f.kwargs)
        return values[key_of(self.y)]
