"""What of a graph is drawn: everything, or layers closed to one box each and what repeats drawn once.

All that a layer recorded, and every repetition, is a stretch of the Functions in the order of their creation. What is
drawn as one is such a stretch, so that data flow through the picture in one direction, as they do through the graph.
"""

from bisect import bisect_right
from collections import defaultdict
from typing import Any

import numpy as np

from tinygrad_jp.core import PULLBACKS, Function, Outputs, Parameter, Variable, output, toposort

_SMALL, _READABLE, _MOST = 60, 80, 400
_LONGEST_PERIOD = 64
_KEPT = 20
"""Of a graph that nothing makes smaller: how many of its last operations are drawn."""


class Scope:
    """The Functions from `lo` to `hi`: recorded in one call of `layer`, or repeated `count` times, or neither."""

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
    """The Functions behind a Variable in the order of their creation, and the calls of layers they were made in."""

    def __init__(self, y: Variable) -> None:
        self.y = y
        self.functions = toposort(y.creator)[::-1] if y.creator is not None else []
        self.at = {f: i for i, f in enumerate(self.functions)}
        self.known: dict[Any, int] = {}
        self.tokens = [self._number(self._kind(i, f)) for i, f in enumerate(self.functions)]
        self.scopes = self._scopes()

    def _number(self, kind: Any) -> int:
        return self.known.setdefault(kind, len(self.known))

    def _kind(self, i: int, f: Function) -> Any:
        """What two Functions must share to be equal."""
        before = self.functions[i - 1] if i else None
        inputs = tuple((_origin(x, before), getattr(x, "shape", ())) for _, x in flowing(f))
        return f.name, getattr(f.y, "shape", None), getattr(f.y, "dtype", None), inputs

    def _scopes(self) -> list[Scope]:
        """Every call of a layer, an outer one before those in it; before all the whole."""
        calls: dict[int, Any] = {}
        for i, f in enumerate(self.functions):
            tag = getattr(f, "layer", None)
            while tag is not None:
                layer, start, tag = tag
                calls[start] = layer, i + 1
        numbers = [f.sequence for f in self.functions]
        scopes = [Scope(0, len(numbers))]
        inside = scopes[:]
        for start in sorted(calls):
            layer, hi = calls[start]
            lo = bisect_right(numbers, start)
            while inside[-1].hi <= lo:
                inside.pop()
            outer = inside[-1]
            inside.append(Scope(lo, min(hi, outer.hi), layer, outer.level + 1))
            outer.calls.append(inside[-1])
            scopes.append(inside[-1])
        return scopes

    def arrange(self, depth: float, fold: bool) -> np.ndarray:
        """Close the layers deeper than `depth`, and give for every Function the one that is drawn for it."""
        same = np.arange(len(self.functions))
        for scope in reversed(self.scopes):
            items: list[Item] = []
            at = scope.lo
            for call in [*scope.calls, Scope(scope.hi, scope.hi)]:
                items += [(i, i + 1, self.tokens[i], None) for i in range(at, call.lo)]
                if call.hi > call.lo:
                    items.append((call.lo, call.hi, call.token, call))
                at = call.hi
            scope.token = self._number((type(scope.layer), tuple(token for _, _, token, _ in items)))
            scope.closed = scope.level > depth
            scope.items = self._folded(items, same) if fold and not scope.closed else items
        while (same[same] != same).any():
            same = same[same]
        return same

    def _folded(self, items: list[Item], same: np.ndarray) -> list[Item]:
        """`items` with what stands there three times or more, one after the other, once; the shortest first."""
        period = 1
        while 3 * period <= len(items) and period <= _LONGEST_PERIOD:
            shorter = self._repeats(items, period, same)
            period = 1 if len(shorter) < len(items) and period > 1 else period + 1
            items = shorter
        return items

    def _repeats(self, items: list[Item], period: int, same: np.ndarray) -> list[Item]:
        tokens = np.array([token for _, _, token, _ in items])
        turns = np.flatnonzero(np.diff(np.r_[False, tokens[period:] == tokens[:-period], False].astype(int)))
        found: list[Item] = []
        at = 0
        for a, b in turns.reshape(-1, 2).tolist():
            a = max(a, at)
            count = (b - a) // period + 1
            if count < 3:
                continue
            a += (b - a) % period  # To the end of the run: what came before may end as each repetition does, in a relu.
            end = a + count * period
            lo, middle, hi = items[a][0], items[a + period - 1][1], items[end - 1][1]
            fold = Scope(lo, middle)
            fold.count, fold.items = count, items[a : a + period]
            same[middle:hi] = lo + np.arange(middle - lo, hi - lo) % (middle - lo)
            token = self._number((count, tuple(tokens[a : a + period].tolist())))
            found += [*items[at:a], (lo, hi, token, fold)]
            at = end
        return found + items[at:]


def _origin(x: Any, before: Function | None) -> Any:
    if not isinstance(x, Variable):
        return None
    return type(x) if x.creator is None else x.creator is before


def flowing(f: Function) -> list[tuple[int, Any]]:
    """The Variables and constants that flow into `f`, with their positions: its inputs without settings and None."""
    inputs = f.inputs[: len(PULLBACKS.get(f.func, f.args))]
    return [(i, x) for i, x in enumerate(inputs) if isinstance(x, Variable | np.ndarray | np.generic | int | float)]


class Node:
    """A node of the picture: its kind and id, the open Scopes around it, and the things that it stands for."""

    def __init__(self, kind: str, number: int, path: tuple[Scope, ...], things: list[Any]) -> None:
        self.kind, self.id, self.path, self.things = kind, f"{kind}{number}", path, things


class Picture:
    """The nodes and edges that are drawn for an `Outline`, as they come: each node before the edges that touch it."""

    def __init__(self, outline: Outline, depth: float, fold: bool, cut: bool = False) -> None:
        self.outline, self.functions = outline, outline.functions
        self.same = outline.arrange(depth, fold).tolist()
        if cut:
            self._cut(outline.scopes[0])
        self.where = self._where(outline.scopes[0])
        self._choose_variables()
        self._choose_users()
        self.parts: list[Any] = []  # Nodes, and edges: (from, to, whether it leads back to the start of a repetition).
        self.nodes: dict[Any, Node] = {}
        self.edges: set[Any] = set()
        for i in range(len(self.functions)):
            self._add(i)
        self.node(self.shown(outline.y))

    @property
    def whole(self) -> int:
        """How many nodes it takes to draw everything, constants apart."""
        leaves = sum(x.creator is None for x in self.stands)
        return leaves + sum((f.func is not output) + (not isinstance(f.y, Outputs)) for f in self.functions)

    @property
    def folded(self) -> bool:
        """Whether a node stands for more than itself."""
        return any(self.unit(i) is not f for i, f in enumerate(self.functions))

    def _cut(self, root: Scope) -> None:
        """Put all but the last operations into one box."""
        rest = Scope(0, root.items[-_KEPT][0])
        rest.closed, rest.count = True, 0
        root.items[:-_KEPT] = [(rest.lo, rest.hi, 0, rest)]

    def _where(self, root: Scope) -> dict[int, tuple[tuple[Scope, ...], Scope | None]]:
        """For each Function that is drawn or lies in a box: the open Scopes around it, and its box."""
        where: dict[int, Any] = {}
        stack: list[tuple[Scope, tuple[Scope, ...]]] = [(root, ())]
        while stack:
            scope, path = stack.pop()
            for lo, hi, _, inner in scope.items:
                if inner is not None and not inner.closed:
                    stack.append((inner, (*path, inner)))
                else:
                    where.update(dict.fromkeys(range(lo, hi), (path, inner)))
        return where

    def _choose_variables(self) -> None:
        """Choose one Variable for each output of a Function, and for leaves that have one place in what repeats."""
        variables = [self.outline.y, *(x for f in self.functions for x in f.variables)]
        ranked = sorted(variables, key=lambda x: (bool(x.name), x.grad is not None))
        self.made: dict[Any, Variable] = {x.creator: x for x in ranked}
        self.stands: dict[Variable, Variable] = {}
        for i, f in enumerate(self.functions):
            twins = {k: x for k, _, x in self.functions[self.same[i]].edges} if self.same[i] != i else {}
            for k, _, x in f.edges:
                if x.creator is None and x not in self.stands:
                    twin = twins.get(k)
                    self.stands[x] = self.stands[twin] if type(twin) is type(x) and twin in self.stands else x
        if not self.functions:
            self.stands[self.outline.y] = self.outline.y

    def shown(self, x: Variable) -> Variable:
        """The Variable that is drawn for `x`."""
        return self.stands[x] if x.creator is None else self._output(self.outline.at[x.creator])

    def _output(self, i: int) -> Variable:
        x = self.made[self.functions[self.same[i]]]
        return self.stands.get(x, x)

    def unit(self, i: int) -> Any:
        """What is drawn for the Function `i`: a box or a Function."""
        return self.where[self.same[i]][1] or self.functions[self.same[i]]

    def _choose_users(self) -> None:
        """Find out who uses each Variable; draw many of the same box for the same boxes as one, and some not at all."""
        self.users: dict[Variable, dict[Any, int]] = defaultdict(dict)
        for i, f in enumerate(self.functions):
            for x in f.variables:
                self.users[self.shown(x)].setdefault(self.unit(i), self.same[i])
        alike: dict[Any, list[Variable]] = defaultdict(list)
        for x, users in self.users.items():
            if isinstance(x._data, Outputs):
                continue
            maker = None if x.creator is None else self.unit(self.outline.at[x.creator])
            if all(isinstance(unit, Scope) for unit in (*users, *([maker] if maker else ()))):
                alike[type(x), x.shape, x.dtype, maker, frozenset(users)].append(x)
        for first, *others in alike.values():
            if len(others) > 2:
                self.stands |= dict.fromkeys(others, first)
        self.stands |= {x: self.stands.get(first, first) for x, first in self.stands.items()}
        self.things: dict[Any, list[Any]] = defaultdict(list)
        for x in self.stands:
            if x.creator is None:
                self.things[self.shown(x)].append(x)
        for i, f in enumerate(self.functions):
            self.things[self.unit(i)].append(f)
            self.things[self._output(i)].append(self.made[f])

    def hidden(self, x: Variable) -> bool:
        """Whether `x`, a result or a Parameter, is the inner affair of a box."""
        users = self.users[x]
        box = next(iter(users), None)
        if len(users) != 1 or not isinstance(box, Scope):
            return False
        if x.creator is None:
            return isinstance(x, Parameter) or not box.count
        return self.unit(self.outline.at[x.creator]) is box and x is not self.shown(self.outline.y)

    def _add(self, i: int) -> None:
        """Add the Function `i` between what flows into it and what it returned, or the edges that its twin lacks."""
        f, unit = self.functions[i], self.unit(i)
        sources = [(x, k) for k, x in flowing(f)] if f.func is not output or isinstance(unit, Scope) else []
        drawn = [self._source(x, i, k) for x, k in sources]
        if f.func is output and not isinstance(unit, Scope):  # It comes straight out of the Function that has several.
            maker = self.outline.at.get(f.variables[0].creator)  # None, where that was cut off.
            target = self.nodes.get(self.unit(maker)) if maker is not None and unit is f else None
        else:
            target = self.node(unit)
        fresh = unit is f
        for source, back in filter(None, drawn):
            self._edge(source, target, back, fresh)
        x = self._output(i)
        if target and not isinstance(f.y, Outputs) and not self.hidden(x):
            self._edge(target, self.node(x), False, False)

    def _source(self, x: Any, i: int, k: int) -> tuple[Node, bool] | None:
        """The node that `x` flows out of, into the Function `i`, and whether it flows back to a repetition's start."""
        unit, r = self.unit(i), self.same[i]
        if not isinstance(x, Variable):
            return (self.node((r, k)), False) if unit is self.functions[i] else None
        shown = self.shown(x)
        if self.hidden(shown):
            return None
        if x.creator is None:
            return self.node(shown), False
        j = self.outline.at[x.creator]
        inside = isinstance(unit, Scope) and self.unit(j) is unit
        if (inside and (not unit.count or i - r == j - self.same[j])) or isinstance(self.functions[j].y, Outputs):
            return None
        return self.node(shown), inside or self.same[j] >= r

    def _edge(self, source: Node, target: Any, back: bool, again: bool) -> None:
        """An edge; a second one between the same nodes only where that one is drawn `again`."""
        if target is not None and (again or (source, target) not in self.edges):
            self.edges.add((source, target))
            self.parts.append((source, target, back))

    def node(self, key: Any) -> Node:
        """The node for a Variable, a Function, a box, or a constant: the Function it flows into, and its position."""
        if key not in self.nodes:
            kind, path, things = self._look(key)
            self.nodes[key] = Node(kind, len(self.nodes), path, things)
            self.parts.append(self.nodes[key])
        return self.nodes[key]

    def _look(self, key: Any) -> tuple[str, tuple[Scope, ...], list[Any]]:
        if isinstance(key, tuple):
            i, k = key
            return "c", self.where[i][0], [f.args[k] for f in self.things[self.functions[i]]]
        if isinstance(key, Scope):
            return "b", self.where[key.lo][0], [key]
        things = self.things[key] or [key]
        if isinstance(key, Function):
            return "f", self.where[self.outline.at[key]][0], things
        things.sort(key=lambda x: x is not key)
        if key.creator is not None:
            return "v", self.where[self.same[self.outline.at[key.creator]]][0], things
        return ("p" if isinstance(key, Parameter) else "v"), self._home(key, len(things) > 1), things

    def _home(self, leaf: Variable, many: bool) -> tuple[Scope, ...]:
        """The Scopes around all users of a leaf, for a Parameter and for what differs between repetitions."""
        paths = [self.where[i][0] for i in self.users[leaf].values()]
        if not paths or not (many or isinstance(leaf, Parameter)):
            return ()
        home = common(paths)
        shared = [k for k, scope in enumerate(home) if scope.count > 1 and not many]
        return home[: shared[0]] if shared else home


def common(paths: list[tuple[Scope, ...]]) -> tuple[Scope, ...]:
    """The Scopes that all paths begin with."""
    n = 0
    for scopes in zip(*paths, strict=False):
        if any(scope is not scopes[0] for scope in scopes):
            break
        n += 1
    return paths[0][:n]


def picture(y: Variable, depth: int | None) -> Picture:
    """The picture of the graph behind `y`, with the layers down to `depth` open; None: as many as stay readable."""
    outline = Outline(y)
    if depth is not None and depth < 0:
        return Picture(outline, float("inf"), False)
    level = max(scope.level for scope in outline.scopes)
    if len(outline.functions) <= _SMALL or (depth is not None and depth < level):
        small = Picture(outline, level if depth is None else depth, False)
        if len(small.nodes) <= _SMALL:
            return small
    depths = [depth] if depth is not None else [*range(min(level, 8), -1, -1)]
    wider = drawn = Picture(outline, depths[0], True)
    for d in depths[1:]:
        if len(drawn.nodes) <= _READABLE:
            break
        wider, drawn = drawn, Picture(outline, d, True)
    if len(wider.nodes) <= _MOST and sum(node.kind == "b" for node in drawn.nodes.values()) == 1:
        return wider  # One box for the whole model would tell nothing.
    if len(drawn.nodes) <= _MOST or len(outline.scopes[0].items) <= _KEPT:
        return drawn
    return Picture(outline, depths[-1], True, cut=True)
