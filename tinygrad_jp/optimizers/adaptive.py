"""Optimizers that give each number a step of its own, scaled by the gradients it had."""

from typing import Any

import numpy as np

from tinygrad_jp.optimizers.descent import Rate
from tinygrad_jp.optimizers.optimizer import Optimizer

__all__ = ["Adam"]


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,  x ← x − alpha · m̂ / (√v̂ + eps),
    with m̂ = m / (1 − β1ᵗ), v̂ = v / (1 − β2ᵗ) and t the number of the step, from 1.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1, with its defaults. Deviation:
    DeZero adds eps to √v before the correction; the paper, and we, after it.
    """

    keeps = ("m", "v")
    rate_name = "alpha"

    def __init__(self, alpha: Rate = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__()
        self.alpha, self.beta1, self.beta2, self.eps = alpha, beta1, beta2, eps

    def step(self, x: Any, g: Any, m: Any, v: Any, work: Any) -> None:
        np.subtract(g, m, out=work)
        work *= 1 - self.beta1
        m += work
        np.multiply(g, g, out=work)
        work -= v
        work *= 1 - self.beta2
        v += work
        np.divide(v, 1 - self.beta2**self.t, out=work)
        np.sqrt(work, out=work)
        work += self.eps
        np.divide(m, work, out=work)
        work *= self.rate / (1 - self.beta1**self.t)
        x -= work
