"""DeZero. It computes in float64 wherever float32 meets its constants and labels, and its Adam adds eps elsewhere."""

from functools import partial
from unittest.mock import patch

import numpy as np

with patch.object(np, "int", int, create=True):  # DeZero 0.0.13 asks for np.int, which NumPy has given up.
    import dezero.functions as F
from dezero import Parameter, Variable, optimizers
from dezero.layers import Layer
from dezero.models import MLP


def mlp(loss_function, x, t, weights, lr):
    model = MLP([W.shape[1] for W in weights[::2]], activation=F.relu)
    for layer, W, b in zip(model.layers, weights[::2], weights[1::2], strict=True):
        layer.W.data, layer.b.data = W.copy(), b.copy()
    optimizer = optimizers.SGD(lr).setup(model)

    def step():
        loss = loss_function(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.data

    return step, lambda: [g.data for layer in model.layers for g in (layer.W.grad, layer.b.grad)]


def chain(x):
    x = Variable(np.array(x))

    def step():
        y = x
        for _ in range(1000):
            y = y * 0.999 + x
        x.cleargrad()
        y.backward()
        return y.data

    return step, lambda: [x.grad.data]


def adam(weights, grads, lr):
    model = Layer()
    params = [Parameter(w.copy()) for w in weights]
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        setattr(model, f"p{i}", p)
        p.grad = Variable(g)
    optimizer = optimizers.Adam(lr).setup(model)

    def step():
        optimizer.update()
        return 0

    return step, lambda: [p.data for p in params]


WORKS = {
    "tiny10": partial(mlp, F.mean_squared_error),
    "mlp100": partial(mlp, F.softmax_cross_entropy),
    "mlp60000": partial(mlp, F.softmax_cross_entropy),
    "chain": chain,
    "adam90k": adam,
}
