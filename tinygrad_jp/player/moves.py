"""Move it and see: the output of a computation while one number in a leaf is moved, computed by the engine."""

from typing import Any

import numpy as np

from tinygrad_jp.core import Variable
from tinygrad_jp.devices import fetched
from tinygrad_jp.formatting import number

MOST_ELEMENTS = 12  # In all leaves.
MOST_OPERATIONS = 200
STEPS = 10  # To either side.


def moves(trace: Any) -> list[dict[str, Any]]:
    """For each element of each small leaf: its name, its values, the outputs for them, and its gradient.

    None if the output is not a single number, the pass does not start from 1, or it is too much to compute.
    """
    leaves = [x for x in trace.labels if isinstance(x, Variable) and trace.grad(x) is not None]
    leaves = [x for x in leaves if x.dtype.kind == "f"]
    is_large = sum(x.size for x in leaves) > MOST_ELEMENTS or len(trace.order) > MOST_OPERATIONS
    if is_large or trace.y.size != 1 or not trace.order or np.any(trace.grads[trace.order[-1]] != 1):
        return []
    return [move for x in leaves for i in np.ndindex(x.shape) if (move := _move(trace, x, i))]


def _move(trace: Any, x: Variable, i: tuple[int, ...]) -> dict[str, Any]:
    """Empty if the computation does not run again, or not with finite results."""
    at = float(fetched(x.data)[i])
    step = 0.1 * 10.0 ** max(np.floor(np.log10(abs(at))), 0) if at and np.isfinite(at) else 0.1
    xs = [at + k * step for k in range(-STEPS, STEPS + 1)]
    try:
        with np.errstate(all="ignore"):
            ys = trace.swept(x, i, xs)
    except Exception:  # A Function may do anything, and not all of it again.
        return {}
    if not np.isfinite([*xs, *ys]).all():
        return {}
    label = trace.labels[x] + (f"[{', '.join(map(str, i))}]" if i else "")
    texts = [list(map(number, xs)), list(map(number, ys))]
    return {"label": label, "xs": xs, "ys": ys, "gradient": float(trace.grad(x)[i]), "texts": texts}
