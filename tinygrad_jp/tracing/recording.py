"""Recording a backward pass while it runs, by an observer of the loop of `backward()`."""

from collections.abc import Container, Mapping
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.core import (
    Array,
    Function,
    Observer,
    Outputs,
    Variable,
    key_of,
    propagate,
    run_backward,
    using_config,
)
from tinygrad_jp.devices import beside, device_of, fetched, on_device
from tinygrad_jp.formatting import Key, printable


class Event(NamedTuple):
    """One step: `kind` is forward, seed, backward or accumulate.

    `f` is the Function at work, or None for the seed. Of a forward event, `value` is what f returned; of a seed and of
    a backward event, the gradient that comes in; of an accumulate event, the share that goes out through the argument
    `position` to `target`. That share takes the gradient of `target` from `before`, None at first, to `after`.
    """

    kind: str
    f: Function | None
    value: Array
    position: int = -1
    target: Any = None
    before: Array | None = None
    after: Array | None = None


class _Recorder(Observer):
    """Records every step of a pass, and all gradients."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.grads: dict[Key, Array] = {}

    def seeded(self, root: Variable, gy: Array) -> None:
        self.grads[key_of(root)] = gy = fetched(gy)
        self.events.append(Event("seed", None, gy, -1, key_of(root), None, gy))

    def entered(self, f: Function, gy: Array) -> None:
        self.events.append(Event("backward", f, fetched(gy)))

    def passed(self, f: Function, i: int, key: Key, share: Array, before: Array | None, after: Array) -> None:
        share, before, after = map(fetched, (share, before, after))
        self.grads[key] = after
        self.events.append(Event("accumulate", f, share, i, key, before, after))


def record(y: Variable) -> tuple[list[Function], list[Event], dict[Key, Array]]:
    """The Functions behind `y` in the order of computation, every step of its backward pass, and all gradients."""
    recorder = _Recorder()
    with using_config("enable_backprop", False):
        order, _ = run_backward(y, observer=recorder)
    return order[::-1], recorder.events, recorder.grads


def shares(f: Function, gy: Array | None) -> dict[int, Array]:
    """What `f` alone passes back of the gradient gy, by the positions of its arguments."""
    recorder = _Recorder()
    with using_config("enable_backprop", False):
        propagate([f], {f: _where_f_is(f, gy)}, observer=recorder)
    return {event.position: event.value for event in recorder.events if event.kind == "accumulate"}


def _where_f_is(f: Function, gy: Any) -> Any:
    """The gradient gy of the output of f, or of each of its outputs, on the device of f."""
    device = device_of(*f.y) if isinstance(f.y, Outputs) else f.y
    if isinstance(gy, Outputs):
        return Outputs(None if g is None else beside(g, device) for g in gy)
    return gy if device_of(device) is None else beside(gy, device)


def start_of_derivative(order: list[Function]) -> int | None:
    """The `sequence` from which Functions belong to a backward pass that was recorded; None if none was.

    Such a pass starts from a constant Variable of ones without a name, the gradient of its root.
    """
    first = (f.sequence for f in order if any(map(_is_seed, f.variables)))
    return min(first, default=None)


def _is_seed(x: Variable) -> bool:
    return x.creator is None and x.is_constant and not x.name and x.size > 0 and bool((fetched(x.data) == 1).all())


def constants(order: list[Function], names: Mapping[str, Any], taken: Container[str]) -> dict[int, str]:
    """A name for each array that is not a Variable, by its id: from `names`, or c1, c2, ... in their order.

    A name belongs to the array itself, or to one of the same elements: layers and losses convert what they are given.
    """
    arrays = {id(a): a for f in order for a, x in zip(f.args, f.xs, strict=True) if x is None and _is_array(a)}
    given = {printable(name): x for name, x in names.items() if _is_array(x)}
    given = {name: x for name, x in given.items() if name not in taken}
    free = (f"c{n}" for n in count(1) if f"c{n}" not in taken and f"c{n}" not in given)
    return {i: _name_of(a, given) or next(free) for i, a in arrays.items()}


def _name_of(array: Array, given: dict[str, Array]) -> str:
    a = fetched(array)
    alike = [name for name, x in given.items() if x.shape == a.shape and (fetched(x).astype(a.dtype) == a).all()]
    found = next((name for name in alike if given[name] is array), alike[0] if alike else "")
    given.pop(found, None)
    return found


def _is_array(a: Any) -> bool:
    return (isinstance(a, np.ndarray) or on_device(a)) and a.ndim > 0
