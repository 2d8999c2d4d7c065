"""The library under load: large graphs, long training, and training in threads, processes, generators and tasks."""

import asyncio
import gc
import multiprocessing
import sys
import threading
import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Config, Variable, debug, models, no_grad, optimizers

pytestmark = pytest.mark.slow

# ---- Large graphs ----------------------------------------------------------------------------------------------------


def concatenated(n):
    xs = [Variable([1.0]) for _ in range(n)]
    return xs, np.concatenate(xs).sum()


def stacked(n):
    xs = [Variable(1.0) for _ in range(n)]
    return xs, np.stack(xs).sum()


def used_often(n):
    x = Variable([1.0])
    return [x], np.concatenate([x] * n).sum()


def fanned_out(n):
    x = Variable(1.0)
    return [x], np.stack([x * 1.0 for _ in range(n)]).sum()


def tree(n):
    ys = xs = [Variable(1.0) for _ in range(n)]
    while len(ys) > 1:
        ys = [a + b for a, b in zip(ys[::2], ys[1::2], strict=True)]
    return xs, ys[0]


def chain(n):
    x = y = Variable(1.0)
    for _ in range(n - 1):
        y = y + x
    return [x], y


LARGE = {f.__name__: f for f in (concatenated, stacked, used_often, fanned_out, tree, chain)}


def cost(graph, n):
    """How many lines run while a graph is built and gone back through, and how many bytes it takes at most."""
    counted = [0]

    def count(*_):
        counted[0] += 1
        return count

    usual = sys.gettrace()
    tracemalloc.start()
    sys.settrace(count)
    try:
        _, y = graph(n)
        y.backward()
        return counted[0], tracemalloc.get_traced_memory()[1]
    finally:
        sys.settrace(usual)
        tracemalloc.stop()


@pytest.mark.parametrize("name", LARGE)
def test_large_graphs_are_differentiated(name):
    n = 2**14 if name == "tree" else 100_000
    xs, y = LARGE[name](n)
    y.backward()
    assert y.item() == n
    assert {x.grad.item() for x in xs} == {n / len(xs)}
    y.unchain_backward()
    assert y.creator.inputs[0].creator is None


def test_a_chain_of_a_million():
    """It is gone back through, and freed, without recursion."""
    x = y = Variable(1.0)
    for _ in range(1_000_000):
        y = y + 0.0
    y.backward()
    assert x.grad.item() == 1.0
    del y


@pytest.mark.parametrize("name", LARGE)
def test_twice_as_large_costs_twice_as_much(name):
    n = 2**13 if name == "tree" else 2**12
    LARGE[name](2 * n)[1].backward()  # So that what is kept for the whole process is there.
    (lines, memory), (lines_of_twice, memory_of_twice) = cost(LARGE[name], n), cost(LARGE[name], 2 * n)
    assert 1.9 < lines_of_twice / lines < 2.1
    assert 1.6 < memory_of_twice / memory < 2.5  # Python's tables grow in steps.


# ---- Long training ---------------------------------------------------------------------------------------------------

X = np.random.default_rng(0).random((4, 3), np.float32)
T = np.array([0, 1, 1, 0])


def step(model, optimizer, loss, **options):
    model.cleargrads()
    loss.backward(**options)
    optimizer.update()


def plain():
    model = models.MLP((3, 2), rng=0)
    optimizer = optimizers.SGD().setup(model)
    return lambda: step(model, optimizer, F.softmax_cross_entropy(model(X), T))


def dropping():
    model = models.Sequential(L.Linear(3, rng=0), L.Dropout(rng=0), L.Linear(2, rng=0))
    optimizer = optimizers.Adam().setup(model)
    return lambda: step(model, optimizer, F.softmax_cross_entropy(model(X), T))


def truncated():
    """Backpropagation through time, cut after every second step."""
    rnn, head = L.RNN(3, rng=0), L.Linear(2, rng=0)
    model = models.Sequential(rnn, head)
    optimizer = optimizers.MomentumSGD().setup(model)

    def two_steps():
        loss = F.softmax_cross_entropy(model(X), T) + F.softmax_cross_entropy(model(X), T)
        step(model, optimizer, loss)
        loss.unchain_backward()

    return two_steps


def twice_differentiated():
    """The loss and the square of its gradient by x, as in a gradient penalty."""
    model = L.Linear(1, in_size=3, rng=0)
    optimizer = optimizers.SGD().setup(model)

    def penalized():
        x = Variable(X)
        np.tanh(model(x)).sum().backward(create_graph=True)
        step(model, optimizer, (x.grad**2).sum())

    return penalized


@pytest.mark.parametrize("training", [plain, dropping, truncated, twice_differentiated])
def test_ten_thousand_steps_leave_no_garbage(training):
    """Nothing is left over for the collector, and no more is held after them than before."""
    step, steps = training(), 5_000 if training is truncated else 10_000
    for _ in range(100):
        step()
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(steps):
            step()
        after = sys.getallocatedblocks()
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert after - before < 1000


# ---- Side by side ----------------------------------------------------------------------------------------------------

HELD = {"usual": nullcontext, "debug": debug, "test_mode": tg.test_mode}


def train(seed, held="usual", steps=20):
    """The weights after training with dropout, bit for bit; between the steps the model is tried without a graph."""
    rng = np.random.default_rng(seed)
    model = models.Sequential(L.Linear(8, rng=rng), F.relu, L.Dropout(rng=rng), L.Linear(2, rng=rng))
    optimizer = optimizers.Adam().setup(model)
    with HELD[held]():
        for _ in range(steps):
            with no_grad(), tg.test_mode():
                assert model(X).creator is None
                assert not Config.train
            assert Config.train == (held != "test_mode")
            step(model, optimizer, F.softmax_cross_entropy(model(X), T))
    assert Config.train and Config.enable_backprop
    return [p.data.tobytes() for p in model.params()]


def test_settings_make_the_difference_that_they_should():
    usual, debugged, tried = (train(0, held) for held in HELD)
    assert usual == debugged != tried


def test_threads_that_train_side_by_side_do_not_notice_one_another():
    runs = [(seed, held) for seed in range(2) for held in HELD]
    alone = [train(*run) for run in runs]
    together, start = [None] * len(runs), threading.Barrier(len(runs))

    def work(i):
        start.wait(60)
        together[i] = train(*runs[i])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(runs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert together == alone


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_that_train_give_the_same(method):
    with multiprocessing.get_context(method).Pool(2) as pool, no_grad():  # The workers have begun without `no_grad`.
        results = pool.map_async(train, range(3)).get(60)
    assert results == [train(seed) for seed in range(3)]


def test_a_worker_sends_variables_and_models_back():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        x = pool.apply_async(np.tanh, [Variable([1.0, 2.0], "x")]).get(60)
        model = pool.apply_async(models.MLP, [(3, 2)], {"rng": 0}).get(60)
    assert x.creator is None and x.tolist() == np.tanh([1.0, 2.0]).tolist()
    assert (model(X).data == models.MLP((3, 2), rng=0)(X).data).all()


# ---- Generators and tasks --------------------------------------------------------------------------------------------


def settings():
    return Config.enable_backprop, Config.train


def test_tasks_that_take_turns_keep_their_own_settings():
    async def held(context, expected):
        with context:
            for _ in range(5):
                assert settings() == expected
                await asyncio.sleep(0)
                assert ((Variable(1.0) * 2).creator is None) == (not expected[0])

    async def all_of_them():
        with tg.test_mode():
            await asyncio.gather(held(no_grad(), (False, False)), held(nullcontext(), (True, False)))
            assert settings() == (True, False)
        await asyncio.gather(held(tg.test_mode(), (True, False)), held(no_grad(), (False, True)))
        assert settings() == (True, True)
        Config.train = False

    asyncio.run(all_of_them())
    assert settings() == (True, True), "what a task sets is not seen outside of it"


def test_a_thread_for_a_task_has_the_tasks_settings():
    async def outer():
        with no_grad():
            return await asyncio.to_thread(settings)

    assert asyncio.run(outer()) == (False, True)


def lent():
    with no_grad():
        yield settings()
        yield settings()


def test_a_block_in_a_generator_holds_until_it_is_left():
    """As everywhere in Python, whoever consumes a generator is inside its `with` while it waits at a `yield`."""
    for inside in lent():
        assert inside == settings() == (False, True)
    assert settings() == (True, True)
    unfinished = lent()
    next(unfinished)
    assert settings() == (False, True)
    unfinished.close()
    assert settings() == (True, True)
