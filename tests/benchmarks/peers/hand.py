"""Plain NumPy by hand: derivatives worked out on paper, and arrays overwritten as soon as they have been used."""

from functools import partial

import numpy as np


def mean_squared_error(y, t):
    """The loss, and its gradient by y."""
    d = np.subtract(y, t, out=y)
    loss = (d * d).mean()
    d *= 2 / d.size
    return loss, d


def softmax_cross_entropy(y, t):
    """The loss, and its gradient by y."""
    rows = np.arange(len(t))
    y -= y.max(axis=1, keepdims=True)
    true = y[rows, t]
    p = np.exp(y, out=y)
    total = p.sum(axis=1, keepdims=True)
    loss = np.log(total).mean() - true.mean()
    p /= total
    p[rows, t] -= 1
    p /= len(t)
    return loss, p


def mlp(loss_function, x, t, weights, lr):
    weights = [w.copy() for w in weights]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    grads = []

    def step():
        hs = [x]
        for W, b in layers:
            y = hs[-1].dot(W)
            y += b
            if len(hs) < len(layers):
                np.maximum(y, 0, out=y)
            hs.append(y)
        loss, gy = loss_function(hs.pop(), t)
        grads.clear()
        for W, _ in reversed(layers):
            h = hs.pop()
            grads[:0] = h.T.dot(gy), gy.sum(axis=0)
            if hs:  # The data need no gradient.
                gy = gy.dot(W.T)
                gy *= h > 0
        for w, g in zip(weights, grads, strict=True):
            g *= lr
            w -= g
        return loss

    return step, lambda: [g / lr for g in grads]


def chain(x):
    c, gx = np.float32(0.999), None

    def step():
        nonlocal gx
        y = x
        for _ in range(1000):
            y = y * c + x
        gy, gx = np.float32(1), np.float32(0)
        for _ in range(1000):
            gx = gx + gy
            gy = gy * c
        gx = gx + gy
        return y

    return step, lambda: [gx]


def adam(weights, grads, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    state = [(w.copy(), np.zeros_like(w), np.zeros_like(w), np.empty_like(w)) for w in weights]
    t = 0

    def step():
        nonlocal t
        t += 1
        for (w, m, v, s), g in zip(state, grads, strict=True):
            m *= beta1
            m += np.multiply(g, 1 - beta1, out=s)
            v *= beta2
            np.multiply(g, g, out=s)
            s *= 1 - beta2
            v += s
            np.sqrt(v, out=s)
            s *= 1 / np.sqrt(1 - beta2**t)
            s += eps
            np.divide(m, s, out=s)
            s *= lr / (1 - beta1**t)
            w -= s
        return 0

    return step, lambda: [w for w, *_ in state]


WORKS = {
    "tiny10": partial(mlp, mean_squared_error),
    "mlp100": partial(mlp, softmax_cross_entropy),
    "mlp60000": partial(mlp, softmax_cross_entropy),
    "chain": chain,
    "adam90k": adam,
}
