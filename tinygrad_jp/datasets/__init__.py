"""Data sets: examples ``(x, t)``, taken one at a time or as a whole batch.

A data set is two arrays, `data` and `label`, and two transforms, which are applied when examples are taken:

>>> from tinygrad_jp import datasets
>>> train, test = datasets.Digits(train=True), datasets.Digits(train=False)
>>> x, t = train[0]  # one example
>>> x.shape, x.dtype.name, int(t)
((64,), 'float32', 6)
>>> x, t = train[:100]  # a batch, in one indexing operation
>>> x.shape, t.shape
((100, 64), (100,))

For data of your own, use `ArrayDataset`, or a subclass of `Dataset` that fills `data` and `label` in `prepare`.
"""

from tinygrad_jp.datasets.dataset import ArrayDataset, Dataset, stack
from tinygrad_jp.datasets.images import CIFAR10, CIFAR100, MNIST, Digits, FashionMNIST
from tinygrad_jp.datasets.parts import Subset, TupleDataset, random_split
from tinygrad_jp.datasets.text import Shakespeare
from tinygrad_jp.datasets.toys import SinCurve, Spiral, TwoMoons
from tinygrad_jp.hints import HINTS
from tinygrad_jp.names import aliases
from tinygrad_jp.transforms import Scale

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "ArrayDataset",
    "Dataset",
    "Digits",
    "FashionMNIST",
    "Scale",
    "Shakespeare",
    "SinCurve",
    "Spiral",
    "Subset",
    "TupleDataset",
    "TwoMoons",
    "random_split",
    "stack",
]


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__, HINTS[__name__])
