"""The plain arrays that a step is given, or finds at names: what it writes into them stays there."""

from typing import Any

import numpy as np

from tinygrad_jp.programs.effects import SetArray
from tinygrad_jp.programs.recorded import Held
from tinygrad_jp.programs.values import Value
from tinygrad_jp.programs.watching import Watched, put


class Kept:
    """The arrays of one recording, as its arguments and at its names."""

    def __init__(self, take: Any) -> None:
        self.take = take
        self.handles: list[
            tuple[Held, Value, Any, Any]
        ] = []  # What the step sees, its first Value, the array, the owner.
        self.by_id: dict[int, Held] = {}

    def enter(self) -> None:
        """Put recorded arrays in the place of those that names hold."""
        for name in self.take.world.arrays:
            key = id(name.value)
            if key not in self.by_id:
                self.by_id[key] = handle = self.hold(name.value, name.label, name)
                self.take.recorder.named.add(handle.value)
            put(name.holder, name.key, self.by_id[key])

    def hold(self, array: Any, label: str, owner: Any) -> Held:
        value = self.take.input(array, label, "{}", owner)
        handle = Held(self.take.recorder, value)
        handle.is_number = not isinstance(array, np.ndarray)
        self.handles.append((handle, value, array, owner))
        return handle

    def is_at(self, name: Watched, now: Any) -> bool:
        """Whether a name still holds its array."""
        return self.by_id.get(id(name.value), self) is now

    def leave(self) -> None:
        """Write down what has been written into arrays."""
        for handle, value, array, owner in self.handles:
            if handle.value is not value and isinstance(array, np.ndarray):
                self.refuse_if_shared(array)
                self.take.effect(SetArray(owner), handle.value)

    def refuse_if_shared(self, array: Any) -> None:
        """A program that writes into an array would not see that another is changed by that."""
        others = [a for _, _, a, _ in self.handles] + [*self.take.arrays.values()]
        if sum(np.may_share_memory(array, a) for a in others) > 1:
            self.take.recorder.refuse(
                "writes into an array that shares memory with another; make a copy of one of them"
            )

    def settle(self) -> None:
        """Put the arrays back, with what has been written into them."""
        for handle, value, array, _ in self.handles:
            if handle.value is not value and isinstance(array, np.ndarray):
                value._array = array.copy()
                array[...] = handle.value.data
        for name in self.take.world.arrays:
            if self.is_at(name, name.now()):
                put(name.holder, name.key, name.value)
