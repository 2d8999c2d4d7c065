"""The outline of a graph: its Functions in order, the layers that recorded them, and what repeats.

All that one call of a layer recorded, and every repetition, is a stretch of the Functions in the order of their
creation. So data flow in one direction through a picture of stretches, as they do through the graph itself.
"""

from bisect import bisect_right
from collections.abc import Collection
from typing import Any

import numpy as np

from tinygrad_jp.core import PULLBACKS, Function, Variable, toposort
from tinygrad_jp.devices import on_device

_LONGEST_PERIOD = 64


class Scope:
    """The Functions from `lo` to `hi`: one call of `layer`, or something repeated `count` times, or neither."""

    def __init__(self, lo: int, hi: int, layer: Any = None, level: int = 0) -> None:
        self.lo, self.hi, self.layer, self.level = lo, hi, layer, level
        self.count = 1
        self.closed = False
        self.calls: list[Scope] = []
        self.items: list[Item] = []
        self.token = 0


Item = tuple[int, int, int, Scope | None]
"""A Function or a Scope: where it begins and ends, a number that equal ones share, and the Scope if it is one."""


class Outline:
    """The Functions behind a Variable in the order of their creation, and the calls of layers that recorded them."""

    def __init__(self, y: Variable) -> None:
        self.y = y
        self.functions = toposort(y.creator)[::-1] if y.creator is not None else []
        self.at = {f: i for i, f in enumerate(self.functions)}
        self.token_of: dict[Any, int] = {}
        self.tokens = [self._token(self._kind(i, f)) for i, f in enumerate(self.functions)]
        self.scopes = self._scopes()

    def _token(self, kind: Any) -> int:
        return self.token_of.setdefault(kind, len(self.token_of))

    def _kind(self, i: int, f: Function) -> Any:
        """What two Functions must have in common to count as equal."""
        before = self.functions[i - 1] if i else None
        inputs = tuple((_origin(x, before), getattr(x, "shape", ())) for _, x in flowing(f))
        return f.name, getattr(f.y, "shape", None), getattr(f.y, "dtype", None), inputs

    def _scopes(self) -> list[Scope]:
        """The Scope of the whole, then one for every call of a layer, outer calls before inner ones."""
        scopes = [Scope(0, len(self.functions))]
        inside = scopes[:]
        numbers = [f.sequence for f in self.functions]
        for start, (layer, hi) in sorted(self._calls().items()):
            lo = bisect_right(numbers, start)
            while inside[-1].hi <= lo:
                inside.pop()
            outer = inside[-1]
            inside.append(Scope(lo, min(hi, outer.hi), layer, outer.level + 1))
            outer.calls.append(inside[-1])
            scopes.append(inside[-1])
        return scopes

    def _calls(self) -> dict[int, tuple[Any, int]]:
        """Every call of a layer: the `sequence` at its start → the layer, and the end of what it recorded."""
        calls: dict[int, tuple[Any, int]] = {}
        for i, f in enumerate(self.functions):
            tag = f.layer
            while tag is not None:
                layer, start, tag = tag
                calls[start] = layer, i + 1
        return calls

    def arrange(self, depth: float, fold: bool, opened: Collection[int] | None = None) -> list[int]:
        """Close the layers deeper than `depth`, and find for every Function its twin: the one that is drawn for it.

        Given `opened`, the numbers of Scopes, just these are open.
        """
        twin = np.arange(len(self.functions))
        numbers = range(len(self.scopes)) if opened is None else {0, *opened}
        is_open = {self.scopes[i] for i in numbers if opened is not None or self.scopes[i].level <= depth}
        for scope in reversed(self.scopes):
            items: list[Item] = []
            at = scope.lo
            for call in [*scope.calls, Scope(scope.hi, scope.hi)]:
                items += [(i, i + 1, self.tokens[i], None) for i in range(at, call.lo)]
                if call.hi > call.lo:
                    items.append((call.lo, call.hi, call.token, call))
                at = call.hi
            scope.token = self._token((type(scope.layer), tuple(token for _, _, token, _ in items)))
            scope.closed = scope not in is_open
            scope.items = self._folded(items, twin) if fold and not scope.closed else items
        while (twin[twin] != twin).any():
            twin = twin[twin]
        return twin.tolist()

    def _folded(self, items: list[Item], twin: np.ndarray) -> list[Item]:
        """`items`, with what occurs three times or more in a row kept once, short repetitions first."""
        period = 1
        while 3 * period <= len(items) and period <= _LONGEST_PERIOD:
            shorter = self._fold_period(items, period, twin)
            period = 1 if len(shorter) < len(items) and period > 1 else period + 1
            items = shorter
        return items

    def _fold_period(self, items: list[Item], period: int, twin: np.ndarray) -> list[Item]:
        tokens = np.array([token for _, _, token, _ in items])
        folded: list[Item] = []
        at = 0
        for a, b in _runs(tokens[period:] == tokens[:-period]):
            a = max(a, at)
            count = (b - a) // period + 1
            if count < 3:
                continue
            a += (b - a) % period  # To the end of the run: what came before may end as each repetition does, in a relu.
            end = a + count * period
            lo, middle, hi = items[a][0], items[a + period - 1][1], items[end - 1][1]
            fold = Scope(lo, middle)
            fold.count, fold.items = count, items[a : a + period]
            twin[middle:hi] = lo + np.arange(middle - lo, hi - lo) % (middle - lo)
            token = self._token((count, tuple(tokens[a : a + period].tolist())))
            folded += [*items[at:a], (lo, hi, token, fold)]
            at = end
        return folded + items[at:]


def _runs(flags: np.ndarray) -> list[list[int]]:
    """Where each run of True begins and ends.

    >>> _runs(np.array([True, True, False, True]))
    [[0, 2], [3, 4]]
    """
    return np.flatnonzero(np.diff(np.r_[False, flags, False].astype(int))).reshape(-1, 2).tolist()


def _origin(x: Any, before: Function | None) -> Any:
    if not isinstance(x, Variable):
        return None
    return type(x) if x.creator is None else x.creator is before


def flowing(f: Function) -> list[tuple[int, Any]]:
    """The Variables and constants that flow into `f`, with their positions: its inputs without settings and None."""
    n = len(PULLBACKS.get(f.func, f.args))
    inputs = [a if x is None else x for a, x in zip(f.args[:n], f.xs, strict=False)]
    arrays = Variable | np.ndarray | np.generic | int | float
    return [(i, x) for i, x in enumerate(inputs) if isinstance(x, arrays) or on_device(x)]


def common(paths: list[tuple[Scope, ...]]) -> tuple[Scope, ...]:
    """The Scopes that all paths begin with."""
    n = 0
    for scopes in zip(*paths, strict=False):
        if any(scope is not scopes[0] for scope in scopes):
            break
        n += 1
    return paths[0][:n]
