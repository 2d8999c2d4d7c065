"""The base of all models, and the two general ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp import graph
from tinygrad_jp import layers as L
from tinygrad_jp.core import ArrayLike, Variable
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.layers.initializers import Initializer
from tinygrad_jp.randomness import Rng, generator

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MLP", "Model", "Sequential"]


class Model(L.Layer):
    """A layer that can draw itself.

    >>> import numpy as np
    >>> from tinygrad_jp import layers as L
    >>> class Line(Model):
    ...     def __init__(self):
    ...         self.l1 = L.Linear(1)
    ...     def forward(self, x):
    ...         return self.l1(x)
    >>> Line()(np.ones((5, 2))).shape
    (5, 1)
    """

    def plot(self, *inputs: Any, to_file: "str | Path" = "model.png") -> "Path":
        """Call the model on `inputs` and write the picture of its graph to `to_file`."""
        return graph.plot_dot_graph(self(*inputs), verbose=True, to_file=to_file)


class Sequential(Model):
    """Layers and functions, applied one after the other.

    >>> model = Sequential(L.Linear(10), F.relu, L.Linear(1))
    >>> model([[1.0, 2.0]]).shape
    (1, 1)

    It is a sequence of these: `model[0]`, `len(model)`, `for layer in model`; `model[:2]` is a Sequential that shares
    the first two.

    >>> len(model), model[-1], model[:2]([[1.0, 2.0]]).shape
    (3, Linear(10, 1): 11 parameters, (1, 10))
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        _set_enumerated(self, layers)
        self.layers = layers

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __bool__(self) -> bool:
        return True  # A model is there, also one of no layers.

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def _torch_names(self) -> Mapping[str, str]:
        return {f"l{i}": f"{i}." for i in range(len(self.layers))}


class MLP(Model):
    """A multilayer perceptron: fully connected layers of these sizes, with `activation` after each but the last.

    The sizes are those of the outputs, one by one or in a tuple: `MLP(10, 1)` is `MLP((10, 1))`.

    >>> model = MLP(10, 1, activation=F.relu)
    >>> model([[1.0, 2.0]]).shape
    (1, 1)
    """

    def __init__(
        self,
        fc_output_sizes: int | Sequence[int],
        *more: Any,
        activation: Callable[[Any], Variable] = F.sigmoid,
        dtype: DTypeLike = np.float32,
        init: Initializer = "lecun",
        rng: Rng = None,
    ) -> None:
        if more and callable(more[-1]):  # DeZero's order: MLP((10, 1), F.relu).
            *more, activation = more  # type: ignore[assignment]
        sizes = (*([fc_output_sizes] if np.ndim(fc_output_sizes) == 0 else fc_output_sizes), *more)  # type: ignore[misc]
        if not sizes or not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
            raise TypeError(f"MLP: expected sizes as positive integers, such as MLP(32, 1), got {sizes}")
        self.activation = activation
        rng = generator(rng) if rng is not None else None
        layers = tuple(L.Linear(size, dtype=dtype, init=init, rng=rng) for size in sizes)
        _set_enumerated(self, layers)
        self.layers = layers

    def forward(self, x: ArrayLike) -> Variable:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x), inplace=True) if self.activation is F.relu else self.activation(layer(x))
        y: Variable = self.layers[-1](x)
        return y


def _set_enumerated(model: Model, layers: Sequence[Callable[[Any], Any]]) -> None:
    """Make `layers` the attributes l0, l1, ... of `model`: DeZero's names for them."""
    for i, layer in enumerate(layers):
        if not callable(layer):
            kind = type(model).__name__
            raise TypeError(f"{kind}: expected layers and functions, got {type(layer).__name__}; write {kind}(*layers)")
        setattr(model, f"l{i}", layer)
