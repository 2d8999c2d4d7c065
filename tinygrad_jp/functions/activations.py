"""Activations: what bends the line."""

import functools
import math
from typing import Any

import numpy

from tinygrad_jp.core import PULLBACKS, Axis, Variable, apply, apply_inplace, as_variable, primitive, pullback
from tinygrad_jp.core.arrays import keepdims_shape
from tinygrad_jp.core.kinds import np
from tinygrad_jp.functions import stable

__all__ = ["elu", "gelu", "leaky_relu", "log_softmax", "logsumexp", "relu", "sigmoid", "silu", "softmax", "softplus"]


def sigmoid(x: Any) -> Variable:
    """The logistic function, y = 1 / (1 + e⁻ˣ), without overflow for any x.

    >>> sigmoid([-1000.0, 0.0, 1000.0])
    variable([0.  0.5 1. ])
    """
    return apply(stable.sigmoid, x)


def relu(x: Any, inplace: bool = False) -> Variable:
    """The rectifier, y = max(x, 0). Its slope at 0 is taken to be 0.

    inplace: y may be written over x, if x came from `linear` or `conv2d`, whose derivatives do not need it, and takes
    1 MB or more. What x held is let go then, and reads NaN; the models that come with the library do so.

    >>> relu([-1.0, 0.0, 2.0])
    variable([0. 0. 2.])
    """
    return apply_inplace(_relu, x) if inplace and isinstance(x, Variable) else apply(_relu, x)


def _relu(x: Any, out: Any = None) -> Any:
    return np.maximum(x, _zero(x.dtype), out=out)  # Twice as fast as with a Python 0.


_zero = functools.cache(lambda dtype: numpy.zeros((), dtype))


def leaky_relu(x: Any, slope: float = 0.2) -> Variable:
    """x where it is positive, else slope·x, which is also its slope at 0. Source: Maas et al., 2013.

    >>> leaky_relu([-1.0, 2.0])
    variable([-0.2  2. ])
    """
    x = as_variable(x)
    return np.where(x > 0, x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Variable:
    """x where it is positive, else alpha·(eˣ − 1). Its slope at 0 is alpha. Source: Clevert et al., 2015.

    >>> elu([-1000.0, 0.0, 2.0])
    variable([-1.  0.  2.])
    """
    x = as_variable(x)
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x)))


def gelu(x: Any) -> Variable:
    """x·Φ(x), where Φ is the normal distribution, in its tanh form: x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))).

    It differs from the exact form by at most 0.0005. Source: Hendrycks and Gimpel, 2016.

    >>> gelu([-100.0, 0.0, 1.0])
    variable([-0.          0.          0.84119199])
    """
    x = as_variable(x)
    return x * apply(_normal, x)


def _normal(x: Any) -> Any:
    """(1 + tanh u) / 2, as 1 / (1 + e⁻²ᵘ): NumPy's exp takes half the time of its tanh."""
    with np.errstate(over="ignore"):  # Where e⁻²ᵘ is too large, the result is 0, as it should be.
        return 1 / (1 + np.exp(x * (x * x * (-_A * _B) - _B)))


_A, _B = 0.044715, math.sqrt(8 / math.pi)  # 2u = B·(x + A·x³)


def silu(x: Any) -> Variable:
    """x·sigmoid(x), also called swish. Source: Elfwing et al., 2017.

    >>> silu([-1000.0, 0.0, 1000.0])
    variable([  -0.    0. 1000.])
    """
    x = as_variable(x)
    return x * sigmoid(x)


def softplus(x: Any) -> Variable:
    """log(1 + eˣ), a smooth rectifier, without overflow for any x. Its slope is sigmoid(x).

    >>> softplus([-1e4, 0.0, 1e4])
    variable([0.00000000e+00 6.93147181e-01 1.00000000e+04])
    """
    return apply(np.logaddexp, x, 0.0)


def softmax(x: Any, axis: int = -1) -> Variable:
    """Probabilities from logits: yᵢ = e^xᵢ / Σⱼ e^xⱼ along `axis`, of x's shape.

    A row of −∞ alone has no probabilities: it gives zeros. Deviation: DeZero's default axis is 1; for its (N, C) that
    is the last one too.

    >>> softmax([[0.0, 0.0], [1000.0, 0.0]])
    variable([[0.5 0.5]
              [1.  0. ]])
    """
    return apply(stable.softmax, x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Variable:
    """The logarithm of `softmax`, without its rounding to 0: yᵢ = xᵢ − log Σⱼ e^xⱼ along `axis`.

    >>> log_softmax([1000.0, 0.0])
    variable([    0. -1000.])
    """
    return apply(stable.log_softmax, x, axis=axis)


def logsumexp(x: Any, axis: Axis = -1, keepdims: bool = False) -> Variable:
    """log Σ eˣ along `axis`, without overflow; −∞ where all x are −∞.

    >>> logsumexp([1e4, 1e4])
    variable(10000.69314718...)
    """
    return apply(stable.logsumexp, x, axis=axis, keepdims=keepdims)


PULLBACKS |= {
    stable.sigmoid: lambda gy, y, x: gy * y * (1 - y),
    _relu: lambda gy, y, x: gy * (y > 0),
    _normal: lambda gy, y, x: gy * (y * (1 - y)) * (x * x * (3 * _A * _B) + _B),
}


array_softmax = primitive(stable.softmax)
"""What `softmax` is within rules: on arrays it returns arrays."""


@pullback(stable.softmax)
def d_softmax(gy: Any, y: Any, x: Any, axis: int = -1) -> Any:
    return softmax_gradient(gy, y, axis=axis)


@primitive
def softmax_gradient(gy: Any, y: Any, axis: int = -1) -> Any:
    """y·(gy − Σ gy·y) along `axis`, for y = softmax(x)."""
    gx = gy - np.expand_dims(np.vecdot(gy, y, axis=axis), axis)
    gx *= y
    return gx


PULLBACKS[softmax_gradient.primitive] = (  # type: ignore[attr-defined]
    lambda ggx, gx, gy, y, axis=-1: softmax_gradient(ggx, y, axis=axis),
    lambda ggx, gx, gy, y, axis=-1: (
        ggx * (gy - (gy * y).sum(axis=axis, keepdims=True)) - gy * (ggx * y).sum(axis=axis, keepdims=True)
    ),
)


@pullback(stable.log_softmax)
def d_log_softmax(gy: Any, y: Any, x: Any, axis: int = -1) -> Any:
    return gy - np.exp(y) * gy.sum(axis=axis, keepdims=True)


@pullback(stable.logsumexp)
def d_logsumexp(gy: Any, y: Any, x: Any, axis: Axis = -1, keepdims: bool = False) -> Any:
    """The softmax, eˣ⁻ʸ; zeros where all x are −∞."""
    gy, y = (np.reshape(a, keepdims_shape(x.shape, axis)) for a in (gy, y))
    return gy * np.exp(x - np.maximum(y, np.finfo(x.dtype).min))
