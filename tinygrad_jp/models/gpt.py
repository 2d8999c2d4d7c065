"""A small GPT."""

import math
from typing import Any

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.core import Variable, using_config
from tinygrad_jp.layers.initializers import normal
from tinygrad_jp.models.model import Model
from tinygrad_jp.randomness import Rng, generator

__all__ = ["GPT"]


class GPT(Model):
    """A transformer that predicts the next of `n_vocab` tokens (characters, say) from those before it.

    h₀ = token[ids] + position,  hᵢ = blockᵢ(hᵢ₋₁) with causal attention,  logits = norm(h)·tokenᵀ.

    ids are integers (N, T) with T up to `context`, logits (N, T, n_vocab): those at place t are for the token at t + 1,
    and know nothing of it. The table `token` (n_vocab, width) serves as the last layer too.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners, 2019 (GPT-2), also for the weights at
    the start: normal, of deviation 0.02, and 0.02/√(2·n_layers) in the 2·n_layers layers whose outputs add up.

    >>> model = GPT(65, rng=0)
    >>> model(np.zeros((8, 64), int)).shape
    (8, 64, 65)
    """

    def __init__(
        self,
        n_vocab: int,
        n_layers: int = 2,
        width: int = 64,
        n_heads: int = 4,
        context: int = 64,
        dropout_ratio: float = 0.0,
        *,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng) if rng is not None else None
        settings: dict[str, Any] = {"init": normal(0.02), "rng": rng}
        self.context = context
        self.token, self.position = L.EmbedID(n_vocab, width, **settings), L.EmbedID(context, width, **settings)
        self.dropout = L.Dropout(dropout_ratio, rng=rng)
        settings |= {"causal": True, "dropout_ratio": dropout_ratio}
        self.blocks = tuple(L.TransformerBlock(n_heads, width, **settings) for _ in range(n_layers))
        self.norm = L.LayerNorm(width)
        for block in self.blocks:
            block.attention.out.W.data /= math.sqrt(2 * n_layers)
            block.narrow.W.data /= math.sqrt(2 * n_layers)

    def forward(self, ids: Any) -> Variable:
        ids = np.asarray(ids.data if isinstance(ids, Variable) else ids)
        if ids.ndim != 2 or ids.shape[1] > self.context:
            raise ValueError(
                f"GPT: expected ids of shape (N, T) with T up to context={self.context}, got {ids.shape}; "
                f"cut them, or make the model with a longer context"
            )
        x = self.dropout(self.token(ids) + self.position.W[: ids.shape[1]])
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.W.T)

    def generate(self, ids: Any, n: int, temperature: float = 1.0, top_k: int | None = None, rng: Rng = None) -> Any:
        """`ids` (N, T) with `n` more tokens, each drawn from what the model predicts: an array (N, T + n).

        The probabilities are those of logits / temperature: below 1 the likely become likelier, and 0 takes the
        likeliest. `top_k` leaves only so many to choose from. The model sees the last `context` tokens.

        >>> GPT(65, rng=0).generate([[1, 2, 3]], 5, rng=0).shape
        (1, 8)
        """
        if temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(f"generate: expected temperature >= 0 and top_k >= 1, got {temperature} and {top_k}")
        ids, rng = np.asarray(ids), generator(rng)
        if ids.ndim != 2 or not ids.size:
            raise ValueError(f"generate: expected ids of shape (N, T), at least one token each, got {ids.shape}")
        with using_config("enable_backprop", False), using_config("train", False):
            for _ in range(n):
                logits = self(ids[:, -self.context :]).data[:, -1]
                if top_k is not None and top_k < logits.shape[-1]:
                    least = np.partition(logits, -top_k, axis=-1)[:, -top_k, None]
                    logits = np.where(logits < least, -np.inf, logits)
                # With noise of Gumbel's distribution, the largest is a draw from the softmax.
                noise = temperature * rng.gumbel(size=logits.shape)
                ids = np.append(ids, np.argmax(logits + noise, axis=-1)[:, None], axis=1)
        return ids
