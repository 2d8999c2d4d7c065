"""DeZero's `utils`: helpers that its programs import. Arrays in, arrays out."""

from collections.abc import Callable
from typing import Any

from tinygrad_jp import functions as F
from tinygrad_jp.core import Array, ArrayLike, Axis, Shape, Variable
from tinygrad_jp.datasets import downloads
from tinygrad_jp.devices import beside, fetched
from tinygrad_jp.graph import get_dot_graph, plot_dot_graph
from tinygrad_jp.kinds import np
from tinygrad_jp.names import aliases
from tinygrad_jp.testing import gradient_check

__all__ = [
    "array_allclose",
    "array_equal",
    "cache_dir",
    "col2im_array",
    "get_conv_outsize",
    "get_deconv_outsize",
    "get_dot_graph",
    "get_file",
    "gradient_check",
    "im2col_array",
    "logsumexp",
    "max_backward_shape",
    "numerical_grad",
    "pair",
    "plot_dot_graph",
    "reshape_sum_backward",
    "sum_to",
]
__getattr__ = aliases(__name__)


def __dir__() -> list[str]:
    return __all__


cache_dir = str(downloads.root())


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Variable) else x


def sum_to(x: Array, shape: Shape) -> Array:
    """x, summed down to `shape`.

    >>> sum_to(np.ones((2, 3)), (1, 3))
    array([[2., 2., 2.]])
    """
    return F.sum_to(x, shape) if isinstance(x, Variable) else F.sum_to(x, shape).data


def reshape_sum_backward(gy: Array, x_shape: Shape, axis: Axis, keepdims: bool) -> Array:
    """gy, the gradient of a sum over `axis`, with the axes that the sum removed put back as length 1.

    >>> reshape_sum_backward(np.ones(2), (2, 3), 1, False).shape
    (2, 1)
    """
    return gy if keepdims or axis is None or not x_shape else np.expand_dims(gy, axis)


def logsumexp(x: Array, axis: int = 1) -> Array:
    """log Σ eˣ over `axis`, which stays as length 1.

    >>> logsumexp(np.zeros((1, 2))).round(3)
    array([[0.693]])
    """
    top = x.max(axis=axis, keepdims=True)
    return top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))


def max_backward_shape(x: Array, axis: Axis) -> list[int]:
    """The shape of the maximum of x over `axis`, with length 1 there.

    >>> max_backward_shape(np.ones((2, 3)), 1)
    [2, 1]
    """
    return list(x.max(axis=axis, keepdims=True).shape)


def numerical_grad(f: Callable[..., Any], x: ArrayLike, *args: Any, **kwargs: Any) -> Array:
    """The gradient of the sum of f(x, ...) with respect to x, by central differences of step 1e-4, in float64.

    >>> numerical_grad(lambda x: x**2, np.array([3.0])).round(6)
    array([6.])
    """
    at: Array = np.array(fetched(_data(x)), np.float64)
    gx = np.zeros_like(at)
    for i in np.ndindex(at.shape):
        ends = []
        for step in (1e-4, -1e-4):
            moved = at.copy()
            moved[i] += step
            ends.append(float(np.sum(_data(f(beside(moved, x), *args, **kwargs)))))
        gx[i] = (ends[0] - ends[1]) / 2e-4
    return beside(gx, x)


def array_equal(a: ArrayLike, b: ArrayLike) -> bool:
    """Whether two arrays or Variables have the same shape and elements."""
    return bool(np.array_equal(_data(a), _data(b)))


def array_allclose(a: ArrayLike, b: ArrayLike, rtol: float = 1e-4, atol: float = 1e-5) -> bool:
    """Whether the elements of two arrays or Variables are equal within a tolerance."""
    return bool(np.allclose(_data(a), _data(b), rtol=rtol, atol=atol))


def get_file(url: str, file_name: str | None = None) -> str:
    """The path of the file at `url`, which is downloaded to `cache_dir` if it is not there. Nothing checks it."""
    return str(downloads.plain_file(url, file_name or url.rpartition("/")[2]))


def get_deconv_outsize(size: int, k: int, s: int, p: int) -> int:
    """The length that a transposed convolution gives: s·(size − 1) + k − 2·p."""
    return s * (size - 1) + k - 2 * p


def get_conv_outsize(input_size: int, kernel_size: int, stride: int, pad: int) -> int:
    """The length that a convolution gives: ⌊(size + 2·pad − kernel) / stride⌋ + 1."""
    return (input_size + 2 * pad - kernel_size) // stride + 1


def pair(x: int | tuple[int, int]) -> tuple[int, int]:
    """A number as a pair of itself; a pair unchanged.

    >>> pair(3), pair((3, 4))
    ((3, 3), (3, 4))
    """
    if isinstance(x, int):
        return x, x
    if isinstance(x, tuple) and len(x) == 2:
        return x
    raise ValueError(f"pair: expected a number or a pair, got {x!r}")


def im2col_array(img: Array, kernel_size: Any, stride: Any, pad: Any, to_matrix: bool = True) -> Array:
    """`F.im2col` of an array, as an array."""
    return F.im2col(img, kernel_size, stride, pad, to_matrix).data


def col2im_array(
    col: Array, img_shape: Shape, kernel_size: Any, stride: Any, pad: Any, to_matrix: bool = True
) -> Array:
    """`F.col2im` of an array, as an array."""
    return F.col2im(col, img_shape, kernel_size, stride, pad, to_matrix).data
