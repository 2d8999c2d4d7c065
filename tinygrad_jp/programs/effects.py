"""What a program does besides computing: decisions that it checks, gradients, weights and states that it leaves."""

from typing import Any

import numpy as np

from tinygrad_jp.core import Function, Parameter, Variable
from tinygrad_jp.core.variable import _DETACHED, _variable
from tinygrad_jp.optimizers import Optimizer
from tinygrad_jp.programs.values import Decision, Effect, Value
from tinygrad_jp.programs.watching import Watched, place, put


class Decide(Decision):
    """Go on only if a value is what it was when the program was recorded."""

    about = "a decision"

    def __init__(self, expected: Any, where: str) -> None:
        self.expected, self.where = expected, where

    def lines(self, x: Value, program: Any) -> list[str]:
        name = program.name(x.args[0])
        if isinstance(self.expected, bytes):
            return [f"if {name}.tobytes() != {program.constant(self.expected)}: return OTHERWISE"]
        wrong = {True: f"not {name}", False: name}
        differs = wrong[self.expected] if isinstance(self.expected, bool) else f"{name} != {self.expected!r}"
        return [f"if {differs}: return OTHERWISE"]


class OfVariable(Effect):
    """Something done to a Variable: one that stays the same, that of an argument, or that of a name."""

    def __init__(self, variable: Variable | str | Watched) -> None:
        self.variable = variable

    def label(self, take: Any) -> str:
        """What a reader calls it."""
        found = self.variable
        name = found[2:] if isinstance(found, str) else found.label if isinstance(found, Watched) else take.held[found]
        return str(name).replace(".", "_")

    def target(self, program: Any) -> str:
        if isinstance(self.variable, Watched):
            return place(program.constant(self.variable.holder), self.variable)
        return self.variable if isinstance(self.variable, str) else program.constant(self.variable)


class SetGrad(OfVariable):
    """Leave a gradient, in memory that belongs to the program, or none."""

    about = "a gradient"

    def name_of_result(self, take: Any) -> str:
        return f"g{self.label(take)}"

    def lines(self, x: Value, program: Any) -> list[str]:
        target = self.target(program)
        if not x.args:
            return [f"{target}._grad = None"]
        (g,) = x.args
        grad, lines = program.gradient(self.variable, g)
        return [*lines, f"{target}._grad = {grad}"]


class SetData(OfVariable):
    """Give a Variable other data: in place, or another array."""

    about = "data"

    def name_of_result(self, take: Any) -> str:
        return f"new_{self.label(take)}"

    def __init__(self, variable: Variable | str | Watched, in_place: bool) -> None:
        super().__init__(variable)
        self.in_place = in_place

    def lines(self, x: Value, program: Any) -> list[str]:
        target, data = self.target(program), program.name(x.args[0])
        if self.in_place:
            return [f"{program.function(np.copyto)}({target}._array, {data})"]
        return [f"{target}._array = {data}" + ("" if isinstance(x.args[0], Value) else ".copy()")]


class SetArray(OfVariable):
    """Write into an array that the step was given, or finds at a name."""

    about = "an array"

    def name_of_result(self, take: Any) -> str:
        return f"new_{self.label(take)}"

    def lines(self, x: Value, program: Any) -> list[str]:
        return [f"{program.function(np.copyto)}({self.target(program)}, {program.name(x.args[0])})"]


class SetName(Effect):
    """Give a name that the step can reach another Variable or array: the state of a recurrent layer."""

    about = "a state"

    def __init__(self, holder: Any, key: str, kind: type) -> None:
        self.holder, self.key, self.kind = holder, key, kind

    def name_of_result(self, take: Any) -> str:
        return f"new_{self.key}"

    def lines(self, x: Value, program: Any) -> list[str]:
        program.env.update(put=put, state_of=state_of)
        data = program.name(x.args[0])
        new = f"state_of({data})" if self.kind is Variable else data
        return [f"put({program.constant(self.holder)}, {self.key!r}, {new})"]


class Update(Effect):
    """`optimizer.update()`, of `params`, which have gradients by then."""

    about = "an update"

    def __init__(self, optimizer: Optimizer, params: list[Parameter]) -> None:
        self.optimizer, self.params = optimizer, params

    def lines(self, x: Value, program: Any) -> list[str]:
        optimizer = self.optimizer
        if not is_plain(optimizer):
            return [f"{program.constant(optimizer.update)}()"]
        settings, step = program.constant(vars(optimizer)), program.constant(_step_of(optimizer))
        lines = [
            f"rate, count = {settings}['lr'], {settings}['t'] + 1",
            f"{settings}['rate'] = rate if type(rate) is float else {program.constant(optimizer._rate)}(rate, count)",
        ]
        for bucket in optimizer._buckets:
            b = program.constant(bucket)
            grad = (
                f"{program.constant(bucket.params[0])}._grad._array" if bucket.in_place else program.constant(bucket.g)
            )
            arrays = [*map(program.constant, (*bucket.arrays, *bucket.scratch))]
            lines += [
                f"{settings}['t'] = {b}.t = {b}.t + 1",
                f"{step}({', '.join([program.constant(bucket.x), grad, *arrays])})",
            ]
        return [*lines, f"{settings}['t'] = {settings}['_counted'] = count"]

    def fill_buckets(self, gather: bool) -> None:
        """Fill the buckets now; if they are to `gather` small Parameters, let these live there from now on."""
        optimizer = self.optimizer
        if optimizer.hooks or optimizer._rates:  # They say which of the parameters are updated.
            return
        optimizer._fill_buckets(self.params)
        for bucket in optimizer._buckets:
            if gather and not bucket.in_place and bucket.x.dtype == bucket.xs[0].dtype:
                bucket.move_in()
        filled = [*self.params, *(p._array for p in self.params)]
        if [*map(id, filled)] != [*map(id, optimizer._filled)]:  # Programs that share an optimizer agree about it.
            optimizer._filled = filled

    def checks(self, program: Any) -> list[str]:
        """What has to be true for the lines to be those that `update` would run."""
        settings = program.constant(vars(self.optimizer))
        if not is_plain(self.optimizer):
            return []
        filled = program.constant(self.optimizer._filled)
        return [f"{settings}['_filled'] is {filled} and not {settings}['hooks'] and not {settings}['_rates']"]


def is_plain(optimizer: Optimizer) -> bool:
    """Whether `update` only lets `step` change the arrays of buckets, whose parameters and gradients are in place."""
    kind = type(optimizer)
    own = kind.update is not Optimizer.update or kind.update_one is not Optimizer.update_one
    simple = not own and not optimizer.hooks and not optimizer._rates and hasattr(optimizer, "lr")
    return simple and type(optimizer.t) is int and all(b.in_place or b.is_home for b in optimizer._buckets)


def _step_of(optimizer: Optimizer) -> Any:
    """`optimizer.step`, without the check for those who call it by hand."""
    step = type(optimizer).step
    return getattr(step, "__wrapped__", step).__get__(optimizer)


def state_of(data: Any) -> Variable:
    """A result that is kept from call to call, without its graph."""
    return _variable(data, None)


def with_grad(x: Variable, grad: Any) -> Variable:
    """A result that keeps its gradient."""
    x._grad = result(grad)
    return x


def result(data: Any) -> Variable:
    """A result without a graph, as those under `no_grad`."""
    return _variable(data, None, _DETACHED)


def open_result(data: Any) -> Variable:
    """A result whose graph has stayed in the program: to go back through it is refused."""
    f = _InsideTheProgram()
    Function.__init__(f, _InsideTheProgram, (data,), {}, (_variable(data, None),), data)
    return _variable(data, f)


class _InsideTheProgram(Function):
    """Stands where the graph of a result would be."""

    def backward(self, gy: Variable) -> Any:
        raise RuntimeError(
            "compiled: the graph of this result has stayed in the compiled function, and no gradient goes back through "
            "it; compute the loss and call backward() inside of that function, or call its `__wrapped__`"
        )
