"""The backward pass: the order of a graph, and the one loop that walks back through it.

A node of the graph is a Function. This module uses of it what every reader of the graph may use: `func`, `args`,
`kwargs` and the result `y`; `xs`, the Variables it was computed from (None for a constant), each of which knows its
`creator`; and `sequence`, which is higher than that of all nodes before it.
"""

import operator
from typing import Any

import numpy as np

from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.settings import OBSERVER
from tinygrad_jp.core.table import CUSTOM_RULE, PULLBACKS, Joint
from tinygrad_jp.devices import DEVICES, array_class, on_device, refusal
from tinygrad_jp.kinds import Array, ArrayMethods


class Observer:
    """Watches the engine: a subclass writes the methods it needs. `trace` and `debug` are observers."""

    recorder: Any = None  # What functions, rules, random draws and updates go through, as in `compiled`.

    def recorded(self, f: Any) -> None:
        """The Function f has been recorded."""

    def seeded(self, root: Any, gy: Array) -> None:
        """A backward pass starts at the Variable `root`, with the gradient gy."""

    def entered(self, f: Any, gy: Array) -> None:
        """The rules of f are about to use gy, the gradient of its output."""

    def passed(self, f: Any, i: int, key: Any, share: Array, before: Array | None, after: Array) -> None:
        """Through its argument i, f has passed back `share`, which took the gradient of `key` from before to after."""


def key_of(x: Any) -> Any:
    """What the gradient of the Variable x is kept under: the Function that computed x, or x itself if it is a leaf."""
    return x if x.creator is None else x.creator


def toposort(root: Any, after: int = -1) -> list[Any]:
    """`root` and every Function behind it, latest first: each comes before those that its inputs came from.

    after: leave out the Functions up to this `sequence`, and what lies behind them.
    """
    found, known = [root], {root}
    for f in found:  # The list grows while it is read.
        for x in f.xs:
            if x is not None:
                creator = x.creator
                if creator is not None and creator.sequence > after and creator not in known:
                    known.add(creator)
                    found.append(creator)
    return sorted(found, key=operator.attrgetter("sequence"), reverse=True)  # The order of creation is such one.


def run_backward(
    root: Any, create_graph: bool = False, observer: Observer | None = None, retain: bool = False
) -> tuple[list[Any], dict[Any, Array]]:
    """Send a gradient back from the Variable `root`. Returns the Functions behind it, and the gradients of all leaves.

    create_graph: run the rules on Variables. Whether that is recorded, the setting `enable_backprop` says as ever.
    retain: return the gradients of the Functions as well.
    """
    seed = root._seed(create_graph)
    order = toposort(root.creator) if root.creator is not None else []
    if observer is not None:
        observer.seeded(root, seed)
    grads = {key_of(root): seed}
    propagate(order, grads, create_graph, observer, retain)
    return order, grads


def propagate(
    order: list[Any],
    grads: dict[Any, Array],
    create_graph: bool = False,
    observer: Observer | None = None,
    retain: bool = False,
) -> None:
    """Walk through `order` once, and pass the gradients in `grads`, by their `key_of`, back to the leaves.

    For y = a * b + a:

        a ─┬─ mul ── v ─┐         at first       {add: 1}
        b ─┘            add ── y  after add      {mul: 1, a: 1}
        a ──────────────┘         after mul      {a: 1 + b, b: a}

    The rules run on arrays, or on Variables under `create_graph`. Their text is the same.
    """
    # Names of this function are found faster than those of the module, and this is the innermost loop of all.
    gradient_so_far, take = grads.get, grads.get if retain else grads.pop
    watching = OBSERVER.get()
    rules = PULLBACKS.get if create_graph or not (watching and watching.recorder) else watching.recorder.rules
    ndarray = array_class(order[0].y) if order and DEVICES else np.ndarray
    try:
        for f in order:
            gy = take(f, None)
            if gy is None:
                continue
            if observer is not None:
                observer.entered(f, gy)
            pullbacks, y, args, settings = rules(f.func, CUSTOM_RULE), f.y, f._args, f.kwargs
            if create_graph:
                gy, y = f.constant(gy), f.whole()
                args = tuple([a if x is None else x for a, x in zip(f.args, f.xs, strict=True)])
            if type(pullbacks) is Joint:
                gy, args = f.joint_pullback(pullbacks, gy, y, args), ()
            binary = args is None  # See Function: an operator, whose rules take two arguments and no settings.
            if binary:
                a, b = f.a, f.b
            for i, x in enumerate(f.xs):
                if x is None:
                    continue
                rule = pullbacks[i]
                share = rule(gy, y, a, b) if binary else rule(gy, y, *args, **settings)
                # The share nearly always fits. A number is of one of NumPy's scalar types, which says all about it.
                data, kind = x._array, type(share)
                if kind is not type(data) or (
                    kind is ndarray and (share.shape != data.shape or share.dtype is not data.dtype)
                ):
                    share = conform(share, data, f)
                    if share is None:
                        continue
                key = x.creator or x
                before = gradient_so_far(key)
                grads[key] = after = share if before is None else before + share
                if observer is not None:
                    observer.passed(f, i, key, share, before, after)
    except (TypeError, ValueError, NotImplementedError) as error:
        if refused := refusal(f"the derivative of {f.name}", [f.y], error):
            raise refused from None
        raise


def conform(g: Array, data: Any, f: Any) -> Array | None:
    """The gradient `g` in the shape and dtype of the argument `data` of f; None where there is no gradient.

    Ufuncs broadcast, and this is where that is undone. Any other rule must return its argument's own shape. Where
    dtypes were mixed, each gradient gets the dtype of its argument; the gradient of integers is a float64.
    """
    if (data.dtype.kind == "c") != (getattr(g, "dtype", data.dtype).kind == "c"):  # See calculus.fourier.
        raise TypeError(f"{f.name}: complex numbers are not differentiated; compute with real and imaginary parts")
    if isinstance(g, np.ndarray) and hasattr(g, "mask"):
        raise TypeError(f"{f.name}: no gradient passes through a masked array; fill it first, with a.filled(0)")
    if g is None or data.dtype.kind not in "fiuc":
        return None
    if not isinstance(g, (np.ndarray, np.generic, ArrayMethods)) and not on_device(g):
        raise TypeError(f"{f.name}: expected its rule to return an array, got {type(g).__name__}")
    if isinstance(f.func, np.ufunc) and g.shape != data.shape:
        g = sum_to(g, data.shape)
    if g.shape != data.shape:
        raise ValueError(f"{f.name}: for an input of shape {data.shape} its rule returned a gradient of {g.shape}")
    dtype = gradient_dtype(data)
    if g.dtype != dtype:
        if getattr(f.y, "dtype", None) == dtype:
            raise TypeError(f"{f.name}: for an input of dtype {data.dtype} its rule returned a gradient of {g.dtype}")
        g = g.astype(dtype)
    return g


def gradient_dtype(data: Any) -> Any:
    """The dtype of the gradient of `data`: its own, and float64 for integers."""
    return data.dtype if data.dtype.kind in "fc" else np.dtype(np.float64)
