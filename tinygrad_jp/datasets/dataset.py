"""Data sets: two arrays, or a subclass that makes each example."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_jp.counting import counted
from tinygrad_jp.datasets.pictures import html
from tinygrad_jp.transforms import Array

__all__ = ["ArrayDataset", "Dataset", "Example", "Transform", "stack"]

Transform = Callable[[Any], Any] | None
Example = tuple[Any, Any]
Index = int | slice | list[int] | Array


def identity(x: Any) -> Any:
    """Return `x` unchanged: the transform if none is given."""
    return x


class Dataset:
    """Examples ``(x, t)``: ``x = transform(data[i])`` and ``t = target_transform(label[i])``, or None without labels.

    A subclass fills `data` and `label` in `prepare`. If its data do not fit into memory, it overrides `__getitem__` and
    `__len__` instead. A transform is a function of one example. If it also takes a batch, with a new first axis, it
    says so by an attribute ``batched = True``, as `Scale` does, and is then called once per batch.

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
        for key in ("data", "label"):  # A table of pandas would take an index as the name of a column.
            if hasattr(vars(self).get(key), "to_numpy"):
                setattr(self, key, as_array(vars(self)[key], type(self).__name__))

    def prepare(self) -> None:
        """Fill `data` and, if there are labels, `label`. Subclasses override this."""

    def __len__(self) -> int:
        name = type(self).__name__
        if self.data is None:
            raise TypeError(f"{name}: expected data, got None; set self.data in prepare(), or override __len__")
        n = len(self.data)
        if self.label is not None and len(self.label) != n:
            labels = counted(len(self.label), "label")
            raise ValueError(f"{name}: expected one label per example, got {counted(n, 'example')} and {labels}")
        return n

    def __getitem__(self, index: Index) -> Example:
        """Return example ``(x, t)`` number `index`, or the batch that a slice, a mask or an integer array selects.

        Raises IndexError for a number that is out of range.
        """
        n = len(self)
        if not isinstance(index, int | np.integer):
            chosen = np.arange(n)[index]
            return self.batch(chosen) if chosen.ndim else self[int(chosen)]
        if not -n <= index < n:
            expected = f"an index from {-n} to {n - 1}" if n else "a data set with examples, not an empty one"
            raise IndexError(f"{type(self).__name__}: expected {expected}, got {index}")
        t = None if self.label is None else self.target_transform(self.label[index])
        return self.transform(self.data[index]), t

    def __iter__(self) -> Iterator[Example]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        """The name, the number of examples, and what arrays hold them, before any transform."""
        arrays = {"x": self.data, "t": self.label}
        parts = [f"{k} {a.shape[1:]} {a.dtype}" for k, a in arrays.items() if isinstance(a, np.ndarray)]
        return f"{type(self).__name__}: {', '.join([counted(len(self), 'example'), *parts])}"

    def _repr_html_(self) -> str | None:
        return html(self)

    def batch(self, indices: Array) -> Example:
        """Return the examples at the integers `indices` as two arrays, by one indexing operation if `data` is one."""
        overridden = type(self).__getitem__ is not Dataset.__getitem__
        if overridden or not isinstance(self.data, np.ndarray) or not isinstance(self.label, np.ndarray | None):
            return stack([self[int(i)] for i in indices])
        x = _apply(self.transform, self.data[indices])
        return x, None if self.label is None else _apply(self.target_transform, self.label[indices])


class ArrayDataset(Dataset):
    """A data set of your own arrays, which are not copied.

    Raises ValueError if there is not one label per example, or if nested lists do not form an array.

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
        name = type(self).__name__
        self.data, self.label = as_array(data, name), None if label is None else as_array(label, name)
        super().__init__(True, transform, target_transform)
        len(self)  # Refuse a wrong number of labels here, not in the middle of an epoch.


def as_array(values: ArrayLike, name: str) -> Array:
    """Return data or labels as an array with one element per example."""
    kind = type(values).__name__
    try:
        array = np.from_dlpack(values) if _speaks_dlpack_only(values) else np.asarray(values)  # type: ignore[arg-type]
    except ValueError:
        shapes = ", ".join(sorted({str(np.shape(value)) for value in values}))  # type: ignore[union-attr]
        raise ValueError(f"{name}: expected examples of one shape, got {shapes}; crop or pad them first") from None
    except (TypeError, RuntimeError, BufferError) as error:  # Of PyTorch: a tensor with a graph, or on another device.
        raise TypeError(
            f"{name}: expected an array, got a {kind} that does not give one: {error}; "
            f"convert it first, by .to_numpy(), or .detach().cpu().numpy() for a tensor"
        ) from None
    if array.dtype == object and hasattr(values, "to_numpy"):
        raise TypeError(
            f"{name}: expected numbers, got a {kind} that holds other things; choose columns of numbers and write "
            f".to_numpy(np.float32), or number the classes: np.unique(column, return_inverse=True)[1]"
        )
    if not array.ndim:
        raise ValueError(f"{name}: expected an array with an axis of examples, got {array}; write [{array}]")
    return array


def is_table(values: Any) -> bool:
    """Whether `values` are many examples at once: an array, a list, a table of pandas, a tensor of PyTorch."""
    tabular = isinstance(values, list) or hasattr(values, "__array__") or hasattr(values, "__dlpack__")
    return tabular and not isinstance(values, np.generic)


def _speaks_dlpack_only(values: Any) -> bool:
    return hasattr(values, "__dlpack__") and not hasattr(values, "__array__")


def stack(examples: Sequence[Any]) -> Any:
    """Stack examples ``(x, t)`` into a batch ``(X, T)``; those of more parts likewise. T is None if every t is.

    >>> stack([(1.0, 0), (2.0, 1)])
    (array([1., 2.]), array([0, 1]))
    """
    for example in examples:
        if not isinstance(example, tuple | list) or len(example) != max(2, len(examples[0])):
            raise TypeError(f"batch: expected examples (x, t), got {type(example).__name__}; without t, give (x, None)")
    columns = [list(column) for column in zip(*examples, strict=True)] or [[], []]
    return tuple(None if c and all(t is None for t in c) else as_array(c, "batch") for c in columns)


def _apply(transform: Callable[[Any], Any], batch: Array) -> Array:
    if transform is identity or getattr(transform, "batched", False):
        y = np.asarray(transform(batch))
        if y.shape[:1] != (len(batch),):
            name = type(transform).__name__
            raise ValueError(f"{name}: expected a batch of {len(batch)}, got shape {y.shape} from {batch.shape}")
        return y
    return as_array([transform(example) for example in batch], "batch")
