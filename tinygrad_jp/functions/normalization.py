"""Normalization, and dropout: what keeps training on its way."""

from typing import Any

import numpy

from tinygrad_jp.core import PULLBACKS, Axis, Variable, apply, as_variable, pullback
from tinygrad_jp.core.kinds import np
from tinygrad_jp.core.settings import TRAIN
from tinygrad_jp.core.table import Joint
from tinygrad_jp.functions.stable import sum_rows
from tinygrad_jp.randomness import Rng, generator

__all__ = ["batch_norm", "dropout", "group_norm", "layer_norm"]


def batch_norm(x: Any, gamma: Any, beta: Any, mean: Any, var: Any, decay: float = 0.9, eps: float = 2e-5) -> Variable:
    """Normalize each channel over the batch: y = gamma · (x − mean) / √(var + eps) + beta.

    x is (N, C) or (N, C, ...); gamma, beta, mean and var are (C,). While training, mean and var are those of the batch,
    and the arrays `mean` and `var` are moved towards them in place: mean ← decay·mean + (1 − decay)·batch mean, and var
    likewise, by the unbiased variance. Under `test_mode()` these arrays are used.

    Source: Ioffe and Szegedy, Batch Normalization, 2015.

    >>> mean, var = np.zeros(1), np.ones(1)
    >>> batch_norm([[1.0], [3.0]], np.ones(1), np.zeros(1), mean, var)
    variable([[-0.99999]
              [ 0.99999]])
    >>> mean, var
    (array([0.2]), array([1.1]))
    """
    x = as_variable(x)
    if x.ndim < 2 or any(np.shape(p) != x.shape[1:2] for p in (gamma, beta, mean, var)):
        shapes = ", ".join(str(np.shape(p)) for p in (gamma, beta, mean, var))
        raise ValueError(f"batch_norm: expected x of shape (N, C, ...) and four of (C,), got {x.shape} and {shapes}")
    channel = (1, -1) + (1,) * (x.ndim - 2)
    mean, var = (p.data if isinstance(p, Variable) else p for p in (mean, var))
    if TRAIN.get():
        axes = (0, *range(2, x.ndim))
        n = x.size // max(x.shape[1], 1)
        y, batch_mean, batch_var = _standardized(x, axes, eps)
        mean += (1 - decay) * (batch_mean.ravel() - mean)
        var += (1 - decay) * (batch_var.ravel() * (n / max(n - 1, 1)) - var)
    else:
        scale = 1 / np.sqrt(var.reshape(channel) + eps)
        y = (x - mean.reshape(channel)) * scale.astype(x.dtype)
    return y * np.reshape(gamma, channel) + np.reshape(beta, channel)


def layer_norm(x: Any, gamma: Any = None, beta: Any = None, *, axis: Axis = -1, eps: float = 1e-5) -> Variable:
    """Normalize each example over `axis`: y = gamma · (x − mean) / √(var + eps) + beta.

    gamma and beta, where they are given, broadcast to x. Source: Ba et al., Layer Normalization, 2016.

    >>> layer_norm([[1.0, 3.0], [10.0, 30.0]])
    variable([[-0.999995    0.999995  ]
              [-0.99999995  0.99999995]])
    """
    x = as_variable(x)
    if axis == -1 and x.dtype.kind == "f" and np.shape(gamma) == np.shape(beta) == x.shape[-1:]:
        return apply(_layer_norm, x, gamma, beta, eps=eps)
    y, _, _ = _standardized(x, axis, eps)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def _layer_norm(x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    z, _ = _last_standardized(x, eps)
    return z * gamma + beta


def _last_standardized(x: Any, eps: float) -> Any:
    """z, which is x with mean 0 and variance 1 over the last axis, and 1 / √(variance + eps)."""
    z = x - _last_mean(x)
    scale = 1 / np.sqrt(_last_mean(z * z) + eps)
    return z * scale, scale


def _last_mean(x: Any) -> Any:
    """The mean over the last axis, as a product with 1/D: BLAS sums faster than NumPy."""
    return np.expand_dims(x @ numpy.full(x.shape[-1], 1 / x.shape[-1], x.dtype), -1)


def d_layer_norm(gy: Any, y: Any, x: Any, gamma: Any, beta: Any, *, eps: float) -> Any:
    """What remains of gy·gamma without its mean and its part along z, over the deviation."""
    z, scale = _last_standardized(x, eps)
    gz = gy * gamma
    gx = (gz - _last_mean(gz) - z * _last_mean(gz * z)) * scale
    return gx, sum_rows(gy * z), sum_rows(gy)


PULLBACKS[_layer_norm] = Joint(d_layer_norm)


def group_norm(x: Any, groups: int, gamma: Any = None, beta: Any = None, *, eps: float = 1e-5) -> Variable:
    """Normalize each example of x (N, C, ...) over each of `groups` groups of channels; gamma and beta are (C,).

    Source: Wu and He, Group Normalization, 2018.

    >>> group_norm(np.arange(8.0).reshape(1, 4, 2), groups=2).data.round(2)
    array([[[-1.34, -0.45],
            [ 0.45,  1.34],
            [-1.34, -0.45],
            [ 0.45,  1.34]]])
    """
    shape = np.shape(x)
    if len(shape) < 2 or groups < 1 or shape[1] % groups:
        raise ValueError(f"group_norm: expected x (N, C, ...) whose C {groups} groups divide, got {shape}")
    y = apply(np.reshape, x, shape=(shape[0], groups, -1))
    y = np.reshape(_standardized(y, -1, eps)[0], shape)
    channel = (1, -1) + (1,) * (len(shape) - 2)
    y = y if gamma is None else y * np.reshape(gamma, channel)
    return y if beta is None else y + np.reshape(beta, channel)


def _standardized(x: Variable, axis: Axis, eps: float) -> tuple[Variable, Any, Any]:
    """x with mean 0 and variance 1 over `axis`; and its mean and variance, as arrays."""
    mean = x.data.mean(axis=axis, keepdims=True)
    var = x.data.var(axis=axis, keepdims=True, mean=mean)
    return apply(_normalized, x, axis=axis, eps=eps, mean=mean, deviation=np.sqrt(var + eps)), mean, var


def _normalized(x: Any, axis: Axis, eps: float, mean: Any, deviation: Any) -> Any:
    y = x - mean
    y /= deviation
    return y


@pullback(_normalized)
def d_normalized(gy: Any, y: Any, x: Any, axis: Axis, eps: float, mean: Any, deviation: Any) -> Any:
    """What remains of gy without its mean and its part along y, over the deviation √(variance + eps)."""
    if isinstance(x, Variable):  # Its derivative is asked for, so that it takes more than the number found forwards.
        deviation = np.sqrt(np.var(x, axis=axis, keepdims=True) + eps)
    along = (gy * y).mean(axis=axis, keepdims=True)
    return (gy - gy.mean(axis=axis, keepdims=True) - y * along) / deviation


def dropout(x: Any, dropout_ratio: float = 0.5, *, rng: Rng = None) -> Variable:
    """While training, set each element to 0 with probability `dropout_ratio`, and scale the rest to keep the mean.

    y = x · m / (1 − ratio), where m is 0 or 1. Under `test_mode()` y = x. The mask comes from `rng`, a seed or a
    `numpy.random.Generator`. Source: Srivastava et al., Dropout, JMLR 15 (2014), in its inverted form.

    >>> dropout(np.ones(6), 0.5, rng=0)
    variable([2. 2. 2. 0. 0. 0.])
    """
    if not 0 <= dropout_ratio < 1:
        raise ValueError(f"dropout: expected a ratio of at least 0 and below 1, got {dropout_ratio}")
    x = as_variable(x)
    if not TRAIN.get() or dropout_ratio == 0:
        return x
    mask = generator(rng).random(x.shape, dtype=np.float32) >= dropout_ratio
    return x * (mask * x.dtype.type(1 / (1 - dropout_ratio)))
