"""A backward pass, written down while it runs: the very loop of `backward()`, with a dictionary that keeps a diary."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tinygrad_jp.core import Function, Parameter, Several, Variable, gradients
from tinygrad_jp.core.propagation import fitted
from tinygrad_jp.core.settings import using_config
from tinygrad_jp.core.table import Together, printable

Key = Function | Variable  # What has a gradient: the result of a Function, or a leaf.


def key_of(x: Variable) -> Key:
    """What the gradient of `x` is kept under."""
    return x if x.creator is None else x.creator


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


def record(y: Variable) -> tuple[list[Function], list[Event], dict[Key, Any]]:
    """The Functions behind `y` in the order of computation, every step of its backward pass, and all gradients."""
    ledger = _Ledger()
    with using_config("enable_backprop", False):
        order, _ = gradients(y, False, ledger)
    return order[::-1], ledger.events, ledger.whole


def contribution(f: Function, edge: Any, gy: Any) -> Any:
    """What one edge of `f` hands on of the gradient gy."""
    _, pull, x = edge
    with using_config("enable_backprop", False):
        joint = isinstance(f.pulls, Together)
        g = pull(f.pull_all(gy, f.y, f.args), f.y) if joint else pull(gy, f.y, *f.args)
        return g if isinstance(g, Several) else fitted(g, x._data, f)


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


class _Ledger(dict[Any, Any]):
    """The gradients of a pass; and it writes down every access to them, which is all that a pass does."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.whole: dict[Any, Any] = {}
        self.f: Function | None = None
        self.xs: Iterator[Any] = iter(())

    def pop(self, f: Function, default: Any = None) -> Any:
        gy = super().pop(f, default)
        if gy is not None:
            self.whole[f], self.f, self.xs = gy, f, enumerate(f.xs)
            self.events.append(Event("backward", f, gy))
        return gy

    def get(self, key: Any) -> Any:  # type: ignore[override]
        sofar = super().get(key)
        return None if sofar is None else _Sum(self, sofar)

    def __setitem__(self, key: Any, after: Any) -> None:
        value, before = after, None
        if isinstance(after, tuple) and after and after[0] is _SUMMED:
            _, before, value, after = after
        super().__setitem__(key, after)
        if isinstance(key, Variable):
            self.whole[key] = after
        if self.f is None:
            self.events.append(Event("seed", None, after, -1, key, None, after))
        else:
            position = next(i for i, x in self.xs if x is not None and key_of(x) is key)
            self.events.append(Event("accumulate", self.f, value, position, key, before, after))


_SUMMED = object()


class _Sum:
    """What a gradient was so far; adding a share to it gives the share as well as the sum."""

    def __init__(self, ledger: _Ledger, sofar: Any) -> None:
        self.sofar = sofar

    def __add__(self, g: Any) -> Any:
        return _SUMMED, self.sofar, g, self.sofar + g
