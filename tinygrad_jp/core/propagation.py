"""The one loop that walks back through a graph.

A node is a Function: `func` with its `args`, `kwargs` and result `y`, the Variables `xs` that it came from (None for a
constant), each of which knows its `creator`, and a `number` that is higher than those of all nodes before it.
"""

import functools
import operator
from typing import Any

import numpy as np

from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.methods import ArrayMethods
from tinygrad_jp.core.table import PULLBACKS, Together

OWN = Together(lambda gy, y, *args: None)
"""Stands for the rules of a function that the table does not know: a Function with a `backward` of its own."""

_number = operator.attrgetter("number")


def reachable(root: Any, after: int = -1) -> list[Any]:
    """`root` and every Function behind it, the latest first: an order in which each comes before what it was fed by.

    `after`: leave out those whose number is not above it, and what lies behind them.
    """
    found, known = [root], {root}
    for later in found:
        for x in later.xs:
            if x is not None:
                f = x.creator
                if f is not None and f.number > after and f not in known:
                    known.add(f)
                    found.append(f)
    return sorted(found, key=_number, reverse=True)


def propagate(order: list[Any], grads: dict[Any, Any], create_graph: bool) -> None:
    """Fill `grads`, whose keys are Functions and leaves, by one walk through `order`.

    The rules run on arrays, or under `create_graph` on Variables: their text is the same.
    """
    look, take, rules, ndarray = grads.get, grads.pop, PULLBACKS.get, np.ndarray

    def share(f: Any, x: Any, g: Any) -> None:
        """Let g, which f passes back to x, be part of the gradient of x."""
        data, kind = x._data, type(g)
        if kind is not type(data) or kind is ndarray and (g.shape != data.shape or g.dtype is not data.dtype):
            g = fitted(g, data, f)
            if g is None:
                return
        target = x.creator or x
        sofar = look(target)
        grads[target] = g if sofar is None else sofar + g

    for f in order:
        gy = take(f, None)
        if gy is None:
            continue
        pulls, y, args = rules(f.func, OWN), f.y, f._args
        if create_graph:
            y, args = f.whole(), f.inputs
        elif args is None:
            a, b, (x, z) = f.a, f.b, f.xs
            if x is not None:
                share(f, x, pulls[0](gy, y, a, b))
            if z is not None:
                share(f, z, pulls[1](gy, y, a, b))
            continue
        if type(pulls) is Together:
            gy, args = f.pull_all(gy, y, args), ()
        given, settings = (gy, y, *args), f.kwargs
        for i, x in enumerate(f.xs):
            if x is not None:
                pull = functools.partial(pulls[i], **settings) if settings else pulls[i]
                share(f, x, pull(*given))


def fitted(g: Any, data: Any, f: Any) -> Any:
    """The gradient `g` in the shape and dtype of the argument `data`; None where there is no gradient.

    Ufuncs broadcast, and this is where that is undone; any other rule must return its argument's own shape. Where
    dtypes were mixed, each gradient gets the dtype of its argument.
    """
    if g is None or data.dtype.kind != "f":
        return None
    if not isinstance(g, (np.ndarray, np.generic, ArrayMethods)):
        raise TypeError(f"{f.name}: expected its rule to return an array, got {type(g).__name__}")
    if isinstance(f.func, np.ufunc) and g.shape != data.shape:
        g = sum_to(g, data.shape)
    if g.shape != data.shape:
        raise ValueError(f"{f.name}: for an input of shape {data.shape} its rule returned a gradient of {g.shape}")
    if g.dtype != data.dtype:
        if getattr(f.y, "dtype", None) == data.dtype:
            raise TypeError(f"{f.name}: for an input of dtype {data.dtype} its rule returned a gradient of {g.dtype}")
        g = g.astype(data.dtype)
    return g
