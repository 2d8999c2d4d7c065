"""A step as it is written, and its twin that is compiled: after each call, all that can be seen must be the same."""

import contextlib
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

import tinygrad_jp
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
import tinygrad_jp.optimizers as O
from tinygrad_jp import Variable, compiled, no_grad, randomness, seed
from tinygrad_jp.layers import Layer
from tinygrad_jp.optimizers import Optimizer
from tinygrad_jp.programs import takes

Parts = Iterator[tuple[str, Any]]


def seen(path: str, x: Any) -> Parts:
    """All that can be seen of x, by where it is."""
    if isinstance(x, Variable):
        yield f"{path}.dtype", str(x.dtype)
        yield path, np.array(x.data)
        yield from seen(f"{path}.grad", x.grad)
    elif isinstance(x, Layer):
        for key, value in x._named_arrays().items():
            yield from seen(f"{path}.{key}", value)
        for key, layer in x.layers_by_path():
            yield from seen(f"{path}.{key}", {k: v for k, v in vars(layer).items() if not isinstance(v, Layer)})
    elif isinstance(x, Optimizer):
        yield from seen(path, x.state())
    elif isinstance(x, np.random.Generator | randomness.NumpyState):
        yield from seen(path, x.bit_generator.state)
    elif isinstance(x, dict):
        for key, value in x.items():
            yield from seen(f"{path}.{key}", value)
    elif isinstance(x, list | tuple):
        yield f"{path} is", (type(x).__name__, len(x))
        for i, value in enumerate(x):
            yield from seen(f"{path}[{i}]", value)
    elif isinstance(x, np.ndarray | np.generic):
        yield f"{path} is", (type(x).__name__, x.dtype.str)
        yield path, np.array(x)
    elif isinstance(x, int | float | str | None):
        yield path, x
    elif hasattr(x, "__dict__"):
        yield from seen(path, vars(x))


class Run(NamedTuple):
    """What was seen after each call, and how many calls were recorded."""

    outcomes: list[dict[str, Any]]
    recorded: int
    step: Any


def run(make: Callable[..., Any], wrap: Any, calls: list[Any], between: Any = None, catch: Any = ()) -> Run:
    seed(7)
    count, recorded = takes.Take.run, 0

    def counted(self, *args, keep=True):
        nonlocal recorded
        recorded += keep
        return count(self, *args, keep=keep)

    step, *kept = make(wrap)
    outcomes = []
    takes.Take.run = counted
    try:
        for i, call in enumerate(calls):
            if between is not None:
                between(i, *kept)
            try:
                y = (
                    call(step)
                    if callable(call)
                    else step(*[np.copy(a) if isinstance(a, np.ndarray) else a for a in call])
                )
            except catch as error:
                y = f"{type(error).__name__}: {error}"
            watched = [x() if isinstance(x, FunctionType) else x for x in kept]
            everything = {"result": y, "kept": watched, "random": randomness.generator()}
            outcomes.append(dict(seen("", everything)))
    finally:
        takes.Take.run = count
    return Run(outcomes, recorded, step)


def as_written(f: Any) -> Any:
    return f


def assert_twins(make, calls, *, between=None, programs=1, rtol=0.0, catch=(), recorded=None):
    """Compare after each call. `programs` is how many there are in the end; each takes two
    recordings, and one more where there were no gradients at first."""
    with contextlib.ExitStack() as stack:
        stack.callback(seed, None)
        expected = run(make, as_written, calls, between, catch)
        found = run(make, compiled, calls, between, catch)
    for i, (a, b) in enumerate(zip(found.outcomes, expected.outcomes, strict=True)):
        assert a.keys() == b.keys(), f"call {i}: {sorted(a.keys() ^ b.keys())}"
        for path, value in b.items():
            where = f"call {i}: {path}"
            if isinstance(value, np.ndarray) and value.dtype.kind in "fc" and rtol:
                np.testing.assert_allclose(a[path], value, rtol, rtol, err_msg=where)
            else:
                np.testing.assert_array_equal(a[path], value, err_msg=where)
    if programs is not None and hasattr(found.step, "_plans"):
        assert len(found.step._plans) == programs, f"{len(found.step._plans)} programs"
        assert found.recorded <= (3 * programs if recorded is None else recorded), f"{found.recorded} recordings"
    return found


def of_floats(seed_: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed_).normal(size=shape)


def batches(n: int = 7, size: int = 8, seed_: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed_)
    return [(rng.normal(size=(size, 5)).astype(np.float32), rng.integers(0, 3, size)) for _ in range(n)]


class Situations(dict[str, Callable[..., Any]]):
    """Functions that make a step, and return it with all that is to be watched; `settings` are for `assert_twins`."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, Any]] = {}

    def enter(self, name: str | None = None, **settings: Any) -> Any:
        def entered(make: Any) -> Any:
            key = name or make.__name__
            self[key], self.settings[key] = make, {"calls": batches()} | settings
            return make

        return entered

    def check(self, name: str) -> None:
        assert_twins(self[name], **self.settings[name])


def network(*layers, optimizer=None):
    model = M.Sequential(*layers)
    with tinygrad_jp.test_mode(), no_grad():
        model(np.zeros((8, 5), np.float32))
    model.reset_state()
    return model, (optimizer or O.SGD(0.1)).setup(model)


def simple(optimizer=None):
    return network(L.Linear(16, rng=0), F.relu, L.Linear(3, rng=1), optimizer=optimizer)


def training(wrap, model, optimizer, loss_of=F.softmax_cross_entropy):
    """The step of most of these."""

    @wrap
    def step(x, t):
        loss = loss_of(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    return step, model, optimizer


def while_testing(*args):
    def call(step):
        with tinygrad_jp.test_mode():
            return step(*args)

    return call


def without_graph(*args):
    def call(step):
        with no_grad():
            return step(*args)

    return call


def at(i, change):
    """Change something before call i."""
    return lambda j, *kept: change(*kept) if i == j else None
