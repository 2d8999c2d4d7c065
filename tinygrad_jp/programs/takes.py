"""One call of a step, recorded as it runs."""

import mmap
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.core import Variable, toposort
from tinygrad_jp.core.settings import ENABLE_BACKPROP, OBSERVER, TRAIN
from tinygrad_jp.core.variable import _DETACHED, _variable
from tinygrad_jp.layers.layer import CHANGES
from tinygrad_jp.optimizers import Optimizer
from tinygrad_jp.programs.arguments import Leaf, argument_names, containers, leaves, name_of, rebuilt
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.dice import Dice
from tinygrad_jp.programs.effects import (
    Decide,
    SetData,
    SetGrad,
    SetName,
    Update,
    open_result,
    result,
    state_of,
    with_grad,
)
from tinygrad_jp.programs.kept import Kept
from tinygrad_jp.programs.recorded import Held, Recorded
from tinygrad_jp.programs.recorder import Recorder, data_of
from tinygrad_jp.programs.values import Effect, Value, behind, mapped
from tinygrad_jp.programs.watching import World, put


class Waiting(Exception):
    """A Parameter still waits for its data: only a call as written gives it some."""


class Take:
    """A recording of `f(*args, **kwargs)`. After `run` it holds what the call has computed and done.

    `inputs` says for each input Value how the program reads it: as an argument, from a Variable, ...
    """

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.f, self.args, self.kwargs = f, args, kwargs
        self.name = name_of(f)
        self.names = argument_names(f, args, kwargs)
        self.leaves = list(leaves(args, kwargs, self.names))
        self.containers = list(containers(args, kwargs, self.names))
        self.settings, self.changes = (TRAIN.get(), ENABLE_BACKPROP.get()), CHANGES[0]
        others = [leaf.x for leaf in self.leaves if not isinstance(leaf.x, Variable | np.ndarray)]
        self.world = World(f, *others)
        self.held = dict(self.world.variables)
        paths: dict[Any, str] = {}
        for layer in self.world.layers:
            for path, p in layer._named_arrays().items():
                paths.setdefault(p, path)
        self.held |= {p: path for p, path in paths.items() if p in self.held}
        if any(x._array is None for x in self.held):
            raise Waiting
        self.by_argument = {leaf.x: leaf.text for leaf in self.leaves if isinstance(leaf.x, Variable)}
        self.by_name = {name.value: name for name in self.world.states if name.value not in self.by_argument}
        self.held = {x: name for x, name in self.held.items() if x not in self.by_argument}
        self.arrays = {x: x._array for x in (*self.held, *self.by_argument, *self.by_name)}
        self.grads = {x: x._grad for x in self.arrays}
        self.shapes = {x: (np.shape(a), a.dtype) for x, a in self.arrays.items()}
        self.has_grad = {x: isinstance(g, Variable) for x, g in self.grads.items()}
        self.inputs: dict[Value, tuple[str, Any]] = {}
        self.recorder = Recorder()
        self.ambiguous = False  # Equal small integers are one object: it is not known which of them is returned.
        self.recorder.updates = self._update
        self.recorder.path_of = lambda x: self.held.get(x, "").rpartition(".")[0]
        self.asked: list[tuple[Any, Any, str]] = []
        self.left_with_graph: list[Any] = []
        self.first: dict[Variable, Value] = {}
        self.in_memory: dict[Variable, Any] = {}
        self.grad_in_memory: dict[Variable, Any] = {}
        self.effects: list[Value] = []
        self.handles: dict[Variable, Recorded] = {}
        self.written: set[Variable] = set()
        self.copies: dict[Variable, Any] = {}
        self.optimizers: dict[Optimizer, dict[str, Any]] = {}
        self.kept = Kept(self)
        self.dice = Dice(self.world.generators)
        self.recorder.dice = self.dice
        self._refuse_graphs()

    # Running

    def run(self, planned: Callable[["Take"], Any], keep: bool = True) -> Any:
        """Call the step, and return what is `planned` of the recording.

        Where that fails, or nothing is to be kept, all is as it was before.
        """
        with self.recorder:
            try:
                call_args, call_kwargs = self._enter()
                y = self.f(*call_args, **call_kwargs)
                self._finish(y)
                plan = planned(self)
                if keep:
                    self.result = self._result()
                    self._settle()
                else:
                    self.undo()
            except BaseException:
                self.undo()
                raise
        return plan

    def _refuse_graphs(self) -> None:
        """Refuse what has a graph through which gradients would go back to where a program does not reach."""
        for x in self.arrays if ENABLE_BACKPROP.get() else ():
            leaves = [a for f in toposort(x.creator) for a in f.variables if a.creator is None] if x.creator else []
            unknown = any(a not in self.arrays and a._grad is not _DETACHED for a in leaves)
            if unknown or (leaves and x in self.by_argument):
                raise NotWritten(
                    f"compiled: {self.label(x)} keeps its graph, through which gradients would go back to what it was "
                    f"computed from; give x.data, or a Variable that is a leaf"
                )

    def input(self, data: Any, name: str, template: str, owner: Any) -> Value:
        value = Value(data, name.replace(".", "_"))
        self.inputs[value] = template, owner
        return value

    def _enter(self) -> Any:
        """Put recorded arrays in the place of all data. Returns the arguments to call the step with."""
        recorder = self.recorder
        for x in self.arrays:
            owner, name = self.owner(x), self.label(x)
            value = self.input(x._array, name, "{}._array", owner)
            self.in_memory[x] = value
            self.first[x] = value
            x._array = self.handles[x] = Held(recorder, value)
            self._enter_grad(x)
        self.kept.enter()
        given = iter(self.leaves)

        def recorded(_: Any) -> Any:
            text, x = next(given)
            if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fiub":
                return self.kept.hold(x, text[2:], text)
            return x

        return rebuilt(self.args, recorded), rebuilt(self.kwargs, recorded)

    def owner(self, x: Variable) -> Any:
        """How the program reaches a Variable: itself, the text of the argument that it is, or the name that has it."""
        return self.by_argument.get(x) or self.by_name.get(x) or x

    def label(self, x: Variable) -> str:
        owner = self.owner(x)
        return owner[2:] if isinstance(owner, str) else self.held[x] if owner is x else owner.label

    def _enter_grad(self, x: Variable) -> None:
        g = x._grad
        self.grad_in_memory[x] = g
        if isinstance(g, Variable):
            value = self.input(g._array, f"g{self.label(x)}", "{}._grad._array", self.owner(x))
            x._grad = self.grad_in_memory[x] = _variable(Held(self.recorder, value), None, _DETACHED)

    def effect(self, effect: Effect, *args: Any) -> None:
        self.effects.append(Value(0, "", effect, args))

    # What the step does

    def _update(self, optimizer: Optimizer, update: Callable[[], None]) -> None:
        """Let an optimizer take its step on copies of the parameters, so that Values computed before stay right."""
        if optimizer.target is None:
            update()
        if optimizer not in self.optimizers:
            self.optimizers[optimizer] = optimizer.state()
        params = [p for p in optimizer.target.params() if p in self.handles]
        for p in params:
            self._leave_data(p)
            self._leave_grad(p)
        self.effect(Update(optimizer, [p for p in params if isinstance(p._grad, Variable)]))
        for p in params:
            self.copies[p] = p._array = np.array(p._array.value.data)
            if isinstance(p._grad, Variable):
                p._grad = _variable(np.array(data_of(p._grad._array)), None, _DETACHED)
        self.recorder.refuse_own_draws()
        token = OBSERVER.set(None)
        try:
            update()
        finally:
            OBSERVER.reset(token)
        self.dice.renew()  # Hooks that draw run in each call.
        self.written.update(params)
        for p in params:
            value = self.input(p._array, self.label(p), "{}._array", self.owner(p))
            self.in_memory[p] = value
            if p._array is not self.copies[p]:
                self.copies.pop(p)
            handle = self.handles[p]
            handle.value, handle.version = value, handle.version + 1
            p._array = handle
            self._enter_grad(p)

    def _leave_data(self, x: Variable) -> None:
        """Write down what has become of the data of x."""
        now, handle = x._array, self.handles[x]
        if now is handle and handle.value is self.in_memory[x]:
            return
        value = self.recorder.value(now)
        if now is handle:
            self.written.add(x)
        self.effect(SetData(self.owner(x), in_place=now is handle), value)
        self.in_memory[x] = value
        if now is not handle:
            self.copies[x] = None
            self.handles[x] = now if isinstance(now, Recorded) else Held(self.recorder, Value(now))

    def _leave_grad(self, x: Variable) -> None:
        """Write down what has become of the gradient of x."""
        g, before = x._grad, self.grad_in_memory[x]
        if g is before or (g is None and before is _DETACHED):
            return
        value = [self.recorder.value(g._array)] if isinstance(g, Variable) else []
        self.effect(SetGrad(self.owner(x)), *value)
        self.grad_in_memory[x] = g

    def _finish(self, y: Any) -> None:
        """Write down what the step leaves, and put real arrays in the place of the recorded ones."""
        self.recorder.refuse_own_draws()
        if self.recorder.postponed:
            raise NotWritten(self.recorder.postponed)
        self.returned = self._returned(y)
        for value, number, where in self.decisions():
            if isinstance(number, float):
                raise NotWritten(
                    f"compiled: {where} takes a number out of the step that is not returned, and would be taken only "
                    f"in this call; return it, and use it outside"
                )
            decision = Value(0, "", Decide(number, where), (value,))
            decision.number = value.number + 0.5  # type: ignore[assignment]
            self.effects.append(decision)
        rebound = {x for x, name in self.by_name.items() if name.now() is not x}
        for x in self.handles:
            if x not in rebound:
                self._leave_data(x)
                self._leave_grad(x)
        self._leave_names()
        self.kept.leave()
        for x in self.written:
            self.kept.refuse_if_shared(self.arrays[x])
        self._check_states()

    def decisions(self) -> list[tuple[Value, Any, str]]:
        """The numbers that the step was told and has not returned."""
        found = self.recorder.decisions
        return [d for d in found if not any(d is number for number in self._numbers)] or self.asked

    def numbers_returned(self) -> dict[int, type]:
        """The types of the numbers that the step was told and has returned, by their position among all of those."""
        asked = enumerate(self.recorder.decisions)
        return {i: type(d[1]) for i, d in asked if any(d is number for number in self._numbers)}

    def _leave_names(self) -> None:
        for name in self.world.all_names():
            now = name.now()
            if now is name.value or self.kept.is_at(name, now):
                continue
            if isinstance(now, Variable) and isinstance(now._array, Recorded):
                value = self.recorder.value(now._array)
                known = self.inputs.get(value)
                if known is None or known[1] is not name:
                    if now.creator is not None:
                        self.left_with_graph.append(name)
                    self.effect(SetName(name.holder, name.key, Variable), value)
            elif isinstance(now, Recorded):
                self.effect(SetName(name.holder, name.key, np.ndarray), self.recorder.value(now))
        if changed := [label for label in self.world.changes() if not self._is_left(label)]:
            raise NotWritten(
                f"compiled: the step changes {', '.join(changed)}, which a program would not; return what is to be "
                f"kept, and keep it outside"
            )

    def _is_left(self, label: str) -> bool:
        return any(
            name.label == label and isinstance(getattr(name.now(), "_array", name.now()), Recorded)
            for name in self.world.all_names()
        )

    def _check_states(self) -> None:
        """Refuse states whose gradients would flow from one call to another."""
        read = set(behind([*self.effects, *(v for _, v in self.results if isinstance(v, Value))]))
        owners = [owner for value, (_, owner) in self.inputs.items() if value in read]
        self.states_read = [name for name in self.world.states if any(name is owner for owner in owners)]
        for name in self.states_read if ENABLE_BACKPROP.get() else ():
            if name.value.creator is not None or any(name is left for left in self.left_with_graph):
                raise NotWritten(
                    f"compiled: {name.label} keeps its graph from one call to the next, and gradients would go back "
                    f"into the call before; call loss.unchain_backward() in the step, or reset the state there"
                )

    def _returned(self, y: Any) -> Any:
        """What the step returns, with its arrays as Values in the order of `results`."""
        self.results: list[tuple[str, Any]] = []
        self._numbers: list[Any] = []

        def leaf(x: Any) -> Any:
            if isinstance(x, Variable) and x in self.handles:
                return x if self.owner(x) is x else Slot(-1, of=self.owner(x))
            if isinstance(x, Variable):
                kind = "open" if self.recorder.is_open(x) else "variable"
                self.results.append((kind, self.recorder.value(x._array)))
                if isinstance(x._grad, Variable):
                    self.results.append(("array", self.recorder.value(x._grad._array)))
                    return Slot(len(self.results) - 2, Slot(len(self.results) - 1))
            elif isinstance(x, Recorded | np.ndarray):
                self.results.append(("array", self.recorder.value(x)))
            else:
                asked = [d for d in self.recorder.decisions if d[1] is x and not isinstance(x, bool)]
                if not asked:
                    return x
                self.ambiguous |= len(asked) > 1 or any(x is number for _, number, _ in self._numbers)
                self._numbers.append(asked[-1])
                self.results.append((type(x).__name__, asked[-1][0]))
            return Slot(len(self.results) - 1)

        return mapped(y, leaf)

    # Afterwards

    def _settle(self) -> None:
        """Real arrays for recorded ones, with what the step has left in them."""
        for x, array in self.arrays.items():
            final = data_of(x._array)
            if self.copies.get(x, array) is None or not np.shape(array):
                x._array = np.array(final) if np.ndim(final) else final
            else:
                x._array = array
                if self.in_memory[x].data is not array:
                    self._keep_input(x, array)
                    array[...] = final
            g = x._grad
            if isinstance(g, Variable) and isinstance(g._array, Recorded):
                old, data = self.grads[x], g._array.value.data
                unchanged = g is self.grad_in_memory[x] and isinstance(old, Variable) and data is old._array
                x._grad = old if unchanged else result(self._owned(data))
        self.kept.settle()
        for name in self.world.all_names():
            now = name.now()
            if isinstance(now, Variable) and isinstance(now._array, Recorded):
                put(name.holder, name.key, state_of(self._owned(data_of(now._array))))
            elif isinstance(now, Recorded):
                put(name.holder, name.key, self._owned(data_of(now)))

    def _keep_input(self, x: Variable, array: Any) -> None:
        """Keep what the step has found in an array, which is about to change."""
        self.first[x]._array = array.copy()

    def _result(self) -> Any:
        """What the step has returned, with real arrays."""

        def real(x: Any) -> Any:
            if not isinstance(x, Slot):
                return x
            if x.of is not None:
                return next(v for v in self.handles if self.owner(v) is x.of)
            kind, value = self.results[x.i]
            data = self._owned(value.data if isinstance(value, Value) else value)
            made: dict[str, Any] = {
                "variable": result,
                "open": open_result,
                "array": lambda x: x,
                "float": float,
                "int": int,
            }
            y = made[kind](data)
            return y if x.grad is None else with_grad(y, real(x.grad))

        return mapped(self.returned, real)

    def _owned(self, data: Any) -> Any:
        return np.array(data) if isinstance(data, np.ndarray) and data.ndim else data

    def lighten(self) -> None:
        """Forget what only the recording needed."""
        self.effects, self.handles, self.copies, self.grads, self.arrays = [], {}, {}, {}, {}
        self.in_memory, self.grad_in_memory = {}, {}
        self.results = [(kind, None) for kind, _ in self.results]
        self.numbers = self.numbers_returned()
        self.asked = [(None, number, where) for _, number, where in self.decisions()]
        recorder, self.recorder = self.recorder, Recorder()
        self.recorder.draws = recorder.draws
        recorder.updates, recorder.path_of = None, None  # It would hold itself, and with it every array.
        recorder.nodes, recorder.walked = {}, set()
        self.args, self.kwargs = (None,) * len(self.args), dict.fromkeys(self.kwargs)
        self.leaves = [Leaf(text, stand_in(x)) for text, x in self.leaves]

    def undo(self) -> None:
        """Put everything as it was before the call."""
        for x, array in self.arrays.items():
            x._array, x._grad = array, self.grads[x]
        for name in self.world.all_names():
            if name.now() is not name.value:
                put(name.holder, name.key, name.value)
        self.world.restore()
        self.dice.restore()
        for optimizer, state in self.optimizers.items():
            optimizer.load_state(state)
        for drawn, state in reversed(self.recorder.generators):
            drawn.bit_generator.state = state


def stand_in(x: Any) -> Any:
    """An array that lies in memory as x does, but takes none; of several, each."""
    if isinstance(x, tuple):
        return tuple(map(stand_in, x))
    if type(x) is not np.ndarray or x.nbytes < mmap.PAGESIZE:
        return x
    strides, step = [0] * x.ndim, x.itemsize  # Those of `empty_like`, which would take memory.
    for axis in sorted(range(x.ndim), key=lambda axis: (abs(x.strides[axis]), -axis)):
        strides[axis] = step
        step *= x.shape[axis]
    return np.ndarray(x.shape, x.dtype, mmap.mmap(-1, x.nbytes), strides=strides)


class Slot:
    """The place of a result in what a step returns, and of its gradient; or the owner of a Variable that it returns."""

    def __init__(self, i: int, grad: "Slot | None" = None, of: Any = None) -> None:
        self.i, self.grad, self.of = i, grad, of
