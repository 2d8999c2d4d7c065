"""The functions that networks are built of, known as `F`.

Each takes Variables or arrays and returns a Variable. What NumPy has, NumPy computes; what is here is the rest.
"""

from typing import Any

import numpy

from tinygrad_jp import arrays
from tinygrad_jp.arrays import one_hot
from tinygrad_jp.core import Variable, apply, as_variable
from tinygrad_jp.randomness import Rng, generator
from tinygrad_jp.settings import TRAIN
from tinygrad_jp.table import PULLBACKS, pullback

np: Any = numpy

__all__ = [
    "accuracy",
    "dropout",
    "linear",
    "log_softmax",
    "mean_squared_error",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
]

# ---------------------------------------------------------------------------------------------------------------------
# Layers


def linear(x: Any, W: Any, b: Any = None) -> Variable:
    """The affine map of a fully connected layer.

    y = x·W + b, with x of shape (..., I), W (I, O), b (O,) or None, and y (..., O).

    >>> linear([[1.0, 2.0]], [[1.0, 0.0], [0.0, 3.0]], [0.5, 0.5])
    variable([[1.5 6.5]])
    """
    return apply(_linear, x, W, b)


def _linear(x: Any, W: Any, b: Any) -> Any:
    y = x.dot(W)
    if b is None:
        return y
    if b.dtype != y.dtype or b.ndim != 1:
        return y + b
    y += b
    return y


def _rows(x: Any) -> Any:
    """x (..., D) as a matrix (N, D)."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def d_linear_b(gy: Any, y: Any, x: Any, W: Any, b: Any) -> Any:
    """The sum over the rows, as a product with ones: BLAS sums faster than NumPy."""
    gy = _rows(gy)
    return gy.T.dot(numpy.ones(len(gy), gy.dtype))


PULLBACKS[_linear] = (
    lambda gy, y, x, W, b: gy.dot(W.T),
    lambda gy, y, x, W, b: _rows(x).T.dot(_rows(gy)),
    d_linear_b,
)


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


# ---------------------------------------------------------------------------------------------------------------------
# Activations


def sigmoid(x: Any) -> Variable:
    """The logistic function, y = 1 / (1 + e⁻ˣ), without overflow for any x.

    >>> sigmoid([-1000.0, 0.0, 1000.0])
    variable([0.  0.5 1. ])
    """
    return apply(arrays.sigmoid, x)


def relu(x: Any) -> Variable:
    """The rectifier, y = max(x, 0). Its slope at 0 is taken to be 0.

    >>> relu([-1.0, 0.0, 2.0])
    variable([0. 0. 2.])
    """
    return apply(_relu, x)


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


def softmax(x: Any, axis: int = -1) -> Variable:
    """Probabilities from logits: yᵢ = e^xᵢ / Σⱼ e^xⱼ along `axis`, of x's shape.

    Deviation: DeZero's default axis is 1; for its (N, C) that is the last one too.

    >>> softmax([[0.0, 0.0], [1000.0, 0.0]])
    variable([[0.5 0.5]
              [1.  0. ]])
    """
    return apply(arrays.softmax, x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Variable:
    """The logarithm of `softmax`, without its rounding to 0: yᵢ = xᵢ − log Σⱼ e^xⱼ along `axis`.

    >>> log_softmax([1000.0, 0.0])
    variable([    0. -1000.])
    """
    return apply(arrays.log_softmax, x, axis=axis)


PULLBACKS |= {
    arrays.sigmoid: lambda gy, y, x: gy * y * (1 - y),
    _relu: lambda gy, y, x: gy * (y > 0),
}


@pullback(arrays.softmax)
def d_softmax(gy: Any, y: Any, x: Any, axis: int = -1) -> Any:
    return y * (gy - (gy * y).sum(axis=axis, keepdims=True))


@pullback(arrays.log_softmax)
def d_log_softmax(gy: Any, y: Any, x: Any, axis: int = -1) -> Any:
    return gy - np.exp(y) * gy.sum(axis=axis, keepdims=True)


# ---------------------------------------------------------------------------------------------------------------------
# Losses


def mean_squared_error(x0: Any, x1: Any) -> Variable:
    """The mean of (x0 − x1)² over all elements, for x0 and x1 of one shape.

    Deviation: DeZero divides by the length of the first axis alone.

    >>> mean_squared_error([[1.0, 2.0]], [[1.0, 4.0]])
    variable(2.0)
    """
    _same_shape("mean_squared_error", x0, x1)
    return apply(_mean_squared_error, x0, x1)


def _mean_squared_error(a: Any, b: Any) -> Any:
    d = (a - b).ravel()
    return d.dot(d) / d.size


PULLBACKS[_mean_squared_error] = (
    lambda gy, y, a, b: (a - b) * (2 * gy / a.size),
    lambda gy, y, a, b: (b - a) * (2 * gy / a.size),
)


def softmax_cross_entropy(x: Any, t: Any) -> Variable:
    """The mean negative log probability that softmax of the logits x (N, C) gives to the labels t (N,).

    L = −1/N Σₙ log softmax(xₙ)[tₙ], in one numerically stable step.

    >>> softmax_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, 0])
    variable(0.34657359...)
    """
    t = _labels("softmax_cross_entropy", x, t)
    return apply(_negative_log_likelihood, apply(arrays.log_softmax, x), t)


def _negative_log_likelihood(x: Any, t: Any) -> Any:
    return -x[np.arange(len(t)), t].sum() / len(t)


@pullback(_negative_log_likelihood)
def d_negative_log_likelihood(gy: Any, y: Any, x: Any, t: Any) -> Any:
    """Only the log probability of the true label counts."""
    return one_hot(t, x.shape[-1], x.dtype) * (-gy / len(t))


def accuracy(y: Any, t: Any) -> Variable:
    """The share of rows of y (N, C) whose largest element is at the label t (N,). It has no gradient.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    variable(0.5)
    """
    y = as_variable(y)
    return Variable(np.mean(y.argmax(axis=-1) == _labels("accuracy", y, t)))


def _same_shape(name: str, x: Any, t: Any) -> None:
    """Refuse to broadcast in a loss: (N, 1) against (N,) would compare every row with every other."""
    if np.shape(x) != np.shape(t):
        raise ValueError(
            f"{name}: expected two arguments of one shape, got {np.shape(x)} and {np.shape(t)}; reshape one of them"
        )


def _labels(name: str, x: Any, t: Any) -> Any:
    """`t` as an array of labels that fit the logits `x`."""
    t = numpy.asarray(t.data if isinstance(t, Variable) else t)
    shape = np.shape(x)
    if len(shape) != 2 or t.shape != shape[:1] or not t.size:
        raise ValueError(f"{name}: expected x of shape (N, C) and N > 0 labels (N,), got {shape} and {t.shape}")
    if t.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integer labels, got {t.dtype}; use t.astype(int)")
    # Seen as unsigned, a negative label is larger than any other: one comparison for both bounds.
    if t.view(f"u{t.itemsize}").max() >= shape[1]:
        raise ValueError(f"{name}: expected labels from 0 to {shape[1] - 1}, got {t.min()} to {t.max()}")
    return t
