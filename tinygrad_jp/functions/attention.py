"""Attention."""

import math
from typing import Any

import numpy

from tinygrad_jp.core import Variable, apply, as_variable
from tinygrad_jp.functions.activations import softmax

np: Any = numpy  # On Variables, NumPy's functions return Variables: its own type hints do not know.

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(q: Any, k: Any, v: Any, mask: Any = None) -> Variable:
    """What each query finds: softmax(q·kᵀ / √D) · v, with q (..., T, D), k (..., S, D), v (..., S, E), y (..., T, E).

    mask, of booleans that broadcast to (..., T, S), says which keys a query may see; one that sees none finds zeros.
    For a causal mask give `np.tri(T, dtype=bool)`. Source: Vaswani et al., Attention Is All You Need, 2017.

    >>> q = k = np.array([[10.0, 0.0], [0.0, 10.0]])
    >>> scaled_dot_product_attention(q, k, [[1.0], [2.0]]).data.round(3)
    array([[1.],
           [2.]])
    >>> scaled_dot_product_attention(q, k, [[1.0], [2.0]], np.tri(2, dtype=bool)).data.round(3)
    array([[1.],
           [2.]])
    """
    q, k = as_variable(q), as_variable(k)
    if q.ndim < 2 or k.ndim < 2 or q.shape[-1] != k.shape[-1] or np.shape(v)[-2:-1] != k.shape[-2:-1]:
        raise ValueError(
            f"scaled_dot_product_attention: expected q (..., T, D), k (..., S, D) and v (..., S, E), "
            f"got {q.shape}, {k.shape} and {np.shape(v)}"
        )
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.swapaxes(-1, -2)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    return apply(np.matmul, softmax(scores), v)
