"""Where random numbers come from: an argument `rng`, or one default that `seed` makes reproducible."""

from typing import TypeAlias

import numpy as np

# Quoted, and the default is made at its first use: NumPy loads its generators only when they are named.
Rng: TypeAlias = "np.random.Generator | int | None"

_default: "np.random.Generator | None" = None


def seed(n: int) -> None:
    """Start the default generator anew, so that what follows is the same in every run.

    >>> seed(0)
    >>> first = generator().random()
    >>> seed(0)
    >>> first == generator().random()
    True
    """
    global _default
    _default = np.random.default_rng(n)


def generator(rng: Rng = None) -> "np.random.Generator":
    """The generator that `rng` stands for: itself, a new one from a seed, or the default."""
    global _default
    if rng is not None:
        return np.random.default_rng(rng)
    if _default is None:
        _default = np.random.default_rng()
    return _default
