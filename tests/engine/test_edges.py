"""What is rarely called, or rarely goes wrong, in the engine and in what checks it."""

import re

import numpy as np
import pytest

from tinygrad_jp import PULLBACKS, Variable, debug, gradient_check, primitive
from tinygrad_jp.core import apply


def planted(f, *pullbacks):
    """The function `f` with the given derivatives."""

    def function(*args, **settings):
        return f(*args, **settings)

    PULLBACKS[function] = pullbacks
    return primitive(function)


def x():
    return Variable(np.arange(6.0).reshape(2, 3) + 1)


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (lambda x: x.nbytes, lambda a: a.nbytes),
        (lambda x: x.mT.data, lambda a: a.mT),
        (lambda x: x.copy().data, lambda a: a.copy()),
        (lambda x: x // 2, lambda a: a // 2),
        (lambda x: 7 // x, lambda a: 7 // a),
        (lambda x: divmod(x, 2)[0], lambda a: divmod(a, 2)[0]),
        (lambda x: divmod(x, 2)[1].data, lambda a: divmod(a, 2)[1]),
    ],
)
def test_what_arrays_can_do_variables_can(ours, numpys):
    np.testing.assert_array_equal(ours(x()), numpys(x().data))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: apply(np.linalg.qr, x()), "np.linalg.qr: no rule differentiates it"),
        (
            lambda: planted(np.add, lambda gy, y, a: gy)(x(), x()),
            "function: no derivative with respect to its argument 2 is known; give that as x.data",
        ),
    ],
)
def test_what_cannot_be_recorded_is_said(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


def test_an_argument_without_a_derivative_is_a_constant():
    f = planted(np.multiply, lambda gy, y, a, b: gy * b, None)
    a, b = x(), x()
    f(a, b).backward()
    assert b.grad is None
    np.testing.assert_array_equal(a.grad.data, b.data)


def test_behind_a_rule_that_gives_no_gradient_there_is_none():
    a = x()
    planted(np.positive, lambda gy, y, x: None)(np.exp(a)).backward()
    assert a.grad is None


# debug() and gradient_check


def test_a_graph_from_before_debug_is_gone_back_through():
    a = x()
    y = np.sum(a * a)
    with debug():
        y.backward()
    np.testing.assert_array_equal(a.grad.data, 2 * a.data)


def test_debug_of_a_function_with_several_outputs_of_which_one_is_used():
    a = x()
    with debug():
        np.split(a, 3, axis=1)[1].sum().backward()
    np.testing.assert_array_equal(a.grad.data, [[0, 1, 0], [0, 1, 0]])


def test_debug_names_the_shape_of_what_is_empty():
    with debug(), pytest.raises(FloatingPointError, match=re.escape("returned nan (1 of 1 elements), from e (0, 3)")):
        planted(lambda x: np.float64(np.nan) + x.sum(), lambda gy, y, x: gy)(Variable(np.zeros((0, 3)), "e"))


def test_where_there_is_no_derivative_the_check_says_so():
    def step(x):
        return np.where(x.data > 0, 1.0, 0.0) + x

    assert gradient_check(step, [1.0, -1.0])
    with pytest.raises(AssertionError, match=re.escape("input 0 is wrong at [1]")):
        gradient_check(step, [1.0, 0.0])
