"""Optimizers: each step against its equations written out, and that they find minima."""

import numpy as np
import pytest

from tinygrad_jp import Layer, Parameter, optimizers


class Point(Layer):
    """A model whose output is one parameter."""

    def __init__(self, x):
        self.x = Parameter(np.array(x))

    def forward(self):
        return self.x


def sgd(x, g, state, t):
    return x - 0.1 * g


def momentum(x, g, state, t):
    state["v"] = 0.9 * state.get("v", 0.0) - 0.1 * g
    return x + state["v"]


def adam(x, g, state, t):
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g**2
    return x - 0.1 * (state["m"] / (1 - 0.9**t)) / ((state["v"] / (1 - 0.999**t)) ** 0.5 + 1e-8)


OPTIMIZERS = {
    "SGD": (lambda: optimizers.SGD(lr=0.1), sgd),
    "MomentumSGD": (lambda: optimizers.MomentumSGD(lr=0.1), momentum),
    "Adam": (lambda: optimizers.Adam(alpha=0.1), adam),
}
each = pytest.mark.parametrize("name", OPTIMIZERS)


def test_every_optimizer_is_in_the_table():
    assert set(OPTIMIZERS) == set(optimizers.__all__) - {"Optimizer"}


@each
def test_a_hundred_steps_by_the_equations(name):
    make, reference = OPTIMIZERS[name]
    model = Point([3.0, -2.0])
    optimizer = make().setup(model)
    xs, states = [3.0, -2.0], [{}, {}]
    for t in range(1, 101):
        model.cleargrads()
        (np.sin(model()) + model() ** 2).sum().backward()
        optimizer.update()
        xs = [reference(x, float(np.cos(x) + 2 * x), state, t) for x, state in zip(xs, states, strict=True)]
        np.testing.assert_allclose(model.x.data, xs, rtol=1e-12, atol=1e-12)


@each
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_a_parabola(name, shape):
    model = Point(np.full(shape, 2.0))
    optimizer = OPTIMIZERS[name][0]().setup(model)
    for _ in range(300):
        model.cleargrads()
        (model() ** 2).sum().backward()
        optimizer.update()
    np.testing.assert_allclose(model.x.data, np.zeros(shape), atol=1e-3)


@each
def test_updates_are_in_place_keep_the_dtype_and_leave_the_gradient_alone(name):
    model = Point(np.float32([1, 2]))
    data = model.x.data
    optimizer = OPTIMIZERS[name][0]().setup(model)
    for _ in range(3):
        model.cleargrads()
        (model() ** 2).sum().backward()
        grad = model.x.grad.data.copy()
        optimizer.update()
        assert model.x.data is data
        assert data.dtype == np.float32
        np.testing.assert_array_equal(model.x.grad.data, grad)


def test_parameters_without_a_gradient_stay():
    model = Layer()
    model.a, model.b = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer = optimizers.SGD(0.5).setup(model)
    model.a.sum().backward()
    optimizer.update()
    assert model.a.tolist() == [0.5, 0.5]
    assert model.b.tolist() == [1.0, 1.0]


def test_hooks_see_the_parameters_with_gradients():
    model = Point([1.0, 2.0])
    seen = []
    optimizer = optimizers.SGD(0.1).setup(model)
    optimizer.add_hook(lambda params: seen.extend(params))
    model().sum().backward()
    optimizer.update()
    assert seen == [model.x]
