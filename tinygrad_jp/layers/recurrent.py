"""Recurrent layers: they keep a state from one step of a sequence to the next."""

from collections.abc import Mapping

from tinygrad_jp import functions as F
from tinygrad_jp.core import Array, ArrayLike, Parameter, Shape, Variable
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside
from tinygrad_jp.functions import recurrent
from tinygrad_jp.kinds import DTypeLike, np
from tinygrad_jp.layers.entrance import NUMBERS, as_numbers, cast
from tinygrad_jp.layers.initializers import Initializer, initialize
from tinygrad_jp.layers.layer import Layer
from tinygrad_jp.layers.linear import Linear
from tinygrad_jp.randomness import NumpyState, Rng, generator

__all__ = ["GRU", "LSTM", "RNN"]


class Recurrent(Layer):
    """The base of RNN, LSTM and GRU: a step of x (N, I) gives h (N, H), a sequence (N, T, I) all of its h, (N, T, H).

    Both start from the state that the last call left in `h` (None at first, which stands for zeros), so a sequence may
    be given in any portions; `reset_state` clears it. A smaller batch goes on with the first of the sequences. W (I,
    G·H), U (H, G·H) and b (G·H,) hold the blocks of the G gates side by side. Each block starts from `init`, by default
    with the variance 1/I or 1/H, and b from zero. If `in_size` is not given, the first x determines it. With
    `num_layers`, each further layer, in `above`, reads the h of the one below it; what comes out is the h of the last.
    """

    _converts = NUMBERS
    gates = 1
    # As in DeZero: the order in which the blocks are drawn; whether U is drawn at the first state, where numbers come
    # from NumPy's global state; and the parts of the weights, each with the number of its block.
    _drawn: tuple[int, ...] = ()
    _draws_U_late = False
    _parts: Mapping[str, int] = {}
    h: ArrayLike | None = None
    above: "tuple[Recurrent, ...]" = ()
    level = 0

    def __init__(
        self,
        hidden_size: int,
        in_size: int | None = None,
        *,
        num_layers: int = 1,
        dtype: DTypeLike = np.float32,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        if num_layers < 1:
            raise ValueError(f"{type(self).__name__}: expected num_layers of at least 1, got {num_layers}")
        self.hidden_size, self.dtype, self.init = hidden_size, dtype, init
        self.rng = None if rng is None else generator(rng)  # From a seed, all blocks would start alike.
        self.W = Parameter(name="W")
        self.U = Parameter(name="U")
        self.b = Parameter(np.zeros(self.gates * hidden_size, dtype), name="b")
        if in_size is not None:
            self.W.data = self._blocks(in_size)
        follows = rng is None and isinstance(generator(), NumpyState)
        if in_size is not None or not (self._draws_U_late and follows):
            self.U.data = self._blocks(hidden_size)
        self.reset_state()
        if num_layers > 1:
            above = [
                type(self)(hidden_size, hidden_size, dtype=dtype, init=init, rng=self.rng)
                for _ in range(num_layers - 1)
            ]
            self.above = tuple(above)
            for level, layer in enumerate(above, 1):
                layer.level = level

    def _blocks(self, rows: int) -> Array:
        shape = (rows, self.hidden_size)
        order = self._drawn or range(self.gates)
        blocks = {i: initialize(self.init, shape, self.dtype, self.rng) for i in order}
        return np.concatenate([blocks[i] for i in range(self.gates)], axis=1)

    def _complete(self) -> None:
        if self.U.data is None and self.W.data is not None:
            self.U.data = beside(self._blocks(self.hidden_size), self.W)

    def reset_state(self) -> None:
        """Clear the state: the next x starts new sequences."""
        self.h = None
        super().reset_state()

    def forward(self, x: Array) -> Variable:
        self._check(x.shape)
        if self.W.data is None:
            self.W.data = beside(self._blocks(x.shape[-1]), x)
        if self.h is not None or x.ndim == 3:
            self._complete()
        z = F.linear(x[None] if x.ndim == 2 else np.swapaxes(x, 0, 1), self.W, self.b)
        hs = self._states(z, self._state(self.h, z))
        self.h = h = hs[-1]
        y = h if x.ndim == 2 else np.swapaxes(hs, 0, 1)
        for layer in self.above:
            y = layer(y)
        return y

    def _state(self, given: ArrayLike | None, z: Variable) -> Array:
        """`given`, or zeros if it is None, in the dtype of z (T, N, G·H)."""
        if given is None:
            return np.zeros_like(z.data, shape=(z.shape[1], self.hidden_size))
        state: Array = cast(as_numbers(type(self).__name__, given), z.dtype)
        return state if len(state) == z.shape[1] else state[: z.shape[1]]

    def _check(self, shape: Shape) -> None:
        name, size = type(self).__name__, "I" if self.W.data is None else self.W.shape[0]
        if len(shape) not in (2, 3) or size not in ("I", shape[-1]) or 0 in shape[1:]:
            raise ValueError(
                f"{name}: expected x of shape (N, {size}), or (N, T, {size}) with T of at least 1, got {shape}; "
                f"reshape it, or give the layer another in_size"
            )
        if self.h is not None and np.shape(self.h)[0] < shape[0]:
            raise ValueError(
                f"{name}: expected x of at most {counted(np.shape(self.h)[0], 'sequence')}, as many as the state has, "
                f"got {shape[0]}; call reset_state() before new sequences"
            )

    def _states(self, z: Variable, h: Array) -> Variable:
        """The states h (T, N, H) after each step, from z = x·W + b (T, N, G·H) and h (N, H)."""
        raise NotImplementedError

    def _part(self, name: str) -> Linear:
        """The part of the weights that DeZero keeps in the Linear layer `name`, such as x2h."""
        part = Linear(self.hidden_size, nobias=name[0] == "h", dtype=self.dtype)
        part.W = self._block(self.W if name[0] == "x" else self.U, self._parts[name])
        if part.b is not None:
            part.b = self._block(self.b, self._parts[name])
        return part

    def _block(self, p: Parameter, i: int) -> Parameter:
        """Block number i of p, as a Parameter that shares its memory; p itself if there are no others."""
        if self.gates == 1 or p.data is None:
            return p
        return Parameter(p.data[..., i * self.hidden_size : (i + 1) * self.hidden_size], name=p.name)

    def _from_dezero(self, parts: dict[str, Array]) -> dict[str, Array]:
        """W, U and b from the parts that DeZero keeps."""
        for key, kind in (("W", "x"), ("W", "h"), ("b", "x")):
            if missing := [name for name in self._parts if name[0] == kind and f"{name}/{key}" not in parts]:
                raise ValueError(f"{type(self).__name__}: expected DeZero's arrays, missing: {missing[0]}/{key}")
        order = sorted(self._parts, key=lambda name: self._parts[name])
        x, h = ([name for name in order if name[0] == kind] for kind in "xh")
        return {
            "W": np.concatenate([parts[f"{name}/W"] for name in x], axis=1),
            "U": np.concatenate([parts[f"{name}/W"] for name in h], axis=1),
            "b": np.concatenate([parts[f"{name}/b"] for name in x]),
        }

    # PyTorch adds a second b, which is b_hh here, to h·U.

    def _torch_names(self) -> Mapping[str, str]:
        k = self.level
        own = {"W": f"weight_ih_l{k}.T", "U": f"weight_hh_l{k}.T", "b": f"bias_ih_l{k}", "b_hh": f"bias_hh_l{k}"}
        return own | {f"above.{i}": "" for i in range(len(self.above))}

    def _to_torch(self, arrays: dict[str, Array]) -> dict[str, Array]:
        return arrays | ({"b_hh": np.zeros_like(arrays["b"])} if "b" in arrays else {})

    def _from_torch(self, arrays: dict[str, Array]) -> dict[str, Array]:
        if "b" not in arrays and "b_hh" not in arrays:
            return arrays
        shapes = [np.shape(arrays[key]) if key in arrays else "none" for key in ("b", "b_hh")]
        if shapes != [(self.gates * self.hidden_size,)] * 2:
            raise ValueError(
                f"expected bias_ih_l{self.level} and bias_hh_l{self.level} "
                f"of shape ({self.gates * self.hidden_size},), got {shapes[0]} and {shapes[1]}"
            )
        weights = {key: a for key, a in arrays.items() if key not in ("b", "b_hh")}
        return weights | self._joined_biases(arrays["b"], arrays["b_hh"])

    def _joined_biases(self, b: Array, b_hh: Array) -> dict[str, Array]:
        return {"b": b + b_hh}

    def _signature(self) -> str:
        more = f", num_layers={1 + len(self.above)}" if self.above else ""
        return f"{type(self).__name__}({'?' if self.W.data is None else self.W.shape[0]}, {self.hidden_size}{more})"


class RNN(Recurrent):
    """A simple recurrent layer, hₜ = tanh(xₜ·W + hₜ₋₁·U + b), with W (I, H), U (H, H) and b (H,).

    A step of x (N, I) gives h (N, H), and a sequence (N, T, I) all of its h, (N, T, H), both from the state that the
    last call left in `h`; `reset_state()` clears it. `init` is the distribution of W and U. If `in_size` is not given,
    the first x determines it. `num_layers` such layers stand one above the other.

    Source: Elman, Finding Structure in Time, 1990. DeZero has W in `x2h`, U in `h2h`.

    >>> layer = RNN(3, rng=0)
    >>> layer(np.ones((5, 2), np.float32)).shape, layer(np.ones((5, 10, 2), np.float32)).shape
    ((5, 3), (5, 10, 3))
    """

    _draws_U_late = True
    _parts: Mapping[str, int] = {"x2h": 0, "h2h": 0}

    def _states(self, z: Variable, h: Array) -> Variable:
        return np.tanh(z) if self.U.data is None else recurrent.rnn(z, self.U, h)


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
    _drawn = (1, 0, 3, 2)
    _parts: Mapping[str, int] = {f"{a}2{b}": i for i, b in enumerate("ifuo") for a in "xh"}
    c: ArrayLike | None = None

    def reset_state(self) -> None:
        super().reset_state()
        self.c = None

    def _states(self, z: Variable, h: Array) -> Variable:
        states = recurrent.lstm(z, self.U, h, self._state(self.c, z))
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

    def __init__(
        self,
        hidden_size: int,
        in_size: int | None = None,
        *,
        num_layers: int = 1,
        dtype: DTypeLike = np.float32,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        super().__init__(hidden_size, in_size, num_layers=num_layers, dtype=dtype, init=init, rng=rng)
        self.b_hn = Parameter(np.zeros(hidden_size, dtype), name="b_hn")

    def _states(self, z: Variable, h: Array) -> Variable:
        return recurrent.gru(z, self.U, self.b_hn, h)

    def _to_torch(self, arrays: dict[str, Array]) -> dict[str, Array]:
        arrays = super()._to_torch(arrays)
        return arrays | {"b_hh": np.append(arrays["b"][: 2 * self.hidden_size] * 0, arrays.pop("b_hn"))}

    def _joined_biases(self, b: Array, b_hh: Array) -> dict[str, Array]:
        H = 2 * self.hidden_size
        return {"b": np.append(b[:H] + b_hh[:H], b[H:]), "b_hn": b_hh[H:]}
