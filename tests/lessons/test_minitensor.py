"""The engine that the course builds passes the library's own tests of rules, and trains to the library's own losses.

What is tested here is `examples/course/minitensor.py`, with the library's checker and the library's tests: they meet
its Variable in the place of the library's.
"""

import gc
import importlib.util
import itertools
import operator
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tests.cases import CASES
from tests.rules import test_numerical_gradients as properties
from tests.strategies import numbers
from tinygrad_jp import datasets, optimizers, testing

PATH = Path(__file__).parents[2] / "examples/course/minitensor.py"
spec = importlib.util.spec_from_file_location("minitensor", PATH)
mini = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mini)

# What it does not have: vectors in matrix products, and settings that its rules do not name.
LACKS = {case.name for case in CASES if case.table is np.matmul and min(map(len, case.shapes)) == 1}


def runs(case):
    """Whether the case is a program in NumPy, with functions and settings that it has, not in the library's words."""
    try:
        y = case.f(*map(mini.Variable, case.inputs(np.random.default_rng(0))))
    except (TypeError, AttributeError):
        return False
    if case.name in LACKS or not isinstance(y, mini.Variable):
        return False
    try:
        y.backward()
    except TypeError as error:
        return "unexpected keyword argument" not in str(error)
    return True


MINE = [case for case in CASES if case.table in mini.RULES and runs(case)]
by_case = pytest.mark.parametrize("case", MINE, ids=lambda case: case.name)
HAS_SLOPE = {func for func, rules in mini.RULES.items() if rules}


def concatenate(xs):
    """What the checker needs besides: rows in one row, each put into zeros at its place."""
    ends = list(itertools.accumulate(x.shape[0] for x in xs))
    places = [slice(end - x.shape[0], end) for x, end in zip(xs, ends, strict=True)]
    return sum(mini.apply(mini.scatter, x, place, (ends[-1],)) for x, place in zip(xs, places, strict=True))


@pytest.fixture(autouse=True)
def _its_variable_in_the_place_of_the_librarys(monkeypatch):
    dispatch = mini.Variable.__array_function__

    def and_the_checkers(self, func, types, args, settings):
        if func is np.zeros_like:
            return np.zeros_like(args[0].data)
        return concatenate(*args) if func is np.concatenate else dispatch(self, func, types, args, settings)

    monkeypatch.setattr(mini.Variable, "__array_function__", and_the_checkers)
    monkeypatch.setattr(testing, "Variable", mini.Variable)
    monkeypatch.setattr(properties, "Variable", mini.Variable)


def test_it_fits_on_few_screens():
    assert len(PATH.read_text(encoding="utf-8").splitlines()) <= 150


def test_every_rule_has_a_case():
    assert {case.table for case in MINE} == HAS_SLOPE - {mini.scatter}
    assert len(MINE) > 60


@by_case
@pytest.mark.parametrize(
    "test",
    [
        properties.test_float64_against_differences_to_second_order,
        properties.test_a_pass_that_is_recorded_gives_the_same,
        properties.test_float32_against_float64_to_second_order,
    ],
    ids=lambda test: test.__name__,
)
def test_the_librarys_tests_of_a_case(test, case):
    test(case=case)


@pytest.mark.parametrize("case", [case for case in MINE if len(case.shapes) > 1], ids=lambda case: case.name)
def test_where_other_arguments_are_constants(case):
    properties.test_where_other_arguments_are_constants(case=case)


@given(st.data(), hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3))
def test_any_two_shapes_that_broadcast(data, broadcast):
    a, b = data.draw(numbers(broadcast.input_shapes))
    for f in (np.add, np.multiply, np.maximum):
        assert testing.gradient_check(f, a, b, order=2)


@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3), st.booleans())
def test_any_axes(data, shape, keepdims):
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape), min_size=0) if shape else st.none())
    (x,) = data.draw(numbers([shape]))
    for f in (np.sum, np.mean):
        assert testing.gradient_check(lambda x, f=f: f(x, axis=axis, keepdims=keepdims), x, order=2)


def test_sums_of_anything_even_of_nothing():
    properties.test_sums_of_anything_even_of_nothing()


def test_any_index():
    properties.test_any_index()


@pytest.mark.parametrize("index", [1, slice(0, 2), np.array([0, 2, 2])], ids=str)
def test_scatter(index):
    shape = np.zeros((3, 2))[index].shape
    x = np.random.default_rng(0).standard_normal(shape)
    assert testing.gradient_check(lambda x: mini.apply(mini.scatter, x, index, (3, 2)), x, order=2)


STEPS = {
    "a + b": lambda a, b: (a + b) / 2,
    "a * b": lambda a, b: np.tanh(a * b),
    "a / b": lambda a, b: a / (2 + b * b),
    "a ** 3": lambda a, b: a**3 / 4,
    "sin": lambda a, b: np.sin(a),
    "matmul": lambda a, b: np.tanh(a @ b.T) @ b / 2,
    "softmax": lambda a, b: np.exp(a) / np.sum(np.exp(a), axis=1, keepdims=True) * b,
    "rows": lambda a, b: a[[1, 0]] - b,
    "mean": lambda a, b: a - np.mean(b, axis=0),
    "reshape": lambda a, b: np.transpose(np.reshape(a, (3, 2))) / 2 + b / 2,
}


@given(st.data(), st.integers(1, 8))
def test_random_programs(data, length):
    xs = data.draw(numbers([(2, 3), (3,)]))
    program = [
        (data.draw(st.sampled_from(sorted(STEPS))), *data.draw(st.tuples(*[st.integers(0, i + 1)] * 2)))
        for i in range(length)
    ]

    def run(x, row):
        values = [x, np.broadcast_to(row, (2, 3))]
        for name, i, j in program:
            values.append(STEPS[name](values[i], values[j]))
        return values[-1]

    assert testing.gradient_check(run, *xs, order=2)


@pytest.mark.parametrize("func", sorted(HAS_SLOPE - {np.positive, np.broadcast_to}, key=lambda func: func.__name__))
def test_a_wrong_rule_is_found(func, monkeypatch):
    """For each rule in turn: twice as large, and no case of it may pass."""
    wrong = tuple(lambda *args, pull=pull, **settings: pull(*args, **settings) * 2 for pull in mini.RULES[func])
    monkeypatch.setitem(mini.RULES, func, wrong)
    if func is mini.scatter:  # The gradient of an index is right; the gradient of that gradient is not.
        with pytest.raises(AssertionError):
            testing.gradient_check(lambda x: x[np.array([0, 0, 1])] ** 2, np.array([0.5, 1.5]), order=2)
        return
    for case in [case for case in MINE if case.table is func and case.name not in ("x ** 0", "x ** 2 at 0")]:
        with pytest.raises(AssertionError):
            testing.gradient_check(case.f, *case.inputs(np.random.default_rng(0)))


def test_a_long_chain():
    x = mini.Variable(1.0)
    y = x
    for _ in range(100_000):
        y = np.sin(y)
    y.backward()
    assert 0 < x.grad.data < 1e-6


def test_a_graph_goes_with_its_last_variable():
    """Without the garbage collector, of second derivatives, too."""
    gc.collect()
    gc.disable()
    try:
        x = mini.Variable([1.0, 2.0])
        y = np.sum(np.tanh(x) * x)
        y.backward(create_graph=True)
        functions = [weakref.ref(f) for z in (y, x.grad) for f in mini.functions_behind(z)]
        assert all(f() is not None for f in functions)
        del y
        x.cleargrad()
        assert all(f() is None for f in functions)
    finally:
        gc.enable()


def test_gradients_add_up_until_they_are_cleared_and_share_no_memory():
    a, b = mini.Variable([1.0, 2.0]), mini.Variable([3.0, 4.0])
    for times in (1, 2):
        (a + b).backward()
        np.testing.assert_array_equal(a.grad.data, [times, times])
        assert not np.shares_memory(a.grad.data, b.grad.data) and a.grad.creator is None
    a.cleargrad()
    assert a.grad is None
    a.backward()
    np.testing.assert_array_equal(a.grad.data, [1, 1])


def test_a_backward_pass_that_fails_changes_no_gradient(monkeypatch):
    a, b = mini.Variable(2.0), mini.Variable(3.0)
    y = a * np.sin(b)
    monkeypatch.setitem(mini.RULES, np.sin, (lambda gy, y, x: 1 / 0,))
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert a.grad is None and b.grad is None


@pytest.mark.parametrize("data", [3, [1, 2], np.arange(3), np.float32(2), np.ones((2, 0))], ids=str)
def test_a_gradient_has_the_shape_and_dtype_of_its_variable(data):
    x = mini.Variable(data)
    np.sum(x * x * np.ones(x.shape)).backward()
    assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
    assert x.dtype == (np.float32 if np.asarray(data).dtype == np.float32 else np.float64)
    np.testing.assert_array_equal(x.grad.data, 2 * x.data)


def test_arrays_on_the_left_and_comparisons():
    x = mini.Variable([1.0, 2.0])
    y = np.array([3.0, 4.0]) * x - np.float64(1) + [1.0, 1.0] * x
    assert isinstance(y, mini.Variable)
    y.backward()
    np.testing.assert_array_equal(x.grad.data, [4, 5])
    assert type(x > 1) is np.ndarray


def test_it_learns_the_digits_to_the_librarys_losses():
    """The same weights, batches and steps: losses that agree to the last digits, and so do the weights."""
    rng = np.random.default_rng(0)
    x, t = datasets.Digits()[:]
    x = x.astype(np.float64)
    mine = [mini.Linear(64, 32, rng), mini.Linear(32, 10, rng)]
    theirs = [L.Linear(32, in_size=64, dtype=np.float64), L.Linear(10, in_size=32, dtype=np.float64)]
    for own, layer in zip(mine, theirs, strict=True):
        layer.W.data[:], layer.b.data[:] = own.W.data, own.b.data
    mine_sgd = mini.SGD([p for layer in mine for p in layer.params()], lr=0.1, momentum=0.9)
    sgds = [optimizers.MomentumSGD(lr=0.1, momentum=0.9).setup(layer) for layer in theirs]
    for batch in np.array_split(rng.permutation(len(x)), 45) * 2:
        loss = mini.cross_entropy(mine[1](np.tanh(mine[0](x[batch]))), t[batch])
        other = F.softmax_cross_entropy(theirs[1](np.tanh(theirs[0](x[batch]))), t[batch])
        np.testing.assert_allclose(loss.data, other.data, rtol=1e-9)
        for layer in theirs:
            layer.cleargrads()
        loss.backward()
        other.backward()
        mine_sgd.update()
        for sgd in sgds:
            sgd.update()
    assert loss.data < 0.3
    for own, layer in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(own.W.data, layer.W.data, rtol=1e-6, atol=1e-9)


def test_what_it_lacks_is_named():
    with pytest.raises(TypeError, match=r"^arctan has no rule yet$"):
        np.arctan(mini.Variable(1.0))
    assert operator.getitem in HAS_SLOPE
