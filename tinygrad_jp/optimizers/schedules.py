"""Schedules: learning rates that change. They are functions of the update t, to be passed in place of a number.

Updates are counted from 1, as `optimizer.t` counts them: the first update takes the rate of t = 1. Before it, at t = 0,
the rate is the same.

>>> from tinygrad_jp.optimizers import SGD, schedules
>>> optimizer = SGD(lr=schedules.cosine(0.1, 1000, warmup=50))

Any function of t will do. The schedules here can be pickled, and with them the optimizer.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

from tinygrad_jp.hints import HINTS
from tinygrad_jp.names import aliases

__all__ = ["by_epoch", "cosine", "exponential", "plateau", "step_decay"]


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__, HINTS[__name__])


Schedule = Callable[[int], float]


def step_decay(lr: float, every: int, gamma: float) -> Schedule:
    """Multiply the rate by gamma after every `every` updates: lr · gamma^⌊(t − 1) / every⌋.

    Raises ValueError if `every` is below 1, or lr or gamma is negative.

    >>> rate = step_decay(0.8, every=2, gamma=0.5)
    >>> [rate(t) for t in (1, 2, 3, 4, 5)]
    [0.8, 0.8, 0.4, 0.4, 0.2]
    """
    if not every >= 1:
        raise ValueError(f"step_decay: expected every of at least 1 step, got {every}")
    _check_rates("step_decay", lr=lr, gamma=gamma)
    return partial(_step_decay, lr, every, gamma)


def _step_decay(lr: float, every: int, gamma: float, t: int) -> float:
    return lr * gamma ** (max(0, t - 1) // every)


def exponential(lr: float, gamma: float) -> Schedule:
    """Multiply the rate by gamma after each update: lr · gamma^(t − 1).

    Raises ValueError if lr or gamma is negative.

    >>> rate = exponential(0.8, gamma=0.5)
    >>> [rate(t) for t in (1, 2, 3)]
    [0.8, 0.4, 0.2]
    """
    _check_rates("exponential", lr=lr, gamma=gamma)
    return step_decay(lr, 1, gamma)


def cosine(lr: float, steps: int, warmup: int = 0, final: float = 0.0) -> Schedule:
    """Rise linearly to lr over the first `warmup` updates, then fall along half a cosine to `final` after `steps`.

    lr · t / warmup for t ≤ warmup, then final + (lr − final) · (1 + cos(π·p)) / 2
    with p = (t − 1 − warmup) / (steps − warmup), at most 1.

    Raises ValueError unless 0 ≤ warmup < steps, or if lr or final is negative.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, without restarts.

    >>> rate = cosine(0.8, steps=6, warmup=2)
    >>> [round(rate(t), 3) for t in (1, 2, 3, 4, 5, 6, 7, 8)]
    [0.4, 0.8, 0.8, 0.683, 0.4, 0.117, 0.0, 0.0]
    """
    if not 0 <= warmup < steps:
        raise ValueError(f"cosine: expected 0 <= warmup < steps, got warmup={warmup} and steps={steps}")
    _check_rates("cosine", lr=lr, final=final)
    return partial(_cosine, lr, steps, warmup, final)


def _cosine(lr: float, steps: int, warmup: int, final: float, t: int) -> float:
    t = max(1, t)
    if t <= warmup:
        return lr * t / warmup
    p = min(1, (t - 1 - warmup) / (steps - warmup))
    return final + (lr - final) * (1 + math.cos(math.pi * p)) / 2


def by_epoch(schedule: Schedule, updates: int) -> Schedule:
    """Let a schedule count epochs of so many `updates` each, usually `len(loader)`: the rate is the same in all of one.

    Raises ValueError if `updates` is below 1.

    >>> rate = by_epoch(step_decay(0.8, every=1, gamma=0.5), updates=3)
    >>> [rate(t) for t in (1, 2, 3, 4, 5, 6, 7)]
    [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2]
    """
    if not updates >= 1:
        raise ValueError(f"by_epoch: expected at least 1 update in an epoch, got {updates}")
    return partial(_by_epoch, schedule, updates)


def _by_epoch(schedule: Schedule, updates: int, t: int) -> float:
    return schedule(1 + max(0, t - 1) // updates)


class plateau:
    """Multiply the rate by gamma whenever the loss has not become lower for `patience` reports in a row.

    Call `report(loss)` after each epoch; `fit` does. The rate does not fall below `final`. `state()` and
    `load_state(state)` are for runs that are resumed.

    >>> rate = plateau(0.8, gamma=0.5, patience=2)
    >>> for loss in (3.0, 2.0, 2.5, 2.1, 1.9):
    ...     rate.report(loss)
    ...     print(rate(1))
    0.8
    0.8
    0.8
    0.4
    0.4
    """

    def __init__(self, lr: float, gamma: float = 0.1, patience: int = 10, final: float = 0.0) -> None:
        _check_rates("plateau", lr=lr, gamma=gamma, final=final)
        if not patience >= 1:
            raise ValueError(f"plateau: expected patience of at least 1 report, got {patience}")
        self.lr, self.gamma, self.patience, self.final = lr, gamma, patience, final
        self.best, self.waited = math.inf, 0

    def __call__(self, t: int) -> float:
        return self.lr

    def report(self, loss: float) -> None:
        """Say how large the loss is, of an epoch or of the validation set."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited >= self.patience:
            self.lr, self.waited = max(self.final, self.lr * self.gamma), 0

    def state(self) -> dict[str, float]:
        """The rate, the lowest loss, and for how many reports it has stayed the lowest."""
        return {"lr": self.lr, "best": self.best, "waited": self.waited}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Go on from what `state()` returned."""
        self.lr, self.best, self.waited = state["lr"], state["best"], int(state["waited"])

    def __repr__(self) -> str:
        return f"plateau({self.lr:g}, gamma={self.gamma:g}, patience={self.patience})"


def _check_rates(name: str, **rates: float) -> None:
    for key, value in rates.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}: expected {key} of at least 0 and below inf, got {value}")
