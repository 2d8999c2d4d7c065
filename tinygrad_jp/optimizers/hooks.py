"""Hooks change the gradients before each update, in the order of `optimizer.add_hook(hook)`.

A hook is a function of the list of parameters that have gradients. It gives a parameter another `grad`, or None, and
does not change the array of the old one. The hooks here compute in float32 at least, also for parameters of float16.
"""

import math

import numpy as np

from tinygrad_jp.core import Array, Parameter, Variable
from tinygrad_jp.devices import fetched
from tinygrad_jp.optimizers.buckets import compute_dtype

__all__ = ["ClipGrad", "ClipGradValue", "FreezeParam", "WeightDecay"]


def _positive(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected a number of at least 0, got {value}")
    return float(value)


def _wide(x: Variable) -> Array:
    """The data of x in the dtype to compute in."""
    return x.data.astype(compute_dtype(x.dtype), copy=False)


def _set_grad(p: Parameter, grad: Array) -> None:
    p.grad = Variable(grad.astype(p.dtype, copy=False))


class WeightDecay:
    """Draw every parameter towards zero: g ← g + rate·x, which adds the gradient of rate/2·x².

    >>> from tinygrad_jp import optimizers
    >>> optimizer = optimizers.SGD(0.1).add_hook(WeightDecay(1e-4))
    """

    def __init__(self, rate: float) -> None:
        self.rate = _positive("WeightDecay", rate)

    def __call__(self, params: list[Parameter]) -> None:
        for p in params:
            _set_grad(p, _wide(p.grad) + self.rate * _wide(p))


class ClipGrad:
    """Scale all gradients by one factor so that their norm over all parameters is at most `max_norm`.

    g ← g · min(1, max_norm / ‖g‖), with ‖g‖² = Σ g² over all elements of all parameters.

    Raises FloatingPointError if the norm is infinite or NaN; then nothing is updated.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013.

    >>> from tinygrad_jp import optimizers
    >>> optimizer = optimizers.SGD(0.1).add_hook(ClipGrad(1.0))
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _positive("ClipGrad", max_norm)

    def __call__(self, params: list[Parameter]) -> None:
        # In float64: squares of float32 overflow above 1.8e19.
        norms = [np.linalg.norm(p.grad.data.astype(np.float64).ravel()) for p in params]
        norm = math.hypot(*fetched(np.stack(norms))) if params else 0.0  # Fetched at once.
        if not math.isfinite(norm):
            raise FloatingPointError(
                f"ClipGrad: expected a finite norm of the gradients, got {norm}; lower the learning rate, "
                f"or look for log(0), a division by 0 and the like in the loss"
            )
        if norm > self.max_norm:
            for p in params:
                _set_grad(p, _wide(p.grad) * (self.max_norm / norm))


class ClipGradValue:
    """Clip every element of the gradients to [−max_value, max_value]. NaN stays NaN.

    >>> from tinygrad_jp import optimizers
    >>> optimizer = optimizers.SGD(0.1).add_hook(ClipGradValue(5.0))
    """

    def __init__(self, max_value: float) -> None:
        self.max_value = _positive("ClipGradValue", max_value)

    def __call__(self, params: list[Parameter]) -> None:
        for p in params:
            _set_grad(p, np.clip(_wide(p.grad), -self.max_value, self.max_value))


class FreezeParam:
    """Do not update the given Parameters, nor those of the given layers: their gradients are removed.

    >>> from tinygrad_jp import layers, optimizers
    >>> layer = layers.Linear(1)
    >>> optimizer = optimizers.SGD(0.1).add_hook(FreezeParam(layer))
    """

    def __init__(self, *layers: object) -> None:
        if wrong := [x for x in layers if not isinstance(x, Parameter) and not hasattr(x, "params")]:
            raise TypeError(f"FreezeParam: expected layers and Parameters, got {type(wrong[0]).__name__}")
        self.params = [p for x in layers for p in ([x] if isinstance(x, Parameter) else x.params())]  # type: ignore[attr-defined]

    def __call__(self, params: list[Parameter]) -> None:
        for p in self.params:
            p.cleargrad()
