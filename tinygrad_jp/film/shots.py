"""A shot: an array at one step, made small enough to keep many of them. A few numbers, a histogram and a picture."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.core import Array
from tinygrad_jp.devices import fetched, on_device
from tinygrad_jp.formatting import norm

BINS, SAMPLE = 32, 8192  # Bins of a histogram, and from how many numbers of a large array it is taken.
CELLS, FRAME = 1024, 24_000  # The cells of the picture of one array, and of all in a frame, at most.
FINE = 600  # cells of a picture of weights, in a small network, whose numbers can be read to four digits
UNITS = 256  # of which each is told about
KEPT = 4096  # numbers of an array that is kept as it is
ROWS = 32  # of examples, in the picture of an activation


class View(NamedTuple):
    """How the arrays of one place are shown: `shape` is theirs, `height` and `width` those of the picture.

    `tile` is the size of the small images that it consists of, such as kernels, or None. `most` is the highest level.
    """

    kind: str
    path: str
    shape: tuple[int, ...]
    height: int
    width: int
    tile: tuple[int, int] | None
    cells: int
    note: str
    most: int


class Shot(NamedTuple):
    """Of an array its picture in levels, the highest of which is `scale`; and what it takes to judge it.

    Of an activation `means` and `active` tell of each unit its mean, in levels, and the share of examples where it is
    not 0, of 255.
    """

    picture: bytes
    histogram: bytes
    scale: float
    norm: float
    mean: float
    deviation: float
    zeros: float
    units: int
    dead: tuple[int, ...]
    finite: bool
    means: bytes = b""
    active: bytes = b""


class Plan:
    """The views of all places that a film has seen, in the order in which they appeared."""

    def __init__(self, arrays: int) -> None:
        self.views: dict[str, View] = {}
        self.cells = min(CELLS, max(FRAME // max(3 * arrays, 1), 64))

    def of(self, kind: str, path: str, x: Array, note: str = "") -> View:
        key = f"{kind} {path}"
        shape = tuple(np.shape(x))
        known = self.views.get(key)
        if known is None or (known.shape != shape and kind not in ("activations", "attention")):
            self.views[key] = known = self._view(kind, path, x, note)
        return known

    def _view(self, kind: str, path: str, x: Array, note: str) -> View:
        picture, tile = arranged(kind, x, self.cells)
        height, width = pooled(picture, tile, self.cells).shape
        fine = self.cells == CELLS and height * width <= FINE and kind not in ("activations", "attention")
        return View(kind, path, tuple(np.shape(x)), height, width, tile, self.cells, note, 32767 if fine else 127)


def arranged(kind: str, x: Array, cells: int) -> tuple[Array, tuple[int, int] | None]:
    """The array as a matrix, and the size of its tiles if it consists of small images."""
    if kind in ("activations", "attention") and x.ndim >= 3:
        x = x[0]  # The first example.
    elif kind == "activations" and x.ndim == 2:
        x = x[:ROWS]
    if x.ndim <= 2:
        return np.atleast_2d(x), None
    x = x.reshape(-1, *x.shape[-3:])[0] if x.ndim > 4 else x
    if x.ndim == 3:  # Maps of channels or heads.
        return _in_rows(x[: max(1, cells // (x.shape[1] * x.shape[2]))]), (x.shape[1], x.shape[2])
    oc, c, kh, kw = x.shape
    c = min(c, max(1, cells // (kh * kw * 4)))
    oc = min(oc, max(1, cells // (kh * kw * c)))
    return x[:oc, :c].transpose(1, 2, 0, 3).reshape(c * kh, oc * kw), (kh, kw)


def _in_rows(maps: Array) -> Array:
    """Images of one size, about twice as many in a row as in a column."""
    n, h, w = maps.shape
    across = min(n, round(math.sqrt(2 * n)))
    down = -(-n // across)
    filled = np.concatenate([maps, np.zeros((down * across - n, h, w), maps.dtype)])
    return filled.reshape(down, across, h, w).swapaxes(1, 2).reshape(down * h, across * w)


def pooled(x: Array, tile: tuple[int, int] | None, cells: int) -> Array:
    """x in at most `cells` cells: the means of blocks."""
    while x.size > cells and tile is None:
        axis = int(x.shape[1] >= x.shape[0])
        starts = np.arange(0, x.shape[axis], 2)
        widths = np.diff([*starts, x.shape[axis]])
        x = np.add.reduceat(x, starts, axis=axis) / (widths if axis else widths[:, None])
    return x


def shot(view: View, x: Array) -> Shot:
    """The array x, as the view shows it."""
    with np.errstate(all="ignore"):
        x = np.asarray(fetched(x))
        whole = bool(np.isfinite(x).all())
        clean = x if whole else np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)
        scale = float(np.max(np.abs(clean))) if clean.size else 0.0
        small = _fitted(pooled(arranged(view.kind, clean, view.cells)[0], view.tile, view.cells), view)
        levels = _levels(small, scale, view.most)
        sample = clean.ravel()[:: max(1, clean.size // SAMPLE)]
        counts, _ = np.histogram(sample, BINS, (-scale, scale) if scale > 0 else (-1, 1))
        bars = np.round(255 * np.sqrt(counts / max(counts.max(), 1))).astype(np.uint8)
        zeros = float(np.mean(clean == 0)) if view.kind == "activations" and clean.size else 0.0
        axes = _examples(clean) if view.kind == "activations" else ()
        nonzero = np.mean(clean != 0, axis=axes) if axes else np.zeros(0)
        dead = tuple(np.flatnonzero(nonzero == 0).tolist()) if axes else ()
        means = _levels(np.mean(clean, axis=axes)[:UNITS], scale, 32767) if axes else np.zeros(0)
        mean, deviation = (float(np.mean(clean)), float(np.std(clean))) if clean.size else (0.0, 0.0)
        return Shot(
            *(levels.tobytes(), bars.tobytes(), scale, norm(clean), mean, deviation, zeros, _units(clean), dead, whole),
            *(means.tobytes(), np.ceil(255 * nonzero[:UNITS]).astype(np.uint8).tobytes()),
        )


def _levels(x: Array, scale: float, most: int) -> Array:
    """x in whole levels, of which `most` is `scale`."""
    return np.round(x * (most / scale if scale > 0 else 0.0)).astype(np.int8 if most < 128 else np.int16)


def taken(view: View, x: Array) -> Shot | Array:
    """A shot of a large array; of a small one a copy, which is `developed` when it is asked for: a step waits less."""
    return shot(view, x) if x.size > KEPT else np.array(fetched(x))


def developed(plan: Plan, shots: dict[str, Any]) -> dict[str, Shot]:
    return {key: x if isinstance(x, Shot) else shot(plan.views[key], x) for key, x in shots.items()}


def _fitted(x: Array, view: View) -> Array:
    """x cut or filled up to the view, for batches of another size."""
    if x.shape == (view.height, view.width):
        return x
    fitted = np.zeros((view.height, view.width), np.float64)
    part = x[: view.height, : view.width]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted


def _units(x: Array) -> int:
    return x.shape[1] if x.ndim == 4 else x.shape[-1] if x.ndim else 1


def _examples(x: Array) -> tuple[int, ...]:
    """The axes over which a unit is one: the rows of a matrix, of images also the pixels; none for a single example."""
    if x.ndim < 2 or len(x) < 2:
        return ()
    return (0, 2, 3) if x.ndim == 4 else tuple(range(x.ndim - 1))


class Found(NamedTuple):
    kind: str
    path: str
    data: Array
    note: str


class Activations:
    """The outputs of the layers of a graph, after the functions of one argument that follow: by the layer's path.

    A layer that is called several times, as a recurrent one, has one row for each call.
    """

    def __init__(self, order: list[Any], model: Any, named: Iterable[str]) -> None:
        self.order = order
        owners = {path.rpartition(".")[0] for path in named}
        self.paths = {id(layer): path for path, layer in model.layers_by_path() if path in owners}
        self.users: dict[Any, list[Any]] = defaultdict(list)
        for f in order:
            for x in f.variables:
                self.users[x.creator].append(f)

    def __iter__(self) -> Iterator[Found]:
        calls: dict[str, list[tuple[Array, str]]] = defaultdict(list)
        heads = 0
        for f in reversed(self.order):
            if f.name == "attention_weights":
                heads += 1
                yield Found("attention", str(heads), f.y, f.name)
            for path in self._layers(f):
                result = _followed(f, self.users)
                if (isinstance(result[0], np.ndarray) or on_device(result[0])) and result[0].ndim > 1:
                    calls[path].append(result)
        for path, found in calls.items():
            y, note = found[0]
            if len(found) > 1 and all(other.shape == y.shape for other, _ in found) and y.ndim == 2:
                y = np.stack([other for other, _ in found], axis=1)  # (N, times, units)
            yield Found("activations", path, y, note)

    def _layers(self, f: Any) -> Iterator[str]:
        """The layers with Parameters whose output f computed."""
        inside = f.layer
        while inside is not None:
            layer, _, inside = inside
            if id(layer) in self.paths:
                yield self.paths[id(layer)]


def _followed(f: Any, users: dict[Any, list[Any]]) -> tuple[Array, str]:
    """The result of f and of the functions of it alone that follow, and their names."""
    names = [f.name]
    while len(users[f]) == 1 and len(users[f][0].args) == 1 and np.shape(users[f][0].y) == np.shape(f.y):
        f = users[f][0]
        names.append(f.name)
    return f.y, " → ".join(names)
