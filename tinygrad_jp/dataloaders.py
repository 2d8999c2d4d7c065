"""Mini-batches of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_jp.counting import counted
from tinygrad_jp.datasets.dataset import Dataset, Example, is_table, stack
from tinygrad_jp.datasets.parts import as_dataset
from tinygrad_jp.devices import require_gpu, sent
from tinygrad_jp.hints import hinting
from tinygrad_jp.randomness import Orders, Rng, orders

__all__ = ["DataLoader", "SeqDataLoader"]

Examples = Dataset | Sequence[Example] | tuple[ArrayLike | None, ...] | ArrayLike


def __dir__() -> list[str]:
    return __all__


class DataLoader:
    """Iterate over a data set in mini-batches ``(x, t)`` of NumPy arrays, in a new random order each time.

    Shapes: x is ``(batch_size, ...)`` and t ``(batch_size, ...)``, or None for a data set without labels. The last
    batch may be smaller; with `drop_last` it is left out.

    `dataset` is a `Dataset`, a pair of arrays ``(X, T)``, more arrays ``(A, B, T)``, which give batches ``(a, b, t)``,
    or a sequence of examples ``(x, t)``. `DataLoader(X, T, batch_size=32)` is `DataLoader((X, T), 32)`. Lists, tables
    of pandas and Polars and tensors of PyTorch are taken as arrays. Then come, by position or by name, `batch_size`,
    `shuffle` and `gpu`, as in DeZero.

    The order comes from `rng`: a `numpy.random.Generator`, a seed for one, or None for one that depends on
    `tinygrad_jp.seed`, or without that for NumPy's global state, from which each order is drawn when DeZero draws it.
    Loops over the same loader may be left early or nested: each has an order of its own. `next(loader)` gives one
    batch after the other, too.

    >>> from tinygrad_jp import DataLoader, datasets
    >>> loader = DataLoader(datasets.Digits(), batch_size=100, rng=0)
    >>> len(loader)
    15
    >>> for x, t in loader:
    ...     pass
    >>> x.shape, t.shape  # the last batch
    ((37, 64), (37,))

    The loader can be copied and pickled, and the copy goes on with the same orders: `rng` is its whole state. (Where
    that is NumPy's global state, only the next order is the same.)

    Raises TypeError or ValueError if the batch size is not a positive integer, or if there is no batch.
    """

    def __init__(
        self,
        dataset: Examples,
        *more: Any,
        batch_size: int | None = None,
        shuffle: bool = True,
        gpu: bool = False,
        rng: Rng = None,
        drop_last: bool = False,
    ) -> None:
        name = type(self).__name__
        while more and is_table(more[0]):  # DataLoader(X, T, 32)
            dataset, more = (*(dataset if isinstance(dataset, tuple) else (dataset,)), more[0]), more[1:]
        if len(more) > 3:
            raise TypeError(f"{name}: expected at most batch_size, shuffle and gpu after the data, got {more}")
        settings: Any = (*more, *(batch_size, shuffle, gpu)[len(more) :])
        batch_size, shuffle, gpu = settings
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer):
            raise TypeError(f"{name}: expected batch_size to be an int, got {batch_size!r}; divide by //, not by /")
        if batch_size < 1:
            raise ValueError(f"{name}: expected batch_size >= 1, got {batch_size}; len(dataset) gives one batch")
        self.dataset: Any = as_dataset(dataset, name)
        self.batch_size, self.shuffle, self.drop_last = int(batch_size), shuffle, drop_last
        self.rng = orders(rng)
        if not len(self.dataset):
            raise ValueError(f"{name}: expected at least 1 example, got an empty data set; add examples")
        if not len(self):
            least, few = counted(self.batch_size, "example"), f"{len(self.dataset)} and drop_last=True"
            raise ValueError(f"{name}: expected at least {least}, got {few}; lower batch_size")
        self.gpu = False
        if gpu:
            self.to_gpu()
        self.reset()

    if not TYPE_CHECKING:  # It would hide every misspelt name.
        __getattr__ = hinting("DataLoader")

    def __repr__(self) -> str:
        settings = f"batch_size={self.batch_size}, shuffle={self.shuffle}{', drop_last=True' * self.drop_last}"
        data = f"{type(self.dataset).__name__} of {counted(len(self.dataset), 'example')}"
        return f"{type(self).__name__}({data}, {settings}): {counted(len(self), 'batch', 'batches')}"

    def __len__(self) -> int:
        batches, rest = divmod(len(self.dataset), self.batch_size)
        return batches + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Example]:
        return map(self._batch, self._orders())

    def _orders(self) -> Iterator[NDArray[np.intp]]:
        """The numbers of the examples, batch after batch."""
        n = len(self.dataset)
        order = self.rng.permutation(n) if self.shuffle else np.arange(n)
        for i in range(len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size]
        self._draw_ahead()

    # DeZero's members

    data_size = property(lambda self: len(self.dataset), doc="How many examples there are.")
    max_iter = property(__len__, doc="How many batches there are.")
    _running: Iterator[Example] | None = None

    def reset(self) -> None:
        """Let `next(loader)` begin anew."""
        self._running = None
        self._draw_ahead()

    def _draw_ahead(self) -> None:
        if self.shuffle and isinstance(self.rng, Orders):
            self.rng.draw(len(self.dataset))

    def __next__(self) -> Example:
        self._running = self._running or iter(self)
        try:
            return next(self._running)
        except StopIteration:
            self._running = None
            raise

    def next(self) -> Example:
        """The next batch, as `next(loader)` gives it."""
        return next(self)

    def to_cpu(self) -> None:
        """From now on give batches of NumPy arrays."""
        self.gpu = False

    def to_gpu(self) -> None:
        """From now on copy each batch to the GPU, which must be there."""
        require_gpu()
        self.gpu = True

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_running"}

    def _batch(self, indices: NDArray[np.intp]) -> Example:
        data = self.dataset
        batch: Any = data.batch(indices) if isinstance(data, Dataset) else stack([data[j] for j in indices.tolist()])
        if self.gpu:
            batch = tuple(None if a is None else sent(a) for a in batch)
        return batch


class SeqDataLoader(DataLoader):
    """Iterate over a sequence at `batch_size` places at once: element i of each batch follows element i of the last.

    Place i starts at example i * N // batch_size, for N examples. There are ceil(N / batch_size) batches, all of full
    size. Every example comes, and some come twice if batch_size does not divide N.

    >>> for x, t in SeqDataLoader((np.arange(6), np.arange(1, 7)), batch_size=2):
    ...     print(x, t)
    [0 3] [1 4]
    [1 4] [2 5]
    [2 5] [3 6]

    For recurrent networks, as in the DeZero book (Koki Saito, 2020), step 60. There, places are N // batch_size apart,
    and the last examples never come. Raises ValueError if there are fewer examples than places.
    """

    def __init__(self, dataset: Examples, batch_size: int, gpu: bool = False) -> None:
        super().__init__(dataset, batch_size, False, gpu)
        if len(self.dataset) < self.batch_size:
            least = counted(self.batch_size, "example")
            raise ValueError(f"SeqDataLoader: expected at least {least}, got {len(self.dataset)}; lower batch_size")

    def _orders(self) -> Iterator[NDArray[np.intp]]:
        n = len(self.dataset)
        starts = np.arange(self.batch_size) * n // self.batch_size
        return ((starts + i) % n for i in range(len(self)))
