"""What a data set is: two arrays, or a subclass that says how an example is made."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ArrayDataset", "Dataset", "Transform", "stack"]

Array = NDArray[Any]
Transform = Callable[[Any], Any] | None


def identity(x: Any) -> Any:
    """Return `x` as it is: the transform where none was given."""
    return x


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
        y = np.asarray(transform(batch))
        if y.shape[:1] != (len(batch),):
            name = type(transform).__name__
            raise ValueError(f"{name}: expected a batch of {len(batch)}, got shape {y.shape} from {batch.shape}")
        return y
    return _join([transform(example) for example in batch])
