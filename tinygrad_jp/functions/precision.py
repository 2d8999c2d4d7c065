"""Precision: float16 is stored, but computed in float32; functions that need floats take integers as float64."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from tinygrad_jp.core import Variable
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import ArrayMethods, np

P = ParamSpec("P")
HALF, SINGLE, DOUBLE = map(np.dtype, (np.float16, np.float32, np.float64))


def upcast(*names: str, integers: bool = False) -> Callable[[Callable[P, Variable]], Callable[P, Variable]]:
    """Let a function compute in float32 where the arguments `names` are float16, and store its result as float16.

    Sums, norms and losses overflow float16 beyond 65,504, and stop growing long before. The conversions are recorded,
    so gradients are computed in float32 as well, and stored as float16. Lists and numbers become arrays, and bytes in
    another order than the machine's are swapped. Where the first of `names` is float32 or float64, nothing needs to be
    done: NumPy converts the others.

    integers: convert integers as well, to float64.

    >>> @upcast("x", integers=True)
    ... def norm(x):
    ...     return np.sqrt(np.sum(x * x))
    >>> norm(Variable(np.float16([300, 400]))), norm(np.uint8([30, 40]))  # In these dtypes 300² and 30² overflow.
    (variable(500.0), np.float64(50.0))
    """

    def decorate(func: Callable[P, Variable]) -> Callable[P, Variable]:
        first = inspect.unwrap(func).__code__.co_varnames.index(names[0])

        @functools.wraps(func)
        def computed(*args: P.args, **settings: P.kwargs) -> Variable:
            dtype = getattr(args[first], "dtype", None) if len(args) > first else None
            if dtype is SINGLE or dtype is DOUBLE:
                return func(*args, **settings)
            call = _signature(func).bind(*args, **settings)
            stored = _convert(call.arguments, names, integers)
            y = func(*call.args, **call.kwargs)
            return y.astype(HALF) if stored == HALF else y

        return computed

    return decorate


_signature = functools.cache(inspect.signature)  # When it is first needed: forty of them would slow the import.


def _convert(arguments: dict[str, Any], names: tuple[str, ...], integers: bool) -> Any:
    """Convert the arguments `names` to the dtype that they are computed in; return the dtype of their result."""
    found = {name: arguments[name] for name in names if arguments.get(name) is not None}
    given = {name: as_array(x, *found.values()) for name, x in found.items()}
    stored = np.result_type(*(x if isinstance(x, int | float) else x.dtype for x in given.values()))
    if integers and stored.kind in "iub":
        stored = DOUBLE
    working = SINGLE if stored == HALF else stored
    for name, x in given.items():
        if isinstance(x, int | float):  # Python's numbers are weak: they take the dtype of the others.
            x = beside(np.asarray(x, working), *given.values())
        elif x.dtype not in (SINGLE, DOUBLE) and (x.dtype.kind == "f" or (integers and x.dtype.kind in "iub")):
            x = x.astype(working)
        arguments[name] = x
    return stored


# A tuple: a union would be made anew at each call, which takes a tenth of a small loss.
_ARRAYS = (np.ndarray, np.generic, ArrayMethods, int, float)


def as_array(x: Any, *others: Any) -> Any:
    """`x` itself if it is an array, a Variable or a number, otherwise the array of a list or table, beside `others`."""
    return x if isinstance(x, _ARRAYS) else beside(x, *others)
