"""Every derivative against numerical ones, at numbers that hypothesis draws: this is what the engine promises.

Derivatives of float64 are compared with central differences, to the second order, and those of float32 with those of
float64. `pytest tests/rules/test_numerical_gradients.py --hypothesis-profile=thorough` tries many more numbers.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_jp.functions as F
from tests.cases import CASES, Case
from tests.strategies import convolutions, inputs, numbers, windows
from tinygrad_jp import Variable, gradient_check

by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
# There are hundreds of cases. Each gets a tenth of the examples of the profile.
few = settings(max_examples=settings().max_examples // 10)


# ---- Every case of the table -----------------------------------------------------------------------------------------


@by_case
@given(st.data())
@few
def test_float64_against_differences_to_second_order(case: Case, data):
    assert gradient_check(case.f, *data.draw(inputs(case)), order=2)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.shapes) > 1], ids=lambda case: case.name)
@given(st.data())
@few
def test_where_other_arguments_are_constants(case: Case, data):
    xs = data.draw(inputs(case))
    i = data.draw(st.integers(0, len(xs) - 1))
    assert gradient_check(lambda x: case.f(*xs[:i], x, *xs[i + 1 :]), xs[i], order=2)


def gradients(f, xs, **how):
    xs = [Variable(x) for x in xs]
    f(*xs).backward(**how)
    return [x.grad.data for x in xs]


@by_case
@given(st.data())
@few
def test_a_pass_that_is_recorded_gives_the_same(case: Case, data):
    """It starts from plain ones, so that rules meet an array as gy and Variables as arguments."""
    xs = data.draw(inputs(case))
    for recorded, usual in zip(gradients(case.f, xs, create_graph=True), gradients(case.f, xs), strict=True):
        np.testing.assert_allclose(recorded, usual, rtol=1e-12, atol=1e-12)


def to_second_order(f, xs, dtype):
    """The gradients of a weighted sum of squares of f, and those of the sum of their squares."""
    xs = [Variable(x.astype(dtype)) for x in xs]
    y = f(*xs)
    weights = np.linspace(0.5, 1.5, y.size).astype(y.dtype).reshape(y.shape)
    np.sum(y * y * weights).backward(create_graph=True)
    first = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    sum(np.sum(g * g) for g in first).backward()
    return [g.data for g in (*first, *(x.grad for x in xs))]


@by_case
@given(st.data())
@few
def test_float32_against_float64_to_second_order(case: Case, data):
    """A gradient in float32 is right to three digits of the largest."""
    xs = [x.astype(np.float32) for x in data.draw(inputs(case))]
    for g, exact in zip(to_second_order(case.f, xs, np.float32), to_second_order(case.f, xs, np.float64), strict=True):
        assert g.dtype == np.float32 and g.shape == exact.shape
        np.testing.assert_allclose(g, exact, rtol=0, atol=1e-3 * max(np.abs(exact).max(), 1))


# ---- Shapes, axes and indices ----------------------------------------------------------------------------------------


@given(st.data(), hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3))
def test_any_two_shapes_that_broadcast(data, broadcast):
    a, b = data.draw(numbers(broadcast.input_shapes))
    for f in (np.add, np.multiply, np.maximum, np.logaddexp):
        assert gradient_check(f, a, b, order=2)
    assert gradient_check(lambda a, b: np.where(np.ones(broadcast.result_shape) > 0, a, b), a, b)


@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3), st.booleans())
def test_any_axes(data, shape, keepdims):
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape), min_size=0) if shape else st.none())
    (x,) = data.draw(numbers([shape]))
    for f in (np.sum, np.mean, np.max, np.min):
        assert gradient_check(lambda x, f=f: f(x, axis=axis, keepdims=keepdims), x, order=2)


@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
def test_sums_of_anything_even_of_nothing(data, shape):
    (x,) = data.draw(numbers([shape]))
    assert gradient_check(lambda x: np.sum(np.exp(x) * x), x, order=2)


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
def test_any_index(data, shape):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True) | hnp.integer_array_indices(shape))
    (x,) = data.draw(numbers([shape]))
    np.testing.assert_array_equal(Variable(x)[index].data, x[index])
    assert gradient_check(lambda x: x[index], x, order=2)


@given(st.data(), st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 2))
def test_concatenate_and_split(data, lengths, axis):
    xs = data.draw(numbers([[length if i == axis else 2 for i in range(3)] for length in lengths]))

    def there_and_back(*xs):
        return np.split(np.concatenate(xs, axis=axis), np.cumsum(lengths)[:-1], axis=axis)

    for x, part in zip(xs, there_and_back(*map(Variable, xs)), strict=True):
        np.testing.assert_array_equal(part.data, x)
    weighted = lambda *xs: sum((i + 1) * np.sum(part) for i, part in enumerate(there_and_back(*xs)))  # noqa: E731
    assert gradient_check(weighted, *xs, order=2)


# ---- Convolutions and poolings ---------------------------------------------------------------------------------------


@given(convolutions())
def test_convolutions_of_any_setting(c):
    x, W, b, stride, pad, dilation, groups = c
    settings = {"dilation": dilation, "groups": groups}
    assert gradient_check(lambda x, W, b: F.conv2d(x, W, b, stride, pad, **settings), x, W, b, order=2)
    y = F.conv2d(x, W, b, stride, pad, **settings).data
    assert gradient_check(lambda y, W: F.deconv2d(y, W, None, stride, pad, x.shape[2:], **settings), y, W, order=2)


@given(windows(), st.booleans())
def test_poolings_and_columns_of_any_setting(w, to_matrix):
    x, *where = w
    for f in (F.pooling, F.average_pooling):
        assert gradient_check(lambda x, f=f: f(x, *where) ** 2, x, order=2)
    col = F.im2col(x, *where, to_matrix).data
    assert gradient_check(lambda x: F.im2col(x, *where, to_matrix), x, order=2)
    assert gradient_check(lambda col: F.col2im(col, x.shape, *where, to_matrix), col, order=2)


# ---- Random programs -------------------------------------------------------------------------------------------------

ROWS = (2, 3)
# From two arrays of the shape ROWS to one, no larger than they are.
STEPS = {
    "a + b": lambda a, b: (a + b) / 2,
    "a - b": lambda a, b: (a - b) / 2,
    "a * b": lambda a, b: np.tanh(a * b),
    "a / b": lambda a, b: a / (2 + b * b),
    "a ** 3": lambda a, b: a**3 / 4,
    "sin": lambda a, b: np.sin(a),
    "matmul": lambda a, b: np.tanh(a @ b.T) @ b / 2,
    "softmax": lambda a, b: F.softmax(a) * b,
    "layer_norm": lambda a, b: np.sin(F.layer_norm(a + 2 * np.arange(3))) + b / 2,
    "rows": lambda a, b: np.stack([a[1], b[0]]),
    "columns": lambda a, b: np.concatenate([a[:, 1:], b[:, :1]], axis=1),
    "where": lambda a, b: np.where(np.arange(3) > 0, a, b),
    "mean": lambda a, b: a - np.mean(b, axis=0),
    "reshape": lambda a, b: np.transpose(np.reshape(a, ROWS[::-1])) / 2 + b / 2,
    "logaddexp": lambda a, b: np.logaddexp(a, b) / 2,
}


@given(st.data(), st.integers(1, 8))
def test_random_programs(data, length):
    xs = data.draw(numbers([ROWS, ROWS[1:]]))
    program = [
        (data.draw(st.sampled_from(sorted(STEPS))), *data.draw(st.tuples(*[st.integers(0, i + 1)] * 2)))
        for i in range(length)
    ]

    def run(x, row):
        values = [x, np.broadcast_to(row, ROWS)]
        for name, i, j in program:
            values.append(STEPS[name](values[i], values[j]))
        return values[-1]

    assert gradient_check(run, *xs, order=2)
