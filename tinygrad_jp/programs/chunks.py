"""Chunks of a batch: programs for some of its rows, and the proof that they compute what they would as one."""

import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.programs.arguments import rebuilt
from tinygrad_jp.programs.effects import SetGrad
from tinygrad_jp.programs.plans import Plan
from tinygrad_jp.programs.recording import alike
from tinygrad_jp.programs.rehearsing import refused
from tinygrad_jp.programs.roles import ONCE, SAME, SUM, Role
from tinygrad_jp.programs.takes import stand_in
from tinygrad_jp.programs.values import Effect, Value, behind, values_in


class Span(NamedTuple):
    """Some of the n rows of a batch."""

    n: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    def of(self, args: Any) -> Any:
        """Arguments of a call with these rows."""
        return rebuilt(args, lambda x: x[self.start : self.stop] if self.cuts(x) else x)

    def cuts(self, x: Any) -> bool:
        return isinstance(x, np.ndarray) and x.shape[:1] == (self.n,)

    @staticmethod
    def all(n: int, rows: int) -> list["Span"]:
        """All of the batch, in spans of nearly the same size."""
        count = -(-n // rows)
        ends = [n // count * i + min(n % count, i) for i in range(count + 1)]
        return [Span(n, *pair) for pair in itertools.pairwise(ends)]


class Leave(Effect):
    """The end of the program of a chunk: what it has computed."""

    about = "a chunk"

    def lines(self, x: Value, program: Any) -> list[str]:
        return [f"return {program.name(tuple(x.args))}"]


class Chunk(Plan):
    """The program of so many rows: it computes what is `wanted` to go on when all rows are known."""

    def __init__(self, size: int, plan: Plan, role: dict[Value, Role]) -> None:
        self.size, self.take, self.plan, self.role, self.results = size, plan.take, plan, role, []
        late = [x.args for x in plan.order if isinstance(x.func, Effect) or role.get(x) == ONCE]
        used = dict.fromkeys(values_in(plan.results, late))
        self.wanted = {x: role[x] for x in used if role[x] not in (SAME, ONCE)}
        self.order = [*behind([*self.wanted]), Value(0, "", Leave(), tuple(self.wanted))]
        self.roots = plan.roots | {self.order[-1]: {self.order[-1]}}
        for x in self.order[:-1]:
            if x.func is not None and role[x] not in (SAME, ONCE):  # Only how it lies in memory matters from now on.
                x._array = stand_in(x.data)

    def build(self) -> None:
        own = {x: np.empty_like(x.data) for x in self.wanted if x.func is not None and x.ndim}
        self._write(own, set())
        fast, names = self.fast, ", ".join(self.take.names)
        given = ", ".join(fast.reads[x] for x in self.order if x.func is None)
        functions = {f"program({names})": fast.lines, f"given({names})": [f"return [{given}]"]}
        self.text = fast.define(functions, self.fixed, self.take.name)
        self.run = fast.env["program"]

    def is_current(self) -> bool:
        """Whether Parameters still hold the arrays that the program uses."""
        return all(x._array is self.fast.env[name] for name, x in self.fixed.items())

    def check_with(self, args: Any) -> None:
        """See to it that the program computes what the operations give, one by one."""
        expected = self.values(self.fast.env["given"](*args))
        if not all(map(alike, self.run(*args), expected)):
            raise AssertionError(f"compiled: the program of {self.take.name} computes a chunk otherwise than the step")

    def inputs(self) -> list[tuple[Any, Role]]:
        return [(x.data, self.role[x]) for x in self.order if x.func is None]

    @property
    def rounding(self) -> float:
        """How far results may lie apart, for constants in the dtype of the step."""
        dtypes = {getattr(x.data, "dtype", None) for x in self.order[:-1]}
        return max((1e4 * float(np.finfo(d).eps) for d in dtypes if d is not None and d.kind == "f"), default=0.0)

    def name_of(self, i: int) -> str:
        """What a reader calls the i-th of the Values that are wanted."""
        x, order = [*self.wanted][i], self.plan.order
        labels = (e.func.label(self.take) for e in order if isinstance(e.func, SetGrad) and any(a is x for a in e.args))
        return next((f"a gradient of {label}" for label in labels), "a result")

    def lighten(self) -> None:
        """Forget the arrays that it was recorded on."""
        for x in self.plan.order:
            if x.func is None or self.role.get(x) in (SAME, ONCE):
                x._array = stand_in(x.data)

    def values(self, inputs: list[Any]) -> Any:
        """What the operations give, one by one, in no more memory than they need."""
        return next(self.one_by_one(inputs))[1]


def gathered(wanted: list[Role], spans: Iterable[Span], whole: list[Any], values: Callable[[Span], Any]) -> list[Any]:
    """What is computed from all these rows, from the `values` of each span; what has rows itself is put into `whole`.

    Always in the same order, so that it comes out the same.
    """
    totals: list[Any] = []
    for span in spans:
        for j, (role, value) in enumerate(zip(wanted, values(span), strict=True)):
            if role.axis is not None:
                k = value.shape[role.axis] // span.size
                role.rows(whole[j], span.start * k, span.stop * k)[...] = value
                value = whole[j]
            elif role == SUM:
                value = value * value.dtype.type(span.size / span.n)
            if len(totals) == j:
                totals.append(value if role == SUM or role.axis is not None else np.copy(value)[()])
            elif role.axis is None:
                totals[j] = role.combine(totals[j], value, out=totals[j] if np.ndim(value) else None)
    return totals


def prove(chunk: Chunk, a: Chunk, b: Chunk, exact: bool) -> None:
    """See to it that what a chunk gives is what its rows give in pieces, as long as a and b, and so the factor 1/n.

    Numbers are disturbed, lest zeros prove anything. exact: in float64, with the numbers of the rows disturbed as well.
    """
    n, longer = chunk.size, chunk.size % a.size
    pieces = [a] * ((n - longer * b.size) // a.size) + [b] * longer
    ends = itertools.pairwise([0, *itertools.accumulate(piece.size for piece in pieces)])
    at, wanted = {Span(n, *pair): piece for pair, piece in zip(ends, pieces, strict=True)}, [*chunk.wanted.values()]
    for noise in (0.1, 0.0):
        rng = np.random.default_rng(0)
        inputs = [(_disturbed(x, noise, rng, exact or role.axis is None, exact), role) for x, role in chunk.inputs()]
        with np.errstate(all="ignore"):
            whole = chunk.values([x for x, _ in inputs])
            room = [np.empty_like(x) for x in whole]
            joined = gathered(wanted, at, room, functools.partial(_piece, at, inputs))
        if all(np.isfinite(y).all() for y in (*joined, *whole)):
            return _agree(chunk, joined, whole, chunk.rounding if exact else 0.01)
    raise refused("computes what is not finite, so that nothing can be seen from it")


def _piece(at: dict[Span, Chunk], inputs: list[tuple[Any, Role]], span: Span) -> Any:
    return at[span].values([role.rows(x, span.start, span.stop) for x, role in inputs])


def _disturbed(x: Any, noise: float, rng: np.random.Generator, moved: bool, exact: bool) -> Any:
    if x.dtype.kind != "f" or not moved:
        return x
    return np.asarray(x + noise * rng.standard_normal(np.shape(x)), float if exact else x.dtype)[()]


def _agree(chunk: Chunk, joined: list[Any], whole: list[Any], rounding: float) -> None:
    largest = max((np.max(np.abs(y), initial=0) for y in whole), default=0)
    for i, (x, y) in enumerate(zip(joined, whole, strict=True)):
        if not np.all(np.abs(x * 1.0 - y) <= rounding * max(np.max(np.abs(y), initial=0), largest / 1000)):
            raise refused(f"computes {chunk.name_of(i)} that is no mean over its rows (a sum, perhaps)")
