"""`compiled`: every layer, model, loss and optimizer, and every rule, each as it is written and compiled."""

import inspect

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
import tinygrad_jp.optimizers as O
from tests.cases import CASES
from tests.programs.test_source import LOSSES, NETWORKS, weighted
from tests.programs.twins import assert_twins, run
from tinygrad_jp import Variable, compiled
from tinygrad_jp.programs.borrowing import NotWritten


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_and_model(name):
    make, draw, shape = NETWORKS[name]
    data = [(draw(np.random.default_rng(i), shape),) for i in range(5)]

    def making(wrap):
        model = make(3)
        model(*data[0])
        model.reset_state()
        optimizer = O.Adam(0.01).setup(model)

        @wrap
        def step(x):
            model.reset_state()
            y = model(x)
            loss = weighted(y)
            model.cleargrads()
            loss.backward()
            if model.params():
                optimizer.update()
            return y, loss

        return step, model, optimizer

    assert_twins(making, data)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name):
    loss_of, labels = LOSSES[name]
    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(4, 3)), labels(rng)) for _ in range(5)]

    def making(wrap):
        model = L.Linear(3, in_size=3, rng=0, dtype=np.float64)
        optimizer = O.SGD(0.1).setup(model)

        @wrap
        def step(x, t):
            loss = loss_of(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return loss

        return step, model, optimizer

    assert_twins(making, data)


CLASSES = [found for found in map(vars(O).get, O.__all__) if inspect.isclass(found)]
OPTIMIZERS = [kind for kind in CLASSES if issubclass(kind, O.Optimizer) and kind is not O.Optimizer]


@pytest.mark.parametrize("width", [4, 300])
@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_every_optimizer(kind, width):
    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(4, 3)).astype(np.float32), rng.integers(0, 3, 4)) for _ in range(8)]

    def making(wrap):
        model = M.MLP((width, width, 3), rng=0)
        model(data[0][0])
        optimizer = kind().setup(model)

        @wrap
        def step(x, t):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return loss

        return step, model, optimizer

    assert_twins(making, data)


# What decides by data how long an array is, and what writes into arrays that the step makes without its data.
REFUSED = ("interp, periodic", "polymul", "histogram by weights", "batch_norm")


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_rule(case, order):
    def made(i):
        return lambda step: step(*(Variable(x) for x in case.inputs(np.random.default_rng(i))))

    def making(wrap):
        @wrap
        def step(*xs):
            y = weighted(case.f(*xs))
            y.backward(create_graph=order == 2)
            gxs = [x.grad for x in xs]
            if order == 1:
                return y, *gxs
            for x in xs:
                x.cleargrad()
            total = sum((np.sum(g * g) for g in gxs if g is not None), Variable(0.0))
            total.backward()
            return y, gxs, [x.grad for x in xs]

        return (step,)

    calls = [made(i) for i in range(4)]
    with np.errstate(all="ignore"):
        if case.name.startswith(REFUSED):
            with pytest.raises(NotWritten, match="compiled: line"):
                run(making, compiled, calls)
        else:
            assert_twins(making, calls, rtol=1e-9)
