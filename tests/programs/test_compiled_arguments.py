"""`compiled`: what steps are given, return and write into, as it is written and compiled."""

import functools

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
import tinygrad_jp.optimizers as O
from tests.programs.twins import Situations, batches, of_floats
from tinygrad_jp import Variable, grad, hvp, no_grad, using_config

SITUATIONS = Situations()
situation = SITUATIONS.enter


def simple():
    model = M.Sequential(L.Linear(16, in_size=5, rng=0), F.relu, L.Linear(3, in_size=16, rng=1))
    return model, O.SGD(0.1).setup(model)


def weights(*shapes):
    rng = np.random.default_rng(1)
    return [Variable(rng.normal(size=s).astype(np.float32), name=f"w{i}") for i, s in enumerate(shapes)]


# Arguments and results


@situation()
def an_argument_that_is_written_into(wrap):
    @wrap
    def step(x, t):
        x -= x.mean(axis=0)
        t[0] = 2
        return x * 2

    def call(step, x, t):
        x, t = x.copy(), t.copy()
        return step(x, t), x, t

    return (step,)


SITUATIONS.settings["an_argument_that_is_written_into"]["calls"] = [
    (lambda step, b=b: (lambda x, t: (step(x, t), x, t))(*map(np.copy, b))) for b in batches()
]


def _as_variable(step, b):
    x, t = Variable(b[0].copy()), b[1]
    y = step(x, t)
    return y, x


@situation(calls=[functools.partial(lambda b, step: _as_variable(step, b), b) for b in batches()])
def variables_as_arguments(wrap):
    model, optimizer = simple()

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    return step, model


@situation(calls=[lambda step, b=b: step({"x": [b[0]], "t": (b[1], None)}, scale=2.0) for b in batches()])
def nested_arguments_and_results(wrap):
    model, _ = simple()

    @wrap
    def step(batch, *, scale=1.0):
        y = model(batch["x"][0]) * scale
        return {"y": [y, (y.data, None, "text", 3)], "loss": F.softmax_cross_entropy(y, batch["t"][0])}

    return step, model


@situation(
    calls=[
        lambda step, xs=xs: step(xs, of=xs)
        for x, t in batches(4)
        for xs in ([x], [x, t], [], (x,), {"a": x}, {"a": x, "b": t}, {"b": x}, [[x], []], [[], [x]])
    ],
    programs=9,
)
def containers_of_all_sizes(wrap):
    def total(xs):
        parts = xs.values() if isinstance(xs, dict) else xs
        return sum(total(x) if isinstance(x, list) else x.sum() for x in parts)

    return (wrap(lambda xs, of: (total(xs), len(xs), type(of).__name__)),)


@situation(calls=[lambda step, b=b, k=k: step(*b, k) for b in batches() for k in (1, 2.5, True, "a", None)], programs=5)
def plain_arguments_of_all_kinds(wrap):
    return (wrap(lambda x, t, k: (x * (2 if isinstance(k, str | None) else k), k)),)


@situation(calls=[lambda step, b=b, k=k: step(*b, k=k) for b in batches(6) for k in (1, 2)], programs=2)
def keywords(wrap):
    return (wrap(lambda x, t, k=0: x * k),)


@situation(calls=[(np.float32(i), 2 * i) for i in range(6)], programs=None)
def numbers(wrap):
    return (wrap(lambda x, k: np.sin(x) * k),)


@situation(calls=[(np.array(0.5 * i),) for i in range(6)])
def arrays_without_axes(wrap):
    return (wrap(lambda x: (np.sin(x) * 2, x[()], Variable(x) ** 2)),)


@situation(calls=[(np.zeros((0, 5)),) for i in range(6)])
def arrays_without_elements(wrap):
    return (wrap(lambda x: (np.sum(x, axis=0), Variable(x) * 2)),)


def of_every_order(i):
    return of_floats(i, (5, 4)).T, of_floats(i, (8, 10))[::2, ::-2], of_floats(i, (4, 5)).astype(">f8")


@situation(calls=[lambda step, i=i: step(*of_every_order(i)) for i in range(6)])
def arrays_of_every_order(wrap):
    def f(a, b, c):
        x = Variable(a)
        y = np.sum(x * b + c, axis=0)
        np.sum(y).backward()
        return y, x.grad, a + c, b.T

    return (wrap(f),)


@situation(calls=[(np.arange(6) + i, np.arange(6) % (2 + i % 2) == 0) for i in range(6)])
def integers_and_booleans(wrap):
    return (wrap(lambda n, b: (n * b, n // 2, n % 3, n & 1, ~b, np.where(b, n, -n), n << 1, b.any(), n.max())),)


@situation(calls=[()] * 6)
def no_arguments(wrap):
    (w,) = weights((3,))

    @wrap
    def step():
        loss = np.sum((w - 1) ** 2)
        w.cleargrad()
        loss.backward()
        w.data -= 0.1 * w.grad.data
        return loss

    return step, w


@situation(calls=[lambda step, b=b: step(b[0]) for b in batches()])
def derivatives_of_functions(wrap):
    def f(x):
        return np.sum(np.tanh(x) ** 3)

    return (wrap(lambda x: (grad(f)(x), hvp(f, x, x + 1), grad(lambda x: np.sum(grad(f)(x) ** 2))(x))),)


@situation(calls=[lambda step, b=b: step(b[0]) for b in batches()])
def a_derivative_itself(wrap):
    return (wrap(grad(lambda x: np.sum(np.tanh(x) ** 3))),)


@situation()
def a_method(wrap):
    class Trainer:
        def __init__(self):
            self.model, self.optimizer = simple()
            self.smoothing = 0.1

        @wrap
        def step(self, x, t):
            loss = F.softmax_cross_entropy(self.model(x), t, label_smoothing=self.smoothing)
            self.model.cleargrads()
            loss.backward()
            self.optimizer.update()
            return loss

    trainer = Trainer()
    return trainer.step, trainer.model, trainer.optimizer


@situation()
def a_step_within_a_step(wrap):
    model, optimizer = simple()

    @wrap
    def forward(x):
        return model(x)

    @wrap
    def step(x, t):
        loss = F.softmax_cross_entropy(forward(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    return step, model


@situation()
def settings_within_a_step(wrap):
    model = M.Sequential(L.Linear(4, in_size=5, rng=0), L.BatchNorm(), L.Dropout(0.5, rng=1))

    @wrap
    def step(x, t):
        y = model(x)
        with using_config("train", False), no_grad():
            z = model(x)
        return y, z

    return step, model


@situation()
def decisions_that_stay(wrap):
    model, _ = simple()

    @wrap
    def step(x, t):
        y = model(x)
        if (np.abs(y.data) < 1000).all() and len(t) > 3 and not np.isnan(y.data).any():
            y = y * 2
        assert y.data.max() < 1e6
        return y

    return step, model


@situation(calls=batches(12), programs=None)
def decisions_that_change(wrap):
    model, _ = simple()

    @wrap
    def step(x, t):
        y = model(x)
        return y * 2 if y.data.mean() > 0 else y - 1

    return step, model


@situation()
def states_handed_through(wrap):
    W, U = weights((5, 4), (4, 4))

    @wrap
    def step(x, h):
        h = np.tanh(x @ W + h @ U)
        loss = np.sum(h**2)
        W.cleargrad()
        loss.backward()
        return loss, h

    return step, W, U


def _handed(step):
    h = Variable(np.zeros((8, 4), np.float32))
    found = []
    for x, _ in batches():
        loss, h = step(x, h)
        h.unchain()
        h = Variable(h.data)
        found.append(loss)
    return found


SITUATIONS.settings["states_handed_through"]["calls"] = [_handed]


@situation()
def a_state_in_a_nonlocal_name(wrap):
    (W, U), h = weights((5, 4), (4, 4)), Variable(np.zeros((8, 4), np.float32))

    @wrap
    def step(x, t):
        nonlocal h
        h = np.tanh(x @ W + h @ U)
        loss = np.sum(h**2)
        W.cleargrad()
        loss.backward()
        loss.unchain_backward()
        return loss

    return step, W, U, lambda: h.data


@situation(between=lambda i, layer: layer.W.data.__imul__(np.float32(0.9)))
def what_only_a_step_within_reads(wrap):
    layer = L.Linear(3, in_size=5, rng=0)
    inner = wrap(lambda x: layer(x))
    return wrap(lambda x, t: inner(x) * 2), layer


@situation(between=lambda i, w: w.data.__imul__(0.9), rtol=1e-6)
def what_only_a_derivative_reads(wrap):
    (w,) = weights((5,))
    g = grad(lambda x: np.sum((x * w) ** 2))
    return wrap(lambda x, t: g(x)), w


class Slotted:
    __slots__ = ("array", "scale")


@situation(between=lambda i, settings: setattr(settings, "scale", 1.0 + i // 5), programs=2, calls=batches(10))
def settings_in_slots(wrap):
    settings = Slotted()
    settings.scale, settings.array = 1.0, np.ones(5, np.float32)

    def f(x, t):
        settings.array += 1
        return x * settings.scale + settings.array

    return wrap(f), settings


@situation(between=lambda i, attributes: attributes.update(scale=1.0 + i // 5), programs=2, calls=batches(10))
def attributes_of_functions(wrap):
    def f(x):
        return x * f.scale

    f.scale = 1.0
    return wrap(lambda x, t: f(x)), vars(f)


@situation()
def a_variable_that_is_made_anew(wrap):
    (W,) = weights((5, 3))

    @wrap
    def step(x, t):
        nonlocal W
        loss = F.softmax_cross_entropy(x @ W, t)
        W.cleargrad()
        loss.backward()
        W = Variable(W.data - 0.1 * W.grad.data)
        return loss

    return step, lambda: W.data


@situation(calls=[lambda step, b=b: (lambda x: (step(x, b[1]), x))(Variable(b[0])) for b in batches()])
def what_was_given_is_returned(wrap):
    (W,) = weights((5, 3))
    k = [W]

    @wrap
    def step(x, t):
        y = Variable(np.ones(3))
        np.sum(y * np.sum(x @ k[0])).backward()
        return x, [x.grad, W, y, np.arange(3), np.float32(1), t], y.grad

    return step, W


def _writing_into_results(b):
    def call(step):
        x = b[0].copy()
        ys = step(x, b[1])
        for i, y in enumerate(ys):
            y += i
        return ys, x

    return call


@situation(calls=[_writing_into_results(b) for b in batches()])
def results_are_ones_own(wrap):
    (W,) = weights((8, 5))
    return wrap(lambda x, t: (np.ones(3), x * 2, x * 2, x * 1, x.T * 1, W.data * 1, (x * 2)[:2], +x)), W


def written(*lines):
    """A step of these lines, on arrays and Variables that it finds at names."""

    def make(wrap):
        P, B = Variable(np.arange(15.0).reshape(5, 3)), np.arange(40.0).reshape(8, 5)
        names = {"P": P, "B": B, "np": np, "Variable": Variable, "F": F, "K": {"b": B}}
        exec("\n    ".join(["def step(x, t):", *lines]), names)
        return wrap(names["step"]), P, B, names["K"]

    return make


LINES = {
    "clipped weights": ["np.clip(P.data, -1, 3, out=P.data)", "return x"],
    "copied weights": ["np.copyto(P.data, P.data * 2)", "return x"],
    "filled weights": ["P.data.fill(2.0)", "return x"],
    "a row of weights": ["P.data[0] = x[0, :3]", "return x"],
    "a column of weights": ["P.data[:, 1] += 1", "P.data[0, 1] *= 2", "return P.data.sum()"],
    "a column of an argument": ["x[:, 0] += 1", "return x"],
    "a view written into": ["v = x[:, :2]", "v += 1", "return x + v.sum()"],
    "pruned weights": ["P.data[np.abs(P.data) < 3] = 0", "return x"],
    "masked weights": ["P.data[np.array([True, False, True, False, True])] = 0", "return x"],
    "rows added": ["np.add.at(B, t, x)", "return x"],
    "out=": ["np.multiply(x, 0.5, out=B)", "return x"],
    "a buffer": ["B[:] = x", "return B * 2"],
    "an array rebound": ["K['b'] = K['b'] + x", "return K['b']"],
    "two names of one array": ["r = P.data", "r -= 0.5", "return r.sum() + P.data.sum()"],
    "copies": ["P.data = B[:5, :3] * 1.0", "np.multiply(B, 2, out=B)", "return x + 0 * 2, P.data, B.astype(float)"],
    "computed twice": [
        "P.data = x[:5, :3] * 2.0",
        "a, b = x * 2, x * 2",
        "return a, b, b.T, (x * 2).T, x[:5, :3] * 2.0",
    ],
    "parts": ["y = np.zeros_like(x)", "y[2] = x[0]", "K['b'] = y[1:3]", "z = y * 2", "return z[0], z.T, z[1:].T"],
    "a plain table": ["return Variable(np.eye(3))[t].data, F.one_hot(t, 3), np.stack([x.sum(), x.mean()])"],
    "an old array": ["h = P.data", "P.data = P.data + 1", "h *= 0", "return h.sum() + P.data.sum()"],
    "data before and after": ["y = P * 1.0", "P.data += 1.0", "return y"],
    "a result written into": ["y = Variable(x) @ P", "z = y.data", "z *= 2", "return y"],
    "numbers are not written into": ["s = x.sum()", "r = s", "s += 1", "return r, s"],
    "isinstance": ["return x / 255 if isinstance(x, np.ndarray) else x"],
    "isscalar": ["return np.isscalar(x.sum()) * 1.0, isinstance(x.sum(), np.float32)"],
    "rows": ["s = 0", "for row in x:", "    s = s + row.sum()", "return s, len(x), sum(x), list(zip(x, t))[0][1]"],
    "unpacking": ["a, b, *rest = x", "return a + b, rest"],
    "largest": ["return max(x.max(), 0.5), abs(-x), divmod(x, 2), x if 1 in t else -x"],
    "other dtypes": ["P.data = P.data.astype(np.float32)", "return x.astype(np.float16) @ P.data.astype(np.float16)"],
    "swapped rows": ["B[0], B[1] = B[1].copy(), B[0].copy()", "return x"],
    "gradients changed": ["P.cleargrad()", "np.sum(x @ P).backward()", "P.grad.data[0] = 0", "P.data -= P.grad.data"],
}
for name, lines in LINES.items():
    situation(name, rtol=1e-6, programs=None)(written(*lines))


@pytest.mark.parametrize("name", SITUATIONS)
def test_as_written(name):
    SITUATIONS.check(name)
