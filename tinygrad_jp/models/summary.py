"""The summary of a model: the output of each layer, and the size of its Parameters."""

import functools
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from tinygrad_jp.core import Parameter, using_config
from tinygrad_jp.formatting import printable
from tinygrad_jp.layers import Layer

__all__ = ["summary"]

_Call = tuple[int, str, Layer, list[str]]  # How deep a layer was called, its path, itself, and its output.


def summary(model: Layer, *inputs: Any) -> str:
    """A table of the layers in the order in which `model(*inputs)` calls them, each above the layers in it.

    The columns are the shape of the output, the number of elements that the layer and those in it learn, and their
    bytes. Every Parameter counts once, so that the lines below a layer add up to its own: a layer that is called twice
    comes twice, with a dash in the place of what is counted above, and Parameters that a layer uses without calling
    their own have lines of their own.

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
    calls: list[_Call] = []
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
    return _table([("layer", "output", "parameters", "bytes"), *_rows(calls, 0, model.params())])


def _rows(calls: list[_Call], first: int, counted: list[Parameter]) -> Iterator[tuple[str, ...]]:
    """The row of the call number `first`, for which these Parameters count, and those of the calls inside it."""
    depth, name, layer, output = calls[first]
    yield _row(depth, name, layer._signature(), "".join(output), counted, bool(layer.params()))
    inner = list(takewhile(lambda i: calls[i][0] > depth, range(first + 1, len(calls))))
    left = {id(p): p for p in counted}
    for i in inner:
        if calls[i][0] == depth + 1:
            yield from _rows(calls, i, [p for p in calls[i][2].params() if left.pop(id(p), None) is not None])
    for path, p in layer.named_params().items() if inner else ():
        if id(p) in left:
            yield _row(depth + 1, path, type(p).__name__, str(p.shape) if p.data is not None else "", [p], True)


def _row(depth: int, name: str, kind: str, output: str, counted: list[Parameter], learns: bool) -> tuple[str, ...]:
    data = [p.data for p in counted if p.data is not None]
    sizes = (sum(a.size for a in data), sum(a.nbytes for a in data))
    title = printable(f"{'  ' * depth}{name + '  ' if name else ''}{kind}")
    return title, output, *(f"{size:,}" if counted or not learns else "–" for size in sizes)


def _shape(y: Any) -> str:
    """The shape of an output, or of each of several."""
    if isinstance(y, tuple):
        return ", ".join(map(_shape, y))
    return str(y.shape) if hasattr(y, "shape") else type(y).__name__


def _table(rows: list[tuple[str, ...]]) -> str:
    """Columns under their titles, numbers to the right."""
    a, b, c, d = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(f"{name:{a}}  {shape:{b}}  {n:>{c}}  {size:>{d}}" for name, shape, n, size in rows)
