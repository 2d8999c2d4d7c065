"""The entrance of a layer: arguments are converted to the dtype of its Parameters.

Without it, a model of float32 Parameters computes in float64, four times as slowly, if it is given float64 data as
pandas, `np.loadtxt` and NumPy's generators return them, or integers, or lists.
"""

from typing import Any

import numpy as np

from tinygrad_jp.core import Array, ArrayLike
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import ArrayMethods

FLOATS, NUMBERS, NOTHING = "f", "fiub", ""
"""The kinds of dtypes that a layer converts: floats, any numbers in its first argument, or none."""


def entering(
    whose: str, kinds: str, dtype: np.dtype[Any], inputs: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a layer, converted to `dtype`. Of NUMBERS, booleans stay after the first: they are masks.

    >>> inputs, _ = entering("Linear", NUMBERS, np.dtype(np.float32), ([[1, 2]], np.array([True])), {})
    >>> [x.dtype.name for x in inputs]
    ['float32', 'bool']
    """
    if kinds == NUMBERS:
        first, kinds = (cast(as_numbers(whose, x), dtype) for x in inputs[:1]), "fiu"
        inputs, options = inputs[1:], {key: _plain(whose, x) for key, x in options.items()}
        inputs = (*first, *(_plain(whose, x) for x in inputs))
    return tuple(cast(x, dtype, kinds) for x in inputs), {key: cast(x, dtype, kinds) for key, x in options.items()}


def as_numbers(whose: str, x: ArrayLike) -> Array:
    """`x` as an array or a Variable of numbers. Anything else is refused, in the name of `whose` it was given to."""
    if isinstance(x, ArrayMethods):
        return x
    try:
        array: Any = beside(x)  # Arrays stay where they are; lists, numbers and tables of pandas become NumPy's.
    except ValueError as error:
        raise ValueError(
            f"{whose}: expected x as an array, but this {type(x).__name__} does not form one: {error}"
        ) from None
    if array.dtype.kind not in NUMBERS:
        raise TypeError(
            f"{whose}: expected x of numbers (floats, integers or booleans), got {type(x).__name__} of dtype "
            f"{array.dtype}; convert it first, as in np.array(x, np.float32)"
        )
    return array


def cast(x: Any, dtype: np.dtype[Any], kinds: str = NUMBERS) -> Any:
    """`x` in `dtype`, if it is an array or a Variable of one of `kinds`; of a Variable, this is recorded."""
    kind = getattr(getattr(x, "dtype", None), "kind", None)
    return x.astype(dtype) if kind is not None and kind in kinds and x.dtype != dtype and dtype.kind == "f" else x


def _plain(whose: str, x: Any) -> Any:
    """A list or a table as an array; None, numbers and texts are settings, and stay."""
    return as_numbers(whose, x) if isinstance(x, list | tuple) or hasattr(x, "__array__") else x
