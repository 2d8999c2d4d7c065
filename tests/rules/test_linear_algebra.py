"""Linear algebra on every kind of matrix: square, wide, tall, symmetric, of low rank, empty, and stacks of them."""

import numpy as np
import pytest

from tinygrad_jp import Variable, gradient_check

LA = np.linalg
SQUARE = [(1, 1), (3, 3), (2, 3, 3), (2, 1, 2, 2)]
OBLONG = [(4, 2), (2, 4), (2, 4, 2), (2, 2, 4), (1, 3), (3, 1)]
EMPTY_SQUARE = [(0, 0), (2, 0, 0), (0, 2, 2)]
EMPTY = [(0, 3), (3, 0), (2, 0, 3), (0, 3, 2)]


def matrix(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def symmetric(x):
    return x + np.swapaxes(x, -1, -2)


def positive(x):
    return x @ np.swapaxes(x, -1, -2) + np.eye(x.shape[-2], dtype=x.dtype)


def real_eigenvalues(x):
    """Triangular, but for a small perturbation, with a different eigenvalue in each row."""
    return x / 8 + np.triu(x) + 4 * np.diag(np.arange(x.shape[-1])).astype(x.dtype)


def joined(*parts):
    """All elements of several results in one row, unless they are plain."""
    return np.concatenate([np.reshape(p, -1) for p in parts])


# function → how it is made of a matrix x. A result of several parts is joined.
ON_SQUARES = {
    "inv": lambda x: LA.inv(x),
    "det": LA.det,
    "slogdet": lambda x: LA.slogdet(x).logabsdet,
    "cholesky": lambda x: LA.cholesky(positive(x)),
    "cholesky upper": lambda x: LA.cholesky(positive(x), upper=True),
    "cholesky of a lower triangle": lambda x: LA.cholesky(x + 9 * np.eye(x.shape[-1], dtype=x.dtype)),
    "cholesky of an upper triangle": lambda x: LA.cholesky(x + 9 * np.eye(x.shape[-1], dtype=x.dtype), upper=True),
    "eigh": lambda x: joined(*LA.eigh(symmetric(x))),
    "eigh of a lower triangle": lambda x: joined(*LA.eigh(x)),
    "eigh of an upper triangle": lambda x: joined(*LA.eigh(x, UPLO="U")),
    "eigh's values": lambda x: LA.eigh(x).eigenvalues,
    "eigh's vectors": lambda x: LA.eigh(x).eigenvectors,
    "eigvalsh": LA.eigvalsh,
    "eigvalsh of an upper triangle": lambda x: LA.eigvalsh(x, "U"),
    "eig": lambda x: joined(*LA.eig(real_eigenvalues(x))),
    "eig's vectors": lambda x: LA.eig(real_eigenvalues(x)).eigenvectors,
    "eigvals": lambda x: LA.eigvals(real_eigenvalues(x)),
    "svd hermitian": lambda x: joined(*LA.svd(symmetric(x), hermitian=True)),
    "svd hermitian of a lower triangle": lambda x: joined(*LA.svd(x, hermitian=True)),
    "singular values hermitian": lambda x: LA.svd(x, compute_uv=False, hermitian=True),
    "pinv hermitian": lambda x: LA.pinv(symmetric(x), hermitian=True),
    "pinv hermitian of a lower triangle": lambda x: LA.pinv(x, hermitian=True),
    "cond 1": lambda x: LA.cond(x, 1),
    "cond fro": lambda x: LA.cond(x, "fro"),
    "cond inf": lambda x: LA.cond(x, np.inf),
    "cond nuc": lambda x: LA.cond(x, "nuc"),
    **{f"power {n}": lambda x, n=n: LA.matrix_power(x, n) for n in (-3, -1, 0, 1, 2, 3, 5, 8)},
}
ON_ALL = {
    "svd": lambda x: joined(*LA.svd(x, full_matrices=False)),
    "svd, u only": lambda x: LA.svd(x, full_matrices=False).U,
    "svd, vᵀ only": lambda x: LA.svd(x, full_matrices=False).Vh,
    "svd, s only": lambda x: LA.svd(x).S,
    "svd, the space of u": lambda x: projection(LA.svd(x).U[..., : min(x.shape[-2:])]),
    "svd, the space of the rest of u": lambda x: projection(LA.svd(x).U[..., min(x.shape[-2:]) :]),
    "svd, the space of the rest of v": lambda x: projection(LA.svd(x).Vh[..., min(x.shape[-2:]) :, :].mT),
    "svdvals": LA.svdvals,
    "svd's values": lambda x: LA.svd(x, compute_uv=False),
    "qr": lambda x: joined(*LA.qr(x)),
    "qr, q only": lambda x: LA.qr(x).Q,
    "qr, r": lambda x: LA.qr(x, mode="r"),
    "qr complete": lambda x: joined(LA.qr(x, "complete").R, projection(LA.qr(x, "complete").Q[..., x.shape[-1] :])),
    "pinv": LA.pinv,
    "pinv rtol": lambda x: LA.pinv(x, rtol=None),
    "pinv rcond": lambda x: LA.pinv(x, rcond=0.4),
    "pinv rcond of each": lambda x: LA.pinv(x, np.full(x.shape[:-2], 0.4)),
    "cond": LA.cond,
    "cond -2": lambda x: LA.cond(x, -2),
    **{
        f"matrix_norm {o}": lambda x, o=o: LA.matrix_norm(x, ord=o)
        for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
    **{
        f"norm {o} keepdims": lambda x, o=o: LA.norm(x, o, axis=(-1, -2), keepdims=True)
        for o in (None, "f", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
    **{
        f"vector_norm {o}": lambda x, o=o: LA.vector_norm(x, axis=-1, ord=o, keepdims=True)
        for o in (1, 2, 3, 0.5, -1, np.inf, -np.inf)
    },
    "vector_norm of all": LA.vector_norm,
    "vector_norm of two axes": lambda x: LA.vector_norm(x, axis=(0, -1), ord=3),
}
EVERY = {
    **{f"{name} {shape}": (f, shape) for name, f in ON_SQUARES.items() for shape in SQUARE},
    **{f"{name} {shape}": (f, shape) for name, f in ON_ALL.items() for shape in [*SQUARE, *OBLONG]},
}
every = pytest.mark.parametrize(("f", "shape"), EVERY.values(), ids=EVERY)


def projection(v):
    return v @ np.swapaxes(v, -1, -2)


@every
def test_values_are_numpys(f, shape):
    x = matrix(shape)
    y = f(Variable(x))
    assert isinstance(y, Variable)
    np.testing.assert_allclose(y.data, f(x), rtol=1e-9, atol=1e-9)


@every
def test_gradients_to_second_order(f, shape):
    assert gradient_check(f, matrix(shape, 1), order=2, rtol=1e-4, atol=1e-5)


@every
def test_float32_stays_float32(f, shape):
    x = matrix(shape, 1)
    single, double = Variable(x.astype(np.float32)), Variable(x)
    for v in (single, double):
        np.sum(f(v)).backward()
    assert f(single).dtype == single.grad.dtype == np.float32
    exact = double.grad.data
    np.testing.assert_allclose(single.grad.data, exact, rtol=0, atol=1e-2 * max(1, np.abs(exact).max()))
