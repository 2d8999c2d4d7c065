"""Hooks: what is done to the gradients before each update, in the order of `optimizer.add_hook(hook)`.

A hook is a function of the list of parameters that have gradients. It gives a parameter another `grad`, or None, and
leaves the arrays of the old one alone.
"""

import math
from typing import Any

import numpy as np

from tinygrad_jp.core import Parameter, Variable

__all__ = ["ClipGrad", "ClipGradValue", "FreezeParam", "WeightDecay"]


def _positive(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected a number of at least 0, got {value}")
    return float(value)


class WeightDecay:
    """Draw every parameter towards zero: g ← g + rate·x, the gradient of rate/2·x².

    >>> from tinygrad_jp import optimizers
    >>> optimizer = optimizers.SGD(0.1)
    >>> optimizer.add_hook(WeightDecay(1e-4))
    """

    def __init__(self, rate: float) -> None:
        self.rate = _positive("WeightDecay", rate)

    def __call__(self, params: list[Parameter]) -> None:
        for p in params:
            p.grad = Variable(p.grad.data + self.rate * p.data)


class ClipGrad:
    """Scale the gradients down together, so that the norm over all parameters is at most `max_norm`.

    g ← g · min(1, max_norm / ‖g‖), with ‖g‖² = Σ g² over all numbers of all parameters.

    Raises FloatingPointError where the norm is infinite or NaN; then nothing is updated.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _positive("ClipGrad", max_norm)

    def __call__(self, params: list[Parameter]) -> None:
        # In float64: squares of float32 overflow above 1.8e19.
        norm = math.hypot(*(float(np.linalg.norm(p.grad.data.astype(np.float64).ravel())) for p in params))
        if not math.isfinite(norm):
            raise FloatingPointError(
                f"ClipGrad: expected a finite norm of the gradients, got {norm}; lower the learning rate, "
                f"or look for log(0), a division by 0 and the like in the loss"
            )
        if norm > self.max_norm:
            for p in params:
                p.grad = Variable(p.grad.data * (self.max_norm / norm))


class ClipGradValue:
    """Bring every number of the gradients into [−max_value, max_value]; NaN stays."""

    def __init__(self, max_value: float) -> None:
        self.max_value = _positive("ClipGradValue", max_value)

    def __call__(self, params: list[Parameter]) -> None:
        for p in params:
            p.grad = Variable(np.clip(p.grad.data, -self.max_value, self.max_value))


class FreezeParam:
    """Take the gradients from the given parameters, and from those of the given layers: they are not updated."""

    def __init__(self, *layers: Any) -> None:
        if wrong := [x for x in layers if not isinstance(x, Parameter) and not hasattr(x, "params")]:
            raise TypeError(f"FreezeParam: expected layers and Parameters, got {type(wrong[0]).__name__}")
        self.params = [p for x in layers for p in ([x] if isinstance(x, Parameter) else x.params())]

    def __call__(self, params: list[Parameter]) -> None:
        for p in self.params:
            p.cleargrad()
