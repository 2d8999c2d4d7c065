"""Gradient descent, and descent with momentum."""

import numpy as np

from tinygrad_jp.core import Array
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

    def __init__(self, lr: Rate = 0.01) -> None:
        super().__init__(lr=lr)

    def step(self, x: Array, g: Array, scratch: Array) -> None:
        np.subtract(x, np.multiply(g, self.rate, scratch), x)


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: each step carries on part of the last one.

    v ← momentum·v − lr·g,  x ← x + v, with v the velocity, zero at first.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964. PyTorch computes
    v ← momentum·v + g, x ← x − lr·v, which is the same while lr is constant. momentum=0.9 is DeZero's default. In
    PyTorch and Keras, momentum is an argument of SGD, and 0 by default.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = MomentumSGD(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.1], dtype=float32)
    """

    slots = ("v",)
    momentum: float

    def __init__(self, lr: Rate = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr=lr, momentum=momentum)

    def step(self, x: Array, g: Array, v: Array, scratch: Array) -> None:
        v *= self.momentum
        v -= np.multiply(g, self.rate, out=scratch)
        x += v


class Nesterov(MomentumSGD):
    """Gradient descent with momentum that takes its gradient at the point to which the momentum leads.

    v ← momentum·v − lr·g,  x ← x + momentum·v − lr·g, with v the velocity, zero at first. The parameter x is already
    that point, so the gradient is simply the model's.

    Source: Nesterov, A method of solving a convex programming problem with convergence rate O(1/k²), 1983, in the form
    of Sutskever et al., On the importance of initialization and momentum in deep learning, 2013. In PyTorch and
    Keras it is SGD(momentum=0.9, nesterov=True).

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = Nesterov(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.19], dtype=float32)
    """

    def step(self, x: Array, g: Array, v: Array, scratch: Array) -> None:
        np.multiply(g, self.rate, out=scratch)
        v *= self.momentum
        v -= scratch
        x -= scratch
        x += np.multiply(v, self.momentum, out=scratch)
