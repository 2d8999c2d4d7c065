"""The backward pass step by step: the arguments and the result of each rule, and how gradients add up.

>>> a, b = Variable(2.0, "a"), Variable(3.0, "b")
>>> print(trace(a * b + a, names={}, lang="en").explain())
Forward
  1  v1 = a * b = 2 * 3 = 6
  2  y = v1 + a = 6 + 2 = 8
Backward: start from the gradient of y with respect to itself, 1
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
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_jp.core import Array, ArrayLike, Function, Outputs, Variable, key_of
from tinygrad_jp.core.table import Joint, Variadic
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import fetched
from tinygrad_jp.files import write_whole
from tinygrad_jp.formatting import Key, labels, language, localized, number, summary_of
from tinygrad_jp.player import framed, page
from tinygrad_jp.symbols import Symbol, factor_of
from tinygrad_jp.tracing.phrases import rule_in_words, say
from tinygrad_jp.tracing.recording import Event, constants, record, shares, start_of_derivative

__all__ = ["Event", "Trace", "trace"]

MOST_PATHS = 20
MOST_NAMES = 2  # Arguments that the sentence of a rule may name.
SHORT, LONG = 40, 80  # The most characters of a formula with numbers in it, and of one with names.
Step = tuple[Function, int, Key]  # Of a path: through a Function and one of its arguments, to what that holds.


def trace(y: Variable, *, names: Mapping[str, Any] | None = None, lang: str | None = None) -> "Trace":
    """Run the backward pass of `y` as `y.backward()` does, and record every step. No `grad` is changed.

    names: names for Variables, such as `locals()`. Other Variables are called by their own `name`, Parameters by their
    path in the model, and the rest v1, v2, ... in the order of computation.
    lang: "en" or "ja"; None asks the locale.

    Raises TypeError for anything but a Variable.

    >>> x = Variable(3.0, "x")
    >>> print(trace(x**2, lang="en").explain().splitlines()[-1].strip())
    x's gradient: 6
    """
    if not isinstance(y, Variable):
        raise TypeError(f"trace: expected a Variable, got {type(y).__name__}; pass the result of a computation")
    return Trace(y, names, lang)


class Trace:
    """The steps of a backward pass, in order: `for event in trace(y)`, `len(trace(y))`, `trace(y)[0]`.

    `labels` holds a name for the result of every Function and for every leaf, `constants` one for every other array,
    by its id. `grads` holds the gradients, the same that `backward()` computes. If y is itself a derivative, the
    Functions from the `sequence` number `derivative_from` on are those that the earlier backward pass recorded.
    """

    def __init__(self, y: Variable, names: Mapping[str, Any] | None = None, lang: str | None = None) -> None:
        self.y, self.lang = y, language(lang)
        self.order, steps, self.grads = record(y)
        self.labels = labels(y, self.order, names or {})
        self.constants = constants(self.order, names or {}, set(self.labels.values()))
        self.derivative_from = start_of_derivative(self.order)
        self.events = [*(Event("forward", f, fetched(f.y)) for f in self.order), *steps]

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __getitem__(self, i: Any) -> Any:
        return self.events[i]

    def grad(self, x: Variable) -> Array | None:
        """The gradient with respect to `x`: an array, or None if none reaches it."""
        return self.grads.get(key_of(x))

    # The rules as formulas

    def computed(self, f: Function) -> Symbol | None:
        """The formula that `f` computed; None if it has several outputs."""
        args = self._symbols(f)
        func = type(f) if f.func is None else f.func
        return None if isinstance(f.y, Outputs) else Symbol(f.y, "", func, args, f.kwargs)

    def formula(self, event: Event) -> Symbol | None:
        """The formula that the rule of an accumulate `event` computed, found by running the rule on Symbols.

        None if the rule does not run on Symbols, or returns another value on them.
        """
        if event.f is None or isinstance(event.f.y, Outputs):
            return None
        return self._formula(event, Symbol(self.grads[event.f], "gy"))

    def local(self, event: Event) -> Any:
        """The local derivative of an accumulate `event`, by which its rule multiplies gy: a Symbol or a number.

        None if the rule does anything else, such as a matrix product.
        """
        if event.f is None or isinstance(event.f.y, Outputs):
            return None
        ones = Symbol(np.ones_like(self.grads[event.f]), "gy")
        return factor_of(self._formula(event, ones), ones)

    def _formula(self, event: Event, gy: Symbol) -> Symbol | None:
        f = event.f
        if f is None or isinstance(f.pullbacks, Joint):
            return None
        pull = next(pull for i, pull, _ in f.edges if i == event.position)
        data, y = fetched(f.args), fetched(f.y)
        for kinds in ("fiub", "f"):  # Some rules need a mask or an index as a plain array.
            with suppress(Exception):  # Rules may do anything, and not all of it works on Symbols.
                formula = pull(gy, Symbol(y, self.labels[f]), *self._symbols(f, kinds))
                right = pull(gy.data, y, *data)
                if isinstance(formula, Symbol) and np.array_equal(formula.data, right, equal_nan=True):
                    return formula
        return None

    def _symbols(self, f: Function, kinds: str = "fiub") -> list[Any]:
        """The arguments of `f`: Variables and arrays of these kinds as Symbols with their names, others as they are."""
        return [self._symbol(a, x, kinds) for a, x in zip(f.args, f.xs, strict=True)]

    def _symbol(self, a: Any, x: Variable | None, kinds: str) -> Any:
        if x is not None:
            return Symbol(a, self.labels[key_of(x)])
        label = self.constants.get(id(a))
        return Symbol(a, label) if label and a.dtype.kind in kinds else fetched(a)

    def words(self, event: Event, lang: str | None = None) -> str:
        """The rule of an accumulate `event` in one sentence, with the names that are used here."""
        return self.sentence(event, lang).format(*self.names_in(event))

    def sentence(self, event: Event, lang: str | None = None) -> str:
        """`words` with gaps for names: {0} for the result, {1} and {2} for the arguments."""
        lang = lang or self.lang
        assert event.f is not None
        pullbacks = event.f.pullbacks
        rule = pullbacks.rule if isinstance(pullbacks, Variadic) else pullbacks[event.position]
        written = (inspect.getdoc(rule) or "").partition("\n\n")[0].replace("\n", " ")
        own = say(lang, "its own rule", event.f.name)
        return rule_in_words(event.f.func, lang) or (written or own).replace("{", "{{").replace("}", "}}")

    def names_in(self, event: Event) -> list[str]:
        """What fills the gaps of `sentence`."""
        f = event.f
        assert f is not None
        args = self._symbols(f)[:MOST_NAMES]
        texts = [a.name if isinstance(a, Symbol) else number(a) if np.isscalar(a) else "…" for a in args]
        return [self.labels[f], *texts, *["…"] * (MOST_NAMES - len(texts))]

    # The steps as text

    def explain(self, *targets: Variable) -> str:
        """The steps as text, line by line; with `targets`, only what reaches these Variables, path by path."""
        lines = self._paths(targets) if targets else [*self._forward(), *self._backward(), *self._held()]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.explain()

    def __repr__(self) -> str:
        what = f"{self.labels[key_of(self.y)]}: {counted(len(self), 'event')}"
        return f"<Trace of {what}; print it, or save it as a page>"

    def _summary(self, x: Any) -> str:
        return summary_of(x, self.lang)

    def _text(self, formula: Symbol, numbers: bool = False) -> str:
        return localized(formula.text(numbers), self.lang)

    def _say(self, key: str, *parts: Any) -> str:
        return say(self.lang, key, *parts)

    def _statement(self, f: Function) -> str:
        """`v1 = a * b`."""
        computed = self.computed(f)
        return f"{self.labels[f]} = {self._text(computed) if computed is not None else f.name}"

    def _forward(self) -> Iterator[str]:
        yield self._say("forward")
        for n, f in enumerate(self.order, 1):
            computed = self.computed(f)
            numbers = self._text(computed, numbers=True) if computed is not None else ""
            value = self._summary(f.y)
            said = computed is None or numbers in (self._text(computed), value)
            steps = [self._statement(f), *([numbers] if len(numbers) <= SHORT and not said else [])]
            yield f"{n:3}  {' = '.join([*steps, value])}"

    def _backward(self) -> Iterator[str]:
        yield self._say("seed", self.labels[key_of(self.y)], self._summary(self.grads[key_of(self.y)]))
        number = {f: n for n, f in enumerate(self.order, 1)}
        for event in self.events:
            if event.kind == "backward" and event.f:
                incoming = self._say("incoming", self._statement(event.f), self._summary(event.value))
                yield f"{number[event.f]:3}  {incoming}"
            elif event.kind == "accumulate":
                yield from self._accumulate(event)

    def _accumulate(self, event: Event) -> Iterator[str]:
        label = self.labels[event.target]
        line = f"       {self._say('to', label)}: {self._rule(event)}"
        if event.before is None and (isinstance(event.value, Outputs) or np.size(event.value) > 1):
            yield line
            return
        total = f"{self._summary(event.before)} + {self._summary(event.value)} = " if event.before is not None else ""
        total = f"{self._say('total', label)}: {total}{self._summary(event.after)}"
        yield from [f"{line:<41} {total}"] if len(line) < 42 else [line, f"{'':41} {total}"]

    def _held(self) -> Iterator[str]:
        """A warning about leaves that hold another gradient, to which `backward()` would add."""
        held = [x for x in self.labels if isinstance(x, Variable) and x.grad is not None and x in self.grads]
        names = [
            self.labels[x] for x in held if not np.allclose(fetched(x.grad.data), self.grads[x], 1e-3, equal_nan=True)
        ]
        if names:
            yield self._say("held", ", ".join(names))

    def _rule(self, event: Event) -> str:
        """`gy * b = 1 * 3 = 3`, or the rule in words where that is too long."""
        formula = self.formula(event)
        text = self._text(formula) if formula is not None else ""
        if formula is None or len(text) > LONG:
            return f"{self.words(event).rstrip('.')} = {self._summary(event.value)}"
        numbers = self._text(formula, numbers=True)
        steps = [text, numbers] if formula.func and len(numbers) <= SHORT and numbers != text else [text]
        summed = formula.shape != np.shape(event.value)
        last = self._say("summed" if summed else "value", self._summary(event.value))
        return " = ".join(steps) + last

    def _paths(self, targets: tuple[Variable, ...]) -> Iterator[str]:
        """For each target the paths that lead to it, and their shares, which add up to its gradient."""
        for x in targets:
            key = key_of(x)
            if key not in self.labels:
                raise ValueError(self._say("not here", self._summary(x.data)))
            paths = list(islice(self._paths_to(key), MOST_PATHS + 1))
            count = "paths" if len(paths) <= MOST_PATHS else "many paths"
            yield self._say(count, self.labels[key], min(len(paths), MOST_PATHS))
            for n, path in enumerate(paths[:MOST_PATHS], 1):
                yield f"{n:3}  {' → '.join([self.labels[path[0][0]], *(self.labels[to] for _, _, to in path)])}"
                g: Array | None = self.grads[path[0][0]]
                for f, i, to in path:
                    g = shares(f, g).get(i)
                    yield f"       {self._say('through', self._statement(f), self.labels[to], self._summary(g))}"
            if self.grads.get(key) is not None:
                yield f"     {self._say('total', self.labels[key])}: {self._summary(self.grads[key])}"

    def _paths_to(self, goal: Key) -> Iterator[list[Step]]:
        """Every path from the output to `goal`. No step is taken that cannot lead there."""
        leads = {goal}
        for f in self.order:
            if any(key_of(x) in leads for x in f.variables):
                leads.add(f)
        stack: list[tuple[Key, list[Step]]] = [(key_of(self.y), [])]
        while stack:
            end, path = stack.pop()
            if end is goal and path:
                yield path
            elif end is not goal and isinstance(end, Function):
                onward = [(end, i, key_of(x)) for i, _, x in end.edges if key_of(x) in leads]
                stack += [(step[2], [*path, step]) for step in reversed(onward)]

    # A page that plays them

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that plays the steps, as a whole or not at all, and return its path.

        It holds all that it needs, in both languages: a browser opens it without a network and without Python. Raises
        ValueError for a suffix other than .html, OSError if the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".html":
            raise ValueError(f"save: expected a path that ends in .html, got {str(path)!r}")
        write_whole(path, page(self).encode())
        return path

    def _repr_html_(self) -> str:
        return framed(page(self))

    # Gradients derived by hand

    def check(self, **grads: ArrayLike) -> str:
        """Compare gradients derived by hand, given by their Variables' names, with the engine's and numerical ones.

        For each it says whether it is equal, close (up to rounding) or different, and the largest difference. At the
        end it names the first step of the backward pass at which yours and the engine's differ.
        """
        # A Function of several outputs has a name, too, but no Variable holds them all.
        by_label = {x: key for key, x in self.labels.items() if not isinstance(_value(key), Outputs)}
        unknown = [name for name in grads if name not in by_label]
        if unknown:
            raise ValueError(self._say("unknown", ", ".join(unknown), ", ".join(by_label)))
        mine = {
            by_label[name]: np.asarray(fetched(g.data if isinstance(g, Variable) else g)) for name, g in grads.items()
        }
        verdicts = {key: self._verdict(key, g) for key, g in mine.items()}
        wrong = {key for key, verdict in verdicts.items() if verdict not in ("equal", "close")}
        lines = [self._compared(key, g, verdicts[key]) for key, g in mine.items()]
        first = next((e for e in self.events if e.kind == "accumulate" and e.target in wrong), None)
        return "\n".join([*lines, *([self._first_difference(first, mine[first.target])] if first else [])])

    def _engines(self, key: Key) -> Array:
        """The engine's gradient, zeros where none reaches `key`."""
        g = self.grads.get(key)
        return np.zeros_like(_value(key)) if g is None else g

    def _verdict(self, key: Key, mine: Array) -> str:
        g = self._engines(key)
        if mine.shape != g.shape:
            return "shape"
        close = np.allclose(mine, g, rtol=1e-5 if g.dtype == np.float64 else 1e-3, atol=1e-8)
        return "equal" if np.array_equal(mine, g) else "close" if close else "different"

    def _compared(self, key: Key, mine: Array, verdict: str) -> str:
        name, g = self.labels[key], self._engines(key)
        if verdict == "shape":
            return f"{name}: {self._say(verdict, g.shape, mine.shape)}"
        largest = float(np.abs(mine - g).max(initial=0))
        numerical = self._say("numerical", self._summary(self.numerical(key))) if g.size <= 9 else ""
        return f"{name}: {self._say(verdict, self._summary(mine), self._summary(g), f'{largest:.3g}')}{numerical}"

    def _first_difference(self, first: Event, mine: Array) -> str:
        """Where a gradient goes wrong: at the share that it lacks, or else at its first one."""
        parts = [e for e in self.events if e.kind == "accumulate" and e.target is first.target]
        total = self.grads[first.target]
        comparable = len(parts) > 1 and mine.shape == total.shape
        lacking = [e for e in parts if comparable and np.allclose(mine + e.value, total)]
        event = lacking[0] if lacking else first
        assert event.f is not None
        key = "missing" if lacking else "parts"
        return f"{self._say(key, self.labels[event.target], self._statement(event.f))}: {self._rule(event)}"

    def numerical(self, key: Key, h: float = 1e-5) -> Array:
        """The gradient with respect to `key` by central differences: the graph is run twice for each element.

        The computation is repeated in float64.
        """
        data = np.asarray(_value(key), np.float64)
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

    def swept(self, x: Variable, i: tuple[int, ...], values: list[float]) -> list[float]:
        """The output, a single number, with each of `values` in the place of the element `i` of the leaf `x`."""
        ys = []
        for value in values:
            moved = np.asarray(fetched(x.data), np.float64).copy()
            moved[i] = value
            ys.append(float(self._replayed(x, moved)))
        return ys

    def _replayed(self, key: Key, value: Array) -> Array:
        """The output, computed with `value` in the place of the result or leaf `key`."""
        values: dict[Key, Array] = {key: value}
        for f in self.order:
            if f not in values:
                given = zip(fetched(f.args), f.xs, strict=True)
                args = [a if x is None else values.get(key_of(x), a) for a, x in given]
                args = [a.astype(np.float64) if getattr(a, "dtype", None) == np.float32 else a for a in args]
                values[f] = f.forward(*args) if f.func is type(f) else f.func(*args, **f.kwargs)
        return values[key_of(self.y)]


def _value(key: Key) -> Array:
    """The data of a leaf, or what a Function returned."""
    return fetched(key.y if isinstance(key, Function) else key.data)
