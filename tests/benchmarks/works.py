"""The works: what every peer starts from, and whether all come to the same results."""

from collections.abc import Callable
from functools import partial
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

TOLERANCE = 1e-7  # of the largest element of each array


class Work(NamedTuple):
    """`steps` names the peers' function, `problem()` makes its arguments, the same at each call."""

    about: str
    steps: str
    problem: Callable[[], dict[str, Any]]


def network(rng, *sizes):
    """The weights of an MLP: W and b of each layer in turn."""
    shapes = [shape for n, m in pairwise(sizes) for shape in ((n, m), (m,))]
    return [rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(shape[0])) for shape in shapes]


def regression():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((10, 2), np.float32)
    return {"x": x, "t": x[:, :1] * x[:, 1:], "weights": network(rng, 2, 10, 1), "lr": 0.01}


def classification(n=100):
    rng = np.random.default_rng(0)
    x, t = rng.random((n, 784), np.float32), rng.integers(0, 10, n)
    return {"x": x, "t": t, "weights": network(rng, 784, 100, 100, 10), "lr": 0.01}


def curvature():
    problem = classification()
    del problem["lr"]
    rng = np.random.default_rng(1)
    return problem | {"vectors": [rng.standard_normal(w.shape, np.float32) for w in problem["weights"]]}


def convolution():
    rng = np.random.default_rng(0)
    shapes = [(16, 1, 3, 3), (32, 16, 3, 3), (1568, 100), (100, 10)]
    weights = []
    for shape in shapes:
        fan_in, fan_out = (np.prod(shape[1:]), shape[0]) if len(shape) == 4 else shape
        W = rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(fan_in))
        weights += [W, rng.standard_normal(fan_out, np.float32)]
    x, t = rng.random((64, 1, 28, 28), np.float32), rng.integers(0, 10, 64)
    return {"x": x, "t": t, "weights": weights, "lr": 0.01}


def transformer(n_layers=2, width=64, n_vocab=65, context=64, batch=16):
    rng = np.random.default_rng(0)
    norm = [(width,), (width,)]
    attention = [(width, 3 * width), (3 * width,), (width, width), (width,)]
    mlp = [(width, 4 * width), (4 * width,), (4 * width, width), (width,)]
    shapes = [(n_vocab, width), (context, width), *n_layers * (norm + attention + norm + mlp), *norm]
    x, t = rng.integers(0, n_vocab, (2, batch, context))
    return {"x": x, "t": t, "weights": [0.1 * rng.standard_normal(s, np.float32) for s in shapes], "lr": 0.001}


def recurrent(n_steps=50, width=64, batch=32):
    rng = np.random.default_rng(0)
    shapes = [(width, 4 * width), (width, 4 * width), (4 * width,)]
    weights = [rng.standard_normal(s, np.float32) / np.float32(np.sqrt(width)) for s in shapes]
    return {"x": rng.standard_normal((batch, n_steps, width), np.float32), "weights": weights, "lr": 0.1}


def adam():
    rng = np.random.default_rng(0)
    weights = network(rng, 784, 100, 100, 10)
    # No gradient near zero, where it matters how a library adds Adam's eps.
    return {"weights": weights, "grads": [rng.random(w.shape, np.float32) + 1 for w in weights], "lr": 0.001}


def small_adam():
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(64, np.float32) for _ in range(100)]
    return {"weights": weights, "grads": [rng.random(64, np.float32) + 1 for _ in weights], "lr": 0.001}


WORKS = {
    "tiny10": Work("a 2-10-1 MLP of ReLU, batch of 10, mean squared error, SGD", "regression", regression),
    "mlp100": Work("a 784-100-100-10 MLP of ReLU, batch of 100, cross entropy, SGD", "classification", classification),
    "mlp60000": Work("the same, 60,000 rows in one batch", "classification", lambda: classification(60_000)),
    "chain": Work("1,000 times y = y * 0.999 + x on scalars, and back", "chain", lambda: {"x": np.float32(0.5)}),
    "cnn64": Work("conv 3x3 (16), pool, conv 3x3 (32), pool, 100, 10; 64 images of 28x28", "convolution", convolution),
    "gpt": Work("a GPT: 2 layers, width 64, 4 heads, 65 characters; 16 texts of 64; Adam", "transformer", transformer),
    "lstm": Work("an LSTM of width 64 on 32 sequences of 50 steps, mean of squares, SGD", "recurrent", recurrent),
    "hvp100": Work("the Hessian of the loss of mlp100, times a vector", "curvature", curvature),
    "adam90k": Work("Adam on the weights of mlp100, gradients given", "adam", adam),
    "adam100x64": Work("Adam on 100 arrays of 64 numbers, gradients given", "adam", small_adam),
}


def square_layers(depth=2, width=64, batch=64):
    """`depth` layers of `width` before the 10 of the output."""
    rng = np.random.default_rng(0)
    x, t = rng.random((batch, width), np.float32), rng.integers(0, 10, batch)
    return {"x": x, "t": t, "weights": network(rng, *[width] * (depth + 1), 10), "lr": 0.01}


# How cost grows: along each of these, with the others as they are.
CURVES = {
    "depth": [1, 2, 4, 8, 16, 32, 64],
    "width": [4, 16, 64, 256, 1024],
    "batch": [1, 8, 64, 512, 4096],
}


def work_of(name):
    """The work of that name, or a point of a curve: `depth=8`."""
    if name in WORKS:
        return WORKS[name]
    axis, n = name.split("=")
    return Work(f"an MLP of ReLU with {name}", "classification", partial(square_layers, **{axis: int(n)}))


def able(work, peers):
    """Of a dict of peers and their tables, those that can do the work, with their function for it."""
    return {peer: steps[work_of(work).steps] for peer, steps in peers.items() if work_of(work).steps in steps}


def precise(x):
    """A problem, or a part of one, in float64: in float32 a unit of ReLU may be on for one peer and off for another."""
    if isinstance(x, dict):
        return {key: precise(value) for key, value in x.items()}
    if isinstance(x, list):
        return [precise(value) for value in x]
    return x.astype(np.float64) if getattr(x, "dtype", None) == np.float32 else x


def results(work, steps):
    """The losses of three steps, and the arrays that are to be compared after each."""
    three = [(loss, *map(np.array, arrays)) for loss, arrays in islice(steps(**precise(work_of(work).problem())), 3)]
    return [np.array([loss for loss, *_ in three]), *(a for _, *arrays in three for a in arrays)]


def error(a, b):
    """The largest difference, as a share of the largest element."""
    difference = np.abs(a - b).max() if a.shape == b.shape else np.inf
    return difference and difference / np.abs(b).max()


def differences(work, peers):
    """A sentence for each peer whose results are not those of the first."""
    (first, expected), *others = ((peer, results(work, steps)) for peer, steps in able(work, peers).items())
    for peer, actual in others:
        worst = np.max([error(a, b) for a, b in zip(actual, expected, strict=True)])
        if not worst <= TOLERANCE:
            yield f"{work}: {peer} differs from {first} by {worst:.1e} of the largest; allowed are {TOLERANCE:.0e}"
