"""Training for the impatient: one loop, and what it remembers."""

from tinygrad_jp.fitting.history import History
from tinygrad_jp.fitting.loop import fit

__all__ = ["History", "fit"]


def __dir__() -> list[str]:
    return __all__
