"""`compiled`: steps of training, each as it is written and compiled, over many calls on changing data."""

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.optimizers as O
from tests.programs.twins import Situations, at, batches, network, simple, training, while_testing, without_graph

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
