"""The table of derivatives, and how a call of NumPy finds its entry. The room `calculus` fills it."""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from tinygrad_jp.core.errors import name_of
from tinygrad_jp.core.kinds import Rule


class Pullbacks(dict[Any, Any]):
    """The table of derivatives: a function → its pullbacks, one for each argument that can be differentiated.

    A pullback takes the gradient `gy` of the output `y`, `y` itself, and the function's own arguments and settings. It
    returns the gradient of its argument. It is written with NumPy alone and changes nothing that it is given. None
    stands for an argument without a derivative.
    """

    def __setitem__(self, func: Any, pullbacks: Any) -> None:
        super().__setitem__(func, (pullbacks,) if callable(pullbacks) else pullbacks)

    def __ior__(self, table: Any) -> Self:  # type: ignore[misc]
        for func, pullbacks in table.items():
            self[func] = pullbacks
        return self


class Variadic:
    """The pullbacks of a function of any number of like arguments: one rule, given the argument's position first."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, i: int) -> Rule:
        return functools.partial(self.rule, i)


class Joint(Variadic):
    """One rule that returns the gradients of all arguments at once, as `np.split` does for `np.concatenate`."""

    def __getitem__(self, i: int) -> Rule:
        return _item(i)


@functools.cache
def _item(i: int) -> Rule:
    return lambda gxs, y, **_: gxs[i]


PULLBACKS = Pullbacks()
COMPOSITIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy functions that are written as a composition of others."""
NONDIFFERENTIABLE: set[Any] = set()
"""NumPy functions without a derivative, or with a derivative of zero: on Variables they return plain arrays."""
DOMAIN_LIMITED: set[Any] = set()
"""Ufuncs that are not defined for every number. Their warnings point at the user's line."""
OUTPUT_UNUSED: set[Any] = set()
"""Functions whose rules do not use the output `y`, so that its memory may be used again."""
CUSTOM_RULE = Joint(lambda gy, y, *args: None)
"""The pullbacks of a function that is not in the table: a `Function` with a `backward` of its own."""


def pullback(func: Any) -> Callable[[Rule], Rule]:
    """Enter the decorated rule in the table, as the derivative of `func` with respect to its first argument.

    >>> from tinygrad_jp import Variable, primitive, pullback
    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> @pullback(cube)
    ... def d_cube(gy, y, x):
    ...     return gy * 3 * x**2
    >>> x = Variable(2.0)
    >>> cube(x).backward()
    >>> x.grad
    variable(12.0)
    """

    def enter(rule: Rule) -> Rule:
        PULLBACKS[getattr(func, "primitive", func)] = rule
        return rule

    return enter


def composition(func: Any) -> Callable[[Rule], Rule]:
    """Let the decorated function, a composition of others, replace NumPy's `func` on Variables."""

    def enter(composed: Rule) -> Rule:
        COMPOSITIONS[func] = composed
        return composed

    return enter


def bind(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """A call of NumPy in the one form that rules know: what can be differentiated by position, settings by keyword.

    >>> bind(np.sum, ([1, 2], 0), {"keepdims": True})
    ([[1, 2]], {'axis': 0, 'keepdims': True})
    """
    pullbacks = PULLBACKS[func]
    if isinstance(pullbacks, Variadic) or (len(args) == len(pullbacks) and not kwargs):
        return list(args), kwargs
    names, defaults = _parameters(func, pullbacks)
    if len(args) > len(names):
        raise TypeError(f"{name_of(func)}: expected at most {len(names)} arguments, got {len(args)}")
    call = dict(zip(names, args, strict=False)) | kwargs
    positional = [call.pop(name) for name in names[: len(pullbacks)] if name in call]
    return positional, {k: v for k, v in call.items() if k not in defaults or v is not defaults[k]}


@functools.cache
def _parameters(func: Any, pullbacks: tuple[Rule, ...]) -> tuple[list[str], dict[str, Any]]:
    """The names of the parameters of `func` and their defaults: NumPy's, or those of the rule for a ufunc."""
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except ValueError:
        parameters = []
    if not parameters or isinstance(func, np.ufunc):
        parameters = list(inspect.signature(pullbacks[-1]).parameters.values())[2:]
    return [p.name for p in parameters], {p.name: p.default for p in parameters if p.default is not p.empty}


def check_settings(func: Any, settings: dict[str, Any]) -> None:
    """Refuse a setting that the rule of `func` does not know."""
    known = _setting_names(func, PULLBACKS[func])
    for name in settings:
        if name not in known:
            remedy = f"it supports {', '.join(known)}" if known else "call it without"
            raise TypeError(f"{name_of(func)}: its rule does not support {name}=; {remedy}")


@functools.cache
def _setting_names(func: Any, pullbacks: Any) -> tuple[str, ...]:
    """What follows gy, y and the arguments in the signature of the last rule: the settings of `func`."""
    if isinstance(pullbacks, Variadic):
        parameters = inspect.signature(pullbacks.rule).parameters.values()
        return tuple(p.name for p in parameters if p.kind == p.KEYWORD_ONLY)
    return tuple(inspect.signature(pullbacks[-1]).parameters)[2 + len(pullbacks) :]
