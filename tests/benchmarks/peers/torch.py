"""PyTorch: eager, on the CPU, its optimizers with their default settings, as many threads as NumPy's BLAS."""

from functools import partial

import torch
from torch import nn

from tests.benchmarks.timing import threads

torch.set_num_threads(threads())


def mlp(loss_function, x, t, weights, lr):
    x, t = torch.from_numpy(x), torch.from_numpy(t)
    layers = []
    for W, b in zip(weights[::2], weights[1::2], strict=True):
        layer = nn.Linear(*W.shape)
        layer.weight.data, layer.bias.data = torch.tensor(W.T.copy()), torch.tensor(b)
        layers += [layer, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    while True:
        loss = loss_function(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item(), (p.grad.numpy().T for p in model.parameters())


def convolution(x, t, weights, lr):
    x, t = torch.from_numpy(x), torch.from_numpy(t)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10)),
    )
    for p, w in zip(model.parameters(), weights, strict=True):
        p.data = torch.tensor(w.T.copy() if w.ndim == 2 else w)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    while True:
        loss = nn.functional.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        grads = (p.grad.numpy() for p in model.parameters())
        yield loss.item(), (g.T if g.ndim == 2 else g for g in grads)


def chain(x):
    x = torch.tensor(x, requires_grad=True)
    while True:
        y = x
        for _ in range(1000):
            y = y * 0.999 + x
        x.grad = None
        y.backward()
        yield y.item(), [x.grad.numpy()]


def adam(weights, grads, lr):
    params = [nn.Parameter(torch.tensor(w)) for w in weights]
    for p, g in zip(params, grads, strict=True):
        p.grad = torch.tensor(g)
    optimizer = torch.optim.Adam(params, lr=lr)
    while True:
        optimizer.step()
        yield 0, (p.detach().numpy() for p in params)


STEPS = {
    "regression": partial(mlp, nn.functional.mse_loss),
    "classification": partial(mlp, nn.functional.cross_entropy),
    "convolution": convolution,
    "chain": chain,
    "adam": adam,
}
