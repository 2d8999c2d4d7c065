"""The four files of MNIST, in IDX format: found on the disk or downloaded, and checked."""

from __future__ import annotations

import math
import os
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygrad_jp.progress import progress

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")

# Shape of the array and sha256 of the unzipped file: a gzip's own differs from mirror to mirror.
FILES: dict[str, tuple[tuple[int, ...], str]] = {
    "train-images-idx3-ubyte": ((60000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": ((10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def read(name: str) -> NDArray[np.uint8]:
    """Return the array that file `name` of MNIST holds; `datasets.MNIST` says where it is looked for."""
    path = _find(name)
    try:
        content = _unzip(path, name)
    except ValueError as error:
        raise ValueError(f"MNIST: {path}: {error}; delete this file, or put the original in its place") from None
    shape, _ = FILES[name]
    return np.frombuffer(content, np.uint8)[_header(shape) :].reshape(shape).copy()  # A copy: bytes are read-only.


def _header(shape: tuple[int, ...]) -> int:
    """Bytes before the values: four that tell type and number of axes, then four for the length of each axis."""
    return 4 + 4 * len(shape)


def _find(name: str) -> Path:
    """Return the path of file `name` of MNIST, downloaded if need be."""
    given = os.environ.get("TINYGRAD_JP_DATA")
    root = Path(given or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "tinygrad_jp")).expanduser()
    places = [folder / file for folder in (root, root / "mnist") for file in (name, f"{name}.gz")]
    for path in places:
        if path.is_file():
            return path
    if not given:
        return _download(name, root / "mnist")
    raise FileNotFoundError(
        f"MNIST: expected {name} or {name}.gz in {root} (from TINYGRAD_JP_DATA) or {root / 'mnist'}, got neither; "
        "put the file there, or unset TINYGRAD_JP_DATA to download it"
    )


def _unzip(path: Path, name: str) -> bytes:
    """Return the content of `path`, zipped or not; raise ValueError if it is not that of the original `name`."""
    import gzip
    import hashlib
    import zlib

    shape, sha256 = FILES[name]
    size = _header(shape) + math.prod(shape)
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            content = stream.read(size + 1)  # One byte too many is enough to refuse a file: a gzip bomb never unfolds.
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"expected a complete gzip file, got {path.stat().st_size:,} bytes: {error}") from None
    if len(content) != size:
        got = "more" if len(content) > size else f"{len(content):,}"
        raise ValueError(f"expected {size:,} bytes unzipped, got {got}")
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"expected sha256 {sha256[:16]}..., got {found[:16]}...")
    return content


def _download(name: str, folder: Path) -> Path:
    """Download file `name` of MNIST into `folder`, whole and checked or not at all, and return its path."""
    from http.client import HTTPException
    from tempfile import TemporaryDirectory

    failures = []
    folder.mkdir(parents=True, exist_ok=True)
    # On the disk of its destination, so that the last step is one atomic rename; removed whatever happens.
    with TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
        part = Path(temporary, f"{name}.gz")
        for mirror in MIRRORS:
            try:
                _fetch(mirror + part.name, part, limit=math.prod(FILES[name][0]))
                _unzip(part, name)
                return part.replace(folder / part.name)
            except (OSError, HTTPException, ValueError) as error:
                failures.append(f"{mirror}: {error}")
    raise FileNotFoundError(
        f"MNIST: expected {name} in {folder} or from a mirror, got {'; '.join(failures)}; "
        f"put {name}.gz into a directory and name it in TINYGRAD_JP_DATA, or take datasets.Digits, which is on disk"
    )


def _fetch(url: str, path: Path, limit: int) -> None:
    """Write what `url` answers to `path`, cut not far above `limit` bytes."""
    from urllib.request import urlopen

    with urlopen(url, timeout=30) as reply, path.open("wb") as out:
        chunks = islice(iter(lambda: reply.read(1 << 16), b""), 2 + (limit >> 16))
        for chunk in progress(chunks, reply.length, f"{path.name} (bytes)", size=len):
            out.write(chunk)
