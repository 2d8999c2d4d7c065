"""`compiled`: a step that is recorded in its first calls, and from then on runs as a program."""

import functools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, overload

from tinygrad_jp.core.errors import warn_user
from tinygrad_jp.core.settings import OBSERVER
from tinygrad_jp.formatting import language
from tinygrad_jp.programs.arguments import name_of
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.plans import MISSED, OTHERWISE, Plan
from tinygrad_jp.programs.rows import FEWEST, ChunkFails, InRows, Settings, batch_of
from tinygrad_jp.programs.source import Source
from tinygrad_jp.programs.takes import Take, Waiting

OFTEN = 20
"""After so many calls that decided otherwise than the program, there is a warning."""
MOST = 32
"""The most kinds of calls that are kept."""
_RECORDING = threading.RLock()


def _pretended(numbers: dict[int, type]) -> Iterator[dict[int, Any]]:
    """What a step is told in the place of numbers that it returns. What it does must not depend on them."""
    far = {i: 10**6 + i if kind is int else 1e30 + i for i, kind in numbers.items()}
    yield far
    yield {i: -x for i, x in far.items()}
    yield {i: math.nan + i if kind is float else far[i] for i, kind in numbers.items()}
    for i, kind in numbers.items():
        yield from (far | {i: kind(near)} for near in (0, 1))


def _first_alike(plans: list[Plan], plan: Plan) -> Plan | None:
    """The first of these that has decided as `plan` does."""
    return next((p for p in plans if not plan.decides_unlike(p)), None)


class Compiled:
    """What `compiled` makes of a function. `source` is the program that ran last."""

    def __init__(self, f: Callable[..., Any], settings: Settings) -> None:
        functools.update_wrapper(self, f)
        self._f, self._name = f, name_of(f)
        self._settings = settings
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._latest: Any = None
        self._n = -1
        self._plans: list[Plan | InRows] = []
        self._takes: list[Plan] = []  # Recordings that wait for a second one of the same kind.
        self._calls = self._otherwise = self._recorded = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            latest = self._latest
            if latest is not None and len(args) == self._n and not kwargs:
                y = latest.run(*args)
                if y is not MISSED and y is not OTHERWISE:
                    return y
            return self._call(args, kwargs)

    def __get__(self, owner: Any, cls: Any = None) -> Any:
        return self if owner is None else functools.partial(self, owner)

    def __getstate__(self) -> dict[str, Any]:
        return {"_f": self._f, "__wrapped__": self._f, "_name": self._name, "_settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        functools.update_wrapper(self, self._f)
        self._forget()

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call that the program of the last one does not fit."""
        if OBSERVER.get() is not None:  # It is being recorded as a part of another, or traced, or debugged.
            return self._f(*args, **kwargs)
        self._calls += 1
        for plan in self._plans:
            if plan.fits(args, kwargs):
                y = plan.run(*args, *kwargs.values())
                if y is MISSED and plan.refresh():
                    y = plan.run(*args, *kwargs.values())
                if y is OTHERWISE:
                    return self._as_written(args, kwargs)
                if y is not MISSED:
                    self._use(plan)
                    return y
        with _RECORDING:
            return self._record(args, kwargs)

    def _as_written(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the step itself, and say so if that happens often."""
        self._otherwise += 1
        if self._otherwise == OFTEN:
            warn_user(
                f"compiled: {self._name} has decided otherwise than its program in {OFTEN} calls, which ran as "
                f"written; use np.where in the place of if, or leave that out of the step",
                UserWarning,
            )
        return self._f(*args, **kwargs)

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if batch_of(args, kwargs, self._settings.rows):
            return self._record_in_rows(args, kwargs)
        if self._calls == 1:  # Parameters get their data, gradients their places, caches are filled.
            return self._f(*args, **kwargs)
        try:
            take = Take(self._f, args, kwargs)
        except Waiting:
            return self._f(*args, **kwargs)
        self._recorded += 1
        if self._recorded == OFTEN:
            warn_user(
                f"compiled: {self._name} has been recorded in {OFTEN} calls, which takes longer than to run it, and "
                f"no call was like one before; give what changes as an array",
                UserWarning,
            )
        like = [plan for plan in self._takes if plan.holds(take)]
        if like and like[0].take.numbers:
            self._pretend(args, kwargs, like)
        plan = take.run(functools.partial(self._planned, like))
        first = _first_alike(like, plan)
        if take.ambiguous:
            return take.result
        if first is None:
            self._takes = [plan, *self._takes][:MOST]
            plan.lighten()
            return take.result
        inputs = plan.recorded_inputs()
        plan.lighten()
        plan.build()
        if wrong := plan.check(inputs):
            plan.give_up()
            warn_user(
                f"compiled: the program of {self._name} computes {wrong} otherwise than the step, and such calls run "
                f"as written: this is a fault of tinygrad_jp, please report it",
                RuntimeWarning,
            )
        self._takes.remove(first)
        self._plans = [plan, *self._plans][:MOST]
        self._use(plan)
        return take.result

    def _planned(self, like: list[Plan], take: Take) -> Plan:
        """The plan of a recording, which must not differ from one that has decided as it does."""
        plan = Plan(take, self._settings.gather)
        first = _first_alike(like, plan)
        if first is not None and (difference := plan.difference(first)):
            raise NotWritten(
                f"compiled: two recordings of {self._name} differ at {difference}: it uses a number or an array "
                f"that is made anew in each call, other than from its arguments, its layers and F.dropout"
            )
        return plan

    def _pretend(self, args: tuple[Any, ...], kwargs: dict[str, Any], like: list[Plan]) -> None:
        """Refuse a step that returns a number and decides by it, too: let it have others, and see what it does."""
        for told in _pretended(like[0].take.numbers):
            take = Take(self._f, args, kwargs)
            take.recorder.pretended = told
            try:
                plan = take.run(Plan, keep=False)
            except Exception:  # The step itself may fail at such numbers.
                plan = None
            differs = plan is None or all(plan.decides_unlike(p) or plan.difference(p) for p in like)
            if differs and not take.ambiguous:
                raise NotWritten(
                    f"compiled: {self._name} returns a number that it also decides by, or computes with; decide by "
                    f"the array, as in `if loss.data > 1:`, and return the number"
                )

    def _record_in_rows(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            chunks = InRows(self._f, args, kwargs, self._settings, self._pretend)
        except ChunkFails:
            return self._as_written(args, kwargs)
        except AssertionError as fault:
            self._settings = self._settings._replace(rows=0)
            warn_user(
                f"{fault}, and batches are computed as a whole: this is a fault of tinygrad_jp, please report it",
                RuntimeWarning,
            )
            return self._f(*args, **kwargs)
        self._plans = [chunks, *self._plans][:MOST]
        self._use(chunks)
        y = chunks.run(*args, *kwargs.values()) if chunks.refresh() else OTHERWISE
        return self._as_written(args, kwargs) if y is OTHERWISE or y is MISSED else y

    def _use(self, plan: Plan | InRows) -> None:
        self._recorded = 0
        self._latest, self._n = plan, -1 if plan.take.kwargs else len(plan.take.args)

    @property
    def source(self) -> Source:
        """The program that ran last, in the words of a person. Raises RuntimeError before there is one."""
        if self._latest is None:
            raise RuntimeError(f"{self._name}: there is no program yet; it is written at the second call of a kind")
        return self._latest.source(language(None))


@overload
def compiled(f: Callable[..., Any], *, gather: bool = True, rows: int | None = None, threads: int = 1) -> Compiled: ...
@overload
def compiled(
    *, gather: bool = True, rows: int | None = None, threads: int = 1
) -> Callable[[Callable[..., Any]], Compiled]: ...
def compiled(
    f: Callable[..., Any] | None = None, *, gather: bool = True, rows: int | None = None, threads: int = 1
) -> Any:
    """A step that runs as the NumPy program that you would have written by hand: what it computes, without a graph.

    The first call of the step runs as it is written. The next two are recorded as they run. If they agree, calls of
    that kind run as a program from then on: the same shapes and dtypes, the same mode, structure and settings of the
    layers, the same names and numbers outside. Other kinds of calls have programs of their own.

    It gives what the step gives, bit for bit where the order of operations is the same. What the step decides by, as in
    `if y.mean() > 0`, is checked in each call: one that decides otherwise runs as it is written. Dropout draws what it
    would draw. Rates, schedules, hooks, loaded weights and cleared gradients count as ever.

    Raises TypeError, with your line, for what a program cannot do: take a number out of the step that is not returned
    (`float(loss)`), turn data into NumPy's own arrays (`np.asarray`), give an array whose size depends on data
    (`y[mask]`), change a counter or a list, draw random numbers other than by `F.dropout`. Then all is as before, and
    so it is after an interrupt.

    Memory is kept between calls: `p.grad` belongs to the program until the next call. Results have no graph. `source`
    is the program that ran last, `__wrapped__` the step itself. TINYGRAD_JP_CHECK_PROGRAMS=1 in the environment
    compares each call with the recorded operations, one by one.

    gather: small Parameters of an optimizer lie in one array together from then on, which is faster, but an array that
    you took from `p.data` before does not change with them any more. If it should, let this be False.

    rows: a batch with more rows than this, at least 4, is computed in chunks of that size, so that memory does not grow
    with it: `@compiled(rows=1000)`. All arrays of as many rows as the first large one are cut. Losses and gradients are
    means over the rows then, up to rounding, results with rows are put together, and updates happen once. threads: so
    many chunks are computed at a time. Raises TypeError, with the operation, where it is not proven that rows go
    through the step apart from each other: BatchNorm in training, dropout, sums in the place of means.

    >>> import numpy as np
    >>> from tinygrad_jp import functions as F, models, optimizers
    >>> model = models.MLP(10, 1, rng=0)
    >>> optimizer = optimizers.SGD(0.1).setup(model)
    >>> @compiled
    ... def step(x, t):
    ...     loss = F.mean_squared_error(model(x), t)
    ...     model.cleargrads()
    ...     loss.backward()
    ...     optimizer.update()
    ...     return loss
    >>> x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    >>> losses = [step(x, x**2).item() for _ in range(100)]
    >>> losses[-1] < losses[0] / 2
    True
    """
    for name, number, least in (("rows", rows, FEWEST), ("threads", threads, 1)):
        if number is not None and (type(number) is not int or number < least):
            raise ValueError(f"compiled: expected {name}= to be an int of at least {least}, got {number!r}")
    if f is None:
        return functools.partial(compiled, gather=gather, rows=rows, threads=threads)
    return Compiled(f, Settings(gather, rows or 0, threads))
