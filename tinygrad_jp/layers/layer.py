"""The base of all layers: they hold Parameters and other layers, find them, and convert what enters."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

import numpy as np

from tinygrad_jp.core import Array, ArrayLike, Parameter, Variable, next_sequence
from tinygrad_jp.devices import beside, device_of, fetched, sent
from tinygrad_jp.files import Pathlike, from_layout, load_weights, save_weights, to_layout
from tinygrad_jp.formatting import escape, printable
from tinygrad_jp.hints import hinting
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.layers.entrance import FLOATS, NUMBERS, entering

__all__ = ["Buffer", "Layer"]


class Buffer(Parameter):
    """An array that a layer keeps and saves with its Parameters, but does not learn, such as a running mean.

    >>> class Counting(Layer):
    ...     def __init__(self):
    ...         self.calls = Buffer(np.zeros(()))
    ...     def forward(self, x):
    ...         self.calls.data += 1
    ...         return x
    >>> layer = Counting()
    >>> y = layer(np.ones(3))
    >>> layer.params(), list(layer.state())
    ([], ['calls'])
    """

    __slots__ = ()


_NOWHERE: tuple[Any, Any, Any] = (None, None, None)


class Layer:
    """A function that holds Parameters, and other Layers that hold theirs.

    A subclass assigns them to attributes, alone or in lists, tuples and dicts, and writes `forward`.

    A layer computes in the dtype of its Parameters: a call converts arrays and Variables of other floats before
    `forward` sees them. The layers of this package also convert lists and integers, unless integers are what they take.

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
    >>> model(np.ones((5, 2))).dtype  # Not float64: the Parameters are float32.
    dtype('float32')
    """

    __slots__ = ("__dict__", "__weakref__", "_cache", "_first", "_outputs")

    # The kinds of data that a call converts. In a layer of your own, integers may be indices or labels: they stay.
    _converts = FLOATS

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        start = next_sequence()
        if self._converts:
            dtype = self._dtype()
            # Nearly always there is one argument, and it fits.
            if options or len(inputs) != 1 or getattr(inputs[0], "dtype", None) is not dtype:
                inputs, options = self._convert(inputs, options, dtype)
        y = self.forward(*inputs, **options)
        outputs: tuple[Variable, ...]
        if isinstance(y, Variable):
            outputs = (y,)
            _remember(self, (ref(y),))
        else:
            outputs = tuple(_variables(y))
            _remember(self, tuple(map(ref, outputs)))
        for output in outputs:
            # Pictures need this: all that was recorded since `start` was recorded inside this layer.
            if (f := output.creator) is not None and f.sequence > start:
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
        CHANGES[0] += 1
        if _kinds[type(value)] or _kinds[type(before)]:
            _version[0] = next_sequence()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        CHANGES[0] += 1
        _version[0] = next_sequence()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)

    if not TYPE_CHECKING:  # It would hide every misspelt name.
        __getattr__ = hinting("Layer")

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What a call of the layer computes. A subclass writes it."""
        raise NotImplementedError(f"{type(self).__name__}: write forward(self, x)")

    def _complete(self) -> None:
        """Draw what still waits though its size is known."""

    def params(self) -> list[Parameter]:
        """Every Parameter in the order of definition. One that is shared comes once, where it is first."""
        return [*self._learned()]

    def named_params(self) -> dict[str, Parameter]:
        """Every Parameter by its path, such as `l1.W`, in the order of `params`."""
        return {path: p for path, p in self._named_arrays().items() if not isinstance(p, Buffer)}

    def cleargrads(self) -> None:
        """Clear the gradients of all Parameters."""
        for p in self._learned():
            p.cleargrad()

    def to_gpu(self) -> None:
        """Move all Parameters and Buffers to the GPU. What waits for its data will be made where the first x is."""
        self._move(sent)

    def to_cpu(self) -> None:
        """Move all Parameters and Buffers back to NumPy."""
        self._move(fetched)

    def _move(self, moved: Callable[[Array], Array]) -> None:
        for p in self._named_arrays().values():
            if p.data is not None:
                p.data = moved(p.data)
            if p.grad is not None:
                p.grad = moved(p.grad.data)

    def reset_state(self) -> None:
        """Clear the state of every recurrent layer within: the next x starts new sequences."""
        for _, layer in self.layers_by_path():
            if layer is not self and type(layer).reset_state is not Layer.reset_state:
                layer.reset_state()

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert all Parameters and Buffers to `dtype`, also those that wait for their data, and return the layer.

        The layer then computes in `dtype`. Gradients are cleared, and an optimizer converts what it keeps.

        >>> from tinygrad_jp.layers import Linear
        >>> Linear(1).astype(np.float64)([[1.0]]).dtype
        dtype('float64')
        """
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"{type(self).__name__}.astype: expected a dtype of floats, got {np.dtype(dtype)}")
        for _, layer in self.layers_by_path():
            if "dtype" in vars(layer):
                layer.dtype = dtype
        for p in self._named_arrays().values():
            p.cleargrad()
            p.data = None if p.data is None else p.data.astype(dtype)
        return self

    def layers_by_path(self) -> Iterator[tuple[str, "Layer"]]:
        """Every layer in this one with its path, each once and before those in it; this one first, its path empty."""
        return ((_dotted(path), node) for path, _, node in _walk(self) if isinstance(node, Layer))

    def _learned(self) -> list[Parameter]:
        """Every Parameter. Cached until an attribute of any layer changes: reading takes 0.1 µs, a search 5 to 10.

        Lists and dicts may change at any time, so a layer with one of them is searched each time.
        """
        version, params = getattr(self, "_cache", (None, []))
        if version != _version[0]:
            version, nodes = _version[0], [node for _, _, node in _walk(self)]
            params = [node for node in nodes if _kinds[type(node)] is Parameter]
            fixed = {list, dict}.isdisjoint([_kinds[type(node)] for node in nodes])
            object.__setattr__(self, "_cache", (version if fixed else None, params))
        return params

    # The dtype of what enters

    def _dtype(self) -> Any:
        """The dtype that this layer computes in, that of its first Parameter; None if it has no Parameter."""
        version, holder, key = getattr(self, "_first", _NOWHERE)
        if version == _version[0]:
            data = holder[key].data
            return _planned_dtype(holder) if data is None else data.dtype
        return self._find_dtype()

    def _find_dtype(self) -> Any:
        """The same, looked for. The place is remembered, unless it is in a list, whose changes go unnoticed."""
        places = ((holder, path[-1]) for path, holder, p in _walk(self) if _kinds[type(p)] is Parameter)
        holder, key = next(places, (None, None))
        if holder is None:
            return None
        object.__setattr__(self, "_first", (None if isinstance(holder, list) else _version[0], holder, key))
        data = holder[key].data
        return _planned_dtype(holder) if data is None else data.dtype

    def _convert(self, inputs: tuple[Any, ...], options: dict[str, Any], dtype: Any) -> tuple[Any, dict[str, Any]]:
        """The arguments of `forward` in `dtype`. If the layers within differ, this is left to them."""
        if dtype is None or (not options and all(getattr(x, "dtype", None) is dtype for x in inputs)):
            return inputs, options
        kinds = self._converts
        if kinds != NUMBERS and any(p.data is not None and p.data.dtype != dtype for p in self._learned()):
            return inputs, options
        return entering(type(self).__name__, kinds, dtype, inputs, options)

    # State

    def state(self, *, layout: str | None = None) -> dict[str, Array]:
        """A copy of every array that the layer learns or keeps, by its path.

        With `layout="torch"`, by the names and in the shapes that PyTorch has for them: see `save_weights`. Raises
        RuntimeError if a Parameter still waits for its data.

        >>> from tinygrad_jp.layers import Linear
        >>> list(Linear(3, in_size=2).state())
        ['W', 'b']
        >>> [(name, array.shape) for name, array in Linear(3, in_size=2).state(layout="torch").items()]
        [('weight', (3, 2)), ('bias', (3,))]
        """
        for _, layer in self.layers_by_path():
            layer._complete()
        arrays = self._named_arrays()
        waiting = [path for path, p in arrays.items() if p.data is None]
        if waiting:
            raise RuntimeError(
                f"{type(self).__name__}: {_some(waiting)} still wait for their data; "
                f"call the model once on an example, or give the layers their input sizes"
            )
        return to_layout(self, {path: np.array(fetched(p.data), order="C") for path, p in arrays.items()}, layout)

    def load_state(self, state: Mapping[str, ArrayLike], *, layout: str | None = None) -> None:
        """Load what `state()` of a layer of the same structure returned: all of it, or none if an error is raised.

        With `layout="torch"`, `state` is what `state_dict()` of the same module in PyTorch returned. Each array is
        converted to the dtype of its Parameter. Raises ValueError if an entry is missing, is not known, or has another
        shape.
        """
        held, name = self._named_arrays(), type(self).__name__
        arrays = from_layout(self, {path: np.asarray(fetched(value)) for path, value in state.items()}, layout)
        missing, unknown = [key for key in held if key not in arrays], [key for key in arrays if key not in held]
        if missing or unknown:
            raise ValueError(
                f"{name}: expected the entries {_some(held)}; missing: {_some(missing)}; not known: {_some(unknown)}"
            )
        for path, p in held.items():
            where = f"{name}: {printable(path)}"
            if arrays[path].dtype.kind not in NUMBERS:
                raise ValueError(f"{where}: expected numbers, got dtype {arrays[path].dtype}")
            if p.data is not None and arrays[path].shape != p.shape:
                raise ValueError(f"{where}: expected the shape {p.shape}, got {arrays[path].shape}")
        dtypes = {p: p.dtype if p.data is not None else _planned_dtype(holder) for _, holder, p in self._walk_arrays()}
        copies = [arrays[path].astype(dtypes[p] or arrays[path].dtype) for path, p in held.items()]
        device = device_of(*held.values())
        for p, copy in zip(held.values(), copies, strict=True):
            p.data = beside(copy, device)

    def save_weights(self, path: Pathlike, *, layout: str | None = None) -> None:
        """Write every array of `state()` to `path`, which ends in .npz or .safetensors (needs the package safetensors).

        An .npz file is NumPy's, without pickle; its keys are the paths. With `layout="torch"` the names and shapes are
        PyTorch's: `fc.weight` (O, I) for `fc.W` (I, O). They are those that `load_state_dict` takes in a module with
        the same attributes; for attention, recurrent layers and the models of images, in PyTorch's own class. Settings
        such as `eps` are in no file: give both sides the same.

        The file is written whole or not at all: if anything stops it, what was at `path` before stays. Through a link,
        the file it points to is replaced. Raises ValueError for another suffix, or if the layout has no place for the
        layer; RuntimeError if a Parameter waits for its data, OSError if the disk refuses.

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
        """Load what `save_weights` wrote to `path`: all of it, or none if an error is raised.

        Files of DeZero are read as well, and with `layout="torch"` those with PyTorch's names and shapes. Raises
        OSError if there is no file, ValueError if it is damaged or does not fit, with its path and the reason. Damage
        in the numbers of a .safetensors file goes unnoticed: unlike .npz, it has no checksums.
        """
        load_weights(self, path, layout=layout)

    def _torch_names(self) -> Mapping[str, str]:
        """PyTorch's name for each array of this layer, with .T if it is transposed there, and the prefix of each child.

        Where this does not say, names are the same in PyTorch.
        """
        return {}

    def _to_torch(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """The arrays of this layer itself as PyTorch divides them, by the keys of `_torch_names`."""
        return arrays

    def _from_torch(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """The opposite of `_to_torch`."""
        return arrays

    def _walk_arrays(self) -> Iterator[tuple[str, Any, Parameter]]:
        """Every Parameter and Buffer: its path, its holder and itself."""
        return ((_dotted(path), holder, p) for path, holder, p in _walk(self) if isinstance(p, Parameter))

    def _members(self) -> set[str]:
        """DeZero's `_params`: the names of the attributes that are Parameters or layers."""
        return {key for key, value in vars(self).items() if isinstance(value, Parameter | Layer)}

    def _flatten_params(self, params_dict: dict[str, Parameter], parent_key: str = "") -> None:
        """Enter every Parameter and Buffer into `params_dict` by its path, which DeZero writes with slashes."""
        prefix = parent_key and f"{parent_key}/"
        params_dict |= {prefix + path.replace(".", "/"): p for path, p in self._named_arrays().items()}

    def _named_arrays(self) -> dict[str, Parameter]:
        """Every Parameter and Buffer by its path. Raises ValueError if two have the same path."""
        arrays: dict[str, Parameter] = {}
        for path, _, p in self._walk_arrays():
            if path in arrays:
                raise ValueError(f"{type(self).__name__}: expected paths that differ, got {path!r} twice; rename a key")
            arrays[path] = p
        return arrays

    # Description

    def __repr__(self) -> str:
        rows = list(self.layers_by_path())
        depth = [path.count(".") + 1 if path else 0 for path, _ in rows]
        names = [path.rpartition(".")[2] for path, _ in rows]
        lines = [
            f"{'  ' * d}{name + '  ' if name else ''}{layer._signature()}: {_count(layer)}"
            for d, name, (_, layer) in zip(depth, names, rows, strict=True)
        ]
        return "\n".join(
            map(printable, [f"{lines[0]} {'parameter' if _count(self) == '1' else 'parameters'}", *lines[1:]])
        )

    def _repr_html_(self) -> str:
        """The layers as a table: where they are, what they are, and how much they learn."""
        rows = [(path, layer._signature(), _count(layer)) for path, layer in self.layers_by_path()]
        lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><tr><th>path</th><th>layer</th><th>parameters</th></tr>{lines}</table>"

    def _signature(self) -> str:
        """The layer's name and what tells it from others of its kind, such as `Linear(784, 10)`."""
        return type(self).__name__


_HOLDERS = (Layer, list, tuple, dict)


class _Kinds(dict[type, Any]):
    """For each class, which of the kinds that matter to a search for Parameters it derives from, or None."""

    def __missing__(self, cls: type) -> type | None:
        self[cls] = next((kind for kind in (Buffer, Parameter, *_HOLDERS) if issubclass(cls, kind)), None)
        return self[cls]


_kinds = _Kinds()
_version = [0]  # Changes with every change of an attribute that holds Parameters, of any layer.
CHANGES = [0]  # Counts the changes of attributes of any layer.


Node = tuple[tuple[Any, ...], Any, Any]


def _walk(root: Layer) -> Iterable[Node]:
    """Every layer, Parameter, list, tuple and dict in `root`, each once, in order: its path, its holder and itself.

    The holder is the collection that has it at the last key of its path; for a layer, that is its `__dict__`.
    """
    found: dict[int, Node] = {id(root): ((), None, root)}
    _visit((), root.__dict__, found)
    return found.values()


def _visit(path: tuple[Any, ...], held: Any, found: dict[int, Node]) -> None:
    """Add to `found` what the collection `held`, found at `path`, holds."""
    for key, child in held.items() if isinstance(held, dict) else enumerate(held):
        kind = _kinds[type(child)]
        if kind is not None and id(child) not in found:
            found[id(child)] = (*path, key), held, child
            if kind is not Parameter and kind is not Buffer:
                _visit((*path, key), child.__dict__ if kind is Layer else child, found)


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))


# DeZero's `layer.outputs`. Through the slot itself: `__setattr__` is for what users assign, and slower.
_remember = Layer._outputs.__set__  # type: ignore[attr-defined]


def _variables(y: Any) -> Iterator[Variable]:
    """Every Variable in `y`, which may be tuples, lists and dicts of them."""
    if isinstance(y, Variable):
        yield y
    elif isinstance(y, list | tuple | dict):
        for part in y.values() if isinstance(y, dict) else y:
            yield from _variables(part)


def _planned_dtype(holder: Any) -> Any:
    """The dtype that a Parameter in `holder`, the attributes of a layer, will have; None if the layer does not say."""
    dtype = holder.get("dtype") if isinstance(holder, dict) else None
    return None if dtype is None else np.dtype(dtype)


def _count(layer: Layer) -> str:
    """The number of elements that the layer learns; a question mark where that is not known yet."""
    params = layer.params()
    return f"{sum(p.size for p in params):,}" if all(p.data is not None for p in params) else "?"


def _some(names: Iterable[str]) -> str:
    """The first few of `names`, as text."""
    names = [printable(str(name)) for name in names]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"
