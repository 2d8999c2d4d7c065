"""Attention: every query gathers, from all values, those whose keys are like it."""

import math
from typing import Any

import numpy

from tinygrad_jp.core import PULLBACKS, Outputs, Variable, apply, as_variable, output, pullback
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.kinds import np
from tinygrad_jp.core.table import Joint
from tinygrad_jp.functions import stable
from tinygrad_jp.functions.activations import softmax_gradient

__all__ = ["attention_weights", "join_heads", "scaled_dot_product_attention", "split_heads"]


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
    _check_shapes("scaled_dot_product_attention", q, k, v)
    return apply(np.matmul, attention_weights(q, k, mask), v)


def attention_weights(q: Any, k: Any, mask: Any = None) -> Variable:
    """How much each query looks at each key: softmax(q·kᵀ / √D), with q (..., T, D), k (..., S, D), y (..., T, S).

    mask, of booleans that broadcast to y, says which keys a query may see; where it sees none, its weights are zeros.

    >>> attention_weights(np.ones((3, 4)), np.ones((3, 4)), np.tri(3, dtype=bool)).data.round(2)
    array([[1.  , 0.  , 0.  ],
           [0.5 , 0.5 , 0.  ],
           [0.33, 0.33, 0.33]])
    """
    q, k = as_variable(q), as_variable(k)
    _check_shapes("attention_weights", q, k, k)
    if mask is None:
        return apply(_attention_weights, q, k)
    shape = (*numpy.broadcast_shapes(q.shape[:-2], k.shape[:-2]), q.shape[-2], k.shape[-2])
    return apply(_attention_weights, q, k, mask=checked_mask("attention_weights", mask, shape))


def checked_mask(name: str, mask: Any, shape: tuple[int, ...]) -> Any:
    """`mask` as an array of booleans that broadcasts to `shape`; refused if it is none."""
    mask = numpy.asarray(mask.data if isinstance(mask, Variable) else mask)
    if mask.dtype != bool:
        raise TypeError(f"{name}: expected a mask of booleans, got {mask.dtype}; use mask.astype(bool)")
    if mask.ndim > len(shape) or any(m not in (1, n) for m, n in zip(mask.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(f"{name}: expected a mask that broadcasts to {shape}, got {mask.shape}; reshape it")
    return mask


def _check_shapes(name: str, *qkv: Any) -> None:
    q, k, v = map(np.shape, qkv)
    if len(q) < 2 or len(k) < 2 or q[-1] != k[-1] or v[-2:-1] != k[-2:-1]:
        raise ValueError(
            f"{name}: expected q (..., T, D), k (..., S, D) and v (..., S, E), got {q}, {k} and {v}; transpose them"
        )


def _attention_weights(q: Any, k: Any, mask: Any = None) -> Any:
    scores = np.matmul(q * (1 / math.sqrt(q.shape[-1])), np.swapaxes(k, -1, -2))
    if mask is not None:
        np.copyto(scores, -np.inf, where=~mask)
    return stable.softmax(scores)


def d_attention_weights(gy: Any, y: Any, q: Any, k: Any, *, mask: Any = None) -> Any:
    """Through the softmax to the scores, which are products. What is masked has the weight 0, and so no gradient."""
    gs = softmax_gradient(gy, y) * (1 / math.sqrt(q.shape[-1]))
    return sum_to(gs @ k, q.shape), sum_to(np.swapaxes(gs, -1, -2) @ q, k.shape)


PULLBACKS[_attention_weights] = Joint(d_attention_weights)


def split_heads(x: Any, n_heads: int, parts: int = 1) -> tuple[Variable, ...]:
    """x (N, T, parts·D) as `parts` Variables (N, n_heads, T, D/n_heads): queries, keys and values, say, by heads.

    >>> [y.shape for y in split_heads(np.zeros((2, 5, 12)), n_heads=2, parts=3)]
    [(2, 2, 5, 2), (2, 2, 5, 2), (2, 2, 5, 2)]
    """
    shape = np.shape(x)
    if len(shape) != 3 or n_heads < 1 or parts < 1 or shape[-1] % (n_heads * parts):
        raise ValueError(
            f"split_heads: expected x (N, T, D) with a D that {parts} parts of {n_heads} heads divide, got {shape}"
        )
    ys = apply(_split_heads, x, n_heads=n_heads, parts=parts)
    return tuple(apply(output, ys, i, parts) for i in range(parts))


def _split_heads(x: Any, n_heads: int, parts: int) -> Any:
    N, T, _ = x.shape
    return Outputs(x.reshape(N, T, parts, n_heads, -1).transpose(2, 0, 3, 1, 4))


@pullback(_split_heads)
def d_split_heads(gy: Any, y: Any, x: Any, n_heads: int, parts: int) -> Any:
    """Putting the parts, and the heads of each, beside one another again."""
    gys = [np.zeros(y[0].shape, x.dtype) if g is None else g for g in gy]
    return np.stack([np.swapaxes(g, 1, 2) for g in gys], axis=2).reshape(x.shape)


def join_heads(x: Any) -> Variable:
    """The heads x (N, n_heads, T, D) side by side, (N, T, n_heads·D): what undoes `split_heads`.

    >>> join_heads(np.zeros((2, 3, 5, 4))).shape
    (2, 5, 12)
    """
    N, H, T, D = np.shape(x)
    return np.swapaxes(as_variable(x), 1, 2).reshape(N, T, H * D)
