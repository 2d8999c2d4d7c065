"""JAX under `jit`: each step is compiled when it is first called; weights and data stay on its device, the CPU."""

import itertools
import os
from functools import partial

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
import jax
import jax.numpy as np
import numpy

jax.config.update("jax_enable_x64", True)  # The results are compared in float64.


def mean_squared_error(y, t):
    return np.mean((y - t) ** 2)


def softmax_cross_entropy(y, t):
    return -np.mean(np.take_along_axis(jax.nn.log_softmax(y), t[..., None], axis=-1))


def network(weights, x):
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = jax.nn.relu(x @ W + b)
    return x @ weights[-2] + weights[-1]


def training(forward, x, t, weights, lr):
    """Gradient descent on `forward(weights, x, t)`, as one compiled step."""
    weights, x, t = [np.asarray(w) for w in weights], np.asarray(x), np.asarray(t)
    lr = x.dtype.type(lr) if x.dtype.kind == "f" else weights[0].dtype.type(lr)

    @partial(jax.jit, donate_argnums=0)
    def step(weights, x, t):
        loss, grads = jax.value_and_grad(forward)(weights, x, t)
        return loss, grads, [w - lr * g for w, g in zip(weights, grads, strict=True)]

    while True:
        loss, grads, weights = step(weights, x, t)
        yield float(loss), map(numpy.asarray, grads)


def mlp(loss_function, x, t, weights, lr):
    yield from training(lambda weights, x, t: loss_function(network(weights, x), t), x, t, weights, lr)


def convolution(x, t, weights, lr):
    def forward(weights, x, t):
        for W, b in zip(weights[:4:2], weights[1:4:2], strict=True):
            x = jax.lax.conv_general_dilated(x, W, (1, 1), "SAME") + b[:, None, None]
            x = jax.lax.reduce_window(jax.nn.relu(x), -numpy.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return softmax_cross_entropy(network(weights[4:], x.reshape(len(x), -1)), t)

    yield from training(forward, x, t, weights, lr)


def recurrent(x, weights, lr):
    def forward(weights, x, _):
        W, U, b = weights

        def step(state, z):
            h, c = state
            i, f, u, o = np.split(z + h @ U, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * np.tanh(u)
            h = jax.nn.sigmoid(o) * np.tanh(c)
            return (h, c), h

        zero = np.zeros((len(x), len(U)), x.dtype)
        _, hs = jax.lax.scan(step, (zero, zero), np.swapaxes(x, 0, 1) @ W + b)
        return np.mean(hs**2)

    yield from training(forward, x, 0, weights, lr)


def gpt(weights, x, t, n_heads=4):
    (token, position), blocks, (gamma, beta) = weights[:2], weights[2:-2], weights[-2:]
    N, T = x.shape
    mask = np.tri(T, dtype=bool)

    def norm(x, gamma, beta):
        x = x - x.mean(axis=-1, keepdims=True)
        return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5) * gamma + beta

    h = token[x] + position[:T]
    for i in range(0, len(blocks), 12):
        gamma1, beta1, W1, b1, W2, b2, gamma2, beta2, W3, b3, W4, b4 = blocks[i : i + 12]
        qkv = (norm(h, gamma1, beta1) @ W1 + b1).reshape(N, T, 3, n_heads, -1).transpose(2, 0, 3, 1, 4)
        scores = qkv[0] @ qkv[1].swapaxes(-1, -2) / numpy.sqrt(qkv.shape[-1]).astype(h.dtype)
        y = jax.nn.softmax(np.where(mask, scores, -numpy.inf)) @ qkv[2]
        h = h + y.transpose(0, 2, 1, 3).reshape(N, T, -1) @ W2 + b2
        h = h + jax.nn.gelu(norm(h, gamma2, beta2) @ W3 + b3, approximate=True) @ W4 + b4
    return softmax_cross_entropy(norm(h, gamma, beta) @ token.T, t)


def transformer(x, t, weights, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """With Adam."""
    weights, x, t = [np.asarray(w) for w in weights], np.asarray(x), np.asarray(t)
    ms, vs = ([np.zeros_like(w) for w in weights] for _ in range(2))

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(weights, ms, vs, count, x, t):
        loss, grads = jax.value_and_grad(gpt)(weights, x, t)
        ms = [beta1 * m + (1 - beta1) * g for m, g in zip(ms, grads, strict=True)]
        vs = [beta2 * v + (1 - beta2) * g * g for v, g in zip(vs, grads, strict=True)]
        a, b = ((1 / (1 - beta**count)).astype(loss.dtype) for beta in (beta1, beta2))
        steps = [lr * m * a / (np.sqrt(v * b) + eps) for m, v in zip(ms, vs, strict=True)]
        return loss, grads, [w - s for w, s in zip(weights, steps, strict=True)], ms, vs

    for count in itertools.count(1):
        loss, grads, weights, ms, vs = step(weights, ms, vs, float(count), x, t)
        yield float(loss), map(numpy.asarray, grads)


def curvature(x, t, weights, vectors):
    weights, vectors = ([np.asarray(w) for w in ws] for ws in (weights, vectors))
    x, t = np.asarray(x), np.asarray(t)

    @jax.jit
    def product(weights, x, t):
        def forward(weights):
            return softmax_cross_entropy(network(weights, x), t)

        _, along = jax.jvp(jax.grad(forward), (weights,), (vectors,))
        return forward(weights), along

    while True:
        loss, along = product(weights, x, t)
        yield float(loss), map(numpy.asarray, along)


STEPS = {
    "regression": partial(mlp, mean_squared_error),
    "classification": partial(mlp, softmax_cross_entropy),
    "convolution": convolution,
    "recurrent": recurrent,
    "transformer": transformer,
    "curvature": curvature,
}
