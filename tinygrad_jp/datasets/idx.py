"""Arrays of bytes in IDX format, as MNIST and its kin come in."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygrad_jp.datasets.downloads import unzipped, verify

__all__ = ["read", "size"]


def header(shape: tuple[int, ...]) -> int:
    """Bytes before the values: four that tell type and number of axes, then four for the length of each axis."""
    return 4 + 4 * len(shape)


def size(shape: tuple[int, ...]) -> int:
    """Bytes in all."""
    return header(shape) + math.prod(shape)


def read(path: Path, name: str, shape: tuple[int, ...], sha256: str) -> NDArray[np.uint8]:
    """Return the array of `shape` in file `path`, zipped or not; raise ValueError where it is not the original.

    The original is called `name`, and its checksum is `sha256`. Only of a name in .gz is it that of the zipped file.
    """
    content = unzipped(path, size(shape))
    verify(BytesIO(path.read_bytes() if name.endswith(".gz") else content), sha256)
    return np.frombuffer(content, np.uint8)[header(shape) :].reshape(shape).copy()  # A copy: bytes are read-only.
