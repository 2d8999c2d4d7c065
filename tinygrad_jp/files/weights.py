"""Weights in files, which are written whole or not at all, and are checked when read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os.path import splitext
from typing import Any

import numpy as np

from tinygrad_jp.counting import counted
from tinygrad_jp.files.writing import Pathlike, write_whole
from tinygrad_jp.formatting import printable

__all__ = ["load_weights", "save_weights"]


def save_weights(model: Any, path: Pathlike, *, layout: str | None = None) -> None:
    """Write every array of `model.state()` to `path`: see `Layer.save_weights`."""
    write(path, model.state(layout=layout) if layout else model.state())


def load_weights(model: Any, path: Pathlike, *, layout: str | None = None) -> None:
    """Load the arrays that `save_weights` wrote to `path`: see `Layer.load_weights`."""
    arrays = read(path)
    with naming(path):
        if layout:
            model.load_state(arrays, layout=layout)
        else:
            arrays = _renamed(arrays, {path.replace(".", "/"): path for path in model._named_arrays()})
            model.load_state(_from_dezero(model, arrays))


def _from_dezero(model: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    """`arrays`, where those of recurrent layers may be divided and named as in DeZero: ``rnn/x2h/W``."""
    for path, layer in model.layers_by_path():
        parts = getattr(type(layer), "_parts", ())
        names = {name: path.replace(".", "/") + "/" * bool(path) + name for name in parts}
        own = {f"{part}/{key}": arrays.pop(f"{name}/{key}", None) for part, name in names.items() for key in "Wb"}
        own = {name: array for name, array in own.items() if array is not None}
        if own:
            arrays |= {f"{path}.{key}".removeprefix("."): a for key, a in layer._from_dezero(own).items()}
    return arrays


def _renamed(arrays: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    renamed = {names.get(name, name): a for name, a in arrays.items()}
    if len(renamed) < len(arrays):
        raise ValueError(f"expected entries of different names, got some that mean the same: {', '.join(arrays)}")
    return renamed


def _format(path: Pathlike, *suffixes: str) -> tuple[Callable[[dict[str, Any]], bytes], Callable[[bytes], Any]]:
    """The functions that turn arrays into the bytes of a file, and back, by the suffix of `path`."""
    suffixes = suffixes or (".npz", ".safetensors")
    _, suffix = splitext(path)
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
        # Reading is limited to the sizes that the file states. Weights hardly compress: more than this is a zip bomb.
        if sum(entry.file_size for entry in entries) > 20 * len(content) + 2**24:
            raise ValueError("unfolds to more than 20 times its size")
        for entry in entries:
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.filename in arrays:
                raise ValueError(f"{entry.filename}: an entry that NumPy does not write")
            with archive.open(entry) as file:
                array = np.lib.format.read_array(io.BytesIO(file.read(entry.file_size)), allow_pickle=False)
            if array.dtype.kind not in "fiubU":
                raise ValueError(f"{entry.filename}: expected numbers, got dtype {array.dtype}")
            arrays[entry.filename] = array
    return {name.removesuffix(".npy"): array for name, array in arrays.items()}


def read(path: Pathlike, *suffixes: str) -> dict[str, Any]:
    """The arrays in the file `path`. Raises ValueError if its content is damaged or not what its suffix says."""
    _, decode = _format(path, *suffixes)
    with open(path, "rb") as file:
        content = file.read()
    try:
        return decode(content)
    except Exception as error:  # On damage, the parsers of zip, .npy and .safetensors raise nearly anything.
        kind = f"expected a complete {splitext(path)[1]} file of arrays"
        reason = (
            f"got {counted(len(content), 'byte that is not one', 'bytes that are not one')}: {printable(str(error))}"
        )
        raise ValueError(f"{path}: {kind}, {reason}; save it again") from error


def write(path: Pathlike, arrays: dict[str, Any], *suffixes: str) -> None:
    """Write `arrays` to `path`, whole or not at all."""
    encode, _ = _format(path, *suffixes)
    write_whole(path, encode(arrays))


@contextmanager
def naming(path: Pathlike) -> Iterator[None]:
    """Turn any error about the content of a file into a ValueError that names the file."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path}: {printable(str(error))}") from error
