"""A backward pass, written down while it runs: by an observer of the very loop of `backward()`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tinygrad_jp.core import Function, Observer, Outputs, Parameter, Variable, key_of, run_backward, using_config
from tinygrad_jp.core.backward import conform
from tinygrad_jp.core.table import Joint
from tinygrad_jp.formatting import printable

Key = Function | Variable  # What has a gradient: the result of a Function, or a leaf.


class Event(NamedTuple):
    """One step: `kind` is forward, seed, backward or accumulate.

    `f` is the Function at work (None for the seed). forward: `value` is what it returned. seed and backward: `value` is
    the gradient that comes in. accumulate: `value` is the share that goes out through argument number `position` to
    `target`, whose gradient it takes from `before` (None at first) to `after`.
    """

    kind: str
    f: Function | None
    value: Any
    position: int = -1
    target: Any = None
    before: Any = None
    after: Any = None


class _Diary(Observer):
    """Writes down every step of a pass, and the gradients of all that takes part."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.grads: dict[Key, Any] = {}

    def seeded(self, root: Any, gy: Any) -> None:
        self.grads[key_of(root)] = gy
        self.events.append(Event("seed", None, gy, -1, key_of(root), None, gy))

    def entered(self, f: Any, gy: Any) -> None:
        self.events.append(Event("backward", f, gy))

    def passed(self, f: Any, i: int, key: Any, share: Any, before: Any, after: Any) -> None:
        self.grads[key] = after
        self.events.append(Event("accumulate", f, share, i, key, before, after))


def record(y: Variable) -> tuple[list[Function], list[Event], dict[Key, Any]]:
    """The Functions behind `y` in the order of computation, every step of its backward pass, and all gradients."""
    diary = _Diary()
    with using_config("enable_backprop", False):
        order, _ = run_backward(y, observer=diary)
    return order[::-1], diary.events, diary.grads


def contribution(f: Function, edge: Any, gy: Any) -> Any:
    """What one edge of `f` hands on of the gradient gy."""
    _, pull, x = edge
    with using_config("enable_backprop", False):
        joint = isinstance(f.pullbacks, Joint)
        g = pull(f.joint_pullback(gy, f.y, f.args), f.y) if joint else pull(gy, f.y, *f.args)
        return g if isinstance(g, Outputs) else conform(g, x._data, f)


def labels(y: Variable, order: list[Function], names: Mapping[str, Any]) -> dict[Key, str]:
    """What to call the results of `order` and the leaves: each differently."""
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
    """The path of every Parameter in the outermost layer that recorded it."""
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
