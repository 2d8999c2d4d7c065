"""The names and shapes that another library has for the arrays of a layer.

A layer says in `_torch_names` what PyTorch calls its arrays and the layers in it, and in `_to_torch` how its arrays are
divided there. The layers are above this room, so nothing here knows one by name.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_jp.formatting import printable

Arrays = dict[str, Any]


def to_layout(model: Any, arrays: Arrays, layout: str | None) -> Arrays:
    """`arrays`, which have the paths in `model` as names, as `layout` names and shapes them."""
    if not _is_torch(layout):
        return arrays
    torch: list[tuple[str, Any]] = []
    for path, layer, prefix, keys in _layers(model):
        names = layer._torch_names()
        for key, array in layer._to_torch({key: arrays[_joined(path, key)] for key in keys}).items():
            name = names.get(key, key)
            torch.append((prefix + name.removesuffix(".T"), _arranged(name, array)))
    if len(dict(torch)) < len(torch):
        raise ValueError(f"{type(model).__name__}: two arrays would have the same name in PyTorch; rename an attribute")
    return dict(torch)


def from_layout(model: Any, arrays: Arrays, layout: str | None) -> Arrays:
    """`arrays`, named and shaped as in `layout`, by the paths in `model`. Raises ValueError if the names do not fit."""
    if not _is_torch(layout):
        return arrays
    left = {name: a for name, a in arrays.items() if not name.endswith("num_batches_tracked")}
    held, torch = model._named_arrays(), dict[str, str]()
    ours = Arrays()
    for path, layer, prefix, keys in _layers(model):
        names = {key: key for key in keys} | layer._torch_names()
        torch |= {_joined(path, key): prefix + name.removesuffix(".T") for key, name in names.items()}
        found = {key: torch[_joined(path, key)] for key in names}
        own = {key: _arranged(names[key], left.pop(name)) for key, name in found.items() if name in left}
        try:
            ours |= {_joined(path, key): array for key, array in layer._from_torch(own).items()}
        except ValueError as error:
            raise ValueError(f"{_joined(path, type(layer).__name__)}: {error}") from None
    missing = [torch.get(path, path) for path in held if path not in ours]
    unknown = [*left, *(torch.get(path, path) for path in ours if path not in held)]
    if missing or unknown:
        raise ValueError(
            f"{type(model).__name__}: expected PyTorch's names for its arrays; missing: {_some(missing)}; "
            f"not known: {_some(unknown)}"
        )
    return ours


def _is_torch(layout: str | None) -> bool:
    if layout not in (None, "torch"):
        raise ValueError(f"layout: expected None or 'torch', got {layout!r}")
    return layout is not None


def _layers(model: Any) -> list[tuple[str, Any, str, list[str]]]:
    """Every layer in `model`: its path, itself, what PyTorch's names begin with there, and the keys of its arrays."""
    layers: dict[str, tuple[Any, str, list[str]]] = {}
    for path, layer in model.layers_by_path():  # The holder of a layer comes before it.
        holder, key = _split(path, layers) if layers else ("", "")
        above, prefix, _ = layers.get(holder, (None, "", []))
        layers[path] = layer, prefix + above._torch_names().get(key, f"{key}.") if above else "", []
    for path in model._named_arrays():
        holder, key = _split(path, layers)
        layers[holder][2].append(key)
    return [(path, *rest) for path, rest in layers.items()]


def _split(path: str, layers: Iterable[str]) -> tuple[str, str]:
    """The path of the innermost of `layers` on the way to `path`, and the key there: of a list, this has two parts."""
    holder = path.rpartition(".")[0]
    while holder and holder not in layers:
        holder = holder.rpartition(".")[0]
    return holder, path[len(holder) + bool(holder) :]


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _arranged(name: str, array: Any) -> Any:
    return np.array(array.T, order="C") if name.endswith(".T") else array


def _some(names: list[str]) -> str:
    return ", ".join(map(printable, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"
