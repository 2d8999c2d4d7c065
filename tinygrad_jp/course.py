"""What the notebooks of the course use: questions that are checked, code that must fail, pictures of any graph."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_jp.formatting import Phrases, language, phrase
from tinygrad_jp.graph import Graph

__all__ = ["Check", "fails", "picture"]

_PHRASES: Phrases = {
    "open": ("Question {}: put your answer in the place of the ...", "問題 {}: ... の代わりに答えを書いてください"),
    "right": ("Question {}: right", "問題 {}: 正解です"),
    "wrong": ("Question {}: not yet. {}", "問題 {}: まだ違います。{}"),
    "value": ("Yours is {}.", "あなたの答えは {} です。"),
    "place": ("Look at {}: yours is {}.", "{} を見てください。あなたの答えは {} です。"),
    "shape": ("Yours has the shape {}, expected {}.", "形は {} ですが、{} のはずです。"),
    "error": ("It raises {}.", "{} が発生します。"),
    "kind": ("Expected a number, an array or a text, got {}.", "数、配列、文字列のどれかのはずですが、{} です。"),
}


class Check:
    """Says whether answers are right, and if not, where.

    lang: "en" or "ja"; None asks the locale.

    >>> check = Check(lang="en")
    >>> check(1, ..., 4.0)
    Question 1: put your answer in the place of the ...
    >>> check(1, 4, 4.0)
    Question 1: right
    >>> check(2, [1, 3, 3], np.array([1.0, 2.0, 3.0]))
    Question 2: not yet. Look at [1]: yours is 3.
    >>> check(3, lambda x: 2 * x, lambda x: x * x, at=[(2.0,), (3.0,)])
    Question 3: not yet. Look at f(3.0): yours is 6.0.
    """

    def __init__(self, lang: str | None = None) -> None:
        self.lang = language(lang)

    def __call__(self, question: int, yours: Any, right: Any, at: Sequence[tuple[Any, ...]] = ()) -> None:
        """Print whether `yours` is `right`. Functions are compared at the arguments that `at` lists."""
        if yours is ...:
            print(self._say("open", question))
        elif found := self._difference(yours, right, at):
            print(self._say("wrong", question, self._say(*found)))
        else:
            print(self._say("right", question))

    def _say(self, key: str, *parts: Any) -> str:
        return phrase(_PHRASES, self.lang, key, *parts)

    def _difference(self, yours: Any, right: Any, at: Sequence[tuple[Any, ...]]) -> tuple[Any, ...] | None:
        if not callable(right):
            return _unequal(yours, right, "")
        if not callable(yours):
            return "kind", type(yours).__name__
        for args in at:
            place = f"f({', '.join(map(str, args))})"
            try:
                value = yours(*args)
            except Exception as error:  # A learner's function may raise whatever it likes.
                return "error", f"{place}: {type(error).__name__}: {error}"
            if found := _unequal(value, right(*args), place):
                return found
        return None


def _unequal(yours: Any, right: Any, place: str) -> tuple[Any, ...] | None:
    """The first difference, as a phrase and its parts; None if there is none."""
    if isinstance(right, str):
        same = isinstance(yours, str) and yours.split() == right.split()
        return None if same else ("value", repr(yours))
    try:
        given, expected = (np.asarray(x.data if hasattr(x, "creator") else x, float) for x in (yours, right))
    except (TypeError, ValueError):
        return "kind", type(yours).__name__
    if given.shape != expected.shape:
        return "shape", given.shape, expected.shape
    apart = np.argwhere(~np.isclose(given, expected, rtol=1e-3, atol=1e-6, equal_nan=True))
    if not len(apart):
        return None
    if not given.ndim:
        return ("place", place, yours) if place else ("value", yours)
    first = tuple(map(int, apart[0]))
    return "place", f"{place}{list(first)}", f"{given[first]:g}"


@contextmanager
def fails(kind: type[BaseException]) -> Iterator[None]:
    """Print the error of this kind that the code inside must raise.

    >>> with fails(ZeroDivisionError):
    ...     1 / 0
    ZeroDivisionError: division by zero
    """
    try:
        yield
    except kind as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError(f"expected {kind.__name__}, but nothing was raised")


def picture(y: Any) -> Graph:
    """The graph behind y, in any engine whose results have a `creator`, which has inputs `xs`, or one input `x`.

    >>> from tinygrad_jp import Variable
    >>> picture(Variable(2.0) * 3.0).dot.count("->")
    2
    """
    nodes, waiting = {id(y): ("n0", y)}, [y]
    lines = ["digraph {", "rankdir=LR; size=8", _node("n0", _text(y.data), "box")]

    def named(x: Any, text: str, shape: str) -> str:
        """The name of the node for x, which is drawn when x is first met."""
        if id(x) not in nodes:
            nodes[id(x)] = f"n{len(nodes)}", x
            lines.append(_node(nodes[id(x)][0], text, shape))
            if shape == "box":
                waiting.append(x)
        return nodes[id(x)][0]

    while waiting:
        x = waiting.pop()
        f = x.creator
        if f is None:
            continue
        drawn = id(f) in nodes
        name = named(f, getattr(getattr(f, "func", f), "__name__", type(f).__name__), "ellipse")
        lines.append(f"{name} -> {nodes[id(x)][0]}")
        xs = [] if drawn else [a for a in getattr(f, "xs", None) or [f.x] if a is not None]
        arrows = [f"{named(a, _text(a.data), 'box')} -> {name}" for a in xs]
        lines += arrows  # Below the nodes, which `named` has written.
    return Graph("\n".join([*lines, "}"]), dict(nodes.values()), "en")


def _node(name: str, text: str, shape: str) -> str:
    return f'{name} [label="{text}", shape={shape}]'


def _text(data: Any) -> str:
    return f"{float(data):.4g}" if np.ndim(data) == 0 else str(np.shape(data))
