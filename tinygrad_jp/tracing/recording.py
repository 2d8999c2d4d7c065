"""Recording a backward pass while it runs, by an observer of the loop of `backward()`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tinygrad_jp.core import (
    Array,
    Function,
    Observer,
    Outputs,
    Parameter,
    Variable,
    key_of,
    propagate,
    run_backward,
    using_config,
)
from tinygrad_jp.devices import beside, device_of, fetched
from tinygrad_jp.formatting import printable

Key = Function | Variable  # The `key_of` a gradient: a Function for its result, or a leaf.


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


def labels(y: Variable, order: list[Function], names: Mapping[str, Any]) -> dict[Key, str]:
    """A different name for the result of each Function in `order`, and for each leaf."""
    variables = {key_of(x): x for x in [y, *(x for f in order for x in f.variables)]}
    given = {id(x): name for name, x in reversed(list(names.items())) if isinstance(x, Variable)}
    paths = _paths(order)
    found: dict[Key, str] = {}
    taken: dict[str, int] = {}
    for key in [*order, *variables]:
        if key in found:
            continue
        x = variables[key]
        own = "" if isinstance(x, Parameter) and id(x) in paths else x.name
        wanted = given.get(id(x)) or own or paths.get(id(x)) or ("y" if x is y else "")
        wanted = printable(str(wanted))
        label, n = wanted or "v1", taken.get(wanted, 1)
        while label in taken:
            n += 1
            label = f"{wanted or 'v'}{n}"
        found[key] = label
        taken[label], taken[wanted] = 1, n
    return found


def _paths(order: list[Function]) -> dict[int, str]:
    """The path of each Parameter in the outermost layer that was called, by the Parameter's id."""
    layers: dict[int, Any] = {}
    for f in order:
        tag = f.layer
        while tag is not None:
            layer, start, tag = tag
            layers[start] = layer
    paths: dict[int, str] = {}
    for start in sorted(layers):
        for path, p in layers[start].named_params().items():
            paths.setdefault(id(p), path)
    return paths
