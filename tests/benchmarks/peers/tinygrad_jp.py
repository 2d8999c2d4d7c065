"""tinygrad_jp, as its users write it."""

from functools import partial

import tinygrad_jp.functions as F
from tinygrad_jp import Parameter, Variable, optimizers
from tinygrad_jp.layers import Layer
from tinygrad_jp.models import MLP


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
        return loss

    return step, lambda: [p.grad.data for p in model.params()]


def chain(x):
    x = Variable(x)

    def step():
        y = x
        for _ in range(1000):
            y = y * 0.999 + x
        x.cleargrad()
        y.backward()
        return y

    return step, lambda: [x.grad.data]


def adam(weights, grads, lr):
    model = Layer()
    model.weights = [Parameter(w.copy()) for w in weights]
    for p, g in zip(model.weights, grads, strict=True):
        p.grad = Variable(g)
    optimizer = optimizers.Adam(lr).setup(model)

    def step():
        optimizer.update()
        return 0

    return step, lambda: [p.data for p in model.weights]


WORKS = {
    "tiny10": partial(mlp, F.mean_squared_error),
    "mlp100": partial(mlp, F.softmax_cross_entropy),
    "mlp60000": partial(mlp, F.softmax_cross_entropy),
    "chain": chain,
    "adam90k": adam,
}
