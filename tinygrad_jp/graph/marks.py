"""Warnings in a picture: each where its cause is, and once, however much else follows from it."""

from collections import defaultdict
from contextlib import suppress
from typing import Any

import numpy as np

from tinygrad_jp.core import Array, Function, Observer, Outputs, Parameter, Variable, run_backward, using_config
from tinygrad_jp.core.arrays import is_released
from tinygrad_jp.graph.structure import Picture

Warnings = dict[Any, list[tuple[str, ...]]]
"""For a Function or a Variable the keys of its warnings, each with what stands in its gaps."""

# Where the slope is below about 1% of its maximum.
_SATURATED = {"tanh": lambda y: np.abs(y) > 0.995, "sigmoid": lambda y: np.abs(y - 0.5) > 0.4975}


def warnings_about(picture: Picture, values: bool, grads: bool) -> Warnings:
    """The warnings of a picture, about its values and about its gradients."""
    found: Warnings = defaultdict(list)
    functions, y = picture.functions, picture.outline.y
    for f in functions if values else []:
        found[f] += _about_output(f)
    leaves = {x: None for f in functions for x in f.variables if x.creator is None} or {y: None}
    for x in leaves if values else {}:
        found[x] += [("not finite",)] if x.data is not None and not _is_finite(x.data) else []
    if grads and not any(("not finite",) in keys for keys in found.values()):
        variables = [*leaves, *picture.result_of.values()]
        gradients = {x: x.grad.data for x in variables if x.grad is not None}
        if not all(map(_is_finite, gradients.values())):
            found[_origin(y) or next(x for x, g in gradients.items() if not _is_finite(g))] = [("gradient not finite",)]
        elif not any(found.values()):
            found[_starved(functions, {x: gradients[x] for x in leaves if x in gradients})] = [("zero",)]
    return {thing: keys for thing, keys in found.items() if keys and thing is not None}


def _about_output(f: Function) -> list[tuple[str, ...]]:
    """Warnings about what `f` returned: not finite though its inputs are, dead, or saturated."""
    if isinstance(f.y, Outputs) or is_released(f.y) or not f.y.size:
        return []
    if not _is_finite(f.y):
        return [("not finite",)] if all(map(_is_finite, (a.data for a in f.variables))) else []
    if f.y.size == 1:  # One unit may well be off for one input.
        return []
    if _is_relu(f) and not f.y.any():
        return [("dead",)]
    share = float(np.mean(_SATURATED[f.name](f.y))) if f.name in _SATURATED else 0.0
    return [("saturated", f"{share:.0%}")] if share >= 0.5 else []


def _is_relu(f: Function) -> bool:
    return f.name == "relu" or (f.name == "maximum" and any(np.ndim(a) == 0 and a == 0 for a in f.args))


def _is_finite(a: Array) -> bool:
    return is_released(a) or bool(np.isfinite(a).all())


def _starved(functions: list[Function], gradients: dict[Variable, Array]) -> Variable | None:
    """The last Parameter of several elements whose gradient is zero, if others get one that is not.

    A gradient of zero everywhere is what a minimum looks like.
    """
    if not any(g.any() for g in gradients.values()):
        return None
    used = [x for f in functions for x in f.variables if isinstance(x, Parameter) and x in gradients]
    return next((x for x in reversed(used) if x.size > 1 and not gradients[x].any()), None)


class _Watcher(Observer):
    """Finds the Function that makes a gradient not finite."""

    def __init__(self) -> None:
        self.gy: Any = None
        self.found: list[Function] = []

    def entered(self, f: Function, gy: Array) -> None:
        self.gy = gy

    def passed(self, f: Function, i: int, key: Any, share: Array, before: Array | None, after: Array) -> None:
        arrays = [a for a in (self.gy if isinstance(self.gy, tuple) else (self.gy,)) if a is not None]
        if not self.found and all(map(_is_finite, arrays)) and not _is_finite(share):
            self.found = [f]


def _origin(y: Variable) -> Function | None:
    """The Function that makes a gradient not finite; None if that cannot be found out."""
    watcher = _Watcher()
    with suppress(Exception), np.errstate(all="ignore"), using_config("enable_backprop", False):
        run_backward(y, observer=watcher)
    return next(iter(watcher.found), None)
