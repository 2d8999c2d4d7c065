"""Layers that normalize what flows through them."""

from collections.abc import Mapping

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp.core import Array, Parameter, Variable
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.layers.entrance import NUMBERS
from tinygrad_jp.layers.layer import Buffer, Layer

__all__ = ["BatchNorm", "GroupNorm", "LayerNorm"]


class BatchNorm(Layer):
    """Normalize each channel of x (N, C) or (N, C, ...) over the batch, then scale by gamma and shift by beta.

    While training, the mean and the variance are those of the batch, and `avg_mean` and `avg_var` follow them: see
    `F.batch_norm`. Under `test_mode()` these averages are used. The first x determines C.

    >>> layer = BatchNorm(dtype=np.float64)
    >>> layer([[1.0], [3.0]])
    variable([[-0.99999]
              [ 0.99999]])
    >>> layer.avg_mean, layer.avg_var
    (variable([0.2]), variable([1.1]))
    """

    _converts = NUMBERS

    def __init__(self, *, decay: float = 0.9, eps: float = 2e-5, dtype: DTypeLike = np.float32) -> None:
        self.decay, self.eps, self.dtype = decay, eps, dtype
        self.gamma, self.beta = Parameter(name="gamma"), Parameter(name="beta")
        self.avg_mean, self.avg_var = Buffer(name="avg_mean"), Buffer(name="avg_var")

    def forward(self, x: Array) -> Variable:
        if self.gamma.data is None and x.ndim > 1:
            for p, start in ((self.gamma, 1), (self.beta, 0), (self.avg_mean, 0), (self.avg_var, 1)):
                p.data = beside(np.full(x.shape[1], start, self.dtype), x)
        channels = "C" if self.gamma.data is None else self.gamma.size
        if x.shape[1:2] != (channels,):
            raise ValueError(f"BatchNorm: expected x of shape (N, {channels}, ...), got {x.shape}; reshape it")
        return F.batch_norm(x, self.gamma, self.beta, self.avg_mean, self.avg_var, self.decay, self.eps)

    def _torch_names(self) -> Mapping[str, str]:
        return {"gamma": "weight", "beta": "bias", "avg_mean": "running_mean", "avg_var": "running_var"}

    def _signature(self) -> str:
        return f"BatchNorm({'?' if self.gamma.data is None else self.gamma.size})"


class LayerNorm(Layer):
    """Normalize each vector of x (..., D), its last axis, then scale by gamma (D,) and shift by beta (D,).

    It computes the same while training and under `test_mode()`: see `F.layer_norm`. If `size`, D, is not given, the
    first x determines it.

    >>> LayerNorm()([[1.0, 3.0], [10.0, 30.0]]).data.round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    _converts = NUMBERS

    def __init__(self, size: int | None = None, *, dtype: DTypeLike = np.float32, eps: float = 1e-5) -> None:
        self.dtype, self.eps = dtype, eps
        self.gamma, self.beta = Parameter(name="gamma"), Parameter(name="beta")
        if size is not None:
            self._init_params(size)

    def _init_params(self, size: int, x: Array | None = None) -> None:
        ones, zeros = np.ones(size, self.dtype), np.zeros(size, self.dtype)
        self.gamma.data, self.beta.data = beside(ones, x), beside(zeros, x)

    def forward(self, x: Array) -> Variable:
        if self.gamma.data is None and x.ndim:
            self._init_params(x.shape[-1], x)
        size = "D" if self.gamma.data is None else self.gamma.size
        if x.shape[-1:] != (size,):
            raise ValueError(f"LayerNorm: expected x of shape (..., {size}), got {x.shape}; reshape it")
        return F.layer_norm(x, self.gamma, self.beta, eps=self.eps)

    def _torch_names(self) -> Mapping[str, str]:
        return {"gamma": "weight", "beta": "bias"}

    def _signature(self) -> str:
        return f"LayerNorm({'?' if self.gamma.data is None else self.gamma.size})"


class GroupNorm(Layer):
    """Normalize each example of x (N, C, ...) over each of `groups` groups of channels, then scale and shift.

    gamma and beta are (C,). It computes the same while training and under `test_mode()`: see `F.group_norm`. If `size`,
    C, is not given, the first x determines it. With one group, this is `LayerNorm` over whole examples.

    >>> layer = GroupNorm(2)
    >>> layer(np.ones((3, 4, 5, 5), np.float32)).shape, layer.gamma.shape
    ((3, 4, 5, 5), (4,))
    """

    _converts = NUMBERS

    def __init__(
        self, groups: int, size: int | None = None, *, dtype: DTypeLike = np.float32, eps: float = 1e-5
    ) -> None:
        self.groups, self.dtype, self.eps = groups, dtype, eps
        self.gamma, self.beta = Parameter(name="gamma"), Parameter(name="beta")
        if groups < 1 or size is not None:
            self._init_params(size or 0)

    def _init_params(self, size: int, x: Array | None = None) -> None:
        if self.groups < 1 or size % self.groups:
            raise ValueError(f"GroupNorm: expected a size that groups={self.groups} divides, got {size}; change either")
        ones, zeros = np.ones(size, self.dtype), np.zeros(size, self.dtype)
        self.gamma.data, self.beta.data = beside(ones, x), beside(zeros, x)

    def forward(self, x: Array) -> Variable:
        if self.gamma.data is None and x.ndim > 1:
            self._init_params(x.shape[1], x)
        size = "C" if self.gamma.data is None else self.gamma.size
        if x.shape[1:2] != (size,):
            raise ValueError(f"GroupNorm: expected x of shape (N, {size}, ...), got {x.shape}; reshape it")
        return F.group_norm(x, self.groups, self.gamma, self.beta, eps=self.eps)

    def _torch_names(self) -> Mapping[str, str]:
        return {"gamma": "weight", "beta": "bias"}

    def _signature(self) -> str:
        return f"GroupNorm({self.groups}, {'?' if self.gamma.data is None else self.gamma.size})"
