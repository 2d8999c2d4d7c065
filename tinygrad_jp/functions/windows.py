"""How a kernel moves over an image, and the checks of what a user says about it."""

import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

from tinygrad_jp.core import Shape
from tinygrad_jp.kinds import Index, np

Pair = tuple[int, int]
Size = int | Pair
"""An integer, or a pair of them for rows and columns."""


class Window(NamedTuple):
    """How a kernel moves over an image. Each field holds a number for the rows and one for the columns."""

    kernel: Pair
    stride: Pair
    pad: Pair
    dilation: Pair = (1, 1)

    def outsize(self, size: Shape) -> Pair:
        """The places of the kernel on an image, down and across: ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 for n pixels."""
        OH, OW = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, *self, strict=True))
        return OH, OW

    def overlap(self, axis: int, k: int, n: int) -> tuple[slice, slice]:
        """The places where element k of the kernel lies on the image, not on the padding, and its pixels there.

        Along an axis of n = 4 pixels, with pad 1, element 0 of a kernel of 3 is on the padding at place 0:

        >>> Window((3, 3), (1, 1), (1, 1)).overlap(axis=0, k=0, n=4)
        (slice(1, 4, None), slice(0, 3, 1))
        """
        stride, offset = self.stride[axis], k * self.dilation[axis] - self.pad[axis]
        first = max(0, -(offset // stride))
        count = max(0, min(self.outsize((n, n))[axis], (n - 1 - offset) // stride + 1) - first)
        start = first * stride + offset
        return slice(first, first + count), slice(start, start + count * stride, stride)

    def overlaps(self, size: Shape) -> Iterator[tuple[Index, Index, Index]]:
        """For each element (k, l) of the kernel: its index in columns, and the indices of its places and its pixels."""
        for k, l in np.ndindex(self.kernel):
            (oh, ih), (ow, iw) = self.overlap(0, k, size[0]), self.overlap(1, l, size[1])
            yield (..., k, l, oh, ow), (..., oh, ow), (..., ih, iw)

    def row(self, pad: int = 0) -> "Window":
        """The same for one row of the kernel, which meets every row of the image and `pad` rows above and below."""
        return Window((1, self.kernel[1]), (1, self.stride[1]), (pad, self.pad[1]), (1, self.dilation[1]))


def window_on(
    name: str, shape: Shape | None, kernel: Size | Shape, stride: Size, pad: Size, dilation: Size = 1
) -> Window:
    """The window of these settings. If it has no place on images of this shape, an error in the name of `name`."""
    settings = {"kernel_size": (kernel, 1), "stride": (stride, 1), "pad": (pad, 0), "dilation": (dilation, 1)}
    window = Window(*(pair(name, what, value, least) for what, (value, least) in settings.items()))
    if shape is not None:
        check_axes(name, "x", shape, "(N, C, H, W)")
        if min(window.outsize(shape[2:])) < 1:
            reach = tuple(d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True))
            padded = tuple(n + 2 * p for n, p in zip(shape[2:], window.pad, strict=True))
            raise ValueError(f"{name}: expected a kernel within the padded image {padded}, got {reach}; pad more")
    return window


def pair(name: str, what: str, value: Any, least: int) -> Pair:
    """An integer twice, or a pair of integers."""
    try:
        a, b = map(operator.index, value if isinstance(value, tuple | list) else (value, value))
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {what} as an integer or a pair of integers, got {value!r}") from None
    if min(a, b) < least:
        raise ValueError(f"{name}: expected {what} of at least {least}, got {value}")
    return a, b


def check_axes(name: str, what: str, shape: Shape, axes: str) -> None:
    if len(shape) != 4:
        raise ValueError(f"{name}: expected {what} of shape {axes}, got {shape}; reshape it, adding axes of length 1")


def check_channels(name: str, x: Shape, W: Shape, b: Shape | None, groups: int, transposed: bool = False) -> None:
    """Refuse shapes of x, W and b, and a number of groups, that do not fit each other."""
    check_axes(name, "x", x, "(N, C, H, W)")
    check_axes(name, "W", W, "(C, OC/groups, KH, KW)" if transposed else "(OC, C/groups, KH, KW)")
    if pair(name, "groups", groups, 1) != (groups, groups) or W[0] % groups:
        raise ValueError(f"{name}: expected groups, a number that divides the first axis of W {W}, got {groups}")
    C, OC = (W[0], W[1] * groups) if transposed else (W[1] * groups, W[0])
    if x[1] != C:
        raise ValueError(f"{name}: with W {W} and groups={groups}, expected x of shape (N, {C}, H, W), got {x}")
    if b is not None and b != (OC,):
        raise ValueError(f"{name}: expected b of shape ({OC},), one number for each channel of y, got {b}")
