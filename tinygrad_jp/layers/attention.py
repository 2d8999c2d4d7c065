"""Attention, and the block that transformers are built from."""

from collections.abc import Mapping

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp.core import Array, ArrayLike, Parameter, Variable, as_variable
from tinygrad_jp.devices import beside, device_of
from tinygrad_jp.functions.attention import checked_mask
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.layers.entrance import NUMBERS
from tinygrad_jp.layers.initializers import Initializer
from tinygrad_jp.layers.layer import Layer
from tinygrad_jp.layers.linear import Linear
from tinygrad_jp.layers.normalization import LayerNorm
from tinygrad_jp.randomness import Rng, generator

__all__ = ["MultiHeadAttention", "TransformerBlock"]


class _Resized(Linear):
    """A `Linear` whose output is `factor` times as wide as its input: one x, or one `size`, determines both."""

    def __init__(self, factor: float, size: int | None, dtype: DTypeLike, init: Initializer, rng: Rng) -> None:
        super().__init__(0, True, dtype, init=init, rng=rng)
        self.factor = factor
        self.b: Parameter = Parameter(name="b")
        if size is not None:
            self._init_W(size)

    def _init_W(self, in_size: int, x: ArrayLike | None = None) -> None:
        self.out_size = round(in_size * self.factor)
        super()._init_W(in_size, x)
        self.b.data = beside(np.zeros(self.out_size, self.dtype), x)

    def _signature(self) -> str:
        return "Linear({}, {})".format(*("??" if self.W.data is None else self.W.shape))


_Resized.__name__ = Linear.__name__  # As which users meet it, in pictures and in messages.


class MultiHeadAttention(Layer):
    """Every place of a sequence gathers from the places it attends to, in `n_heads` ways at once.

    y = [head₁, ..., headₙ]·Wₒ + bₒ, headᵢ = softmax(qᵢ·kᵢᵀ / √(D/n)) · vᵢ, with q, k, v = x·W + b, cut into n heads.

    x and y are (N, T, D). `size` is D; if it is not given, the first x determines it. With a `memory` (N, S, D), keys
    and values come from there. `mask`, of booleans that broadcast to (N, T, S), says what a place may attend to;
    `causal` lets it attend only to itself and to earlier places. While training, weights are dropped with probability
    `dropout_ratio`.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.2, with biases as in GPT-2.

    >>> layer = MultiHeadAttention(2, causal=True, rng=0)
    >>> layer(np.ones((3, 5, 4), np.float32)).shape
    (3, 5, 4)
    >>> layer
    MultiHeadAttention(2, causal=True): 80 parameters
      qkv  Linear(4, 12): 60
      out  Linear(4, 4): 20
    """

    _converts = NUMBERS

    def __init__(
        self,
        n_heads: int,
        size: int | None = None,
        *,
        causal: bool = False,
        dropout_ratio: float = 0.0,
        dtype: DTypeLike = np.float32,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        rng = generator(rng) if rng is not None else None
        self.n_heads, self.causal, self.dropout_ratio, self.rng = n_heads, causal, dropout_ratio, rng
        if n_heads < 1 or size is not None:
            self._check_heads(size or 0)
        self.qkv = _Resized(3, size, dtype, init, rng)
        self.out = _Resized(1, size, dtype, init, rng)

    def forward(self, x: Array, memory: Array | None = None, *, mask: ArrayLike | None = None) -> Variable:
        x = self._sequences("x", x)
        memory = x if memory is None else self._sequences("memory", memory)
        q, k, v = self._projected(x, memory)
        weights = F.attention_weights(q, k, self._mask((len(x), x.shape[1], memory.shape[1]), mask, x))
        weights = F.dropout(weights, self.dropout_ratio, rng=self.rng)
        return self.out(F.join_heads(F.matmul(weights, v)))

    def _sequences(self, name: str, x: Array) -> Variable:
        """x as a Variable. Refused unless it is (N, T, D), with the D of the layer, which the first x determines."""
        x = as_variable(x)
        if self.qkv.W.data is None and x.ndim == 3:
            self._check_heads(x.shape[-1])
            self.qkv._init_W(x.shape[-1], x)
        if x.ndim != 3 or x.shape[-1] != self.qkv.W.shape[0]:
            D = "D" if self.qkv.W.data is None else self.qkv.W.shape[0]
            raise ValueError(f"MultiHeadAttention: expected {name} of shape (N, T, {D}), got {x.shape}; reshape it")
        return x

    def _projected(self, x: Variable, memory: Variable) -> tuple[Variable, ...]:
        """Queries of x, keys and values of the memory, by heads: (N, n_heads, T, D/n_heads)."""
        if memory is x:
            return F.split_heads(self.qkv(x), self.n_heads, 3)
        W, b, D = self.qkv.W, self.qkv.b, x.shape[-1]
        queries, others = F.linear(x, W[:, :D], b[:D]), F.linear(memory, W[:, D:], b[D:])
        return *F.split_heads(queries, self.n_heads), *F.split_heads(others, self.n_heads, 2)

    def _mask(self, shape: tuple[int, int, int], mask: ArrayLike | None, x: Variable) -> Array | None:
        """The mask of what each place may attend to, for all heads, where x is; None for everything."""
        causal = np.tri(*shape[1:], dtype=bool, like=device_of(x)) if self.causal else None
        if mask is None:
            return causal
        array: Array = checked_mask("MultiHeadAttention", mask, shape, x)
        array = array if causal is None else array & causal
        return array[:, None] if array.ndim == 3 else array

    def _check_heads(self, size: int) -> None:
        if self.n_heads < 1 or size % self.n_heads:
            raise ValueError(
                f"MultiHeadAttention: expected a size that n_heads={self.n_heads} divides, got {size}; change either"
            )

    def _torch_names(self) -> Mapping[str, str]:
        return {"qkv": "in_proj_", "out": "out_proj."}

    def _signature(self) -> str:
        return f"MultiHeadAttention({self.n_heads}{', causal=True' if self.causal else ''})"


class TransformerBlock(Layer):
    """Attention, then a small network at each place, each added to its input.

    h = x + attention(norm₁(x)),  y = h + W₂·gelu(W₁·norm₂(h)), with x, h and y of shape (N, T, D), W₁ (D, 4·D).

    The settings are those of `MultiHeadAttention`; dropout also applies to what is added. Source: Radford et al.,
    Language Models are Unsupervised Multitask Learners, 2019 (GPT-2), where each norm comes before its layer. In
    PyTorch, this is a `TransformerEncoderLayer` with `norm_first=True` and the tanh form of gelu as its activation.

    >>> TransformerBlock(2, causal=True, rng=0)(np.ones((3, 5, 4), np.float32)).shape
    (3, 5, 4)
    """

    _converts = NUMBERS

    def __init__(
        self,
        n_heads: int,
        size: int | None = None,
        *,
        causal: bool = False,
        dropout_ratio: float = 0.0,
        dtype: DTypeLike = np.float32,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        rng = generator(rng) if rng is not None else None
        self.dropout_ratio, self.rng = dropout_ratio, rng
        self.norm1 = LayerNorm(size, dtype=dtype)
        self.attention = MultiHeadAttention(
            n_heads, size, causal=causal, dropout_ratio=dropout_ratio, dtype=dtype, init=init, rng=rng
        )
        self.norm2 = LayerNorm(size, dtype=dtype)
        self.wide = _Resized(4, size, dtype, init, rng)
        self.narrow = _Resized(1 / 4, None if size is None else 4 * size, dtype, init, rng)

    def forward(self, x: Array, *, mask: ArrayLike | None = None) -> Variable:
        x = as_variable(x)
        x = x + self._dropped(self.attention(self.norm1(x), mask=mask))
        return x + self._dropped(self.narrow(F.gelu(self.wide(self.norm2(x)))))

    def _torch_names(self) -> Mapping[str, str]:
        return {"attention": "self_attn.", "wide": "linear1.", "narrow": "linear2."}

    def _dropped(self, x: Variable) -> Variable:
        return F.dropout(x, self.dropout_ratio, rng=self.rng)
