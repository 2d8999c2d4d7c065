"""The one door: a call of NumPy is matched with NumPy's own signature before a rule or a composition sees it."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.core.errors import name_of
from tinygrad_jp.core.table import Variadic

SIGNATURES: dict[Any, Callable[..., Any]] = {}
"""Of functions that do not tell their own: functions with the same parameters."""


def bind(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], n: int) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call of NumPy: the first n parameters by position, all others that were given by keyword.

    A value that is the default is left out. Raises TypeError where the call does not fit the signature.

    >>> bind(np.sum, ([1, 2], 0), {"keepdims": True}, n=1)
    ([[1, 2]], {'axis': 0, 'keepdims': True})
    """
    parameters = signature_of(func).parameters.values()
    try:
        given = signature_of(func).bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{name_of(func)}: {error}") from None
    settings = {p.name: given[p.name] for p in parameters if p.name in given and given[p.name] is not p.default}
    positional: list[Any] = []
    for i, p in enumerate(parameters):
        if p.kind == p.VAR_POSITIONAL:
            positional += settings.pop(p.name, ())
        elif p.kind == p.VAR_KEYWORD:
            settings |= settings.pop(p.name, {})
        elif i < n and i == len(positional) and p.name in settings:
            positional.append(settings.pop(p.name))
    return positional, settings


@functools.cache
def signature_of(func: Any) -> inspect.Signature:
    try:
        return inspect.signature(func)
    except ValueError:
        return inspect.signature(SIGNATURES[func])


def check_settings(func: Any, settings: dict[str, Any], rule: Any) -> None:
    """Refuse a setting of `func` that its rule, its last pullback or its composition, does not know."""
    known = _setting_names(rule)
    for name in settings:
        if name not in known and "kw" not in known:  # np.piecewise hands them on.
            remedy = f"it supports {', '.join(known)}" if known else "call it without"
            if isinstance(func, np.ufunc) and name == "where":  # Without out=, the rest of the result is never written.
                remedy = "write np.where(mask, y, 0) of its result y"
            raise TypeError(f"{name_of(func)}: its rule does not support {name}=; {remedy}")


@functools.cache
def _setting_names(rule: Any) -> tuple[str, ...]:
    """What follows gy, y and the arguments in the last pullback of a function; every parameter of a composition."""
    if isinstance(rule, Variadic):
        parameters = inspect.signature(rule.rule).parameters.values()
        return tuple(p.name for p in parameters if p.kind == p.KEYWORD_ONLY)
    if callable(rule):
        return tuple(inspect.signature(rule).parameters)
    last = [r for r in rule if r is not None][-1]
    return tuple(inspect.signature(last).parameters)[2 + len(rule) :]
