"""Derivatives as functions: against closed forms, nested in one another, and in any nesting of arguments."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_jp.functions as F
from tinygrad_jp import Parameter, Variable, grad, hessian, hvp, jacobian, jvp, no_grad, value_and_grad, vjp
from tinygrad_jp.core.errors import GraphLostWarning

x = np.array([0.3, -0.5, 0.8])
v = np.array([1.0, 2.0, -1.0])


def quartic(x):
    """Σ x⁴/12 + x₀·x₁·x₂."""
    return np.sum(x**4) / 12 + x[0] * x[1] * x[2]


H = np.diag(x**2) + np.array([[0, x[2], x[1]], [x[2], 0, x[0]], [x[1], x[0], 0]])
G = x**3 / 3 + np.array([x[1] * x[2], x[0] * x[2], x[0] * x[1]])


def test_closed_forms():
    y, g = value_and_grad(quartic)(x)
    assert type(y) is type(g) is np.ndarray
    np.testing.assert_allclose(y, np.sum(x**4) / 12 + x.prod())
    np.testing.assert_allclose(g, G)
    np.testing.assert_allclose(grad(quartic)(x), G)
    np.testing.assert_allclose(hessian(quartic)(x), H)
    np.testing.assert_allclose(hvp(quartic, x, v), H @ v)
    np.testing.assert_allclose(jacobian(grad(quartic))(x), H)
    np.testing.assert_allclose(jvp(grad(quartic), (x,), (v,))[1], H @ v)
    np.testing.assert_allclose(vjp(grad(quartic), x)[1](v)[0], H @ v)
    np.testing.assert_allclose(jacobian(hessian(quartic))(x)[0], [[2 * x[0], 0, 0], [0, 0, 1], [0, 1, 0]])


@given(st.integers(1, 6), st.floats(0.5, 2))
def test_grad_of_grad_of_grad(n, at):
    f = lambda x: x**6  # noqa: E731
    expected = at**6
    for k in range(n):
        f, expected = grad(f), expected * (6 - k) / at
    np.testing.assert_allclose(f(at), expected)


def test_derivatives_within_derivatives_are_not_confused():
    assert float(grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    assert float(grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0)) == 6.0
    assert float(grad(lambda a: hvp(lambda x: a * x**3, 1.0, 1.0))(2.0)) == 6.0
    assert float(grad(lambda a: jvp(lambda x: x**3, (2.0,), (a,))[1])(2.0)) == 12.0
    assert float(grad(lambda a: vjp(lambda x: a * x**2, 3.0)[1](1.0)[0])(1.0)) == 6.0
    assert float(jvp(lambda x: jvp(lambda y: y**3 * x, (x,), (1.0,))[1], (2.0,), (1.0,))[1]) == 36.0


def test_any_nesting_of_inputs():
    def f(p, q, scale=1.0):
        return scale * (np.sum(p["W"] * p["b"][0]) + p["b"][1] * q)

    p = {"W": np.ones((2, 2)), "b": [np.array(3.0), 5.0]}
    g = grad(f)(p, 2.0)
    assert (g["W"].tolist(), [float(b) for b in g["b"]]) == ([[3.0, 3.0], [3.0, 3.0]], [4.0, 2.0])
    gp, gq = grad(f, (0, 1))(p, 2.0, scale=10.0)
    assert (float(gp["b"][1]), float(gq)) == (20.0, 50.0)
    assert float(grad(f, -1)(p, 2.0)) == 5.0
    assert grad(f, argnums=1)(p, Variable(2.0)).item() == 5.0


def test_arrays_give_arrays_and_variables_give_variables():
    assert type(grad(np.sin)(1.0)) is np.ndarray
    y, _ = value_and_grad(np.sin)(Variable(1.0))
    assert isinstance(y, Variable)
    x = Variable(2.0)
    grad(lambda x: x**3)(x).backward()
    assert x.grad.item() == 12.0
    assert grad(np.sum)(np.float32([1, 2])).dtype == np.float32


def test_the_gradients_of_leaves_outside_are_left_alone():
    w, x = Parameter(np.array(3.0)), Variable(2.0)
    assert float(grad(lambda x: w * x**2)(2.0)) == 12.0
    assert grad(lambda x: w * x**2)(x).item() == 12.0
    assert w.grad is None
    assert x.grad is None


def test_what_f_does_not_depend_on_has_a_gradient_of_zero():
    with pytest.warns(GraphLostWarning, match="grad: the result of f does not lead back to its arguments"):
        assert float(grad(lambda x: 3.0)(1.0)) == 0.0
    assert float(grad(lambda x: x)(1.0)) == 1.0
    assert grad(lambda x, y: y * 2, (0, 1))(np.ones(1), np.ones(1))[0].tolist() == [0.0]
    a, b = grad(lambda a, b: np.sum(a + b), (0, 1))(np.ones(2), np.ones(2))
    assert not np.shares_memory(a, b)


def test_jacobians_of_any_shape():
    X = np.arange(6.0).reshape(2, 3)
    J = jacobian(lambda x: x.T @ np.array([1.0, 10.0]))(X)
    assert J.shape == (3, 2, 3)
    np.testing.assert_array_equal(J, [[[1, 0, 0], [10, 0, 0]], [[0, 1, 0], [0, 10, 0]], [[0, 0, 1], [0, 0, 10]]])
    assert jacobian(lambda x: x[:0])(X).shape == (0, 3, 2, 3)
    np.testing.assert_array_equal(jacobian(lambda a, b: a * b, 1)(v, x), np.diag(v))


def test_a_pass_may_be_repeated():
    y, pull = vjp(F.softmax, x)
    J = np.diag(y) - np.outer(y, y)
    for w in (v, x):
        np.testing.assert_allclose(pull(w)[0], J @ w)


def test_no_grad_around_does_not_matter():
    with no_grad():
        assert float(grad(grad(lambda x: x**3))(2.0)) == 12.0


@pytest.mark.parametrize(
    ("mistake", "kind", "message"),
    [
        (lambda: grad(np.sin)(x), ValueError, "grad: expected f to return one number, got shape (3,); use jacobian"),
        (lambda: grad(np.sin)(True), TypeError, "grad: expected numbers, got bool; use .astype(float)"),
        (lambda: grad(np.sin)("3"), TypeError, "expected an array, a list or a number"),
        (lambda: grad(np.sin, 1)(3.0), IndexError, "grad: expected an argument 1, got 1 argument by position"),
        (lambda: vjp(np.sin, x)[1](np.ones(2)), ValueError, "vjp: expected a vector of shape (3,), got (2,)"),
        (lambda: jvp(np.sin, (x,), (np.ones(2),)), ValueError, "jvp: expected a vector of shape (3,), got (2,)"),
        (lambda: jvp(np.sin, (x,), ()), ValueError, "jvp: expected one direction per input, 1 in all, got 0"),
        (lambda: hvp(quartic, x, np.ones(2)), ValueError, "hvp: expected a vector of shape (3,), got (2,)"),
        (
            lambda: jacobian(lambda t: t[0])((x, x)),
            TypeError,
            "jacobian: expected one array as the argument, got 2 of them",
        ),
    ],
)
def test_mistakes(mistake, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        mistake()
