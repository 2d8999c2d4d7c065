"""`compiled`: what people write around a network, each as it is written and compiled, over many calls."""

import dataclasses
import functools
import types

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
import tinygrad_jp.optimizers as O
from tests.programs.twins import Situations, batches
from tinygrad_jp import Model, Variable, no_grad
from tinygrad_jp.layers import Layer

SITUATIONS = Situations()
situation = SITUATIONS.enter


def simple():
    model = M.Sequential(L.Linear(16, in_size=5, rng=0), F.relu, L.Linear(3, in_size=16, rng=1))
    return model, O.SGD(0.1).setup(model)


def weights(*shapes):
    rng = np.random.default_rng(1)
    return [Variable(rng.normal(size=s).astype(np.float32), name=f"w{i}") for i, s in enumerate(shapes)]


# Descent by hand


def by_hand(update):
    def make(wrap):
        W, b = weights((5, 3), (3,))

        @wrap
        def step(x, t):
            loss = F.softmax_cross_entropy(F.linear(x, W, b), t)
            W.cleargrad()
            b.cleargrad()
            loss.backward()
            for w in (W, b):
                update(w)
            return loss

        return step, W, b

    return make


def in_place(w):
    w.data -= 0.1 * w.grad.data


def anew(w):
    w.data = w.data - 0.1 * w.grad.data


def by_item(w):
    w.data[...] = w.data - np.float32(0.1) * w.grad.data


def with_decay(w):
    w.data *= 0.99
    w.data -= 0.1 * (w.grad.data + 0.001 * w.data)


def by_ufunc(w):
    np.subtract(w.data, 0.1 * w.grad.data, out=w.data)


for update in (in_place, anew, by_item, with_decay, by_ufunc):
    situation(f"descent {update.__name__}")(by_hand(update))


@situation()
def a_list_of_variables(wrap):
    params = weights((5, 8), (8,), (8, 3), (3,))

    @wrap
    def step(x, t):
        h = F.sigmoid(x @ params[0] + params[1])
        loss = F.softmax_cross_entropy(h @ params[2] + params[3], t)
        for p in params:
            p.cleargrad()
        loss.backward()
        for p in params:
            p.data -= 0.1 * p.grad.data
        return loss

    return step, params


@situation()
def momentum_by_hand_in_a_list(wrap):
    params = weights((5, 3), (3,))
    speeds = [np.zeros_like(p.data) for p in params]

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(x @ params[0] + params[1], t)
        for p in params:
            p.cleargrad()
        loss.backward()
        for p, v in zip(params, speeds, strict=True):
            v *= 0.9
            v += p.grad.data
            p.data -= 0.1 * v
        return loss

    return step, params, speeds


@situation()
def momentum_by_hand_in_a_dict(wrap):
    params = dict(zip("Wb", weights((5, 3), (3,)), strict=True))
    speeds = {k: np.zeros_like(p.data) for k, p in params.items()}

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(x @ params["W"] + params["b"], t)
        for p in params.values():
            p.cleargrad()
        loss.backward()
        for k, p in params.items():
            speeds[k] = 0.9 * speeds[k] + p.grad.data
            p.data -= 0.1 * speeds[k]
        return loss

    return step, params, speeds


@situation()
def a_moving_average_of_weights(wrap):
    model, optimizer = simple()
    shadow = simple()[0]

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        for s, p in zip(shadow.params(), model.params(), strict=True):
            s.data = 0.9 * s.data + 0.1 * p.data
        return loss

    return step, model, shadow


@situation()
def a_moving_average_in_arrays(wrap):
    model, optimizer = simple()
    averages = [p.data.copy() for p in model.params()]

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        for a, p in zip(averages, model.params(), strict=True):
            a += 0.1 * (p.data - a)
        return loss

    return step, model, averages


@situation()
def a_target_network(wrap):
    (model, optimizer), target = simple(), simple()[0]

    @wrap
    def step(x, t):
        with no_grad():
            best = target(x).data.max(axis=1)
        q = model(x)[np.arange(len(x)), t]
        loss = F.mean_squared_error(q, 1 + 0.9 * best)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        for p, q in zip(target.params(), model.params(), strict=True):
            p.data[...] = 0.99 * p.data + 0.01 * q.data
        return loss

    return step, model, target


# Layers of people's own


@situation()
def a_layer_that_keeps_an_array(wrap):
    class Centred(Layer):
        def __init__(self):
            self.mean = np.zeros(5, np.float32)

        def forward(self, x):
            self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
            return x - self.mean

    layer = Centred()
    return wrap(lambda x, t: layer(x)), layer


@situation()
def a_layer_that_keeps_an_array_in_place(wrap):
    class Centred(Layer):
        def __init__(self):
            self.mean, self.n = np.zeros(5, np.float32), np.zeros(())

        def forward(self, x):
            self.mean *= 0.9
            self.mean += 0.1 * x.mean(axis=0)
            self.n += 1
            return x - self.mean

    layer = Centred()
    return wrap(lambda x, t: layer(x)), layer


@situation()
def a_layer_that_keeps_its_last_output(wrap):
    class Keeping(Model):
        def __init__(self):
            self.l = L.Linear(3, in_size=5, rng=0)
            self.y = None

        def forward(self, x):
            self.y = self.l(x)
            return self.y

    model = Keeping()
    optimizer = O.SGD(0.1).setup(model)

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss, model.y.data

    return step, model.l, lambda: model.y.data


SITUATIONS.settings["a_layer_that_keeps_its_last_output"] |= {"programs": None}


@situation()
def a_layer_with_a_buffer(wrap):
    class Centred(Layer):
        def __init__(self):
            self.mean = L.Buffer(np.zeros(5, np.float32))

        def forward(self, x):
            self.mean.data = 0.9 * self.mean.data + 0.1 * (x.data if isinstance(x, Variable) else x).mean(axis=0)
            return x - self.mean.data

    layer = Centred()
    return wrap(lambda x, t: layer(x)), layer


@situation()
def a_config(wrap):
    @dataclasses.dataclass
    class Config:
        scale: float = 0.5
        shift: float = 1.0

    config = Config()
    return wrap(lambda x, t: x * config.scale + config.shift), config


SITUATIONS.settings["a_config"] |= {"between": lambda i, c: setattr(c, "scale", 0.1 * (i // 4))}
SITUATIONS.settings["a_config"] |= {"programs": 3, "calls": batches(12)}


SCALE, FLAGS, TABLE = 2.0, {"double": False, "n": [1, 2]}, np.ones((3, 5), np.float32)


def _change_globals(i, *_):
    global SCALE
    SCALE = 2.0 + i // 4
    FLAGS["double"] = i >= 4
    TABLE[...] = i


@situation(between=_change_globals, programs=2, calls=batches(9))
def globals_that_change(wrap):
    @wrap
    def step(x, t):
        y = x * SCALE + TABLE[0] + TABLE.sum()
        return y * 2 if FLAGS["double"] else y

    return (step,)


@situation(between=lambda i, space: setattr(space, "scale", np.full(5, i, np.float32)))
def an_array_in_an_object(wrap):
    space = types.SimpleNamespace(scale=np.ones(5, np.float32))
    return wrap(lambda x, t: x * space.scale), space


@situation(between=lambda i, table: table.__iadd__(1))
def a_table_looked_up_by_labels(wrap):
    table = np.arange(12.0).reshape(3, 4)
    return wrap(lambda x, t: table[t].sum(axis=0)), table


@situation(between=lambda i, arrays: arrays[0].__iadd__(1) if i == 4 else None, programs=2, calls=batches(9))
def an_array_in_a_tuple(wrap):
    arrays = (np.ones(5, np.float32), np.array([True, False, True, False, True]))
    return wrap(lambda x, t: (x * arrays[0])[:, arrays[1]]), arrays


@situation(between=lambda i, mask: mask.__setitem__(i % 5, not mask[i % 5]), programs=None)
def a_mask_that_changes(wrap):
    mask = np.array([True, False, True, False, True])
    return wrap(lambda x, t: x * mask), mask


@situation()
def defaults_partials_and_lambdas(wrap):
    scale = np.full(5, 2.0, np.float32)

    def f(x, t, scale=scale, *, shift=1.0):
        return x * scale + shift

    g = functools.partial(f, shift=3.0)
    return wrap(lambda x, t: g(x, t)), scale


SITUATIONS.settings["defaults_partials_and_lambdas"] |= {"between": lambda i, s: s.__iadd__(1) if i < 2 else None}


@pytest.mark.parametrize("name", SITUATIONS)
def test_as_written(name):
    SITUATIONS.check(name)
