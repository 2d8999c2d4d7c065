"""Optimizers that give each number a step of its own, scaled by the gradients it had.

In their equations x is a parameter, g its gradient, t the number of the step, from 1; products, powers and roots are
taken element by element, and all that is kept is zero at first. eps keeps divisions finite. By default the settings are
DeZero's where DeZero has the optimizer, else those of its source; PyTorch's and Keras's are named where they differ.
"""

import math
from typing import Any

import numpy as np

from tinygrad_jp.optimizers.optimizer import Optimizer, Rate

__all__ = ["AdaDelta", "AdaGrad", "AdaMax", "Adam", "AdamW", "Ftrl", "Nadam", "RMSprop"]


def follow(mean: Any, new: Any, beta: float, work: Any) -> None:
    """mean ← beta·mean + (1 − beta)·new: the running mean, in place. `new` and `work` may be the same array."""
    mean *= beta
    mean += np.multiply(new, 1 - beta, out=work)


class AdaGrad(Optimizer):
    """Steps scaled by all squared gradients so far, so that rare features learn as fast as frequent ones.

    h ← h + g²,  x ← x − lr·g / (√(h + initial) + eps).

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011. PyTorch: lr=0.01, eps=1e-10. Keras:
    initial=0.1, and eps=1e-7 below the root.
    """

    keeps = ("h",)
    lr: Rate
    eps: float
    initial: float

    def __init__(self, lr: Rate = 0.001, eps: float = 1e-8, *, initial: float = 0.0) -> None:
        super().__init__(lr=lr, eps=eps, initial=initial)

    def step(self, x: Any, g: Any, h: Any, work: Any) -> None:
        h += np.multiply(g, g, out=work)
        np.sqrt(np.add(h, self.initial, out=work), out=work)
        work += self.eps
        np.divide(g, work, out=work)
        work *= self.rate
        x -= work


class RMSprop(Optimizer):
    """Steps scaled by a running mean of the squared gradient.

    h ← rho·h + (1 − rho)·g²,  x ← x − lr·g / (√h + eps).

    Source: Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning, 2012. PyTorch: lr=0.01, rho=0.99
    (its alpha). Keras: eps=1e-7, below the root. Both can add momentum, and subtract the squared mean; we cannot.
    """

    keeps = ("h",)
    lr: Rate
    rho: float
    eps: float

    def __init__(self, lr: Rate = 0.001, rho: float = 0.9, eps: float = 1e-8) -> None:
        super().__init__(lr=lr, rho=rho, eps=eps)

    def step(self, x: Any, g: Any, h: Any, work: Any) -> None:
        follow(h, np.multiply(g, g, out=work), self.rho, work)
        np.sqrt(h, out=work)
        work += self.eps
        np.divide(g, work, out=work)
        work *= self.rate
        x -= work


class AdaDelta(Optimizer):
    """Steps as large as the steps so far, by running means of the squared gradient and of the squared step.

    h ← rho·h + (1 − rho)·g²,  d = √(s + eps) / √(h + eps) · g,  s ← rho·s + (1 − rho)·d²,  x ← x − lr·d.

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, where there is no lr: it is 1. PyTorch: rho=0.9.
    Keras: lr=0.001, eps=1e-7.
    """

    keeps = ("h", "s")
    works = 2
    lr: Rate
    rho: float
    eps: float

    def __init__(self, rho: float = 0.95, eps: float = 1e-6, *, lr: Rate = 1.0) -> None:
        super().__init__(rho=rho, eps=eps, lr=lr)

    def step(self, x: Any, g: Any, h: Any, s: Any, d: Any, work: Any) -> None:
        follow(h, np.multiply(g, g, out=work), self.rho, work)
        np.add(h, self.eps, out=work)
        np.divide(np.add(s, self.eps, out=d), work, out=d)
        np.sqrt(d, out=d)
        d *= g
        follow(s, np.multiply(d, d, out=work), self.rho, work)
        d *= self.rate
        x -= d


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,  x ← x − alpha · m̂ / (√v̂ + eps),
    with m̂ = m / (1 − β1ᵗ), v̂ = v / (1 − β2ᵗ).

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1, with its defaults, which are
    PyTorch's too. Keras: eps=1e-7. Deviation: DeZero and Keras add eps to √v before the correction; the paper, PyTorch
    and we, after it.
    """

    keeps = ("m", "v")
    rate_name = "alpha"
    alpha: Rate
    beta1: float
    beta2: float
    eps: float

    def __init__(self, alpha: Rate = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__(alpha=alpha, beta1=beta1, beta2=beta2, eps=eps)

    def step(self, x: Any, g: Any, m: Any, v: Any, work: Any) -> None:
        follow(m, g, self.beta1, work)
        follow(v, np.multiply(g, g, out=work), self.beta2, work)
        # m̂ / (√v̂ + eps), with the corrections drawn out of the arrays: two passes less.
        correction = math.sqrt(1 - self.beta2**self.t)
        np.sqrt(v, out=work)
        work += self.eps * correction
        np.divide(m, work, out=work)
        work *= self.rate * correction / (1 - self.beta1**self.t)
        x -= work


class AdamW(Adam):
    """Adam with weight decay beside the step, not through the gradient as the hook `WeightDecay` has it.

    x ← (1 − alpha·weight_decay)·x, then Adam's step.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2. Like PyTorch and Keras we
    multiply the decay by alpha, not by the schedule's factor alone. Keras: weight_decay=0.004, eps=1e-7.
    """

    weight_decay: float

    def __init__(
        self,
        alpha: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(alpha, beta1, beta2, eps)
        self._set(weight_decay=weight_decay)

    def step(self, x: Any, g: Any, m: Any, v: Any, work: Any) -> None:
        x *= 1 - self.rate * self.weight_decay
        super().step(x, g, m, v, work)


class AdaMax(Adam):
    """Adam with the largest gradient of late in place of the mean square.

    m ← β1·m + (1 − β1)·g,  u ← max(β2·u, |g|),  x ← x − alpha / (1 − β1ᵗ) · m / (u + eps).

    Source: Kingma and Ba, Adam, 2015, algorithm 2, with its defaults; it has no eps, and 0/0 where g is 0 at first.
    PyTorch adds eps to |g| instead. Keras: alpha=0.001, eps=1e-7.
    """

    keeps = ("m", "u")

    def __init__(self, alpha: Rate = 0.002, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__(alpha, beta1, beta2, eps)

    def step(self, x: Any, g: Any, m: Any, u: Any, work: Any) -> None:
        follow(m, g, self.beta1, work)
        u *= self.beta2
        np.maximum(u, np.abs(g, out=work), out=u)
        np.divide(m, np.add(u, self.eps, out=work), out=work)
        work *= self.rate / (1 - self.beta1**self.t)
        x -= work


class Nadam(Adam):
    """Adam with Nesterov's momentum: the step looks one step ahead.

    m and v as Adam has them, with μₜ = β1·(1 − 0.96^(0.004·t) / 2) and Pₜ = μ₁·…·μₜ (`product`):
    x ← x − alpha · (μₜ₊₁·m / (1 − Pₜ₊₁) + (1 − μₜ)·g / (1 − Pₜ)) / (√v̂ + eps).

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016, with the μₜ of its experiments and its alpha, as in
    PyTorch and Keras. Keras: alpha=0.001, eps=1e-7.
    """

    works = 2
    product: float

    def __init__(self, alpha: Rate = 0.002, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__(alpha, beta1, beta2, eps)
        self.product = 1.0

    def momentum(self, t: int) -> float:
        """μₜ."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (0.004 * t))

    def begin(self) -> None:
        super().begin()
        self.product *= self.momentum(self.t)

    def step(self, x: Any, g: Any, m: Any, v: Any, d: Any, work: Any) -> None:  # type: ignore[override]
        follow(m, g, self.beta1, work)
        follow(v, np.multiply(g, g, out=work), self.beta2, work)
        now, ahead = self.momentum(self.t), self.momentum(self.t + 1)
        np.multiply(m, self.rate * ahead / (1 - self.product * ahead), out=d)
        d += np.multiply(g, self.rate * (1 - now) / (1 - self.product), out=work)
        np.divide(v, 1 - self.beta2**self.t, out=work)
        np.sqrt(work, out=work)
        work += self.eps
        d /= work
        x -= d


class Ftrl(Optimizer):
    """Follow the regularized leader: a minimum over all gradients so far, which with l1 is exactly 0 in many numbers.

    z ← z + alpha·g − (√(n + g²) − √n)·x,  n ← n + g², with n = initial at first,
    x ← −(z − sign(z)·alpha·l1) / (beta + √n + alpha·l2), or 0 where |z| ≤ alpha·l1.

    Source: McMahan et al., Ad Click Prediction: a View from the Trenches, 2013, algorithm 1, where beta=1, initial=0;
    our defaults are Keras's. The paper's z is z / alpha here, so that alpha may be a function of the step. Made for
    parameters that are zero at first: a number that had no gradient but 0 becomes 0.
    """

    keeps = ("z", "n")
    works = 2
    rate_name = "alpha"
    alpha: Rate
    beta: float
    l1: float
    l2: float
    initial: float

    def __init__(
        self, alpha: Rate = 0.001, *, beta: float = 0.0, l1: float = 0.0, l2: float = 0.0, initial: float = 0.1
    ) -> None:
        super().__init__(alpha=alpha, beta=beta, l1=l1, l2=l2, initial=initial)

    def step(self, x: Any, g: Any, z: Any, n: Any, root: Any, work: Any) -> None:
        np.sqrt(np.add(n, self.initial, out=work), out=work)
        n += np.multiply(g, g, out=root)
        np.sqrt(np.add(n, self.initial, out=root), out=root)
        work -= root
        work *= x
        z += work
        z += np.multiply(g, self.rate, out=work)
        l1 = self.rate * self.l1
        np.clip(z, -l1, l1, out=work)
        work -= z
        root += self.beta + self.rate * self.l2
        # Where initial, beta and l2 are 0, a number that had no gradient yet would be 0/0.
        np.maximum(root, np.finfo(x.dtype).tiny, out=root)
        np.divide(work, root, out=x)
