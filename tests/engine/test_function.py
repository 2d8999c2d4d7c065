"""Operations of the user's own: `@primitive` with `@pullback`, and subclasses of Function as in DeZero."""

import numpy as np
import pytest

from tinygrad_jp import Function, Variable, gradient_check, no_grad, primitive, pullback


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return 2 * x * gy


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        return self.outputs[0]() * gy


class SumAndProduct(Function):
    def forward(self, a, b):
        return a + b, a * b

    def backward(self, gs, gp):
        a, b = self.inputs
        return gs + gp * b, gs + gp * a


class Scale(Function):
    def __init__(self, c):
        self.c = c

    def forward(self, x):
        return self.c * x

    def backward(self, gy):
        return self.c * gy


@pytest.mark.parametrize(
    "f", [lambda x: Square()(x), lambda x: Exp()(x), lambda x: Scale(3.0)(x), lambda x: Exp()(Square()(x))]
)
def test_a_function_of_ones_own_to_third_order(f):
    assert gradient_check(f, [0.5, -0.3], order=3)
    assert gradient_check(f, 0.5)


def test_several_outputs():
    def f(a, b):
        s, p = SumAndProduct()(a, b)
        return s * p + p

    assert gradient_check(f, [1.0, 2.0], [3.0, 0.5], order=2)
    assert gradient_check(lambda a, b: SumAndProduct()(a, b)[1], [1.0, 2.0], [3.0, 0.5], order=2)
    s, _ = SumAndProduct()(Variable(1.0), Variable(2.0))
    assert [y().item() for y in s.creator.inputs[0].creator.outputs] == [3.0, 2.0]


def test_what_the_graph_tells():
    x = Variable(3.0)
    y = Square()(x)
    f = y.creator
    assert f.name == "Square"
    assert f.inputs == (x,)
    assert f.outputs[0]().item() == 9.0
    g = (2.0 * y).creator
    assert (g.name, g.inputs[1]) == ("multiply", y)
    assert g.inputs[0] == 2.0


def test_no_grad():
    x = Variable(3.0)
    with no_grad():
        assert Square()(x).creator is None
        assert [v.creator for v in SumAndProduct()(x, x)] == [None, None]


def test_a_backward_pass_on_arrays():
    class Cube(Function):
        def forward(self, x):
            return x**3

        def backward(self, gy):
            return 3 * self.inputs[0].data ** 2 * gy.data

    x = Variable([1.0, 2.0])
    Cube()(x).backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_the_ordinary_pass_of_a_function_records_nothing():
    x = Variable(3.0)
    Square()(x).backward()
    assert x.grad.creator is None


def test_a_primitive_gives_arrays_for_arrays():
    @primitive
    def twice(x, *, times=2):
        return times * x

    @pullback(twice)
    def d_twice(gy, y, x, *, times=2):
        return times * gy

    assert twice(3.0) == 6.0
    assert gradient_check(lambda x: twice(x, times=5), [1.0, 2.0], order=2)
    assert twice(Variable(1.0), times=5).creator.name == "twice"


def test_retain_grad_passes_through_several_outputs():
    x = Variable(3.0)
    a, b = SumAndProduct()(x * 1, Variable(2.0))
    (a * b).backward(retain_grad=True)
    assert (x.grad.item(), float(a.grad), float(b.grad)) == (16.0, 6.0, 5.0)  # (x + 2)·2x
