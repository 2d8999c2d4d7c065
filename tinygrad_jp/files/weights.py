"""Weights in files, which are written whole or not at all, and are checked when read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_jp.files.writing import Pathlike, write_whole
from tinygrad_jp.formatting import printable

__all__ = ["load_weights", "save_weights"]

# What PyTorch calls the arrays of a layer.
TORCH = {
    "W": "weight",
    "b": "bias",
    "gamma": "weight",
    "beta": "bias",
    "avg_mean": "running_mean",
    "avg_var": "running_var",
}


def save_weights(model: Any, path: Pathlike, *, layout: str | None = None) -> None:
    """Write every array of `model.state()` to `path`: `Layer.save_weights` says how."""
    write(path, _laid_out(model, model.state(), layout))


def load_weights(model: Any, path: Pathlike, *, layout: str | None = None) -> None:
    """Take over the arrays that `save_weights` wrote to `path`: `Layer.load_weights` says how."""
    arrays = read(path)
    with about(path):
        dezero = {path.replace(".", "/"): path for path in model._held()}
        model.load_state(_renamed(_laid_out(model, arrays, layout, inward=True), dezero))


def _laid_out(model: Any, arrays: dict[str, Any], layout: str | None, inward: bool = False) -> dict[str, Any]:
    """`arrays` by the names of `layout`, transposed where it demands that; or, `inward`, back from there."""
    if layout is None:
        return arrays
    if layout != "torch":
        raise ValueError(f"layout: expected None or 'torch', got {layout!r}")
    rows = [(theirs, ours, turn) if inward else (ours, theirs, turn) for ours, theirs, turn in _torch_rows(model)]
    names, turned = {name: to for name, to, _ in rows}, {name for name, _, turn in rows if turn}
    arrays = {name: np.array(a.T, order="C") if name in turned else a for name, a in arrays.items()}
    arrays = {name: a for name, a in arrays.items() if not name.endswith("num_batches_tracked")}
    return _renamed(arrays, names)


def _torch_rows(model: Any) -> list[tuple[str, str, bool]]:
    """For what the layers of `model` may hold: the path, the name in PyTorch, and whether it is transposed there."""
    layers, theirs, rows = dict(model.layers_by_path()), {"": ""}, []
    for path, layer in layers.items():
        holder, _, key = path.rpartition(".")
        if _is(layers.get(holder), "Sequential") and key[1:].isdigit():
            key = key[1:]  # PyTorch has 0, 1, ... for l0, l1, ...
        theirs[path] = f"{theirs.get(holder, holder)}.{key}".strip(".")
        for leaf in filter(lambda leaf: hasattr(layer, leaf), TORCH):
            turn = leaf == "W" and _is(layer, "Linear")
            rows.append((f"{path}.{leaf}".strip("."), f"{theirs[path]}.{TORCH[leaf]}".strip("."), turn))
    return rows


def _is(layer: Any, kind: str) -> bool:
    """Whether `layer` is of the class named `kind`, or of one derived from it: layers are above this file."""
    return any(cls.__name__ == kind for cls in type(layer).__mro__)


def _renamed(arrays: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    renamed = {names.get(name, name): a for name, a in arrays.items()}
    if len(renamed) < len(arrays):
        raise ValueError(f"expected entries of different names, got some that mean the same: {', '.join(arrays)}")
    return renamed


# ---------------------------------------------------------------------------------------------------------------------
# Files


def _format(path: Pathlike, *suffixes: str) -> tuple[Callable[[dict[str, Any]], bytes], Callable[[bytes], Any]]:
    """How the arrays of a file become bytes, and bytes become arrays: its suffix says."""
    suffixes = suffixes or (".npz", ".safetensors")
    suffix = Path(path).suffix
    if suffix not in suffixes:
        raise ValueError(f"{path}: expected a path that ends in {' or '.join(suffixes)}, got {suffix or 'no suffix'}")
    if suffix == ".npz":
        return _to_npz, _from_npz
    try:
        from safetensors.numpy import load, save  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise ImportError(f"{path}: this format needs a package: pip install safetensors; or save as .npz") from None
    return save, load


def _to_npz(arrays: dict[str, Any]) -> bytes:
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            if zipfile.ZipInfo(name).filename != name:
                raise ValueError(f"expected names that a zip file can hold, got {name!r}; rename it")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
    return content.getvalue()


def _from_npz(content: bytes) -> dict[str, Any]:
    import io
    import zipfile

    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        # The sizes that the file tells bound what is read. Weights hardly shrink: more than this is a bomb.
        if sum(entry.file_size for entry in entries) > 20 * len(content) + 2**24:
            raise ValueError("unfolds to more than 20 times its size")
        for entry in entries:
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.filename in arrays:
                raise ValueError(f"{entry.filename}: an entry as NumPy does not write them")
            with archive.open(entry) as file:
                array = np.lib.format.read_array(io.BytesIO(file.read(entry.file_size)), allow_pickle=False)
            if array.dtype.kind not in "fiubU":
                raise ValueError(f"{entry.filename}: expected numbers, got dtype {array.dtype}")
            arrays[entry.filename] = array
    return {name.removesuffix(".npy"): array for name, array in arrays.items()}


def read(path: Pathlike, *suffixes: str) -> dict[str, Any]:
    """The arrays in the file `path`. Raises ValueError where its content is not what its suffix says, and whole."""
    _, decode = _format(path, *suffixes)
    content = Path(path).read_bytes()
    try:
        return decode(content)
    except Exception as error:  # Damage raises nearly anything in the parsers of zip, .npy and .safetensors.
        kind = f"expected a whole {Path(path).suffix} file of arrays"
        reason = f"got {len(content):,} bytes that are none: {printable(str(error))}"
        raise ValueError(f"{path}: {kind}, {reason}; save it anew") from error


def write(path: Pathlike, arrays: dict[str, Any], *suffixes: str) -> None:
    """Write `arrays` to `path`, as a whole or not at all."""
    encode, _ = _format(path, *suffixes)
    write_whole(path, encode(arrays))


@contextmanager
def about(path: Pathlike) -> Iterator[None]:
    """Raise what is wrong with the content of a file as a ValueError that names it."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path}: {printable(str(error))}") from error
