"""Convolution and pooling: against loops, published examples and each other, and in every order of memory."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.strategies import convolutions, windows
from tinygrad_jp import Variable, gradient_check, no_grad
from tinygrad_jp.functions.convolution import average_pooling, col2im, conv2d, deconv2d, im2col, pooling

# ---------------------------------------------------------------------------------------------------------------------
# References: the formulas as loops, over padded copies


def padded(x, pad, value=0.0):
    return np.pad(x, [(0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])], constant_values=value)


def places(x, kernel, stride, pad, dilation=(1, 1), value=0.0):
    """For each place of the kernel: (i, j), and the pixels (N, C, KH, KW) under it, as a view of the padded copy."""
    x = padded(x, pad, value)
    (H, W), (KH, KW), (SH, SW), (DH, DW) = x.shape[2:], kernel, stride, dilation
    for i in range((H - DH * (KH - 1) - 1) // SH + 1):
        for j in range((W - DW * (KW - 1) - 1) // SW + 1):
            h, w = i * SH, j * SW
            yield (i, j), x[:, :, h : h + DH * (KH - 1) + 1 : DH, w : w + DW * (KW - 1) + 1 : DW]


def assemble(parts):
    """The array whose last two indices are the keys of `parts`."""
    parts = dict(parts)
    OH, OW = (n + 1 for n in max(parts))
    return np.stack([np.stack([parts[i, j] for j in range(OW)], -1) for i in range(OH)], -2)


def reference_conv2d(x, W, b, stride, pad, dilation, groups):
    def one(pixels):
        ys = [
            np.einsum("nckl,ockl->no", part, kernels)
            for part, kernels in zip(np.split(pixels, groups, 1), np.split(W, groups), strict=True)
        ]
        return np.concatenate(ys, 1) + (0 if b is None else b)

    return assemble((at, one(pixels)) for at, pixels in places(x, W.shape[2:], stride, pad, dilation))


def reference_deconv2d(x, W, b, stride, pad, size, dilation, groups):
    """Pixel for pixel, each kernel laid down where the convolution would have met it."""
    y = np.zeros((len(x), W.shape[1] * groups, size[0] + 2 * pad[0], size[1] + 2 * pad[1]))
    per_group = W.shape[0] // groups
    for c, i, j, k, l in itertools.product(*map(range, (W.shape[0], *x.shape[2:], *W.shape[2:]))):
        g = c // per_group
        channels = slice(g * W.shape[1], (g + 1) * W.shape[1])
        h, w = i * stride[0] + k * dilation[0], j * stride[1] + l * dilation[1]
        y[:, channels, h, w] += x[:, c, i, j, None] * W[c, :, k, l]
    y = y[:, :, pad[0] : pad[0] + size[0], pad[1] : pad[1] + size[1]]
    return y if b is None else y + b[:, None, None]


# ---------------------------------------------------------------------------------------------------------------------
# Values


@given(convolutions())
def test_conv2d_is_the_formula(c):
    x, W, b, stride, pad, dilation, groups = c
    y = conv2d(x, W, b, stride, pad, dilation=dilation, groups=groups)
    np.testing.assert_allclose(y.data, reference_conv2d(x, W, b, stride, pad, dilation, groups), atol=1e-12)


@given(convolutions(), st.data())
def test_deconv2d_is_its_adjoint(c, data):
    v, W, _, stride, pad, dilation, groups = c
    b = np.arange(float(v.shape[1]))
    settings = {"dilation": dilation, "groups": groups}
    seen = conv2d(v, W, None, stride, pad, **settings).data
    x, size = np.random.default_rng(0).standard_normal(seen.shape), v.shape[2:]
    y = deconv2d(x, W, None, stride, pad, size, **settings).data
    np.testing.assert_allclose(np.sum(y * v), np.sum(x * seen), atol=1e-9)
    expected = reference_deconv2d(x, W, b, stride, pad, size, dilation, groups)
    np.testing.assert_allclose(deconv2d(x, W, b, stride, pad, size, **settings).data, expected, atol=1e-12)
    least = [s * (n - 1) + d * (k - 1) + 1 - 2 * p
             for n, k, s, p, d in zip(x.shape[2:], W.shape[2:], stride, pad, dilation, strict=True)]  # fmt: skip
    assume(min(least) > 0)
    small = deconv2d(x, W, b, stride, pad, **settings).data
    np.testing.assert_allclose(small, reference_deconv2d(x, W, b, stride, pad, least, dilation, groups), atol=1e-12)


@given(windows())
def test_columns_are_the_pixels_under_the_kernel(w):
    x, kernel, stride, pad = w
    expected = assemble(places(x, kernel, stride, pad))
    col = im2col(x, kernel, stride, pad, to_matrix=False)
    np.testing.assert_array_equal(col.data, expected)
    matrix = im2col(x, kernel, stride, pad)
    np.testing.assert_array_equal(matrix.data, expected.transpose(0, 4, 5, 1, 2, 3).reshape(matrix.shape))
    for y, to_matrix in ((col, False), (matrix, True)):
        c = np.random.default_rng(0).standard_normal(y.shape)
        back = col2im(c, x.shape, kernel, stride, pad, to_matrix)
        assert back.shape == x.shape
        np.testing.assert_allclose(np.sum(y.data * c), np.sum(x * back.data), atol=1e-9)


@given(windows())
def test_poolings_are_the_maximum_and_the_mean(w):
    x, kernel, stride, pad = w
    largest = assemble((at, p.max((2, 3))) for at, p in places(x, kernel, stride, pad, value=-np.inf))
    mean = assemble((at, p.mean((2, 3))) for at, p in places(x, kernel, stride, pad))
    np.testing.assert_array_equal(pooling(x, kernel, stride, pad).data, largest)
    np.testing.assert_allclose(average_pooling(x, kernel, stride, pad).data, mean, atol=1e-12)


def image(rows):
    return np.array([[rows]], float)


def test_published_examples():
    """Dumoulin and Visin, A guide to convolution arithmetic for deep learning, figures 1.1, 1.5 and 1.6."""
    x = image([[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]])
    W = image([[0, 1, 2], [2, 2, 0], [0, 1, 2]])
    np.testing.assert_array_equal(conv2d(x, W).data, image([[12, 12, 17], [10, 17, 19], [9, 6, 14]]))
    np.testing.assert_array_equal(pooling(x, 3).data, image([[3, 3, 3], [3, 3, 3], [3, 2, 3]]))
    mean = image([[1.7, 1.7, 1.7], [1.0, 1.2, 1.8], [1.1, 0.8, 1.3]])
    np.testing.assert_array_equal(average_pooling(x, 3).data.round(1), mean)


def test_closed_forms(rng):
    x = rng.standard_normal((2, 3, 6, 7))
    identity = np.eye(3)[:, :, None, None]
    np.testing.assert_array_equal(conv2d(x, identity).data, x)
    np.testing.assert_array_equal(deconv2d(x, identity).data, x)
    np.testing.assert_array_equal(pooling(x, 1).data, x)
    # Sobel's kernel on a slope of 5 across and 3 down.
    ramp = image(5 * np.arange(6) + 3 * np.arange(6)[:, None])
    sobel = image([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    np.testing.assert_array_equal(
        conv2d(ramp, np.concatenate([sobel, sobel.swapaxes(2, 3)])).data[0, :, 0, 0], [40, 24]
    )
    # The product of polynomials.
    p, q = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])
    np.testing.assert_array_equal(deconv2d(image([p]), image([q])).data, image([np.convolve(p, q)]))
    np.testing.assert_array_equal(conv2d(image([p]), image([q[::-1]]), pad=(0, 1)).data, image([np.convolve(p, q)]))


def test_depthwise_is_channel_by_channel(rng):
    x, W = rng.standard_normal((2, 4, 5, 5)), rng.standard_normal((4, 1, 3, 3))
    alone = [conv2d(x[:, c : c + 1], W[c : c + 1]).data for c in range(4)]
    np.testing.assert_allclose(conv2d(x, W, groups=4).data, np.concatenate(alone, 1))


def test_dezeros_order_of_arguments(rng):
    x, W, b = rng.standard_normal((1, 5, 15, 15)), rng.standard_normal((8, 5, 3, 3)), np.zeros(8)
    assert conv2d(x, W, b, 1, 1).shape == (1, 8, 15, 15)
    assert deconv2d(x, W[:5], None, 2, 1, (30, 29)).shape == (1, 5, 30, 29)
    assert im2col(x, 5, 1, 0, True).shape == (121, 125)
    assert col2im(np.zeros((121, 125)), x.shape, 5, 1, 0, True).shape == x.shape
    assert pooling(x, 3, 2, 1).shape == average_pooling(x, 3, 2, 1).shape == (1, 5, 8, 8)


def test_lists_and_integers():
    x = [[[[1, 2, 3], [4, 5, 6]]]]
    assert conv2d(x, [[[[1.0, -1.0]]]], [10.0]).data.tolist() == [[[[9, 9], [9, 9]]]]
    assert deconv2d(x, [[[[1, 1]]]], [10]).data.tolist() == [[[[11, 13, 15, 13], [14, 19, 21, 16]]]]
    assert pooling(np.uint8(x), 2, 1, 1).data.tolist() == [[[[1, 2, 3, 3], [4, 5, 6, 6], [4, 5, 6, 6]]]]
    assert average_pooling(np.uint8(x) + np.uint8(200), 2).data.tolist() == [[[[203, 204]]]]
    assert im2col(x, 2).dtype.kind == "i"
    pixels = np.uint8(x) + np.uint8(200)
    assert conv2d(pixels, np.ones((1, 1, 2, 2), np.float32)).data.tolist() == [[[[812, 816]]]]


def test_no_examples():
    x, W = Variable(np.zeros((0, 2, 4, 4))), Variable(np.ones((3, 2, 3, 3)))
    y = average_pooling(pooling(conv2d(x, W, np.ones(3), pad=1), 2, 2), 2)
    assert y.shape == (0, 3, 1, 1)
    y.backward()
    assert x.grad.shape == x.shape
    np.testing.assert_array_equal(W.grad.data, np.zeros(W.shape))


# ---------------------------------------------------------------------------------------------------------------------
# Gradients


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pad": 1},
        {"stride": 2, "pad": (1, 0)},
        {"stride": (1, 3), "pad": 2},
        {"dilation": (2, 1), "pad": 1},
        {"groups": 2, "pad": 1},
        {"groups": 4, "stride": 2},
        {"groups": 2, "stride": (2, 1), "pad": (0, 1), "dilation": (1, 2)},
    ],
    ids=str,
)
@pytest.mark.parametrize("f", [conv2d, deconv2d])
def test_gradients_to_second_order(f, settings, rng):
    groups = settings.get("groups", 1)
    x = rng.standard_normal((2, 4, 5, 6))
    W = rng.standard_normal((4, 4 // groups, 3, 2))
    b = rng.standard_normal(4)
    assert gradient_check(lambda x, W, b: f(x, W, b, **settings), x, W, b, order=2)
    assert gradient_check(lambda x, W: f(x, W, None, **settings), x, W)


def test_gradients_to_third_order(rng):
    x, W = rng.standard_normal((1, 2, 3, 3)), rng.standard_normal((2, 2, 2, 2))
    assert gradient_check(lambda x, W: conv2d(np.tanh(x), W**2, pad=1) ** 2, x, W, order=3)
    assert gradient_check(lambda x, W: pooling(conv2d(x, W) ** 3, 2), x, W, order=3)


@pytest.mark.parametrize(
    "kernel, stride, pad",
    [(2, 2, 0), (3, 2, 1), ((1, 2), (3, 1), 0), ((3, 2), 1, (1, 0)), ((5, 3), (5, 3), 1), (1, 1, 0)],
)
@pytest.mark.parametrize("f", [pooling, average_pooling, im2col])
def test_gradients_of_poolings_and_columns(f, kernel, stride, pad, rng):
    x = rng.permutation(2 * 2 * 5 * 6).reshape(2, 2, 5, 6) / 10.0
    assert gradient_check(lambda x: f(x, kernel, stride, pad), x, order=2)
    assert gradient_check(lambda x: f(x**2, kernel, stride, pad) ** 2, x, order=2)


@pytest.mark.parametrize("to_matrix", [True, False])
def test_gradients_of_col2im(to_matrix, rng):
    col = im2col(rng.standard_normal((2, 2, 4, 5)), (2, 3), 1, 1, to_matrix).data
    assert gradient_check(lambda c: col2im(c, (2, 2, 4, 5), (2, 3), 1, 1, to_matrix) ** 2, col, order=2)


def test_of_equal_pixels_the_first_gets_the_gradient():
    x = Variable(np.ones((1, 1, 3, 3)))
    pooling(x, 2).backward()
    assert x.grad.data.tolist() == [[[[1, 1, 0], [1, 1, 0], [0, 0, 0]]]]
    x = Variable(np.zeros((1, 1, 2, 2)))
    pooling(x, 2, 1, 1).backward()  # the zeros of the padding get nothing
    assert x.grad.data.sum() == 9
    assert x.grad.data.tolist() == [[[[4, 2], [2, 1]]]]


def test_only_what_is_needed_is_computed(rng):
    x, W, b = rng.standard_normal((2, 3, 5, 5)), Variable(rng.standard_normal((4, 3, 3, 3))), Variable(np.zeros(4))
    assert [i for i, _, _ in conv2d(x, W, b).creator.edges] == [1, 2]
    with no_grad():
        assert conv2d(x, W, b).creator is None


# ---------------------------------------------------------------------------------------------------------------------
# Memory and dtypes


def step(x, W, b, gy, dtype=np.float32):
    """A little of everything: the values and the gradients."""
    x, W, b = Variable(x), Variable(W), Variable(b)
    h = pooling(conv2d(x, W, b, 1, 1), 2, 2) + average_pooling(conv2d(x, W, pad=1), 2, 2)
    y = deconv2d(h, W, b, 2)
    y.grad = gy
    y.backward()
    return y.data, x.grad.data, W.grad.data, b.grad.data


def orders(a):
    """The same numbers in other orders of memory."""
    backwards = (slice(None, None, -1),) * a.ndim
    yield np.asfortranarray(a)
    yield np.ascontiguousarray(a[backwards])[backwards]
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 0, -1)), -1, 0)
    yield np.stack([a, a], -1)[..., 0]
    frozen = a.copy()
    frozen.flags.writeable = False
    yield frozen


def test_the_order_of_memory_changes_nothing(rng):
    arrays = [rng.standard_normal(s).astype(np.float32) for s in [(3, 4, 6, 6), (4, 4, 3, 3), (4,), (3, 4, 7, 7)]]
    expected = step(*arrays)
    assert [a.dtype for a in expected] == [np.float32] * 4
    for others in zip(*map(orders, arrays), strict=True):
        copies = [a.copy() for a in others]
        for a, b in zip(step(*others), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
        for a, b in zip(others, copies, strict=True):
            np.testing.assert_array_equal(a, b)


def test_broadcast_arrays():
    x, W = np.broadcast_to(np.arange(5.0), (2, 3, 5, 5)), np.broadcast_to(np.ones(()), (4, 3, 3, 3))
    np.testing.assert_array_equal(conv2d(x, W, pad=1).data, conv2d(x.copy(), W.copy(), pad=1).data)
    np.testing.assert_array_equal(pooling(x, 2).data, pooling(x.copy(), 2).data)
    v = Variable(x)
    conv2d(pooling(v, 2), W).backward()
    assert v.grad.data.sum() == W.size * 2 * 2 * 2  # each weight meets 2 × 2 places in 2 examples


@pytest.mark.parametrize("f", [conv2d, deconv2d])
def test_dtypes(f):
    for kinds in [
        (np.float32,) * 3,
        (np.float64,) * 3,
        (np.float32, np.float64, np.float32),
        (np.float32, np.float32, float),
    ]:
        x, W, b = (Variable(np.ones(s, k)) for s, k in zip([(1, 2, 4, 4), (2, 2, 3, 3), (2,)], kinds, strict=True))
        y = f(x, W, b)
        assert y.dtype == np.result_type(*kinds)
        y.backward(create_graph=True)
        assert [v.grad.dtype for v in (x, W, b)] == list(kinds)
    half = f(np.ones((1, 2, 4, 4), np.float16), np.ones((2, 2, 3, 3), np.float16), np.ones(2, np.float16))
    assert half.dtype == np.float16


def test_flattening_copies_nothing(rng):
    y = pooling(conv2d(rng.standard_normal((4, 1, 6, 6)), rng.standard_normal((2, 1, 3, 3)), pad=1), 2, 2)
    assert np.shares_memory(y.reshape(4, -1).data, y.data)


# ---------------------------------------------------------------------------------------------------------------------
# Mistakes

x = np.zeros((2, 4, 5, 5))
W = np.zeros((6, 4, 3, 3))


@pytest.mark.parametrize(
    ("mistake", "kind", "message"),
    [
        (
            lambda: conv2d(x[0], W),
            ValueError,
            "conv2d: expected x of shape (N, C, H, W), got (4, 5, 5); reshape it, adding axes of length 1",
        ),
        (
            lambda: conv2d(x, W[0]),
            ValueError,
            "conv2d: expected W of shape (OC, C/groups, KH, KW), got (4, 3, 3); reshape it, adding axes of length 1",
        ),
        (lambda: deconv2d(x, W[0]), ValueError, "deconv2d: expected W of shape (C, OC/groups, KH, KW), got (4, 3, 3)"),
        (
            lambda: conv2d(x[:, :3], W),
            ValueError,
            "conv2d: with W (6, 4, 3, 3) and groups=1, expected x of shape (N, 4, H, W), got (2, 3, 5, 5)",
        ),
        (
            lambda: conv2d(x, W, groups=2),
            ValueError,
            "conv2d: with W (6, 4, 3, 3) and groups=2, expected x of shape (N, 8, H, W), got (2, 4, 5, 5)",
        ),
        (
            lambda: deconv2d(x, W),
            ValueError,
            "deconv2d: with W (6, 4, 3, 3) and groups=1, expected x of shape (N, 6, H, W), got (2, 4, 5, 5)",
        ),
        (
            lambda: conv2d(x, W, groups=4),
            ValueError,
            "conv2d: expected groups, a number that divides the first axis of W (6, 4, 3, 3), got 4",
        ),
        (lambda: conv2d(x, W, groups=0), ValueError, "conv2d: expected groups of at least 1, got 0"),
        (lambda: conv2d(x, W, groups=(1, 1)), ValueError, "conv2d: expected groups, a number that divides"),
        (lambda: conv2d(x, W, stride=0), ValueError, "conv2d: expected stride of at least 1, got 0"),
        (lambda: conv2d(x, W, pad=(0, -1)), ValueError, "conv2d: expected pad of at least 0, got (0, -1)"),
        (lambda: conv2d(x, W, dilation=0), ValueError, "conv2d: expected dilation of at least 1, got 0"),
        (
            lambda: conv2d(x, W, stride=1.5),
            TypeError,
            "conv2d: expected stride as an integer or a pair of integers, got 1.5",
        ),
        (lambda: pooling(x, (2, 2, 2)), TypeError, "pooling: expected kernel_size as an integer or a pair of integers"),
        (lambda: pooling(x, "same"), TypeError, "got 'same'"),
        (lambda: pooling(x, 0), ValueError, "pooling: expected kernel_size of at least 1, got 0"),
        (lambda: conv2d(x, W[:, :, :0]), ValueError, "conv2d: expected kernel_size of at least 1, got (0, 3)"),
        (
            lambda: conv2d(x, W, np.zeros(4)),
            ValueError,
            "conv2d: expected b of shape (6,), one number for each channel of y, got (4,)",
        ),
        (lambda: deconv2d(x, W[:4], np.zeros((4, 1))), ValueError, "deconv2d: expected b of shape (4,)"),
        (
            lambda: conv2d(x, W, dilation=(4, 1), pad=1),
            ValueError,
            "conv2d: expected a kernel within the padded image (7, 7), got (9, 3); pad more",
        ),
        (lambda: pooling(x, 6), ValueError, "pooling: expected a kernel within the padded image (5, 5), got (6, 6)"),
        (
            lambda: average_pooling(x, 6),
            ValueError,
            "average_pooling: expected a kernel within the padded image (5, 5), got (6, 6)",
        ),
        (
            lambda: pooling(x, 2, 2, (1, 2)),
            ValueError,
            "pooling: expected a pad smaller than the kernel (2, 2), got (1, 2); pad less",
        ),
        (lambda: im2col(x[0], 2), ValueError, "im2col: expected x of shape (N, C, H, W), got (4, 5, 5)"),
        (lambda: col2im(x, (4, 5, 5), 2), ValueError, "col2im: expected x of shape (N, C, H, W), got (4, 5, 5)"),
        (
            lambda: col2im(np.zeros((32, 16)), x.shape, 2, to_matrix=False),
            ValueError,
            "col2im: expected columns of shape (2, 4, 2, 2, 4, 4) for the input_shape (2, 4, 5, 5), got (32, 16); "
            "give the settings that im2col was given, to_matrix=True perhaps",
        ),
        (
            lambda: deconv2d(x, W[:4], stride=2, outsize=13),
            ValueError,
            "deconv2d: expected an outsize from (11, 11) to (12, 12), and of at least 1, got (13, 13)",
        ),
        (
            lambda: deconv2d(x, W[:4], pad=4),
            ValueError,
            "deconv2d: expected an outsize from (-1, -1) to (-1, -1), and of at least 1, got (-1, -1)",
        ),
    ],
)
def test_mistakes(mistake, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        mistake()
