"""tinygrad_jp, as its users write it: which is as DeZero's write it too, so `peers.dezero` runs these very lines."""

from functools import partial

import numpy as np

import tinygrad_jp


def as_it_is(step):
    return step


def mlp(dz, loss_name, x, t, weights, lr, made=as_it_is):
    F = dz.functions
    loss_function = getattr(F, loss_name)
    model = dz.models.MLP([W.shape[1] for W in weights[::2]], activation=F.relu)
    for layer, W, b in zip(model.layers, weights[::2], weights[1::2], strict=True):
        layer.W.data, layer.b.data = W.copy(), b.copy()
    optimizer = dz.optimizers.SGD(lr).setup(model)

    @made
    def step(x, t):
        loss = loss_function(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    while True:
        loss = step(x, t)
        yield float(loss.data), (p.grad.data for layer in model.layers for p in (layer.W, layer.b))


def convolution(dz, x, t, weights, lr, made=as_it_is):
    F = dz.functions
    model = dz.Layer()
    params = [dz.Parameter(w.copy()) for w in weights]
    for i, p in enumerate(params):
        setattr(model, f"p{i}", p)
    W1, b1, W2, b2, W3, b3, W4, b4 = params
    optimizer = dz.optimizers.SGD(lr).setup(model)

    @made
    def step(x, t):
        h = F.pooling(F.relu(F.conv2d(x, W1, b1, 1, 1)), 2, 2)
        h = F.pooling(F.relu(F.conv2d(h, W2, b2, 1, 1)), 2, 2)
        h = F.relu(F.linear(F.reshape(h, (len(x), -1)), W3, b3))
        loss = F.softmax_cross_entropy(F.linear(h, W4, b4), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    while True:
        loss = step(x, t)
        yield float(loss.data), (p.grad.data for p in params)


def transformer(x, t, weights, lr, made=as_it_is):
    dz, (n_vocab, width), context = tinygrad_jp, weights[0].shape, len(weights[1])
    model = dz.models.GPT(n_vocab, (len(weights) - 4) // 12, width, 4, context)
    for p, w in zip(model.params(), weights, strict=True):
        p.data = w.copy()
    optimizer = dz.optimizers.Adam(lr).setup(model)

    @made
    def step(x, t):
        loss = dz.functions.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    while True:
        loss = step(x, t)
        yield float(loss.data), (p.grad.data for p in model.params())


def recurrent(x, weights, lr, made=as_it_is):
    layer = tinygrad_jp.layers.LSTM(len(weights[1]), x.shape[2])
    for p, w in zip(layer.params(), weights, strict=True):
        p.data = w.copy()
    optimizer = tinygrad_jp.optimizers.SGD(lr).setup(layer)

    @made
    def step(x):
        layer.reset_state()
        loss = (layer(x) ** 2).mean()
        layer.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    while True:
        loss = step(x)
        yield float(loss.data), (p.grad.data for p in layer.params())


def curvature(dz, x, t, weights, vectors, made=as_it_is):
    F = dz.functions
    model = dz.models.MLP([W.shape[1] for W in weights[::2]], activation=F.relu)
    for layer, W, b in zip(model.layers, weights[::2], weights[1::2], strict=True):
        layer.W.data, layer.b.data = W.copy(), b.copy()
    params = [p for layer in model.layers for p in (layer.W, layer.b)]

    @made
    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward(create_graph=True)
        gradients = [p.grad for p in params]
        model.cleargrads()
        z = sum(F.sum(g * v) for g, v in zip(gradients, vectors, strict=True))
        z.backward()
        return loss

    while True:
        loss = step(x, t)
        yield float(loss.data), (p.grad.data for p in params)


def chain(dz, x, made=as_it_is):
    x = dz.Variable(np.array(x))

    @made
    def step():
        y = x
        for _ in range(1000):
            y = y * 0.999 + x
        x.cleargrad()
        y.backward()
        return y

    while True:
        y = step()
        yield float(y.data), [x.grad.data]


def adam(dz, weights, grads, lr):
    model = dz.Layer()
    for i, (w, g) in enumerate(zip(weights, grads, strict=True)):
        p = dz.Parameter(w.copy())
        p.grad = dz.Variable(g)
        setattr(model, f"p{i}", p)
    params = [getattr(model, f"p{i}") for i in range(len(weights))]
    optimizer = dz.optimizers.Adam(lr).setup(model)
    while True:
        optimizer.update()
        yield 0, (p.data for p in params)


def steps(dz, **made):
    """The table `STEPS` of a library that is used as DeZero is. made: what is done to each step first."""
    return {
        "regression": partial(mlp, dz, "mean_squared_error", **made),
        "classification": partial(mlp, dz, "softmax_cross_entropy", **made),
        "convolution": partial(convolution, dz, **made),
        "curvature": partial(curvature, dz, **made),
        "chain": partial(chain, dz, **made),
        "adam": partial(adam, dz),
    }


STEPS = steps(tinygrad_jp) | {"transformer": transformer, "recurrent": recurrent}
