"""The table of derivatives, and how a call of NumPy is matched with it. `calculus.py` fills it."""

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np

Pull = Callable[..., Any]


class Pullbacks(dict[Any, Any]):
    """The table of derivatives: a function → its pullbacks, one for each argument that can be differentiated.

    A pullback takes the gradient `gy` of the output `y`, `y` itself, and the function's own arguments and settings; it
    returns the gradient of its argument. It is written in NumPy's words alone and changes nothing that it is given.
    None stands for an argument that has no derivative.
    """

    def __setitem__(self, func: Any, pulls: Any) -> None:
        super().__setitem__(func, (pulls,) if callable(pulls) else pulls)

    def __ior__(self, table: Any) -> Self:  # type: ignore[misc]
        for func, pulls in table.items():
            self[func] = pulls
        return self


class Each:
    """The pullbacks of a function of any number of like arguments: one rule, told which argument is meant."""

    def __init__(self, rule: Pull) -> None:
        self.rule = rule

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, i: int) -> Pull:
        return functools.partial(self.rule, i)


class Together(Each):
    """A rule that gives the gradients of all arguments at once, as `np.split` does for `np.concatenate`."""

    def __getitem__(self, i: int) -> Pull:
        return _take(i)


@functools.cache
def _take(i: int) -> Pull:
    return lambda gxs, y, **_: gxs[i]


PULLBACKS = Pullbacks()
COMPOSITIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy functions that `calculus.py` writes as a composition of others."""
PLAIN: set[Any] = set()
"""NumPy functions that have no derivative, or a derivative of zero: on Variables they return plain arrays."""
PARTIAL: set[Any] = set()
"""Ufuncs that are not defined for every number: their warnings are made to point at the user's line."""


UNSEEN: set[Any] = set()
"""Functions whose rules do not look at the result: what takes it may `overwrite` it."""


def pullback(func: Any) -> Callable[[Pull], Pull]:
    """Enter the decorated rule in the table, as the derivative of `func` by its first argument.

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

    def enter(rule: Pull) -> Pull:
        PULLBACKS[getattr(func, "primitive", func)] = rule
        return rule

    return enter


def composition(func: Any) -> Callable[[Pull], Pull]:
    """Let the decorated function, a composition of others, stand for NumPy's `func` on Variables."""

    def enter(composed: Pull) -> Pull:
        COMPOSITIONS[func] = composed
        return composed

    return enter


def canonical(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """A call of NumPy in the one form that rules know: what can be differentiated by position, settings by keyword.

    >>> canonical(np.sum, ([1, 2], 0), {"keepdims": True})
    ([[1, 2]], {'axis': 0, 'keepdims': True})
    """
    pulls = PULLBACKS[func]
    if isinstance(pulls, Each) or (len(args) == len(pulls) and not kwargs):
        return list(args), kwargs
    names, defaults = _parameters(func, pulls)
    if len(args) > len(names):
        raise TypeError(f"{name_of(func)}: expected at most {len(names)} arguments, got {len(args)}")
    call = dict(zip(names, args, strict=False)) | kwargs
    positional = [call.pop(name) for name in names[: len(pulls)] if name in call]
    return positional, {k: v for k, v in call.items() if k not in defaults or v is not defaults[k]}


@functools.cache
def _parameters(func: Any, pulls: tuple[Pull, ...]) -> tuple[list[str], dict[str, Any]]:
    """The names of the parameters of `func` and their defaults: as NumPy gives them, else as the rule has them."""
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except ValueError:
        parameters = []
    if not parameters or isinstance(func, np.ufunc):
        parameters = list(inspect.signature(pulls[-1]).parameters.values())[2:]
    return [p.name for p in parameters], {p.name: p.default for p in parameters if p.default is not p.empty}


def check_settings(func: Any, settings: dict[str, Any]) -> None:
    """Refuse a setting that the rule of `func` does not know."""
    known = _setting_names(func, PULLBACKS[func])
    for name in settings:
        if name not in known:
            remedy = f"it supports {', '.join(known)}" if known else "call it without"
            raise TypeError(f"{name_of(func)}: its rule does not support {name}=; {remedy}")


@functools.cache
def _setting_names(func: Any, pulls: Any) -> tuple[str, ...]:
    if isinstance(pulls, Each):
        parameters = inspect.signature(pulls.rule).parameters.values()
        return tuple(p.name for p in parameters if p.kind == p.KEYWORD_ONLY)
    return tuple(inspect.signature(pulls[-1]).parameters)[2 + len(pulls) :]


def name_of(func: Any) -> str:
    """What a user calls `func`: `np.sum`, `relu`."""
    module = str(getattr(func, "__module__", None) or "numpy")
    return f"{module.replace('numpy', 'np')}.{func.__name__}" if module.startswith("numpy") else plain_name(func)


def plain_name(func: Any) -> str:
    """The name of a function in a picture: `sum`, `relu`."""
    return str(func.__name__).strip("_")


def printable(text: str) -> str:
    """`text` with an escape for each character that a terminal would obey instead of show.

    >>> printable("重み\\x1b[31m")
    '重み\\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def called(ufunc: np.ufunc, args: Any) -> Any:
    """`ufunc(*args)`, where a warning of NumPy's, of the logarithm of −1 say, points at the user's line."""
    modes = np.geterr()
    if "warn" not in modes.values() or "call" in modes.values():
        return ufunc(*args)
    ours = {kind: "call" if mode == "warn" else mode for kind, mode in modes.items()}
    with np.errstate(**ours, call=functools.partial(_warn, ufunc)):  # type: ignore[arg-type]
        return ufunc(*args)


def _warn(ufunc: np.ufunc, kind: str, flag: int) -> None:
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("tinygrad_jp", "numpy"):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{kind} encountered in {ufunc.__name__}", RuntimeWarning, stacklevel=level)


def no_rule(func: Any) -> TypeError:
    """An error for a function that the table does not know."""
    return TypeError(
        f"{name_of(func)}: no rule differentiates it; where no gradient is needed call it on x.data, "
        f"else enter its derivative with @tinygrad_jp.pullback({name_of(func)})"
    )


def misfit(func: Any, args: Any, error: ValueError) -> ValueError:
    """An error that names the function, the shapes that do not fit, and what would; or one that says so already."""
    if type(error) is not ValueError:
        return error
    shapes = " and ".join(str(np.shape(a)) for a in args if isinstance(a, np.ndarray | np.generic | float | int))
    if func in (np.matmul, np.dot):
        fit = "the last axis of the first must be as long as the last but one of the second; transpose or reshape one"
    elif isinstance(func, np.ufunc) and "broadcast" in str(error):
        fit = "aligned at their last axes, each two lengths must be equal or one of them 1; reshape one"
    else:
        return ValueError(f"{name_of(func)} of {shapes}: {error}")
    return ValueError(f"{name_of(func)}: the shapes {shapes} do not fit: {fit}")
