"""Decompositions: the derivatives of factors, of eigenvalues and singular values, and of what is made of them.

The factors of x satisfy equations, as x·v = v·w. Differentiated, these say how the factors move with x.

**Triangles.** `cholesky`, `eigh` and `eigvalsh` read one triangle of their argument, and so does the gradient: an
element off the diagonal gets the gradient of both of its places, the triangle that is not read gets zeros. For
f(x + xᵀ) the choice makes no difference.

**Equal eigenvalues or singular values.** Their vectors may be turned among themselves. Whatever part of a gradient
would turn them is set to 0: what tells them apart has no derivative. So the gradient is right for functions of the
values (the sum of their powers), for the space that all of these vectors span (v·vᵀ), and for sums of both. It lacks a
part where equal values and their vectors meet in one term, as in v·f(w)·vᵀ, or where a function of equal values is
differentiated twice: then a RuntimeWarning says so. There, move the matrix by a little, so that its values differ.

Sources: Giles, An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation, 2008; Walter and Lehmann, Algorithmic Differentiation of Linear Algebra Functions with Application in
Optimum Experimental Design, 2010 (QR); Golub and Pereyra, 1973 (pinv).
"""

import functools
from typing import Any

import numpy

from tinygrad_jp.core import Array, Outputs, Variable, apply, as_variable, output, pullback
from tinygrad_jp.core.errors import warn_user
from tinygrad_jp.core.table import composition
from tinygrad_jp.kinds import np


def _lower_half(x: Array) -> Array:
    """The lower triangle, with half of the diagonal, so that h + hᵀ is symmetric with that triangle."""
    return np.tril(x) * (1 - numpy.eye(x.shape[-1], dtype=x.dtype) / 2)


def _onto_triangle(g: Array, UPLO: str) -> Array:
    """The gradient g of a symmetric matrix, as that of the triangle which it is made of."""
    lower = _lower_half(g + g.mT)
    return lower if UPLO.upper() == "L" else lower.mT


def _on_diagonal(x: Array) -> Array:
    return x[..., None] * numpy.eye(x.shape[-1], dtype=x.dtype)


def _reciprocal(x: Array, values: Array) -> Array:
    """1/x, and 0 where x is 0 up to the rounding of `values`, of which x is a sum or a difference."""
    scale = np.sum(abs(values), axis=-1)[..., None]
    zero = abs(x) <= 10 * np.finfo(values.dtype).eps * (scale if x.ndim == values.ndim else scale[..., None])
    return np.where(zero, 0, 1 / np.where(zero, 1, x))


def _between(w: Array) -> Array:
    """1/(wⱼ − wᵢ), and 0 where both are equal."""
    return _reciprocal(w[..., None, :] - w[..., None], w)


def _warn_of_equal(name: str, w: Array, gw: Array, spans: Array) -> None:
    """Warn where equal values, and `spans` (i, j) of their vectors, both have a gradient: they may meet in one term."""
    w, gw, spans = (x.data if isinstance(x, Variable) else x for x in (w, gw, spans))
    equal = (_between(w) == 0) & ~numpy.eye(w.shape[-1], dtype=bool)
    if not equal.any():
        return
    small = np.finfo(w.dtype).eps ** 0.5 * np.max(abs(spans)) * np.max(abs(gw))
    if np.any(equal & (abs(spans) * abs(gw)[..., None] > small)):
        warn_user(
            f"{name}: some of the values are equal; their gradient lacks a part where they meet their vectors, as in "
            f"v·f(w)·vᵀ, or are differentiated twice; move the matrix by a little",
            RuntimeWarning,
        )


def _parts(gy: Outputs, y: Array) -> tuple[list[Array], list[Array]]:
    """The gradients of all outputs, zeros where there is none, and the outputs."""
    ys = list(y) if isinstance(y, Outputs) else [apply(output, y, i, len(gy)) for i in range(len(gy))]
    return [np.zeros_like(y) if g is None else g for g, y in zip(gy, ys, strict=True)], ys


@functools.cache
def _named_tuple(func: Any) -> Any:
    """What NumPy's `func` returns its results in."""
    return type(func(numpy.eye(1)))


def _named(func: Any, recorded: Any, a: Array, **settings: Any) -> Any:
    """The results of `recorded` as NumPy's `func` names them."""
    kind = _named_tuple(func)
    ys, n = apply(recorded, a, **settings), len(kind._fields)
    return kind(*(apply(output, ys, i, n) for i in range(n)))


# ---------------------------------------------------------------------------------------------------------------------
# Triangular factors


@pullback(np.linalg.cholesky)
def d_cholesky(gy: Array, y: Array, a: Array, upper: bool = False) -> Array:
    """From y·yᵀ = a: dy = y·h, where h is the lower triangle of y⁻¹·da·y⁻ᵀ with half of its diagonal."""
    if upper:
        return d_cholesky(gy.mT, y.mT, a.mT).mT
    h = _lower_half(y.mT @ gy)
    return _lower_half(np.linalg.solve(y.mT, np.linalg.solve(y.mT, h + h.mT).mT))


@composition(np.linalg.qr)
def qr(a: Array, mode: str = "reduced") -> Any:
    """q and r, of a matrix of full rank; what `mode="raw"` gives has no derivative here."""
    if mode in ("raw", "economic", "e"):
        raise TypeError(f'np.linalg.qr: mode={mode!r} is not differentiated; use "reduced", "complete" or "r"')
    return _named(np.linalg.qr, _qr, a).R if mode == "r" else _named(np.linalg.qr, _qr, a, mode=mode)


def _qr(a: Array, mode: str = "reduced") -> Outputs:
    return Outputs(np.linalg.qr(a, mode))


@pullback(_qr)
def d_qr(gy: Outputs, y: Outputs, a: Array, mode: str = "reduced") -> Array:
    """From q·r = a: what turns the columns of q goes back by their antisymmetric products, the rest by r⁻¹."""
    (gq, gr), (q, r) = _parts(gy, y)
    n = min(a.shape[-2:])
    q, gq = q[..., :n], _with_complement(q, gq, n)
    if a.shape[-1] > n:  # The columns that follow the square are q times those of r.
        gq = gq + a[..., n:] @ gr[..., n:].mT
    square = r[..., :n, :n]
    h = _lower_half(square @ gr[..., :n, :n].mT - gq.mT @ q)
    gx = np.linalg.solve(square, (gq + q @ (h + h.mT)).mT).mT
    return np.concatenate([gx, q @ gr[..., n:]], axis=-1) if a.shape[-1] > n else gx


def _with_complement(q: Array, gq: Array, n: int) -> Array:
    """The gradient of the first n orthonormal columns, with that of the others, which follow them."""
    if q.shape[-1] == n:
        return gq
    return gq[..., :n] - q[..., n:] @ (gq[..., n:].mT @ q[..., :n])


# ---------------------------------------------------------------------------------------------------------------------
# Eigenvalues


@composition(np.linalg.eigh)
def eigh(a: Array, UPLO: str = "L") -> Any:
    return _named(np.linalg.eigh, _eigh, a, UPLO=UPLO)


def _eigh(a: Array, UPLO: str = "L") -> Outputs:
    return Outputs(np.linalg.eigh(a, UPLO))


@pullback(_eigh)
def d_eigh(gy: Outputs, y: Outputs, a: Array, UPLO: str = "L") -> Array:
    """dwᵢ = vᵢᵀ·da·vᵢ, and vⱼ turns towards vᵢ by vᵢᵀ·da·vⱼ / (wⱼ − wᵢ); by 0 where both are equal."""
    (gw, gv), (w, v) = _parts(gy, y)
    turn = v.mT @ gv
    _warn_of_equal("np.linalg.eigh", w, gw, turn + turn.mT)
    return _onto_triangle(v @ (_on_diagonal(gw) + _between(w) * turn) @ v.mT, UPLO)


@pullback(np.linalg.eigvalsh)
def d_eigvalsh(gy: Array, y: Array, a: Array, UPLO: str = "L") -> Array:
    """An eigenvalue moves by vᵀ·da·v, with its eigenvector v."""
    v = np.linalg.eigh(a, UPLO)[1]
    return _onto_triangle((v * gy[..., None, :]) @ v.mT, UPLO)


@composition(np.linalg.eig)
def eig(a: Array) -> Any:
    """Of matrices whose eigenvalues are real."""
    return _named(np.linalg.eig, _eig, a)


@composition(np.linalg.eigvals)
def eigvals(a: Array) -> Array:
    return np.linalg.eig(as_variable(a))[0]


def _eig(a: Array) -> Outputs:
    w, v = np.linalg.eig(a)
    if np.any(w.imag):
        raise TypeError(
            "np.linalg.eig: expected a matrix with real eigenvalues, got complex ones, which are not differentiated; "
            "of a symmetric matrix all are real: use np.linalg.eigh"
        )
    return Outputs((w.real, v.real))


@pullback(_eig)
def d_eig(gy: Outputs, y: Outputs, a: Array) -> Array:
    """As of eigh, with v⁻¹ for vᵀ, and without what would change the length of a vector, which is 1."""
    (gw, gv), (w, v) = _parts(gy, y)
    turn = v.mT @ gv
    if gy[1] is not None:  # In v·f(w)·v⁻¹ the gradients of equal values' vectors cancel out.
        _warn_of_equal("np.linalg.eig", w, gw, np.ones_like(turn))
    turn = turn - (v.mT @ v) * np.diagonal(turn, 0, -2, -1)[..., None, :]
    return np.linalg.solve(v.mT, _on_diagonal(gw) + _between(w) * turn) @ v.mT


# ---------------------------------------------------------------------------------------------------------------------
# Singular values


@composition(np.linalg.svd)
def svd(a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """u, s and vᵀ; the columns of u or v beyond the singular values have a gradient as the space that they span."""
    if hermitian:
        return _svd_of_symmetric(a) if compute_uv else np.sort(abs(np.linalg.eigvalsh(a)), axis=-1)[..., ::-1]
    return _named(np.linalg.svd, _svd, a, full_matrices=full_matrices) if compute_uv else np.linalg.svdvals(a)


def _svd_of_symmetric(a: Array) -> Any:
    """As NumPy does it: by the eigenvalues, whose signs go to v."""
    w, v = np.linalg.eigh(a)
    order = np.argsort(abs(w.data), axis=-1)[..., ::-1]
    w, v = np.take_along_axis(w, order, axis=-1), np.take_along_axis(v, order[..., None, :], axis=-1)
    return _named_tuple(np.linalg.svd)(v, abs(w), (v * np.copysign(1, w.data).astype(w.dtype)[..., None, :]).mT)


def _svd(a: Array, full_matrices: bool = True) -> Outputs:
    return Outputs(np.linalg.svd(a, full_matrices))


@pullback(_svd)
def d_svd(gy: Outputs, y: Outputs, a: Array, full_matrices: bool = True) -> Array:
    """With p = uᵀ·da·v: dsᵢ = pᵢᵢ, and u and v turn, together by (p + pᵀ)/(sⱼ − sᵢ), apart by (p − pᵀ)/(sⱼ + sᵢ)."""
    (gu, gs, gvt), (u, s, vt) = _parts(gy, y)
    n = s.shape[-1]
    u, v, gu, gv = u[..., :n], vt.mT[..., :n], _with_complement(u, gu, n), _with_complement(vt.mT, gvt.mT, n)
    turn_u, turn_v = u.mT @ gu, v.mT @ gv
    together, apart = turn_u + turn_v, turn_u - turn_v
    _warn_of_equal("np.linalg.svd", s, gs, together + together.mT)
    inner = (together - together.mT) * _between(s) + (apart - apart.mT) * _reciprocal(s[..., None, :] + s[..., None], s)
    inner = _on_diagonal(gs) + inner / 2
    out_of_u, out_of_v = gu - u @ turn_u, gv - v @ turn_v  # What leaves the spaces that u and v span.
    inverse = _reciprocal(s, s)[..., None, :]
    return (u @ inner + out_of_u * inverse) @ v.mT + u @ (out_of_v * inverse).mT


@pullback(np.linalg.svdvals)
def d_svdvals(gy: Array, y: Array, x: Array) -> Array:
    """A singular value moves by uᵀ·dx·v, with its singular vectors u and v."""
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    return (u * gy[..., None, :]) @ vt


# ---------------------------------------------------------------------------------------------------------------------
# Least squares


@composition(np.linalg.pinv)
def pinv(a: Array, rcond: Any = None, hermitian: bool = False, rtol: Any = ...) -> Array:
    """The pseudo-inverse, among matrices of the same rank."""
    settings = {} if rtol is ... else {"rtol": rtol}
    x, y = as_variable(a), apply(np.linalg.pinv, a, rcond=rcond, hermitian=hermitian, **settings)
    if not y.size:
        return y
    whole = _symmetric(x.data) if hermitian else x.data
    lost = abs(whole - whole @ y.data @ whole)
    if not np.any(lost > np.finfo(y.dtype).eps ** 0.5 * np.max(abs(whole))):
        return y
    # Some singular values that are not 0 are small enough to be left out.
    u, s, vt = np.linalg.svd(x, full_matrices=False, hermitian=hermitian)
    rtol = rcond if rcond is not None else max(x.shape[-2:]) * np.finfo(x.dtype).eps if rtol in (..., None) else rtol
    large = s.data > np.asarray(rtol)[..., None] * s.data.max(axis=-1, keepdims=True)
    return vt.mT @ (np.where(large, 1 / np.where(large, s, 1), 0)[..., None] * u.mT)


def _symmetric(a: Array) -> Array:
    """The symmetric matrix with the lower triangle of a."""
    return _lower_half(a) + _lower_half(a).mT


@pullback(np.linalg.pinv)
def d_pinv(gy: Array, y: Array, a: Array, rcond: Any = None, hermitian: bool = False, rtol: Any = None) -> Array:
    """As of the inverse, −yᵀ·gy·yᵀ, and two terms for what a does not reach and what it maps to 0."""
    if hermitian and y.size:
        return _onto_triangle(d_pinv(gy, y, _symmetric(a)), "L")
    yt, gyt = y.mT, gy.mT
    unreached, mapped_to_0 = gyt - a @ (y @ gyt), gyt - (gyt @ y) @ a
    return -yt @ gy @ yt + unreached @ y @ yt + yt @ y @ mapped_to_0


@composition(np.linalg.lstsq)
def lstsq(a: Array, b: Array, rcond: float | None = None) -> Any:
    """The solution pinv(a)·b, the sums of squared residuals, the rank, which is a plain number, and singular values."""
    a, b = as_variable(a), as_variable(b)
    x, residuals, rank, _ = np.linalg.lstsq(a.data, b.data, rcond)
    a, eps = a.astype(x.dtype) if a.dtype != x.dtype else a, np.finfo(x.dtype).eps
    cut = float(eps * max(a.shape) if rcond is None else eps if rcond < 0 else rcond)
    x = np.linalg.pinv(a, rcond=cut) @ b
    if residuals.size:
        residuals = np.reshape(np.sum((b - a @ x) ** 2, axis=0), residuals.shape)
    return x, residuals, rank, np.linalg.svdvals(a)
