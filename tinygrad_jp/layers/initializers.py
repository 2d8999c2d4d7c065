"""The values that weights start from, by name or by a function of your own, `(shape, rng) -> array`.

Each rule keeps the variance of what flows through a layer constant, forwards (fan_in: how many inputs each output sums)
or backwards (fan_out: how many outputs each input feeds).

>>> initialize("he", (3, 2), np.float32, rng=0).shape
(3, 2)
>>> initialize(lambda shape, rng: rng.random(shape), (2,), np.float32, rng=0)
array([0.6369617 , 0.26978672], dtype=float32)
"""

import functools
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from tinygrad_jp.core import Array, Shape
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.randomness import Rng, generator

__all__ = ["INITIALIZERS", "Initializer", "fans", "initialize", "normal", "orthogonal"]


def __dir__() -> list[str]:
    return __all__


Initializer: TypeAlias = str | Callable[..., Array]


def fans(shape: Shape) -> tuple[int, int]:
    """fan_in and fan_out of weights (I, O), or of kernels (O, C, KH, KW).

    >>> fans((784, 10)), fans((16, 3, 5, 5))
    ((784, 10), (75, 400))
    """
    if len(shape) < 2:
        raise ValueError(f"initializers: expected weights of 2 or more axes, got the shape {shape}; use 'zeros'")
    if len(shape) == 2:
        return shape
    size = math.prod(shape[2:])
    return shape[1] * size, shape[0] * size


def normal(std: float = 1.0) -> Callable[..., Array]:
    """Values from a normal distribution with mean 0 and standard deviation `std`.

    >>> initialize(normal(0.02), (2, 2), np.float32, rng=0).std() < 0.1
    np.True_
    """
    return functools.partial(_normal, std)


def _normal(std: float, shape: Shape, rng: "np.random.Generator") -> Array:
    return rng.standard_normal(shape) * std


def orthogonal(shape: Shape, rng: "np.random.Generator") -> Array:
    """A matrix (fan_in, fan_out) with orthonormal rows or columns; kernels count as such a matrix.

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning, 2014.

    >>> W = orthogonal((3, 2), np.random.default_rng(0))
    >>> bool(np.allclose(W.T @ W, np.eye(2)))
    True
    """
    rows, columns = shape[0], math.prod(shape[1:])
    fans(shape)
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1, 1)  # Makes the factorization unique, and q uniformly distributed.
    return (q if rows >= columns else q.T).reshape(shape)


def _scaled(variance: Callable[[int, int], float], uniform: bool = False) -> Callable[..., Array]:
    """Values whose `variance` depends on the fans. A uniform distribution on ±a has the variance a²/3."""

    def draw(shape: Shape, rng: "np.random.Generator") -> Array:
        std = math.sqrt(variance(*fans(shape)))
        return rng.uniform(-1, 1, shape) * (math.sqrt(3) * std) if uniform else rng.standard_normal(shape) * std

    return draw


def _he(fan_in: int, fan_out: int) -> float:
    return 2 / fan_in


def _glorot(fan_in: int, fan_out: int) -> float:
    return 2 / (fan_in + fan_out)


def _lecun(fan_in: int, fan_out: int) -> float:
    return 1 / fan_in


# he: for relu. He et al., Delving Deep into Rectifiers, 2015.
# glorot: for tanh and sigmoid. Glorot and Bengio, Understanding the difficulty of training deep networks, 2010.
# lecun: LeCun et al., Efficient BackProp, 1998; the default of every layer here, as in DeZero.
INITIALIZERS: dict[str, Callable[..., Array]] = {
    "he": _scaled(_he),
    "he_uniform": _scaled(_he, uniform=True),
    "glorot": _scaled(_glorot),
    "glorot_uniform": _scaled(_glorot, uniform=True),
    "lecun": _scaled(_lecun),
    "lecun_uniform": _scaled(_lecun, uniform=True),
    "orthogonal": orthogonal,
    "normal": normal(),
    "zeros": lambda shape, rng: np.zeros(shape),
    "ones": lambda shape, rng: np.ones(shape),
}


def initialize(init: Initializer, shape: Shape, dtype: DTypeLike = np.float32, rng: Rng = None) -> Array:
    """A new array of `shape` and `dtype`. `init` is the name of a rule, or a function `(shape, rng)`.

    Raises ValueError for an unknown name or values of another shape, TypeError for what is neither.

    >>> initialize("zeros", (2,)).tolist()
    [0.0, 0.0]
    >>> initialize(lambda shape, rng: rng.uniform(0, 1, shape), (2, 3), rng=0).shape
    (2, 3)
    """
    if isinstance(init, str):
        if init not in INITIALIZERS:
            raise ValueError(f"initializers: expected one of {', '.join(INITIALIZERS)} or a function, got {init!r}")
        init = INITIALIZERS[init]
    elif not callable(init):
        raise TypeError(f"initializers: expected a name or a function of (shape, rng), got {type(init).__name__}")
    values = np.array(init(shape, generator(rng)), dtype)
    if values.shape != shape:
        raise ValueError(f"initializers: expected values of shape {shape}, got {values.shape}")
    return values
