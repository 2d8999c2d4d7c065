"""Optimizers: how parameters follow their gradients. All change the parameters in place."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from tinygrad_jp.core import Parameter

__all__ = ["SGD", "Adam", "MomentumSGD", "Optimizer"]

Array = np.ndarray[Any, Any]


class Optimizer:
    """What all optimizers share. A subclass writes `update_one(self, x, gx)`, which changes the array `x` in place.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = SGD(lr=0.1).setup(model)
    >>> loss = (model([[1.0]]) ** 2).sum()
    >>> loss.backward()
    >>> optimizer.update()
    >>> float((model([[1.0]]) ** 2).sum()) < float(loss)
    True
    """

    def __init__(self) -> None:
        self.target: Any = None
        self.hooks: list[Callable[[list[Parameter]], None]] = []

    def setup(self, target: Any) -> Self:
        """Set the model whose parameters are to be updated."""
        if not callable(getattr(target, "params", None)):
            raise TypeError(f"setup: expected a model or a layer, got {type(target).__name__}")
        self.target = target
        return self

    def add_hook(self, hook: Callable[[list[Parameter]], None]) -> None:
        """Call `hook(params)` before each update, with the parameters that have gradients."""
        self.hooks.append(hook)

    def update(self) -> None:
        """Update every parameter that has a gradient."""
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}: no model to update; call setup(model) first")
        params = [p for p in self.target.params() if p.grad is not None]
        if not params:
            raise RuntimeError(f"{type(self).__name__}: no parameter has a gradient; call loss.backward() first")
        for hook in self.hooks:
            hook(params)
        for p in params:
            self.update_one(p)

    def update_one(self, param: Parameter) -> None:
        """Change `param.data` in place by `param.grad.data`."""
        raise NotImplementedError(f"{type(self).__name__}: write update_one(self, param)")


class SGD(Optimizer):
    """Stochastic gradient descent.

    x ← x − lr·g, with x a parameter, g its gradient, lr the learning rate.

    Source: Robbins and Monro, A Stochastic Approximation Method, 1951.
    """

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

        self.step: dict[Parameter, Array] = {}

    def update_one(self, param: Parameter) -> None:
        x, g = param.data, param.grad.data
        if param not in self.step:
            self.step[param] = np.empty_like(x)
        x -= np.multiply(g, self.lr, out=self.step[param])


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: the step remembers the steps before it.

    v ← momentum·v − lr·g,  x ← x + v, with v the velocity, zero at first.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964. PyTorch writes
    v ← momentum·v + g, x ← x − lr·v, which is the same while lr is constant.
    """

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum
        self.v: dict[Parameter, Array] = {}

    def update_one(self, param: Parameter) -> None:
        x, g = param.data, param.grad.data
        if param not in self.v:
            self.v[param] = np.zeros_like(x)
        v = self.v[param]
        v *= self.momentum
        v -= self.lr * g
        x += v


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,  x ← x − alpha · m̂ / (√v̂ + eps),
    with m̂ = m / (1 − β1ᵗ), v̂ = v / (1 − β2ᵗ) and t the number of the step, from 1.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1, with its defaults. Deviation:
    DeZero adds eps to √v before the correction; the paper, and we, after it.
    """

    def __init__(self, alpha: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__()
        self.alpha, self.beta1, self.beta2, self.eps = alpha, beta1, beta2, eps
        self.t = 0
        self.state: dict[Parameter, tuple[Array, Array, Array]] = {}

    def update(self) -> None:
        self.t += 1
        super().update()

    def update_one(self, param: Parameter) -> None:
        x, g = param.data, param.grad.data
        if param not in self.state:
            self.state[param] = (np.zeros_like(x), np.zeros_like(x), np.empty_like(x))
        m, v, step = self.state[param]
        np.subtract(g, m, out=step)
        step *= 1 - self.beta1
        m += step
        np.multiply(g, g, out=step)
        step -= v
        step *= 1 - self.beta2
        v += step
        np.divide(v, 1 - self.beta2**self.t, out=step)
        np.sqrt(step, out=step)
        step += self.eps
        np.divide(m, step, out=step)
        step *= self.alpha / (1 - self.beta1**self.t)
        x -= step
