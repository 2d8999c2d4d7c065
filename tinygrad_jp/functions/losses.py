"""Losses: how far a prediction is from the truth, as one number. All are means, over examples or over all elements."""

from typing import Any

import numpy

from tinygrad_jp.core import PULLBACKS, Variable, apply, as_variable, pullback
from tinygrad_jp.core.kinds import np
from tinygrad_jp.functions import stable
from tinygrad_jp.functions.activations import array_softmax
from tinygrad_jp.functions.basics import one_hot_rows

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
    lambda gy, y, a, b: (a - b) * (gy * (2 / a.size)),
    lambda gy, y, a, b: (b - a) * (gy * (2 / a.size)),
)


def mean_absolute_error(x0: Any, x1: Any) -> Variable:
    """The mean of |x0 − x1| over all elements. Its slope where they are equal is 0.

    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    variable(1.0)
    """
    _same_shape("mean_absolute_error", x0, x1)
    return apply(np.mean, abs(apply(np.subtract, x0, x1)))


def huber_loss(x0: Any, x1: Any, delta: float = 1.0) -> Variable:
    """The mean over all elements of d²/2 where d = |x0 − x1| is at most delta, and delta · (d − delta/2) beyond.

    Source: Huber, Robust Estimation of a Location Parameter, 1964.

    >>> huber_loss([0.0, 0.0], [1.0, 3.0])
    variable(1.5)
    """
    _same_shape("huber_loss", x0, x1)
    if delta <= 0:
        raise ValueError(f"huber_loss: expected a positive delta, got {delta}")
    d = abs(apply(np.subtract, x0, x1))
    near = np.minimum(d, delta)
    return apply(np.mean, near * (d - near / 2))


def softmax_cross_entropy(x: Any, t: Any, *, ignore_label: int | None = None, label_smoothing: float = 0.0) -> Variable:
    """The mean negative log probability that softmax of the logits x (..., C) gives to the labels t (...).

    L = −1/N Σₙ log softmax(xₙ)[tₙ], without overflow. Examples labelled `ignore_label` count neither in the sum nor in
    N; where none is left, L is 0. With `label_smoothing` ε, the true label weighs 1 − ε, and ε is spread over all C.

    Source of the smoothing: Szegedy et al., Rethinking the Inception Architecture, 2015.

    >>> softmax_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, 0])
    variable(0.34657359...)
    >>> softmax_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, -1], ignore_label=-1)
    variable(0.69314718...)
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"softmax_cross_entropy: expected a label_smoothing from 0 to 1, got {label_smoothing}")
    x = as_variable(x)
    t = _integers("softmax_cross_entropy", x, t)
    if t.ndim != 1:
        x, t = x.reshape(t.size, x.shape[-1]), t.ravel()
    if ignore_label is not None:
        kept = t != ignore_label
        x, t = x[kept], t[kept]
    _check_range("softmax_cross_entropy", t, x.shape[-1])
    loss = apply(_softmax_cross_entropy, x, t)
    if label_smoothing:
        log_p = apply(stable.log_softmax, x)
        loss = (1 - label_smoothing) * loss - (label_smoothing / max(log_p.size, 1)) * log_p.sum()
    return loss


def _softmax_cross_entropy(x: Any, t: Any) -> Any:
    return -stable.log_softmax(x)[numpy.arange(len(t)), t].sum() / max(len(t), 1)


@pullback(_softmax_cross_entropy)
def d_softmax_cross_entropy(gy: Any, y: Any, x: Any, t: Any) -> Any:
    """What softmax says, less what is right, over the number of rows."""
    return (array_softmax(x) - one_hot_rows(t, x.shape[-1], x.dtype)) * (gy / max(len(t), 1))


def sigmoid_cross_entropy(x: Any, t: Any) -> Variable:
    """The mean over all elements of −t·log σ(x) − (1 − t)·log(1 − σ(x)), for logits x and truths t from 0 to 1.

    Deviation: DeZero divides by the length of the first axis alone, and overflows.

    >>> sigmoid_cross_entropy([1e4, 0.0], [1, 1])
    variable(0.34657359...)
    """
    _same_shape("sigmoid_cross_entropy", x, t)
    x = as_variable(x)
    t = t if isinstance(t, Variable) else np.asarray(t, x.dtype)
    return apply(np.mean, t * apply(np.logaddexp, -x, 0.0) + (1 - t) * apply(np.logaddexp, x, 0.0))


def binary_cross_entropy(p: Any, t: Any) -> Variable:
    """The mean over all elements of −t·log p − (1 − t)·log(1 − p), for probabilities p and truths t from 0 to 1.

    A p nearer to 0 or 1 than the dtype's eps counts as that near, so that the loss stays finite; its gradient is that
    at eps. `sigmoid_cross_entropy` of logits needs no such limit: prefer it. Deviation: DeZero divides by the length of
    the first axis alone.

    >>> binary_cross_entropy([0.5, 1.0], [1, 1])
    variable(0.34657359...)
    """
    _same_shape("binary_cross_entropy", p, t)
    p = as_variable(p)
    if p.size and not ((p.data >= 0) & (p.data <= 1)).all():
        raise ValueError(f"binary_cross_entropy: expected p from 0 to 1, got {p.data.min()} to {p.data.max()}")
    t = t if isinstance(t, Variable) else np.asarray(t, p.dtype)
    eps = np.finfo(p.dtype).eps
    p = p + (np.clip(p.data, eps, 1 - eps) - p.data)
    return apply(np.mean, -t * np.log(p) - (1 - t) * np.log1p(-p))


def kl_divergence(p: Any, q: Any) -> Variable:
    """The mean over examples of Σ p·log(p / q), for two probability distributions p and q (..., C); 0·log 0 is 0.

    >>> kl_divergence([[0.5, 0.5, 0.0]], [[0.25, 0.5, 0.25]])
    variable(0.34657359...)
    """
    _same_shape("kl_divergence", p, q)
    p, q = as_variable(p), as_variable(q)
    zero = p == 0
    return apply(np.mean, np.sum(p * (np.log(np.where(zero, 1, p)) - np.log(np.where(zero, 1, q))), axis=-1))


def accuracy(y: Any, t: Any) -> Variable:
    """The share of rows of y (..., C) whose largest element is at the label t (...). It has no gradient.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    variable(0.5)
    """
    y = as_variable(y)
    t = _integers("accuracy", y, t)
    _check_range("accuracy", t, y.shape[-1])
    return Variable(np.mean(y.argmax(axis=-1) == t))


def _same_shape(name: str, x: Any, t: Any) -> None:
    """Refuse to broadcast in a loss: (N, 1) against (N,) would compare every row with every other."""
    a = x.shape if hasattr(x, "shape") else np.shape(x)
    b = t.shape if hasattr(t, "shape") else np.shape(t)
    if a != b:
        raise ValueError(f"{name}: expected two arguments of one shape, got {a} and {b}; reshape one of them")


def _integers(name: str, x: Variable, t: Any) -> Any:
    """`t` as an array of labels, one for each row of `x`."""
    t = numpy.asarray(t.data if isinstance(t, Variable) else t)
    if not x.ndim or t.shape != x.shape[:-1] or not t.size:
        raise ValueError(f"{name}: expected x of shape (N, C) and N > 0 labels (N,), got {x.shape} and {t.shape}")
    if t.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integer labels, got {t.dtype}; use t.astype(int)")
    return t


def _check_range(name: str, t: Any, n: int) -> None:
    """Refuse labels that are not from 0 to n − 1."""
    # Seen as unsigned, a negative label is larger than any other: one comparison for both bounds.
    if t.size and t.view(f"u{t.itemsize}").max() >= n:
        raise ValueError(f"{name}: expected labels from 0 to {n - 1}, got {t.min()} to {t.max()}")
