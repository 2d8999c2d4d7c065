"""A small GPT."""

import math
from typing import Any

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.core import Array, ArrayLike, Variable, using_config
from tinygrad_jp.devices import beside, fetched
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.layers.entrance import NOTHING
from tinygrad_jp.layers.initializers import normal
from tinygrad_jp.models.model import Model
from tinygrad_jp.randomness import Rng, generator

__all__ = ["GPT"]


class GPT(Model):
    """A transformer that predicts the next of `n_vocab` tokens (such as characters) from those before it.

    h₀ = token[ids] + position,  hᵢ = blockᵢ(hᵢ₋₁) with causal attention,  logits = norm(h)·tokenᵀ.

    ids are integers (N, T) with T up to `context`, logits (N, T, n_vocab): those at place t predict the token at t + 1,
    and do not depend on it. The table `token` (n_vocab, width) is also the last layer.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners, 2019 (GPT-2). So are the initial
    weights: normal with standard deviation 0.02, and 0.02/√(2·n_layers) in the 2·n_layers layers whose outputs add up.

    >>> model = GPT(65, rng=0)
    >>> model(np.zeros((8, 64), int)).shape
    (8, 64, 65)
    """

    _converts = NOTHING

    def __init__(
        self,
        n_vocab: int,
        n_layers: int = 2,
        width: int = 64,
        n_heads: int = 4,
        context: int = 64,
        dropout_ratio: float = 0.0,
        *,
        dtype: DTypeLike = np.float32,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng) if rng is not None else None
        settings: dict[str, Any] = {"dtype": dtype, "init": normal(0.02), "rng": rng}
        self.context = context
        self.token, self.position = L.EmbedID(n_vocab, width, **settings), L.EmbedID(context, width, **settings)
        self.dropout = L.Dropout(dropout_ratio, rng=rng)
        settings |= {"causal": True, "dropout_ratio": dropout_ratio}
        self.blocks = tuple(L.TransformerBlock(n_heads, width, **settings) for _ in range(n_layers))
        self.norm = L.LayerNorm(width, dtype=dtype)
        for block in self.blocks:
            block.attention.out.W.data /= math.sqrt(2 * n_layers)
            block.narrow.W.data /= math.sqrt(2 * n_layers)

    def forward(self, ids: ArrayLike) -> Variable:
        tokens: Array = ids.data if isinstance(ids, Variable) else beside(ids)
        if tokens.ndim != 2 or tokens.shape[1] > self.context:
            raise ValueError(
                f"GPT: expected ids of shape (N, T) with T up to context={self.context}, got {tokens.shape}; "
                f"shorten them, or make the model with a longer context"
            )
        x = self.dropout(self.token(tokens) + self.position.W[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.W.T)

    def generate(
        self, ids: ArrayLike, n: int, temperature: float = 1.0, top_k: int | None = None, rng: Rng = None
    ) -> Array:
        """`ids` (N, T) with `n` more tokens, each drawn from the prediction of the model: an array (N, T + n).

        The probabilities are softmax(logits / temperature). A temperature below 1 favors likely tokens, and 0 always
        takes the likeliest. `top_k` limits the choice to that many tokens. The model sees the last `context` tokens.

        >>> GPT(65, rng=0).generate([[1, 2, 3]], 5, rng=0).shape
        (1, 8)
        """
        if temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(f"generate: expected temperature >= 0 and top_k >= 1, got {temperature} and {top_k}")
        tokens, rng = np.asarray(fetched(ids)), generator(rng)
        if tokens.ndim != 2 or not tokens.size:
            raise ValueError(f"generate: expected ids of shape (N, T), at least one token each, got {tokens.shape}")
        with using_config("enable_backprop", False), using_config("train", False):
            for _ in range(n):
                logits = fetched(self(beside(tokens[:, -self.context :], self.token.W)).data)[:, -1]
                if top_k is not None and top_k < logits.shape[-1]:
                    least = np.partition(logits, -top_k, axis=-1)[:, -top_k, None]
                    logits = np.where(logits < least, -np.inf, logits)
                # The largest logit with Gumbel noise is a draw from the softmax.
                noise = temperature * rng.gumbel(size=logits.shape)
                tokens = np.append(tokens, np.argmax(logits + noise, axis=-1)[:, None], axis=1)
        return tokens
