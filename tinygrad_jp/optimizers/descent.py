"""Gradient descent, and descent with momentum."""

from typing import Any

import numpy as np

from tinygrad_jp.optimizers.optimizer import Optimizer, Rate

__all__ = ["SGD", "MomentumSGD", "Nesterov"]


class SGD(Optimizer):
    """Stochastic gradient descent.

    x ← x − lr·g, with x a parameter, g its gradient, lr the learning rate.

    Source: Robbins and Monro, A Stochastic Approximation Method, 1951. Keras has lr=0.01 too, PyTorch 0.001.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = SGD(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> model.b
    variable([-0.1])
    """

    lr: Rate

    def __init__(self, lr: Rate = 0.01) -> None:
        super().__init__(lr=lr)

    def step(self, x: Any, g: Any, work: Any) -> None:
        x -= np.multiply(g, self.rate, out=work)


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: the step remembers the steps before it.

    v ← momentum·v − lr·g,  x ← x + v, with v the velocity, zero at first.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964. PyTorch writes
    v ← momentum·v + g, x ← x − lr·v, which is the same while lr is constant. momentum=0.9 is DeZero's default; in
    PyTorch and Keras momentum is an argument of SGD, and 0 by default.
    """

    keeps = ("v",)
    lr: Rate
    momentum: float

    def __init__(self, lr: Rate = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr=lr, momentum=momentum)

    def step(self, x: Any, g: Any, v: Any, work: Any) -> None:
        v *= self.momentum
        v -= np.multiply(g, self.rate, out=work)
        x += v


class Nesterov(MomentumSGD):
    """Gradient descent with momentum, whose gradient is that of the point the momentum leads to.

    v ← momentum·v − lr·g,  x ← x + momentum·v − lr·g, with v the velocity, zero at first. The parameter x is already
    the point ahead, so that the gradient can be taken where the model is.

    Source: Nesterov, A method of solving a convex programming problem with convergence rate O(1/k²), 1983, in the form
    of Sutskever et al., On the importance of initialization and momentum in deep learning, 2013. It is
    SGD(nesterov=True) in PyTorch and Keras; there momentum has no default above 0.
    """

    def step(self, x: Any, g: Any, v: Any, work: Any) -> None:
        np.multiply(g, self.rate, out=work)
        v *= self.momentum
        v -= work
        x -= work
        x += np.multiply(v, self.momentum, out=work)
