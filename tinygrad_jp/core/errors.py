"""What the engine says when a call cannot be recorded, and how it names functions."""

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_jp.core.settings import DIFFERENTIATING, ENABLE_BACKPROP
from tinygrad_jp.core.table import REFUSED
from tinygrad_jp.devices import refusal


def name_of(func: Any) -> str:
    """What a user calls `func`: `np.sum`, `relu`."""
    if isinstance(getattr(func, "__self__", None), np.ufunc):  # np.add.reduce
        return f"{name_of(func.__self__)}.{func.__name__}"
    if isinstance(func, np.ufunc):  # It does not say where it is from.
        places = {"np.": np, "scipy.special.": sys.modules.get("scipy.special")}
        of = [place for place, module in places.items() if getattr(module, func.__name__, None) is func]
        return "".join(of[:1]) + func.__name__
    module = str(getattr(func, "__module__", None) or "numpy")
    return f"{module.replace('numpy', 'np')}.{func.__name__}" if module.startswith("numpy") else plain_name(func)


def plain_name(func: Any) -> str:
    """The name of a function in a picture: `sum`, `relu`."""
    return str(func.__name__).strip("_")


def missing_rule_error(func: Any) -> TypeError:
    """An error for a function that the table does not know."""
    enter = f"else enter its derivative with @tinygrad_jp.pullback({name_of(func)})"
    remedy = REFUSED.get(func, f"where no gradient is needed call it on x.data, {enter}")
    return TypeError(f"{name_of(func)}: no rule differentiates it; {remedy}")


def call_error(func: Any, args: Sequence[Any], error: Exception) -> Exception:
    """NumPy's `error`, with the function, the shapes or places that do not fit and what would; others as they are."""
    if (refused := refusal(name_of(func), args, error)) or type(error) is not ValueError:
        return refused or error
    shapes = " and ".join(str(np.shape(a)) for a in args if hasattr(a, "shape") or isinstance(a, float | int))
    if func in (np.matmul, np.dot):
        fit = "the last axis of the first must be as long as the last but one of the second; transpose or reshape one"
    elif isinstance(func, np.ufunc) and "broadcast" in str(error):
        fit = "aligned at their last axes, each two lengths must be equal or one of them 1; reshape one"
    else:
        return ValueError(f"{name_of(func)} of {shapes}: {error}")
    return ValueError(f"{name_of(func)}: the shapes {shapes} do not fit: {fit}")


COMPLEX = {np.dtype(code) for code in "FDG"}


class GraphLostWarning(UserWarning):
    """A Variable has become a plain number, through which no gradient flows back."""


def check_nothing_lost(v: Any, how: str) -> None:
    """Warn where a Variable becomes a plain number, and so leaves its graph; inside `grad` and its kin refuse it."""
    if v.is_constant or v.dtype.kind != "f" or not ENABLE_BACKPROP.get():
        return
    message = (
        f"{how}, and so math.f(v) and array[i] = v, give a plain number, and the gradient stops here; "
        f"compute with NumPy's functions, collect results in a list and join them with np.stack"
    )
    if DIFFERENTIATING.get():
        raise TypeError(message)
    warn_user(f"{message}; where no gradient is meant, write v.item()", GraphLostWarning)


def check_complex(func: Any, xs: Sequence[Any]) -> None:
    """Refuse the step from real numbers to complex ones where a gradient would have to come back."""
    if ENABLE_BACKPROP.get() and not any(x.dtype in COMPLEX for x in xs) and not all(x.is_constant for x in xs):
        remedy = "compute with real and imaginary parts, cos(x) and sin(x) for exp(1j·x), or on x.data"
        raise TypeError(f"{name_of(func)}: complex numbers are not differentiated; {remedy}")


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's program that is running, however deep in the library the cause was found."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("tinygrad_jp", "numpy"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
