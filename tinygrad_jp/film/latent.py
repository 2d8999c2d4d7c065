"""The space of a layer's activations, seen in the two directions in which they vary most over the whole run."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from tinygrad_jp.core import Array
from tinygrad_jp.devices import fetched

POINTS, MOST_UNITS = 100, 64  # Of a layer at one step, at most.
MOST_LAYERS = 12  # Of a deep network every second, third, ... layer has its space.


def features(x: Array) -> Array | None:
    """The first examples of the activations x, a row each: of maps the means, of a sequence its end.

    None for fewer than three units or examples. Of many units there are as many random mixtures of all, in which the
    distances between the examples are nearly the same.
    """
    x = x[:POINTS]
    x = fetched(x.mean(axis=(2, 3)) if x.ndim == 4 else x[:, -1] if x.ndim == 3 else x)
    if x.ndim != 2 or min(x.shape) < 3 or x.dtype.kind != "f":
        return None
    return np.array(x, np.float32) if x.shape[1] <= MOST_UNITS else (x @ _mixing(x.shape[1])).astype(np.float32)


def latents(found: list[Any]) -> dict[str, Array]:
    """The features of layers by their paths, of the activations that were found at one step."""
    layers = [(layer.path, layer.data) for layer in found if layer.kind == "activations"]
    kept = ((path, features(x)) for path, x in layers[:: -(-len(layers) // MOST_LAYERS) or 1])
    return {path: x for path, x in kept if x is not None}


@cache
def _mixing(units: int) -> Array:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (units, MOST_UNITS))
    return signs.astype(np.float32) / np.float32(np.sqrt(MOST_UNITS))


def projected(found: list[Array | None]) -> tuple[list[Array | None], list[float]]:
    """Each array of features in the plane of the first two principal components of them all; and their shares.

    One plane for all, so that a point moves only as its activations do. None where they are not finite.
    """
    found = [x if x is not None and np.isfinite(x).all() else None for x in found]
    rows = np.concatenate([x for x in found if x is not None] or [np.zeros((2, 3))]).astype(np.float64)
    mean = rows.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((rows - mean).T))
    axes = axes[:, :-3:-1]
    axes = axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)  # A direction of its own has no sign.
    shares = [float(v / max(variances.sum(), 1e-300)) for v in variances[:-3:-1]]
    return [None if x is None else (x - mean) @ axes for x in found], shares


def targets(arrays: list[Array], examples: int) -> Array | None:
    """What the examples should give, among the arrays that a graph was given: the last one of a number for each."""
    found = [a for a in arrays[1:] if a.size == examples == len(np.atleast_1d(a)) and a.dtype.kind in "fiub"]
    return np.array(found[-1].ravel()[:POINTS]) if found else None


def over_the_steps(frames: list[dict[str, Any]]) -> Iterator[tuple[str, list[Array | None]]]:
    """For each layer that has some its features at each frame, as far as it has as many units as in the end."""
    for path in dict.fromkeys(path for frame in frames for path in frame["latents"]):
        found = [frame["latents"].get(path) for frame in frames]
        units = next(x.shape[1] for x in reversed(found) if x is not None)
        yield path, [x if x is not None and x.shape[1] == units else None for x in found]
