"""`compiled`: random programs, and random sequences of calls, as they are written and compiled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_jp
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
import tinygrad_jp.optimizers as O
from tests.programs.test_random_programs import LINES, SHAPES, computed
from tests.programs.twins import assert_twins, batches
from tinygrad_jp import Variable, no_grad


@pytest.mark.parametrize("order", [1, 2])
@settings(max_examples=15)
@given(lines=LINES, shape=st.sampled_from(SHAPES), seed=st.integers(0, 99))
def test_random_programs(order, lines, shape, seed):
    def making(wrap):
        @wrap
        def step(*xs):
            y = computed(lines, xs)
            y.backward(create_graph=order == 2)
            gxs = [x.grad for x in xs]
            if order == 2:
                for x in xs:
                    x.cleargrad()
                total = sum((np.sum(g * g) for g in gxs if g is not None), Variable(0.0))
                total.backward()
            return y, gxs, [x.grad for x in xs]

        return (step,)

    def call(i):
        rng = np.random.default_rng(seed + i)
        return lambda step: step(*(Variable(rng.uniform(-2, 2, s)) for s in (shape, (2, 3))))

    assert_twins(making, [lambda step, i=i: call(i)(step) for i in range(4)], rtol=1e-9, programs=None)


def halved(model, optimizer):
    model.load_state({path: array * 0.5 for path, array in model.state().items()})


def in_place(model, optimizer):
    model.l0.W.data *= np.float32(0.9)


def replaced(model, optimizer):
    model.l0.W.data = model.l0.W.data + np.float32(0.01)


def slower(model, optimizer):
    optimizer.lr = 0.02


def frozen(model, optimizer):
    optimizer.setup(model, {model.l0: None})


def thawed(model, optimizer):
    optimizer.setup(model)


def cleared(model, optimizer):
    model.cleargrads()


def gradients_set(model, optimizer):
    for p in model.params():
        p.grad = np.ones_like(p.data)


def without_dropout(model, optimizer):
    model.l2.dropout_ratio = 0.0


def with_dropout(model, optimizer):
    model.l2.dropout_ratio = 0.5


def converted(model, optimizer):
    model.astype(np.float64 if model.l0.W.dtype == np.float32 else np.float32)


def restarted(model, optimizer):
    optimizer.load_state(optimizer.state() | {"t": 3})


def hooked(model, optimizer):
    optimizer.add_hook(O.WeightDecay(0.01))


def reset(model, optimizer):
    model.reset_state()


CHANGES = [halved, in_place, replaced, slower, frozen, thawed, cleared, gradients_set, without_dropout, with_dropout,
           converted, restarted, hooked, reset]  # fmt: skip
KINDS = ["train", "train", "train", "test", "no_grad", "small", "float64"]
OPTIMIZERS = [
    lambda: O.SGD(0.1),
    lambda: O.MomentumSGD(0.1),
    lambda: O.Adam(0.01),
    lambda: O.AdamW(O.schedules.cosine(0.1, 9)),
]


def called(step, kind, x, t):
    if kind == "test":
        with tinygrad_jp.test_mode():
            return step(x, t)
    if kind == "no_grad":
        with no_grad():
            return step(x, t, False)
    if kind == "small":
        return step(x[:5], t[:5])
    return step(x.astype(np.float64) if kind == "float64" else x, t)


def network(recurrent):
    first = L.GRU(8, in_size=5, rng=0) if recurrent else L.Linear(8, in_size=5, rng=0)
    return M.Sequential(first, L.BatchNorm(), L.Dropout(0.5, rng=1), L.Linear(3, in_size=8, rng=2))


def stepping(recurrent, which, clears, updates):
    def making(wrap):
        model = network(recurrent)
        with tinygrad_jp.test_mode(), no_grad():
            model(batches(1)[0][0])
        model.reset_state()
        optimizer = OPTIMIZERS[which]().setup(model)

        @wrap
        def step(x, t, training=True):
            if recurrent:
                model.reset_state()
            loss = F.softmax_cross_entropy(model(x), t)
            if training:
                if clears:
                    model.cleargrads()
                loss.backward()
                if updates:
                    optimizer.update()
            return loss

        return step, model, optimizer, model.l2.rng

    return making


@settings(max_examples=25)
@given(
    sequence=st.lists(st.one_of(st.sampled_from(KINDS), st.sampled_from(CHANGES)), min_size=4, max_size=16),
    recurrent=st.booleans(),
    which=st.integers(0, 3),
    clears=st.booleans(),
    updates=st.booleans(),
)
def test_random_sequences_of_calls(sequence, recurrent, which, clears, updates):
    data = batches(len(sequence))

    def between(i, model, optimizer, rng):
        if callable(sequence[i]):
            sequence[i](model, optimizer)

    calls = [
        lambda step, i=i: called(step, sequence[i] if isinstance(sequence[i], str) else "train", *data[i])
        for i in range(len(sequence))
    ]
    making = stepping(recurrent, which, clears, updates)
    assert_twins(making, calls, between=between, programs=None, rtol=1e-5, catch=(ValueError, TypeError))
