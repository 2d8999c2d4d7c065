"""Learning rates that change: functions of the step t = 1, 2, …, to be given in place of a number.

>>> from tinygrad_jp.optimizers import SGD, schedules
>>> optimizer = SGD(lr=schedules.cosine(0.1, 1000, warmup=50))

Any function of the step will do. Those from here can be pickled, and with them the optimizer.
"""

import math
from collections.abc import Callable
from functools import partial

__all__ = ["cosine", "exponential", "step_decay"]


def __dir__() -> list[str]:
    return __all__


Schedule = Callable[[int], float]


def step_decay(lr: float, every: int, gamma: float) -> Schedule:
    """Multiply the rate by gamma after every so many steps: lr · gamma^⌊(t − 1) / every⌋.

    >>> rate = step_decay(0.8, every=2, gamma=0.5)
    >>> [rate(t) for t in (1, 2, 3, 4, 5)]
    [0.8, 0.8, 0.4, 0.4, 0.2]
    """
    if every < 1:
        raise ValueError(f"step_decay: expected every of at least 1 step, got {every}")
    return partial(_step_decay, lr, every, gamma)


def _step_decay(lr: float, every: int, gamma: float, t: int) -> float:
    return lr * gamma ** ((t - 1) // every)


def exponential(lr: float, gamma: float) -> Schedule:
    """Multiply the rate by gamma after each step: lr · gamma^(t − 1).

    >>> rate = exponential(0.8, gamma=0.5)
    >>> [rate(t) for t in (1, 2, 3)]
    [0.8, 0.4, 0.2]
    """
    return step_decay(lr, 1, gamma)


def cosine(lr: float, steps: int, warmup: int = 0, final: float = 0.0) -> Schedule:
    """Rise in a line to lr, over the first `warmup` steps, and fall to `final` after `steps` steps, on half a cosine.

    lr · t / warmup for t ≤ warmup, then final + (lr − final) · (1 + cos(π·p)) / 2
    with p = (t − 1 − warmup) / (steps − warmup), at most 1.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, without restarts.

    >>> rate = cosine(0.8, steps=6, warmup=2)
    >>> [round(rate(t), 3) for t in (1, 2, 3, 4, 5, 6, 7, 8)]
    [0.4, 0.8, 0.8, 0.683, 0.4, 0.117, 0.0, 0.0]
    """
    if not 0 <= warmup < steps:
        raise ValueError(f"cosine: expected 0 <= warmup < steps, got warmup={warmup} and steps={steps}")
    return partial(_cosine, lr, steps, warmup, final)


def _cosine(lr: float, steps: int, warmup: int, final: float, t: int) -> float:
    if t <= warmup:
        return lr * t / warmup
    p = min(1, (t - 1 - warmup) / (steps - warmup))
    return final + (lr - final) * (1 + math.cos(math.pi * p)) / 2
