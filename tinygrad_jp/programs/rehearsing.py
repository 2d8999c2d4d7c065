"""Calls of a step that are recorded, and leave everything as it was."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.effects import SetData, SetName, result
from tinygrad_jp.programs.plans import Plan
from tinygrad_jp.programs.recording import users_line
from tinygrad_jp.programs.takes import Take, stand_in
from tinygrad_jp.programs.values import behind


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
        x._array = stand_in(x.data)
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


def _refuse_to_draw(_: Any) -> Any:
    raise refused(f"draws random numbers in {users_line()} which would come in another order")


def refused(what: str) -> NotWritten:
    return NotWritten(f"compiled: rows= computes a batch in chunks, and the step {what}; leave out rows= here")
