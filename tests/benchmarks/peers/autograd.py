"""autograd (HIPS): NumPy with gradients; layers, losses and updates are its user's own."""

from functools import partial

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import logsumexp


def mean_squared_error(y, t):
    return np.mean((y - t) ** 2)


def softmax_cross_entropy(y, t):
    return np.mean(logsumexp(y, axis=1) - y[np.arange(len(t)), t])


def mlp(loss_function, x, t, weights, lr):
    weights = [w.copy() for w in weights]

    @value_and_grad
    def forward(weights):
        y = x
        for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            y = np.maximum(y @ W + b, 0)
        return loss_function(y @ weights[-2] + weights[-1], t)

    while True:
        loss, grads = forward(weights)
        for w, g in zip(weights, grads, strict=True):
            w -= lr * g
        yield float(loss), grads


def chain(x):
    @value_and_grad
    def forward(x):
        y = x
        for _ in range(1000):
            y = y * 0.999 + x
        return y

    while True:
        y, gx = forward(x)
        yield float(y), [gx]


STEPS = {
    "regression": partial(mlp, mean_squared_error),
    "classification": partial(mlp, softmax_cross_entropy),
    "chain": chain,
}
