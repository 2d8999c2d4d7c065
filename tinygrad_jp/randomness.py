"""Random numbers: from `rng`, from the generator that `seed` made, otherwise from NumPy's global state."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

# Quoted, and made at their first use: NumPy loads its generators only when they are used.
Rng: TypeAlias = "np.random.Generator | int | None"

_default: "np.random.Generator | None" = None


class NumpyState:
    """NumPy's global state with the methods of a Generator, so that `np.random.seed` decides what is drawn.

    What has the same name in both is looked up in `np.random`. The numbers are those of `np.random.randn`, `rand` and
    so on, as in DeZero.
    """

    def __init__(self, source: Any = None) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.random if self._source is None else self._source, name)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> Any:
        return np.asarray(self.normal(size=size), dtype)[()]

    def random(self, size: Any = None, dtype: Any = None) -> Any:
        """Always float64, so that a comparison with them has the same outcome as in DeZero."""
        return self.random_sample(size)

    def integers(self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64) -> Any:
        return self.randint(low, high, size, dtype)

    def spawn(self, n: int) -> "list[np.random.Generator]":
        return [np.random.default_rng(self.randint(0, 2**32, 4, np.uint32)) for _ in range(n)]

    @property
    def bit_generator(self) -> "NumpyState":
        return self

    @property
    def state(self) -> Any:
        return self.get_state(legacy=False)

    @state.setter
    def state(self, state: Any) -> None:
        self.set_state(state)


class Orders(NumpyState):
    """The orders of a loader from NumPy's global state. The next one is drawn ahead, when DeZero draws it."""

    ahead: Any = None

    def draw(self, n: int) -> None:
        self.ahead = np.random.permutation(n)

    def permutation(self, n: int) -> Any:
        order, self.ahead = self.ahead, None
        return np.random.permutation(n) if order is None else order

    @property
    def state(self) -> Any:
        return {"ahead": False if self.ahead is None else self.ahead.copy()}

    @state.setter
    def state(self, state: Any) -> None:
        if "ahead" not in state:
            raise ValueError(
                "expected the orders of a loader without a seed, got those of one that has; "
                "call tinygrad_jp.seed before the loader is made, as the saved run did"
            )
        self.ahead = None if state["ahead"] is False else np.array(state["ahead"])


class Default:
    """The state of the default generator, whichever that is, for checkpoints. Another instance only checks a state."""

    @property
    def bit_generator(self) -> "Default":
        return self

    @property
    def state(self) -> Any:
        return generator().bit_generator.state

    @state.setter
    def state(self, state: Any) -> None:
        global _default
        found = _resumed(state)
        if self is default_state:
            _default = None if isinstance(found, NumpyState) else found
            if _default is None:
                np.random.set_state(state)


default_state = Default()


def _resumed(state: Any) -> Any:
    """A generator that goes on from `state`."""
    found: Any = NumpyState(np.random.RandomState()) if "has_gauss" in state else np.random.default_rng()
    found.bit_generator.state = state
    return found


def seed(n: int | None) -> None:
    """Restart the default generator from the seed n, so that the numbers that follow are the same in every run.

    From then on NumPy's global state is neither read nor changed. `seed(None)` goes back to it.

    >>> seed(0)
    >>> first = generator().random()
    >>> seed(0)
    >>> first == generator().random()
    True
    """
    global _default
    _default = None if n is None else np.random.default_rng(n)


@contextmanager
def unchanged() -> Iterator[None]:
    """Inside a `with` block numbers may be drawn, and those that are drawn after it are the same as without it.

    >>> seed(0)
    >>> with unchanged():
    ...     first = generator().random()
    >>> first == generator().random()
    True
    """
    before, default = np.random.get_state(), _default
    state: Any = default.bit_generator.state if default is not None else None
    try:
        yield
    finally:
        np.random.set_state(before)
        if default is not None:
            default.bit_generator.state = state


def generator(rng: Rng = None) -> "np.random.Generator":
    """The generator for `rng`: a Generator itself, a new one for a seed, the default one for None.

    The default one is what `seed` made, and before that NumPy's global state.

    >>> seed(None)
    >>> np.random.seed(0)
    >>> generator().standard_normal(2).tolist()
    [1.764052345967664, 0.4001572083672233]
    """
    found: Any = rng
    if rng is None:
        found = NumpyState() if _default is None else _default
    chosen: Any = found if isinstance(found, NumpyState) else np.random.default_rng(found)
    return chosen


def seeded_as_in_the_book(seed: int) -> "np.random.Generator":
    """NumPy's state after `np.random.seed(seed)`: the global one if that is the default, which is then seeded."""
    found: Any = NumpyState(np.random.RandomState(seed))
    if _default is None:
        np.random.seed(seed)
        found = NumpyState()
    return found


def orders(rng: Rng = None) -> "np.random.Generator":
    """The generator of a loader's orders: one of its own, which the loader's batches alone advance."""
    default: Any = generator(rng)
    if rng is not None:
        return default
    own: Any = Orders() if isinstance(default, NumpyState) else default.spawn(1)[0]
    return own
