"""DeZero's `core_simple`: the same engine as `core`, and its arithmetic as functions."""

from collections.abc import Callable
from typing import Any

from tinygrad_jp.core import Array, ArrayLike, Variable, apply
from tinygrad_jp.kinds import np
from tinygrad_jp.names import aliases

__getattr__ = aliases(__name__)

is_simple_core = False


def as_array(x: ArrayLike, array_module: Any = np) -> Any:
    """x as an array of `array_module`; a Variable as it is.

    >>> as_array(2.0).shape
    ()
    """
    return x if isinstance(x, Variable) else array_module.asarray(x)


def setup_variable() -> None:
    """Does nothing: the operators of `Variable` are always there."""


def _operation(name: str, func: Array, swapped: bool = False) -> Callable[..., Variable]:
    def operation(*xs: ArrayLike) -> Variable:
        return apply(func, *(xs[::-1] if swapped else xs))

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = f"`np.{func.__name__}`, under DeZero's name."
    return operation


add, sub, mul = _operation("add", np.add), _operation("sub", np.subtract), _operation("mul", np.multiply)
div, neg, pow = _operation("div", np.divide), _operation("neg", np.negative), _operation("pow", np.power)
rsub, rdiv = _operation("rsub", np.subtract, True), _operation("rdiv", np.divide, True)


def __dir__() -> list[str]:
    return ["as_array", "is_simple_core", "setup_variable", "add", "sub", "mul", "div", "neg", "pow", "rsub", "rdiv"]
