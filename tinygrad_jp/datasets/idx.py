"""Arrays of bytes in IDX format, the format of MNIST and Fashion-MNIST."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygrad_jp.datasets.downloads import unzipped, verify

__all__ = ["read", "size"]


def header(shape: tuple[int, ...]) -> int:
    """Bytes before the values: four for the type and the number of axes, then four for the length of each axis."""
    return 4 + 4 * len(shape)


def size(shape: tuple[int, ...]) -> int:
    """Bytes of the whole file."""
    return header(shape) + math.prod(shape)


def read(path: Path, name: str, shape: tuple[int, ...], sha256: str) -> NDArray[np.uint8]:
    """Return the array of `shape` in the file `path`, zipped or not. Raise ValueError if it is not the original.

    `name` is the name of the original, and `sha256` its checksum: of the zipped file if `name` ends in .gz, otherwise
    of the unzipped one.
    """
    content = unzipped(path, size(shape))
    verify(BytesIO(path.read_bytes() if name.endswith(".gz") else content), sha256)
    return np.frombuffer(content, np.uint8)[header(shape) :].reshape(shape).copy()  # A copy: bytes are read-only.
