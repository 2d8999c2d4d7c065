"""`compiled`: what it refuses, what it leaves then, and what it must not take for the same in every call."""

import collections
import copy
import itertools
import pickle
import random
import threading
import warnings

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
import tinygrad_jp.optimizers as O
from tests.programs.twins import as_written, assert_twins, batches, run, seen
from tinygrad_jp import Variable, compiled, seed
from tinygrad_jp.programs.borrowing import NotWritten


def simple(optimizer=None, drop=0.5):
    first, last = L.Linear(16, in_size=5, rng=0), L.Linear(3, in_size=16, rng=1)
    model = M.Sequential(first, L.BatchNorm(), L.Dropout(drop, rng=3), last)
    model(batches(1)[0][0])
    return model, (optimizer or O.Adam(0.01)).setup(model)


def stepping(wrap, inside):
    """A step of training that does something odd after the update, by a function of the loss and the arguments."""
    model, optimizer = simple()

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        extra = inside(loss, x, t)
        return (loss, extra) if extra is not None else loss

    return step, model, optimizer, model.l2.rng


SEEN, COUNT, RNG, ODD = [], itertools.count(), np.random.default_rng(0), {"n": 0}


class Counter:
    n = 0


def counting(loss, x, t):
    Counter.n += 1


def counting_in_a_dict(loss, x, t):
    ODD["n"] += 1


def global_counting(loss, x, t):
    global CALLS
    CALLS += 1


def attribute_counting(loss, x, t):
    attribute_counting.n += 1


def deque_filling(loss, x, t):
    LAST.append(1)


CALLS, attribute_counting.n, LAST = 0, 0, collections.deque(maxlen=3)

REFUSALS = {
    "a number taken out": (lambda loss, x, t: SEEN.append(float(loss.data)), "takes a number out|changes SEEN"),
    "a number computed with": (lambda loss, x, t: float(loss.data) * 2, "takes a number out"),
    "a list appended to": (lambda loss, x, t: SEEN.append(1), "changes SEEN"),
    "a list of losses": (lambda loss, x, t: SEEN.append(loss), "changes SEEN"),
    "an array of NumPy's": (lambda loss, x, t: np.asarray(x).sum(), "np.asarray"),
    "a list of numbers": (lambda loss, x, t: x.tolist()[0][0], "outside"),
    "a mask": (lambda loss, x, t: x[x > 0].sum(), "mask"),
    "np.nonzero": (lambda loss, x, t: np.nonzero(t)[0], "np.nonzero"),
    "np.unique": (lambda loss, x, t: np.unique(t), "np.unique"),
    "numbers of one's own generator": (lambda loss, x, t: x + RNG.normal(size=x.shape), "random numbers"),
    "numbers of np.random": (lambda loss, x, t: x + np.random.rand(), "random numbers"),
    "the next number": (lambda loss, x, t: x * next(COUNT), "two recordings"),
    "the next number returned": (lambda loss, x, t: next(COUNT), "two recordings"),
    "a printed array": (lambda loss, x, t: str(x), "print"),
    "a formatted loss": (lambda loss, x, t: f"{loss.data:.3f}", "print"),
    "a copied array": (lambda loss, x, t: copy.deepcopy(x), "copy"),
    "a class that counts": (counting, "changes"),
    "a function that counts": (attribute_counting, "changes"),
    "a deque": (deque_filling, "changes"),
    "a coin": (lambda loss, x, t: x * 2 if random.random() < 0.5 else x, "random numbers"),
    "a coin of NumPy's": (lambda loss, x, t: x * 2 if RNG.random() < 0.5 else x, "random numbers"),
    "a dict that counts": (counting_in_a_dict, "changes"),
    "a global that counts": (global_counting, "changes"),
}


def outside():
    return [SEEN, Counter.n, ODD, CALLS, attribute_counting.n, list(LAST), RNG, random.getstate()]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_leaves_everything_as_it_was(name):
    inside, message = REFUSALS[name]
    step, *kept = stepping(compiled, inside)
    calls = 0
    for x, t in batches(5):
        before = dict(seen("", [*kept, *outside()]))
        try:
            step(x, t)
        except NotWritten as error:
            assert np.any([part in str(error) for part in message.split("|")]), str(error)
            after = dict(seen("", [*kept, *outside()]))
            assert before.keys() == after.keys()
            for path, value in before.items():
                np.testing.assert_array_equal(after[path], value, err_msg=path)
            calls += 1
    assert calls >= 2, "it is refused at each call that is recorded"


# Numbers that are returned, and decide as well


def doubled_if_large(loss, y):
    value = loss.item()
    return value, (y * 2 if value > 1.05 else y)


def stopped(loss, y):
    value = float(loss.data)
    if not np.isfinite(value) or value > 1e6:
        raise FloatingPointError("the loss is too large")
    return value


def counted(loss, y):
    n = int((y.data.argmax(axis=1) == 0).sum())
    return n, (y * 2 if n > 2 else y), 3


@pytest.mark.parametrize("inside", [doubled_if_large, stopped, counted], ids=lambda f: f.__name__)
def test_numbers_that_are_returned_and_decide(inside):
    def making(wrap):
        model, _ = simple(drop=0.0)

        @wrap
        def step(x, t):
            y = model(x)
            return inside(F.softmax_cross_entropy(y, t), y)

        return step, model

    expected = run(making, as_written, batches(12)).outcomes
    try:
        found = run(making, compiled, batches(12)).outcomes
    except NotWritten as error:
        assert "number" in str(error)
        return
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        for path, value in b.items():
            np.testing.assert_array_equal(a[path], value, err_msg=f"call {i}: {path}")


RETURNED = {
    "a loss": lambda loss, y: loss.item(),
    "two numbers": lambda loss, y: [float(loss.data), int(y.data.argmax())],
    "beside constants": lambda loss, y: (int((y.data > 0).sum()), 3, 3.0),
    "several counts": lambda loss, y: [int((y.data > i).sum()) for i in range(3)],
}


@pytest.mark.parametrize("returned", RETURNED.values(), ids=RETURNED)
def test_numbers_that_are_only_returned(returned):
    def making(wrap):
        model, _ = simple(drop=0.0)

        @wrap
        def step(x, t):
            y = model(x)
            return returned(F.softmax_cross_entropy(y, t), y)

        return step, model

    assert_twins(making, batches(12), programs=None)


def test_an_argument_with_a_graph_is_refused():
    w = Variable(np.ones((5, 3)))
    step = compiled(lambda h: np.sum(h**2).backward())
    step(w * 1.0)
    with pytest.raises(NotWritten, match="h keeps its graph"):
        step(w * 1.0)


@pytest.mark.parametrize("part", [slice(None), slice(2), slice(None, None, 2)])
def test_weights_that_share_memory_are_refused_where_they_change(part):
    a, b = Variable(np.ones((5, 3))), Variable(np.ones((5, 3)))
    b.data = a.data[part]
    forward = compiled(lambda x: x @ a + np.sum(b))
    for x, _ in batches(4):
        np.testing.assert_array_equal(forward(x).data, (x @ a + np.sum(b)).data)

    @compiled
    def step(x):
        a.data -= 0.1
        return x @ a + np.sum(b)

    step(batches(1)[0][0])
    with pytest.raises(NotWritten, match="shares memory"):
        step(batches(1)[0][0])
    np.testing.assert_array_equal(a.data, np.where(np.ones((5, 3)) > 0, 1 - 0.1, 0))


class Elsewhere:
    """A class of another package."""

    def __init__(self, model):
        self.model, self.deeper = model, []


Elsewhere.__module__ = "scipy.elsewhere"


def test_models_that_objects_of_other_packages_hold():
    layer = L.Linear(3, in_size=5, rng=0)
    holder = Elsewhere(layer)
    step = compiled(lambda x: holder.model(x))
    for x, _ in batches(6):
        np.testing.assert_array_equal(step(x).data, (x @ layer.W + layer.b).data)
        layer.W.data = layer.W.data * np.float32(0.5)


def test_a_parameter_that_cannot_be_found_is_refused():
    layer = L.Linear(3, in_size=5, rng=0)
    shelf = Elsewhere(None)
    shelf.deeper = [Elsewhere(layer)]
    step = compiled(lambda x: shelf.deeper[0].model(x))
    step(batches(1)[0][0])
    with pytest.raises(NotWritten, match="not to be found"):
        step(batches(1)[0][0])


# Errors


def wrong_labels(i):
    x, t = batches(8)[i]
    return x, np.where(np.arange(8) == 3, 7, t) if i in (2, 6) else t


@pytest.mark.parametrize("calls", [[wrong_labels(i) for i in range(8)]])
def test_errors_are_those_of_the_step(calls):
    def making(wrap):  # What a layer keeps, such as a mean, would have changed before the error.
        model = M.MLP((16, 3), rng=0)
        model(calls[0][0])
        optimizer = O.Adam(0.01).setup(model)

        @wrap
        def step(x, t):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return loss

        return step, model, optimizer

    assert_twins(making, calls, catch=ValueError)


def test_errors_in_the_middle_change_nothing():
    def making(wrap):
        model, optimizer = simple(drop=0.0)

        @wrap
        def step(x, t):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            if x.max() > 100:
                raise RuntimeError("too large")
            optimizer.update()
            return loss

        return step, model.l0.W, model.l3.W, optimizer

    calls = batches(8)
    calls[5] = calls[5][0] * 1000, calls[5][1]
    found = run(making, compiled, calls, catch=RuntimeError).outcomes
    assert found[5][".result"] == "RuntimeError: too large"
    np.testing.assert_array_equal(found[5][".kept[0]"], found[4][".kept[0]"])


def test_a_shape_that_does_not_fit_is_the_librarys_error():
    def making(wrap):
        return stepping(wrap, lambda loss, x, t: None)

    calls = batches(7)
    calls[4] = calls[4][0][:, :3], calls[4][1]
    assert_twins(making, calls, catch=ValueError)


def test_it_says_so_where_decisions_change_often():
    @compiled
    def step(x):
        return x * 2 if x.mean() > 0 else x - 1

    data = [np.full((2, 3), (-1.0) ** i) for i in range(80)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in data:
            np.testing.assert_array_equal(step(x), x * 2 if x.mean() > 0 else x - 1)
    assert any("np.where" in str(w.message) for w in caught)


def test_it_says_so_where_no_call_is_like_another():
    step = compiled(lambda x, k: x * k)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(40):
            np.testing.assert_array_equal(step(np.ones(3), k), np.full(3, k))
    assert ["no call was like one before" in str(w.message) for w in caught] == [True]


# Copies and threads


def trained(step, model, n=3):
    return [step(x, t).item() for x, t in batches(n)], model.state()


def test_models_are_pickled_and_copied_without_their_programs():
    step, model, _, _ = stepping(compiled, lambda loss, x, t: None)
    trained(step, model, 5)
    for copied in (lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy):
        other = copied(model)
        for key, value in model.state().items():
            np.testing.assert_array_equal(other.state()[key], value)
        before = other.state()
        trained(step, model, 2)
        for key, value in before.items():
            np.testing.assert_array_equal(other.state()[key], value)


def double(x):
    return x * 2


doubled = compiled(double)


def test_compiled_steps_are_pickled_and_copied():
    other = pickle.loads(pickle.dumps(compiled(double)))
    for f in (other, copy.copy(other), copy.deepcopy(other)):
        for i in range(4):
            np.testing.assert_array_equal(f(np.full(3, i)), np.full(3, 2 * i))


def test_two_threads_call_one_step_and_two_steps_side_by_side():
    def losses(steps):
        found = [[] for _ in steps]

        def go(i):
            for x in data:
                found[i].append(steps[i](x))

        threads = [threading.Thread(target=go, args=(i,)) for i in range(len(steps))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    data = [np.random.default_rng(i).normal(size=(20, 20)) for i in range(60)]

    def making():
        w = Variable(np.ones((20, 20)))

        def step(x):
            y = np.tanh(x @ w) @ x
            return y.data * 1.0, np.sum(y)

        return step

    one = compiled(making())
    for found in (losses([one, one]), losses([compiled(making()), compiled(making())])):
        for results in found:
            for x, (y, s) in zip(data, results, strict=True):
                expected = making()(x)
                np.testing.assert_allclose(y, expected[0], rtol=1e-12)
                np.testing.assert_allclose(s.data, expected[1].data, rtol=1e-12)


def test_results_are_not_overwritten_by_the_next_call():
    model, _ = simple(drop=0.0)
    step = compiled(lambda x: (model(x), model(x).data, np.exp(x), x.T, x[:2], x.reshape(-1)))
    kept = []
    for x, _t in batches(8):
        ys = step(x)
        kept.append((ys, [np.array(y.data if isinstance(y, Variable) else y) for y in ys]))
    for ys, copies in kept:
        for y, c in zip(ys, copies, strict=True):
            np.testing.assert_array_equal(y.data if isinstance(y, Variable) else y, c)


def test_what_is_drawn_goes_on_where_it_was():
    seed(5)
    step, model, _, _ = stepping(compiled, lambda loss, x, t: None)
    compiled_draws = trained(step, model, 6)[0]
    seed(5)
    step, model, _, _ = stepping(as_written, lambda loss, x, t: None)
    assert compiled_draws == trained(step, model, 6)[0]
    seed(None)
