"""Gradient descent, and descent with momentum."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.optimizers.optimizer import Optimizer

__all__ = ["SGD", "MomentumSGD"]

Rate = float | Callable[[int], float]


class SGD(Optimizer):
    """Stochastic gradient descent.

    x ← x − lr·g, with x a parameter, g its gradient, lr the learning rate.

    Source: Robbins and Monro, A Stochastic Approximation Method, 1951.
    """

    def __init__(self, lr: Rate = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def step(self, x: Any, g: Any, work: Any) -> None:
        x -= np.multiply(g, self.rate, out=work)


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: the step remembers the steps before it.

    v ← momentum·v − lr·g,  x ← x + v, with v the velocity, zero at first.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964. PyTorch writes
    v ← momentum·v + g, x ← x − lr·v, which is the same while lr is constant.
    """

    keeps = ("v",)

    def __init__(self, lr: Rate = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum

    def step(self, x: Any, g: Any, v: Any, work: Any) -> None:
        v *= self.momentum
        v -= np.multiply(g, self.rate, out=work)
        x += v
