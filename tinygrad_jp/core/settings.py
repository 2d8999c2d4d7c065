"""Settings of the engine. Each belongs to the thread or the task that sets it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

ENABLE_BACKPROP: ContextVar[bool] = ContextVar("enable_backprop", default=True)
TRAIN: ContextVar[bool] = ContextVar("train", default=True)
DIFFERENTIATING: ContextVar[bool] = ContextVar("differentiating", default=False)
"""Whether `grad` or one of its kin is calling the function that it differentiates."""
OBSERVER: ContextVar[Any] = ContextVar("observer", default=None)
"""The `Observer` that watches the engine in this thread or task, or None."""

_SETTINGS: dict[str, ContextVar[bool]] = {"enable_backprop": ENABLE_BACKPROP, "train": TRAIN}


class _Config:
    """The settings in force at the place of the call: `Config.enable_backprop` and `Config.train`."""

    def __getattr__(self, name: str) -> bool:
        return _setting(name).get()

    def __setattr__(self, name: str, value: bool) -> None:
        _setting(name).set(value)


Config = _Config()


def _setting(name: str) -> ContextVar[bool]:
    if name not in _SETTINGS:
        raise AttributeError(f"no setting is named {name!r}; there are {', '.join(map(repr, _SETTINGS))}")
    return _SETTINGS[name]


@contextmanager
def using_config(name: str, value: bool) -> Iterator[None]:
    """Hold the setting `name` at `value` inside a `with` block.

    >>> with using_config("train", False):
    ...     Config.train
    False
    >>> Config.train
    True
    """
    setting = _setting(name)
    before = setting.set(value)
    try:
        yield
    finally:
        setting.reset(before)


def no_grad():  # type: ignore[no-untyped-def]
    """Record no graph inside the `with` block (or the decorated function): less memory, and no gradients.

    >>> from tinygrad_jp import Variable
    >>> x = Variable(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.creator is None
    True
    """
    return using_config("enable_backprop", False)


def test_mode():  # type: ignore[no-untyped-def]
    """Compute as a trained network does inside the `with` block: dropout lets everything pass.

    >>> import tinygrad_jp.functions as F
    >>> with test_mode():
    ...     F.dropout([1.0, 2.0])
    variable([1. 2.])
    """
    return using_config("train", False)
