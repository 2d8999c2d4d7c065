"""Data sets: examples ``(x, t)``, taken one at a time or as a whole batch.

A data set is two arrays, `data` and `label`, and two transforms, applied when examples are taken:

>>> from tinygrad_jp import datasets
>>> train, test = datasets.Digits(train=True), datasets.Digits(train=False)
>>> x, t = train[0]  # one example
>>> x.shape, x.dtype.name, int(t)
((64,), 'float32', 6)
>>> x, t = train[:100]  # a batch, in one indexing operation
>>> x.shape, t.shape
((100, 64), (100,))

Data of one's own is an `ArrayDataset`, or a subclass of `Dataset` that fills `data` and `label` in `prepare`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_jp import idx

__all__ = ["MNIST", "ArrayDataset", "Dataset", "Digits", "Scale"]

Array = NDArray[Any]
Transform = Callable[[Any], Any] | None


def identity(x: Any) -> Any:
    """Return `x` as it is: the transform where none was given."""
    return x


@dataclass(frozen=True)
class Scale:
    """Scale pixels from 0..`peak` to float32 in [0, 1], and flatten each image into a vector.

    Shapes: ``(C, H, W)`` becomes ``(C*H*W,)``, and a batch ``(N, C, H, W)`` becomes ``(N, C*H*W)``. With
    ``flatten=False``, for convolutions, shapes stay as they are.

    >>> Scale(255)(np.array([[[0, 51], [102, 255]]], dtype=np.uint8))
    array([0. , 0.2, 0.4, 1. ], dtype=float32)
    """

    peak: float
    flatten: bool = True
    batched: ClassVar[bool] = True

    def __call__(self, x: Array) -> Array:
        """Scale one image, or a batch of them."""
        y: Array = np.divide(x, self.peak, dtype=np.float32)
        return y.reshape(*x.shape[:-3], math.prod(x.shape[-3:])) if self.flatten else y


class Dataset:
    """Examples ``(x, t)``: ``x = transform(data[i])`` and ``t = target_transform(label[i])``, or None without labels.

    A subclass fills `data` and `label` in `prepare`; one whose data does not fit into memory overrides `__getitem__`
    and `__len__` instead. A transform is a function of one example. One that takes a batch as well, with a new first
    axis, says so by an attribute ``batched = True``, as `Scale` does, and is then called once per batch.

    >>> class Squares(Dataset):
    ...     def prepare(self):
    ...         self.data = np.arange(4.0)
    ...         self.label = self.data**2
    >>> x, t = Squares()[[1, 3]]
    >>> x, t
    (array([1., 3.]), array([1., 9.]))
    """

    data: Any = None
    label: Any = None

    def __init__(self, train: bool = True, transform: Transform = None, target_transform: Transform = None) -> None:
        self.train = train
        self.transform = transform or identity
        self.target_transform = target_transform or identity
        self.prepare()

    def prepare(self) -> None:
        """Fill `data` and, where there are labels, `label`: the hook for subclasses."""

    def __len__(self) -> int:
        name = type(self).__name__
        if self.data is None:
            raise TypeError(f"{name}: expected data, got None; set self.data in prepare(), or override __len__")
        n = len(self.data)
        if self.label is not None and len(self.label) != n:
            raise ValueError(f"{name}: expected one label per example, got {n} examples and {len(self.label)} labels")
        return n

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        """Return example ``(x, t)`` number `index`, or the batch that a slice, a mask or an integer array selects."""
        n = len(self)
        if not isinstance(index, int | np.integer):
            chosen = np.arange(n)[index]
            return self.batch(chosen) if chosen.ndim else self[int(chosen)]
        if not -n <= index < n:
            raise IndexError(f"{type(self).__name__}: expected an index from {-n} to {n - 1}, got {index}")
        t = None if self.label is None else self.target_transform(self.label[index])
        return self.transform(self.data[index]), t

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return (self[i] for i in range(len(self)))

    def batch(self, indices: Array) -> tuple[Array, Any]:
        """Return the examples of an integer array `indices` as two arrays: by one indexing, if `data` is an array."""
        overridden = type(self).__getitem__ is not Dataset.__getitem__
        if overridden or not isinstance(self.data, np.ndarray) or not isinstance(self.label, np.ndarray | None):
            return stack([self[int(i)] for i in indices])
        x = _apply(self.transform, self.data[indices])
        return x, None if self.label is None else _apply(self.target_transform, self.label[indices])


class ArrayDataset(Dataset):
    """A data set of arrays of one's own, which are not copied.

    >>> dataset = ArrayDataset(np.eye(3), [0, 1, 2])
    >>> dataset[1]
    (array([0., 1., 0.]), np.int64(1))
    """

    def __init__(
        self,
        data: ArrayLike,
        label: ArrayLike | None = None,
        transform: Transform = None,
        target_transform: Transform = None,
    ) -> None:
        self.data, self.label = np.asarray(data), None if label is None else np.asarray(label)
        super().__init__(True, transform, target_transform)
        len(self)  # As many labels as examples? Say so here, not in the middle of an epoch.


def stack(examples: Sequence[Any]) -> tuple[Array, Any]:
    """Stack examples ``(x, t)`` into a batch ``(X, T)``; T is None where every t is."""
    for example in examples:
        if not isinstance(example, tuple | list) or len(example) != 2:
            raise TypeError(f"batch: expected examples (x, t), got {type(example).__name__}; without t, give (x, None)")
    xs, ts = [x for x, _ in examples], [t for _, t in examples]
    return _join(xs), None if ts and all(t is None for t in ts) else _join(ts)


def _join(values: list[Any]) -> Array:
    try:
        return np.array(values)
    except ValueError:
        shapes = ", ".join(map(str, sorted({np.shape(value) for value in values})))
        raise ValueError(f"batch: expected examples of one shape, got {shapes}; crop or pad them first") from None


def _apply(transform: Callable[[Any], Any], batch: Array) -> Array:
    if transform is identity or getattr(transform, "batched", False):
        return np.asarray(transform(batch))
    return _join([transform(example) for example in batch])


class Digits(Dataset):
    """1,797 handwritten digits of 8 x 8 pixels, which come with the package: 1,437 for training, 360 for testing.

    `data` is uint8 ``(N, 1, 8, 8)`` with values 0..16, `label` int64 ``(N,)``; by default x is a float32 vector of 64
    values in [0, 1]. For images ``(1, 8, 8)``, give ``transform=Scale(16, flatten=False)``.

    The split is fixed. The source is ordered by writer, and its last writers are harder than the rest, so that it was
    shuffled once, by ``numpy.random.default_rng(0).permutation(1797)``, before the last 360 were set aside.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (test set), UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49. Licence: CC BY 4.0. Changes: shuffled, stored as uint8.

    >>> len(Digits(train=True)), len(Digits(train=False))
    (1437, 360)
    """

    default = Scale(16)

    def __init__(self, train: bool = True, transform: Transform = default, target_transform: Transform = None) -> None:
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        """Read the file that lies beside this module."""
        with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
            part = slice(None, 1437) if self.train else slice(1437, None)
            self.data, self.label = file["data"][part], file["label"][part].astype(np.int64)


class MNIST(Dataset):
    """70,000 handwritten digits of 28 x 28 pixels: 60,000 for training, 10,000 for testing.

    `data` is uint8 ``(N, 1, 28, 28)`` with values 0..255, `label` int64 ``(N,)``; by default x is a float32 vector of
    784 values in [0, 1]. For images ``(1, 28, 28)``, give ``transform=Scale(255, flatten=False)``.

    The files, in IDX format, with or without gzip, are read from the directory that the environment variable
    TINYGRAD_JP_DATA names, or from ``mnist/`` in it. Where it is not set, they are downloaded (11 MB) on first use and
    kept in ``~/.cache/tinygrad_jp/mnist/``, or below XDG_CACHE_HOME. Every file is checked by its sha256.

    Raises FileNotFoundError where a file is neither found nor downloaded, ValueError where it is not the original.

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits. Licence: CC BY-SA 3.0.

    >>> x, t = MNIST(train=False)[:100]  # doctest: +SKIP
    >>> x.shape, t.shape  # doctest: +SKIP
    ((100, 784), (100,))
    """

    default = Scale(255)

    def __init__(self, train: bool = True, transform: Transform = default, target_transform: Transform = None) -> None:
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        """Find or download the two files, and read them."""
        part = "train" if self.train else "t10k"
        self.data = idx.read(f"{part}-images-idx3-ubyte")[:, np.newaxis]
        self.label = idx.read(f"{part}-labels-idx1-ubyte").astype(np.int64)

    @staticmethod
    def labels() -> dict[int, str]:
        """Return the name of each class: ``{0: "0", ..., 9: "9"}``."""
        return {digit: str(digit) for digit in range(10)}
