"""Calls of a step that are recorded, and leave everything as it was."""

import mmap
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.core import PULLBACKS, Observer, Variable
from tinygrad_jp.core.settings import OBSERVER
from tinygrad_jp.core.table import CALLS
from tinygrad_jp.programs.arguments import argument_names, leaves
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.effects import SetData, SetName, result
from tinygrad_jp.programs.plans import Plan
from tinygrad_jp.programs.recorder import users_line
from tinygrad_jp.programs.takes import Take, stand_in
from tinygrad_jp.programs.values import behind
from tinygrad_jp.programs.watching import World, put


def rehearsed(f: Callable[..., Any], args: Any, kwargs: Any, light: bool = True) -> Plan:
    """The plan of a call that has happened, and then not happened. light: without numbers but those of its inputs."""
    take = Take(f, args, kwargs)
    take.recorder.largest = sys.maxsize  # The same program for any number of rows.
    take.recorder.drawn = _refuse_to_draw  # type: ignore[assignment,method-assign]
    plan: Plan = take.run(Plan, keep=False)
    for effect in (x for x in plan.order if isinstance(x.func, SetName | SetData)):
        if isinstance(effect.func, SetName):
            raise refused(f"keeps {effect.func.key} from call to call, which has a part for each row")
        if any(isinstance(take.inputs.get(x, ("", None))[1], str) for x in behind([effect])):
            raise refused(f"computes {effect.func.label(take)} from all rows, as BatchNorm does in training")
    for x in {*behind(plan.readable), *take.inputs} - {*plan.order}:
        x._array = stand_in(x.data)
    for x in (x for x in plan.order if light and x.func is not None):
        x._array = untouched(x.data)
    take.lighten()
    return plan


def rehearsed_with_gradients(f: Callable[..., Any], args: Any, kwargs: Any) -> Plan:
    """The same for a call in which all that can have a gradient has one."""
    without = {x: x._grad for x, has in Take(f, args, kwargs).has_grad.items() if not has}
    for x in without:
        x._grad = result(np.zeros_like(x._array))
    try:
        return rehearsed(f, args, kwargs)
    finally:
        for x, g in without.items():
            x._grad = g


def untouched(x: Any) -> Any:
    """An array that lies in memory as x does, but takes none."""
    if not isinstance(x, np.ndarray) or x.nbytes < mmap.PAGESIZE:
        return x
    like = np.empty_like(x)
    return np.ndarray(like.shape, like.dtype, mmap.mmap(-1, like.nbytes), strides=like.strides)


class _NoUpdates(Observer):
    """Lets everything happen but the updates of optimizers, and draws."""

    recorder = property(lambda self: self)
    rules = staticmethod(PULLBACKS.get)
    calling = staticmethod(lambda func: CALLS.get(func, func))
    drawn = staticmethod(lambda draw: _refuse_to_draw(draw))
    updating = staticmethod(lambda optimizer, update: None)


def fill(f: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """Let Parameters that wait for their data get some, by a call of which nothing else is kept."""
    given = (leaf.x for leaf in leaves(args, kwargs, argument_names(f, args, kwargs)))
    world = World(f, *(x for x in given if not isinstance(x, Variable | np.ndarray)))
    before = {x: (x._array, np.copy(x._array), x._grad) for x in world.variables if x._array is not None}
    layers, token = {id(vars(layer)) for layer in world.layers}, OBSERVER.set(_NoUpdates())
    try:
        f(*args, **kwargs)
    finally:
        OBSERVER.reset(token)
        for x in world.variables:
            array, copied, x._grad = before.get(x, (None, None, None))
            if array is not None:
                array[...], x._array = copied, array
        for name in (*world.states, *world.names):
            if name.now() is not name.value and (id(name.holder) not in layers or isinstance(name.value, Variable)):
                put(name.holder, name.key, name.value)


def _refuse_to_draw(_: Any) -> Any:
    raise refused(f"draws random numbers in {users_line()} which would come in another order")


def refused(what: str) -> NotWritten:
    return NotWritten(f"compiled: rows= computes a batch in chunks, and the step {what}; leave out rows= here")
