"""Layers: functions that hold what they learn. Known as `L`."""

from typing import Any

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp.core import Parameter, Variable
from tinygrad_jp.randomness import Rng, generator

__all__ = ["Layer", "Linear"]


class Layer:
    """A function that holds Parameters, and other Layers that hold theirs.

    A subclass assigns them to attributes, alone or in lists, tuples and dicts, and writes `forward`.

    >>> class TwoLayers(Layer):
    ...     def __init__(self):
    ...         self.l1 = Linear(3, in_size=2)
    ...         self.l2 = Linear(1, in_size=3)
    ...     def forward(self, x):
    ...         return self.l2(F.relu(self.l1(x)))
    >>> [(name, p.shape) for name, p in TwoLayers().named_params().items()]
    [('l1.W', (2, 3)), ('l1.b', (3,)), ('l2.W', (3, 1)), ('l2.b', (1,))]
    """

    def __call__(self, *inputs: Any) -> Any:
        return self.forward(*inputs)

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: write forward(self, x)")

    def params(self) -> list[Parameter]:
        """Every Parameter in the order of definition; one that is shared comes once, where it is first."""
        return list(_find_params(self, None, {}, set()))

    def named_params(self) -> dict[str, Parameter]:
        """Every Parameter by its path, such as `l1.W`, in the order of `params`."""
        return {".".join(map(str, path)): p for p, path in _find_params(self, (), {}, set()).items()}

    def cleargrads(self) -> None:
        """Forget the gradients of all Parameters."""
        for p in self.params():
            p.cleargrad()


_HOLDERS = (Layer, list, tuple, dict)


def _find_params(node: Any, path: Any, found: dict[Any, Any], seen: set[int]) -> dict[Any, Any]:
    """Add to `found` each Parameter in `node`, a layer or a collection of layers, with the path there (if not None)."""
    seen.add(id(node))
    children = vars(node) if isinstance(node, Layer) else node
    for key, child in children.items() if isinstance(children, dict) else enumerate(children):
        if isinstance(child, Parameter):
            found.setdefault(child, path if path is None else (*path, key))
        elif isinstance(child, _HOLDERS) and id(child) not in seen:
            _find_params(child, path if path is None else (*path, key), found, seen)
    return found


class Linear(Layer):
    """A fully connected layer, y = x·W + b, with x (..., I), W (I, O), b (O,) and y (..., O).

    W is drawn from a normal distribution of variance 1/I (LeCun et al., Efficient BackProp, 1998), b is zero. Where
    `in_size` is not given, the first x decides it. `nobias` leaves out b.

    >>> layer = Linear(3, rng=0)
    >>> layer(np.ones((5, 2), np.float32)).shape, layer.W.shape
    ((5, 3), (2, 3))
    """

    def __init__(
        self,
        out_size: int,
        nobias: bool = False,
        dtype: Any = np.float32,
        in_size: int | None = None,
        *,
        rng: Rng = None,
    ) -> None:
        self.out_size, self.dtype, self.rng = out_size, dtype, rng
        self.W = Parameter(name="W")
        self.b = None if nobias else Parameter(np.zeros(out_size, dtype), name="b")
        if in_size is not None:
            self._init_W(in_size)

    def _init_W(self, in_size: int) -> None:
        W = generator(self.rng).standard_normal((in_size, self.out_size)) / np.sqrt(in_size)
        self.W.data = W.astype(self.dtype)

    def forward(self, x: Any) -> Variable:
        if not hasattr(x, "shape"):
            x = np.asarray(x)
        if self.W.data is None and x.ndim:
            self._init_W(x.shape[-1])
        if x.shape[-1:] != self.W.shape[:1]:
            raise ValueError(
                f"Linear: expected x of shape (..., {self.W.shape[0]}), got {x.shape}; "
                f"flatten each example first, or give the layer another in_size"
            )
        return F.linear(x, self.W, self.b)
