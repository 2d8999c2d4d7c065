"""Losses: how far predictions are from the truth, as a single number.

One law holds for all of them: the loss of an example is the sum over its elements, and the result is the mean over the
examples. The first axis counts the examples; a single number is one. Where the last axis holds classes, as in
`softmax_cross_entropy` and `kl_divergence`, every row is an example. The mean over all elements is plain NumPy:
`np.mean((y - t) ** 2)`.

weight: one number of at least 0 for each example, or for each class in `softmax_cross_entropy`. The mean then divides
by the sum of the examples' weights instead of their number; it is 0 where all weights are.

reduction: "mean", "sum" for the sum over the examples, or "none" for an array: element by element, or example by
example where the last axis holds classes.
"""

import math
import operator
from collections.abc import Sequence
from typing import Any

from tinygrad_jp.core import PULLBACKS, Array, ArrayLike, Variable, apply, as_variable, pullback
from tinygrad_jp.devices import apart, beside, fetched
from tinygrad_jp.functions import stable
from tinygrad_jp.functions.activations import array_softmax
from tinygrad_jp.functions.basics import as_integers, check_range, one_hot_rows
from tinygrad_jp.functions.confusion import ConfusionMatrix
from tinygrad_jp.functions.precision import as_array, upcast
from tinygrad_jp.kinds import Shape, np

__all__ = [
    "accuracy",
    "binary_cross_entropy",
    "confusion_matrix",
    "huber_loss",
    "kl_divergence",
    "mean_absolute_error",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
]


@upcast("x0", "x1", integers=True)
def mean_squared_error(
    x0: ArrayLike, x1: ArrayLike, *, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Variable:
    """1/N Σₙ Σᵢ (x0ₙᵢ − x1ₙᵢ)², for x0 and x1 of one shape (N, ...): a sum over each example, then the mean.

    For one column it is the mean of the squares. For more, that is `np.mean((x0 - x1) ** 2)`.

    weight: (N,), one for each example. reduction: "mean", "sum" or "none".

    >>> mean_squared_error([[1.0, 2.0]], [[2.0, 4.0]])
    variable(5.0)
    >>> mean_squared_error([1.0, 2.0], [2.0, 4.0], reduction="none")
    variable([1. 4.])
    """
    _check_reduction("mean_squared_error", reduction)
    x0, x1 = _of_one_shape("mean_squared_error", x0, x1)
    if weight is None and reduction == "mean" and np.ndim(x0):
        return apply(_mean_squared_error, x0, x1)
    return _reduced("mean_squared_error", np.square(apply(np.subtract, x0, x1)), weight, reduction)


def _mean_squared_error(a: Array, b: Array) -> Array:
    d = (a - b).ravel()
    return d.dot(d) / len(a)


PULLBACKS[_mean_squared_error] = (
    lambda gy, y, a, b: (a - b) * (gy * (2 / len(a))),
    lambda gy, y, a, b: (b - a) * (gy * (2 / len(a))),
)


@upcast("x0", "x1", integers=True)
def mean_absolute_error(
    x0: ArrayLike, x1: ArrayLike, *, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Variable:
    """1/N Σₙ Σᵢ |x0ₙᵢ − x1ₙᵢ|, for x0 and x1 of one shape (N, ...). Its slope where they are equal is 0.

    weight: (N,), one for each example. reduction: "mean", "sum" or "none".

    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    variable(1.0)
    """
    _check_reduction("mean_absolute_error", reduction)
    x0, x1 = _of_one_shape("mean_absolute_error", x0, x1)
    return _reduced("mean_absolute_error", abs(apply(np.subtract, x0, x1)), weight, reduction)


@upcast("x0", "x1", integers=True)
def huber_loss(
    x0: ArrayLike, x1: ArrayLike, delta: float = 1.0, *, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Variable:
    """1/N Σₙ Σᵢ h(x0ₙᵢ − x1ₙᵢ), for x0 and x1 of one shape (N, ...).

    h is d²/2 where d = |x0 − x1| is at most delta, and delta · (d − delta/2) beyond.

    weight: (N,), one for each example. reduction: "mean", "sum" or "none".

    Source: Huber, Robust Estimation of a Location Parameter, 1964.

    >>> huber_loss([0.0, 0.0], [1.0, 3.0])
    variable(1.5)
    """
    _check_reduction("huber_loss", reduction)
    x0, x1 = _of_one_shape("huber_loss", x0, x1)
    if delta <= 0:
        raise ValueError(f"huber_loss: expected a positive delta, got {delta}")
    d = apply(np.subtract, x0, x1)
    near = apply(np.clip, d, -delta, delta)
    return _reduced("huber_loss", near * (d - near / 2), weight, reduction)


@upcast("x", integers=True)
def softmax_cross_entropy(
    x: ArrayLike,
    t: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    ignore_label: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Variable:
    """The mean negative log probability that softmax of the logits x (..., C) gives to the labels t (...).

    It is a Variable of one number, to go backward from; `.item()` is the number.

    L = −1/N Σₙ log softmax(xₙ)[tₙ], without overflow. Examples labelled `ignore_label` do not count in the sum, nor in
    N; if none is left, L is 0. With `label_smoothing` ε, the true label weighs 1 − ε, and ε is spread over all C.

    weight: (C,), one for each class, multiplies log softmax(xₙ)[c]; the mean then divides by Σₙ weight[tₙ] instead of
    N, smoothed or not, as PyTorch's does. reduction: "mean", "sum", or "none" for an array (...), 0 where ignored.

    Source of the smoothing: Szegedy et al., Rethinking the Inception Architecture, 2015.

    >>> softmax_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, 0])
    variable(0.34657359...)
    >>> softmax_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, -1], ignore_label=-1)
    variable(0.69314718...)
    >>> softmax_cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, -1], ignore_label=-1, reduction="none")
    variable([0.69314718 0.        ])
    """
    _check_reduction("softmax_cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"softmax_cross_entropy: expected a label_smoothing from 0 to 1, got {label_smoothing}")
    x = as_variable(x)
    labels = _labels("softmax_cross_entropy", x, t)
    shape, classes = labels.shape, x.shape[-1]
    if labels.ndim != 1:
        x, labels = x.reshape(labels.size, classes), labels.ravel()
    counted = None if ignore_label is None else labels != ignore_label
    if counted is not None:  # What is ignored may be NaN: zeros take its place before anything is computed.
        x, labels = as_variable(np.where(counted[:, None], x, 0)), np.where(counted, labels, 0)
    check_range("softmax_cross_entropy", labels, classes)
    if weight is None and counted is None and not label_smoothing and reduction == "mean":
        return apply(_softmax_cross_entropy, x, labels)
    w = None if weight is None else _weights("softmax_cross_entropy", weight, (classes,), "class", x)
    losses = _softmax_cross_entropies(x, labels, w, label_smoothing)
    n: Any = len(labels) if w is None else apply(operator.getitem, w, labels)
    if counted is not None:
        losses, n = np.where(counted, losses, 0), np.where(counted, 1 if w is None else n, 0).astype(x.dtype)
    return np.reshape(losses, shape) if reduction == "none" else _total(losses, n, reduction)


def _softmax_cross_entropies(x: Variable, t: Array, weight: Any, smoothing: float) -> Variable:
    """The loss of each row of x (N, C)."""
    log_p = apply(stable.log_softmax, x)
    losses = -log_p[np.arange(len(t), like=t), t]
    if weight is not None:
        losses, log_p = losses * apply(operator.getitem, weight, t), log_p * weight
    if smoothing:
        losses = (1 - smoothing) * losses - np.sum(log_p, axis=-1) * (smoothing / x.shape[-1])
    return losses


def _softmax_cross_entropy(x: Array, t: Array) -> Array:
    return -stable.log_softmax(x)[np.arange(len(t), like=t), t].sum() / max(len(t), 1)


@pullback(_softmax_cross_entropy)
def d_softmax_cross_entropy(gy: Array, y: Array, x: Array, t: Array) -> Array:
    """The probabilities, less 1 at the true label, over the number of rows."""
    return (array_softmax(x, axis=-1) - one_hot_rows(t, x.shape[-1], x.dtype)) * (gy / max(len(t), 1))


@upcast("x", integers=True)
def sigmoid_cross_entropy(
    x: ArrayLike, t: ArrayLike, *, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Variable:
    """1/N Σₙ Σᵢ −t·log σ(x) − (1 − t)·log(1 − σ(x)), for logits x (N, ...) and truths t from 0 to 1, of one shape.

    x (N, 1) and t (N,) are taken for one shape as well. Deviation: DeZero overflows.

    weight: (N,), one for each example. reduction: "mean", "sum" or "none".

    >>> sigmoid_cross_entropy([1e4, 0.0], [1, 1])
    variable(0.34657359...)
    """
    _check_reduction("sigmoid_cross_entropy", reduction)
    x, t = _of_one_shape("sigmoid_cross_entropy", x, t, columns=True)
    x = as_variable(x)
    truths = _as_floats(t, x)
    losses = truths * apply(np.logaddexp, -x, 0.0) + (1 - truths) * apply(np.logaddexp, x, 0.0)
    return _reduced("sigmoid_cross_entropy", losses, weight, reduction)


def binary_cross_entropy(
    p: ArrayLike, t: ArrayLike, *, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Variable:
    """1/N Σₙ Σᵢ −t·log p − (1 − t)·log(1 − p), for probabilities p (N, ...) and truths t from 0 to 1, of one shape.

    p (N, 1) and t (N,) are taken for one shape as well. A p nearer to 0 or 1 than the dtype's eps is taken to be that
    near, so the loss stays finite; its gradient is the one at eps. `sigmoid_cross_entropy` of logits needs no such
    limit: prefer it. Deviation: DeZero takes every p above 0.999 for 0.999, and those have no gradient.

    weight: (N,), one for each example. reduction: "mean", "sum" or "none".

    >>> binary_cross_entropy([0.5, 1.0], [1, 1])
    variable(0.34657359...)
    """
    _check_reduction("binary_cross_entropy", reduction)
    p, t = _of_one_shape("binary_cross_entropy", p, t, columns=True)
    data = as_variable(p).data
    if not ((data >= 0) & (data <= 1)).all():
        raise ValueError(f"binary_cross_entropy: expected p from 0 to 1, got {data.min()} to {data.max()}")
    eps = float(np.finfo(data.dtype if data.dtype.kind == "f" else float).eps)
    return _binary_cross_entropy(p, t, eps, weight, reduction)


@upcast("p", integers=True)
def _binary_cross_entropy(p: Array, t: ArrayLike, eps: float, weight: ArrayLike | None, reduction: str) -> Variable:
    p = as_variable(p)
    truths: Array = _as_floats(t, p)
    p = p + (np.clip(p.data, eps, 1 - eps) - p.data)
    losses = -truths * np.log(p) - (1 - truths) * np.log1p(-p)
    return _reduced("binary_cross_entropy", losses, weight, reduction)


@upcast("p", "q", integers=True)
def kl_divergence(p: ArrayLike, q: ArrayLike, *, weight: ArrayLike | None = None, reduction: str = "mean") -> Variable:
    """The mean over examples of Σ p·log(p / q), for two probability distributions p and q (..., C); 0·log 0 is 0.

    weight: (...), one for each example. reduction: "mean", "sum", or "none" for an array (...).

    >>> kl_divergence([[0.5, 0.5, 0.0]], [[0.25, 0.5, 0.25]])
    variable(0.34657359...)
    """
    _check_reduction("kl_divergence", reduction)
    _check_shapes("kl_divergence", _shape(p), _shape(q))
    p, q = as_variable(p), as_variable(q)
    if not p.ndim:
        raise ValueError("kl_divergence: expected p and q of shape (..., C), got single numbers")
    zero = p == 0
    losses = np.sum(p * (np.log(np.where(zero, 1, p)) - np.log(np.where(zero, 1, q))), axis=-1)
    return _reduced("kl_divergence", losses, weight, reduction, axes=losses.ndim)


def accuracy(y: ArrayLike, t: ArrayLike, *, ignore_label: int | None = None) -> Variable:
    """The share of rows of y (..., C) whose largest element is at the label t (...). It has no gradient.

    Rows labelled `ignore_label` do not count.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    variable(0.5)
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, -1], ignore_label=-1)
    variable(1.0)
    """
    predicted, labels, counted = _predictions("accuracy", y, t, ignore_label)
    n = np.sum(counted)
    if not n:
        raise ValueError(f"accuracy: expected a label other than {ignore_label}; the share of nothing is undefined")
    return Variable(np.sum((predicted == labels) & counted) / n)


def confusion_matrix(
    y: ArrayLike, t: ArrayLike, *, ignore_label: int | None = None, names: Sequence[str] | None = None
) -> ConfusionMatrix:
    """How often rows of y (..., C) with the label i, from t (...), have their largest element at j: counts[i, j].

    It is printed, and drawn in notebooks, under the `names` of the classes if they are given. Rows labelled
    `ignore_label` do not count.

    >>> matrix = confusion_matrix([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], [1, 1, 1], names=["cat", "dog"])
    >>> matrix
    rows: truth, columns: predicted
         cat  dog
    cat    0    0
    dog    1    2
    >>> matrix.counts[1, 0]
    np.int64(1)
    """
    predicted, labels, counted = _predictions("confusion_matrix", y, t, ignore_label)
    classes = as_variable(y).shape[-1]
    counts = np.bincount(fetched(labels.astype(int) * classes + predicted)[fetched(counted)], minlength=classes**2)
    return ConfusionMatrix(counts.reshape(classes, classes), names)


def _predictions(name: str, y: ArrayLike, t: ArrayLike, ignore_label: int | None) -> tuple[Array, Array, Array]:
    """The most likely class of each row of y, its label, and whether it counts; for the function `name`."""
    y = as_variable(y)
    labels = _labels(name, y, t).ravel()
    predicted = y.data.argmax(axis=-1).ravel()
    counted = np.ones_like(labels, bool) if ignore_label is None else labels != ignore_label
    labels = np.where(counted, labels, 0)
    check_range(name, labels, y.shape[-1])
    return predicted, labels, counted


def _check_reduction(name: str, reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: expected reduction 'mean', 'sum' or 'none', got {reduction!r}")


def _shape(x: ArrayLike) -> tuple[int, ...]:
    return x.shape if hasattr(x, "shape") else np.shape(x)


def _of_one_shape(name: str, x: ArrayLike, t: ArrayLike, columns: bool = False) -> tuple[Any, Any]:
    """x, and t in the shape of x: single elements may differ in shape and, if `columns`, (N, 1) and (N,)."""
    x, t = as_array(x, t), as_array(t, x)
    a, b = _shape(x), _shape(t)
    if a == b and 0 not in a:
        return x, t
    if math.prod(a) == math.prod(b) == 1 or (columns and 0 not in a and ((*a, 1) == b or (*b, 1) == a)):
        return x, np.reshape(t, a)
    _check_shapes(name, a, b)
    return x, t


def _check_shapes(name: str, a: Shape, b: Shape) -> None:
    """Refuse the mean of nothing, and broadcasting: (N, 1) against (N,) would compare every row with every other."""
    if a != b:
        raise ValueError(f"{name}: expected two arguments of one shape, got {a} and {b}; reshape one of them")
    if 0 in a:
        raise ValueError(f"{name}: expected at least one element, got shape {a}; the mean of nothing is undefined")


def _labels(name: str, x: Variable, t: ArrayLike) -> Array:
    """`t` as an array of integers, one for each row of `x`; (N, 1) is taken for (N,)."""
    shape = _shape(t)
    if not x.ndim or shape not in (x.shape[:-1], (*x.shape[:-1], 1)) or 0 in shape:
        remedy = "; t.argmax(axis=1) makes labels of one-hot rows" if shape == x.shape and x.ndim == 2 else ""
        remedy = "; give the scores of all classes, not their argmax" if shape == x.shape and x.ndim == 1 else remedy
        raise ValueError(f"{name}: expected x of shape (N, C) and N > 0 labels (N,), got {x.shape} and {shape}{remedy}")
    return as_integers(name, t, x).reshape(x.shape[:-1])


def _as_floats(t: ArrayLike, x: Variable) -> Any:
    """`t`, an array, a list or a Variable, as floats: an array in the dtype of x."""
    if isinstance(t, Variable):
        return t if t.dtype.kind == "f" else t.astype(x.dtype)
    return _array_beside(t, x).astype(x.dtype, copy=False)


def _array_beside(t: ArrayLike, x: Any) -> Any:
    """A list or a number as an array where x is. Arrays stay where they are."""
    return t if isinstance(t, np.ndarray | Variable) else beside(t, x)


def _weights(name: str, weight: ArrayLike, shape: tuple[int, ...], each: str, x: Variable) -> Any:
    """`weight` as floats: one for each example or class."""
    if _shape(weight) != shape:
        raise ValueError(f"{name}: expected weights {shape}, one for each {each}, got shape {_shape(weight)}")
    w = _array_beside(weight, x).astype(x.dtype)
    if error := apart(name, (x, w)):
        raise error
    if not (as_variable(w).data >= 0).all():
        raise ValueError(f"{name}: expected weights of at least 0, got {as_variable(w).data.min()}")
    return w


def _reduced(name: str, losses: Variable, weight: ArrayLike | None, reduction: str, axes: int = 1) -> Variable:
    """The losses of examples, which the first `axes` axes count, weighted and reduced."""
    examples = losses.shape[:axes]
    if weight is None:
        return _total(losses, math.prod(examples), reduction)
    w = _weights(name, weight, examples, "example", losses)
    losses = losses * np.reshape(w, examples + (1,) * (losses.ndim - len(examples)))
    return _total(losses, w, reduction)


def _total(losses: Any, weights: Any, reduction: str) -> Variable:
    """The losses as they are, their sum, or that over the examples' weights, or their number."""
    if reduction == "none":
        return losses
    loss = apply(np.sum, losses)
    if reduction == "sum":
        return loss
    if isinstance(weights, int):  # Python's numbers are weak.
        return loss / max(weights, 1)
    weight = np.sum(weights)
    return loss / np.where(weight == 0, 1, weight)
