"""The nodes and edges of a picture: everything, or layers closed to one box each and repetitions drawn once."""

from collections import defaultdict
from collections.abc import Collection
from itertools import takewhile
from typing import Any

from tinygrad_jp.core import Function, Outputs, Parameter, Variable, output
from tinygrad_jp.graph.outline import Outline, Scope, common, flowing

_SMALL, _READABLE, _MOST = 60, 80, 400
_LAST_OPERATIONS = 20
"""How many operations are drawn of a graph that nothing makes smaller."""


class Node:
    """A node of the picture: its kind and id, the open Scopes around it, and the things that it stands for."""

    def __init__(self, kind: str, number: int, path: tuple[Scope, ...], things: list[Any]) -> None:
        self.kind, self.id, self.path, self.things = kind, f"{kind}{number}", path, things


class Picture:
    """The nodes and edges that are drawn for an `Outline`. `parts` lists them, each node before the edges it has.

    Of a Function, the number of its position in the outline is enough to find:

    - its `twin`, the number of the equal Function that is drawn for it: itself, unless it lies in a repetition,
    - `drawn_as`, the box of a closed layer or the Function that stands for it in the picture,
    - `where` it is: the open Scopes around it, and its box.

    Of a Variable, `representative` is the one that is drawn for it.
    """

    def __init__(
        self, outline: Outline, depth: float, fold: bool, cut: bool = False, opened: Collection[int] | None = None
    ) -> None:
        self.outline, self.functions = outline, outline.functions
        self.twin = outline.arrange(depth, fold, opened)
        if cut:
            _cut(outline.scopes[0])
        self.where = _places(outline.scopes[0])
        self.result_of = _results(outline)
        self.drawn_for = self._leaves()
        self.users = self._users()
        self.drawn_for = self._merged()
        self.things = self._things()
        # Nodes, and edges: (from, to, whether it leads back to the start of a repetition, the argument that it is).
        self.parts: list[Any] = []
        self.nodes: dict[Any, Node] = {}
        self.edges: set[Any] = set()
        for i in range(len(self.functions)):
            self._add(i)
        self.node(self.representative(outline.y))

    @property
    def full_size(self) -> int:
        """How many nodes it takes to draw everything."""
        leaves = {x for f in self.functions for x in f.variables if x.creator is None}
        return max(len(leaves), 1) + sum(map(_size, self.functions))

    @property
    def folded(self) -> bool:
        """Whether a node stands for more than itself."""
        return any(self.drawn_as(i) is not f for i, f in enumerate(self.functions))

    # What is drawn for what

    def drawn_as(self, i: int) -> Any:
        """What is drawn for the Function `i`: a box or a Function."""
        return self.where[self.twin[i]][1] or self.functions[self.twin[i]]

    def representative(self, x: Variable) -> Variable:
        """The Variable that is drawn for `x`."""
        return self.drawn_for[x] if x.creator is None else self._result(self.outline.at[x.creator])

    def _result(self, i: int) -> Variable:
        """The Variable that is drawn for what the Function `i` returned. The output is always drawn itself."""
        if self.functions[i] is self.outline.y.creator:
            return self.result_of[self.functions[i]]
        x = self.result_of[self.functions[self.twin[i]]]
        return self.drawn_for.get(x, x)

    def _leaves(self) -> dict[Variable, Variable]:
        """For each leaf the one that is drawn for it: its twin's, where both have the same place in a repetition."""
        drawn_for: dict[Variable, Variable] = {}
        for i, f in enumerate(self.functions):
            twins = {k: x for k, _, x in self.functions[self.twin[i]].edges} if self.twin[i] != i else {}
            for k, _, x in f.edges:
                if x.creator is None and x not in drawn_for:
                    twin = twins.get(k)
                    drawn_for[x] = drawn_for[twin] if type(twin) is type(x) and twin in drawn_for else x
        return drawn_for if self.functions else {self.outline.y: self.outline.y}

    def _users(self) -> dict[Variable, dict[Any, int]]:
        """For each Variable that is drawn what uses it, a box or a Function, with the number of a Function in it."""
        users: dict[Variable, dict[Any, int]] = defaultdict(dict)
        for i, f in enumerate(self.functions):
            for x in f.variables:
                users[self.representative(x)].setdefault(self.drawn_as(i), self.twin[i])
        return users

    def _merged(self) -> dict[Variable, Variable]:
        """`drawn_for`, with four or more Variables of the same shape between the same boxes drawn as one."""
        similar = [group for group in self._similar() if len(group) > 3]
        merged = self.drawn_for | {x: first for first, *others in similar for x in others}
        return {x: merged.get(first, first) for x, first in merged.items()}

    def _similar(self) -> list[list[Variable]]:
        """The Variables that lie between boxes, grouped by kind, shape, dtype and the boxes."""
        groups: dict[Any, list[Variable]] = defaultdict(list)
        for x, users in self.users.items():
            maker = x.creator and self.drawn_as(self.outline.at[x.creator])
            between_boxes = all(isinstance(end, Scope) for end in (*users, *([maker] if maker else ())))
            if between_boxes and not (x.creator and isinstance(x.creator.y, Outputs)):
                groups[type(x), x.shape, x.dtype, maker, frozenset(users)].append(x)
        return list(groups.values())

    def _things(self) -> dict[Any, list[Any]]:
        """For each Variable, box and Function that is drawn all that it stands for."""
        things: dict[Any, list[Any]] = defaultdict(list)
        for x in self.drawn_for:
            if x.creator is None:
                things[self.representative(x)].append(x)
        for i, f in enumerate(self.functions):
            things[self.drawn_as(i)].append(f)
            things[self._result(i)].append(self.result_of[f])
        return things

    def hidden(self, x: Variable) -> bool:
        """Whether `x`, a result or a Parameter, is used inside one box only."""
        users = self.users[x]
        box = next(iter(users), None)
        if len(users) != 1 or not isinstance(box, Scope):
            return False
        if x.creator is None:
            return isinstance(x, Parameter) or not box.count
        made_inside = self.drawn_as(self.outline.at[x.creator]) is box
        return made_inside and x is not self.representative(self.outline.y)

    # Nodes and edges, in the order of the Functions

    def _add(self, i: int) -> None:
        """Add the Function `i` between its inputs and its result, or the edges that its twin lacks."""
        f, drawn = self.functions[i], self.drawn_as(i)
        if f.func is output and not isinstance(drawn, Scope):
            sources, target = {}, self._maker_of_outputs(i)
        else:
            sources = {k: found for k, x in flowing(f) if (found := self._source(x, i, k))}
            target = self.node(drawn)
        for k, (source, back) in sources.items():
            self._edge(source, target, back, k, again=drawn is f)
        x = self._result(i)
        if target and not isinstance(f.y, Outputs) and not self.hidden(x):
            self._edge(target, self.node(x), back=False, position=-1, again=False)

    def _maker_of_outputs(self, i: int) -> Node | None:
        """The node of the Function whose outputs `i` takes apart: each comes straight out of it."""
        f = self.functions[i]
        maker = self.outline.at.get(f.variables[0].creator)  # None if it was cut off.
        return self.nodes.get(self.drawn_as(maker)) if maker is not None and self.drawn_as(i) is f else None

    def _source(self, x: Any, i: int, k: int) -> tuple[Node, bool] | None:
        """The node that `x` flows out of, into the Function `i`, and whether it flows back to a repetition's start."""
        drawn, r = self.drawn_as(i), self.twin[i]
        if not isinstance(x, Variable):
            return (self.node((r, k)), False) if drawn is self.functions[i] else None
        shown = self.representative(x)
        if self.hidden(shown):
            return None
        if x.creator is None:
            return self.node(shown), False
        j = self.outline.at[x.creator]
        inside = isinstance(drawn, Scope) and self.drawn_as(j) is drawn
        same_turn = inside and (not drawn.count or i - r == j - self.twin[j])
        if same_turn or isinstance(self.functions[j].y, Outputs):
            return None
        return self.node(shown), inside or self.twin[j] >= r

    def _edge(self, source: Node, target: Node | None, back: bool, position: int, again: bool) -> None:
        """Add an edge. Between two nodes that have one, another is added only if `again`."""
        if target is not None and (again or (source, target) not in self.edges):
            self.edges.add((source, target))
            self.parts.append((source, target, back, position))

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
            path = self.where[self.twin[self.outline.at[key.creator]]][0]
            return "v", _before_folds(path) if key.creator is self.outline.y.creator else path, things
        return ("p" if isinstance(key, Parameter) else "v"), self._home(key, len(things) > 1), things

    def _home(self, leaf: Variable, many: bool) -> tuple[Scope, ...]:
        """The Scopes around all users of a leaf, for a Parameter and for what differs between repetitions."""
        paths = [self.where[i][0] for i in self.users[leaf].values()]
        if not paths or not (many or isinstance(leaf, Parameter)):
            return ()
        home = common(paths)
        return home if many else _before_folds(home)


def _before_folds(path: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """The Scopes of a path up to the first that is drawn once for several."""
    return tuple(takewhile(lambda scope: scope.count <= 1, path))


def _size(f: Function) -> int:
    """How many nodes `f` takes: itself, its constants and its result."""
    constants = sum(not isinstance(x, Variable) for _, x in flowing(f)) if f.func is not output else 0
    return constants + (f.func is not output) + (not isinstance(f.y, Outputs))


def _cut(root: Scope) -> None:
    """Put all but the last operations into one box."""
    rest = Scope(0, root.items[-_LAST_OPERATIONS][0])
    rest.closed, rest.count = True, 0
    root.items[:-_LAST_OPERATIONS] = [(rest.lo, rest.hi, 0, rest)]


def _places(root: Scope) -> dict[int, tuple[tuple[Scope, ...], Scope | None]]:
    """For each Function that is drawn or lies in a box: the open Scopes around it, and its box."""
    places: dict[int, Any] = {}
    stack: list[tuple[Scope, tuple[Scope, ...]]] = [(root, ())]
    while stack:
        scope, path = stack.pop()
        for lo, hi, _, inner in scope.items:
            if inner is not None and not inner.closed:
                stack.append((inner, (*path, inner)))
            else:
                places.update(dict.fromkeys(range(lo, hi), (path, inner)))
    return places


def _results(outline: Outline) -> dict[Any, Variable]:
    """For each Function one Variable that holds what it returned, rather one with a name or a gradient."""
    variables = [outline.y, *(x for f in outline.functions for x in f.variables)]
    ranked = sorted(variables, key=lambda x: (bool(x.name), x.grad is not None))
    return {x.creator: x for x in ranked}


def picture(y: Variable, depth: int | None) -> Picture:
    """The picture of the graph behind `y`, with the layers down to `depth` open; None: as many as stay readable."""
    outline = Outline(y)
    if depth is not None and depth < 0:
        return Picture(outline, float("inf"), False)
    drawn = _folded(outline, depth)
    saves_little = 3 * len(drawn.nodes) > 2 * drawn.full_size and drawn.full_size <= _MOST
    if depth is None and drawn.folded and (saves_little or len(drawn.nodes) >= drawn.full_size):
        return Picture(outline, float("inf"), False)
    return drawn


def _folded(outline: Outline, depth: int | None) -> Picture:
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
        return wider  # One box for the whole model would show nothing.
    if len(drawn.nodes) <= _MOST or len(outline.scopes[0].items) <= _LAST_OPERATIONS:
        return drawn
    return Picture(outline, depths[-1], True, cut=True)


def opened(y: Variable, scopes: Collection[int]) -> Picture:
    """The picture of the graph behind `y` with these layers open, given by their numbers in the outline."""
    return Picture(Outline(y), 0, False, opened=scopes)
