"""Decompositions: the derivatives of factors, of eigenvalues and singular values, and of what is made of them.

The factors of x satisfy equations, as x·v = v·w. Differentiated, these say how the factors move with x.

**Triangles.** `cholesky`, `eigh` and `eigvalsh` read one triangle of their argument, and so does the gradient: an
element off the diagonal gets the gradient of both of its places, the triangle that is not read gets zeros. For
f(x + xᵀ) the choice makes no difference.

What comes of equal eigenvalues or singular values, `equal_values` says.

Sources: Giles, An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation, 2008; Walter and Lehmann, Algorithmic Differentiation of Linear Algebra Functions with Application in
Optimum Experimental Design, 2010 (QR); Golub and Pereyra, 1973 (pinv).
"""

import functools
from typing import Any

import numpy

from tinygrad_jp.calculus.equal_values import between, is_zero, reciprocal, slopes_of_equal, warn_of_equal
from tinygrad_jp.core import Array, Outputs, Variable, apply, as_variable, output, pullback
from tinygrad_jp.core.table import CALLS, composition
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import np


def _lower_half(x: Array) -> Array:
    """The lower triangle, with half of the diagonal, so that h + hᵀ is symmetric with that triangle."""
    return np.tril(x) * (1 - beside(numpy.eye(x.shape[-1], dtype=x.dtype), x) / 2)


def _onto_triangle(g: Array, UPLO: str) -> Array:
    """The gradient g of a symmetric matrix, as that of the triangle which it is made of."""
    lower = _lower_half(g + g.mT)
    return lower if UPLO.upper() == "L" else lower.mT


def _on_diagonal(x: Array) -> Array:
    return x[..., None] * beside(numpy.eye(x.shape[-1], dtype=x.dtype), x)


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
    if np.any(is_zero(scale := np.diagonal(r, 0, -2, -1), scale)):
        raise np.linalg.LinAlgError("np.linalg.qr: no derivative where the columns that q is made of depend on another")
    q, gq = q[..., :n], _with_reflections(q, gq, n)
    if a.shape[-1] > n:  # The columns that follow the square are q times those of r.
        gq = gq + a[..., n:] @ gr[..., n:].mT
    square = r[..., :n, :n]
    h = _lower_half(square @ gr[..., :n, :n].mT - gq.mT @ q)
    gx = np.linalg.solve(square, (gq + q @ (h + h.mT)).mT).mT
    return np.concatenate([gx, q @ gr[..., n:]], axis=-1) if a.shape[-1] > n else gx


def _with_reflections(q: Array, gq: Array, n: int) -> Array:
    """The gradient of the first n columns of q, with that of the others, which LAPACK makes of the same n reflections.

    With the rows of the first n columns cut into q₁ (n, n) and q₂, the others are (0; 1) + (q₁ − 1; q₂)·bᵀ, where b is
    q₂·(q₁ − 1)⁻¹. Source: Ballard et al., Reconstructing Householder Vectors from TSQR, 2014.
    """
    moved = q[..., :n] - beside(numpy.eye(q.shape[-2], n, dtype=q.dtype), q)
    square = moved[..., :n, :]
    known = square.data if isinstance(square, Variable) else square
    if q.shape[-1] == n or not known.size or np.max(np.linalg.cond(known)) > np.finfo(q.dtype).eps ** -0.5:
        return _with_complement(q, gq, n)  # Where a column was triangular already, there was no reflection.
    b, others = np.linalg.solve(square.mT, q[..., n:, :n].mT).mT, gq[..., n:]
    below = np.linalg.solve(square, (others.mT @ moved).mT).mT
    return gq[..., :n] + others @ b + np.concatenate([-b.mT @ below, below], axis=-2)


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
    if gy[1] is None:
        return _of_eigenvalues(gw, w, v if isinstance(y, Outputs) else np.linalg.eigh(a, UPLO)[1], a, UPLO, y)
    turn = v.mT @ gv
    warn_of_equal("np.linalg.eigh", w, gw, turn + turn.mT)
    return _onto_triangle(v @ (_on_diagonal(gw) + between(w) * turn) @ v.mT, UPLO)


@pullback(np.linalg.eigvalsh)
def d_eigvalsh(gy: Array, y: Array, a: Array, UPLO: str = "L") -> Array:
    """An eigenvalue moves by vᵀ·da·v, with its eigenvector v."""
    return _of_eigenvalues(gy, y, np.linalg.eigh(a, UPLO)[1], a, UPLO, y)


def _of_eigenvalues(gw: Array, w: Array, v: Array, a: Array, UPLO: str, y: Array) -> Array:
    """The gradient v·diag(gw)·vᵀ, which equal eigenvalues with equal gradients make a multiple of the identity."""
    g = (v * gw[..., None, :]) @ v.mT
    slopes = slopes_of_equal(gw, w, y)
    if slopes is not None:  # The term is 0, but its derivative is not.
        v, whole = v.data, _symmetric(a if UPLO.upper() == "L" else a.mT)
        g = g + v @ (slopes * (v.mT @ whole @ v)) @ v.mT
    return _onto_triangle(g, UPLO)


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
    if v.size and np.any(np.linalg.cond(v.data if isinstance(v, Variable) else v) > 0.1 / np.finfo(v.dtype).eps):
        raise np.linalg.LinAlgError("np.linalg.eig: no derivative where a matrix has fewer eigenvectors than rows")
    turn = v.mT @ gv
    if gy[1] is not None:  # In v·f(w)·v⁻¹ the gradients of equal values' vectors cancel out.
        warn_of_equal("np.linalg.eig", w, gw, np.ones_like(turn))
    turn = turn - (v.mT @ v) * np.diagonal(turn, 0, -2, -1)[..., None, :]
    return np.linalg.solve(v.mT, _on_diagonal(gw) + between(w) * turn) @ v.mT


# ---------------------------------------------------------------------------------------------------------------------
# Singular values


@composition(np.linalg.svd)
def svd(a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """u, s and vᵀ; the columns of u or v beyond the singular values have a gradient as the space that they span."""
    if hermitian:
        return _svd_of_symmetric(a) if compute_uv else _svd_of_symmetric(a).S
    return _named(np.linalg.svd, _svd, a, full_matrices=full_matrices) if compute_uv else np.linalg.svdvals(a)


def _svd_of_symmetric(a: Array) -> Any:
    """As NumPy does it: by the eigenvalues, whose signs go to v."""
    w, v = np.linalg.eigh(a)
    order = np.argsort(abs(w.data), axis=-1)[..., ::-1]
    w, v = np.take_along_axis(w, order, axis=-1), np.take_along_axis(v, order[..., None, :], axis=-1)
    sign = np.copysign(1, w.data).astype(w.dtype)  # Of a 0, too, whose absolute value would have no slope.
    return _named_tuple(np.linalg.svd)(v, w * sign, (v * sign[..., None, :]).mT)


def _svd(a: Array, full_matrices: bool = True) -> Outputs:
    return Outputs(np.linalg.svd(a, full_matrices))


@pullback(_svd)
def d_svd(gy: Outputs, y: Outputs, a: Array, full_matrices: bool = True) -> Array:
    """With p = uᵀ·da·v: dsᵢ = pᵢᵢ, and u and v turn, together by (p + pᵀ)/(sⱼ − sᵢ), apart by (p − pᵀ)/(sⱼ + sᵢ)."""
    (gu, gs, gvt), (u, s, vt) = _parts(gy, y)
    n = s.shape[-1]
    if gy[0] is gy[2] is None:
        u, _, vt = (u[..., :n], s, vt[..., :n, :]) if isinstance(y, Outputs) else np.linalg.svd(a, full_matrices=False)
        return _of_singular_values(gs, s, u, vt, a, y)
    u, v, gu, gv = u[..., :n], vt.mT[..., :n], _with_complement(u, gu, n), _with_complement(vt.mT, gvt.mT, n)
    turn_u, turn_v = u.mT @ gu, v.mT @ gv
    together, apart = turn_u + turn_v, turn_u - turn_v
    warn_of_equal("np.linalg.svd", s, gs, together + together.mT)
    inner = (together - together.mT) * between(s) + (apart - apart.mT) * reciprocal(s[..., None, :] + s[..., None], s)
    inner = _on_diagonal(gs) + inner / 2
    out_of_u, out_of_v = gu - u @ turn_u, gv - v @ turn_v  # What leaves the spaces that u and v span.
    inverse = reciprocal(s, s)[..., None, :]
    return (u @ inner + out_of_u * inverse) @ v.mT + u @ (out_of_v * inverse).mT


CALLS[np.linalg.svdvals] = functools.partial(np.linalg.svd, compute_uv=False)  # CuPy has no other.


@pullback(np.linalg.svdvals)
def d_svdvals(gy: Array, y: Array, x: Array) -> Array:
    """A singular value moves by uᵀ·dx·v, with its singular vectors u and v."""
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    return _of_singular_values(gy, y, u, vt, x, y)


def _of_singular_values(gs: Array, s: Array, u: Array, vt: Array, a: Array, y: Array) -> Array:
    """The gradient u·diag(gs)·vᵀ."""
    g = (u * gs[..., None, :]) @ vt
    slopes = slopes_of_equal(gs, s, y, 1, at_zero=True)
    if slopes is None:
        return g
    # Terms that are 0, but whose derivatives are not: among equal values, and from and to the spaces mapped to 0.
    u, vt, zero = u.data, vt.data, is_zero(s.data, s.data)
    p, n = u.mT @ a @ vt.mT, s.shape[-1]
    g = g + u @ (np.where(zero[..., None] | beside(numpy.eye(n, dtype=bool), u), 0, slopes) * (p + p.mT) / 2) @ vt
    if not zero.any():
        return g
    mapped, reached = vt * ~zero[..., None], u * ~zero[..., None, :]
    rest = a - reached @ (reached.mT @ a)
    rest = rest - (rest @ mapped.mT) @ mapped
    rest = rest - (u * (zero * np.diagonal(p, 0, -2, -1))[..., None, :]) @ vt
    return g + np.where(zero[..., -1], slopes[..., -1, -1], 0)[..., None, None] * rest


# ---------------------------------------------------------------------------------------------------------------------
# Least squares


@composition(np.linalg.pinv)
def pinv(a: Array, rcond: Any = None, hermitian: bool = False, rtol: Any = ...) -> Array:
    """The pseudo-inverse, among matrices of the same rank."""
    settings = {} if rtol is ... else {"rtol": rtol}
    given = settings | ({} if rcond is None else {"rcond": rcond}) | ({"hermitian": True} if hermitian else {})
    x, y = as_variable(a), apply(np.linalg.pinv, a, **given)
    if not y.size:
        return y
    whole = _symmetric(x.data) if hermitian else x.data
    lost = abs(whole - whole @ y.data @ whole)
    if not np.any(lost > np.finfo(y.dtype).eps ** 0.5 * np.max(abs(whole), axis=(-2, -1), keepdims=True)):
        return y
    # Singular values that are not 0 were small enough to be left out: those that are left belong to a's projection.
    whole = _symmetric(x) if hermitian else x
    rank = np.trace(whole.data @ y.data, axis1=-2, axis2=-1).round()
    u = np.linalg.svd(whole, full_matrices=False).U
    u = u * (np.arange(u.shape[-1], like=u.data) < rank[..., None])[..., None, :]
    return np.linalg.pinv(u @ (u.mT @ whole), rcond, **settings)


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
