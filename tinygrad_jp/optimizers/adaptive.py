"""Optimizers that scale the step of each element by the gradients it has had.

In the equations x is a parameter, g its gradient, and t counts the steps that x has taken, from 1. Products, powers and
roots are taken element by element, and every slot is zero at first. eps keeps divisions finite. The default settings
are those of DeZero if DeZero has the optimizer, otherwise those of its source; PyTorch's and Keras's are given where
they differ.
"""

import math
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from tinygrad_jp.core import Array
from tinygrad_jp.optimizers.optimizer import Optimizer, Rate

__all__ = ["AdaDelta", "AdaGrad", "AdaMax", "Adam", "AdamW", "Ftrl", "Nadam", "RMSprop"]


def update_mean(mean: Array, new: Array, beta: float, scratch: Array) -> None:
    """mean ← beta·mean + (1 − beta)·new: the running mean, in place. `new` and `scratch` may be the same array."""
    mean *= beta
    mean += np.multiply(new, 1 - beta, out=scratch)


def descend(x: Array, g: Array, h: Array, eps: float, rate: float, scratch: Array) -> None:
    """x ← x − rate·g / (√h + eps), in place. `h` and `scratch` may be the same array."""
    np.sqrt(h, out=scratch)
    scratch += eps
    np.divide(g, scratch, out=scratch)
    scratch *= rate
    x -= scratch


def either(lr: Rate, alpha: Rate | None, default: float) -> Rate:
    """The learning rate under whichever name it came: `alpha` is DeZero's."""
    if alpha is None:
        return lr
    if lr != default:
        raise TypeError(f"expected lr or alpha, which are the same setting, got lr={lr} and alpha={alpha}; give lr")
    return alpha


def _set_lr(optimizer: Optimizer, alpha: Rate) -> None:
    optimizer.lr = alpha


ALPHA = property(attrgetter("lr"), _set_lr, doc="DeZero's name for `lr`.")


class AdaGrad(Optimizer):
    """Steps scaled by all squared gradients so far, so that rare features learn as fast as frequent ones.

    h ← h + g²,  x ← x − lr·g / (√(h + initial) + eps).

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011. PyTorch: lr=0.01, eps=1e-10. Keras:
    initial=0.1, and eps=1e-7 below the root.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = AdaGrad(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.1], dtype=float32)
    """

    slots = ("h",)
    eps: float
    initial: float

    def __init__(self, lr: Rate = 0.001, eps: float = 1e-8, *, initial: float = 0.0) -> None:
        super().__init__(lr=lr, eps=eps, initial=initial)

    def step(self, x: Array, g: Array, h: Array, scratch: Array) -> None:
        h += np.multiply(g, g, out=scratch)
        descend(x, g, np.add(h, self.initial, out=scratch), self.eps, self.rate, scratch)


class RMSprop(Optimizer):
    """Steps scaled by a running mean of the squared gradient.

    h ← rho·h + (1 − rho)·g²,  x ← x − lr·g / (√h + eps).

    Source: Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning, 2012. PyTorch: lr=0.01, rho=0.99
    (called alpha). Keras: eps=1e-7, below the root. Both also offer momentum and a centred variant.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = RMSprop(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.316], dtype=float32)
    """

    slots = ("h",)
    rho: float
    eps: float

    def __init__(self, lr: Rate = 0.001, rho: float = 0.9, eps: float = 1e-8) -> None:
        super().__init__(lr=lr, rho=rho, eps=eps)

    def step(self, x: Array, g: Array, h: Array, scratch: Array) -> None:
        update_mean(h, np.multiply(g, g, out=scratch), self.rho, scratch)
        descend(x, g, h, self.eps, self.rate, scratch)


class AdaDelta(Optimizer):
    """Steps scaled by running means of the squared gradient and of the squared step.

    h ← rho·h + (1 − rho)·g²,  d = √(s + eps) / √(h + eps) · g,  s ← rho·s + (1 − rho)·d²,  x ← x − lr·d.

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, which has no lr: it is 1. PyTorch: rho=0.9.
    Keras: lr=0.001, eps=1e-7.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = AdaDelta().setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.004], dtype=float32)
    """

    slots = ("h", "s")
    n_scratch = 2
    rho: float
    eps: float

    def __init__(self, rho: float = 0.95, eps: float = 1e-6, *, lr: Rate = 1.0) -> None:
        super().__init__(rho=rho, eps=eps, lr=lr)

    def step(self, x: Array, g: Array, h: Array, s: Array, d: Array, scratch: Array) -> None:
        update_mean(h, np.multiply(g, g, out=scratch), self.rho, scratch)
        np.add(h, self.eps, out=scratch)
        np.divide(np.add(s, self.eps, out=d), scratch, out=d)
        np.sqrt(d, out=d)
        d *= g
        update_mean(s, np.multiply(d, d, out=scratch), self.rho, scratch)
        d *= self.rate
        x -= d


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,  x ← x − lr · m̂ / (√v̂ + eps),
    with m̂ = m / (1 − β1ᵗ), v̂ = v / (1 − β2ᵗ).

    `alpha` is DeZero's name for `lr`, as an argument and as an attribute. `lr` is the setting itself; in DeZero it is
    alpha·√(1 − β2ᵗ) / (1 − β1ᵗ). Raises TypeError if both are given.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1, with its defaults, which are
    also PyTorch's. Keras: eps=1e-7. Deviation: DeZero and Keras add eps to √v before the correction; the paper, PyTorch
    and this class add it afterwards.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = Adam(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.1], dtype=float32)
    """

    slots = ("m", "v")
    beta1: float
    beta2: float
    eps: float
    alpha = ALPHA

    def __init__(
        self,
        lr: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        alpha: Rate | None = None,
    ) -> None:
        super().__init__(lr=either(lr, alpha, 0.001), beta1=beta1, beta2=beta2, eps=eps)

    def step(self, x: Array, g: Array, m: Array, v: Array, scratch: Array) -> None:
        update_mean(m, g, self.beta1, scratch)
        update_mean(v, np.multiply(g, g, out=scratch), self.beta2, scratch)
        # m̂ / (√v̂ + eps) with the corrections taken out of the arrays: two passes fewer.
        correction = math.sqrt(1 - self.beta2**self.t)
        descend(x, m, v, self.eps * correction, self.rate * correction / (1 - self.beta1**self.t), scratch)


class AdamW(Adam):
    """Adam with weight decay applied to the parameter. The hook `WeightDecay` adds it to the gradient instead.

    x ← (1 − lr·weight_decay)·x, then Adam's step.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2. As in PyTorch and Keras,
    the decay is multiplied by lr, not by the schedule's factor alone. Keras: weight_decay=0.004, eps=1e-7.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = AdamW(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.1], dtype=float32)
    """

    weight_decay: float

    def __init__(
        self,
        lr: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.01,
        alpha: Rate | None = None,
    ) -> None:
        super().__init__(lr, beta1, beta2, eps, alpha=alpha)
        self._declare(weight_decay=weight_decay)

    def step(self, x: Array, g: Array, m: Array, v: Array, scratch: Array) -> None:
        x *= 1 - self.rate * self.weight_decay
        super().step(x, g, m, v, scratch)


class AdaMax(Adam):
    """Adam with the largest recent gradient in place of the mean square.

    m ← β1·m + (1 − β1)·g,  u ← max(β2·u, |g|),  x ← x − lr / (1 − β1ᵗ) · m / (u + eps).

    Source: Kingma and Ba, Adam, 2015, algorithm 2, with its defaults. It has no eps, and computes 0/0 if the first g
    is 0. PyTorch adds eps to |g| instead. Keras: lr=0.001, eps=1e-7.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = AdaMax(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.1], dtype=float32)
    """

    slots = ("m", "u")

    def __init__(
        self,
        lr: Rate = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        alpha: Rate | None = None,
    ) -> None:
        super().__init__(either(lr, alpha, 0.002), beta1, beta2, eps)

    def step(self, x: Array, g: Array, m: Array, u: Array, scratch: Array) -> None:
        update_mean(m, g, self.beta1, scratch)
        u *= self.beta2
        np.maximum(u, np.abs(g, out=scratch), out=u)
        np.divide(m, np.add(u, self.eps, out=scratch), out=scratch)
        scratch *= self.rate / (1 - self.beta1**self.t)
        x -= scratch


class Nadam(Adam):
    """Adam with Nesterov's momentum: each step looks one step ahead.

    m and v are Adam's. With μₜ = β1·(1 − 0.96^(0.004·t) / 2) and Pₜ = μ₁·…·μₜ:
    x ← x − lr · (μₜ₊₁·m / (1 − Pₜ₊₁) + (1 − μₜ)·g / (1 − Pₜ)) / (√v̂ + eps).

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016, with the μₜ of its experiments and its lr, as in
    PyTorch and Keras. Keras: lr=0.001, eps=1e-7.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = Nadam(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.106], dtype=float32)
    """

    n_scratch = 2

    def __init__(
        self,
        lr: Rate = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        alpha: Rate | None = None,
    ) -> None:
        super().__init__(either(lr, alpha, 0.002), beta1, beta2, eps)

    def momentum(self, t: int) -> float:
        """μₜ."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (0.004 * t))

    def product(self, t: int) -> float:
        """Pₜ. It counts only as 1 − Pₜ, which is 1 from step 100 on: μₜ stays below 0.6 until then."""
        return math.prod(map(self.momentum, range(1, t + 1))) if t < 100 else 0.0

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state({key: value for key, value in state.items() if key != "product"})  # Old states have it.

    def step(self, x: Array, g: Array, m: Array, v: Array, d: Array, scratch: Array) -> None:  # type: ignore[override]
        update_mean(m, g, self.beta1, scratch)
        update_mean(v, np.multiply(g, g, out=scratch), self.beta2, scratch)
        t = self.t
        np.multiply(m, self.rate * self.momentum(t + 1) / (1 - self.product(t + 1)), out=d)
        d += np.multiply(g, self.rate * (1 - self.momentum(t)) / (1 - self.product(t)), out=scratch)
        np.divide(v, 1 - self.beta2**t, out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += self.eps
        d /= scratch
        x -= d


class Ftrl(Optimizer):
    """Follow the regularized leader: the minimum over all gradients so far. With l1, many elements are exactly 0.

    z ← z + lr·g − (√(n + g²) − √n)·x,  n ← n + g², with n = initial at first,
    x ← −(z − sign(z)·lr·l1) / (beta + √n + lr·l2), or 0 where |z| ≤ lr·l1.

    Source: McMahan et al., Ad Click Prediction: a View from the Trenches, 2013, algorithm 1, where beta=1, initial=0;
    the defaults here are Keras's. The paper's z is z / lr here, so that lr may be a function of the update. Made
    for parameters that start at zero: an element whose gradients have all been 0 becomes 0.

    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = Ftrl(lr=0.1).setup(model)
    >>> model([[2.0]]).backward()
    >>> optimizer.update()
    >>> np.round(model.b.data, 3)
    array([-0.095], dtype=float32)
    """

    slots = ("z", "n")
    n_scratch = 2
    beta: float
    l1: float
    l2: float
    initial: float
    alpha = ALPHA

    def __init__(
        self,
        lr: Rate = 0.001,
        *,
        beta: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        initial: float = 0.1,
        alpha: Rate | None = None,
    ) -> None:
        super().__init__(lr=either(lr, alpha, 0.001), beta=beta, l1=l1, l2=l2, initial=initial)

    def step(self, x: Array, g: Array, z: Array, n: Array, root: Array, scratch: Array) -> None:
        np.sqrt(np.add(n, self.initial, out=scratch), out=scratch)
        n += np.multiply(g, g, out=root)
        np.sqrt(np.add(n, self.initial, out=root), out=root)
        scratch -= root
        scratch *= x
        z += scratch
        z += np.multiply(g, self.rate, out=scratch)
        l1 = self.rate * self.l1
        np.clip(z, -l1, l1, out=scratch)
        scratch -= z
        root += self.beta + self.rate * self.l2
        # With initial, beta and l2 of 0, an element without a gradient so far would be 0/0.
        np.maximum(root, np.finfo(x.dtype).tiny, out=root)
        np.divide(scratch, root, out=x)
