"""What all layers share: they hold Parameters and other layers, and find them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_jp.core import Parameter, Variable, next_sequence
from tinygrad_jp.files import Pathlike, load_weights, save_weights
from tinygrad_jp.formatting import printable

__all__ = ["Buffer", "Layer"]


class Buffer(Parameter):
    """An array that a layer keeps and saves with its Parameters, but does not learn: a running mean, say."""

    __slots__ = ()


class Layer:
    """A function that holds Parameters, and other Layers that hold theirs.

    A subclass assigns them to attributes, alone or in lists, tuples and dicts, and writes `forward`.

    >>> from tinygrad_jp import functions as F, layers as L
    >>> class TwoLayers(Layer):
    ...     def __init__(self):
    ...         self.l1 = L.Linear(3, in_size=2)
    ...         self.l2 = L.Linear(1, in_size=3)
    ...     def forward(self, x):
    ...         return self.l2(F.relu(self.l1(x)))
    >>> model = TwoLayers()
    >>> [(name, p.shape) for name, p in model.named_params().items()]
    [('l1.W', (2, 3)), ('l1.b', (3,)), ('l2.W', (3, 1)), ('l2.b', (1,))]
    >>> model
    TwoLayers: 13 parameters
      l1  Linear(2, 3): 9
      l2  Linear(3, 1): 4
    """

    __slots__ = ("__dict__", "__weakref__", "_known")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        start = next_sequence()
        y = self.forward(*inputs, **options)
        for output in y if isinstance(y, tuple) else (y,):
            # What pictures need: all that was recorded since `start` was recorded inside this layer.
            if isinstance(output, Variable) and (f := output.creator) is not None and f.sequence > start:
                f.layer = (self, start, f.layer)
        return y

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name)
        if isinstance(before, Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{type(self).__name__}: expected a Parameter or None as {name}, got {type(value).__name__}, "
                f"which would not be learned; change {name}.data instead"
            )
        object.__setattr__(self, name, value)
        if _kinds[type(value)] or _kinds[type(before)]:
            _changes[0] = next_sequence()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        _changes[0] = next_sequence()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: write forward(self, x)")

    def params(self) -> list[Parameter]:
        """Every Parameter in the order of definition; one that is shared comes once, where it is first."""
        return [*self._learned()]

    def named_params(self) -> dict[str, Parameter]:
        """Every Parameter by its path, such as `l1.W`, in the order of `params`."""
        return {path: p for path, p in self._held().items() if not isinstance(p, Buffer)}

    def cleargrads(self) -> None:
        """Forget the gradients of all Parameters."""
        for p in self._learned():
            p.cleargrad()

    def _learned(self) -> list[Parameter]:
        """Every Parameter; looked for anew after a change of any layer, or where a list or a dict may have changed."""
        stamp, params = getattr(self, "_known", (None, []))
        if stamp != _changes[0]:
            stamp, kinds = _changes[0], set[Any]()
            params = list(_collect((self,), {}, set(), kinds))
            object.__setattr__(self, "_known", (stamp if kinds.isdisjoint((list, dict)) else None, params))
        return params

    def layers_by_path(self) -> Iterator[tuple[str, "Layer"]]:
        """Every layer in this one with its path, each once and before those in it; this one first, its path empty."""
        return _layers(self, "", set())

    # State

    def state(self) -> dict[str, Any]:
        """A copy of every array that the layer learns or keeps, by its path.

        Raises RuntimeError where a Parameter still waits for its data.

        >>> from tinygrad_jp.layers import Linear
        >>> list(Linear(3, in_size=2).state())
        ['W', 'b']
        """
        held = self._held()
        waiting = [path for path, p in held.items() if p._data is None]
        if waiting:
            raise RuntimeError(
                f"{type(self).__name__}: {_some(waiting)} still wait for their data; "
                f"call the model once on an example, or give the layers their input sizes"
            )
        return {path: p.data.copy() for path, p in held.items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state()` of a layer of the same structure gave: all of it, or none where an error is raised.

        Each array is converted to the dtype of the one it replaces. Raises ValueError where an entry is missing, is
        not known, or has another shape.
        """
        held, name = self._held(), type(self).__name__
        arrays = {path: np.asarray(value) for path, value in state.items()}
        missing, unknown = [key for key in held if key not in arrays], [key for key in arrays if key not in held]
        if missing or unknown:
            raise ValueError(
                f"{name}: expected the entries {_some(held)}; missing: {_some(missing)}; not known: {_some(unknown)}"
            )
        for path, p in held.items():
            where = f"{name}: {printable(path)}"
            if arrays[path].dtype.kind not in "fiub":
                raise ValueError(f"{where}: expected numbers, got dtype {arrays[path].dtype}")
            if p._data is not None and arrays[path].shape != p.shape:
                raise ValueError(f"{where}: expected the shape {p.shape}, got {arrays[path].shape}")
        copies = [a.astype(a.dtype if p._data is None else p.dtype) for p, a in ((held[k], arrays[k]) for k in held)]
        for p, copy in zip(held.values(), copies, strict=True):
            p.data = copy

    def save_weights(self, path: Pathlike, *, layout: str | None = None) -> None:
        """Write every array of `state()` to `path`, which ends in .npz or .safetensors (needs the package safetensors).

        An .npz file is NumPy's, without pickle; its keys are the paths. With `layout="torch"` the names and the shapes
        are PyTorch's: `fc.weight` (O, I) for `fc.W` (I, O), so that a module of the same attributes can
        `load_state_dict` them; layers in a `Sequential` are numbered as there.

        The file is written whole or not at all: whatever stops it, what was at `path` before stays. Through a link,
        the file that it leads to is replaced. Raises ValueError for another suffix, RuntimeError where a Parameter
        waits for its data, OSError where the disk refuses.

        >>> import os, tempfile
        >>> from tinygrad_jp.layers import Linear
        >>> layer, other = Linear(3, in_size=2), Linear(3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     layer.save_weights(os.path.join(folder, "linear.npz"))
        ...     other.load_weights(os.path.join(folder, "linear.npz"))
        >>> bool((other.W == layer.W).all())
        True
        """
        save_weights(self, path, layout=layout)

    def load_weights(self, path: Pathlike, *, layout: str | None = None) -> None:
        """Take over what `save_weights` wrote to `path`, all of it, or none where an error is raised.

        Files of DeZero are read as well, and with `layout="torch"` those with PyTorch's names and shapes. Raises
        OSError where there is no file, ValueError where it is damaged or does not fit, with its path and the reason.
        Damage in the numbers of a .safetensors file goes unnoticed: unlike .npz, it has no checksums.
        """
        load_weights(self, path, layout=layout)

    def _held(self) -> dict[str, Parameter]:
        """Every Parameter and Buffer by its path. Raises ValueError where two have the same."""
        held: dict[str, Parameter] = {}
        for p, keys in _find(self, (), {}, set()).items():
            path = ".".join(map(str, keys))
            if held.setdefault(path, p) is not p:
                raise ValueError(f"{type(self).__name__}: expected paths that differ, got {path!r} twice; rename a key")
        return held

    # Description

    def __repr__(self) -> str:
        rows = list(self.layers_by_path())
        depth = [path.count(".") + 1 if path else 0 for path, _ in rows]
        names = [path.rpartition(".")[2] for path, _ in rows]
        lines = [
            f"{'  ' * d}{name + '  ' if name else ''}{layer._signature()}: {_count(layer)}"
            for d, name, (_, layer) in zip(depth, names, rows, strict=True)
        ]
        return "\n".join(map(printable, [lines[0] + " parameters", *lines[1:]]))

    def _signature(self) -> str:
        """The layer's name and what tells it from others of its kind, such as `Linear(784, 10)`."""
        return type(self).__name__


_HOLDERS = (Layer, list, tuple, dict)


class _Kinds(dict[type, Any]):
    """What a child of a class is to those who look for Parameters: what it derives from, or None."""

    def __missing__(self, cls: type) -> type | None:
        self[cls] = next((kind for kind in (Buffer, Parameter, *_HOLDERS) if issubclass(cls, kind)), None)
        return self[cls]


_kinds = _Kinds()
_changes = [0]  # The number of the last change of an attribute that holds Parameters, of any layer.


def _collect(children: Iterable[Any], found: dict[Any, None], seen: set[int], kinds: set[Any]) -> dict[Any, None]:
    """Add to `found` each Parameter in `children`, and to `kinds` what holds them; unlike `_find`, without paths."""
    for child in children:
        kind = _kinds[type(child)]
        if kind is None or kind is Buffer:
            continue
        if kind is Parameter:
            found[child] = None
        elif id(child) not in seen:
            seen.add(id(child))
            kinds.add(kind)
            held = child.__dict__.values() if kind is Layer else child.values() if kind is dict else child
            _collect(held, found, seen, kinds)
    return found


def _find(node: Any, path: tuple[Any, ...], found: dict[Any, Any], seen: set[int]) -> dict[Any, Any]:
    """Add to `found` each Parameter and Buffer in `node`, a layer or a collection of layers, with the path there."""
    seen.add(id(node))
    children = vars(node) if isinstance(node, Layer) else node
    for key, child in children.items() if isinstance(children, dict) else enumerate(children):
        if isinstance(child, Parameter):
            found.setdefault(child, (*path, key))
        elif isinstance(child, _HOLDERS) and id(child) not in seen:
            _find(child, (*path, key), found, seen)
    return found


def _layers(node: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Layer]]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, Layer):
        yield path, node
    children = vars(node) if isinstance(node, Layer) else node
    for key, child in children.items() if isinstance(children, dict) else enumerate(children):
        if isinstance(child, _HOLDERS):
            yield from _layers(child, f"{path}.{key}" if path else str(key), seen)


def _count(layer: Layer) -> str:
    """How many numbers the layer learns; a question mark where that is not known yet."""
    params = layer.params()
    return f"{sum(p.size for p in params):,}" if all(p._data is not None for p in params) else "?"


def _some(names: Any) -> str:
    """The first few of `names`, as text."""
    names = [printable(str(name)) for name in names]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"
