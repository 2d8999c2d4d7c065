"""Labelled images: Digits, which come with the package, and MNIST, Fashion-MNIST and CIFAR."""

from ast import literal_eval
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygrad_jp.datasets import cifar, idx
from tinygrad_jp.datasets.dataset import Dataset, Transform
from tinygrad_jp.datasets.downloads import load, plain_file
from tinygrad_jp.randomness import generator
from tinygrad_jp.transforms import Scale

__all__ = ["CIFAR10", "CIFAR100", "MNIST", "Digits", "FashionMNIST"]


class Digits(Dataset):
    """1,797 handwritten digits of 8 x 8 pixels, which come with the package: 1,437 for training, 360 for testing.

    `data` is uint8 ``(N, 1, 8, 8)`` with values 0..16, `label` int64 ``(N,)``; by default x is a float32 vector of 64
    values in [0, 1]. For images ``(1, 8, 8)``, pass ``transform=Scale(16, flatten=False)``.

    The split is fixed. The source is ordered by writer, and its last writers are harder than the rest. So it was
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
        """Read the file beside this module."""
        with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
            part = slice(None, 1437) if self.train else slice(1437, None)
            self.data, self.label = file["data"][part], file["label"][part].astype(np.int64)


class MNIST(Dataset):
    """70,000 handwritten digits of 28 x 28 pixels: 60,000 for training, 10,000 for testing.

    `data` is uint8 ``(N, 1, 28, 28)`` with values 0..255, `label` int64 ``(N,)``; by default x is a float32 vector of
    784 values in [0, 1]. For images ``(1, 28, 28)``, pass ``transform=Scale(255, flatten=False)``.

    The files, in IDX format with or without gzip, are read from the directory in the environment variable
    TINYGRAD_JP_DATA, or from ``mnist/`` in it. If it is not set, they are downloaded (11 MB) on first use and kept in
    ``~/.cache/tinygrad_jp/mnist/``, or under XDG_CACHE_HOME. Every file is checked by its sha256.

    Raises FileNotFoundError if a file is neither found nor downloaded, ValueError if it is not the original.

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits. Licence: CC BY-SA 3.0.

    >>> x, t = MNIST(train=False)[:100]  # doctest: +SKIP
    >>> x.shape, t.shape  # doctest: +SKIP
    ((100, 784), (100,))
    """

    default = Scale(255)
    folders: tuple[str, ...] = ("", "mnist")
    mirrors: tuple[str, ...] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    # The shape of each array, and the sha256 of the file of this name. Here it is that of the unzipped file: gzip files
    # differ from mirror to mirror.
    files: Mapping[str, tuple[tuple[int, ...], str]] = {
        "train-images-idx3-ubyte": (
            (60000, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        "train-labels-idx1-ubyte": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        "t10k-images-idx3-ubyte": ((10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        "t10k-labels-idx1-ubyte": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    }

    def __init__(self, train: bool = True, transform: Transform = default, target_transform: Transform = None) -> None:
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        """Find or download the two files, and read them."""
        part = "train" if self.train else "t10k"
        images, labels = (self._read(name) for name in self.files if name.startswith(part))
        self.data, self.label = images[:, np.newaxis], labels.astype(np.int64)

    def _read(self, name: str) -> NDArray[np.uint8]:
        shape, sha256 = self.files[name]
        plain = name.removesuffix(".gz")
        return load(
            partial(idx.read, name=name, shape=shape, sha256=sha256),
            f"{plain}.gz",
            others=[plain] if name == plain else [],
            of=type(self).__name__,
            folders=self.folders,
            mirrors=self.mirrors,
            limit=idx.size(shape) + 10_000,
        )

    def show(self: "MNIST | CIFAR10", row: int = 10, col: int = 10) -> None:
        """Draw `row` x `col` examples, chosen at random, with Matplotlib."""
        from matplotlib import pyplot  # type: ignore[import-not-found,import-untyped,unused-ignore]

        chosen = self.data[generator().integers(0, len(self.data), row * col)]
        grid = chosen.reshape(row, col, *self.data.shape[1:]).transpose(0, 3, 1, 4, 2)
        pyplot.imshow(grid.reshape(row * grid.shape[1], col * grid.shape[3], -1).squeeze(), cmap="gray")
        pyplot.axis("off")
        pyplot.show()

    @staticmethod
    def labels() -> dict[int, str]:
        """Return the name of each class: ``{0: "0", ..., 9: "9"}``."""
        return dict(enumerate("0123456789"))


class FashionMNIST(MNIST):
    """70,000 pictures of clothes of 28 x 28 pixels: 60,000 for training, 10,000 for testing; 10 classes.

    Shapes, dtypes and the default transform are those of `MNIST`, so one can replace the other.

    The files, zipped as published, have the same names as those of MNIST. They are read from ``fashion-mnist/`` in the
    directory TINYGRAD_JP_DATA. If that is not set, they are downloaded (31 MB) like those of `MNIST`.

    Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747. Licence: MIT.

    >>> FashionMNIST.labels()[9]
    'Ankle boot'
    """

    folders = ("fashion-mnist",)
    mirrors = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    files = {  # noqa: RUF012 - never changed
        "train-images-idx3-ubyte.gz": (
            (60000, 28, 28),
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        "train-labels-idx1-ubyte.gz": ((60000,), "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        "t10k-images-idx3-ubyte.gz": (
            (10000, 28, 28),
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        "t10k-labels-idx1-ubyte.gz": ((10000,), "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    }

    @staticmethod
    def labels() -> dict[int, str]:
        """Return the name of each class: ``{0: "T-shirt/top", ..., 9: "Ankle boot"}``."""
        return dict(enumerate(NAMES["fashion"].split(", ")))


class CIFAR10(Dataset):
    """60,000 colour photographs of 32 x 32 pixels in 10 classes: 50,000 for training, 10,000 for testing.

    `data` is uint8 ``(N, 3, 32, 32)`` with values 0..255 and the channels red, green and blue, `label` int64 ``(N,)``;
    by default x is a float32 image ``(3, 32, 32)`` in [0, 1].

    The archive cifar-10-python.tar.gz is read from the directory TINYGRAD_JP_DATA, or from ``cifar10/`` in it. If that
    is not set, it is downloaded (170 MB) like the files of `MNIST`. It is checked by its sha256. Pickles can run any
    program, so they are read by an unpickler that makes only arrays.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009,
    https://www.cs.toronto.edu/~kriz/cifar.html. Licence: none is stated; its author asks to be cited.

    >>> CIFAR10.labels()[9]
    'truck'
    """

    default = Scale(255, flatten=False)
    folders: tuple[str, ...] = ("", "cifar10")
    mirrors: tuple[str, ...] = ("https://www.cs.toronto.edu/~kriz/",)
    archive, sha256 = "cifar-10-python.tar.gz", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    # The members of the archive for training (True) and for testing, and the number of images in each.
    members: Mapping[bool, Mapping[str, int]] = {
        True: {f"cifar-10-batches-py/data_batch_{i}": 10000 for i in range(1, 6)},
        False: {"cifar-10-batches-py/test_batch": 10000},
    }
    key = "labels"

    def __init__(self, train: bool = True, transform: Transform = default, target_transform: Transform = None) -> None:
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        """Find or download the archive, and read it."""
        members = self.members[bool(self.train)]
        self.data, self.label = load(
            partial(cifar.read, sha256=self.sha256, members=members, key=self.key.encode(), classes=len(self.labels())),
            self.archive,
            of=type(self).__name__,
            folders=self.folders,
            mirrors=self.mirrors,
            limit=cifar.LIMIT,
        )

    show = MNIST.show

    @staticmethod
    def labels() -> dict[int, str]:
        """Return the name of each class: ``{0: "airplane", ..., 9: "truck"}``."""
        return dict(enumerate(NAMES["cifar10"].split(", ")))


class CIFAR100(CIFAR10):
    """60,000 colour photographs of 32 x 32 pixels: 50,000 for training, 10,000 for testing; 100 classes, or 20.

    By default, `label` is the class, 0..99. With ``label_type="coarse"`` it is the group, 0..19, of five classes each.
    Everything else is as in `CIFAR10`. The archive is cifar-100-python.tar.gz.

    Raises ValueError for another `label_type`.

    >>> CIFAR100.labels()[99], CIFAR100.labels("coarse")[19]
    ('worm', 'vehicles 2')
    """

    folders = ("", "cifar100")
    archive, sha256 = "cifar-100-python.tar.gz", "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
    members = {True: {"cifar-100-python/train": 50000}, False: {"cifar-100-python/test": 10000}}  # noqa: RUF012
    default = CIFAR10.default

    def __init__(
        self,
        train: bool = True,
        transform: Transform = default,
        target_transform: Transform = None,
        label_type: str = "fine",
    ) -> None:
        self.labels(label_type)  # Refuse an unknown type before anything is read.
        self.key = f"{label_type}_labels"
        super().__init__(train, transform, target_transform)

    @staticmethod
    def labels(label_type: str = "fine") -> dict[int, str]:
        """Return the name of each class or, with "coarse", of each group of classes."""
        if label_type not in ("fine", "coarse"):
            raise ValueError(f"CIFAR100: expected label_type 'fine' or 'coarse', got {label_type!r}")
        return dict(enumerate(NAMES[label_type].split(", ")))


NAMES = {
    "fashion": "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot",
    "cifar10": "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck",
    "fine": (
        "apple, aquarium fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl, boy, bridge, bus, "
        "butterfly, camel, can, castle, caterpillar, cattle, chair, chimpanzee, clock, cloud, cockroach, couch, crab, "
        "crocodile, cup, dinosaur, dolphin, elephant, flatfish, forest, fox, girl, hamster, house, kangaroo, keyboard, "
        "lamp, lawn mower, leopard, lion, lizard, lobster, man, maple tree, motorcycle, mountain, mouse, mushroom, "
        "oak tree, orange, orchid, otter, palm tree, pear, pickup truck, pine tree, plain, plate, poppy, porcupine, "
        "possum, rabbit, raccoon, ray, road, rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, "
        "spider, squirrel, streetcar, sunflower, sweet pepper, table, tank, telephone, television, tiger, tractor, "
        "train, trout, tulip, turtle, wardrobe, whale, willow tree, wolf, woman, worm"
    ),
    "coarse": (
        "aquatic mammals, fish, flowers, food containers, fruit and vegetables, household electrical devices, "
        "household furniture, insects, large carnivores, large man-made outdoor things, "
        "large natural outdoor scenes, large omnivores and herbivores, medium-sized mammals, "
        "non-insect invertebrates, people, reptiles, small mammals, trees, vehicles 1, vehicles 2"
    ),
}


class ImageNet(Dataset):
    """The names of ImageNet's 1,000 classes, as in DeZero. The images are not here."""

    mirror = (
        "https://gist.githubusercontent.com/yrevar/942d3a0ac09ec9e5eb3a/raw/"
        "238f720ff059c1f82f368259d1ca4ffa5dd8f9f5/imagenet1000_clsidx_to_labels.txt"
    )

    @classmethod
    def labels(cls) -> dict[int, str]:
        """Return the name of each class, from a file that is downloaded at the first call."""
        names: dict[int, str] = literal_eval(plain_file(cls.mirror, cls.mirror.rpartition("/")[2]).read_text("utf-8"))
        return names
