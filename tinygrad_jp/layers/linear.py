"""Fully connected layers, embeddings and dropout."""

from collections.abc import Mapping

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp.core import Array, ArrayLike, Parameter, Variable
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.layers.entrance import NOTHING, NUMBERS
from tinygrad_jp.layers.initializers import Initializer, initialize
from tinygrad_jp.layers.layer import Layer
from tinygrad_jp.randomness import Rng

__all__ = ["Dropout", "EmbedID", "Linear"]


class Linear(Layer):
    """A fully connected layer, y = x·W + b, with x (..., I), W (I, O), b (O,) and y (..., O).

    W starts from `init`, by default with the variance 1/I, and b from zero. `init` is a name of
    `initializers.INITIALIZERS`, such as "he", or a function of (shape, rng). If `in_size` is not given, the first x
    determines it. `nobias` leaves out b.

    >>> layer = Linear(3, rng=0)
    >>> layer(np.ones((5, 2), np.float32)).shape, layer.W.shape
    ((5, 3), (2, 3))
    """

    _converts = NUMBERS

    def __init__(
        self,
        out_size: int,
        nobias: bool = False,
        dtype: DTypeLike = np.float32,
        in_size: int | None = None,
        *,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        if not isinstance(nobias, bool):
            raise TypeError(f"Linear: expected nobias to be True or False, got {nobias}; write Linear(O, in_size=I)")
        self.out_size, self.dtype, self.init, self.rng = out_size, dtype, init, rng
        self.W = Parameter(name="W")
        self.b = None if nobias else Parameter(np.zeros(out_size, dtype), name="b")
        if in_size is not None:
            self._init_W(in_size)

    def _in_size(self) -> int | None:
        return None if self.W.data is None else self.W.shape[0]

    def _init_W(self, in_size: int, x: ArrayLike | None = None) -> None:
        """Draw W for x of that size, where x is."""
        self.W.data = beside(initialize(self.init, (in_size, self.out_size), self.dtype, self.rng), x)

    def forward(self, x: Array) -> Variable:
        if self.W.data is None and (shape := np.shape(x)):
            self._init_W(shape[-1], x)
        try:
            return F.linear(x, self.W, self.b)
        except ValueError:
            shape, expected = np.shape(x), np.shape(self.W.data)[:1]
            if shape[-1:] == expected:
                raise
            raise ValueError(
                f"Linear: expected x of shape (..., {expected[0]}), got {shape}; "
                f"flatten each example first, or give the layer another in_size"
            ) from None

    def _torch_names(self) -> Mapping[str, str]:
        return {"W": "weight.T", "b": "bias"}

    def _signature(self) -> str:
        return f"Linear({'?' if self.W.data is None else self.W.shape[0]}, {self.out_size})"


class EmbedID(Layer):
    """A table of vectors, one for each ID: y = W[x], with x (...) of integers, W (I, O) and y (..., O).

    W starts from `init`, by default from a standard normal distribution.

    >>> EmbedID(10, 3, rng=0)([[1, 2], [3, 4]]).shape
    (2, 2, 3)
    """

    _converts = NOTHING

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        dtype: DTypeLike = np.float32,
        init: Initializer = "normal",
        rng: Rng = None,
    ) -> None:
        self.W = Parameter(initialize(init, (in_size, out_size), dtype, rng), name="W")

    def forward(self, x: ArrayLike) -> Variable:
        return F.embed_id(x, self.W)

    def _torch_names(self) -> Mapping[str, str]:
        return {"W": "weight"}

    def _signature(self) -> str:
        return "EmbedID({}, {})".format(*self.W.shape)


class Dropout(Layer):
    """While training, set each element to 0 with probability `dropout_ratio`, and scale the rest: see `F.dropout`.

    >>> Dropout(0.5, rng=0)(np.ones(6))
    variable([2. 2. 2. 0. 0. 0.])
    """

    def __init__(self, dropout_ratio: float = 0.5, *, rng: Rng = None) -> None:
        self.dropout_ratio, self.rng = dropout_ratio, np.random.default_rng(rng) if rng is not None else None

    def forward(self, x: ArrayLike) -> Variable:
        return F.dropout(x, self.dropout_ratio, rng=self.rng)

    def _signature(self) -> str:
        return f"Dropout({self.dropout_ratio})"
