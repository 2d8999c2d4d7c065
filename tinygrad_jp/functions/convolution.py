"""Convolution and pooling: the functions of images, known as part of `F`.

A batch of images is (N, C, H, W): N examples of C channels, H rows and W columns. That is the order of its axes. In
memory, what is computed here lies as (C, H, W, N): then the product of matrices that a convolution comes down to leaves
its result in place, operations element by element keep the order, and flattening to (N, C·H·W) copies nothing. Any
other order is accepted.
"""

import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

from numpy.lib.stride_tricks import as_strided

from tinygrad_jp.core import PULLBACKS, Variable, apply, primitive
from tinygrad_jp.core.kinds import np
from tinygrad_jp.core.table import OUTPUT_UNUSED

__all__ = ["average_pooling", "col2im", "conv2d", "deconv2d", "im2col", "pooling"]

Pair = tuple[int, int]
Size = int | Pair


class Window(NamedTuple):
    """How a kernel moves over an image: a number for the rows and one for the columns of each."""

    kernel: Pair
    stride: Pair
    pad: Pair
    dilation: Pair = (1, 1)

    def outsize(self, size: Any) -> Pair:
        """The places of the kernel on an image, down and across: ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 for n pixels."""
        OH, OW = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, *self, strict=True))
        return OH, OW

    def overlap(self, axis: int, k: int, n: int) -> tuple[slice, slice]:
        """The places where element k of the kernel meets the image, not the padding, and the pixels that it meets."""
        stride, offset = self.stride[axis], k * self.dilation[axis] - self.pad[axis]
        first = max(0, -(offset // stride))
        count = max(0, min(self.outsize((n, n))[axis], (n - 1 - offset) // stride + 1) - first)
        start = first * stride + offset
        return slice(first, first + count), slice(start, start + count * stride, stride)

    def overlaps(self, size: Any) -> Iterator[tuple[Any, Any, Any]]:
        """For each element (k, l) of the kernel: its index in columns, and the indices of its places and its pixels."""
        for k, l in np.ndindex(self.kernel):
            (oh, ih), (ow, iw) = self.overlap(0, k, size[0]), self.overlap(1, l, size[1])
            yield (..., k, l, oh, ow), (..., oh, ow), (..., ih, iw)

    def row(self, pad: int = 0) -> "Window":
        """The same for one row of the kernel, which meets every row of the image and `pad` rows above and below."""
        return Window((1, self.kernel[1]), (1, self.stride[1]), (pad, self.pad[1]), (1, self.dilation[1]))


# ---------------------------------------------------------------------------------------------------------------------
# Columns


def im2col(x: Any, kernel_size: Size, stride: Size = 1, pad: Size = 0, to_matrix: bool = True) -> Variable:
    """The pixels under a kernel at each of its places: images as columns.

    col[n, c, k, l, i, j] = x[n, c, i·s + k − p, j·s + l − p], and 0 beyond the edges, with s the stride and p the pad.
    x is (N, C, H, W); the result is a matrix (N·OH·OW, C·KH·KW), a row for each place, or as it stands in the formula,
    (N, C, KH, KW, OH, OW), if `to_matrix` is False. `col2im` is its adjoint.

    Source: Chellapilla et al., High Performance Convolutional Neural Networks for Document Processing, 2006.

    >>> im2col(np.arange(9.0).reshape(1, 1, 3, 3), 2)
    variable([[0. 1. 3. 4.]
              [1. 2. 4. 5.]
              [3. 4. 6. 7.]
              [4. 5. 7. 8.]])
    """
    col = apply(_im2col, x, window=_window("im2col", np.shape(x), kernel_size, stride, pad))
    N, C, KH, KW, OH, OW = col.shape
    return np.transpose(col, (0, 4, 5, 1, 2, 3)).reshape(N * OH * OW, C * KH * KW) if to_matrix else col


def col2im(
    col: Any, input_shape: tuple[int, ...], kernel_size: Size, stride: Size = 1, pad: Size = 0, to_matrix: bool = True
) -> Variable:
    """The adjoint of `im2col`: each column is added to the pixels that it came from.

    `col` has the form that `im2col` gives for an x of `input_shape` (N, C, H, W), by `to_matrix`; the result has that
    shape. A pixel that was met at several places is a sum: this is not the inverse.

    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2)
    variable([[[[1. 2. 1.]
                [2. 4. 2.]
                [1. 2. 1.]]]])
    """
    window = _window("col2im", tuple(input_shape), kernel_size, stride, pad)
    (N, C, *size), (KH, KW), (OH, OW) = input_shape, window.kernel, window.outsize(input_shape[2:])
    shape = (N * OH * OW, C * KH * KW) if to_matrix else (N, C, KH, KW, OH, OW)
    if np.shape(col) != shape:
        raise ValueError(
            f"col2im: expected columns of shape {shape} for the input_shape {tuple(input_shape)}, got {np.shape(col)}; "
            f"give the settings that im2col was given, to_matrix={not to_matrix} perhaps"
        )
    if to_matrix:
        col = np.transpose(np.reshape(col, (N, OH, OW, C, KH, KW)), (0, 3, 4, 5, 1, 2))
    return apply(_col2im, col, size=tuple(size), window=window)


def _im2col(x: Any, window: Window) -> Any:
    """(…, N, C, KH, KW, OH, OW) from (…, N, C, H, W); in memory (…, OH, C, KH, KW, OW, N)."""
    (*lead, N, C, H, W), (OH, OW) = x.shape, window.outsize(x.shape[-2:])
    col = np.moveaxis(np.zeros((*lead, OH, C, *window.kernel, OW, N), x.dtype), (-1, -6), (-6, -2))
    for k, _, i in window.overlaps((H, W)):
        col[k] = x[i]
    return col


def _col2im(col: Any, size: Pair, window: Window) -> Any:
    """(…, N, C, H, W) from (…, N, C, KH, KW, OH, OW); in memory (…, C, H, W, N)."""
    *lead, N, C, _, _, _, _ = col.shape
    x = np.moveaxis(np.zeros((*lead, C, *size, N), col.dtype), -1, -4)
    for k, _, i in window.overlaps(size):
        x[i] += col[k]
    return x


columns, image = primitive(_im2col), primitive(_col2im)

PULLBACKS |= {
    _im2col: lambda gy, y, x, window: image(gy, size=x.shape[2:], window=window),
    _col2im: lambda gy, y, col, size, window: columns(gy, window=window),
}

# ---------------------------------------------------------------------------------------------------------------------
# Convolution


def conv2d(
    x: Any, W: Any, b: Any = None, stride: Size = 1, pad: Size = 0, *, dilation: Size = 1, groups: int = 1
) -> Variable:
    """The convolution of images with kernels: weighted sums of the pixels under the kernel at each of its places.

    y[n, o, i, j] = b[o] + Σ W[o, c, k, l] · x[n, c, i·s + k·d − p, j·s + l·d − p], the sum over c, k and l, and x = 0
    beyond the edges, with s the stride, p the pad and d the dilation. (Strictly, a correlation: W is not flipped.)

    x is (N, C, H, W), W (OC, C/groups, KH, KW), b (OC,) or None, y (N, OC, OH, OW), where
    OH = ⌊(H + 2p − d(KH − 1) − 1) / s⌋ + 1. Stride, pad and dilation are integers, or pairs for rows and columns. With
    groups, the channels are cut into that many equal parts, which do not see each other.

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998; Dumoulin and Visin, A guide to
    convolution arithmetic for deep learning, 2016, chapter 2. Deviation: `dilation` and `groups` are not in DeZero.

    >>> conv2d(np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2)), np.array([100.0]))
    variable([[[[108. 112.]
                [120. 124.]]]])
    """
    _check_channels("conv2d", np.shape(x), np.shape(W), b, groups)
    window = _window("conv2d", np.shape(x), np.shape(W)[2:], stride, pad, dilation)
    return apply(_conv2d, x, W, b, window=window, groups=groups)


def deconv2d(
    x: Any,
    W: Any,
    b: Any = None,
    stride: Size = 1,
    pad: Size = 0,
    outsize: Size | None = None,
    *,
    dilation: Size = 1,
    groups: int = 1,
) -> Variable:
    """The adjoint of `conv2d`, or transposed convolution: each pixel of x lays down the kernels, scaled by it.

    Without b, Σ y·v = Σ x·conv2d(v, W) for every v, with the same settings in both.

    x is (N, C, H, W), W (C, OC/groups, KH, KW), b (OC,) or None, y (N, OC, OH, OW), where
    OH = s(H − 1) + d(KH − 1) + 1 − 2p. For a stride s > 1, that is the least of the s sizes that `conv2d` brings to H;
    `outsize`, an integer or a pair, chooses another.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4. Deviation:
    `dilation` and `groups` are not in DeZero.

    >>> deconv2d(np.array([[[[1.0, 10.0]]]]), np.ones((1, 1, 2, 2)), stride=2)
    variable([[[[ 1.  1. 10. 10.]
                [ 1.  1. 10. 10.]]]])
    """
    _check_channels("deconv2d", np.shape(x), np.shape(W), b, groups, transposed=True)
    window = _window("deconv2d", None, np.shape(W)[2:], stride, pad, dilation)
    least = tuple(s * (n - 1) + d * (k - 1) + 1 - 2 * p for n, k, s, p, d in zip(np.shape(x)[2:], *window, strict=True))
    most = tuple(n + s - 1 for n, s in zip(least, window.stride, strict=True))
    size = least if outsize is None else _pair("deconv2d", "outsize", outsize, 1)
    if any(not max(a, 1) <= n <= z for a, n, z in zip(least, size, most, strict=True)):
        raise ValueError(f"deconv2d: expected an outsize from {least} to {most}, and of at least 1, got {size}")
    y = apply(_deconv2d, x, W, size=size, window=window, groups=groups)
    return y if b is None else y + np.reshape(b, (-1, 1, 1))


# Σ gy·conv2d(x, W) is linear in each of x, W and gy. Its three derivatives are the three operations here, and since the
# sum is the same for all of them, the derivatives of each are the two others: of any order.


def _conv2d(x: Any, W: Any, b: Any, window: Window, groups: int) -> Any:
    """The derivative by gy: for each row of y, one product of matrices."""
    OC, C, KH, KW = W.shape
    y = np.empty((OC, *window.outsize(x.shape[2:]), len(x)), np.result_type(x, W, W if b is None else b))
    y = y.transpose(3, 0, 1, 2)
    weights = W.reshape(groups, 1, OC // groups, C, KH, KW).swapaxes(3, 4)
    weights = weights.reshape(groups, 1, OC // groups, KH * C * KW)
    np.matmul(weights, _stacks(x, window, groups), out=_rows(y, groups))
    if b is not None:
        y += b[:, None, None]
    return y


def _deconv2d(gy: Any, W: Any, size: Pair, window: Window, groups: int) -> Any:
    """The derivative by x: for each row of x, one product with the rows of gy that have seen it."""
    (N, OC, OH, OW), (_, C, KH, KW), (H, Wd) = gy.shape, W.shape, size
    stride, pad, dilation = window.stride[0], window.pad[0], window.dilation[0]
    above = dilation * (KH - 1)
    rows = np.zeros((groups, above + H + 2 * pad, OC // groups, OW * N), gy.dtype)
    rows[:, above : above + OH * stride : stride] = _rows(gy, groups)  # Rows of zeros between them, where stride > 1.
    weights = W.reshape(groups, OC // groups, C, KH, KW)[..., ::-1, :].transpose(0, 2, 4, 3, 1)
    col = weights.reshape(groups, 1, C * KW, KH * OC // groups) @ _stacked(rows[:, pad:], KH, H, 1, dilation)
    col = col.reshape(groups, H, C, 1, KW, OW, N).transpose(0, 6, 2, 3, 4, 1, 5)
    return _col2im(col, size, window.row()).swapaxes(0, 1).reshape(N, groups * C, H, Wd)


def _correlate(x: Any, gy: Any, window: Window, groups: int) -> Any:
    """The derivative by W: a sum over the rows of y."""
    OC, C, (KH, KW) = gy.shape[1], x.shape[1] // groups, window.kernel
    stacks, rows = _stacks(x, window, groups), _rows(gy, groups).swapaxes(2, 3)
    gW = np.zeros((groups, KH * C * KW, OC // groups), np.result_type(x, gy))
    for i in range(gy.shape[2]):
        gW += stacks[:, i] @ rows[:, i]
    return gW.reshape(groups, KH, C, KW, OC // groups).transpose(0, 4, 2, 1, 3).reshape(OC, C, KH, KW)


conv, deconv, correlate = primitive(_conv2d), primitive(_deconv2d), primitive(_correlate)

PULLBACKS |= {
    _conv2d: (
        lambda gy, y, x, W, b, window, groups: deconv(gy, W, size=x.shape[2:], window=window, groups=groups),
        lambda gy, y, x, W, b, window, groups: correlate(x, gy, window=window, groups=groups),
        lambda gy, y, x, W, b, window, groups: gy.sum(axis=(0, 2, 3)),
    ),
    _deconv2d: (
        lambda gx, x, gy, W, size, window, groups: conv(gx, W, None, window=window, groups=groups),
        lambda gx, x, gy, W, size, window, groups: correlate(gx, gy, window=window, groups=groups),
    ),
    _correlate: (
        lambda gW, W, x, gy, window, groups: deconv(gy, gW, size=x.shape[2:], window=window, groups=groups),
        lambda gW, W, x, gy, window, groups: conv(x, gW, None, window=window, groups=groups),
    ),
}
OUTPUT_UNUSED.add(_conv2d)


def _laid(x: Any) -> Any:
    """Images as they lie in memory, (C, H, W, N); no copy, if they do."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


def _rows(x: Any, groups: int) -> Any:
    """The rows of images as matrices, (groups, H, C/groups, W·N)."""
    N, C, H, W = x.shape
    return _laid(x).reshape(groups, C // groups, H, W * N).swapaxes(1, 2)


def _stacks(x: Any, window: Window, groups: int) -> Any:
    """What the kernel sees on its way along each row of y, (groups, OH, KH·C/groups·KW, OW·N).

    Only the columns of the kernel are copied out. Its rows are rows of the image, one on top of the other already: so
    this takes KH times less memory than `im2col`, and less time.
    """
    N, C, H, W = x.shape
    col = _im2col(x.reshape(N, groups, C // groups, H, W).swapaxes(0, 1), window.row(window.pad[0]))
    _, _, C, _, KW, rows, OW = col.shape
    col = col.transpose(0, 5, 2, 3, 4, 6, 1).reshape(groups, rows, C * KW, OW * N)
    return _stacked(col, window.kernel[0], window.outsize((H, W))[0], window.stride[0], window.dilation[0])


def _stacked(rows: Any, height: int, n: int, stride: int, dilation: int) -> Any:
    """Stacks of `height` rows, n of them: (groups, n, height·M, L) from (groups, …, M, L), a view if dilation is 1."""
    groups, _, M, L = rows.shape
    g, r, m, l = rows.strides
    stacks = as_strided(rows, (groups, n, height, M, L), (g, stride * r, dilation * r, m, l), writeable=False)
    return stacks.reshape(groups, n, height * M, L)


# ---------------------------------------------------------------------------------------------------------------------
# Pooling


def pooling(x: Any, kernel_size: Size, stride: Size = 1, pad: Size = 0) -> Variable:
    """Max pooling: the largest of the pixels under the kernel, at each of its places.

    y[n, c, i, j] = max over k and l of x[n, c, i·s + k − p, j·s + l − p], with s the stride and p the pad; x is
    (N, C, H, W), y (N, C, OH, OW). What lies beyond the edges is never the largest. Of several equal pixels, the first
    in the order of reading gets the whole gradient.

    Source: Scherer et al., Evaluation of Pooling Operations in Convolutional Architectures, 2010. Deviation: DeZero
    pads with zeros, so that negative pixels at the edge have the maximum 0.

    >>> pooling([[[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 0.0]]]], 2, 2)
    variable([[[[4. 5.]]]])
    """
    window = _window("pooling", np.shape(x), kernel_size, stride, pad)
    if any(p >= k for p, k in zip(window.pad, window.kernel, strict=True)):
        raise ValueError(f"pooling: expected a pad smaller than the kernel {window.kernel}, got {window.pad}; pad less")
    return apply(_pooling, x, window=window)


def average_pooling(x: Any, kernel_size: Size, stride: Size = 1, pad: Size = 0) -> Variable:
    """The mean of the pixels under the kernel, at each of its places.

    y[n, c, i, j] = Σ x[n, c, i·s + k − p, j·s + l − p] / (KH·KW), the sum over k and l, and x = 0 beyond the edges,
    with s the stride and p the pad; x is (N, C, H, W), y (N, C, OH, OW).

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998, section II.B.

    >>> average_pooling([[[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 0.0]]]], 2, 2)
    variable([[[[2.5  1.25]]]])
    """
    window = _window("average_pooling", np.shape(x), kernel_size, stride, pad)
    return apply(_im2col, x, window=window).mean(axis=(2, 3))


def _pooling(x: Any, window: Window) -> Any:
    """A tournament: the elements of the kernel meet one by one, each at all its places at once."""
    N, C, *size = x.shape
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    y = np.full((C, *window.outsize(size), N), lowest, x.dtype).transpose(3, 0, 1, 2)
    for _, o, i in window.overlaps(size):
        np.maximum(y[o], x[i], out=y[o])
    return y


def _winners(x: Any, y: Any, window: Window) -> Any:
    """Columns that are True where the pixel is the first to reach the maximum y."""
    N, C, OH, OW = y.shape
    won = np.zeros((*window.kernel, C, OH, OW, N), bool).transpose(5, 2, 0, 1, 3, 4)
    free = np.ones_like(y, bool)
    for k, o, i in window.overlaps(x.shape[2:]):
        np.logical_and(x[i] == y[o], free[o], out=won[k])
        free[o] ^= won[k]
    return won


def _award(gy: Any, won: Any, size: Pair, window: Window) -> Any:
    """Each gradient to the pixel that won."""
    gy = _laid(gy).transpose(3, 0, 1, 2)
    x = np.zeros((gy.shape[1], *size, len(gy)), gy.dtype).transpose(3, 0, 1, 2)
    apart = all(k <= s for k, s in zip(window.kernel, window.stride, strict=True))
    for k, o, i in window.overlaps(size):
        if apart:  # No pixel has two places, and to write is faster than to add.
            np.multiply(gy[o], won[k], out=x[i])
        else:
            x[i] += gy[o] * won[k]
    return x


award = primitive(_award)

PULLBACKS |= {
    _pooling: lambda gy, y, x, window: award(gy, won=_winners(x, y, window), size=x.shape[2:], window=window),
    _award: lambda gx, x, gy, won, size, window: (columns(gx, window=window) * won).sum(axis=(2, 3)),
}

# ---------------------------------------------------------------------------------------------------------------------
# What does not fit


def _pair(name: str, what: str, value: Any, least: int) -> Pair:
    """An integer twice, or a pair of integers."""
    try:
        a, b = map(operator.index, value if isinstance(value, tuple | list) else (value, value))
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {what} as an integer or a pair of integers, got {value!r}") from None
    if min(a, b) < least:
        raise ValueError(f"{name}: expected {what} of at least {least}, got {value}")
    return a, b


def _window(name: str, shape: Any, kernel: Any, stride: Size, pad: Size, dilation: Size = 1) -> Window:
    """The window of these settings, refused if it has no place on images of this shape."""
    settings = {"kernel_size": (kernel, 1), "stride": (stride, 1), "pad": (pad, 0), "dilation": (dilation, 1)}
    window = Window(*(_pair(name, what, value, least) for what, (value, least) in settings.items()))
    if shape is not None:
        _check_axes(name, "x", shape, "(N, C, H, W)")
        if min(window.outsize(shape[2:])) < 1:
            kernel = tuple(d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True))
            padded = tuple(n + 2 * p for n, p in zip(shape[2:], window.pad, strict=True))
            raise ValueError(f"{name}: expected a kernel within the padded image {padded}, got {kernel}; pad more")
    return window


def _check_axes(name: str, what: str, shape: Any, axes: str) -> None:
    if len(shape) != 4:
        raise ValueError(f"{name}: expected {what} of shape {axes}, got {shape}; reshape it, with 1 for what is single")


def _check_channels(name: str, x: Any, W: Any, b: Any, groups: int, transposed: bool = False) -> None:
    """Refuse shapes of x and W, a b and a number of groups that do not fit each other."""
    _check_axes(name, "x", x, "(N, C, H, W)")
    _check_axes(name, "W", W, "(C, OC/groups, KH, KW)" if transposed else "(OC, C/groups, KH, KW)")
    if _pair(name, "groups", groups, 1) != (groups, groups) or W[0] % groups:
        raise ValueError(f"{name}: expected groups, a number that divides the first axis of W {W}, got {groups}")
    C, OC = (W[0], W[1] * groups) if transposed else (W[1] * groups, W[0])
    if x[1] != C:
        raise ValueError(f"{name}: with W {W} and groups={groups}, expected x of shape (N, {C}, H, W), got {x}")
    if b is not None and np.shape(b) != (OC,):
        raise ValueError(f"{name}: expected b of shape ({OC},), one number for each channel of y, got {np.shape(b)}")
