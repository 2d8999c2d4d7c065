"""Convolutional layers."""

from collections.abc import Mapping

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp.core import Array, Parameter, Variable
from tinygrad_jp.core.errors import warn_user
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside
from tinygrad_jp.functions.convolution import Size
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.layers.entrance import NUMBERS
from tinygrad_jp.layers.initializers import Initializer, initialize
from tinygrad_jp.layers.layer import Layer
from tinygrad_jp.randomness import Rng

__all__ = ["Conv2d", "Deconv2d"]


class Conv2d(Layer):
    """A convolution with learned kernels: `F.conv2d`, with x (N, C, H, W) and y (N, OC, OH, OW).

    The kernels W (OC, C/groups, KH, KW) start from `init`, by default with the variance groups / (C·KH·KW), and b (OC,)
    from zero. If `in_channels` is not given, the first x determines it. `nobias` leaves out b.

    PyTorch's `Conv2d(1, 16, 3)` is `Conv2d(16, 3, in_channels=1)`, or `Conv2d(16, 3)`; numbers in PyTorch's order warn.

    >>> layer = Conv2d(16, 3, pad=1, rng=0)
    >>> layer(np.ones((5, 3, 8, 8), np.float32)).shape, layer.W.shape
    ((5, 16, 8, 8), (16, 3, 3, 3))
    """

    _converts = NUMBERS

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        pad: Size = 0,
        nobias: bool = False,
        dtype: DTypeLike = np.float32,
        in_channels: int | None = None,
        *,
        dilation: Size = 1,
        groups: int = 1,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        if in_channels is None and _looks_like_torch(out_channels, kernel_size, stride):
            warn_user(
                f"{type(self).__name__}({out_channels}, {kernel_size}, {stride}) has "
                f"{counted(out_channels, 'channel')} as output and a kernel of {kernel_size} by {kernel_size}. "
                f"PyTorch's order, in, out, kernel, is written "
                f"{type(self).__name__}({kernel_size}, {stride}, in_channels={out_channels}) here; "
                f"if the large kernel is meant, write kernel_size=({kernel_size}, {kernel_size})",
                UserWarning,
            )
        if groups < 1 or out_channels % groups:
            raise ValueError(
                f"{type(self).__name__}: expected groups that divide out_channels={out_channels}, got {groups}"
            )
        self.out_channels, self.kernel_size, self.stride, self.pad = out_channels, kernel_size, stride, pad
        self.dtype, self.dilation, self.groups, self.init, self.rng = dtype, dilation, groups, init, rng
        self.W = Parameter(name="W")
        self.b = None if nobias else Parameter(np.zeros(out_channels, dtype), name="b")
        if in_channels is not None:
            self._init_W(in_channels)

    def _init_W(self, in_channels: int, x: Array | None = None) -> None:
        if in_channels % self.groups:
            raise ValueError(
                f"{type(self).__name__}: expected in_channels that groups={self.groups} divides, got {in_channels}"
            )
        kernel = self.kernel_size if isinstance(self.kernel_size, tuple | list) else (self.kernel_size,) * 2
        shape = (self.out_channels, in_channels // self.groups, *kernel)
        self.W.data = beside(self._arranged(initialize(self.init, shape, self.dtype, self.rng)), x)

    def _arranged(self, W: Array) -> Array:
        """The kernels (OC, C/groups, KH, KW) in the order in which the layer keeps them."""
        return W

    def _in_channels(self) -> int:
        return self.W.shape[1] * self.groups

    def forward(self, x: Array) -> Variable:
        waits = self.W.data is None
        if x.ndim != 4 or not waits and x.shape[1] != self._in_channels():
            raise ValueError(
                f"{type(self).__name__}: expected x of shape (N, {'C' if waits else self._in_channels()}, H, W), "
                f"got {x.shape}; reshape it, with 1 for an axis that is missing, or give the layer other in_channels"
            )
        if waits:
            self._init_W(x.shape[1], x)
        try:
            return self._computed(x)
        except ValueError:
            if waits:
                self.W.data = None  # An x that does not fit must not determine the sizes.
            raise

    def _computed(self, x: Array) -> Variable:
        return F.conv2d(x, self.W, self.b, self.stride, self.pad, dilation=self.dilation, groups=self.groups)

    def _torch_names(self) -> Mapping[str, str]:
        return {"W": "weight", "b": "bias"}

    def _signature(self) -> str:
        channels = "?" if self.W.data is None else self._in_channels()
        usual = {"stride": 1, "pad": 0, "dilation": 1, "groups": 1}
        settings = "".join(f", {k}={getattr(self, k)}" for k, v in usual.items() if getattr(self, k) not in (v, (v, v)))
        return f"{type(self).__name__}({channels}, {self.out_channels}, {self.kernel_size}{settings})"


def _looks_like_torch(out_channels: int, kernel: Size, stride: Size) -> bool:
    """Whether the numbers are rather in, out and kernel: a kernel wider than usual, and a stride that is usual for one.

    Large kernels have strides of their own or half their width, as in upsampling; or many channels.
    """
    if not isinstance(kernel, int) or not isinstance(stride, int):
        return False
    wide = min(out_channels, 16) <= kernel != 2 * stride
    return wide and 1 < stride < min(kernel, 8) and (kernel >= 8 or stride in (3, 5, 7))


class Deconv2d(Conv2d):
    """A transposed convolution with learned kernels: `F.deconv2d`, with x (N, C, H, W) and y (N, OC, OH, OW).

    The kernels W are (C, OC/groups, KH, KW). Everything else is as in `Conv2d`.

    >>> layer = Deconv2d(16, 4, stride=2, pad=1, rng=0)
    >>> layer(np.ones((5, 3, 8, 8), np.float32)).shape, layer.W.shape
    ((5, 16, 16, 16), (3, 16, 4, 4))
    """

    def _arranged(self, W: Array) -> Array:
        OC, C, KH, KW = W.shape
        if callable(self.init) or self.init == "orthogonal":
            W = W.reshape(self.groups, OC // self.groups, C, KH, KW).swapaxes(1, 2)
        # Otherwise all elements are alike, and they come in DeZero's order.
        return np.ascontiguousarray(W.reshape(self.groups * C, OC // self.groups, KH, KW))

    def _in_channels(self) -> int:
        return self.W.shape[0]

    def _computed(self, x: Array) -> Variable:
        return F.deconv2d(x, self.W, self.b, self.stride, self.pad, dilation=self.dilation, groups=self.groups)
