"""The table of derivatives. It is empty here: the room `calculus` fills it."""

import functools
import sys
from collections.abc import Callable
from typing import Any, Self

from tinygrad_jp.kinds import Rule


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
        return lambda gxs, y, **_: gxs[i]


PULLBACKS = Pullbacks()
COMPOSITIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy functions that are written as a composition of others."""
NONDIFFERENTIABLE: set[Any] = set()
"""NumPy functions without a derivative, or with a derivative of zero: on Variables they return plain arrays."""
CALLS: dict[Any, Rule] = {}
"""How to call a function, if not simply so: its warning points at the user's line, or CuPy lacks a keyword of it."""
REFUSED: dict[Any, str] = {}
"""NumPy functions that have no rule on purpose → why, and what to write instead."""
OUTPUT_UNUSED: set[Any] = set()
"""Functions whose rules do not use the output `y`, so that its memory may be used again."""
LATE: set[Callable[[Any], bool]] = set()
"""What is asked for the rule of a ufunc that is in no table, and says whether it has entered one now."""
TO_COMPLEX: set[Any] = set()
"""Functions with a rule that leads from complex numbers back to real ones."""
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
