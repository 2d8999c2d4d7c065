"""The works: what every peer starts from, and whether all come to the same results."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

TOLERANCE = 1e-4  # of the largest element of each array


class Work(NamedTuple):
    """`problem()` makes the data, the same at each call: the arguments of the peers' functions."""

    about: str
    problem: Callable[[], dict[str, Any]]


def mlp_weights(rng, *sizes):
    """W and b of each layer in turn: [W1, b1, W2, b2, …]."""
    weights = []
    for n, m in zip(sizes, sizes[1:], strict=False):
        W = rng.standard_normal((n, m), dtype=np.float32)
        weights += [W / np.float32(np.sqrt(n)), np.zeros(m, np.float32)]
    return weights


def tiny():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((10, 2), dtype=np.float32)
    return dict(x=x, t=x[:, :1] * x[:, 1:], weights=mlp_weights(rng, 2, 10, 1), lr=0.1)


def classification(n):
    rng = np.random.default_rng(0)
    weights = mlp_weights(rng, 784, 100, 100, 10)
    return dict(x=rng.random((n, 784), dtype=np.float32), t=rng.integers(0, 10, n), weights=weights, lr=0.01)


def adam():
    rng = np.random.default_rng(0)
    weights = mlp_weights(rng, 784, 100, 100, 10)
    return dict(weights=weights, grads=[rng.standard_normal(w.shape, dtype=np.float32) for w in weights], lr=0.001)


WORKS = {
    "tiny10": Work("2-10-1 MLP with ReLU, batch of 10, mean squared error, SGD", tiny),
    "mlp100": Work(
        "784-100-100-10 MLP with ReLU, batch of 100, softmax cross entropy, SGD", lambda: classification(100)
    ),
    "mlp60000": Work("the same with all 60,000 rows in one batch", lambda: classification(60_000)),
    "chain": Work("1,000 x (y = y * 0.999 + x) on scalars, forward and backward", lambda: dict(x=np.float32(0.5))),
    "adam90k": Work("Adam on the 90,000 weights of mlp100, gradients given", adam),
}


def run(prepare, problem):
    """The losses of three steps, with what can be seen after the first."""
    step, look = prepare(**problem)
    losses = [float(step())]
    seen = [np.array(a) for a in look()]
    return [np.array(losses + [float(step()) for _ in range(2)]), *seen]


def differences(work, prepares):
    """What keeps the peers from being compared: a sentence for each whose results are not those of the first."""
    problem = WORKS[work].problem()
    results = {peer: run(prepare, problem) for peer, prepare in prepares.items()}
    (first, expected), *others = results.items()
    for peer, actual in others:
        if [a.shape for a in actual] != [e.shape for e in expected]:
            yield f"{work}: {peer} has other shapes than {first}"
            continue
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            error = np.abs(a - e).max() / np.abs(e).max()
            if not error <= TOLERANCE:
                what = f"array {i} after the first step" if i else "the losses of three steps"
                yield f"{work}: {peer} differs from {first} by {error:.1e} in {what}; allowed are {TOLERANCE:.0e}"
