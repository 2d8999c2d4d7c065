"""Linear algebra on every kind of matrix: square, wide, tall, symmetric, of low rank, empty, and stacks of them."""

import numpy as np
import pytest

from tinygrad_jp import Variable, grad, gradient_check

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
    "qr complete, all of q": lambda x: LA.qr(x, "complete").Q,
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


# ---- Edges -----------------------------------------------------------------------------------------------------------

NAMED = {
    "eigh": lambda x: LA.eigh(symmetric(x)),
    "eig": lambda x: LA.eig(symmetric(x)),
    "svd": LA.svd,
    "svd thin": lambda x: LA.svd(x, full_matrices=False),
    "svd hermitian": lambda x: LA.svd(x, hermitian=True),
    "qr": LA.qr,
    "qr complete": lambda x: LA.qr(x, mode="complete"),
    "slogdet": LA.slogdet,
}


@pytest.mark.parametrize("f", NAMED.values(), ids=NAMED)
def test_named_tuples_stay_named_tuples(f):
    x = matrix((3, 3))
    ours, numpys = f(Variable(x)), f(x)
    assert type(ours) is type(numpys)
    for name in numpys._fields:
        part = getattr(ours, name)
        np.testing.assert_allclose(part.data, getattr(numpys, name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", EMPTY_SQUARE)
@pytest.mark.parametrize("f", ON_SQUARES.values(), ids=ON_SQUARES)
def test_stacks_of_nothing_and_matrices_of_nothing(f, shape):
    x = np.zeros(shape)
    try:
        expected = f(x)
    except (np.linalg.LinAlgError, ValueError) as error:
        with pytest.raises(type(error)):
            f(Variable(x))
        return
    v = Variable(x)
    y = f(v)
    np.testing.assert_array_equal(y.data, expected)
    y.backward()
    assert v.grad.shape == shape


@pytest.mark.parametrize("shape", [*EMPTY, *EMPTY_SQUARE])
@pytest.mark.parametrize("f", [LA.svdvals, LA.pinv, LA.norm, *(ON_ALL[n] for n in ("svd", "qr", "qr complete"))])
def test_oblong_matrices_of_nothing(f, shape):
    v = Variable(np.zeros(shape))
    y = f(v) if f is not LA.norm else LA.norm(v, axis=(-2, -1))
    y.backward()
    assert v.grad.shape == shape and np.isfinite(v.grad.data).all()


def equal_values(values, seed=0):
    """A symmetric matrix with these eigenvalues."""
    q = LA.qr(matrix((len(values),) * 2, seed)).Q
    return q @ np.diag(np.array(values, float)) @ q.T


WITH_EQUAL_VALUES = {
    "1, 1, 1, 3": equal_values([1, 1, 1, 3]),
    "two pairs": equal_values([-2, -2, 1, 1]),
    "the identity": np.eye(4),
    "a diagonal": np.diag([2.0, 5.0, 2.0, 5.0]),
    "zeros and a one": np.diag([0.0, 0.0, 0.0, 1.0]),
    "different": equal_values([1, 2, 4, 8]),
}
with_equal_values = pytest.mark.parametrize("a", WITH_EQUAL_VALUES.values(), ids=WITH_EQUAL_VALUES)
VALUES = {
    "eigvalsh": lambda x: LA.eigvalsh(symmetric(x)),
    "eigvalsh of a triangle": LA.eigvalsh,
    "eigvalsh of the upper triangle": lambda x: LA.eigvalsh(x, "U"),
    "eigh": lambda x: LA.eigh(symmetric(x)).eigenvalues,
    "eigh of a triangle": lambda x: LA.eigh(x).eigenvalues,
}
values = pytest.mark.parametrize("f", VALUES.values(), ids=VALUES)


@values
@with_equal_values
def test_functions_of_equal_eigenvalues(f, a):
    for function in (np.exp, np.square, lambda w: w**3):
        assert gradient_check(lambda x, g=function: np.sum(g(f(x))), a, order=2, rtol=1e-4, atol=1e-5)
    assert gradient_check(lambda x: np.logaddexp(np.sum(f(x) ** 2), np.prod(f(x))), a, order=2, rtol=1e-4, atol=1e-5)


def test_a_stack_of_which_some_have_equal_values():
    stack = np.stack([np.eye(3), np.diag([1.0, 2.0, 4.0]), np.zeros((3, 3)), np.diag([2.0, 1.0, 2.0])])
    for f in (LA.eigvalsh, LA.svdvals, lambda x: LA.eigh(x, "U")[0], lambda x: LA.svd(x)[1]):
        for g in (lambda w: np.sum(w**2), lambda w: np.sum(np.sum(np.cosh(w), -1) ** 2)):
            assert gradient_check(lambda x, f=f, g=g: g(f(x)), stack, order=2, rtol=1e-4, atol=1e-5)


LOW_RANK = {
    "zeros": np.zeros((3, 3)),
    "tall zeros": np.zeros((3, 2)),
    "wide zeros": np.zeros((2, 3)),
    "rank 1 of 2, tall": np.outer([1.0, 2.0, 4.0], [1.0, -3.0]),
    "rank 1 of 2, wide": np.outer([1.0, -3.0], [1.0, 2.0, 4.0]),
    "rank 2 of 3, equal": equal_values([2, 2, 0]),
    "rank 2 of 4, equal": equal_values([3, 3, 0, 0])[:, :3],
    "rank 2 of 4": equal_values([1, 3, 0, 0]),
    "rank 2 of 3": equal_values([-1, 3, 0]),
}


@pytest.mark.parametrize("a", LOW_RANK.values(), ids=LOW_RANK)
@pytest.mark.parametrize("f", [LA.svdvals, lambda x: LA.svd(x).S, lambda x: LA.svd(x, False).S])
def test_smooth_functions_of_singular_values_where_some_are_0(f, a):
    for function in (np.square, np.cosh, lambda s: np.log(1 + s**2)):
        assert gradient_check(lambda x, g=function: np.sum(g(f(x))), a, order=2, rtol=1e-4, atol=1e-5)
    if a.shape[0] == a.shape[1]:
        symmetric_svd = lambda x: LA.svd(symmetric(x), compute_uv=False, hermitian=True)  # noqa: E731
        assert gradient_check(lambda x: np.sum(np.cosh(symmetric_svd(x))), a / 2, order=2, rtol=1e-4, atol=1e-5)


@with_equal_values
def test_the_space_of_equal_eigenvalues(a):
    b = matrix((4, 4), 3)
    w = LA.eigvalsh(symmetric(a))
    n = int(np.argmax(np.diff(w))) + 1 if np.ptp(w) else 4  # Up to the largest gap

    def space(x):
        v = LA.eigh(symmetric(x)).eigenvectors[:, :n]
        return np.sum(projection(v) * b)

    assert gradient_check(space, a, rtol=1e-4, atol=1e-6)
    assert gradient_check(lambda x: space(x) + np.sum(LA.eigvalsh(symmetric(x)) ** 3), a, rtol=1e-4, atol=1e-6)


def test_equal_singular_values():
    b = matrix((4, 4), 3)
    for a in (np.eye(4), equal_values([2, 2, 5, 5]) @ LA.qr(b).Q, np.eye(4)[:, :3], 3 * np.eye(5)[:4]):
        part = b[:, : a.shape[1]] if a.shape[1] < 5 else matrix((4, 5), 4)
        for function in (np.square, np.exp, np.log):
            for f in (LA.svdvals, lambda x: LA.svd(x).S):
                assert gradient_check(lambda x, g=function, f=f: np.sum(g(f(x))), a, order=2, rtol=1e-4, atol=1e-5)

        def rotation(x, part=part):
            """The orthogonal factor of x, whose gradient needs the sums of singular values alone."""
            u, _, vt = LA.svd(x, full_matrices=False)
            return np.sum(u @ vt * part)

        assert gradient_check(rotation, a, rtol=1e-4)
        assert gradient_check(lambda x: LA.norm(x, "nuc"), a, order=2, rtol=1e-4, atol=1e-5)
        assert gradient_check(LA.pinv, a, order=2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [2, 10, 60])
def test_values_that_are_equal_up_to_rounding_are_taken_to_be_equal(n, dtype):
    """All vectors together span everything: that does not move."""
    b = matrix((n, n))
    for seed in range(10):
        w = np.repeat(np.random.default_rng(seed).uniform(0, 1, n // 2), 2)
        a = equal_values(w, seed).astype(dtype)
        for vectors in (lambda x: LA.eigh(symmetric(x)).eigenvectors, lambda x: LA.svd(x).U, lambda x: LA.svd(x).Vh.mT):
            g = grad(lambda x, v=vectors: np.sum(projection(v(x)) * b))(a)
            np.testing.assert_allclose(g, 0, atol=1e-10 if dtype == np.float64 else 1e-2)


MEETING = {
    "v·exp(w)·vᵀ": lambda x, b: np.sum((lambda w, v: (v * np.exp(w)) @ v.T)(*LA.eigh(symmetric(x))) * b),
    "u·s·vᵀ": lambda x, b: np.sum((lambda u, s, vt: (u * s) @ vt)(*LA.svd(x)) * b),
    "v·exp(w)·v⁻¹": lambda x, b: np.sum((lambda w, v: (v * np.exp(w)) @ LA.inv(v))(*LA.eig(symmetric(x))) * b),
}


@pytest.mark.parametrize("f", MEETING.values(), ids=MEETING)
def test_where_equal_values_meet_their_vectors_a_warning_says_so(f):
    b = symmetric(matrix((3, 3)))
    with pytest.warns(RuntimeWarning, match="some of the values are equal") as caught:
        grad(lambda x: f(x, b))(np.eye(3))
    assert caught[0].filename == __file__
    apart = np.eye(3) + np.diag([0.0, 1e-5, 2e-5])
    np.testing.assert_allclose(grad(lambda x: f(x, b))(apart), grad(lambda x: f(x, b))(apart * (1 + 1e-9)), rtol=1e-4)


KINKS = {name: f for name, f in ON_ALL.items() if "norm" in name}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("f", KINKS.values(), ids=KINKS)
def test_norms_of_zeros_have_slope_zero_and_those_of_low_rank_are_finite(f):
    if f not in (ON_ALL["vector_norm -1"], ON_ALL["vector_norm -inf"]):
        v = Variable(np.zeros((3, 2)))
        np.sum(f(v)).backward()
        assert not v.grad.data.any()
    v = Variable(np.outer([1.0, 2.0, 4.0], [1.0, 3.0]))
    np.sum(f(v)).backward()
    assert np.isfinite(v.grad.data).all()


def test_the_condition_of_a_singular_matrix_is_infinite_and_spares_the_others():
    stack = np.stack([np.eye(2), np.zeros((2, 2)), np.diag([1.0, 4.0])])
    for p in (None, 2, 1, np.inf, "fro"):
        v = Variable(stack)
        y = LA.cond(v, p)
        np.testing.assert_allclose(y.data, LA.cond(stack, p))
        y[2].backward()
        assert np.isfinite(v.grad.data).all() and v.grad.data[2].any() and not v.grad.data[:2].any()


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_the_pseudo_inverse_of_low_rank_as_its_factors_move(rank):
    a, b = matrix((4, rank), 1), matrix((rank, 3), 2)
    assert gradient_check(lambda a, b: LA.pinv(a @ b, rcond=1e-6), a, b, order=2, rtol=1e-4, atol=1e-5)
    assert gradient_check(lambda a: LA.pinv(a @ a.T, rcond=1e-6, hermitian=True), a, order=2, rtol=1e-4, atol=1e-5)


def test_the_pseudo_inverse_where_of_equal_singular_values_others_are_left_out():
    a = equal_values([2, 2, 0.1, 0.3])
    for f in (lambda x: LA.pinv(x, 0.2), lambda x: LA.pinv(x[:3], 0.3), lambda x: LA.pinv(symmetric(x), 0.2, True)):
        assert gradient_check(f, a, rtol=1e-4, atol=1e-6)
    assert not grad(lambda x: np.sum(LA.pinv(x, 2.0)))(a).any()
    stack = np.stack([1e9 * np.eye(4), np.diag([1.0, 2.0, 0.1, 3.0]), np.zeros((4, 4))])[:, :3]
    left = grad(lambda x: np.sum(LA.pinv(x, 0.2)))(stack)
    for x, g in zip(stack, left, strict=True):
        np.testing.assert_allclose(g, grad(lambda x: np.sum(LA.pinv(x, 0.2)))(x), rtol=1e-6, atol=1e-12)


def test_a_complete_q_where_columns_were_triangular_already():
    """The space of the columns that follow has its derivative; they themselves are turned at will."""
    a = np.array([[2.0, 1.0], [0.0, 3.0], [0.0, 0.0], [0.0, 0.0]])
    for x in (a, np.stack([a, matrix((4, 2))])):
        assert gradient_check(lambda x: projection(LA.qr(x, "complete").Q[..., 2:]), x)


NONE = {
    "qr of low rank": (LA.qr, np.outer([1.0, 2.0, 4.0], [1.0, 3.0])),
    "qr of zeros": (LA.qr, np.zeros((2, 2))),
    "qr whose first columns depend on another": (LA.qr, np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]])),
    "eig of a Jordan block": (LA.eig, np.array([[1.0, 1.0], [0.0, 1.0]])),
}


@pytest.mark.parametrize(("f", "a"), NONE.values(), ids=NONE)
def test_where_there_is_no_derivative_an_error_says_so(f, a):
    with pytest.raises(np.linalg.LinAlgError, match="no derivative where"):
        np.sum(f(Variable(a))[1]).backward()


LEAST_SQUARES = [((5, 2), (5,)), ((5, 2), (5, 3)), ((2, 4), (2, 1)), ((3, 3), (3,)), ((1, 1), (1, 1)), ((5, 2), (5, 0))]


@pytest.mark.parametrize(("shape", "right"), LEAST_SQUARES)
def test_least_squares(shape, right):
    a, b = matrix(shape), matrix(right, 1)
    for ours, numpys in zip(LA.lstsq(Variable(a), Variable(b)), LA.lstsq(a, b), strict=True):
        np.testing.assert_allclose(ours.data, numpys, rtol=1e-9, atol=1e-12)
    for rcond in (None, -1, 0.5):
        assert gradient_check(lambda a, b, r=rcond: joined(*LA.lstsq(a, b, r)[:2]), a, b, order=2, rtol=1e-4, atol=1e-5)
    assert gradient_check(lambda a: LA.lstsq(a, b)[3], a, order=2, rtol=1e-4, atol=1e-5)


def test_least_squares_of_mixed_precision_are_computed_in_the_higher():
    a, b = Variable(matrix((5, 2)).astype(np.float32)), Variable(matrix((5,), 1))
    x = LA.lstsq(a, b)[0]
    x.backward()
    assert (x.dtype, a.grad.dtype, b.grad.dtype) == (np.float64, np.float32, np.float64)
    np.testing.assert_allclose(x.data, LA.lstsq(a.data, b.data)[0], rtol=1e-12)


def test_integers_are_numbers():
    x = np.array([[3, 1], [1, 2]])
    for f in (LA.cholesky, LA.eigvalsh, LA.svdvals, LA.pinv, LA.cond, LA.inv, LA.det, ON_ALL["qr"]):
        v, w = Variable(x), Variable(x.astype(float))
        f(v).backward()
        f(w).backward()
        assert v.grad.dtype == np.float64
        np.testing.assert_allclose(v.grad.data, w.grad.data)


def test_a_product_of_many_matrices_takes_the_cheapest_order(monkeypatch):
    xs = [Variable(matrix(shape)) for shape in [(2, 30), (30, 2), (2, 30), (30, 2)]]
    y = LA.multi_dot(xs)
    np.testing.assert_allclose(y.data, LA.multi_dot([x.data for x in xs]))
    shapes, nodes = [], [y.creator]
    while nodes:
        f = nodes.pop()
        shapes += [np.shape(f.y)]
        nodes += [x.creator for x in f.variables if x.creator]
    assert (30, 30) not in shapes
    ends = [Variable(matrix((3,))), xs[0][:, :3].T, xs[0][:, 0]]
    assert LA.multi_dot(ends).shape == () and LA.multi_dot(ends[:2]).shape == (2,)


def test_a_matrix_power_of_zero_keeps_the_graph_and_no_infinity():
    v = Variable(np.array([[np.inf, 1.0], [0.0, np.nan]]))
    y = LA.matrix_power(v, 0)
    y.backward()
    assert y.tolist() == [[1.0, 0.0], [0.0, 1.0]] and v.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors are deprecated")
@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (3, 2)])
def test_cross_products_of_vectors_of_the_plane(sizes):
    a, b = matrix((4, sizes[0])), matrix((sizes[1], 4), 1)
    assert gradient_check(lambda a, b: np.cross(a, b, axisb=0), a, b, order=2)


def test_blocks_of_every_depth():
    a, b = Variable(matrix((2, 2))), Variable(matrix((2,)))
    for make in (
        lambda a, b: np.block(a),
        lambda a, b: np.block([a, a]),
        lambda a, b: np.block([[a], [b]]),
        lambda a, b: np.block([[a, a], [b, b]]),
        lambda a, b: np.block([[[a]], [[a]]]),
        lambda a, b: np.block([b, 7.0]),
    ):
        y = make(a, b)
        np.testing.assert_array_equal(y.data, make(a.data, b.data))
        y.backward()


@pytest.mark.parametrize("lengths", [(0, 3), (3, 0), (0, 1), (1, 0), (1, 3), (2, 3)])
@pytest.mark.parametrize("subscripts", ["ii->i", "ii", "iij->ij", "iji->j", "ij,ii->j", [0, 0], [0, 1, 0]])
def test_a_diagonal_needs_axes_of_one_length(subscripts, lengths):
    """NumPy reads what is not its own where the first of them is 0."""
    n, m = lengths
    shapes = {"iij->ij": (n, m, 2), "iji->j": (n, 2, m)}
    x = Variable(np.ones((n, 2, m) if subscripts == [0, 1, 0] else shapes.get(str(subscripts), (n, m))))
    with pytest.raises(ValueError, match="expected axes of one length"):
        if isinstance(subscripts, list):
            np.einsum(x, subscripts)
        else:
            np.einsum(subscripts, *[np.ones((n, 2))] * ("," in subscripts), x)
