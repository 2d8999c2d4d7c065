"""micrograd: one Value for each number, and those are Python's, of 64 bits. It recurses as deep as the graph."""

import sys

import numpy as np
from micrograd.engine import Value
from micrograd.nn import MLP


def tiny(x, t, weights, lr):
    model = MLP(x.shape[1], [W.shape[1] for W in weights[::2]])
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    for layer, (W, b) in zip(model.layers, pairs, strict=True):
        for neuron, *values in zip(layer.neurons, *W, b, strict=True):
            for p, value in zip(neuron.parameters(), values, strict=True):
                p.data = float(value)
    xs, ts = x.tolist(), t[:, 0].tolist()

    def step():
        loss = sum((model(x) - t) ** 2 for x, t in zip(xs, ts, strict=True)) / len(xs)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= lr * p.grad
        return loss.data

    def look():
        rows = [np.array([[p.grad for p in neuron.parameters()] for neuron in layer.neurons]) for layer in model.layers]
        return [g for row in rows for g in (row[:, :-1].T, row[:, -1])]

    return step, look


def chain(x):
    x = Value(float(x))

    def step():
        y = x
        for _ in range(1000):
            y = y * 0.999 + x
        x.grad = 0
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(10_000)
        y.backward()
        sys.setrecursionlimit(limit)
        return y.data

    return step, lambda: [x.grad]


WORKS = {"tiny10": tiny, "chain": chain}
