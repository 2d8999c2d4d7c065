"""Marks on a picture: the colors of gradients, and warnings about outputs that hardly let a gradient pass."""

import math

import numpy as np

from tinygrad_jp.core import Array, Function
from tinygrad_jp.graph.phrases import say

# Nine colors of the map viridis, which color-blind eyes can tell apart, for norms from 1e-6 and less to 100 and more.
COLORS = ("#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b")


def color_index(gradient_norm: float) -> int | None:
    """The index of the color for a norm; None for zero, NaN and infinity, which have none.

    >>> color_index(1e-20), color_index(0.5), color_index(1e20), color_index(0.0)
    (0, 5, 8, None)
    """
    if not 0 < gradient_norm < math.inf:
        return None
    return min(max(math.floor(math.log10(gradient_norm)) + 6, 0), len(COLORS) - 1)


def color_label(i: int) -> str:
    """The smallest norm that has the color `i`."""
    return "< 1e-5" if i == 0 else f"≥ 1e{i - 6}" if i < 3 else f"≥ {10.0 ** (i - 6):g}"


def all_finite(arrays: list[Array]) -> bool:
    return all(np.isfinite(a).all() for a in arrays)


# Where the slope is below about 1% of its maximum.
_SATURATED = {"tanh": lambda y: np.abs(y) > 0.995, "sigmoid": lambda y: np.abs(y - 0.5) > 0.4975}


def warnings_about(functions: list[Function], lang: str) -> list[str]:
    """Warnings about the outputs of one function, applied once or several times: dead or saturated."""
    name, ys = functions[0].name, [f.y for f in functions]
    if _is_relu(functions[0]) and any(y.size and not y.any() for y in ys):
        return [say(lang, "dead")]
    if name in _SATURATED:
        share = max(float(np.mean(_SATURATED[name](y))) if y.size else 0.0 for y in ys)
        return [say(lang, "saturated", f"{share:.0%}")] if share >= 0.5 else []
    return []


def _is_relu(f: Function) -> bool:
    return f.name == "relu" or (f.name == "maximum" and any(np.ndim(a) == 0 and a == 0 for a in f.args))
