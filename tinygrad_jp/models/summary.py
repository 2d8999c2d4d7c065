"""The summary of a model: the output of each layer, and the size of its Parameters."""

import functools
from typing import Any

from tinygrad_jp.core import using_config
from tinygrad_jp.formatting import printable
from tinygrad_jp.layers import Layer

__all__ = ["summary"]


def summary(model: Layer, *inputs: Any) -> str:
    """A table of the layers in the order in which `model(*inputs)` calls them, each above the layers in it.

    The columns are the shape of the output, the number of elements that the layer and those in it learn, and their
    bytes. A layer that is called twice comes twice; the first line, the model, counts every Parameter once.

    The model is run once under `no_grad()` and `test_mode()`. Parameters that wait for their data get them. All
    attributes of the layers, such as the state of a recurrent one, are restored afterwards.

    >>> from tinygrad_jp import functions as F, layers as L, models
    >>> print(summary(models.Sequential(L.Conv2d(8, 3), F.relu, F.flatten, L.Linear(10)), [[[[0.5] * 5] * 5]]))
    layer                  output        parameters  bytes
    Sequential             (1, 10)              810  3,240
      l0  Conv2d(1, 8, 3)  (1, 8, 3, 3)          80    320
      l3  Linear(72, 10)   (1, 10)              730  2,920
    """
    layers = list(model.layers_by_path())
    before = [dict(vars(layer)) for _, layer in layers]
    calls: list[tuple[int, str, Layer, list[str]]] = []
    within: list[str] = []

    def noted(path: str, layer: Layer, forward: Any, *args: Any, **options: Any) -> Any:
        name = path.removeprefix(f"{within[-1]}.") if within and within[-1] else path
        output: list[str] = []
        calls.append((len(within), name, layer, output))
        within.append(path)
        y = forward(*args, **options)
        within.pop()
        output.append(_shape(y))
        return y

    try:
        for path, layer in layers:
            vars(layer)["forward"] = functools.partial(noted, path, layer, layer.forward)
        with using_config("enable_backprop", False), using_config("train", False):
            model(*inputs)
    finally:
        for (_, layer), attributes in zip(layers, before, strict=True):
            vars(layer).clear()
            vars(layer).update(attributes)
    return _table([("layer", "output", "parameters", "bytes"), *(_row(*call) for call in calls)])


def _row(depth: int, name: str, layer: Layer, output: list[str]) -> tuple[str, ...]:
    data = [p.data for p in layer.params() if p.data is not None]
    title = printable(f"{'  ' * depth}{name + '  ' if name else ''}{layer._signature()}")
    return title, *output, f"{sum(a.size for a in data):,}", f"{sum(a.nbytes for a in data):,}"


def _shape(y: Any) -> str:
    """The shape of an output, or of each of several."""
    if isinstance(y, tuple):
        return ", ".join(map(_shape, y))
    return str(y.shape) if hasattr(y, "shape") else type(y).__name__


def _table(rows: list[tuple[str, ...]]) -> str:
    """Columns under their titles, numbers to the right."""
    a, b, c, d = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(f"{name:{a}}  {shape:{b}}  {n:>{c}}  {size:>{d}}" for name, shape, n, size in rows)
