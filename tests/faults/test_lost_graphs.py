"""No graph is lost in silence: what leaves it warns at the user's line, is refused, or has no graph to lose."""

import math
import warnings
from collections import namedtuple

import numpy as np
import pytest

from tinygrad_jp import Parameter, Variable, grad, hessian, hvp, jacobian, jvp, no_grad, value_and_grad, vjp
from tinygrad_jp import functions as F
from tinygrad_jp.core.errors import GraphLostWarning

CONVERSIONS = {
    "float": float,
    "int": int,
    "complex": complex,
    "math.exp": math.exp,
    "math.sqrt": math.sqrt,
    "item assignment": lambda v: np.zeros(3).__setitem__(1, v),
    "fromiter": lambda v: np.fromiter([v, v], float),
    "a list of floats": lambda v: [*map(float, [v])],
    "initial of an array": lambda v: np.sum([1.0, 2.0], initial=v),
    "an end of interp": lambda v: np.interp(9.0, [0, 1], [0, 1], right=v),
}
WITH_A_GRAPH = {
    "a leaf": lambda: Variable(2.0),
    "a Parameter": lambda: Parameter(2.0),
    "a result": lambda: Variable(2.0) * 3,
    "a gradient with a graph": lambda: second_order(Variable(2.0)),
}


def second_order(x):
    (x**3).backward(create_graph=True)
    return x.grad


def gradient(x):
    (x**3).backward()
    return x.grad


def under_no_grad():
    with no_grad():
        return Variable(2.0) * 3


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
@pytest.mark.parametrize("make", WITH_A_GRAPH.values(), ids=WITH_A_GRAPH)
def test_what_becomes_a_plain_number_warns_at_the_users_line(convert, make):
    v = make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        convert(v)
    assert {w.category for w in caught} == {GraphLostWarning}
    assert {w.filename for w in caught} == {__file__}
    assert "np.stack" in str(caught[0].message) and "v.item()" in str(caught[0].message)


def test_it_warns_once_a_line():
    v = Variable(2.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            float(v)
        float(v)
    assert len(caught) == 2


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
def test_what_has_no_graph_to_lose_does_not_warn(convert):
    for v in (gradient(Variable(2.0)), under_no_grad()):
        convert(v)
    with no_grad():
        convert(Variable(2.0))


def test_what_is_meant_to_leave_the_graph_does_not_warn():
    v = Variable(2.0) * 3
    assert (v.item(), v.data, v.tolist(), f"{v:.1f}", f"{v}") == (6.0, 6.0, 6.0, "6.0", "variable(6.0)")
    assert int(Variable(3)) == 3  # An index has no gradient.


def test_what_has_no_graph_to_lose_is_an_array():
    x = Variable([1.0, 2.0])
    (x**2).sum().backward()
    np.testing.assert_allclose(x.grad, [2.0, 4.0])
    assert np.asarray(x.grad).tolist() == [2.0, 4.0]
    assert np.asarray(x.grad, np.float32).dtype == np.float32
    array = np.array(x.grad)
    array[0] = 7.0
    assert x.grad.tolist() == [2.0, 4.0]
    with no_grad():
        y = x * 2
    assert np.asarray(y).tolist() == [2.0, 4.0]
    for v in (x, x * 2):
        with pytest.raises(TypeError, match="its graph would be lost"):
            np.asarray(v)


def test_an_update_in_place_by_a_variable_names_the_remedy():
    w = Parameter([1.0, 2.0])
    (w**2).sum().backward()
    with pytest.warns(UserWarning, match=r"w\.data -= lr \* w\.grad\.data") as caught:
        w.data -= 0.1 * w.grad
    assert caught[0].filename == __file__
    assert w.tolist() == [0.8, 1.6]
    for v in (w, w * 2):
        with pytest.raises(TypeError, match="lose the graph"):
            w.data -= v
    assert w.tolist() == [0.8, 1.6]


# What `grad` and its kin are called with


def written_into(x):
    out = np.zeros(x.shape)
    for i in range(len(x)):
        out[i] = x[i] ** 2
    return out.sum()


LOSING = {
    "fromiter": lambda x: np.sum(np.fromiter(x, float)),
    "item assignment": written_into,
    "math": lambda x: math.sqrt(x[0]) * 2,
    "float": lambda x: float(x[0]) * x[1],
}
UNRELATED = {
    "tolist": lambda x: np.sum(x.tolist()) * 1.0,
    "data": lambda x: np.sum(x.data),
    "item": lambda x: x[0].item() ** 2,
    "no_grad": under_no_grad,
    "a constant": lambda x: 3.0,
}
NO_FLOAT = {
    "a comparison": lambda x: np.sum(x > 0),
    "argmax": lambda x: np.argmax(x),
    "a bool": lambda x: np.all(x > 0),
    "complex": lambda x: np.sum(x.data) * 1j,
}
POINT = np.array([1.0, 4.0])
KIN = {
    "grad": lambda f: grad(f)(POINT),
    "value_and_grad": lambda f: value_and_grad(f)(POINT),
    "jacobian": lambda f: jacobian(f)(POINT),
    "hessian": lambda f: hessian(f)(POINT),
    "hvp": lambda f: hvp(f, POINT, POINT),
    "jvp": lambda f: jvp(f, (POINT,), (POINT,)),
    "vjp": lambda f: vjp(f, POINT),
}


@pytest.mark.parametrize("differentiate", KIN.values(), ids=KIN)
@pytest.mark.parametrize("f", LOSING.values(), ids=LOSING)
def test_a_plain_number_inside_a_derivative_is_refused(differentiate, f):
    with pytest.raises((TypeError, ValueError)) as caught:
        differentiate(f)
    errors = (caught.value, caught.value.__cause__, caught.value.__context__)
    assert any("the gradient stops here" in str(error) for error in errors)


@pytest.mark.parametrize("differentiate", KIN.values(), ids=KIN)
@pytest.mark.parametrize("name", UNRELATED)
def test_a_result_that_does_not_lead_back_warns_and_names_causes(differentiate, name):
    f = (lambda x: under_no_grad()) if name == "no_grad" else UNRELATED[name]
    with pytest.warns(GraphLostWarning, match=r"does not lead back to its arguments.*x\.data") as caught:
        differentiate(f)
    assert {w.filename for w in caught} == {__file__}


@pytest.mark.parametrize("differentiate", KIN.values(), ids=KIN)
@pytest.mark.parametrize("f", NO_FLOAT.values(), ids=NO_FLOAT)
def test_a_result_that_is_no_float_is_refused(differentiate, f):
    with pytest.raises(TypeError, match="expected"):
        differentiate(f)


def test_a_zero_that_is_right_does_not_warn():
    assert hessian(lambda x: 3 * x[0])(POINT).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hvp(lambda x: 3 * x[0], POINT, POINT).tolist() == [0.0, 0.0]
    assert grad(lambda x, y: y[0], (0, 1))(POINT, POINT)[0].tolist() == [0.0, 0.0]


def test_named_tuples_are_arguments():
    Pair = namedtuple("Pair", "a b")
    g = grad(lambda p: p.a * p.b)(Pair(2.0, 3.0))
    assert g == Pair(3.0, 2.0) and type(g) is Pair


# Complex numbers

COMPLEX = {
    "a constant": lambda x: np.abs(x * np.array([1j])),
    "a constant on the left": lambda x: np.abs(np.array([1j]) * x),
    "an exponent": lambda x: np.abs(x ** np.array([1j])),
    "a sum": lambda x: np.abs(x + np.array([1j])),
    "astype": lambda x: np.abs(x.astype(complex)),
    "where": lambda x: np.abs(np.where(x > 0, x, np.array([1j]))),
    "a product of matrices": lambda x: np.abs(x @ np.array([[1j]])),
    "einsum": lambda x: np.abs(np.einsum("i,i->i", x, np.array([1j]))),
    "concatenate": lambda x: np.abs(np.concatenate([x, np.array([1j])])),
    "real": lambda x: np.real(x * np.array([1j])),
    "imag": lambda x: np.imag(x * np.array([1j])),
    "angle": lambda x: np.angle(x * np.array([1j])),
    "conj": lambda x: np.abs(np.conj(x * np.array([1j]))),
    "squared": lambda x: (x * np.array([1j])) ** 2,
    "a number": lambda x: np.exp(1j * x),
    "a number on the right": lambda x: np.exp(x * 1j),
    "a number of NumPy's": lambda x: x - np.complex64(1j),
    "a base": lambda x: 1j**x,
    "a ufunc": lambda x: np.add(1j, x),
    "outer": lambda x: np.multiply.outer(x, np.array([1j])),
    "a dtype": lambda x: np.sum(x, dtype=complex),
    "a polynomial": lambda x: np.polyval([1j, 2.0], x),
    "a layer's weight": lambda x: F.linear(x[None], np.array([[1j]])),
}


@pytest.mark.parametrize("f", COMPLEX.values(), ids=COMPLEX)
def test_complex_numbers_are_refused_where_a_gradient_would_pass(f):
    """At the call: the line where the numbers become complex."""
    with pytest.raises(TypeError, match="complex numbers are not differentiated; compute with real and imaginary"):
        f(Variable([2.0]))
    with pytest.raises(TypeError, match="complex"):
        grad(lambda x: np.sum(f(x)))(np.array([2.0]))


@pytest.mark.parametrize("f", COMPLEX.values(), ids=COMPLEX)
def test_complex_numbers_are_computed_where_no_gradient_is_needed(f):
    with no_grad():
        y = f(Variable([2.0]))
    x = Variable([2.0])
    (2.0 * x).backward()  # x.grad is 2.0, and a constant.
    assert np.array_equal(f(x.grad).data, y.data)


# Functions that would write a Variable into an array, or take it as a setting

SETTINGS = {
    "pad": lambda v: np.pad(Variable(np.ones(3)), 1, constant_values=v),
    "full_like of an array": lambda v: np.full_like(np.zeros(3), v),
    "copyto": lambda v: np.copyto(np.zeros(3), v),
    "put": lambda v: np.put(np.zeros(3), [0], v),
    "fill_diagonal": lambda v: np.fill_diagonal(np.zeros((2, 2)), v),
    "nan_to_num": lambda v: np.nan_to_num(np.stack([v, v]), nan=v),
    "initial": lambda v: np.max(np.stack([v, v]), initial=v),
    "where": lambda v: np.where(np.stack([v, v]) > 0, [1.0, v], 0.0),
    "the default of select": lambda v: np.select([[True, False]], [[1.0, 2.0]], default=v),
    "a value of piecewise": lambda v: np.piecewise(np.zeros(2), [[True, False]], [np.stack([v])]),
    "a period": lambda v: np.interp(v, [0, 1], [0, 1], period=v),
    "unique": lambda v: np.unique(np.stack([v, v])),
    "a masked array": lambda v: np.ma.array([1.0, 2.0]) * v,
    "a masked array on the right": lambda v: (v * np.ma.array([1.0, 2.0])).sum().backward(),
    "a masked array as data": lambda v: Variable(np.ma.array([1.0, 2.0])),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_variable_that_would_lose_its_graph_is_refused(name):
    with pytest.raises(TypeError):
        SETTINGS[name](Variable(2.0))


def test_full_like_of_a_variable_keeps_the_graph():
    x = Variable([1.0, 2.0])
    np.sum(np.full_like(x, x.sum())).backward()
    assert x.grad.tolist() == [2.0, 2.0]
