"""Optimizers: each step against its equations, minima, counts, dtypes, states and settings."""

import copy
import math
import pickle

import numpy as np
import pytest

from tinygrad_jp import Layer, Parameter, optimizers
from tinygrad_jp.optimizers import schedules


class Points(Layer):
    """A model that is nothing but parameters."""

    def __init__(self, *xs):
        self.xs = [Parameter(np.array(x)) for x in xs]


# ---------------------------------------------------------------------------------------------------------------------
# The equations, for one number. `s` is what the optimizer keeps for it.


def sgd(x, g, s, t):
    return x - 0.1 * g


def momentum(x, g, s, t):
    s["v"] = 0.9 * s.get("v", 0.0) - 0.1 * g
    return x + s["v"]


def nesterov(x, g, s, t):
    s["v"] = 0.9 * s.get("v", 0.0) - 0.1 * g
    return x + 0.9 * s["v"] - 0.1 * g


def adagrad(x, g, s, t):
    s["h"] = s.get("h", 0.25) + g**2
    return x - 0.5 * g / (math.sqrt(s["h"]) + 1e-8)


def rmsprop(x, g, s, t):
    s["h"] = 0.9 * s.get("h", 0.0) + (1 - 0.9) * g**2
    return x - 0.02 * g / (math.sqrt(s["h"]) + 1e-8)


def adadelta(x, g, s, t):
    s["h"] = 0.8 * s.get("h", 0.0) + (1 - 0.8) * g**2
    d = math.sqrt(s.get("s", 0.0) + 1e-3) / math.sqrt(s["h"] + 1e-3) * g
    s["s"] = 0.8 * s.get("s", 0.0) + (1 - 0.8) * d**2
    return x - 0.5 * d


def moments(g, s):
    s["m"] = 0.9 * s.get("m", 0.0) + (1 - 0.9) * g
    s["v"] = 0.999 * s.get("v", 0.0) + (1 - 0.999) * g**2
    return s["m"], s["v"]


def adam(x, g, s, t):
    m, v = moments(g, s)
    return x - 0.1 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)


def adamw(x, g, s, t):
    return adam(x - 0.1 * 0.01 * x, g, s, t)


def adamax(x, g, s, t):
    m, _ = moments(g, s)
    s["u"] = max(0.999 * s.get("u", 0.0), abs(g))
    return x - 0.1 / (1 - 0.9**t) * m / (s["u"] + 1e-8)


def nadam(x, g, s, t):
    m, v = moments(g, s)
    mu = [0.9 * (1 - 0.5 * 0.96 ** (0.004 * i)) for i in range(1, t + 2)]
    ahead = mu[-1] * m / (1 - math.prod(mu)) + (1 - mu[-2]) * g / (1 - math.prod(mu[:-1]))
    return x - 0.1 * ahead / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)


def ftrl(x, g, s, t):
    n = s.get("n", 0.1)
    s["n"] = n + g**2
    s["z"] = s.get("z", 0.0) + g - (math.sqrt(s["n"]) - math.sqrt(n)) / 0.5 * x
    if abs(s["z"]) <= 0.01:
        return 0.0
    return -(s["z"] - math.copysign(0.01, s["z"])) / ((0.2 + math.sqrt(s["n"])) / 0.5 + 0.02)


# By name: how it is made, and its equations.
OPTIMIZERS = {
    "SGD": (lambda: optimizers.SGD(lr=0.1), sgd),
    "MomentumSGD": (lambda: optimizers.MomentumSGD(lr=0.1), momentum),
    "Nesterov": (lambda: optimizers.Nesterov(lr=0.1), nesterov),
    "AdaGrad": (lambda: optimizers.AdaGrad(lr=0.5, initial=0.25), adagrad),
    "RMSprop": (lambda: optimizers.RMSprop(lr=0.02), rmsprop),
    "AdaDelta": (lambda: optimizers.AdaDelta(0.8, 1e-3, lr=0.5), adadelta),
    "Adam": (lambda: optimizers.Adam(lr=0.1), adam),
    "AdamW": (lambda: optimizers.AdamW(lr=0.1), adamw),
    "AdaMax": (lambda: optimizers.AdaMax(lr=0.1), adamax),
    "Nadam": (lambda: optimizers.Nadam(lr=0.1), nadam),
    "Ftrl": (lambda: optimizers.Ftrl(lr=0.5, beta=0.2, l1=0.01, l2=0.02), ftrl),
}
CLASSES = {name: cls for name in optimizers.__all__ if issubclass(type(cls := getattr(optimizers, name)), type)}
CLASSES = {name: cls for name, cls in CLASSES.items() if issubclass(cls, optimizers.Optimizer)}
each = pytest.mark.parametrize("name", OPTIMIZERS)


def train(model, optimizer, loss, steps):
    for _ in range(steps):
        model.cleargrads()
        loss(*model.xs).backward()
        optimizer.update()


def wavy(*xs):
    return sum((np.sin(x) + x**2).sum() for x in xs)


def test_every_optimizer_is_in_the_table():
    assert set(OPTIMIZERS) == set(CLASSES) - {"Optimizer"}


@each
@pytest.mark.parametrize("together", [True, False])
def test_120_steps_by_the_equations(name, together):
    make, reference = OPTIMIZERS[name]
    models = [Points([3.0, -2.0], 0.5)] if together else [Points([3.0, -2.0]), Points(0.5)]
    made = [make().setup(model) for model in models]
    xs, states = [3.0, -2.0, 0.5], [{}, {}, {}]
    for t in range(1, 121):
        for model, optimizer in zip(models, made, strict=True):
            train(model, optimizer, wavy, 1)
        xs = [reference(x, math.cos(x) + 2 * x, s, t) for x, s in zip(xs, states, strict=True)]
        actual = np.concatenate([x.data for model in models for x in model.xs], axis=None)
        np.testing.assert_allclose(actual, xs, rtol=1e-12, atol=1e-12)


def test_ftrl_leaves_no_hole_where_there_is_nothing_to_divide_by():
    model = Points([0.0, 1.0])
    train(model, optimizers.Ftrl(0.1, initial=0.0).setup(model), lambda x: (x * [0.0, 1.0]).sum(), 2)
    np.testing.assert_allclose(model.xs[0].data, [0, 0.9 - 0.1 / math.sqrt(2)])


# ---------------------------------------------------------------------------------------------------------------------
# Minima


@each
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_a_parabola(name, shape):
    model = Points(np.full(shape, 2.0))
    train(model, OPTIMIZERS[name][0]().setup(model), lambda x: (x**2).sum(), 400)
    np.testing.assert_allclose(model.xs[0].data, np.zeros(shape), atol=0.02)


# By name: settings with which 4,000 steps from (-1.2, 1) reach the minimum (1, 1).
VALLEY = {
    "SGD": {"lr": 2e-3},
    "MomentumSGD": {"lr": 5e-4},
    "Nesterov": {"lr": 5e-4},
    "AdaGrad": {"lr": 0.5},
    "RMSprop": {"lr": schedules.cosine(0.02, 4000)},
    "AdaDelta": {"eps": 1e-5, "lr": schedules.cosine(0.3, 4000)},
    "Adam": {"lr": 0.05},
    "AdamW": {"lr": 0.05, "weight_decay": 0.0},
    "AdaMax": {"lr": 0.05},
    "Nadam": {"lr": 0.02},
    "Ftrl": {"lr": 0.5},
}


@each
def test_the_valley_of_rosenbrock(name):
    model = Points(-1.2, 1.0)
    optimizer = CLASSES[name](**VALLEY[name]).setup(model)
    train(model, optimizer, lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, 4000)
    np.testing.assert_allclose([x.item() for x in model.xs], [1, 1], atol=0.05)


@each
def test_noisy_least_squares(name, rng):
    A, w = rng.standard_normal((200, 3)), np.array([1.0, -2.0, 0.5])
    b = A @ w + 0.1 * rng.standard_normal(200)
    model = Points(np.zeros(3))
    optimizer = OPTIMIZERS[name][0]().setup(model)

    def batch(x):
        rows = rng.integers(0, 200, 20)
        return ((A[rows] @ x - b[rows]) ** 2).mean()

    train(model, optimizer, batch, 500)
    optimizer.lr = schedules.exponential(0.1, 0.995)
    train(model, optimizer, batch, 500)
    np.testing.assert_allclose(model.xs[0].data, np.linalg.lstsq(A, b)[0], atol=0.05)


# By name: that of torch.optim, and the settings of both where the equations coincide.
TORCH = {
    "SGD": ("SGD", {"lr": 0.1}, {"lr": 0.1}),
    "MomentumSGD": ("SGD", {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}),
    "Nesterov": ("SGD", {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "AdaGrad": ("Adagrad", {"initial": 0.1}, {"lr": 0.001, "eps": 1e-8, "initial_accumulator_value": 0.1}),
    "RMSprop": ("RMSprop", {"lr": 0.01, "rho": 0.99}, {}),
    "AdaDelta": ("Adadelta", {"rho": 0.9}, {}),
    "Adam": ("Adam", {}, {}),
    "AdamW": ("AdamW", {}, {}),
    "AdaMax": ("Adamax", {"eps": 1e-20}, {"eps": 1e-20}),
    "Nadam": ("NAdam", {}, {}),
}


@pytest.mark.parametrize("name", TORCH)
def test_as_in_torch(name):
    torch = pytest.importorskip("torch")
    theirs, settings, their_settings = TORCH[name]
    model, x = Points([3.0, -2.0]), torch.tensor([3.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = CLASSES[name](**settings).setup(model)
    their = getattr(torch.optim, theirs)([x], **their_settings)
    for _ in range(100):
        train(model, optimizer, wavy, 1)
        their.zero_grad()
        (torch.sin(x) + x**2).sum().backward()
        their.step()
    np.testing.assert_allclose(model.xs[0].data, x.detach().numpy(), rtol=1e-9)


# ---------------------------------------------------------------------------------------------------------------------
# Which memory is written to


@each
@pytest.mark.parametrize("xs", [([1, 2],), ([1, 2], 3, [[4], [5]]), (1,)], ids=["one", "several", "0-d"])
def test_updates_are_in_place_keep_the_dtype_and_leave_the_gradient_alone(name, xs):
    model = Points(*map(np.float32, xs))
    arrays, before = [x.data for x in model.xs], [x.data.copy() for x in model.xs]
    optimizer = OPTIMIZERS[name][0]().setup(model)
    for _ in range(3):
        model.cleargrads()
        wavy(*model.xs).backward()
        grads = [(x.grad, x.grad.data, x.grad.data.copy()) for x in model.xs]
        optimizer.update()
        for x, array, old, (grad, data, numbers) in zip(model.xs, arrays, before, grads, strict=True):
            assert x.data is array
            assert array.dtype == np.float32
            assert np.all(array != old)
            assert x.grad is grad
            assert grad.data is data
            np.testing.assert_array_equal(data, numbers)
    assert all(a.dtype == np.float32 for slot in optimizer.slots for a in optimizer.state()[slot].values())


@each
def test_parameters_take_the_same_steps_alone_and_together_and_stay_without_a_gradient(name, rng):
    class Alone(CLASSES[name]):
        def update_one(self, param):
            super().update_one(param)

    xs = [rng.standard_normal(n).astype(dtype) for n in (3, 1, 9000, *[2000] * 17) for dtype in ("f4", "f8")]
    together, alone = Points(*xs, 1.0), Points(*xs, 1.0)
    made = CLASSES[name]().setup(together), Alone().setup(alone)
    for _ in range(10):
        chosen = rng.choice(len(xs) + 1, size=rng.integers(1, len(xs) + 1), replace=False)
        before = [x.data.copy() for x in together.xs]
        for model, optimizer in zip((together, alone), made, strict=True):
            train(model, optimizer, lambda *xs: wavy(*(xs[i] for i in chosen)), 1)  # noqa: B023
        for i, (x, y, old) in enumerate(zip(together.xs, alone.xs, before, strict=True)):
            np.testing.assert_array_equal(x.data, y.data)
            assert np.all(x.data == old) == (i not in chosen)


@each
def test_any_layout_in_memory_gives_the_same_steps(name, rng):
    x = rng.standard_normal((60, 4, 50))
    cuts = (lambda x: x, lambda x: x.T, lambda x: x[::-1, :, ::2], lambda x: x[:2, :, ::9], lambda x: x[:0])
    models = [Points(*(0.0 for _ in cuts)) for _ in range(2)]
    for model, layout in zip(models, (lambda x: x, np.ascontiguousarray), strict=True):
        for p, cut in zip(model.xs, cuts, strict=True):
            p.data = layout(cut(x.copy()))
        train(model, CLASSES[name]().setup(model), wavy, 5)
    assert not models[0].xs[2].data.flags.forc and not models[0].xs[3].data.flags.forc
    for a, b in zip(*(model.xs for model in models), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


def test_the_layout_in_memory_does_not_matter(rng):
    x = rng.standard_normal((200, 100))
    models = [Points(a, *small) for a, small in ((x, ()), (x.T.copy().T, ()), (x, (1.0, np.eye(3)[:, ::2])))]
    for model in models:
        train(model, optimizers.Adam(0.1).setup(model), wavy, 5)
        np.testing.assert_array_equal(model.xs[0].data, models[0].xs[0].data)


def test_weights_that_share_their_memory_take_both_steps():
    model = Points([1.0, 2.0], 0.0)
    model.xs[1].data = model.xs[0].data[::-1]
    train(model, optimizers.SGD(0.5).setup(model), lambda a, b: (a * [1.0, 10.0]).sum() + (b * 100.0).sum(), 1)
    assert model.xs[0].tolist() == [1 - 50.5, 2 - 55]


def test_weights_that_are_the_same_array_may_take_turns():
    model = Points([1.0, 2.0], 0.0)
    model.xs[1].data = model.xs[0].data
    optimizer = optimizers.SGD(0.5).setup(model)
    for i in (0, 1, 1, 0):
        train(model, optimizer, lambda a, b: (a, b)[i].sum(), 1)  # noqa: B023
    assert model.xs[0].tolist() == [-1, 0]


def test_data_may_be_replaced_also_by_others_of_another_shape_and_dtype():
    model = Points([1.0, 2.0], 3.0)
    optimizer = optimizers.MomentumSGD(0.1).setup(model)
    train(model, optimizer, wavy, 2)
    model.xs[0].data = np.float32([1, 2, 3])
    model.xs[1].data = model.xs[1].data.astype(np.float32)
    v = optimizer.state()["v"]["xs.1"]
    train(model, optimizer, wavy, 1)
    after = optimizer.state()["v"]
    assert optimizer.state()["steps"] == {"xs.0": 1, "xs.1": 3}
    x = np.float32([1, 2, 3])
    np.testing.assert_allclose(after["xs.0"], -0.1 * (np.cos(x) + 2 * x), rtol=1e-6)
    assert v != 0
    assert after["xs.1"] == pytest.approx(0.9 * v - 0.1 * model.xs[1].grad.item(), rel=1e-6)
    assert after["xs.1"].dtype == np.float32


# ---------------------------------------------------------------------------------------------------------------------
# Steps are counted for each parameter

every = pytest.mark.parametrize("name", sorted(CLASSES.keys() - {"Optimizer"}))
# A parameter in a bucket with others, and one that is alone because it is large.
sizes = pytest.mark.parametrize("size", [3, 3000])


def one_by_one(cls):
    """The optimizer as it is when it overrides `update_one`, as DeZero's do."""

    class OneByOne(cls):
        def update_one(self, param):
            super().update_one(param)

    return OneByOne


def freed(x, y):
    """y has no gradient."""
    return wavy(x)


@every
@sizes
@pytest.mark.parametrize("kind", [lambda cls: cls, one_by_one])
def test_a_parameter_that_joins_later_moves_as_in_a_new_optimizer(name, size, kind, rng):
    x, y = rng.standard_normal((2, size))
    model, fresh = Points(x, y), Points(y)
    optimizer = kind(CLASSES[name])().setup(model)
    train(model, optimizer, freed, 200)
    train(model, optimizer, wavy, 30)
    train(fresh, CLASSES[name]().setup(fresh), wavy, 30)
    np.testing.assert_allclose(model.xs[1].data, fresh.xs[0].data, rtol=1e-12)
    assert optimizer.t == 230
    assert optimizer.state()["steps"] == {"xs.0": 230, "xs.1": 30}


@every
@sizes
def test_a_parameter_of_a_new_shape_begins_anew(name, size, rng):
    model, fresh = Points(np.ones(size + 1), 2.0), Points(np.arange(size) + 0.5)
    optimizer = CLASSES[name]().setup(model)
    train(model, optimizer, wavy, 50)
    model.xs[0].data = fresh.xs[0].data.copy()
    train(model, optimizer, wavy, 5)
    train(fresh, CLASSES[name]().setup(fresh), wavy, 5)
    np.testing.assert_allclose(model.xs[0].data, fresh.xs[0].data, rtol=1e-12)


@every
def test_a_state_from_before_steps_were_counted_for_each_parameter(name):
    model, other = Points(*STARTS), Points(*STARTS)
    optimizer, again = CLASSES[name]().setup(model), CLASSES[name](lr=0.5).setup(other)
    train(model, optimizer, wavy, 7)
    old = optimizer.state()
    assert set(old.pop("steps").values()) == {7}
    if hasattr(CLASSES[name], "alpha"):
        old["alpha"] = old.pop("lr")
    if name == "Nadam":
        old["product"] = 0.5
    other.load_state(model.state())
    again.load_state(old)
    np.testing.assert_equal(again.state(), optimizer.state())
    for each_model, each_optimizer in ((model, optimizer), (other, again)):
        train(each_model, each_optimizer, wavy, 3)
    np.testing.assert_equal(other.state(), model.state())


# ---------------------------------------------------------------------------------------------------------------------
# The dtypes of parameters


def stepped(name, dtype, arrays, steps=1):
    """A model of `dtype`, and its optimizer, after steps whose gradients are the same for every dtype."""
    model = Points(*(np.asarray(x).astype(dtype) for x in arrays))
    optimizer = CLASSES[name]().setup(model)
    for t in range(steps):
        for p in model.xs:
            p.grad = np.where(np.arange(p.size).reshape(p.shape) % 2, 0.25 * (t + 1), 0.0).astype(dtype)
        optimizer.update()
    return model, optimizer


@every
@pytest.mark.parametrize("shapes", [[(3,), (2, 2), ()], [(60, 50)], [(0,), (4,)]])
def test_float16_is_computed_in_float32(name, shapes, rng):
    arrays = [rng.standard_normal(shape).astype(np.float16) for shape in shapes]
    (half, optimizer), (single, _) = (stepped(name, dtype, arrays) for dtype in (np.float16, np.float32))
    for p, q in zip(half.xs, single.xs, strict=True):
        assert p.dtype == np.float16
        np.testing.assert_array_equal(p.data, q.data.astype(np.float16))
    assert {a.dtype for slot in optimizer.slots for a in optimizer.state()[slot].values()} <= {np.dtype(np.float32)}
    half, optimizer = stepped(name, np.float16, arrays, 50)
    assert all(np.isfinite(p.data).all() for p in half.xs)


@every
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_the_byte_order_does_not_matter(name, dtype, rng):
    arrays = [rng.standard_normal(shape) for shape in ((3,), (2, 2), (60, 50), (0,), ())]
    (big, optimizer), (native, other) = (stepped(name, order + dtype, arrays, 5) for order in "><")
    for p, q in zip(big.xs, native.xs, strict=True):
        assert p.dtype.newbyteorder("=") == dtype
        np.testing.assert_array_equal(p.data, q.data)
    np.testing.assert_equal(optimizer.state(), other.state())
    assert all(a.dtype.isnative for slot in optimizer.slots for a in optimizer.state()[slot].values())


@every
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
@pytest.mark.parametrize("kind", [lambda cls: cls, one_by_one])
def test_integer_parameters_are_refused_by_name(name, dtype, kind):
    model = Points([1.0], np.ones(2, dtype))
    optimizer = kind(CLASSES[name])().setup(model)
    for p in model.xs:
        p.grad = np.ones_like(p.data)
    message = (
        rf"^({name}|OneByOne): expected parameters of floats, got xs\.1 of dtype {np.dtype(dtype)}; make it of floats"
    )
    with pytest.raises(TypeError, match=message):
        optimizer.update()
    assert model.xs[0].tolist() == [1.0]
    assert optimizer.t == 0


@every
def test_a_model_of_empty_parameters_is_updated(name):
    model, optimizer = stepped(name, np.float32, [np.ones((0, 3)), np.ones((4, 0))], 3)
    assert [p.shape for p in model.xs] == [(0, 3), (4, 0)]
    assert optimizer.state()["steps"] == {"xs.0": 3, "xs.1": 3}


# ---------------------------------------------------------------------------------------------------------------------
# State


def resumed(model, optimizer, make):
    """Another model and another optimizer, which have been about something else, and are told what these know."""
    again = Points(*(np.zeros_like(x.data) for x in model.xs))
    other = make().setup(again)
    train(again, other, wavy, 2)
    again.load_state(model.state())
    other.load_state(optimizer.state())
    optimizer.update()
    return again, other


def pickled(model, optimizer, make):
    return pickle.loads(pickle.dumps((model, optimizer)))


def copied(model, optimizer, make):
    again, other = copy.deepcopy((model, optimizer))
    optimizer.update()
    return again, other


STARTS = [1.0, -2.0], np.float32([[3.0, 0.5]]), 0.5
SCHEDULED = {"scheduled": (lambda: optimizers.AdamW(schedules.cosine(0.1, 20, warmup=3)), adamw)}


def in_turns(a, b, c):
    """The third has no gradient in the first ten steps."""
    return wavy(a, b)


@pytest.mark.parametrize("name", OPTIMIZERS | SCHEDULED)
@pytest.mark.parametrize("how", [resumed, pickled, copied])
def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(name, how):
    make = (OPTIMIZERS | SCHEDULED)[name][0]
    whole = Points(*STARTS)
    optimizer = make().setup(whole)
    train(whole, optimizer, in_turns, 10)
    first = Points(*STARTS)
    other = make().setup(first)
    train(first, other, in_turns, 10)
    again, other = how(first, other, make)
    assert other.target is again
    train(whole, optimizer, wavy, 10)
    train(again, other, wavy, 10)
    for x, y in zip(again.xs, whole.xs, strict=True):
        np.testing.assert_array_equal(x.data, y.data)
        assert x.dtype == y.dtype
    np.testing.assert_equal(other.state(), optimizer.state())


def test_a_state_is_a_copy_and_is_copied():
    model, again = Points([1.0]), Points([2.0])
    optimizer, other = optimizers.MomentumSGD().setup(model), optimizers.MomentumSGD().setup(again)
    train(model, optimizer, wavy, 1)
    state = optimizer.state()
    before = copy.deepcopy(state)
    other.load_state(state)
    train(model, optimizer, wavy, 1)
    train(again, other, wavy, 1)
    np.testing.assert_equal(state, before)


def test_a_state_may_be_loaded_in_the_middle_of_a_run():
    model = Points([1.0], 2.0)
    optimizer = optimizers.MomentumSGD().setup(model)
    train(model, optimizer, wavy, 3)
    start, state = [x.data.copy() for x in model.xs], optimizer.state()
    ends = []
    for _ in range(2):
        train(model, optimizer, wavy, 3)
        ends.append([x.tolist() for x in model.xs])
        for x, old in zip(model.xs, start, strict=True):
            x.data[...] = old
        optimizer.load_state(state)
    assert ends[0] == ends[1]


def test_settings_that_were_changed_are_restored_and_scratch_is_not_saved():
    model = Points(*STARTS)
    optimizer = optimizers.Adam().setup(model)
    train(model, optimizer, in_turns, 1)
    optimizer.lr = 0.5
    state = optimizer.state()
    assert {key: value for key, value in state.items() if not isinstance(value, dict)} == {
        **{"t": 1, "lr": 0.5, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    }
    assert list(state["m"]) == list(state["v"]) == list(state["steps"]) == ["xs.0", "xs.1"]
    other = optimizers.Adam(0.1).setup(model)
    other.load_state(state)
    assert other.lr == other.alpha == 0.5
    assert len(pickle.dumps(optimizer)) < 3000
    big = optimizers.Adam().setup(Points(np.ones(10_000)))
    train(big.target, big, wavy, 1)
    assert len(pickle.dumps(big)) < 4.1 * 80_000  # The data, the gradient, m and v.


def entry(slot, path, value):
    def change(state):
        state[slot][path] = value

    return change


# What is wrong with a state, by what it is answered with.
BAD = {
    "Adam: expected the entries ['beta1', 'beta2', 'eps', 'lr', 'm', 'steps', 't', 'v'], got": lambda s: s.pop("t"),
    "Adam: expected the entries": lambda s: s.update(extra=1),
    "Adam: expected one number for each of ['lr']": lambda s: s.update(lr=np.ones(2)),
    "Adam: expected one number for each of ['t', 'eps']": lambda s: s.update(t="one", eps=None),
    "Adam: expected the parameters of m in v, got ['xs.0']": lambda s: s["v"].pop("xs.1"),
    "Adam: m: the model has no parameter 'W' with data": lambda s: [
        s[key].update(W=np.ones(2)) for key in ("m", "v", "steps")
    ],
    "Adam: v.xs.0: expected the shape (2,), got (3,)": entry("v", "xs.0", np.ones(3)),
    "Adam: expected the parameters of m in steps, got None": lambda s: s.update(steps=3),
    "Adam: expected the parameters of m in steps, got ['xs.0']": lambda s: s["steps"].pop("xs.1"),
    "Adam: steps.xs.1: expected a number of steps, got -1": entry("steps", "xs.1", -1),
    "Adam: steps.xs.0: expected a number of steps, got 1.5": entry("steps", "xs.0", 1.5),
    "Adam: expected lr of at least 0 and below inf, got -1": lambda s: s.update(lr=-1.0),
    "Adam: expected beta1 of at least 0 and below 1, got 1": lambda s: s.update(t=1, beta1=1),
    "could not convert string to float": entry("v", "xs.1", np.array([["a", "b"]])),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_state_is_refused_and_changes_nothing(message):
    model = Points(*STARTS)
    optimizer = optimizers.Adam(0.1).setup(model)
    train(model, optimizer, in_turns, 3)
    bad = optimizer.state()
    train(model, optimizer, in_turns, 1)
    before = optimizer.state()
    BAD[message](bad)
    with pytest.raises(ValueError) as caught:
        optimizer.load_state(bad)
    assert str(caught.value).startswith(message)
    np.testing.assert_equal(optimizer.state(), before)


def test_the_state_of_another_optimizer_or_before_setup_is_refused():
    model = Points(1.0)
    with pytest.raises(ValueError, match=r"SGD: expected the entries \['lr', 'steps', 't'\], got"):
        optimizers.SGD().setup(model).load_state(optimizers.Adam().setup(model).state())
    for ask in (optimizers.SGD().state, lambda: optimizers.SGD().load_state({})):
        with pytest.raises(RuntimeError, match=r"SGD: no model, so no names; call setup\(model\) first"):
            ask()


# ---------------------------------------------------------------------------------------------------------------------
# Settings, and optimizers of one's own


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_out_of_range_are_refused(name):
    shares = {"momentum", "rho", "beta1", "beta2"}
    settings = set(vars(CLASSES[name]())) - set(vars(optimizers.Optimizer()))
    assert settings
    for key in settings:
        for value in (-0.1, math.nan, math.inf, *([1.0] if key in shares else [])):
            with pytest.raises(ValueError, match=rf"^{name}: expected {key} of at least 0 and below (1|inf), got "):
                CLASSES[name](**{key: value})
        with pytest.raises(TypeError, match=rf"^{name}: expected a number as {key}, got str"):
            CLASSES[name](**{key: "0.1"})
        optimizer = CLASSES[name](**{key: np.float32(0.5)})
        assert type(getattr(optimizer, key)) is float
        for value, error in ((-0.1, ValueError), (math.nan, ValueError), ("0.1", TypeError)):
            with pytest.raises(error, match=rf"^{name}: expected "):
                setattr(optimizer, key, value)
        assert getattr(optimizer, key) == 0.5
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        CLASSES[name](nothing=1)


@every
def test_the_learning_rate_is_called_lr_everywhere(name):
    def moved(optimizer):
        model = Points([1.0, -2.0], 3.0)
        train(model, optimizer.setup(model), wavy, 2)
        return model.state()

    cls = CLASSES[name]
    expected, later, scheduled, loaded = cls(lr=0.25), cls(), cls(lr=schedules.exponential(0.25, 1.0)), cls()
    later.lr = 0.25
    loaded.setup(Points(1.0)).load_state(expected.setup(Points(1.0)).state())
    np.testing.assert_equal([moved(later), moved(scheduled), moved(loaded)], [moved(expected)] * 3)
    assert (expected.lr, expected.rate, expected.state()["lr"]) == (0.25, 0.25, 0.25)
    assert not np.array_equal(moved(cls(lr=0.3))["xs.0"], moved(cls(lr=0.25))["xs.0"])


@pytest.mark.parametrize("name", [name for name, cls in CLASSES.items() if hasattr(cls, "alpha")])
def test_alpha_is_lr(name):
    optimizer = CLASSES[name](alpha=0.25)
    assert (optimizer.lr, optimizer.alpha) == (0.25, 0.25)
    optimizer.alpha *= 2
    assert (optimizer.lr, optimizer.alpha) == (0.5, 0.5)
    optimizer.lr = 0.125
    assert optimizer.alpha == 0.125
    for value, error in ((-1.0, ValueError), ("1", TypeError)):
        with pytest.raises(error, match=f"^{name}: expected "):
            optimizer.alpha = value
    for both in (lambda: CLASSES[name](lr=0.1, alpha=0.2), lambda: CLASSES[name](0.1, alpha=0.2)):
        with pytest.raises(TypeError, match=r"expected lr or alpha, which are the same setting, got lr=0\.1 and alpha"):
            both()


def test_adam_and_its_kin_have_alpha():
    assert {"Adam", "AdamW", "AdaMax", "Nadam", "Ftrl"} == {n for n, cls in CLASSES.items() if hasattr(cls, "alpha")}


@every
@pytest.mark.parametrize("key", ["learning_rate", "rate", "betas", "Lr", "alpha", "_lr"])
def test_an_attribute_that_the_optimizer_does_not_have_is_refused(name, key):
    made = CLASSES[name]()
    if key == "alpha" and hasattr(made, key):
        return
    for optimizer in (made, pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        with pytest.raises(AttributeError, match=rf"^{name}: cannot set '{key}'; expected one of .*\blr, .*hooks, t"):
            setattr(optimizer, key, 0.1)
        assert key == "rate" or not hasattr(optimizer, key)
    train(model := Points(1.0), optimizer.setup(model), wavy, 1)
    with pytest.raises(AttributeError, match="cannot set"):
        setattr(optimizer, key, 0.1)


def test_an_optimizer_of_ones_own_has_the_attributes_that_its_methods_set():
    class Own(optimizers.SGD):
        def __init__(self):
            super().__init__(0.1)
            self.seen = {}

        def update_one(self, param):
            self.last = param
            super().update_one(param)

    optimizer = Own().setup(model := Points(1.0))
    train(model, optimizer, wavy, 1)
    assert optimizer.last is model.xs[0]
    optimizer.seen = {1: 2}
    with pytest.raises(AttributeError, match="Own: cannot set 'sen'; expected one of lr, hooks, last, seen, t, target"):
        optimizer.sen = {}


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
@every
def test_a_rate_out_of_range_from_a_function_stops_the_update(name, rate):
    model = Points([1.0])
    optimizer = CLASSES[name](lr=lambda t: 0.1 if t < 3 else rate).setup(model)
    train(model, optimizer, wavy, 2)
    before = model.state()
    with pytest.raises(ValueError, match=rf"{name}: expected lr of at least 0 and below inf, got {rate} at update 3"):
        train(model, optimizer, wavy, 1)
    np.testing.assert_equal(model.state(), before)
    assert optimizer.t == 2


def test_dezeros_arguments_in_dezeros_order():
    made = [optimizers.SGD(0.1), optimizers.MomentumSGD(0.1, 0.8), optimizers.AdaGrad(0.1, 1e-7)]
    made += [optimizers.AdaDelta(0.9, 1e-5), optimizers.Adam(0.1, 0.8, 0.9, 1e-7)]
    keys = [["lr"], ["lr", "momentum"], ["lr", "eps"], ["rho", "eps"], ["alpha", "beta1", "beta2", "eps"]]
    values = [[0.1], [0.1, 0.8], [0.1, 1e-7], [0.9, 1e-5], [0.1, 0.8, 0.9, 1e-7]]
    assert [[getattr(o, key) for key in ks] for o, ks in zip(made, keys, strict=True)] == values


def test_a_learning_rate_may_be_a_function_of_the_step():
    model, steps = Points(*STARTS, np.ones(10_000)), []
    optimizer = optimizers.SGD(lr=lambda t: steps.append(t) or 0.1 / t).setup(model)
    for t in (1, 2, 3):
        before = model.xs[0].data.copy()
        train(model, optimizer, lambda *xs: sum(x.sum() for x in xs), 1)
        np.testing.assert_allclose(before - model.xs[0].data, 0.1 / t)
    assert steps == [1, 2, 3]


def test_an_optimizer_in_dezeros_way():
    class Normalized(optimizers.Optimizer):
        def __init__(self, lr=0.1):
            super().__init__()
            self.lr = lr

        def update_one(self, param):
            param.data -= self.rate * param.grad.data / np.linalg.norm(param.grad.data)

    model = Points([3.0, 4.0], [1.0])
    train(model, Normalized().setup(model), lambda a, b: (a**2).sum() + b.sum(), 2)
    np.testing.assert_allclose(model.xs[0].data, [3 - 0.12, 4 - 0.16])
    np.testing.assert_allclose(model.xs[1].data, [0.8])


def test_an_optimizer_without_a_step_says_what_to_write():
    model = Points(1.0)
    with pytest.raises(NotImplementedError, match=r"Optimizer: write step\(self, x, g, ..., scratch\), or update_one"):
        train(model, optimizers.Optimizer().setup(model), wavy, 1)
