"""Data sets made of others: parts by index, random parts, and any number of arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_jp.datasets.dataset import ArrayDataset, Dataset, as_array, is_table, stack
from tinygrad_jp.randomness import Rng, generator
from tinygrad_jp.transforms import Array

__all__ = ["Subset", "TupleDataset", "random_split"]


class TupleDataset(Dataset):
    """Examples of any number of parts, such as ``(a, b, t)`` for a model of two inputs: one array for each.

    The arrays are not copied. `DataLoader((A, B, T), 32)` makes one of these.

    >>> TupleDataset([1, 2], [3, 4], [0, 1])[:]
    (array([1, 2]), array([3, 4]), array([0, 1]))
    """

    def __init__(self, *arrays: ArrayLike) -> None:
        name = type(self).__name__
        if not arrays:
            raise TypeError(f"{name}: expected at least one array, got none")
        self.arrays = tuple(as_array(values, name) for values in arrays)
        super().__init__()
        if len({len(array) for array in self.arrays}) > 1:
            raise ValueError(f"{name}: expected arrays of one length, got {[len(array) for array in self.arrays]}")

    def prepare(self) -> None:
        """The first array is `data`, the last `label`."""
        self.data, self.label = self.arrays[0], self.arrays[-1]

    def __getitem__(self, index: Any) -> Any:
        return tuple(array[index] for array in self.arrays)

    def batch(self, indices: Array) -> Any:
        return self[indices]


class Subset(Dataset):
    """The examples of `dataset` at `indices`: a list of integers, a range, a slice or a mask.

    `dataset` is whatever a `DataLoader` takes. Its transforms apply.

    >>> subset = Subset(([10, 20, 30], [0, 1, 2]), [2, 0])
    >>> len(subset), subset[0], subset[:]
    (2, (np.int64(30), np.int64(2)), (array([30, 10]), array([2, 0])))
    """

    def __init__(self, dataset: Any, indices: Any) -> None:
        self.dataset = as_dataset(dataset, type(self).__name__)
        self.indices = np.atleast_1d(np.arange(len(self.dataset))[indices])
        super().__init__()

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self.dataset[int(self.indices[index])]
        return self.batch(np.arange(len(self))[index])

    def batch(self, indices: Array) -> Any:
        chosen = self.indices[indices]
        if isinstance(self.dataset, Dataset):
            return self.dataset.batch(chosen)
        return stack([self.dataset[i] for i in chosen.tolist()])


def random_split(dataset: Any, sizes: float | Sequence[float], *, rng: Rng = None) -> list[Subset]:
    """Divide `dataset` into random parts without overlap.

    `sizes` are fractions that add up to 1, or numbers of examples that add up to all; one fraction f means [f, 1 − f].
    `dataset` is whatever a `DataLoader` takes. `rng` is a seed, a Generator, or None for the default one.

    >>> train, valid = random_split((np.arange(10), np.arange(10)), [0.8, 0.2], rng=0)
    >>> len(train), len(valid)
    (8, 2)

    Raises ValueError if the sizes do not add up, or if a part has no example.
    """
    dataset = as_dataset(dataset, "random_split")
    n = len(dataset)
    shares = np.array([sizes, 1 - sizes] if isinstance(sizes, float) else sizes)
    total = 1 if shares.dtype.kind == "f" else n
    if shares.ndim != 1 or shares.dtype.kind not in "fiu" or not np.isclose(shares.sum(), total):
        raise ValueError(
            f"random_split: expected fractions that add up to 1, or numbers that add up to {n}, got {sizes}"
        )
    ends = np.round(np.cumsum(shares) * (n / total)).astype(int)
    if (np.diff(ends, prepend=0) <= 0).any():
        raise ValueError(f"random_split: expected parts of at least one example, of {n} in all, got {sizes}")
    return [Subset(dataset, part) for part in np.split(generator(rng).permutation(n), ends[:-1])]


def as_dataset(dataset: Any, name: str) -> Any:
    """`dataset` as an object with a length and examples ``(x, t)``."""
    if isinstance(dataset, tuple) and len(dataset) > 1 and all(part is None or is_table(part) for part in dataset):
        return ArrayDataset(*dataset) if len(dataset) == 2 else TupleDataset(*dataset)
    if any(isinstance(part, dict) for part in (dataset, *(dataset if isinstance(dataset, tuple) else ()))):
        raise TypeError(f"{name}: expected arrays, got a dict; give them one by one, as in ((A, B, T), 32)")
    whole = is_table(dataset) and not isinstance(dataset, list)
    if whole or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise TypeError(
            f"{name}: expected a Dataset, a pair of arrays (X, T) or a sequence of examples (x, t), "
            f"got {type(dataset).__name__}; give (X, None) for data without labels, a list for a generator"
        )
    return dataset
