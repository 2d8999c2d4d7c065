"""Signals: differences, integrals, convolutions and polynomials of samples; what is counted and correlated."""

import warnings
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_jp.calculus.shapes import as_values, scatter_add, together
from tinygrad_jp.core import PULLBACKS, Array, Axis, apply
from tinygrad_jp.core.errors import warn_user
from tinygrad_jp.core.operators import plain
from tinygrad_jp.core.table import composition
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside, fetched
from tinygrad_jp.kinds import ArrayMethods, DTypeLike, np

# ---------------------------------------------------------------------------------------------------------------------
# Differences and integrals


@composition(np.diff)
def diff(a: Array, n: int = 1, axis: int = -1, prepend: Array | None = None, append: Array | None = None) -> Array:
    """Each element less the one before it, n times."""
    if n < 0:
        raise ValueError(f"np.diff: expected n of 0 or more, got {n}")
    y = as_values(a)
    if n == 0:
        return y
    axis = normalize_axis_index(axis, y.ndim)
    edge = (*y.shape[:axis], 1, *y.shape[axis + 1 :])
    ends = [x if x is None or np.ndim(x) else np.broadcast_to(x, edge) for x in (together(prepend), together(append))]
    if prepend is not None or append is not None:
        y = np.concatenate([x for x in (ends[0], y, ends[1]) if x is not None], axis=axis)
    lead = (slice(None),) * axis
    for _ in range(n):
        after, before = y[(*lead, slice(1, None))], y[(*lead, slice(None, -1))]
        y = after != before if y.dtype == bool else after - before
    return y


@composition(np.ediff1d)
def ediff1d(ary: Array, to_end: Array | None = None, to_begin: Array | None = None) -> Array:
    x = np.ravel(as_values(ary))
    ends = [None if e is None else np.ravel(as_values(e)) for e in (to_begin, to_end)]
    for e in ends:
        if e is not None and not np.can_cast(e.dtype, x.dtype, casting="same_kind"):
            raise TypeError(f"np.ediff1d: expected ends of {x.dtype} or what it holds, got {e.dtype}")
    parts = [e if e is None else e.astype(x.dtype) for e in ends]
    return np.concatenate([p for p in (parts[0], x[1:] - x[:-1], parts[1]) if p is not None])


@composition(np.trapezoid)
def trapezoid(y: Array, x: Array | None = None, dx: Array = 1.0, axis: int = -1) -> Array:
    """Σ d·(yᵢ + yᵢ₊₁) / 2, where d are the steps of x."""
    y = as_values(y)
    axis = normalize_axis_index(axis, y.ndim)
    d = dx if x is None else diff(x) if np.ndim(x) == 1 else diff(x, axis=axis)
    if x is not None and np.ndim(x) == 1:
        d = np.reshape(d, [-1 if i == axis else 1 for i in range(y.ndim)])
    lead = (slice(None),) * axis
    return np.sum(d * (y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]) / 2.0, axis=axis)


@composition(np.gradient)
def gradient(*varargs: Array, f: Array, axis: Axis = None, edge_order: int = 1) -> Any:
    """Central differences of second order inside, one-sided ones of `edge_order` at the ends."""
    f = as_values(f)
    f = f.astype(np.float64) if f.dtype.kind in "iu" else f
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError(f"np.gradient: expected edge_order 1 or 2, got {edge_order}")
    ys = []
    for i, spacing in zip(axes, _spacings(varargs, f, axes), strict=True):
        if f.shape[i] < edge_order + 1:
            raise ValueError(f"np.gradient: expected {edge_order + 1} or more samples along axis {i}, got {f.shape[i]}")
        rows = _slopes(np.moveaxis(f, i, 0), spacing, edge_order)
        ys.append(np.moveaxis(rows if rows.dtype == f.dtype else rows.astype(f.dtype), 0, i))
    return ys[0] if len(ys) == 1 else tuple(ys)


def _spacings(varargs: tuple[Any, ...], f: Array, axes: tuple[int, ...]) -> list[Array]:
    """For each axis one step for all samples, or the steps between them."""
    given = [as_values(v, f) if isinstance(v, list | tuple) else together(v) for v in varargs]
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and not np.ndim(given[0]):
        return given * len(axes)
    if len(given) != len(axes):
        raise TypeError(f"np.gradient: expected no spacing, one or {len(axes)}, got {len(given)}")
    for k, (positions, i) in enumerate(zip(given, axes, strict=True)):
        if np.ndim(positions):
            if np.shape(positions) != (f.shape[i],):
                expected = f"a number or {counted(f.shape[i], 'position')} for axis {i}"
                raise ValueError(f"np.gradient: expected {expected}, got {np.shape(positions)}")
            steps = diff(positions)
            even = not isinstance(steps, ArrayMethods) and len(steps) and (steps == steps[0]).all()
            given[k] = steps[0] if even else steps
    return given


def _slopes(f: Array, h: Array, edge_order: int) -> Array:
    """The slopes along the first axis, at steps h. The weights are those of the parabola through three samples."""
    steps = np.ndim(h) > 0
    first, last = (h[0], h[-1]) if steps else (h, h)
    if steps:
        d1, d2 = (np.reshape(d, (-1,) + (1,) * (f.ndim - 1)) for d in (h[:-1], h[1:]))
        weights = (-d2 / (d1 * (d1 + d2)), (d2 - d1) / (d1 * d2), d1 / (d2 * (d1 + d2)))
        inside = weights[0] * f[:-2] + weights[1] * f[1:-1] + weights[2] * f[2:]
    else:
        inside = (f[2:] - f[:-2]) / (2.0 * h)
    if edge_order == 1:
        left, right = (f[1] - f[0]) / first, (f[-1] - f[-2]) / last
    else:
        left = _slope_at_end(f[0], f[1], f[2], first, h[1] if steps else h)
        right = -_slope_at_end(f[-1], f[-2], f[-3], last, h[-2] if steps else h)
    return np.concatenate([np.expand_dims(left, 0), inside, np.expand_dims(right, 0)])


def _slope_at_end(f0: Array, f1: Array, f2: Array, d1: Array, d2: Array) -> Array:
    """The slope at f0 of the parabola through f0, f1 and f2, which lie d1 and d2 apart."""
    return -(2.0 * d1 + d2) / (d1 * (d1 + d2)) * f0 + (d1 + d2) / (d1 * d2) * f1 - d1 / (d2 * (d1 + d2)) * f2


# ---------------------------------------------------------------------------------------------------------------------
# Convolutions. The gradient is laid into the full convolution, and slides over the other signal.


def _laid_out(gy: Array, a: Array, v: Array, start: int) -> Array:
    return np.pad(gy, (start, a.size + v.size - 1 - start - gy.size))


def _start(a: Array, v: Array, mode: Any, middle: int) -> int:
    """Where the output begins in the full one: of "same", `middle` elements are left out before it."""
    return {"f": 0, 2: 0, "s": middle, 1: middle, "v": min(a.size, v.size) - 1, 0: min(a.size, v.size) - 1}[
        mode[:1] if isinstance(mode, str) else int(mode)
    ]


def _full_of_convolve(gy: Array, a: Array, v: Array, mode: Any) -> Array:
    return _laid_out(gy, a, v, _start(a, v, mode, (min(a.size, v.size) - 1) // 2))


def _full_of_correlate(gy: Array, a: Array, v: Array, mode: Any) -> Array:
    # Where v is the longer one, NumPy correlates the other way round, and turns the result.
    return _laid_out(gy, a, v, _start(a, v, mode, (v.size - 1) // 2 if a.size >= v.size else a.size // 2))


PULLBACKS |= {
    np.convolve: (
        lambda gy, y, a, v, mode="full": np.correlate(_full_of_convolve(gy, a, v, mode), v, "valid"),
        lambda gy, y, a, v, mode="full": np.correlate(_full_of_convolve(gy, a, v, mode), a, "valid"),
    ),
    np.correlate: (
        lambda gy, y, a, v, mode="valid": np.convolve(_full_of_correlate(gy, a, v, mode), v, "valid"),
        lambda gy, y, a, v, mode="valid": np.flip(np.correlate(_full_of_correlate(gy, a, v, mode), a, "valid")),
    ),
}


@composition(np.convolve)
def convolve(a: Array, v: Array, mode: Any = "full") -> Array:
    return apply(np.convolve, *np.atleast_1d(as_values(a), as_values(v)), mode=mode)


@composition(np.correlate)
def correlate(a: Array, v: Array, mode: Any = "valid") -> Array:
    return apply(np.correlate, as_values(a), as_values(v), mode=mode)


# ---------------------------------------------------------------------------------------------------------------------
# Polynomials


@composition(np.polyval)
def polyval(p: Array, x: Array) -> Array:
    """Horner's rule."""
    p, x = as_values(p), as_values(x)
    y = np.zeros_like(x)
    for c in p:
        y = y * x + c
    return y


@composition(np.vander)
def vander(x: Array, N: int | None = None, increasing: bool = False) -> Array:
    """The powers of x, one a column."""
    if np.ndim(x) != 1:
        raise ValueError(f"np.vander: expected a vector, got shape {np.shape(x)}")
    n = len(x) if N is None else N
    if n < 0:
        raise ValueError(f"np.vander: expected N of 0 or more, got {n}")
    powers = numpy.arange(n) if increasing else numpy.arange(n)[::-1]
    return np.expand_dims(x, -1) ** beside(powers, x)


@composition(np.polyadd)
def polyadd(a1: Array, a2: Array) -> Array:
    p, q = np.atleast_1d(as_values(a1), as_values(a2))
    n = max(len(p), len(q))
    return _led_by_zeros(p, n) + _led_by_zeros(q, n)


@composition(np.polysub)
def polysub(a1: Array, a2: Array) -> Array:
    p, q = np.atleast_1d(as_values(a1), as_values(a2))
    n = max(len(p), len(q))
    return _led_by_zeros(p, n) - _led_by_zeros(q, n)


def _led_by_zeros(p: Array, n: int) -> Array:
    return np.concatenate([beside(numpy.zeros(n - len(p), p.dtype), p), p]) if len(p) < n else p


@composition(np.polymul)
def polymul(a1: Array, a2: Array) -> Array:
    """The convolution of the coefficients, without zeros that lead them."""
    p, q = np.atleast_1d(as_values(a1), as_values(a2))
    return np.convolve(_without_leading_zeros(p), _without_leading_zeros(q))


def _without_leading_zeros(p: Array) -> Array:
    if p.ndim > 1:
        raise ValueError(f"np.polymul: expected vectors of coefficients, got shape {p.shape}")
    found = np.nonzero(p)[0]
    return p[int(found[0]) :] if len(found) else p[:1] * 0 if len(p) else np.zeros(1, p.dtype)


@composition(np.poly)
def poly(seq_of_zeros: Array) -> Array:
    """The coefficients of Π (x − z); those of a matrix would need its complex eigenvalues."""
    zeros = np.atleast_1d(as_values(seq_of_zeros))
    if zeros.ndim != 1:
        raise ValueError(f"np.poly: expected a vector of zeros, got shape {zeros.shape}")
    zeros = zeros if zeros.dtype in (np.float32, np.float64) else zeros.astype(np.float64)
    y = beside(numpy.ones(1, zeros.dtype), zeros)
    for z in zeros:
        y = np.convolve(y, np.stack([1, -z]).astype(zeros.dtype))
    return y


@composition(np.polyder)
def polyder(p: Array, m: int = 1) -> Array:
    if m < 0:
        raise ValueError(f"np.polyder: expected m of 0 or more, got {m}")
    y = as_values(p)
    if y.ndim != 1:
        kind = ValueError if y.ndim else TypeError
        raise kind(f"np.polyder: expected a vector of coefficients, got shape {y.shape}")
    for _ in range(m):
        y = y[:-1] * beside(numpy.arange(len(y) - 1, 0, -1), y)
    return y


@composition(np.polyint)
def polyint(p: Array, m: int = 1, k: Array | None = None) -> Array:
    if m < 0:
        raise ValueError(f"np.polyint: expected m of 0 or more, got {m}")
    constants = np.atleast_1d(as_values(0.0 if k is None else k))
    if len(constants) < m and len(constants) != 1:
        raise ValueError(f"np.polyint: expected one constant or {m}, got {len(constants)}")
    y = as_values(p)
    for i in range(m):
        c = constants[i if len(constants) > 1 else 0]
        c = np.reshape(c if isinstance(c, ArrayMethods) else beside(c, y), 1)
        y = np.concatenate([y / beside(numpy.arange(len(y), 0, -1), y), c])
    return y


@composition(np.polyfit)
def polyfit(x: Array, y: Array, deg: int, rcond: float | None = None, w: Array | None = None) -> Array:
    """The least squares of the powers of x, each scaled to length 1."""
    x, y = as_values(x, y) + 0.0, as_values(y, x) + 0.0
    if deg < 0:
        raise ValueError(f"np.polyfit: expected deg of 0 or more, got {deg}")
    if x.ndim != 1 or not x.size or y.ndim not in (1, 2) or len(x) != len(y):
        raise TypeError(f"np.polyfit: expected a vector x and as many y, got {x.shape} and {y.shape}")
    powers = vander(x, int(deg) + 1)
    if w is not None:
        w = as_values(w, x) + 0.0
        if w.shape != x.shape:
            raise TypeError(f"np.polyfit: expected weights of shape {x.shape}, got {w.shape}")
        powers, y = powers * w[:, None], y * (w[:, None] if y.ndim == 2 else w)
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    c, _, rank, _ = np.linalg.lstsq(powers / scale, y, rcond)
    if rank != powers.shape[1]:
        warn_user("Polyfit may be poorly conditioned", numpy.exceptions.RankWarning)
    return c / (scale[:, None] if y.ndim == 2 else scale)


# ---------------------------------------------------------------------------------------------------------------------
# Statistics


@composition(np.cov)
def cov(
    m: Array,
    y: Array | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Array | None = None,
    aweights: Array | None = None,
    dtype: DTypeLike | None = None,
) -> Array:
    """Σ w·(xᵢ − x̄)(xⱼ − x̄) over the degrees of freedom, for each two variables i and j."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"np.cov: expected a whole number as ddof, got {ddof}")
    x = _observations(m, y, rowvar, dtype)
    if x is None:
        return np.zeros((0, 0))
    ddof = int(ddof) if ddof is not None else 0 if bias else 1
    w = _weights(x, fweights, aweights)
    mean, total = np.average(x, axis=1, weights=w, returned=True)
    total = total[0]
    if w is None:
        free = x.shape[1] - ddof
    elif aweights is None or not ddof:
        free = total - ddof
    else:
        free = total - ddof * np.sum(w * aweights) / total
    if free <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=4)
        free = 0.0
    x = x - mean[:, None]
    c = x @ (x if w is None else x * w).T
    return np.squeeze(c / free)


def _observations(m: Array, y: Array | None, rowvar: bool, dtype: DTypeLike | None) -> Array | None:
    """A row for each variable, a column for each observation; None where m has no variables."""
    rows = []
    for name, x in (("m", as_values(m)), ("y", None if y is None else as_values(y))):
        if x is None:
            continue
        if x.ndim > 2:
            raise ValueError(f"np.cov: expected {name} of one or two axes, got shape {x.shape}")
        one = x.ndim != 2 if name == "m" else np.atleast_2d(x).shape[0] == 1
        rows.append(np.atleast_2d(x) if rowvar or one else np.transpose(np.atleast_2d(x)))
    if not rows[0].shape[0]:
        return None
    kind = dtype or np.result_type(*(r.dtype for r in rows), np.float64)
    return np.concatenate([r if r.dtype == kind else r.astype(kind) for r in rows])


def _weights(x: Array, fweights: Array | None, aweights: Array | None) -> Array | None:
    """How often each observation was made, times how much it weighs."""
    found = None
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is None:
            continue
        w = as_values(w, x)
        w = w if w.dtype == np.float64 else w.astype(np.float64)
        if name == "fweights" and (w != np.round(w)).any():
            raise TypeError("np.cov: expected whole numbers as fweights")
        if np.ndim(w) > 1 or np.shape(w) != x.shape[1:]:
            kind = RuntimeError if np.ndim(w) > 1 or len(w) != x.shape[1] else ValueError
            raise kind(f"np.cov: expected {name} of shape {x.shape[1:]}, got {np.shape(w)}")
        if (w < 0).any():
            raise ValueError(f"np.cov: expected {name} of 0 or more")
        found = w if found is None else found * w
    return found


@composition(np.corrcoef)
def corrcoef(x: Array, y: Array | None = None, rowvar: bool = True, dtype: DTypeLike | None = None) -> Array:
    """The covariance, over both standard deviations."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not np.ndim(c):
        return c / c
    deviation = np.sqrt(np.diagonal(c))
    return np.clip(c / deviation[:, None] / deviation, -1, 1)


PULLBACKS[np.bincount] = (None, lambda gy, y, x, weights, minlength=0: np.reshape(gy[x], np.shape(weights)))


@composition(np.bincount)
def bincount(x: Array, weights: Array | None = None, minlength: int = 0) -> Array:
    """The sum of the weights of each number; without weights how often it occurs, a plain array."""
    x = plain(x)
    if weights is None:
        return numpy.bincount(x, None, minlength)
    return apply(np.bincount, as_values(x, weights), together(weights), minlength=minlength)


@composition(np.histogram)
def histogram(
    a: Array, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Array | None = None
) -> tuple[Array, Array]:
    """The sum of the weights in each bin, and the bins' edges. Where a bin begins has no derivative: it is plain."""
    a, bins, range = plain(a), plain(bins), plain(range)
    if not isinstance(weights := together(weights), ArrayMethods):
        return numpy.histogram(a, bins, range, density, weights)
    edges = numpy.histogram(fetched(a), fetched(bins), range, weights=fetched(plain(weights)))[1]
    edges = beside(edges, a)
    a = np.ravel(a)
    inside = (a >= edges[0]) & (a <= edges[-1])
    bin_of = np.minimum(np.searchsorted(edges, a[inside], "right"), len(edges) - 1) - 1
    y = scatter_add(np.ravel(weights)[np.flatnonzero(inside)], bin_of, (len(edges) - 1,))
    return (y / np.diff(edges) / np.sum(y) if density else y), edges
