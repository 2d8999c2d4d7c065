"""PyTorch: eager, on the CPU, its optimizers with their default settings, as many threads as NumPy's BLAS."""

from functools import partial

import torch
from torch import nn

from tests.benchmarks.timing import threads

torch.set_num_threads(threads())


def network(weights):
    layers = []
    for W, b in zip(weights[::2], weights[1::2], strict=True):
        layer = nn.Linear(*W.shape)
        layer.weight.data, layer.bias.data = torch.tensor(W.T.copy()), torch.tensor(b)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def mlp(loss_function, x, t, weights, lr):
    x, t, model = torch.from_numpy(x), torch.from_numpy(t), network(weights)
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


class Block(nn.Module):
    def __init__(self, width, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.norm1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2, self.wide, self.narrow = (
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.Linear(4 * width, width),
        )

    def forward(self, x):
        N, T, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(N, T, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(N, T, D))
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, n_vocab, n_layers, width, n_heads, context):
        super().__init__()
        self.token, self.position = nn.Embedding(n_vocab, width), nn.Embedding(context, width)
        self.blocks, self.norm = nn.Sequential(*(Block(width, n_heads) for _ in range(n_layers))), nn.LayerNorm(width)

    def forward(self, ids):
        x = self.blocks(self.token(ids) + self.position.weight[: ids.shape[1]])
        return nn.functional.linear(self.norm(x), self.token.weight)


def transformer(x, t, weights, lr):
    (n_vocab, width), context = weights[0].shape, len(weights[1])
    x, t, model = torch.from_numpy(x), torch.from_numpy(t), GPT(n_vocab, (len(weights) - 4) // 12, width, 4, context)
    turned = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Linear)}
    for p, w in zip(model.parameters(), weights, strict=True):
        p.data = torch.tensor(w.T.copy() if id(p) in turned else w)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    while True:
        loss = nn.functional.cross_entropy(model(x).view(-1, n_vocab), t.view(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item(), (p.grad.numpy().T if id(p) in turned else p.grad.numpy() for p in model.parameters())


def recurrent(x, weights, lr):
    x, (W, U, b) = torch.from_numpy(x), weights
    layer = nn.LSTM(*W.shape[:1], len(U), batch_first=True)
    for p, w in zip(layer.parameters(), (W.T, U.T, b, 0 * b), strict=True):
        p.data = torch.tensor(w.copy())
    params = list(layer.parameters())[:3]  # The fourth is a second b, which is left at zero.
    optimizer = torch.optim.SGD(params, lr=lr)
    while True:
        y, _ = layer(x)
        loss = (y**2).mean()
        layer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item(), (p.grad.numpy().T for p in params)


def curvature(x, t, weights, vectors):
    x, t, model = torch.from_numpy(x), torch.from_numpy(t), network(weights)
    params, vectors = list(model.parameters()), [torch.from_numpy(v.T.copy()) for v in vectors]
    while True:
        loss = nn.functional.cross_entropy(model(x), t)
        gradients = torch.autograd.grad(loss, params, create_graph=True)
        z = sum((g * v).sum() for g, v in zip(gradients, vectors, strict=True))
        yield loss.item(), (g.numpy().T for g in torch.autograd.grad(z, params))


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
    "curvature": curvature,
    "recurrent": recurrent,
    "transformer": transformer,
    "chain": chain,
    "adam": adam,
}
