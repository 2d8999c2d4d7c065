"""Normalization and dropout, which keep training stable."""

import functools
import math

import numpy

from tinygrad_jp.core import PULLBACKS, Array, ArrayLike, Axis, Variable, apply, as_variable, pullback
from tinygrad_jp.core.arrays import keepdims_shape, normalize_axes, reduced_size
from tinygrad_jp.core.operators import Operators
from tinygrad_jp.core.settings import OBSERVER, TRAIN
from tinygrad_jp.core.table import Joint
from tinygrad_jp.devices import apart, beside, device_of, on_device
from tinygrad_jp.functions.precision import upcast
from tinygrad_jp.functions.stable import sum_rows
from tinygrad_jp.kinds import DTypeLike, Shape, np
from tinygrad_jp.randomness import Rng, generator

__all__ = ["batch_norm", "dropout", "group_norm", "layer_norm"]


@upcast("x", "gamma", "beta", integers=True)
def batch_norm(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    decay: float = 0.9,
    eps: float = 2e-5,
) -> Variable:
    """Normalize each channel over the batch: y = gamma · (x − mean) / √(var + eps) + beta.

    x is (N, C) or (N, C, ...); gamma, beta, mean and var are (C,). While training, the mean and variance are those of
    the batch, and the arrays `mean` and `var` are moved towards them in place: mean ← decay·mean + (1 − decay)·(batch
    mean), and var likewise, by the unbiased variance. A batch of no examples moves nothing. Under `test_mode()` the
    arrays `mean` and `var` are used.

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
    statistics: list[Array] = [p.data if isinstance(p, Variable) else p for p in (mean, var)]
    if error := apart("batch_norm", (x, *statistics)):
        raise error
    if TRAIN.get():
        y, *moments = _standardized(x, (0, *range(2, x.ndim)), eps)
        _update(statistics, moments, 1 - decay, x.size // max(x.shape[1], 1))
    else:
        m, v = (np.reshape(p, channel).astype(x.dtype) for p in statistics)
        y = (x - m) * (1 / np.sqrt(v + eps))
    return y * np.reshape(gamma, channel) + np.reshape(beta, channel)


def _update(statistics: list[Array], moments: list[Array], step: float, n: int) -> None:
    """Move the running mean and variance towards those of a batch with n elements in each channel."""
    if not all(isinstance(p, numpy.ndarray) or on_device(p) for p in statistics):
        kinds = " and ".join(type(p).__name__ for p in statistics)
        raise TypeError(f"batch_norm: expected mean and var as arrays, which are updated in place, got {kinds}")
    if n:
        (mean, var), (batch_mean, batch_var) = statistics, moments
        mean += step * (batch_mean.ravel() - mean)
        var += step * (batch_var.ravel() * (n / max(n - 1, 1)) - var)


@upcast("x", "gamma", "beta", integers=True)
def layer_norm(
    x: ArrayLike, gamma: ArrayLike | None = None, beta: ArrayLike | None = None, *, axis: Axis = -1, eps: float = 1e-5
) -> Variable:
    """Normalize each example over `axis`: y = gamma · (x − mean) / √(var + eps) + beta.

    gamma and beta, where they are given, broadcast to x. Source: Ba et al., Layer Normalization, 2016.

    >>> layer_norm([[1.0, 3.0], [10.0, 30.0]])
    variable([[-0.999995    0.999995  ]
              [-0.99999995  0.99999995]])
    """
    x = as_variable(x)
    if not x.ndim:
        return layer_norm(np.reshape(x, 1), gamma, beta, axis=axis, eps=eps).reshape(())
    if axis == -1 and np.shape(gamma) == np.shape(beta) == x.shape[-1:]:
        return apply(_layer_norm, x, gamma, beta, eps=eps)
    y, _, _ = _standardized(x, axis, eps)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def _layer_norm(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    z, _ = _last_standardized(x, eps)
    y = z * gamma
    if beta.dtype != y.dtype:
        return y + beta
    y += beta
    return y


def _last_standardized(x: Array, eps: float) -> tuple[Array, Array]:
    """z, which is x with mean 0 and variance 1 over the last axis, and 1 / √(variance + eps)."""
    z = x - x[..., :1]  # A mean of equal numbers is rounded; their differences are 0, and so is the mean of these.
    z -= _last_mean(z)
    scale = 1 / np.sqrt(_last_mean(z * z) + eps)
    z *= scale
    return z, scale


def _last_mean(x: Array) -> Array:
    """The mean over the last axis, kept with length 1, as a product with 1/D: BLAS sums faster than NumPy."""
    if type(x) is not np.ndarray and device_of(x) is not None:
        return x.mean(axis=-1, keepdims=True)
    return (x @ _weights(x.shape[-1], x.dtype))[..., None]


@functools.lru_cache(maxsize=16)
def _weights(n: int, dtype: DTypeLike) -> Array:
    """A vector of n times 1/n. It is shared, so it cannot be written to."""
    weights = np.full(n, 1 / max(n, 1), dtype)
    weights.flags.writeable = False
    return weights


def d_layer_norm(gy: Array, y: Array, x: Array, gamma: Array, beta: Array, *, eps: float) -> tuple[Array, ...]:
    """What remains of gy·gamma without its mean and its part along z, over the deviation."""
    z, scale = _last_standardized(x, eps)
    gz = gy * gamma
    gx = gz - _last_mean(gz) - z * _last_mean(gz * z)
    gx *= scale
    return gx, sum_rows(gy * z), sum_rows(gy)


PULLBACKS[_layer_norm] = Joint(d_layer_norm)


@upcast("x", "gamma", "beta", integers=True)
def group_norm(
    x: ArrayLike, groups: int, gamma: ArrayLike | None = None, beta: ArrayLike | None = None, *, eps: float = 1e-5
) -> Variable:
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
    y = apply(np.reshape, x, shape=(shape[0], groups, math.prod(shape[1:]) // groups))
    y = np.reshape(_standardized(y, -1, eps)[0], shape)
    channel = (1, -1) + (1,) * (len(shape) - 2)
    y = y if gamma is None else y * np.reshape(gamma, channel)
    return y if beta is None else y + np.reshape(beta, channel)


def _standardized(x: Variable, axis: Axis, eps: float) -> tuple[Variable, Array, Array]:
    """x with mean 0 and variance 1 over `axis`; and its mean and variance, as arrays."""
    y, mean, var = _centered(x.data, axis)
    deviation = np.sqrt(var + eps)
    y /= deviation  # This is `_normalized`, which would subtract the mean a second time.
    settings = {"axis": axis, "eps": eps, "mean": mean, "deviation": deviation}
    return Variable.record(_normalized, (x.data,), settings, (x,), y), mean, var


def _centered(x: Array, axis: Axis) -> tuple[Array, Array, Array]:
    """x less its mean over `axis`; the mean and the variance, which are zeros over no elements.

    A mean of equal numbers is rounded, so this is one of them plus the mean of the differences from it: exact where
    all are equal.
    """
    if not x.size:
        return x.copy(), *np.zeros((2, *keepdims_shape(x.shape, axis)), x.dtype, like=x)
    axes = normalize_axes(axis, x.ndim)
    first = x[tuple(slice(0, 1) if i in axes else slice(None) for i in range(x.ndim))]
    z = x - first
    mean = z.mean(axis=axis, keepdims=True)
    z -= mean
    return z, first + mean, (z * z).mean(axis=axis, keepdims=True)


def _normalized(x: Array, axis: Axis, eps: float, mean: Array | None = None, deviation: Array | None = None) -> Array:
    z, _, var = _centered(x, axis)
    return z / np.sqrt(var + eps)


@pullback(_normalized)
def d_normalized(
    gy: Array, y: Array, x: Array, axis: Axis, eps: float, mean: Array | None = None, deviation: Array | None = None
) -> Array:
    """What remains of gy without its mean and its part along y, over the deviation √(variance + eps)."""
    n = max(reduced_size(x.shape, axis), 1)
    if isinstance(x, Operators) and x.size:  # It depends on x, which matters for the second derivative.
        deviation = np.sqrt(np.var(x, axis=axis, keepdims=True) + eps)
    along = (gy * y).sum(axis=axis, keepdims=True) / n
    return (gy - gy.sum(axis=axis, keepdims=True) / n - y * along) / deviation


def _uniform(rng: Rng, shape: Shape) -> Array:
    """Random numbers from 0 to 1, 1 excluded."""
    return generator(rng).random(shape, dtype=np.float32)


@upcast("x", integers=True)
def dropout(x: ArrayLike, dropout_ratio: float = 0.5, *, rng: Rng = None) -> Variable:
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
    draw, observer = functools.partial(_uniform, rng, x.shape), OBSERVER.get()
    recorder = None if observer is None else observer.recorder
    mask = (draw() if recorder is None else recorder.drawn(draw)) >= dropout_ratio
    return x * (beside(mask, x) * x.dtype.type(1 / (1 - dropout_ratio)))
