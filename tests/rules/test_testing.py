"""The checker is checked: a wrong rule must be refused, and a right one accepted."""

import numpy as np
import pytest

from tinygrad_jp import PULLBACKS, Function, Variable, gradient_check, primitive
from tinygrad_jp import functions as F


def planted(f, *pullbacks):
    """The function `f` with the given derivatives."""

    def function(*args):
        return f(*args)

    PULLBACKS[function] = pullbacks
    return primitive(function)


def one_element_wrong(gy, y, x):
    return gy * 2 * x * np.where(np.arange(9).reshape(3, 3) == 4, 0.99, 1.0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda gy, y, x: gy * 2 * x * 1.001, "gradient with respect to input 0 is wrong at"),
        (lambda gy, y, x: (gy * 2 * x).T, "gradient with respect to input 0 is wrong at"),
        (lambda gy, y, x: gy * 0, "gradient with respect to input 0 is wrong at"),
        (lambda gy, y, x: -gy * 2 * x, "gradient with respect to input 0 is wrong at"),
        (one_element_wrong, "gradient with respect to input 0 is wrong at [1, 1]"),
        (lambda gy, y, x: gy * 2 * x + np.nan, "gradient with respect to input 0 is wrong at"),
        (lambda gy, y, x: None, "gradient with respect to input 0 is wrong at"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused(rule, message):
    x = np.arange(1.0, 10.0).reshape(3, 3)
    assert gradient_check(planted(np.square, lambda gy, y, x: gy * 2 * x), x)
    with pytest.raises(AssertionError) as error:
        gradient_check(planted(np.square, rule), x)
    assert message in str(error.value)


def test_a_rule_of_wrong_shape_or_dtype_is_refused_by_the_engine_itself():
    x = np.ones((2, 3))
    with pytest.raises(
        ValueError, match=r"function: for an input of shape \(2, 3\) its rule returned a gradient of \(3, 2\)"
    ):
        gradient_check(planted(np.square, lambda gy, y, x: (gy * 2 * x).T), x)
    with pytest.raises(
        TypeError, match="function: for an input of dtype float32 its rule returned a gradient of float64"
    ):
        gradient_check(planted(np.square, lambda gy, y, x: gy * 2 * x.astype(np.float64)), x.astype(np.float32))


def test_the_right_input_is_named():
    f = planted(np.multiply, lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * b)
    with pytest.raises(
        AssertionError, match=r"function: the gradient with respect to input 1 is wrong at \[1\]: backward\(\) gives"
    ):
        gradient_check(f, [1.0, 2.0], [1.0, 5.0])


def test_a_rule_that_is_right_in_value_but_not_in_graph_fails_at_second_order():
    f = planted(np.square, lambda gy, y, x: gy * 2 * (x.data if isinstance(x, Variable) else x))
    assert gradient_check(f, [1.0, 2.0])
    with pytest.raises(AssertionError, match="derivative of order 2"):
        gradient_check(f, [1.0, 2.0], order=2)


def test_a_changed_input_is_seen():
    def spoil(gy, y, x):
        x += 1
        return gy

    with pytest.raises(AssertionError, match="input 0 was changed in place"):
        gradient_check(planted(np.positive, spoil), [1.0, 2.0])


def test_a_function_that_leaves_the_graph_is_seen():
    with pytest.raises(AssertionError, match="expected f to return a Variable, got ndarray"):
        gradient_check(lambda x: x.data, [1.0])
    with pytest.raises(AssertionError, match="is wrong at"):
        gradient_check(lambda x: Variable(x.data) * x, [1.0, 2.0])


def test_what_is_not_a_number_is_refused():
    with pytest.raises(TypeError, match="expected numbers as input 0, got bool"):
        gradient_check(np.multiply, [True], [2.0])
    with pytest.raises(ValueError, match="expected an order of at least 1, got 0"):
        gradient_check(np.tanh, [1.0], order=0)


def test_anything_that_takes_and_returns_variables_can_be_checked():
    class Cube(Function):
        def forward(self, x):
            return x**3

        def backward(self, gy):
            return 3 * self.inputs[0] ** 2 * gy

    assert gradient_check(lambda x: Cube()(x), [1.0, 2.0], order=3)
    assert gradient_check(lambda x: Variable(3.0) + 0 * x, [1.0])
    assert gradient_check(np.exp, np.zeros((0, 2)), order=2)


@pytest.mark.parametrize("at", [1e-8, 1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("f", [np.log, np.sqrt, lambda x: x**1.5, lambda x: np.arcsin(1 - x), np.log2])
def test_the_step_stays_where_the_function_is_defined(f, at):
    assert gradient_check(f, [at])


def test_a_wrong_rule_next_to_the_edge_is_found():
    @primitive
    def wrong_log(x):
        return np.log(x)

    PULLBACKS[wrong_log.primitive] = lambda gy, y, x: gy / (1.01 * x)
    with pytest.raises(AssertionError, match="is wrong at"):
        gradient_check(wrong_log, [1e-8])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("f", [lambda x: x, lambda x: F.dropout(x, 0.0), lambda x: F.reshape(x, (2,)), lambda x, y: y])
def test_a_function_that_has_nothing_to_do(f, order):
    assert gradient_check(f, *[np.array([0.5, 2.0])] * f.__code__.co_argcount, order=order)
