"""Large batches in chunks of rows: the program of a chunk, run for each of them, and what is done with the means."""

import copy
import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.core import Variable
from tinygrad_jp.programs.arguments import argument_names, leaves, name_of, rebuilt
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.chunks import Chunk, Span, gathered, prove
from tinygrad_jp.programs.plans import CHECKING, MISSED, OTHERWISE, Plan
from tinygrad_jp.programs.rehearsing import refused, rehearsed, rehearsed_with_gradients
from tinygrad_jp.programs.roles import ONCE, SAME, Role, roles
from tinygrad_jp.programs.takes import Waiting, stand_in
from tinygrad_jp.programs.values import Effect, Value, mapped

FEWEST = 4
"""The least `rows`: the program of one row alone may look otherwise."""
_LONGEST = 32
"""The most rows of the pieces that a chunk is compared with."""


class Settings(NamedTuple):
    """What `compiled` is told; `rows` is 0 where batches are not cut."""

    gather: bool
    rows: int
    threads: int


def batch_of(args: tuple[Any, ...], kwargs: dict[str, Any], rows: int) -> int:
    """The length of the batch, where an array has more than so many rows; otherwise 0."""
    if not rows:
        return 0
    arrays = (x for _, x in leaves(args, kwargs, [""] * (len(args) + len(kwargs))) if isinstance(x, np.ndarray))
    return next((len(x) for x in arrays if x.ndim and len(x) > rows), 0)


class ChunkFails(Exception):
    """The step cannot be computed for some of the rows: as it is written, it raises an error of its own."""


class InRows:
    """The programs of one kind of call with a large batch. It has the methods of a `Plan`."""

    def __init__(
        self,
        f: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        settings: Settings,
        pretend: Callable[..., None],
    ) -> None:
        gather, rows, threads = settings
        self.n = n = batch_of(args, kwargs, rows)
        given = leaves(args, kwargs, argument_names(f, args, kwargs))
        if whole := [leaf.text[2:] for leaf in given if isinstance(leaf.x, Variable) and leaf.x.shape[:1] == (n,)]:
            raise refused(f"gets {whole[0]} as a Variable, which has a gradient for each row (or give its data)")
        spans = Span.all(n, rows)
        threads = min(threads, len(spans))
        self.parts = [spans[len(spans) * i // threads : len(spans) * (i + 1) // threads] for i in range(threads)]
        k = max(2, min(_LONGEST, math.isqrt(spans[-1].size)))  # All chunks can be put together from k and k + 1 rows.
        few = k, k + 1
        small = [Span(n, 0, few[0]), Span(n, few[0], sum(few)), Span(n, 0, sum(few)), Span(n, n - few[0], n)]
        at = {span.size: span for span in (*small[:3], *reversed(spans))}
        plans: dict[Span, Plan] = {}
        for span in (spans[0], *small, *at.values()):
            if span not in plans:
                plans[span] = self._tried(f, span, args, kwargs)
        some = at[few[0]]
        _compare(f, plans[some], plans[small[3]])
        if plans[some].take.numbers:
            pretend(some.of(args), some.of(kwargs), [plans[some]])
        if any(plan.take.ambiguous for plan in plans.values()):
            raise ChunkFails
        chunks = {}
        for size, span in at.items():
            other = next(at[k] for k in (*few, sum(few)) if k != size)
            chunks[size] = Chunk(size, plans[span], roles(plans[span].order, plans[other].order, (size, other.size)))
        self.roles = [*chunks[spans[0].size].wanted.values()]
        if any([*chunk.wanted.values()] != self.roles for chunk in chunks.values()):
            raise refused("computes other things for other numbers of rows")
        for size in {sum(few), spans[0].size, spans[-1].size}:
            prove(chunks[size], chunks[few[0]], chunks[few[1]], exact=size == sum(few))
        first = chunks[spans[0].size]
        self.source = first.plan.source
        self.finish = self._finishing(first, args, kwargs)
        self.finish.gathers = gather
        again = rehearsed_with_gradients(f, some.of(args), some.of(kwargs))
        if not again.difference(plans[some]) and again.takes_any_grads:
            self.finish.takes_any_grads = True
        self.finish.build()
        self.take, self.fits = self.finish.take, self.finish.fits
        self.chunks = [{size: copy.copy(chunks[size]) for size in {span.size for span in part}} for part in self.parts]
        for chunk in self._all_chunks():
            chunk.build()
            chunk.check_with(at[chunk.size].of((*args, *kwargs.values())))
        self.finish.lighten()
        for chunk in chunks.values():
            chunk.lighten()

    def _tried(self, f: Any, span: Span, args: Any, kwargs: Any) -> Plan:
        """The plan for some of the rows. It is not their fault if rows fail that have not failed in the first chunk."""
        first = self.parts[0][0]
        once = functools.partial(rehearsed, f, span.of(args), span.of(kwargs), light=span != first)
        try:
            return once()
        except NotWritten:
            raise
        except Exception as error:
            if isinstance(error, Waiting) or span == first or span.stop > first.stop:
                raise ChunkFails from error
            raise refused(f"fails on {span.size} rows by themselves ({type(error).__name__}: {error})") from error

    def _all_chunks(self) -> list[Chunk]:
        return [chunk for chunks in self.chunks for chunk in chunks.values()]

    def _finishing(self, chunk: Chunk, args: Any, kwargs: Any) -> Plan:
        """What the step does once with what all chunks have given: it is read from more arguments."""
        take = copy.copy(chunk.take)
        take.inputs = {**take.inputs}
        given = [f"a__{i}" for i in range(len(chunk.wanted))]
        self.blanks = [None] * len(given)
        new: dict[Value, Value] = {}
        for x, name in zip(chunk.wanted, given, strict=True):
            new[x] = take.input(x.data, "mean", "{}", name)
            new[x].number = -1  # It is there from the beginning.
        for x in chunk.plan.order:
            if x not in new and (isinstance(x.func, Effect) or chunk.role[x] in (SAME, ONCE)):
                new[x] = x if x.func is None else _with_arguments(x, new)
        take.effects = [new[x] for x in chunk.plan.order if isinstance(x.func, Effect)]
        results = zip(take.results, chunk.plan.results, strict=True)
        take.results = [(kind, new[x] if isinstance(x, Value) else x) for (kind, _), x in results]
        take.args, take.kwargs = (
            rebuilt(a, lambda x: stand_in(x) if isinstance(x, np.ndarray) else x) for a in (args, kwargs)
        )
        take.leaves = [*leaves(take.args, take.kwargs, take.names)]
        take.names = [*take.names, *given]
        return Plan(take)

    # Running

    def run(self, *args: Any) -> Any:
        """Run the programs, as `Plan.run` does. Where a chunk fails, the step is to run as written, and says why."""
        current = all(chunk.is_current() for chunk in self._all_chunks())
        if not current or self.finish.fast.env["conditions"](*args, *self.blanks) is MISSED:
            return MISSED
        try:
            combined = self._combined(args)
        except (MemoryError, AssertionError):
            raise
        except Exception:
            return OTHERWISE
        return self.finish.run(*args, *combined)

    def _combined(self, args: Any) -> list[Any]:
        """What the chunks have computed, as it is for the whole batch."""
        self._failed = False
        whole = [self._room(x, role) for x, role in next(iter(self.chunks[0].values())).wanted.items()]
        with ThreadPoolExecutor(max(len(self.parts) - 1, 1)) as pool:
            try:
                others = [
                    pool.submit(copy_context().run, self._part, i, args, whole) for i in range(1, len(self.parts))
                ]
                parts = [self._part(0, args, whole), *(other.result() for other in others)]
            except BaseException:
                self._failed = True  # The other threads need not go on.
                raise
        return [functools.reduce(role.combine or _first, part) for role, *part in zip(self.roles, *parts, strict=True)]

    def _room(self, x: Value, role: Role) -> Any:
        """An array for what each row has a part of."""
        if role.axis is None:
            return None
        size = next(iter(self.chunks[0]))
        return np.empty([m // size * self.n if i == role.axis else m for i, m in enumerate(x.shape)], x.dtype)

    def _part(self, i: int, args: Any, whole: list[Any]) -> list[Any]:
        """What a thread has to do: its chunks, one after the other."""

        def values(span: Span) -> Any:
            if self._failed:
                raise InterruptedError
            return self._values(self.chunks[i][span.size], span.of(args))

        return gathered(self.roles, self.parts[i], whole, values)

    def _values(self, chunk: Chunk, args: Any) -> Any:
        if os.environ.get(CHECKING) == "1":
            chunk.check_with(args)
        return chunk.run(*args)

    def refresh(self) -> bool:
        """Whether the programs fit again after arrays, or attributes of layers, have been changed."""
        if not self.finish.refresh():
            return False
        for chunk in self._all_chunks():
            if not chunk.is_current():
                chunk.build()
        return True


def _first(a: Any, _: Any) -> Any:
    return a


def _with_arguments(x: Value, new: dict[Value, Value]) -> Value:
    args, kwargs = mapped((x.args, x.kwargs), lambda a: new[a] if isinstance(a, Value) else a)
    return x.again(x.data, x.func, args, kwargs)


def _compare(f: Any, a: Plan, b: Plan) -> None:
    """See to it that two recordings on different rows are of one program."""
    if a.decides_unlike(b):
        raise refused("decides one thing by some rows, and another by others; use np.where in the place of if")
    if difference := a.difference(b):
        raise NotWritten(
            f"compiled: two recordings of {name_of(f)} differ at {difference}: it uses a "
            f"number or an array that is made anew in each call, other than from its arguments and its layers"
        )
