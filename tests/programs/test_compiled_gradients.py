"""`compiled`: what steps do with gradients, and which models and losses they train, as it is written and compiled."""

import functools

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
import tinygrad_jp.optimizers as O
from tests.programs.twins import Situations, as_written, batches, network, run, simple, training
from tinygrad_jp import Function, Variable, compiled

SITUATIONS = Situations()
situation = SITUATIONS.enter


# Gradients


@situation()
def gradients_that_add_up(wrap):
    model, optimizer = simple()

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        loss.backward()
        return loss

    return step, model, optimizer


SITUATIONS.settings["gradients_that_add_up"] |= {"recorded": 3}


def _every_third(i, model, optimizer):
    if i % 3 == 0 and i:
        optimizer.update()
        model.cleargrads()


@situation(between=_every_third, calls=batches(12), programs=2)
def gradients_that_add_up_and_are_cleared(wrap):
    return gradients_that_add_up(wrap)


@situation()
def two_backward_passes(wrap):
    model, optimizer = simple()

    @wrap
    def step(x, t):
        model.cleargrads()
        F.softmax_cross_entropy(model(x), t).backward()
        loss = np.mean(model(x) ** 2)
        loss.backward()
        optimizer.update()
        return loss

    return step, model, optimizer


@situation()
def gradients_in_between(wrap):
    model, optimizer = simple()

    @wrap
    def step(x, t):
        x = Variable(x)
        h = model(x)
        loss = F.softmax_cross_entropy(h, t)
        model.cleargrads()
        loss.backward(retain_grad=True)
        optimizer.update()
        return loss, h.grad, x.grad

    return step, model, optimizer


@situation(rtol=1e-6)
def a_gradient_penalty(wrap):
    model, optimizer = network(L.Linear(16, rng=0), F.tanh, L.Linear(3, rng=1))

    @wrap
    def step(x, t):
        x = Variable(x)
        np.sum(model(x)).backward(create_graph=True)
        loss = np.mean((np.sqrt(np.sum(x.grad**2, axis=1)) - 1) ** 2) + F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    return step, model, optimizer


@situation()
def gradients_clipped_by_hand(wrap):
    model, optimizer = simple()

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        norm = np.sqrt(sum((p.grad.data**2).sum() for p in model.params()))
        for p in model.params():
            p.grad.data *= np.minimum(1, 0.1 / norm)
        optimizer.update()
        return loss, norm

    return step, model, optimizer


@situation()
def gradients_replaced_by_hand(wrap):
    model, optimizer = simple()

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        for p in model.params():
            p.grad = np.clip(p.grad.data, -0.01, 0.01)
        optimizer.update()
        return loss

    return step, model, optimizer


# Models


@situation(calls=[(np.random.default_rng(i).integers(0, 7, (2, 4)),) * 2 for i in range(6)])
def tied_weights(wrap):
    model = M.GPT(7, 1, 8, 2, 4, dropout_ratio=0.2, rng=0)
    return training(wrap, model, O.AdamW(0.01).setup(model))


@situation()
def functions_of_ones_own(wrap):
    class Cube(Function):
        def forward(self, x):
            return x**3

        def backward(self, gy):
            (x,) = self.inputs
            return 3 * x**2 * gy

    class Tanh(Function):
        def forward(self, x):
            self.y_ = np.tanh(x)
            return self.y_

        def backward(self, gy):
            return gy * (1 - Variable(self.y_) ** 2)

    return training(wrap, *network(L.Linear(16, rng=0), lambda x: Tanh()(Cube()(x)), L.Linear(3, rng=1)))


@situation()
def in_place(wrap):
    return training(wrap, *network(L.Linear(16, rng=0), lambda x: F.relu(x, inplace=True), L.Linear(3, rng=1)))


@situation(calls=[(x[:5], t[:5]) if i in (3, 5, 7) else (x, t) for i, (x, t) in enumerate(batches(9))], programs=2)
def other_batches(wrap):
    return training(wrap, *simple())


def of_other_dtypes(x, t):
    return x.astype(np.float64), t.astype(np.int8)


@situation(calls=[of_other_dtypes(*b) if i % 2 else b for i, b in enumerate(batches(9))], programs=2)
def other_dtypes(wrap):
    return training(wrap, *simple())


def weighted(wrap, **settings):
    return training(wrap, *simple(), lambda y, t: F.softmax_cross_entropy(y, t, **settings))


@situation()
def ignored_labels(wrap):
    return weighted(wrap, ignore_label=0)


@situation()
def ignored_labels_one_by_one(wrap):
    def loss_of(y, t):
        return np.sum(F.softmax_cross_entropy(y, t, ignore_label=0, reduction="none"))

    return training(wrap, *simple(), loss_of)


@situation()
def smoothed_and_weighted_labels(wrap):
    return weighted(wrap, label_smoothing=0.1, weight=np.array([1.0, 2.0, 3.0]))


@situation()
def mixed_losses(wrap):
    return training(
        wrap, *simple(), lambda y, t: F.softmax_cross_entropy(y, t) + 0.1 * F.huber_loss(y, np.zeros_like(y.data))
    )


@situation()
def labels_that_the_model_gives(wrap):
    return training(wrap, *simple(), lambda y, t: F.softmax_cross_entropy(y, y.data.argmax(axis=1)))


@situation()
def indexing_by_labels(wrap):
    return training(wrap, *simple(), lambda y, t: -np.mean(F.log_softmax(y)[np.arange(len(t)), t]))


@situation()
def predictions_and_accuracy(wrap):
    model, optimizer = simple()

    @wrap
    def step(x, t):
        y = model(x)
        loss = F.softmax_cross_entropy(y, t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.item(), y, F.accuracy(y, t), y.data.argmax(axis=-1), {"n": len(t), "loss": loss.item()}

    return step, model, optimizer


@pytest.mark.parametrize("name", SITUATIONS)
def test_as_written(name):
    SITUATIONS.check(name)


@pytest.mark.parametrize("rows", [None, 8])
@pytest.mark.parametrize("gather", [True, False])
def test_where_parameters_live(gather, rows):
    """What `p.data` was before is what it is, or was left for the memory of the optimizer, whatever is computed."""
    made = []

    def make(wrap):
        model, optimizer = simple(O.Adam())
        made.append([(p, p.data) for p in model.params()])
        return training(wrap, model, optimizer)

    calls = batches(6, size=20)
    written = run(make, as_written, calls)
    found = run(make, functools.partial(compiled, gather=gather, rows=rows), calls)
    assert found.step.source
    for a, b in zip(found.outcomes, written.outcomes, strict=True):
        for path in (".result", ".kept[0].l0.W", ".kept[0].l2.b"):
            np.testing.assert_allclose(a[path], b[path], 1e-4, 1e-6)
    for p, array in made[1]:
        assert np.shares_memory(p.data, array) is not gather
