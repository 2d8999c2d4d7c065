"""Recurrent layers: they keep a state from one step of a sequence to the next."""

from typing import Any

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp.core import Parameter, Variable
from tinygrad_jp.functions import recurrent
from tinygrad_jp.layers.initializers import Initializer, initialize
from tinygrad_jp.layers.layer import Layer
from tinygrad_jp.randomness import Rng, generator

__all__ = ["GRU", "LSTM", "RNN"]


class Recurrent(Layer):
    """What RNN, LSTM and GRU share: a step of x (N, I) gives h (N, H), a sequence (N, T, I) all of its h, (N, T, H).

    Either starts from the state that the last call left in `h` (None at first, which stands for zeros), so that a
    sequence may be given in any portions; `reset_state` forgets it. W (I, G·H), U (H, G·H) and b (G·H,) hold the blocks
    of the G gates side by side. Each block starts from `init`, by default with the variance 1/I or 1/H, and b from
    zero. Where `in_size` is not given, the first x decides it.
    """

    gates = 1
    h: Any = None

    def __init__(
        self,
        hidden_size: int,
        in_size: int | None = None,
        *,
        dtype: Any = np.float32,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        self.hidden_size, self.dtype, self.init = hidden_size, dtype, init
        self.rng = None if rng is None else generator(rng)  # A seed would make all blocks alike.
        self.W = Parameter(name="W")
        self.U = Parameter(self._blocks(hidden_size), name="U")
        self.b = Parameter(np.zeros(self.gates * hidden_size, dtype), name="b")
        if in_size is not None:
            self.W.data = self._blocks(in_size)
        self.reset_state()

    def _blocks(self, rows: int) -> Any:
        shape = (rows, self.hidden_size)
        return np.concatenate([initialize(self.init, shape, self.dtype, self.rng) for _ in range(self.gates)], axis=1)

    def reset_state(self) -> None:
        """Forget the state: the next x begins new sequences."""
        self.h = None

    def forward(self, x: Any) -> Variable:
        x = x if hasattr(x, "shape") else np.asarray(x)
        self._check(x.shape)
        if self.W._data is None:
            self.W.data = self._blocks(x.shape[-1])
        z = F.linear(x[None] if x.ndim == 2 else np.swapaxes(x, 0, 1), self.W, self.b)
        zeros = np.zeros((z.shape[1], self.hidden_size), z.dtype)
        hs = self._states(z, zeros if self.h is None else self.h, zeros)
        self.h = hs[-1]
        return self.h if x.ndim == 2 else np.swapaxes(hs, 0, 1)

    def _check(self, shape: Any) -> None:
        name, size = type(self).__name__, "I" if self.W._data is None else self.W.shape[0]
        if len(shape) not in (2, 3) or size not in ("I", shape[-1]) or 0 in shape[1:]:
            raise ValueError(
                f"{name}: expected x of shape (N, {size}), or (N, T, {size}) with T of at least 1, got {shape}; "
                f"reshape it, or give the layer another in_size"
            )
        if self.h is not None and len(self.h) != shape[0]:
            raise ValueError(
                f"{name}: expected x of {len(self.h)} sequences, which the state is of, got {shape[0]}; "
                f"call reset_state() before new sequences"
            )

    def _states(self, z: Any, h: Any, zeros: Any) -> Any:
        """The states h (T, N, H) after each step, from z = x·W + b (T, N, G·H) and h (N, H)."""
        raise NotImplementedError

    def _signature(self) -> str:
        return f"{type(self).__name__}({'?' if self.W._data is None else self.W.shape[0]}, {self.hidden_size})"


class RNN(Recurrent):
    """A simple recurrent layer, hₜ = tanh(xₜ·W + hₜ₋₁·U + b), with W (I, H), U (H, H) and b (H,).

    A step of x (N, I) gives h (N, H), and a sequence (N, T, I) all of its h, (N, T, H), both from the state that the
    last call left in `h`; `reset_state()` forgets it. `init` is the distribution of W and U. Where `in_size` is not
    given, the first x decides it. Source: Elman, Finding Structure in Time, 1990. DeZero has W in `x2h`, U in `h2h`.

    >>> layer = RNN(3, rng=0)
    >>> layer(np.ones((5, 2), np.float32)).shape, layer(np.ones((5, 10, 2), np.float32)).shape
    ((5, 3), (5, 10, 3))
    """

    def _states(self, z: Any, h: Any, zeros: Any) -> Any:
        return recurrent.rnn(z, self.U, h)


class LSTM(Recurrent):
    """Long short-term memory, used as `RNN`; a second state `c` (N, H) forgets more slowly.

    (i, f, u, o) = xₜ·W + hₜ₋₁·U + b, cₜ = σ(f)∘cₜ₋₁ + σ(i)∘tanh(u) and hₜ = σ(o)∘tanh(cₜ). W (I, 4H), U (H, 4H) and
    b (4H,) hold the gates in this order, which is PyTorch's: W = weight_ih.T, U = weight_hh.T, b = bias_ih + bias_hh.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; with the gate f of Gers et al., 2000.

    >>> layer = LSTM(3, rng=0)
    >>> layer(np.ones((5, 10, 2), np.float32)).shape, layer.h.shape, layer.c.shape, layer.W.shape
    ((5, 10, 3), (5, 3), (5, 3), (2, 12))
    """

    gates = 4
    c: Any = None

    def reset_state(self) -> None:
        self.h = self.c = None

    def _states(self, z: Any, h: Any, zeros: Any) -> Any:
        states = recurrent.lstm(z, self.U, h, zeros if self.c is None else self.c)
        self.c = states[-1, 5]
        return states[:, 6]


class GRU(Recurrent):
    """A gated recurrent unit, used as `RNN`: hₜ = (1 − k)∘n + k∘hₜ₋₁.

    r = σ(xₜ·Wr + hₜ₋₁·Ur + br), k = σ(xₜ·Wk + hₜ₋₁·Uk + bk) and n = tanh(xₜ·Wn + bn + r∘(hₜ₋₁·Un + b_hn)). W (I, 3H),
    U (H, 3H) and b (3H,) hold r, k and n in this order, which is PyTorch's (its z is k): W = weight_ih.T,
    U = weight_hh.T; b is bias_ih with the first 2H of bias_hh added, and b_hn (H,) the last H of bias_hh.

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014. Deviation: r is applied after
    U, as in cuDNN and PyTorch, not before.

    >>> layer = GRU(3, rng=0)
    >>> layer(np.ones((5, 10, 2), np.float32)).shape, layer.W.shape
    ((5, 10, 3), (2, 9))
    """

    gates = 3

    def __init__(self, hidden_size: int, in_size: int | None = None, **settings: Any) -> None:
        super().__init__(hidden_size, in_size, **settings)
        self.b_hn = Parameter(np.zeros(hidden_size, self.dtype), name="b_hn")

    def _states(self, z: Any, h: Any, zeros: Any) -> Any:
        return recurrent.gru(z, self.U, self.b_hn, h)
