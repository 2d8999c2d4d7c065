"""Attention: each query takes a mean of the values, weighted by how well their keys match it."""

import math

import numpy

from tinygrad_jp.core import PULLBACKS, Array, ArrayLike, Outputs, Shape, Variable, apply, as_variable, output, pullback
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.table import Joint
from tinygrad_jp.devices import apart, beside
from tinygrad_jp.functions import stable
from tinygrad_jp.functions.activations import softmax_gradient
from tinygrad_jp.functions.precision import upcast
from tinygrad_jp.kinds import np

__all__ = ["attention_weights", "join_heads", "scaled_dot_product_attention", "split_heads"]


@upcast("q", "k", "v", integers=True)
def scaled_dot_product_attention(q: ArrayLike, k: ArrayLike, v: ArrayLike, mask: ArrayLike | None = None) -> Variable:
    """The values that each query attends to: softmax(q·kᵀ / √D) · v.

    q is (..., T, D), k (..., S, D), v (..., S, E), y (..., T, E). mask, of booleans that broadcast to (..., T, S), says
    which keys a query may see. A query that sees none gets zeros. For a causal mask give `np.tri(T, dtype=bool)`.

    Source: Vaswani et al., Attention Is All You Need, 2017.

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


@upcast("q", "k", integers=True)
def attention_weights(q: ArrayLike, k: ArrayLike, mask: ArrayLike | None = None) -> Variable:
    """The weight that each query gives to each key: softmax(q·kᵀ / √D), q (..., T, D), k (..., S, D), y (..., T, S).

    mask, of booleans that broadcast to y, says which keys a query may see. If it sees none, its weights are zeros.

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
    return apply(_attention_weights, q, k, mask=checked_mask("attention_weights", mask, shape, q))


def checked_mask(name: str, mask: ArrayLike, shape: Shape, x: ArrayLike) -> Array:
    """`mask` as an array of booleans that broadcasts to `shape`; an error in the name of `name` otherwise.

    A list becomes an array where x is.
    """
    seen: Array = mask.data if isinstance(mask, Variable) else mask
    seen = seen if isinstance(seen, np.ndarray) else beside(seen, x)
    if error := apart(name, (x, seen)):
        raise error
    if seen.dtype != bool:
        raise TypeError(f"{name}: expected a mask of booleans, got {seen.dtype}; use mask.astype(bool)")
    if seen.ndim > len(shape) or any(m not in (1, n) for m, n in zip(seen.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(f"{name}: expected a mask that broadcasts to {shape}, got {seen.shape}; reshape it")
    return seen


def _check_shapes(name: str, *qkv: ArrayLike) -> None:
    q, k, v = map(np.shape, qkv)
    if len(q) < 2 or len(k) < 2 or q[-1] != k[-1] or v[-2:-1] != k[-2:-1]:
        raise ValueError(
            f"{name}: expected q (..., T, D), k (..., S, D) and v (..., S, E), got {q}, {k} and {v}; transpose them"
        )


def _attention_weights(q: Array, k: Array, mask: Array | None = None) -> Array:
    scores = np.matmul(q * _scale(q), np.swapaxes(k, -1, -2))
    if mask is not None:
        np.copyto(scores, -np.inf, where=~mask)
    return stable.softmax(scores)


def _scale(q: Array) -> float:
    return 1 / math.sqrt(max(q.shape[-1], 1))


def d_attention_weights(gy: Array, y: Array, q: Array, k: Array, *, mask: Array | None = None) -> tuple[Array, Array]:
    """Through the softmax to the scores, which are products. What is masked has the weight 0, and so no gradient."""
    gs = softmax_gradient(gy, y) * _scale(q)
    return sum_to(gs @ k, q.shape), sum_to(np.swapaxes(gs, -1, -2) @ q, k.shape)


PULLBACKS[_attention_weights] = Joint(d_attention_weights)


def split_heads(x: ArrayLike, n_heads: int, parts: int = 1) -> tuple[Variable, ...]:
    """x (N, T, parts·D) as `parts` Variables (N, n_heads, T, D/n_heads): the heads of queries, keys and values, say.

    >>> [y.shape for y in split_heads(np.zeros((2, 5, 12)), n_heads=2, parts=3)]
    [(2, 2, 5, 2), (2, 2, 5, 2), (2, 2, 5, 2)]
    """
    shape = np.shape(x)
    if len(shape) != 3 or n_heads < 1 or parts < 1 or shape[-1] % (n_heads * parts):
        raise ValueError(
            f"split_heads: expected x (N, T, D) with a D that parts * n_heads = {parts * n_heads} divides, got {shape}"
        )
    ys = apply(_split_heads, x, n_heads=n_heads, parts=parts)
    return tuple(apply(output, ys, i, parts) for i in range(parts))


def _split_heads(x: Array, n_heads: int, parts: int) -> Outputs:
    N, T, D = x.shape
    return Outputs(x.reshape(N, T, parts, n_heads, D // (parts * n_heads)).transpose(2, 0, 3, 1, 4))


@pullback(_split_heads)
def d_split_heads(gy: Outputs, y: Outputs, x: Array, n_heads: int, parts: int) -> Array:
    """Putting the parts, and the heads of each, beside one another again."""
    gys = [np.zeros_like(x, shape=y[0].shape) if g is None else g for g in gy]
    return np.stack([np.swapaxes(g, 1, 2) for g in gys], axis=2).reshape(x.shape)


def join_heads(x: ArrayLike) -> Variable:
    """The heads x (N, n_heads, T, D) side by side, (N, T, n_heads·D). It undoes `split_heads`.

    >>> join_heads(np.zeros((2, 3, 5, 4))).shape
    (2, 5, 12)
    """
    shape = np.shape(x)
    if len(shape) != 4:
        raise ValueError(f"join_heads: expected x of shape (N, n_heads, T, D), got {shape}; split_heads makes it")
    N, H, T, D = shape
    return np.swapaxes(as_variable(x), 1, 2).reshape(N, T, H * D)
