"""Checkpoints: a run of training in one file, to go on from as if it had never stopped."""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_jp.files.weights import about, read, write
from tinygrad_jp.files.writing import Pathlike
from tinygrad_jp.randomness import generator

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(
    path: Pathlike,
    model: Any,
    optimizer: Any = None,
    *,
    step: int = 0,
    generators: Mapping[str, Any] | None = None,
) -> None:
    """Write to `path`, an .npz file, all that a run of training needs to go on as if it had never stopped.

    That is the arrays of the model, the state of the optimizer, the number `step`, and the states of the random
    generators: the library's default one, those that layers hold, and by name the `generators` given, such as that of
    a DataLoader. The file is written whole or not at all, as `Layer.save_weights` does.

    Raises RuntimeError where a Parameter waits for its data or the optimizer for its model, OSError where the disk
    refuses.

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
    path: Pathlike, model: Any, optimizer: Any = None, generators: Mapping[str, Any] | None = None
) -> int:
    """Take over what `save_checkpoint` wrote to `path`, all or, where an error is raised, none of it; return its step.

    The default generator and those of the layers go on as well. The optimizer and further generators do where they are
    given; the file must then hold them.

    Raises ValueError where the file is damaged or does not fit, with its path and the reason, OSError where it cannot
    be read, RuntimeError before the optimizer's `setup`.
    """
    own, given = _generators(model, generators)
    data = {p: p._data for p in model._held().values()}
    before = None if optimizer is None else optimizer.state()
    arrays = read(path, ".npz")
    with about(path):
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
                p._data = array
            raise
    for name, state in states.items():
        (own | given)[name].bit_generator.state = state
    return step


def _generators(model: Any, given: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The generators by name that a run draws from by itself, the default one and those of layers; and those given."""
    own = {"default": generator()}
    for path, layer in model.layers_by_path():
        held = {key: value for key, value in vars(layer).items() if isinstance(value, np.random.Generator)}
        own |= {f"model/{path}.{key}": value for key, value in held.items()}
    for name, value in (given or {}).items():
        if not isinstance(value, np.random.Generator) or not isinstance(name, str) or name in own:
            raise TypeError(
                f"generators: expected names and numpy.random.Generators, such as "
                f"{{'loader': loader.rng}}, got {name!r}: {type(value).__name__}"
            )
    return own, dict(given or {})


def _states(run: Any, own: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The state of each generator in `run`, which must hold those given; each is known to fit."""
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
    """Nested dicts of numbers and arrays as arrays alone: each by its path, and one of text that tells the rest."""
    import json

    arrays: dict[str, Any] = {}

    def told(node: Any, path: str) -> Any:
        if isinstance(node, Mapping):
            return {key: told(value, f"{path}/{key}") for key, value in node.items()}
        if not isinstance(node, np.ndarray | np.generic):
            return node
        arrays[path[1:]] = node
        return None

    text = json.dumps(told(run, ""))
    return {"structure": np.array(text), **arrays}


def _nested(arrays: dict[str, Any]) -> Any:
    """What `_flat` made flat."""
    import json

    def grown(node: Any, path: str) -> Any:
        if isinstance(node, dict):
            return {key: grown(value, f"{path}/{key}") for key, value in node.items()}
        return arrays.pop(path[1:]) if node is None else node

    run = grown(json.loads(str(_part(arrays, "structure"))), "")
    if len(arrays) > 1:
        raise ValueError(f"not known: {', '.join(name for name in arrays if name != 'structure')}")
    return run
