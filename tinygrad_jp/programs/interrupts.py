"""Interrupts wait while a program changes parameters, so that none is changed without the others."""

import _signal as signal  # type: ignore[import-not-found]  # Ten times as fast as `signal`, which makes its results beautiful.
import threading
from typing import Any

_waiting: list[Any] = []


def _wait(*interrupt: Any) -> None:
    _waiting.append(interrupt)


def _release(handler: Any) -> None:
    """Let interrupts come again, and also one that came meanwhile."""
    signal.signal(signal.SIGINT, handler)
    if _waiting:
        interrupt = _waiting.pop()
        _waiting.clear()
        if callable(handler):
            handler(*interrupt)


HOLDING = {
    "handle": signal.signal,
    "SIGINT": signal.SIGINT,
    "wait": _wait,
    "thread": threading.get_ident,
    "MAIN": threading.main_thread().ident,  # Interrupts come in no other.
    "release": _release,
}
"""What the lines of a program use to let interrupts wait."""
