"""Random generators: the argument `rng`, or one default generator that `seed` makes reproducible."""

from typing import TypeAlias

import numpy as np

# Quoted, and the default is made at its first use: NumPy loads its generators only when they are used.
Rng: TypeAlias = "np.random.Generator | int | None"

_default: "np.random.Generator | None" = None


def seed(n: int) -> None:
    """Restart the default generator from the seed n, so that the numbers that follow are the same in every run.

    >>> seed(0)
    >>> first = generator().random()
    >>> seed(0)
    >>> first == generator().random()
    True
    """
    global _default
    _default = np.random.default_rng(n)


def generator(rng: Rng = None) -> "np.random.Generator":
    """The generator for `rng`: a Generator itself, a new one for a seed, the default one for None."""
    global _default
    if rng is not None:
        return np.random.default_rng(rng)
    if _default is None:
        _default = np.random.default_rng()
    return _default
