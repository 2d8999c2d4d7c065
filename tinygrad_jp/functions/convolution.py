"""Convolution and pooling: the functions of images, part of `F`.

A batch of images is (N, C, H, W): N examples of C channels, H rows and W columns. That is the order of its axes. In
memory, results lie as (C, H, W, N): the matrix product that a convolution comes down to then leaves its result in
place, element-wise operations keep the order, and flattening to (N, C·H·W) copies nothing. Inputs may have any order.
"""

from numpy.lib.stride_tricks import as_strided

from tinygrad_jp.core import PULLBACKS, Array, ArrayLike, Shape, Variable, apply, primitive
from tinygrad_jp.core.table import OUTPUT_UNUSED
from tinygrad_jp.devices import device_of, on_device
from tinygrad_jp.functions.precision import upcast
from tinygrad_jp.functions.windows import Pair, Window, check_channels, pair, window_on
from tinygrad_jp.functions.windows import Size as Size
from tinygrad_jp.kinds import np

__all__ = ["average_pooling", "col2im", "conv2d", "deconv2d", "im2col", "pooling"]

# ---------------------------------------------------------------------------------------------------------------------
# Columns


@upcast("x")
def im2col(x: ArrayLike, kernel_size: Size, stride: Size = 1, pad: Size = 0, to_matrix: bool = True) -> Variable:
    """The pixels under a kernel at each of its places: images as columns.

    col[n, c, k, l, i, j] = x[n, c, i·s + k − p, j·s + l − p], and 0 beyond the edges, with s the stride and p the pad.
    x is (N, C, H, W). The result is a matrix (N·OH·OW, C·KH·KW), a row for each place, or (N, C, KH, KW, OH, OW) as in
    the formula if `to_matrix` is False. `col2im` is its adjoint.

    Source: Chellapilla et al., High Performance Convolutional Neural Networks for Document Processing, 2006.

    >>> im2col(np.arange(9.0).reshape(1, 1, 3, 3), 2)
    variable([[0. 1. 3. 4.]
              [1. 2. 4. 5.]
              [3. 4. 6. 7.]
              [4. 5. 7. 8.]])
    """
    col = apply(_im2col, x, window=window_on("im2col", np.shape(x), kernel_size, stride, pad))
    N, C, KH, KW, OH, OW = col.shape
    return np.transpose(col, (0, 4, 5, 1, 2, 3)).reshape(N * OH * OW, C * KH * KW) if to_matrix else col


@upcast("col")
def col2im(
    col: ArrayLike, input_shape: Shape, kernel_size: Size, stride: Size = 1, pad: Size = 0, to_matrix: bool = True
) -> Variable:
    """The adjoint of `im2col`: each column is added to the pixels that it came from.

    `col` has the form that `im2col` gives for an x of `input_shape` (N, C, H, W), by `to_matrix`; the result has that
    shape. A pixel that lies under the kernel at several places is a sum, so this is not the inverse.

    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2)
    variable([[[[1. 2. 1.]
                [2. 4. 2.]
                [1. 2. 1.]]]])
    """
    window = window_on("col2im", tuple(input_shape), kernel_size, stride, pad)
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


def _im2col(x: Array, window: Window) -> Array:
    """(…, N, C, KH, KW, OH, OW) from (…, N, C, H, W); in memory (…, OH, C, KH, KW, OW, N)."""
    (*lead, N, C, H, W), (OH, OW) = x.shape, window.outsize(x.shape[-2:])
    col = np.moveaxis(np.zeros((*lead, OH, C, *window.kernel, OW, N), x.dtype, like=x), (-1, -6), (-6, -2))
    for k, _, i in window.overlaps((H, W)):
        col[k] = x[i]
    return col


def _col2im(col: Array, size: Pair, window: Window) -> Array:
    """(…, N, C, H, W) from (…, N, C, KH, KW, OH, OW); in memory (…, C, H, W, N)."""
    *lead, N, C, _, _, _, _ = col.shape
    x = np.moveaxis(np.zeros((*lead, C, *size, N), col.dtype, like=col), -1, -4)
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


@upcast("x", "W", "b")
def conv2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    stride: Size = 1,
    pad: Size = 0,
    *,
    dilation: Size = 1,
    groups: int = 1,
) -> Variable:
    """The convolution of images with kernels: weighted sums of the pixels under the kernel at each of its places.

    y[n, o, i, j] = b[o] + Σ W[o, c, k, l] · x[n, c, i·s + k·d − p, j·s + l·d − p], the sum over c, k and l, and x = 0
    beyond the edges, with s the stride, p the pad and d the dilation. (Strictly a correlation: W is not flipped.)

    x is (N, C, H, W), W (OC, C/groups, KH, KW), b (OC,) or None, y (N, OC, OH, OW), where
    OH = ⌊(H + 2p − d(KH − 1) − 1) / s⌋ + 1. Stride, pad and dilation are integers, or pairs for rows and columns.
    `groups` cuts the channels into that many equal parts, each convolved by itself.

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998; Dumoulin and Visin, A guide to
    convolution arithmetic for deep learning, 2016, chapter 2. Deviation: `dilation` and `groups` are not in DeZero.

    >>> conv2d(np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2)), np.array([100.0]))
    variable([[[[108. 112.]
                [120. 124.]]]])
    """
    check_channels("conv2d", np.shape(x), np.shape(W), b if b is None else np.shape(b), groups)
    window = window_on("conv2d", np.shape(x), np.shape(W)[2:], stride, pad, dilation)
    return apply(_conv2d, x, W, b, window=window, groups=groups)


@upcast("x", "W", "b")
def deconv2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    stride: Size = 1,
    pad: Size = 0,
    outsize: Size | None = None,
    *,
    dilation: Size = 1,
    groups: int = 1,
) -> Variable:
    """The transposed convolution, adjoint of `conv2d`: each pixel of x adds the kernels, scaled by it, to y.

    Without b, Σ y·v = Σ x·conv2d(v, W) for every v, with the same settings in both.

    x is (N, C, H, W), W (C, OC/groups, KH, KW), b (OC,) or None, y (N, OC, OH, OW), where
    OH = s(H − 1) + d(KH − 1) + 1 − 2p. For a stride s > 1, that is the smallest of the s sizes from which `conv2d`
    gives H; `outsize`, an integer or a pair, chooses another.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4. Deviation:
    `dilation` and `groups` are not in DeZero.

    >>> deconv2d(np.array([[[[1.0, 10.0]]]]), np.ones((1, 1, 2, 2)), stride=2)
    variable([[[[ 1.  1. 10. 10.]
                [ 1.  1. 10. 10.]]]])
    """
    check_channels("deconv2d", np.shape(x), np.shape(W), b if b is None else np.shape(b), groups, transposed=True)
    window = window_on("deconv2d", None, np.shape(W)[2:], stride, pad, dilation)
    least = tuple(s * (n - 1) + d * (k - 1) + 1 - 2 * p for n, k, s, p, d in zip(np.shape(x)[2:], *window, strict=True))
    most = tuple(n + s - 1 for n, s in zip(least, window.stride, strict=True))
    size = least if outsize is None else pair("deconv2d", "outsize", outsize, 1)
    if any(not max(a, 1) <= n <= z for a, n, z in zip(least, size, most, strict=True)):
        raise ValueError(f"deconv2d: expected an outsize from {least} to {most}, and of at least 1, got {size}")
    y = apply(_deconv2d, x, W, size=size, window=window, groups=groups)
    return y if b is None else y + np.reshape(b, (-1, 1, 1))


# Σ gy·conv2d(x, W) is linear in each of x, W and gy. Its three derivatives are the three operations here. The same sum
# stands behind all three, so the derivatives of each are the other two, to any order.


def _conv2d(x: Array, W: Array, b: Array, window: Window, groups: int) -> Array:
    """The derivative with respect to gy: for each row of y, one product of matrices."""
    OC, C, KH, KW = W.shape
    if on_device(x):
        return _conv2d_on_device(x, W, b, window, groups)
    dtype = np.result_type(x, W, W if b is None else b)
    y = np.empty((OC, *window.outsize(x.shape[2:]), len(x)), dtype, like=x).transpose(3, 0, 1, 2)
    weights = W.reshape(groups, 1, OC // groups, C, KH, KW).swapaxes(3, 4)
    weights = weights.reshape(groups, 1, OC // groups, KH * C * KW)
    np.matmul(weights, _stacks(x, window, groups), out=_rows(y, groups))
    if b is not None:
        y += b[:, None, None]
    return y


def _deconv2d(gy: Array, W: Array, size: Pair, window: Window, groups: int) -> Array:
    """The derivative with respect to x: for each row of x, one product with the rows of gy that it went into."""
    (N, OC, OH, OW), (_, C, KH, KW), (H, Wd) = gy.shape, W.shape, size
    if on_device(gy):
        return _deconv2d_on_device(gy, W, size, window, groups)
    stride, pad, dilation = window.stride[0], window.pad[0], window.dilation[0]
    above = dilation * (KH - 1)
    rows = np.zeros((groups, above + H + 2 * pad, OC // groups, OW * N), gy.dtype, like=gy)
    rows[:, above : above + OH * stride : stride] = _rows(gy, groups)  # Rows of zeros between them, where stride > 1.
    weights = W.reshape(groups, OC // groups, C, KH, KW)[..., ::-1, :].transpose(0, 2, 4, 3, 1)
    col = weights.reshape(groups, 1, C * KW, KH * OC // groups) @ _stacked(rows[:, pad:], KH, H, 1, dilation)
    col = col.reshape(groups, H, C, 1, KW, OW, N).transpose(0, 6, 2, 3, 4, 1, 5)
    return _col2im(col, size, window.row()).swapaxes(0, 1).reshape(N, groups * C, H, Wd)


def _correlate(x: Array, gy: Array, window: Window, groups: int) -> Array:
    """The derivative with respect to W: a sum over the rows of y."""
    OC, C, (KH, KW) = gy.shape[1], x.shape[1] // groups, window.kernel
    if on_device(x):
        gW = _flat(gy, groups) @ _flat_columns(x, window, groups).swapaxes(1, 2)
        return gW.reshape(OC, C, KH, KW)
    stacks, rows = _stacks(x, window, groups), _rows(gy, groups).swapaxes(2, 3)
    gW = np.zeros((groups, KH * C * KW, OC // groups), np.result_type(x, gy))
    for i in range(gy.shape[2]):
        gW += stacks[:, i] @ rows[:, i]
    return gW.reshape(groups, KH, C, KW, OC // groups).transpose(0, 4, 2, 1, 3).reshape(OC, C, KH, KW)


# The same on a device, where one large product of matrices is faster than many small ones.


def _conv2d_on_device(x: Array, W: Array, b: Array, window: Window, groups: int) -> Array:
    y = W.reshape(groups, W.shape[0] // groups, -1) @ _flat_columns(x, window, groups)
    y = y.reshape(W.shape[0], *window.outsize(x.shape[2:]), len(x)).transpose(3, 0, 1, 2)
    return y if b is None else y + b[:, None, None]


def _deconv2d_on_device(gy: Array, W: Array, size: Pair, window: Window, groups: int) -> Array:
    (N, OC, OH, OW), (_, C, KH, KW) = gy.shape, W.shape
    col = W.reshape(groups, OC // groups, C * KH * KW).swapaxes(1, 2) @ _flat(gy, groups)
    return _col2im(np.moveaxis(col.reshape(groups * C, KH, KW, OH, OW, N), -1, 0), size, window)


def _flat(x: Array, groups: int) -> Array:
    """Images as matrices, (groups, C/groups, H·W·N)."""
    N, C, H, W = x.shape
    return _in_memory_order(x).reshape(groups, C // groups, H * W * N)


def _flat_columns(x: Array, window: Window, groups: int) -> Array:
    """Columns as matrices, (groups, C/groups·KH·KW, OH·OW·N)."""
    (N, C, H, W), (KH, KW), (OH, OW) = x.shape, window.kernel, window.outsize(x.shape[2:])
    col = np.zeros((C, KH, KW, OH, OW, N), x.dtype, like=x)
    images = np.moveaxis(col, -1, 0)
    for k, _, i in window.overlaps((H, W)):
        images[k] = x[i]
    return col.reshape(groups, C // groups * KH * KW, OH * OW * N)


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


def _in_memory_order(x: Array) -> Array:
    """Images as (C, H, W, N), contiguous. No copy if they lie in memory like this already."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0), like=x)


def _rows(x: Array, groups: int) -> Array:
    """The rows of images as matrices, (groups, H, C/groups, W·N)."""
    N, C, H, W = x.shape
    return _in_memory_order(x).reshape(groups, C // groups, H, W * N).swapaxes(1, 2)


def _stacks(x: Array, window: Window, groups: int) -> Array:
    """The pixels under the kernel along each row of y, (groups, OH, KH·C/groups·KW, OW·N).

    Only the columns of the kernel are copied. The rows of the kernel are rows of the image, which lie on top of each
    other already. This takes KH times less memory than `im2col`, and less time. A kernel of 2×2 on an image of 3×3:

    >>> x = np.arange(9).reshape(1, 1, 3, 3)
    >>> window = Window(kernel=(2, 2), stride=(1, 1), pad=(0, 0))
    >>> _stacks(x, window, groups=1)[0]  # (OH, KH·C·KW, OW·N) = (2, 4, 2): for each row of y, a column for each place
    array([[[0, 1],
            [1, 2],
            [3, 4],
            [4, 5]],
           [[3, 4],
            [4, 5],
            [6, 7],
            [7, 8]]])
    """
    N, C, H, W = x.shape
    C, OH, PH = C // groups, window.outsize((H, W))[0], H + 2 * window.pad[0]
    x = x.reshape(N, groups, C, H, W).swapaxes(0, 1)  # (groups, N, C, H, W), in the example (1, 1, 1, 3, 3)
    col = _im2col(x, window.row(window.pad[0]))  # (groups, N, C, 1, KW, PH, OW): (1, 1, 1, 1, 2, 3, 2)
    col = col.transpose(0, 5, 2, 3, 4, 6, 1)  # (groups, PH, C, 1, KW, OW, N), as in memory: (1, 3, 1, 1, 2, 2, 1)
    rows = col.reshape(groups, PH, C * col.shape[4], col.shape[5] * N)  # (groups, PH, C·KW, OW·N): (1, 3, 2, 2)
    return _stacked(rows, window.kernel[0], OH, window.stride[0], window.dilation[0])  # (groups, OH, KH·C·KW, OW·N)


def _stacked(rows: Array, height: int, n: int, stride: int, dilation: int) -> Array:
    """n stacks of `height` rows each: (groups, n, height·M, L) from (groups, …, M, L).

    The stacks overlap, and share the memory of `rows`: stack i, row r is row i·stride + r·dilation. With a dilation of
    1 nothing is copied. Three rows, in two stacks of two:

    >>> rows = np.arange(3).reshape(1, 3, 1, 1)
    >>> _stacked(rows, height=2, n=2, stride=1, dilation=1)[0, ..., 0]
    array([[0, 1],
           [1, 2]])
    """
    groups, _, M, L = rows.shape
    g, r, m, l = rows.strides  # bytes from one group to the next, from one row to the next, and so on
    stacks = as_strided(rows, (groups, n, height, M, L), (g, stride * r, dilation * r, m, l), writeable=False)
    return stacks.reshape(groups, n, height * M, L)


# ---------------------------------------------------------------------------------------------------------------------
# Pooling


@upcast("x")
def pooling(x: ArrayLike, kernel_size: Size, stride: Size = 1, pad: Size = 0) -> Variable:
    """Max pooling: the largest of the pixels under the kernel, at each of its places.

    The stride is 1 if it is not given, as in DeZero: `pooling(x, 2, 2)` halves an image, `pooling(x, 2)` does not.

    y[n, c, i, j] = max over k and l of x[n, c, i·s + k − p, j·s + l − p], with s the stride and p the pad; x is
    (N, C, H, W), y (N, C, OH, OW). The padding is never the largest. Of several equal pixels, the first in reading
    order gets the whole gradient.

    Source: Scherer et al., Evaluation of Pooling Operations in Convolutional Architectures, 2010. Deviation: DeZero
    pads with zeros, so where all pixels at an edge are negative its maximum is 0.

    >>> pooling([[[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 0.0]]]], 2, 2)
    variable([[[[4. 5.]]]])
    """
    window = window_on("pooling", np.shape(x), kernel_size, stride, pad)
    if any(p >= k for p, k in zip(window.pad, window.kernel, strict=True)):
        raise ValueError(f"pooling: expected a pad smaller than the kernel {window.kernel}, got {window.pad}; pad less")
    return apply(_pooling, x, window=window)


@upcast("x")
def average_pooling(x: ArrayLike, kernel_size: Size, stride: Size = 1, pad: Size = 0) -> Variable:
    """The mean of the pixels under the kernel, at each of its places.

    The stride is 1 if it is not given, as in DeZero: `average_pooling(x, 2, 2)` halves an image.

    y[n, c, i, j] = Σ x[n, c, i·s + k − p, j·s + l − p] / (KH·KW), the sum over k and l, and x = 0 beyond the edges,
    with s the stride and p the pad; x is (N, C, H, W), y (N, C, OH, OW).

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998, section II.B.

    >>> average_pooling([[[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 0.0]]]], 2, 2)
    variable([[[[2.5  1.25]]]])
    """
    window = window_on("average_pooling", np.shape(x), kernel_size, stride, pad)
    return apply(_im2col, x, window=window).mean(axis=(2, 3))


def _pooling(x: Array, window: Window) -> Array:
    """The maximum over the elements of the kernel, one after the other, each at all its places at once."""
    N, C, *size = x.shape
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    y = np.full_like(x, lowest, shape=(C, *window.outsize(size), N), order="C").transpose(3, 0, 1, 2)
    for _, o, i in window.overlaps(size):
        np.maximum(y[o], x[i], out=y[o])
    return y


def _winners(x: Array, y: Array, window: Window) -> Array:
    """Columns that are True where a pixel is the first to equal the maximum y."""
    N, C, OH, OW = y.shape
    won = np.zeros((*window.kernel, C, OH, OW, N), bool, like=device_of(x)).transpose(5, 2, 0, 1, 3, 4)
    free = np.ones_like(y, bool)
    for k, o, i in window.overlaps(x.shape[2:]):
        np.logical_and(x[i] == y[o], free[o], out=won[k])
        free[o] ^= won[k]
    return won


def _award(gy: Array, won: Array, size: Pair, window: Window) -> Array:
    """Each gradient goes to the pixel that was the largest."""
    gy = _in_memory_order(gy).transpose(3, 0, 1, 2)
    x = np.zeros((gy.shape[1], *size, len(gy)), gy.dtype, like=gy).transpose(3, 0, 1, 2)
    apart = all(k <= s for k, s in zip(window.kernel, window.stride, strict=True))
    for k, o, i in window.overlaps(size):
        if apart:  # No pixel lies under two places of the kernel, and writing is faster than adding.
            np.multiply(gy[o], won[k], out=x[i])
        else:
            x[i] += gy[o] * won[k]
    return x


award = primitive(_award)

PULLBACKS |= {
    _pooling: lambda gy, y, x, window: award(gy, won=_winners(x, y, window), size=x.shape[2:], window=window),
    _award: lambda gx, x, gy, won, size, window: (columns(gx, window=window) * won).sum(axis=(2, 3)),
}
