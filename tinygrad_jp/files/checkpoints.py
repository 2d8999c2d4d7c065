"""Checkpoints: a training run in one file, from which it continues as if it had never stopped."""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_jp.files.weights import naming, read, write
from tinygrad_jp.files.writing import Pathlike
from tinygrad_jp.randomness import default_state

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(
    path: Pathlike,
    model: Any,
    optimizer: Any = None,
    *,
    step: int = 0,
    generators: "Mapping[str, np.random.Generator] | None" = None,
) -> None:
    """Write to `path`, an .npz file, everything that a training run needs to continue as if it had never stopped.

    It holds the arrays of the model, the state of the optimizer, the number `step`, and the states of the random
    generators: the default one, those that layers hold, and by name the `generators` given, for example that of a
    DataLoader. The file is written whole or not at all, as by `Layer.save_weights`.

    Raises RuntimeError if a Parameter waits for its data or the optimizer for its model, OSError if the disk refuses.

    >>> import tempfile
    >>> from tinygrad_jp import DataLoader, datasets, layers, optimizers
    >>> model, loader = layers.Linear(1, in_size=2), DataLoader(datasets.Digits(), batch_size=32)
    >>> optimizer = optimizers.Adam().setup(model)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/run.npz", model, optimizer, step=7, generators={"loader": loader.rng})
    ...     load_checkpoint(f"{folder}/run.npz", model, optimizer, generators={"loader": loader.rng})
    7
    """
    own, given = _generators(model, generators)
    run = {"step": operator.index(step), "model": model.state()}
    run |= {} if optimizer is None else {"optimizer": optimizer.state()}
    run["generators"] = {name: g.bit_generator.state for name, g in (own | given).items()}
    write(path, _flat(run), ".npz")


def load_checkpoint(
    path: Pathlike, model: Any, optimizer: Any = None, generators: "Mapping[str, np.random.Generator] | None" = None
) -> int:
    """Load what `save_checkpoint` wrote to `path`, all of it, or none if an error is raised. Return its step.

    The default generator and those of the layers are restored too; the optimizer and further generators only if they
    are given, and then the file must hold them.

    Raises ValueError if the file is damaged or does not fit, with its path and the reason; OSError if it cannot be
    read; RuntimeError before the optimizer's `setup`.
    """
    own, given = _generators(model, generators)
    data = {p: p.data for p in model._named_arrays().values()}
    before = None if optimizer is None else optimizer.state()
    arrays = read(path, ".npz")
    with naming(path):
        run = _nested(arrays)
        step, states = operator.index(_part(run, "step")), _states(run, own, given)
        try:
            model.load_state(_part(run, "model"))
            if optimizer is not None:
                optimizer.load_state(_part(run, "optimizer"))
        except BaseException:
            if optimizer is not None:
                optimizer.load_state(before)
            for p, array in data.items():
                p.data = array
            raise
    for name, state in states.items():
        (own | given)[name].bit_generator.state = state
    return step


def _generators(model: Any, given: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Generators by name: first the default one and those of the layers, then those given."""
    own: dict[str, Any] = {"default": default_state}
    for path, layer in model.layers_by_path():
        held = {key: value for key, value in vars(layer).items() if isinstance(value, np.random.Generator)}
        own |= {f"model/{path}.{key}": value for key, value in held.items()}
    for name, value in (given or {}).items():
        if not hasattr(value, "bit_generator") or not isinstance(name, str) or name in own:
            raise TypeError(
                f"generators: expected names and numpy.random.Generators, such as "
                f"{{'loader': loader.rng}}, got {name!r}: {type(value).__name__}"
            )
    return own, dict(given or {})


def _states(run: Any, own: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The state of each generator in `run`, which must hold those given. Each is checked against its generator."""
    saved = _part(run, "generators")
    states = {name: saved[name] for name in own if name in saved} | {name: _part(saved, name) for name in given}
    for name, state in states.items():
        type((own | given)[name].bit_generator)().state = state
    return states


def _part(node: Any, key: str) -> Any:
    if key not in node:
        raise ValueError(f"expected an entry {key!r}, got {', '.join(map(repr, node))}")
    return node[key]


def _flat(run: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts of numbers and arrays as arrays only: each by its path, and the rest as text in one more."""
    import json

    arrays: dict[str, Any] = {}

    def split(node: Any, path: str) -> Any:
        if isinstance(node, Mapping):
            return {key: split(value, f"{path}/{key}") for key, value in node.items()}
        if not isinstance(node, np.ndarray | np.generic):
            return node
        arrays[path[1:]] = node
        return None

    text = json.dumps(split(run, ""))
    return {"structure": np.array(text), **arrays}


def _nested(arrays: dict[str, Any]) -> Any:
    """The nested dicts that `_flat` made flat."""
    import json

    def restore(node: Any, path: str) -> Any:
        if isinstance(node, dict):
            return {key: restore(value, f"{path}/{key}") for key, value in node.items()}
        return arrays.pop(path[1:]) if node is None else node

    run = restore(json.loads(str(_part(arrays, "structure"))), "")
    if len(arrays) > 1:
        raise ValueError(f"not known: {', '.join(name for name in arrays if name != 'structure')}")
    return run
