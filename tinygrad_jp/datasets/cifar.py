"""The archives of CIFAR-10 and CIFAR-100: tar.gz files of pickles. Nothing is extracted to disk, and nothing is run."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_jp.counting import counted
from tinygrad_jp.datasets.downloads import Bounded, verify

__all__ = ["LIMIT", "read", "unpickle"]

PIXELS = 3 * 32 * 32
LIMIT = 200_000_000  # Bytes of an unzipped archive: 60,000 images, their labels and file names.


class ArrayUnpickler(pickle.Unpickler):
    """Read plain values and NumPy arrays from an untrusted pickle. A pickle that asks for anything else is refused.

    Not even NumPy's own functions are called, since a few bytes could ask them for any amount of memory. An array
    starts empty, and is filled with the bytes in the pickle.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for `name` of `module`. Everything that a pickle can call comes through here."""
        asked = f"{module}.{name}"
        stand_ins = {
            "numpy.ndarray": None,  # Named as the class to reconstruct, but never called.
            "numpy.dtype": lambda code, *_: np.dtype(code),
            "numpy.core.multiarray._reconstruct": lambda *_: np.empty(0, np.uint8),
            "_codecs.encode": lambda text, _: text.encode("latin-1"),
        }
        if (known := asked.replace("numpy._core.", "numpy.core.")) not in stand_ins:
            raise ValueError(f"expected a pickle of arrays, got one that asks for {asked}")
        return stand_ins[known]


def unpickle(file: Any) -> Any:
    """Return the content of the pickle in `file`. Raise ValueError if it is not plain values and arrays."""
    try:
        return ArrayUnpickler(file, encoding="bytes").load()  # As Python 2 wrote them.
    except Exception as error:  # A pickle can fail in any way.
        raise ValueError(str(error) if isinstance(error, ValueError) else repr(error)) from None


def read(
    path: Path, sha256: str, members: Mapping[str, int], key: bytes, classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images ``(N, 3, 32, 32)`` and labels ``(N,)`` from the `members` of an archive, in their order.

    `members` gives the number of images in each, `key` the entry of the labels. Raises ValueError if the archive is not
    the original, or if a member is missing or holds something else.
    """
    import gzip
    import tarfile
    import zlib

    found = {}
    try:
        with path.open("rb") as file, gzip.open(file) as stream:
            verify(file, sha256)
            bounded: Any = Bounded(stream, LIMIT)
            with tarfile.open(fileobj=bounded, mode="r|") as tar:
                for member in tar:
                    if member.name in members:
                        found[member.name] = _batch(tar, member, members[member.name], key, classes)
                    if len(found) == len(members):
                        break
    except (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError) as error:
        raise ValueError(f"expected a complete tar.gz file: {error}") from None
    if missing := members.keys() - found.keys():
        raise ValueError(f"expected a member {min(missing)}, got none")
    images, labels = zip(*(found[name] for name in members), strict=True)
    return np.concatenate(images).reshape(-1, 3, 32, 32), np.concatenate(labels)


def _batch(tar: Any, member: Any, n: int, key: bytes, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images, as rows, and the labels of one member."""
    limit = n * (PIXELS + 100) + 10_000  # 100 bytes for the labels, name and frame of each image.
    if not member.isfile() or member.size > limit:
        most = counted(limit, "byte")
        raise ValueError(f"{member.name}: expected a file of at most {most}, got {member.size:,}")
    content = unpickle(tar.extractfile(member))
    images, labels = (content.get(each) if isinstance(content, dict) else None for each in (b"data", key))
    if not (isinstance(images, np.ndarray) and images.shape == (n, PIXELS) and images.dtype == np.uint8):
        raise ValueError(f"{member.name}: expected images of shape {(n, PIXELS)} and dtype uint8")
    if not (isinstance(labels, list) and len(labels) == n and all(type(t) is int and 0 <= t < classes for t in labels)):
        raise ValueError(f"{member.name}: expected {counted(n, 'label')} in 0..{classes - 1}")
    return images, np.array(labels, np.int64)
