"""Every rule of the table of derivatives: its value, its gradient, and the gradient of that."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_jp.functions as F
from tests.cases import CASES, ELSEWHERE, RULES, Case, spread
from tinygrad_jp import Variable, gradient_check
from tinygrad_jp.functions import convolution

by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@by_case
def test_value(case: Case, rng):
    xs = case.inputs(rng)
    y = case.f(*map(Variable, xs))
    expected = (case.value or case.f)(*xs)
    assert isinstance(y, Variable)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12)


@by_case
def test_derivatives_to_second_order(case: Case, rng):
    assert gradient_check(case.f, *case.inputs(rng), order=2)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.shapes) > 1], ids=lambda case: case.name)
def test_where_others_are_constants(case: Case, rng):
    xs = case.inputs(rng)
    for i, x in enumerate(xs):
        before, after = xs[:i], xs[i + 1 :]
        assert gradient_check(lambda x, before=before, after=after: case.f(*before, x, *after), x, order=2)


@by_case
def test_float32_stays_float32(case: Case, rng):
    xs = [Variable(x) for x in case.inputs(rng, np.float32)]
    y = case.f(*xs)
    assert y.dtype == (np.float64 if case.name in ("astype", "x ** whole numbers") else np.float32)
    y.backward()
    for x in xs:
        assert x.grad.dtype == np.float32
        assert x.grad.shape == x.shape
    assert gradient_check(case.f, *case.inputs(rng, np.float32))


@by_case
def test_inputs_may_lie_in_memory_as_they_like(case: Case, rng):
    def gradients(arrange):
        xs = [Variable(arrange(x)) for x in case.inputs(np.random.default_rng(0))]
        case.f(*xs).backward()
        return [x.grad.data for x in xs]

    def read_only(x):
        x.flags.writeable = False
        return x

    usual = gradients(np.copy)
    for arrange in (lambda x: np.asarray(x, order="F"), lambda x: np.flip(np.flip(x).copy()), read_only):
        for a, b in zip(usual, gradients(arrange), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_every_rule_has_its_case():
    proven = {case.table for case in CASES} | {f for entries in ELSEWHERE.values() for f in entries}
    assert {f.__name__ for f in RULES - proven} == set()


def test_every_case_has_its_rule():
    assert {case.name for case in CASES if case.table not in RULES} == set()


def test_every_function_of_F_has_its_case():
    names = {case.name.removeprefix("F.") for case in CASES}
    assert set(F.__all__) - names - set(convolution.__all__) == {"accuracy", "one_hot"}  # these have no gradient


shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3), st.integers(0, 99))
def test_any_two_shapes_that_broadcast(broadcast, seed):
    rng = np.random.default_rng(seed)
    a, b = (spread(rng, shape) for shape in broadcast.input_shapes)
    for f in (np.add, np.multiply, np.maximum, np.logaddexp):
        assert gradient_check(f, a, b, order=2)
    assert gradient_check(lambda a, b: np.where(np.ones(broadcast.result_shape) > 0, a, b), a, b)


@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3), st.booleans(), st.integers(0, 99))
def test_any_axes(data, shape, keepdims, seed):
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape), min_size=0) if shape else st.none())
    x = spread(np.random.default_rng(seed), shape)
    for f in (np.sum, np.mean, np.max, np.min):
        assert gradient_check(lambda x, f=f: f(x, axis=axis, keepdims=keepdims), x, order=2)


@given(shapes, st.integers(0, 99))
def test_sums_of_anything_even_of_nothing(shape, seed):
    x = Variable(spread(np.random.default_rng(seed), shape))
    np.sum(np.exp(x) * x).backward()
    np.testing.assert_allclose(x.grad.data, np.exp(x.data) * (1 + x.data))


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
def test_any_index(data, shape):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True) | hnp.integer_array_indices(shape))
    x = spread(np.random.default_rng(0), shape)
    np.testing.assert_array_equal(Variable(x)[index].data, x[index])
    if x[index].size:
        assert gradient_check(lambda x: x[index], x, order=2)


@given(st.data(), st.integers(1, 4), st.integers(0, 2))
def test_split_undoes_concatenate(data, n, axis):
    lengths = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    rng = np.random.default_rng(0)
    xs = [Variable(rng.random([length if i == axis else 2 for i in range(3)])) for length in lengths]
    parts = np.split(np.concatenate(xs, axis=axis), np.cumsum(lengths)[:-1], axis=axis)
    for x, part in zip(xs, parts, strict=True):
        np.testing.assert_array_equal(part.data, x.data)
    sum(((i + 1) * part.sum() for i, part in enumerate(parts)), Variable(0.0)).backward()
    for i, x in enumerate(xs):
        np.testing.assert_array_equal(x.grad.data, np.full(x.shape, i + 1.0))


# Conventions where a derivative does not exist, or a formula would fail


@pytest.mark.parametrize(
    ("f", "x", "gx"),
    [
        (np.abs, 0.0, 0.0),
        (F.relu, 0.0, 0.0),
        (lambda x: np.clip(x, 0.0, 1.0), [0.0, 1.0, 2.0], [1.0, 1.0, 0.0]),
        (np.max, [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
        (np.min, [[1.0, 1.0], [1.0, 1.0]], [[0.25, 0.25], [0.25, 0.25]]),
        (lambda x: np.maximum(x, 2.0), [1.0, 2.0, 3.0], [0.0, 0.5, 1.0]),
        (lambda x: np.minimum(2.0, x), [1.0, 2.0, 3.0], [1.0, 0.5, 0.0]),
        (lambda x: x**0, [0.0, 1.0], [0.0, 0.0]),
        (lambda x: x**1, [0.0, 1.0], [1.0, 1.0]),
        (lambda x: 0.0**x, [1.0, 2.0], [0.0, 0.0]),
        (lambda x: x ** np.array([0, 1]), [0.0, 0.0], [0.0, 1.0]),
    ],
)
def test_the_derivative_at_a_kink_or_a_tie(f, x, gx):
    x = Variable(x)
    f(x).backward()
    np.testing.assert_array_equal(x.grad.data, gx)


def test_the_third_derivative_of_a_square_at_zero():
    x = Variable(0.0)
    y = x**2
    derivatives = []
    for _ in range(3):
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
        derivatives.append(float(y))
    assert derivatives == [0.0, 2.0, 0.0]


def test_no_overflow_where_the_mathematics_has_none():
    for dtype in (np.float32, np.float64):
        x = Variable(np.array([[-1e4, 0.0, 1e4]], dtype))
        for f in (F.sigmoid, F.softmax, F.log_softmax, lambda x: F.softmax_cross_entropy(x, [0])):
            x.cleargrad()
            f(x).sum().backward()
            assert np.isfinite(f(x).data).all()
            assert np.isfinite(x.grad.data).all()
    np.testing.assert_allclose(F.sigmoid(-40.0).data, np.exp(-40.0), rtol=1e-12)


SMOOTH = ["tanh", "divide", "power", "matmul (2, 3) (3, 4)", "var {'axis': 1}", "einsum ij,jk->ik", "inv", "norm {}"]
SMOOTH += ["softmax", "log_softmax", "layer_norm", "linear", "softmax_cross_entropy", "gelu", "prod {}", "sigmoid"]


@pytest.mark.parametrize("case", [case for case in CASES if case.name in SMOOTH], ids=lambda case: case.name)
def test_derivatives_of_third_order(case: Case, rng):
    assert gradient_check(case.f, *case.inputs(rng), order=3, rtol=1e-4, atol=1e-5)


# How NumPy's functions may be called


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, 0),
        lambda x: np.sum(x, (0, 1), keepdims=True),
        lambda x: np.sum(a=x, axis=-1),
        lambda x: np.mean(x, axis=0, dtype=None),
        lambda x: np.max(x, 1),
        lambda x: np.var(x, 0, ddof=1),
        lambda x: np.transpose(x, axes=(1, 0)),
        lambda x: np.reshape(x, shape=(3, 2)),
        lambda x: np.clip(x, 0.0, 1.0),
        lambda x: np.clip(x, a_min=0.0, a_max=1.0),
        lambda x: np.clip(x, min=0.0),
        lambda x: np.where(x > 0, x, 0.0),
        lambda x: np.tensordot(x, x, ([0], [0])),
        lambda x: np.linalg.norm(x, None, 1),
        lambda x: np.roll(x, 1, 0),
        lambda x: np.concatenate((x, x), 1),
        lambda x: np.stack([x, x], axis=1),
        lambda x: np.multiply(2, x),
        lambda x: np.full((2, 3), 2.0) * x,
        lambda x: np.matmul(np.ones((4, 2)), x),
        lambda x: np.add([1.0, 2.0, 3.0], x),
    ],
)
def test_arguments_go_where_numpy_has_them(call):
    x = np.arange(6.0).reshape(2, 3) - 2.5
    y = call(Variable(x))
    np.testing.assert_allclose(y.data, call(x))
    y.sum().backward()


@pytest.mark.parametrize(
    "f",
    [np.argmax, np.argmin, np.argsort, np.sign, np.floor, np.ceil, np.rint, np.round, np.trunc, np.isnan, np.isfinite]
    + [
        np.shape,
        np.ndim,
        np.size,
        np.zeros_like,
        np.ones_like,
        np.nonzero,
        np.count_nonzero,
        np.any,
        np.all,
        np.unique,
    ],
)
def test_what_has_no_derivative_is_plain(f):
    x = np.array([[0.5, -1.5], [2.5, 0.0]])
    result, expected = f(Variable(x)), f(x)
    assert type(result) is type(expected)
    np.testing.assert_array_equal(result, expected)


def test_comparisons_with_numpys_own_helpers():
    x = Variable([1.0, 2.0])
    assert np.allclose(x, [1.0, 2.0])
    assert np.array_equal(x, Variable([1.0, 2.0]))
    assert np.searchsorted(x, 1.5) == 1
