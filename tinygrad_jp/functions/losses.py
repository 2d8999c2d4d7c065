"""Losses: how far a prediction is from the truth, as a single number. All are means, over examples or elements."""

from tinygrad_jp.core import PULLBACKS, Array, ArrayLike, Variable, apply, as_variable, pullback
from tinygrad_jp.functions import stable
from tinygrad_jp.functions.activations import array_softmax
from tinygrad_jp.functions.basics import as_integers, check_range, one_hot_rows
from tinygrad_jp.functions.precision import upcast
from tinygrad_jp.kinds import DTypeLike, np

__all__ = [
    "accuracy",
    "binary_cross_entropy",
    "huber_loss",
    "kl_divergence",
    "mean_absolute_error",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
]


@upcast("x0", "x1", integers=True)
def mean_squared_error(x0: ArrayLike, x1: ArrayLike) -> Variable:
    """The mean of (x0 − x1)² over all elements, for x0 and x1 of one shape.

    Deviation: DeZero divides by the length of the first axis alone.

    >>> mean_squared_error([[1.0, 2.0]], [[1.0, 4.0]])
    variable(2.0)
    """
    _check_shapes("mean_squared_error", x0, x1)
    return apply(_mean_squared_error, x0, x1)


def _mean_squared_error(a: Array, b: Array) -> Array:
    d = (a - b).ravel()
    return d.dot(d) / d.size


PULLBACKS[_mean_squared_error] = (
    lambda gy, y, a, b: (a - b) * (gy * (2 / a.size)),
    lambda gy, y, a, b: (b - a) * (gy * (2 / a.size)),
)


@upcast("x0", "x1", integers=True)
def mean_absolute_error(x0: ArrayLike, x1: ArrayLike) -> Variable:
    """The mean of |x0 − x1| over all elements. Its slope where they are equal is 0.

    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    variable(1.0)
    """
    _check_shapes("mean_absolute_error", x0, x1)
    return apply(np.mean, abs(apply(np.subtract, x0, x1)))


@upcast("x0", "x1", integers=True)
def huber_loss(x0: ArrayLike, x1: ArrayLike, delta: float = 1.0) -> Variable:
    """The mean over all elements of d²/2 where d = |x0 − x1| is at most delta, and delta · (d − delta/2) beyond.

    Source: Huber, Robust Estimation of a Location Parameter, 1964.

    >>> huber_loss([0.0, 0.0], [1.0, 3.0])
    variable(1.5)
    """
    _check_shapes("huber_loss", x0, x1)
    if delta <= 0:
        raise ValueError(f"huber_loss: expected a positive delta, got {delta}")
    d = apply(np.subtract, x0, x1)
    near = apply(np.clip, d, -delta, delta)
    return apply(np.mean, near * (d - near / 2))


@upcast("x", integers=True)
def softmax_cross_entropy(
    x: ArrayLike, t: ArrayLike, *, ignore_label: int | None = None, label_smoothing: float = 0.0
) -> Variable:
    """The mean negative log probability that softmax of the logits x (..., C) gives to the labels t (...).

    L = −1/N Σₙ log softmax(xₙ)[tₙ], without overflow. Examples labelled `ignore_label` do not count in the sum, nor in
    N; if none is left, L is 0. With `label_smoothing` ε, the true label weighs 1 − ε, and ε is spread over all C.

    Source of the smoothing: Szegedy et al., Rethinking the Inception Architecture, 2015.

    >>> softmax_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, 0])
    variable(0.34657359...)
    >>> softmax_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, -1], ignore_label=-1)
    variable(0.69314718...)
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"softmax_cross_entropy: expected a label_smoothing from 0 to 1, got {label_smoothing}")
    x = as_variable(x)
    labels = _labels("softmax_cross_entropy", x, t)
    if labels.ndim != 1:
        x, labels = x.reshape(labels.size, x.shape[-1]), labels.ravel()
    if ignore_label is not None:
        counted = labels != ignore_label
        x, labels = x[counted], labels[counted]
    check_range("softmax_cross_entropy", labels, x.shape[-1])
    loss = apply(_softmax_cross_entropy, x, labels)
    if label_smoothing:
        log_p = apply(stable.log_softmax, x)
        loss = (1 - label_smoothing) * loss - (label_smoothing / max(log_p.size, 1)) * log_p.sum()
    return loss


def _softmax_cross_entropy(x: Array, t: Array) -> Array:
    return -stable.log_softmax(x)[np.arange(len(t)), t].sum() / max(len(t), 1)


@pullback(_softmax_cross_entropy)
def d_softmax_cross_entropy(gy: Array, y: Array, x: Array, t: Array) -> Array:
    """The probabilities, less 1 at the true label, over the number of rows."""
    return (array_softmax(x) - one_hot_rows(t, x.shape[-1], x.dtype)) * (gy / max(len(t), 1))


@upcast("x", integers=True)
def sigmoid_cross_entropy(x: ArrayLike, t: ArrayLike) -> Variable:
    """The mean over all elements of −t·log σ(x) − (1 − t)·log(1 − σ(x)), for logits x and truths t from 0 to 1.

    Deviation: DeZero divides by the length of the first axis alone, and overflows.

    >>> sigmoid_cross_entropy([1e4, 0.0], [1, 1])
    variable(0.34657359...)
    """
    _check_shapes("sigmoid_cross_entropy", x, t)
    x = as_variable(x)
    truths: Array = _truths(t, x.dtype)
    return apply(np.mean, truths * apply(np.logaddexp, -x, 0.0) + (1 - truths) * apply(np.logaddexp, x, 0.0))


def binary_cross_entropy(p: ArrayLike, t: ArrayLike) -> Variable:
    """The mean over all elements of −t·log p − (1 − t)·log(1 − p), for probabilities p and truths t from 0 to 1.

    A p nearer to 0 or 1 than the dtype's eps is taken to be that near, so the loss stays finite; its gradient is the
    one at eps. `sigmoid_cross_entropy` of logits needs no such limit: prefer it. Deviation: DeZero divides by the
    length of the first axis alone.

    >>> binary_cross_entropy([0.5, 1.0], [1, 1])
    variable(0.34657359...)
    """
    _check_shapes("binary_cross_entropy", p, t)
    data = as_variable(p).data
    if not ((data >= 0) & (data <= 1)).all():
        raise ValueError(f"binary_cross_entropy: expected p from 0 to 1, got {data.min()} to {data.max()}")
    return _binary_cross_entropy(p, t, float(np.finfo(data.dtype if data.dtype.kind == "f" else float).eps))


@upcast("p", integers=True)
def _binary_cross_entropy(p: Array, t: ArrayLike, eps: float) -> Variable:
    p = as_variable(p)
    truths: Array = _truths(t, p.dtype)
    p = p + (np.clip(p.data, eps, 1 - eps) - p.data)
    return apply(np.mean, -truths * np.log(p) - (1 - truths) * np.log1p(-p))


@upcast("p", "q", integers=True)
def kl_divergence(p: ArrayLike, q: ArrayLike) -> Variable:
    """The mean over examples of Σ p·log(p / q), for two probability distributions p and q (..., C); 0·log 0 is 0.

    >>> kl_divergence([[0.5, 0.5, 0.0]], [[0.25, 0.5, 0.25]])
    variable(0.34657359...)
    """
    _check_shapes("kl_divergence", p, q)
    p, q = as_variable(p), as_variable(q)
    if not p.ndim:
        raise ValueError("kl_divergence: expected p and q of shape (..., C), got single numbers")
    zero = p == 0
    return apply(np.mean, np.sum(p * (np.log(np.where(zero, 1, p)) - np.log(np.where(zero, 1, q))), axis=-1))


def accuracy(y: ArrayLike, t: ArrayLike) -> Variable:
    """The share of rows of y (..., C) whose largest element is at the label t (...). It has no gradient.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    variable(0.5)
    """
    y = as_variable(y)
    labels = _labels("accuracy", y, t)
    check_range("accuracy", labels, y.shape[-1])
    return Variable(np.mean(y.argmax(axis=-1) == labels))


def _check_shapes(name: str, x: ArrayLike, t: ArrayLike) -> None:
    """Refuse the mean of nothing, and broadcasting: (N, 1) against (N,) would compare every row with every other."""
    a = x.shape if hasattr(x, "shape") else np.shape(x)
    b = t.shape if hasattr(t, "shape") else np.shape(t)
    if a != b:
        raise ValueError(f"{name}: expected two arguments of one shape, got {a} and {b}; reshape one of them")
    if 0 in a:
        raise ValueError(f"{name}: expected at least one element, got shape {a}; the mean of nothing is undefined")


def _labels(name: str, x: Variable, t: ArrayLike) -> Array:
    """`t` as an array of integers, one for each row of `x`."""
    shape = np.shape(t)
    if not x.ndim or shape != x.shape[:-1] or 0 in shape:
        raise ValueError(f"{name}: expected x of shape (N, C) and N > 0 labels (N,), got {x.shape} and {shape}")
    return as_integers(name, t)


def _truths(t: ArrayLike, dtype: DTypeLike) -> Array:
    """`t`, an array or a Variable, as floats."""
    if isinstance(t, Variable):
        return t if t.dtype.kind == "f" else t.astype(dtype)
    return np.asarray(t, dtype)
