"""Activations: the nonlinear functions between layers."""

import math

from tinygrad_jp.core import (
    PULLBACKS,
    Array,
    ArrayLike,
    Axis,
    Variable,
    apply,
    apply_inplace,
    as_variable,
    primitive,
    pullback,
)
from tinygrad_jp.core.arrays import keepdims_shape
from tinygrad_jp.functions import stable
from tinygrad_jp.functions.precision import upcast
from tinygrad_jp.kinds import Rule, np

__all__ = ["elu", "gelu", "leaky_relu", "log_softmax", "logsumexp", "relu", "sigmoid", "silu", "softmax", "softplus"]


@upcast("x", integers=True)
def sigmoid(x: ArrayLike) -> Variable:
    """The logistic function, y = 1 / (1 + e⁻ˣ), without overflow for any x.

    >>> sigmoid([-1000.0, 0.0, 1000.0])
    variable([0.  0.5 1. ])
    """
    return apply(stable.sigmoid, x)


def relu(x: ArrayLike, inplace: bool = False) -> Variable:
    """The rectifier, y = max(x, 0). Its slope at 0 is taken to be 0.

    inplace: y may be written over x if x is the result of `linear` or `conv2d`, whose derivatives do not need it, and
    takes 1 MB or more. The memory of x is then released, and x reads NaN. The models of this library use this.

    >>> relu([-1.0, 0.0, 2.0])
    variable([0. 0. 2.])
    """
    return apply_inplace(_relu, x) if inplace and isinstance(x, Variable) else apply(_relu, x)


def _relu(x: Array, out: Array | None = None) -> Array:
    return np.maximum(x, 0, out=out)


def leaky_relu(x: ArrayLike, slope: float = 0.2) -> Variable:
    """x where it is positive, otherwise slope·x. The slope at 0 is `slope` as well. Source: Maas et al., 2013.

    >>> leaky_relu([-1.0, 2.0])
    variable([-0.2  2. ])
    """
    x = as_variable(x)
    return np.where(x > 0, x, slope * x)


def elu(x: ArrayLike, alpha: float = 1.0) -> Variable:
    """x where it is positive, otherwise alpha·(eˣ − 1). Its slope at 0 is alpha. Source: Clevert et al., 2015.

    >>> elu([-1000.0, 0.0, 2.0])
    variable([-1.  0.  2.])
    """
    x = as_variable(x)
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x)))


@upcast("x", integers=True)
def gelu(x: ArrayLike, approximate: bool = True) -> Variable:
    """x·Φ(x), with the normal distribution function Φ. By default in its tanh form, which is faster.

    The tanh form, x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))), is within 0.0005 of the exact one, which
    `approximate=False` gives. Source: Hendrycks and Gimpel, 2016.

    >>> gelu([-100.0, 0.0, 1.0])
    variable([-0.          0.          0.84119199])
    >>> gelu([-100.0, 0.0, 1.0], approximate=False)
    variable([-0.          0.          0.84134475])
    """
    x = as_variable(x)
    return x * apply(_normal if approximate else stable.normal, x)


def _normal(x: Array) -> Array:
    """(1 + tanh u) / 2, as 1 / (1 + e⁻²ᵘ): NumPy's exp takes half the time of its tanh."""
    with np.errstate(over="ignore"):  # Where e⁻²ᵘ overflows, the result is 0, as it should be.
        return 1 / (1 + np.exp(x * (x * x * (-_A * _B) - _B)))


_A, _B = 0.044715, math.sqrt(8 / math.pi)  # 2u = B·(x + A·x³)


def silu(x: ArrayLike) -> Variable:
    """x·sigmoid(x), also called swish. Source: Elfwing et al., 2017.

    >>> silu([-1000.0, 0.0, 1000.0])
    variable([  -0.    0. 1000.])
    """
    x = as_variable(x)
    return x * sigmoid(x)


@upcast("x", integers=True)
def softplus(x: ArrayLike) -> Variable:
    """log(1 + eˣ), a smooth rectifier, without overflow for any x. Its slope is sigmoid(x).

    >>> softplus([-1e4, 0.0, 1e4])
    variable([0.00000000e+00 6.93147181e-01 1.00000000e+04])
    """
    return apply(np.logaddexp, x, 0.0)


@upcast("x", integers=True)
def softmax(x: ArrayLike, axis: int = 1) -> Variable:
    """Probabilities from logits: yᵢ = e^xᵢ / Σⱼ e^xⱼ along `axis`, of x's shape.

    The default is axis 1, as in DeZero: the classes of x (N, C), the channels of images x (N, C, H, W). A vector x (C,)
    is one example, and axis 1 its only axis. Where the classes of sequences x (N, T, C) are meant, write `axis=-1`.

    A row in which every x is −∞ has no probabilities: it gives zeros.

    >>> softmax([[0.0, 0.0], [1000.0, 0.0]])
    variable([[0.5 0.5]
              [1.  0. ]])
    >>> softmax([0.0, 0.0])
    variable([0.5 0.5])
    """
    return _along_axis(stable.softmax, x, axis=axis)


@upcast("x", integers=True)
def log_softmax(x: ArrayLike, axis: int = 1) -> Variable:
    """The logarithm of `softmax`, without its rounding to 0: yᵢ = xᵢ − log Σⱼ e^xⱼ along `axis`, as there.

    >>> log_softmax([1000.0, 0.0])
    variable([    0. -1000.])
    """
    return _along_axis(stable.log_softmax, x, axis=axis)


@upcast("x", integers=True)
def logsumexp(x: ArrayLike, axis: Axis = 1, keepdims: bool = False) -> Variable:
    """log Σ eˣ along `axis`, which is that of `softmax`, without overflow. It is ∞ if an x is, and −∞ if every x is.

    >>> logsumexp([1e4, 1e4])
    variable(10000.69314718...)
    """
    return _along_axis(stable.logsumexp, x, axis=axis, keepdims=keepdims)


def _along_axis(func: Rule, x: Array, axis: Axis, **settings: Axis) -> Variable:
    """Apply `func`, which works along an axis. A vector is one example, a single number a vector of one."""
    if not x.ndim:
        return apply(func, np.reshape(x, 1), axis=-1, **settings).reshape(())
    return apply(func, x, axis=-1 if axis == 1 and x.ndim == 1 else axis, **settings)


@pullback(_normal)
def d_normal(gy: Array, y: Array, x: Array) -> Array:
    """The slope y(1 − y)·B(1 + 3A·x²)."""
    gx = 1 - y
    gx *= y
    gx *= gy
    cubic = gx * x  # In this order: where x² would overflow, gx is 0.
    cubic *= x
    cubic *= 3 * _A * _B
    gx *= _B
    gx += cubic
    return gx


PULLBACKS |= {
    stable.sigmoid: lambda gy, y, x: gy * y * (1 - y),
    _relu: lambda gy, y, x: gy * (y > 0),
    # The density of the normal distribution. It is 0 long before |x| = 40, while x² could overflow.
    stable.normal: lambda gy, y, x: gy * np.exp(np.square(np.clip(x, -40, 40)) / -2) / math.sqrt(2 * math.pi),
}


array_softmax = primitive(stable.softmax)
"""`softmax` for rules: of arrays it makes arrays."""


@pullback(stable.softmax)
def d_softmax(gy: Array, y: Array, x: Array, axis: int = -1) -> Array:
    return softmax_gradient(gy, y, axis=axis)


@primitive
def softmax_gradient(gy: Array, y: Array, axis: int = -1) -> Array:
    """y·(gy − Σ gy·y) along `axis`, for y = softmax(x)."""
    gx = gy - stable.inner(gy, y, axis)
    gx *= y
    return gx


PULLBACKS[softmax_gradient.primitive] = (  # type: ignore[attr-defined]
    lambda ggx, gx, gy, y, axis=-1: softmax_gradient(ggx, y, axis=axis),
    lambda ggx, gx, gy, y, axis=-1: (
        ggx * (gy - (gy * y).sum(axis=axis, keepdims=True)) - gy * (ggx * y).sum(axis=axis, keepdims=True)
    ),
)


@pullback(stable.log_softmax)
def d_log_softmax(gy: Array, y: Array, x: Array, axis: int = -1) -> Array:
    return gy - np.exp(y) * gy.sum(axis=axis, keepdims=True)


@pullback(stable.logsumexp)
def d_logsumexp(gy: Array, y: Array, x: Array, axis: Axis = -1, keepdims: bool = False) -> Array:
    """The softmax, eˣ⁻ʸ; zeros where all x are −∞."""
    gy, y = (np.reshape(a, keepdims_shape(x.shape, axis)) for a in (gy, y))
    limits = np.finfo(x.dtype)
    # Where y is ∞, x − y would be NaN. There each x that is ∞ gets an equal share of the gradient.
    share = np.exp(np.minimum(x - np.minimum(np.maximum(y, limits.min), limits.max), 0))
    return gy * share / np.where(y == np.inf, (x == y).astype(x.dtype).sum(axis=axis, keepdims=True), 1)
