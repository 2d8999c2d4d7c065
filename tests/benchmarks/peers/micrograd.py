"""micrograd: a Value for each number, and those are Python's, of 64 bits. It recurses as deep as the graph."""

import sys

import numpy as np
from micrograd.engine import Value
from micrograd.nn import MLP


def regression(x, t, weights, lr):
    model = MLP(x.shape[1], [W.shape[1] for W in weights[::2]])
    for layer, W, b in zip(model.layers, weights[::2], weights[1::2], strict=True):
        for neuron, w in zip(layer.neurons, np.vstack([W, b]).T.tolist(), strict=True):
            for p, number in zip(neuron.parameters(), w, strict=True):
                p.data = number
    x, t = x.tolist(), t[:, 0].tolist()
    while True:
        loss = sum((model(xi) - ti) ** 2 for xi, ti in zip(x, t, strict=True)) / len(x)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= lr * p.grad
        rows = (np.array([[p.grad for p in n.parameters()] for n in layer.neurons]) for layer in model.layers)
        yield loss.data, (g for row in rows for g in (row[:, :-1].T, row[:, -1]))


def chain(x):
    x = Value(float(x))
    limit = sys.getrecursionlimit()
    while True:
        y = x
        for _ in range(1000):
            y = y * 0.999 + x
        x.grad = 0
        sys.setrecursionlimit(10_000)
        y.backward()
        sys.setrecursionlimit(limit)
        yield y.data, [x.grad]


STEPS = {"regression": regression, "chain": chain}
