"""Equal eigenvalues and equal singular values, whose vectors may be turned among themselves.

Whatever part of a gradient would turn these vectors is set to 0: what tells them apart has no derivative. So gradients
are right for functions of the values (the sum of their powers), to the second order; for the space that all of these
vectors span (v·vᵀ); and for sums of both. A part is lacking where equal values and their vectors meet in one term, as
in v·f(w)·vᵀ, and in the second derivative of the space. Then a RuntimeWarning says so. There, move the matrix by a
little, so that its values differ.
"""

import numpy

from tinygrad_jp.core import Array, Outputs, Variable, propagate, toposort
from tinygrad_jp.core.errors import warn_user
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import np


def is_zero(x: Array, values: Array) -> Array:
    """Where x, made of sums or differences of `values` (..., n), is 0 up to their rounding.

    That is some 30·√n units in the last place of the largest value: what equal eigenvalues of a product of matrices
    differ by.
    """
    values = values.data if isinstance(values, Variable) else values
    largest = (np.max if values.shape[-1] else np.sum)(abs(values), axis=-1)
    largest = np.reshape(largest, largest.shape + (1,) * (x.ndim - largest.ndim))
    return abs(x) <= 30 * values.shape[-1] ** 0.5 * np.finfo(values.dtype).eps * largest


def reciprocal(x: Array, values: Array) -> Array:
    """1/x, and 0 where x is 0 up to the rounding of `values`."""
    zero = is_zero(x, values)
    return np.where(zero, 0, 1 / np.where(zero, 1, x))


def between(w: Array) -> Array:
    """1/(wⱼ − wᵢ), and 0 where both are equal.

    >>> between(np.array([1.0, 3.0, 3.0]))
    array([[ 0. ,  0.5,  0.5],
           [-0.5,  0. ,  0. ],
           [-0.5,  0. ,  0. ]])
    """
    return reciprocal(w[..., None, :] - w[..., None], w)


def _equal(w: Array) -> Array:
    """Which other values each value equals."""
    return is_zero(w[..., None, :] - w[..., None], w) & ~beside(numpy.eye(w.shape[-1], dtype=bool), w)


def warn_of_equal(name: str, w: Array, gw: Array, spans: Array) -> None:
    """Warn where equal values, and `spans` (i, j) of their vectors, both have a gradient: they may meet in one term."""
    w, gw, spans = (x.data if isinstance(x, Variable) else x for x in (w, gw, spans))
    equal = _equal(w)
    if not equal.any():
        return
    small = np.finfo(w.dtype).eps ** 0.5 * np.max(abs(spans)) * np.max(abs(gw))
    if np.any(equal & (abs(spans) * abs(gw)[..., None] > small)):
        warn_user(
            f"{name}: some of the values are equal; their gradient lacks a part where they meet their vectors, as in "
            f"v·f(w)·vᵀ, or where that is differentiated again; move the matrix by a little",
            RuntimeWarning,
        )


def slopes_of_equal(gw: Array, w: Array, y: Array, i: int = 0, at_zero: bool = False) -> Array | None:
    """For equal wᵢ and wⱼ the limit of (gwᵢ − gwⱼ)/(wᵢ − wⱼ), as they come together; None if no pass is recorded.

    The second derivatives of a function of the values need it. It is ∂gwᵢ/∂wᵢ − ∂gwᵢ/∂wⱼ, which a pass from gw back to
    w finds: to y, or to the output i of y. All values of a group are alike to the function: one of each group is asked.

    at_zero: a value that is 0 and single has the slope ∂gwᵢ/∂wᵢ.
    """
    if not isinstance(gw, Variable) or gw.creator is None:
        return None
    w, itself = w.data, beside(numpy.eye(w.shape[-1], dtype=bool), w)
    alike = _equal(w) | (is_zero(w, w)[..., None] & itself if at_zero else False)
    if not alike.any():
        return None
    first, places = np.argmax(alike | itself, axis=-1), np.arange(w.shape[-1], like=w)
    follows = np.where(first == places, 1, np.where(first == places - 1, -1, 0))
    s = np.sum(gw * (follows * alike.any(axis=-1)).astype(w.dtype))
    grads = {s.creator: np.ones_like(s.data)}
    propagate(toposort(s.creator, after=y.creator.sequence), grads)
    g = grads.get(y.creator)
    g = g[i] if isinstance(g, Outputs) else g
    if g is None:
        return None
    return np.where(alike, np.take_along_axis(g, first, axis=-1)[..., None], 0)
