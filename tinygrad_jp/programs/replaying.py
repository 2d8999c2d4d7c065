"""A graph, computed once more on arrays that are recorded; and its backward pass by the engine itself."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.core import Array, Function, Outputs, Variable, output, run_backward, toposort, using_config
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.recorded import Held
from tinygrad_jp.programs.recorder import Recorder
from tinygrad_jp.programs.recording import LONGEST
from tinygrad_jp.programs.values import BACKWARD, FORWARD, Place, Value, behind, mapped, next_number


class _Reader(Recorder):
    """A recorder that tells of each Value which Function of the graph it belongs to, and where it leads back to.

    originals: the Functions and leaves of the graph by those that are made anew. now: the Function that is.
    """

    def __init__(self, *settings: Any, **more: Any) -> None:
        super().__init__(*settings, **more)
        self.originals: dict[Any, Any] = {}
        self.now: Function | None = None
        self.start = 0

    def _place(self, place: Place) -> Place:
        if self.now is not None:
            self.originals.setdefault(place.node, self.now)
        return Place(place.phase, self.originals.get(place.node, place.node))

    def entered(self, f: Any, gy: Array) -> None:
        self.start = next_number()

    def passed(self, f: Any, i: int, key: Any, share: Array, before: Array | None, after: Array) -> None:
        super().passed(f, i, key, share, before, after)
        shares = self.values([getattr(x, "_array", x) for x in (share, after)])
        for x in behind(*shares, through=lambda x: (x.args, x.kwargs) if x.number > self.start else None):
            if x.number > self.start and x.place.target is None:
                x.place = Place(BACKWARD, x.place.node, self.originals.get(key, key))


class Replay:
    """A graph on recorded arrays: `made` by its Functions, `leaves` by its leaves, `inputs` by arrays in it.

    label: what to call the Values of leaves and of arrays.
    """

    def __init__(self, y: Variable, label: Callable[[Any], str]) -> None:
        self.label, self.recorder = label, _Reader(LONGEST, to_read=True)
        self.made: dict[Function, Any] = {}
        self.leaves: dict[Variable, Variable] = {}
        self.inputs: dict[int, tuple[Any, Value]] = {}
        with self.recorder, using_config("enable_backprop", True):
            for f in toposort(y.creator)[::-1] if y.creator is not None else []:
                self.recorder.now = f
                self.made[f] = self._again(f)
            self.recorder.now = None
        self.root = self._of(y, y.data)

    def value(self, x: Any) -> Any:
        """The Value that a Variable holds."""
        return self.recorder.values(x._array)

    def _again(self, f: Function) -> Any:
        """f, applied once more."""
        args = [self._of(x, a) for x, a in zip(f.xs, f.args, strict=True)]
        if f.func is output and isinstance(args[0], tuple):
            return args[0][args[1]]
        if f.func is type(f):
            fresh = copy.copy(f)
            Function.__init__(fresh)
            return self._checked(f, lambda: fresh(*args))
        xs = tuple([new if x is not None else None for x, new in zip(f.xs, args, strict=True)])
        data = tuple([a._array if isinstance(a, Variable) else a for a in args])
        settings = mapped(f.kwargs, self._setting)
        return Variable.record(f.func, data, settings, xs, self.recorder.call(f.func, data, settings))

    def _checked(self, f: Function, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except TypeError as error:
            raise NotWritten(f"source: {f.name}.forward uses more than NumPy's functions: {error}") from None

    def _of(self, x: Variable | None, data: Any) -> Any:
        """An argument: a Variable, or what a setting holds, or a constant as it is."""
        if x is None:
            return self._input(data) if isinstance(data, list) else mapped(data, self._input)
        if x.creator is not None:
            made = self.made[x.creator]
            if type(x) is not Variable and isinstance(made, Variable):
                made.__class__ = type(x)  # Spectra are of a class of their own.
            return made
        if x not in self.leaves:
            value = Value(data, self.label(x))
            value.place = Place(FORWARD, x)
            self.leaves[x] = new = type(x)(Held(self.recorder, value))
            self.recorder.originals[new] = x
        return self.leaves[x]

    def _setting(self, a: Any) -> Any:
        """A setting that is an array or a number with a fraction may come from data; one that counts does not."""
        return self._input(a) if np.ndim(a) or getattr(a, "dtype", None) == np.float64 else a

    def _input(self, a: Any) -> Any:
        if not isinstance(a, np.ndarray | np.generic | list):
            return a  # A number of Python's is a constant; one of NumPy's may come from data, and so may a list.
        if id(a) not in self.inputs:
            # The array is kept, so that its id stays its own.
            self.inputs[id(a)] = a, Value(np.asarray(a), self.label(np.asarray(a)))
        return Held(self.recorder, self.inputs[id(a)][1])

    def along(self, found: list[tuple[str, Any]]) -> tuple[Variable, list[Value]]:
        """Σ v·g over all gradients g, with a vector v for each."""
        vectors = [Value(np.ones_like(self.recorder.values(getattr(g, "_array", g)).data), f"v_{n}") for n, g in found]
        with self.recorder, using_config("enable_backprop", True):
            parts = [np.sum(Variable(Held(self.recorder, v)) * g) for v, (_, g) in zip(vectors, found, strict=True)]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
        return total, vectors

    def gradients(self, total: Variable, again: bool) -> dict[Any, Any]:
        """The gradients of `total` by all Variables and Functions on the way back, as Variables if `again`."""
        try:
            with self.recorder, using_config("enable_backprop", again):
                return run_backward(total, again, self.recorder, retain=True)[1]
        except NotWritten:
            raise
        except TypeError as error:
            raise NotWritten(f"source: a rule uses more than NumPy's functions: {error}") from None


__all__ = ["Outputs", "Replay"]
