"""`compiled`: steps of training, each as it is written and compiled, over many calls on changing data."""

import functools
import io

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.optimizers as O
from tests.programs.twins import Situations, at, batches, network, simple, training, while_testing, without_graph
from tinygrad_jp import Variable, compiled

SITUATIONS = Situations()
situation = SITUATIONS.enter


# What layers keep


@situation()
def dropout_of_the_default_generator(wrap):
    return training(wrap, *network(L.Linear(16, rng=0), L.Dropout(0.5), L.Linear(3, rng=1)))


@situation()
def dropout_of_its_own_generator(wrap):
    model, optimizer = network(L.Linear(16, rng=0), L.Dropout(0.5, rng=5), L.Linear(3, rng=1))
    return *training(wrap, model, optimizer), model.l1.rng


@situation()
def dropout_by_function(wrap):
    rng = np.random.default_rng(3)
    drop = [lambda x: F.dropout(x, 0.3, rng=1), lambda x: F.dropout(x, rng=rng)]
    return *training(wrap, *network(L.Linear(16, rng=0), *drop, L.Linear(3, rng=1))), rng


@situation()
def batch_norm(wrap):
    return training(wrap, *network(L.Linear(16, rng=0), L.BatchNorm(), F.relu, L.Linear(3, rng=1)))


@situation(calls=[while_testing(*b) if i % 3 == 2 else b for i, b in enumerate(batches(12))], programs=2)
def training_and_testing_by_turns(wrap):
    layers = L.Linear(16, rng=0), L.BatchNorm(), L.Dropout(0.5, rng=1), L.Linear(3, rng=2)
    return training(wrap, *network(*layers))


@situation(recorded=4, programs=1)
def truncated_backpropagation_through_time(wrap):
    model, optimizer = network(L.RNN(6, rng=0), L.Linear(3, rng=1))

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        loss.unchain_backward()
        optimizer.update()
        return loss

    return step, model, optimizer


@situation()
def a_state_that_is_reset_in_the_step(wrap):
    model, optimizer = network(L.LSTM(6, rng=0), L.Linear(3, rng=1), optimizer=O.Adam(0.01))

    @wrap
    def step(x, t):
        model.reset_state()
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    return step, model, optimizer


@situation(calls=[without_graph(*b) for b in batches(8)], between=at(5, lambda model, _: model.reset_state()))
def a_state_that_goes_on_without_a_graph(wrap):
    model, optimizer = network(L.GRU(6, rng=0), L.Linear(3, rng=1))

    @wrap
    def step(x, t):
        return F.softmax_cross_entropy(model(x), t), model(x)

    return step, model, optimizer


# Optimizers


def with_hook(hook):
    return lambda wrap: training(wrap, *simple(O.SGD(0.1).add_hook(hook)))


for hook in (O.WeightDecay(0.01), O.ClipGrad(0.5)):
    situation(name=f"hook {type(hook).__name__}")(with_hook(hook))


@situation(programs=None)
def frozen_by_a_hook(wrap):
    model, optimizer = simple()
    optimizer.add_hook(O.FreezeParam(model.l0))
    return training(wrap, model, optimizer)


@situation(programs=None)
def a_hook_that_reads_gradients(wrap):
    def hook(params):
        for p in params:
            p.grad.data[...] = np.sign(p.grad.data)

    return training(wrap, *simple(O.MomentumSGD(0.1).add_hook(hook)))


@situation()
def a_schedule(wrap):
    return training(wrap, *simple(O.Adam(O.schedules.cosine(0.1, 5))))


@situation()
def a_rate_of_ones_own(wrap):
    return training(wrap, *simple(O.MomentumSGD(lambda t: 0.1 / t)))


@situation(between=lambda i, model, optimizer: setattr(optimizer, "lr", 0.1 / (i + 1)))
def a_rate_changed_from_outside(wrap):
    return training(wrap, *simple())


@situation(between=at(4, lambda model, optimizer: optimizer.load_state(optimizer.state() | {"lr": 0.01, "t": 1})))
def a_state_of_an_optimizer_loaded(wrap):
    return training(wrap, *simple(O.Adam(0.1)))


@situation(programs=None)
def parameters_in_groups(wrap):
    model, _ = simple()
    optimizer = O.Adam(0.1).setup(model, {model.l0: 0.01, model.l2.b: None})
    return training(wrap, model, optimizer)


@situation()
def two_updates_in_one_step(wrap):
    model, optimizer = simple(O.MomentumSGD(0.1))

    @wrap
    def step(x, t):
        losses = []
        for _ in range(2):
            losses.append(F.softmax_cross_entropy(model(x), t))
            model.cleargrads()
            losses[-1].backward()
            optimizer.update()
        return losses

    return step, model, optimizer


@situation()
def a_generator_and_a_discriminator(wrap):
    g, og = network(L.Linear(16, rng=0), F.relu, L.Linear(5, rng=1), optimizer=O.Adam(0.01))
    d, od = network(L.Linear(16, rng=2), F.relu, L.Linear(1, rng=3), optimizer=O.Adam(0.02))

    @wrap
    def step(x, z):
        fake = g(x[::-1])
        zeros, ones = np.zeros((8, 1)), np.ones((8, 1))
        d_loss = F.sigmoid_cross_entropy(d(x), ones) + F.sigmoid_cross_entropy(d(fake.data), zeros)
        d.cleargrads()
        d_loss.backward()
        od.update()
        g_loss = F.sigmoid_cross_entropy(d(g(x[::-1])), ones)
        g.cleargrads()
        d.cleargrads()
        g_loss.backward()
        og.update()
        return {"d": d_loss, "g": g_loss, "fake": fake.data}

    return step, g, og, d, od


# Weights changed from outside


@situation(between=at(4, lambda model, _: setattr(model.l0.W, "data", model.l0.W.data * np.float32(0.9))))
def weights_replaced(wrap):
    return training(wrap, *simple(O.MomentumSGD(0.1)))


@situation(between=lambda i, model, _: model.l0.W.data.__imul__(np.float32(0.9)))
def weights_changed_in_place(wrap):
    return training(wrap, *simple())


@situation(between=at(4, lambda model, _: model.load_state({k: v * 0.5 for k, v in model.state().items()})))
def weights_loaded(wrap):
    return training(wrap, *simple(O.Adam(0.1)))


def _new_layer(model, optimizer):
    model.l2 = L.Linear(3, in_size=16, rng=5)
    model.layers = (*model.layers[:-1], model.l2)
    optimizer.setup(model)


@situation(between=at(4, _new_layer), programs=2, calls=batches(9))
def a_layer_replaced(wrap):
    return training(wrap, *simple())


@situation(between=at(4, lambda model, _: setattr(model.l1, "dropout_ratio", 0.0)), programs=2)
def a_setting_changed(wrap):
    return training(wrap, *network(L.Linear(16, rng=0), L.Dropout(0.5, rng=0), L.Linear(3, rng=1)))


@situation(between=at(4, lambda model, _: model.astype(np.float64)), programs=2, calls=batches(9))
def a_model_converted(wrap):
    return training(wrap, *simple(O.Adam(0.1)))


@pytest.mark.parametrize("name", SITUATIONS)
def test_as_written(name):
    SITUATIONS.check(name)


# What NumPy answers in Python's numbers, and what it writes into arrays


def _puts(func, *args, **settings):
    def f(x):
        y = x * 1
        func(y, *args, **settings)
        return y

    return f


W = np.arange(9.0).reshape(3, 3)
IN_NUMPY = {
    "array_equal": lambda x: x * 2 if np.array_equal(x, W) else x * 3,
    "array_equal nan": lambda x: x * 2 if np.array_equal(x, W, equal_nan=True) else x * 3,
    "array_equal other shape": lambda x: x * 2 if np.array_equal(x, W[0]) else x * 3,
    "array_equiv": lambda x: x * 2 if np.array_equiv(x, W) else x * 3,
    "allclose": lambda x: x * 2 if np.allclose(x, W, atol=0.1) else x * 3,
    "allclose of a Variable": lambda x: x * 2 if np.allclose(Variable(x), W) else x * 3,
    "allclose, returned": lambda x: (np.allclose(x, W), x * 2),
    "count_nonzero": lambda x: x * np.count_nonzero(x > 2),
    "count_nonzero, along": lambda x: x * np.count_nonzero(x > 2, axis=1, keepdims=True),
    "count_nonzero, decides": lambda x: x * 2 if np.count_nonzero(x > 2) > 5 else x,
    "in": lambda x: x * 2 if 4.0 in x else x,
    "isrealobj": lambda x: x * 2 if np.isrealobj(x) else x,
    "put": _puts(np.put, [0, 2], 5.0),
    "putmask": lambda x: _puts(np.putmask, x > 2, -x)(x),
    "place": lambda x: _puts(np.place, x > 2, [5.0])(x),
    "fill_diagonal": _puts(np.fill_diagonal, 5.0, wrap=True),
    "put_along_axis": _puts(np.put_along_axis, np.array([[0], [1], [2]]), 5.0, axis=1),
    "divide where": lambda x: np.divide(1.0, x, out=np.zeros_like(x), where=x > 0),
    "add where, into itself": lambda x: np.add(x, 1, out=x, where=x > 2) * 2,
    "subtract.at": _puts(np.subtract.at, ([0, 0], [1, 1]), 5.0),
    "maximum.at": lambda x: _puts(np.maximum.at, [0, 2], x[1])(x),
}


@pytest.mark.parametrize("name", IN_NUMPY)
def test_answers_and_writing_of_numpy(name):
    step = compiled(IN_NUMPY[name])
    for i in range(10):
        x = W + (i % 4 == 3) - (i % 3 == 2) * 0.5
        got, expected = step(x.copy()), IN_NUMPY[name](x.copy())
        for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (got, expected)), strict=True):
            np.testing.assert_array_equal(a, b)
            assert type(a) is type(b)
    assert step.source


NOT_IN_NUMPY = {
    "save": lambda x: np.save(io.BytesIO(), x),
    "array2string": lambda x: x * len(np.array2string(x)),
    "min_scalar_type": lambda x: x * (np.min_scalar_type(x.max()) == np.uint8),
    "put into an array of its own": lambda x: np.put(np.zeros(3), x[0].astype(int), 1.0),
    "copyto an array of its own": lambda x: np.copyto(np.zeros((3, 3)), x),
    "add.at an array of its own": lambda x: np.add.at(np.zeros(3), x[0].astype(int), 1.0),
    "where into an array of its own": lambda x: np.add(x, 1, out=np.zeros((3, 3)), where=x > 1),
}


@pytest.mark.parametrize("name", NOT_IN_NUMPY)
def test_what_gives_no_array_is_refused(name):
    step = compiled(NOT_IN_NUMPY[name])
    step(W % 3)
    with pytest.raises(TypeError, match=r"^compiled: line \d+, .*(gets something else than an array|writes into)"):
        step(W % 3)


@pytest.mark.parametrize("name", ["flags", "strides", "tobytes", "flat"])
def test_attributes_that_a_program_does_not_have(name):
    step = compiled(lambda x: (getattr(x, name), x * 2)[1])
    step(W)
    with pytest.raises(AttributeError, match=rf"^compiled: line \d+, .* uses '{name}' of an array.*do that outside$"):
        step(W)


class Tripled:
    def __call__(self, x):
        return x * 3


@pytest.mark.parametrize("step", [functools.partial(np.multiply, 3), Tripled()], ids=["partial", "object"])
def test_steps_without_a_name(step):
    fast = compiled(step)
    for i in range(5):
        np.testing.assert_array_equal(fast(W + i), (W + i) * 3)
    assert len(fast._plans) == 1 and "3" in str(fast.source)
