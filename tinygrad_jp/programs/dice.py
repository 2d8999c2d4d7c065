"""Random numbers that a step draws by itself: a program would take them for the same in every call."""

import pickle
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np


class Dice:
    """Python's and NumPy's generators of random numbers, and others: whether they have been used."""

    def __init__(self, generators: Iterable[Any]) -> None:
        self.sources: list[tuple[Callable[[], Any], Callable[[Any], None]]] = [
            (random.getstate, random.setstate),
            (np.random.get_state, np.random.set_state),
        ]
        for g in generators:
            if isinstance(g, random.Random):
                self.sources.append((g.getstate, g.setstate))
            else:
                bits = getattr(g, "bit_generator", None) or g._bit_generator
                self.sources.append((partial(getattr, bits, "state"), partial(setattr, bits, "state")))
        self.first = self._states()
        self.known = self.first

    def _states(self) -> list[bytes]:
        return [pickle.dumps(get()) for get, _ in self.sources]

    def rolled(self) -> bool:
        """Whether numbers have been drawn since `renew`."""
        return self._states() != self.known

    def renew(self) -> None:
        """What has been drawn so far was right."""
        self.known = self._states()

    def restore(self) -> None:
        """Let all go on where they were at first."""
        for (_, put), state in zip(self.sources, self.first, strict=True):
            put(pickle.loads(state))
