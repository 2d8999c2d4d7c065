"""What a user writes, for type checkers: mypy and pyright find nothing to say about it, but where a line ignores them.

The functions without annotations hold the code of the README, word for word (a test compares them), and more like it.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from typing import Any, assert_type

import numpy as np

import tinygrad_jp.functions as F
from tinygrad_jp import Model, Variable, as_variable


def the_first_picture():
    import numpy as np
    from tinygrad_jp import Variable, plot_dot_graph

    x = Variable([[1.0, 2.0, 3.0]], name="x")
    W = Variable(np.eye(3), name="W")
    y = np.sum(np.tanh(x @ W) ** 2)  # plain NumPy

    y.backward()
    print(y, x.grad, sep="\n")
    plot_dot_graph(y, to_file="graph.svg")  # the picture


def see_it():
    from tinygrad_jp import draw, trace

    a, b = Variable(2.0), Variable(3.0)
    y = a * b + a
    steps = trace(y, names=locals(), lang="en")
    print(steps.explain())
    print(steps.check(a=3.0))  # derived by hand, and wrong

    from tinygrad_jp import source

    print(source(y, names=locals(), lang="en"))


def take_it_with_you():
    from tinygrad_jp import source

    x, W = Variable([[1.0, 2.0]], name="x"), Variable([[0.5], [0.1]], name="W")
    y = np.sum(np.tanh(x @ W) ** 2)
    print(source(y, lang="en"))


def how_it_works():
    from tinygrad_jp import PULLBACKS

    PULLBACKS |= {
        np.tanh: lambda gy, y, x: gy * (1 - y * y),
        np.multiply: (lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a),
    }

    x = Variable(2.0)
    y = x**4 - 2 * x**2
    y.backward(create_graph=True)
    gx = x.grad  # 4x³ − 4x
    x.cleargrad()
    gx.backward()  # 12x² − 4
    print(gx, x.grad)


def derivatives_of_derivatives():
    from tinygrad_jp import grad

    def f(x):
        return x**4 - 2 * x**2

    print(grad(f)(2.0), grad(grad(f))(2.0))  # 4x³ − 4x and 12x² − 4


def derivatives_as_functions():
    from tinygrad_jp import grad, hessian

    def f(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # Rosenbrock's valley

    x = np.array([0.5, 0.5])
    for _ in range(8):  # Newton's method
        x -= np.linalg.solve(hessian(f)(x), grad(f)(x))
    print(x)


def a_network():
    import tinygrad_jp.functions as F
    import tinygrad_jp.layers as L
    from tinygrad_jp import DataLoader, Model, datasets, no_grad, optimizers, seed

    class Net(Model):
        def __init__(self):
            self.l1 = L.Linear(100)
            self.l2 = L.Linear(10)

        def forward(self, x):
            return self.l2(F.relu(self.l1(x)))

    seed(0)
    model = Net()
    optimizer = optimizers.Adam(lr=0.002).setup(model)
    for epoch in range(10):
        for x, t in DataLoader(datasets.Digits(), batch_size=32):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()

    x, t = datasets.Digits(train=False)[:]
    with no_grad():
        print(F.accuracy(model(x), t) > 0.95)

    from tinygrad_jp import compiled

    @compiled
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    for x, t in DataLoader(datasets.Digits(), batch_size=32):
        loss = step(x, t)


def files(model: Model):
    from pathlib import Path
    from tempfile import TemporaryDirectory

    print(model)
    with TemporaryDirectory() as folder:
        path = Path(folder, "digits.npz")
        model.save_weights(path)
        model.load_weights(path)


def when_something_goes_wrong():
    from tinygrad_jp import debug

    x = Variable([0.0, 1.0], name="x")
    try:
        with debug():
            y = np.sum(np.log(x))
    except FloatingPointError as error:
        print(str(error).partition("; at")[0])


def an_operation_of_your_own():
    from tinygrad_jp import gradient_check, primitive, pullback

    @primitive
    def swish(x):
        return x / (1 + np.exp(-x))

    @pullback(swish)
    def d_swish(gy, y, x):
        s = 1 / (1 + np.exp(-x))
        return gy * (s + y * (1 - s))

    print(gradient_check(swish, np.linspace(-3, 3, 7), order=2))


def on_a_gpu(model: Model):
    from tinygrad_jp import DataLoader, datasets

    from tinygrad_jp import cuda

    loader = DataLoader(datasets.Digits(), batch_size=32)
    if cuda.gpu_enable:
        model.to_gpu()
        loader.to_gpu()


def ufuncs_of_a_variable(x: Variable) -> None:
    """What they return is anything to a checker, so a Variable as well."""
    assert_type(np.tanh(x), Any)
    assert_type(x @ x.T, Any)
    assert_type(np.ones(3) * x, Any)
    np.sum(np.exp(x) * 2.0).backward()
    x.sum(axis=0).backward()


def other_functions_of_a_variable(x: Variable) -> Variable:
    """NumPy's hints promise arrays, or take nothing else. To say that it is a Variable costs nothing."""
    untyped: Any = np
    both = untyped.concatenate([x, untyped.maximum(x, 0.0)])
    as_variable(np.concatenate([np.exp(x), np.tanh(x)])).backward()
    return as_variable(untyped.mean(both))


def what_is_no_variable(x: Variable) -> None:
    assert_type(x.T, Variable)
    assert_type(x.shape, tuple[int, ...])
    x.backwards()  # type: ignore[attr-defined]
    F.relu(None)  # type: ignore[arg-type]
