"""Transforms: functions that a data set applies to each example.

Most also take a whole batch, with a new first axis. Those have the attribute ``batched = True``, and a `Dataset` calls
them once per batch. Images are ``(C, H, W)``, batches of images ``(N, C, H, W)``. An image may also be a Pillow image:
it becomes ``(3, H, W)``, or ``(1, H, W)`` if it is gray. A size is a number, for a square, or ``(H, W)``, as shapes are
written. In DeZero it is ``(W, H)``.

>>> from tinygrad_jp import datasets
>>> augment = Compose([RandomCrop(8, pad=1, rng=0), Scale(16, flatten=False)])
>>> x, t = datasets.Digits(transform=augment)[:100]
>>> x.shape, x.dtype.name
((100, 1, 8, 8), 'float32')
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinygrad_jp.counting import counted
from tinygrad_jp.names import aliases
from tinygrad_jp.randomness import Rng, generator

__all__ = [
    "AsType",
    "CenterCrop",
    "Compose",
    "Flatten",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Resize",
    "Scale",
    "ToArray",
    "ToFloat",
]


__getattr__ = aliases(__name__)


def __dir__() -> list[str]:
    return __all__


Array = NDArray[Any]
Size = int | tuple[int, int]


class Compose:
    """Apply `transforms` one after the other. They are applied to whole batches if all of them can take batches.

    >>> Compose([AsType(np.float32), Normalize(1, 2)])(np.array([1, 2, 3]))
    array([0. , 0.5, 1. ], dtype=float32)
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]] = ()) -> None:
        self.transforms = list(transforms)

    @property
    def batched(self) -> bool:
        """Whether all transforms take batches."""
        return all(getattr(transform, "batched", False) for transform in self.transforms)

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x


class AsType:
    """Convert an array of any shape to `dtype`.

    >>> AsType(np.int64)(np.array([1.5, 2.5]))
    array([1, 2])
    """

    batched = True

    def __init__(self, dtype: DTypeLike = np.float32) -> None:
        self.dtype = np.dtype(dtype)

    def __call__(self, x: ArrayLike) -> Array:
        return np.asarray(x).astype(self.dtype)


ToFloat = AsType


class ToArray(AsType):
    """Convert an image to an array of `dtype`: ``(C, H, W)``. The values stay 0..255.

    Arrays keep their shape. Deviation: DeZero leaves them as they are.

    >>> ToArray()(np.zeros((3, 2, 2), np.uint8)).dtype
    dtype('float32')
    """

    def __call__(self, x: Any) -> Array:
        return super().__call__(_array(x))


class ToInt(AsType):
    """Convert an array to integers, or to `dtype`."""

    def __init__(self, dtype: DTypeLike = int) -> None:
        super().__init__(dtype)


class Convert:
    """Convert a Pillow image to `mode`, such as "RGB" or "L"; "BGR" is RGB with the channels in reverse order."""

    def __init__(self, mode: str = "RGB") -> None:
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        if self.mode != "BGR":
            return x.convert(self.mode)
        x = x.convert("RGB")
        return _pillow().merge("RGB", x.split()[::-1])


class ToPIL:
    """Convert an array (C, H, W) to a Pillow image; (1, H, W) gives a gray one."""

    def __call__(self, x: Array) -> Any:
        x = np.asarray(x)
        return _pillow().fromarray(x[0] if len(x) == 1 else x.transpose(1, 2, 0))


class Normalize:
    """(x - mean) / std, with one mean and standard deviation, or with those of each channel of an image.

    A floating dtype is kept; otherwise the result is float32. For images, `mean` and `std` may be sequences with one
    number for each of the C channels. Raises ValueError if `std` is 0, or if there are not C numbers.

    >>> Normalize([1, 2], [1, 0.5])(np.ones((2, 1, 1)))
    array([[[ 0.]], [[-2.]]])
    """

    batched = True

    def __init__(self, mean: ArrayLike = 0, std: ArrayLike = 1) -> None:
        self.mean, self.std = np.asarray(mean, float), np.asarray(std, float)
        empty = not self.mean.size or not self.std.size
        if empty or not self.std.all() or max(self.mean.ndim, self.std.ndim) > 1:
            raise ValueError(
                f"Normalize: expected a number, or one for each channel, std not 0; got {mean!r} and {std!r}"
            )

    def __call__(self, x: Any) -> Array:
        x = np.asarray(x)
        if channels := {array.size for array in (self.mean, self.std) if array.ndim}:
            x = _images(x, "Normalize")
            if wrong := channels - {1, x.shape[-3]}:
                raise ValueError(
                    f"Normalize: expected {counted(max(wrong), 'channel')}, got an image of shape {x.shape}"
                )
        dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
        mean, std = (a.astype(dtype)[:, None, None] if a.ndim else dtype.type(a) for a in (self.mean, self.std))
        return (x - mean) / std


class Flatten:
    """Make a vector of each image: ``(C, H, W)`` becomes ``(C*H*W,)``, and ``(N, C, H, W)`` becomes ``(N, C*H*W)``.

    >>> Flatten()(np.zeros((3, 2, 2))).shape, Flatten()(np.zeros((5, 3, 2, 2))).shape
    ((12,), (5, 12))
    """

    batched = True

    def __call__(self, x: Any) -> Array:
        x = _images(x, "Flatten")
        return x.reshape(*x.shape[:-3], math.prod(x.shape[-3:]))


class Scale:
    """Scale pixels from 0..`peak` to float32 in [0, 1], and flatten each image into a vector.

    Shapes: ``(C, H, W)`` becomes ``(C*H*W,)``, and a batch ``(N, C, H, W)`` becomes ``(N, C*H*W)``. With
    ``flatten=False``, for convolutions, shapes are kept. Raises ValueError if `peak` is 0.

    >>> Scale(255)(np.array([[[0, 51], [102, 255]]], dtype=np.uint8))
    array([0. , 0.2, 0.4, 1. ], dtype=float32)
    """

    batched = True

    def __init__(self, peak: float, flatten: bool = True) -> None:
        if not peak:
            raise ValueError(f"Scale: expected a peak that is not 0, got {peak}")
        self.peak, self.flatten = peak, flatten

    def __call__(self, x: ArrayLike) -> Array:
        """Scale one image, or a batch of images."""
        x = np.asarray(x)
        y: Array = np.divide(x, self.peak, dtype=np.float32)
        return y.reshape(*x.shape[:-3], math.prod(x.shape[-3:])) if self.flatten else y


class Resize:
    """Resize an image: ``(..., H, W)`` becomes ``(..., *size)``, of the same dtype.

    Each new pixel is a mean of the old ones, weighted by their distance: w = max(0, 1 - |distance|), in steps of the
    coarser grid. So no pixel is skipped when an image shrinks, as in Pillow's BILINEAR. With "nearest", a new pixel is
    the old one under its centre. Raises ValueError for images without pixels.

    >>> Resize(2)(np.array([[[0.0, 4.0], [0.0, 4.0]]])).shape, Resize((1, 2))(np.array([[[0.0, 4.0], [2.0, 6.0]]]))
    ((1, 2, 2), array([[[1., 5.]]]))
    """

    batched = True

    def __init__(self, size: Size, mode: str = "bilinear") -> None:
        if mode not in ("bilinear", "nearest"):
            raise ValueError(f"Resize: expected mode 'bilinear' or 'nearest', got {mode!r}")
        self.size, self.mode = _pair(size, "Resize"), mode

    def __call__(self, x: Any) -> Array:
        x = _fitting(x, (1, 1), "Resize")
        centres = [(np.arange(new) + 0.5) * old / new for old, new in zip(x.shape[-2:], self.size, strict=True)]
        if self.mode == "nearest":
            rows, columns = (centre.astype(int) for centre in centres)
            return x[..., rows[:, np.newaxis], columns]
        dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
        A, B = (_weights(centre, old).astype(dtype) for centre, old in zip(centres, x.shape[-2:], strict=True))
        y = A @ x @ B.T
        return y if x.dtype == dtype else np.rint(y).astype(x.dtype)


def _weights(centres: Array, old: int) -> Array:
    """The weight of each of `old` pixels in the mean around each centre: ``(len(centres), old)``. Rows sum to 1."""
    step = max(1.0, old / len(centres))
    w = np.maximum(0, 1 - np.abs(centres[:, np.newaxis] - np.arange(old) - 0.5) / step)
    return w / w.sum(axis=1, keepdims=True)


class CenterCrop:
    """Cut the middle out of an image: ``(..., H, W)`` becomes ``(..., *size)``.

    Raises ValueError if the image is smaller.

    >>> CenterCrop(1)(np.arange(9).reshape(1, 3, 3))
    array([[[4]]])
    """

    batched = True

    def __init__(self, size: Size) -> None:
        self.size = _pair(size, "CenterCrop")

    def __call__(self, x: Any) -> Array:
        x = _fitting(x, self.size, "CenterCrop")
        h, w = self.size
        top, left = (x.shape[-2] - h) // 2, (x.shape[-1] - w) // 2
        return x[..., top : top + h, left : left + w]


class RandomCrop:
    """Cut each image at a random place of its own: ``(..., H, W)`` becomes ``(..., *size)``.

    First, `pad` rows and columns of zeros are added on each side. `rng` is a seed, a Generator, or None for the default
    generator, which `tinygrad_jp.seed` seeds. Raises ValueError if the padded image is smaller than `size`.

    >>> RandomCrop(2, rng=0)(np.arange(16).reshape(1, 4, 4))
    array([[[ 9, 10], [13, 14]]])
    """

    batched = True

    def __init__(self, size: Size, pad: int = 0, rng: Rng = None) -> None:
        if pad < 0:
            raise ValueError(f"RandomCrop: expected pad >= 0, got {pad}")
        self.size, self.pad, self.rng = _pair(size, "RandomCrop"), pad, None if rng is None else generator(rng)

    def __call__(self, x: Any) -> Array:
        x = _images(x, "RandomCrop")
        x = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(self.pad, self.pad)] * 2)
        windows = sliding_window_view(_fitting(x, self.size, "RandomCrop"), self.size, axis=(-2, -1))
        places = windows if x.ndim == 4 else windows[np.newaxis]
        tops, lefts = (generator(self.rng).integers(0, n, len(places)) for n in places.shape[2:4])
        return places[np.arange(len(places)), :, tops, lefts].reshape(*x.shape[:-2], *self.size)


class RandomHorizontalFlip:
    """Mirror each image from left to right with probability `p`. `rng` is as in `RandomCrop`.

    >>> RandomHorizontalFlip(p=1)(np.array([[[1, 2, 3]]]))
    array([[[3, 2, 1]]])
    """

    batched = True

    def __init__(self, p: float = 0.5, rng: Rng = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"RandomHorizontalFlip: expected a probability from 0 to 1, got {p}")
        self.p, self.rng = p, None if rng is None else generator(rng)

    def __call__(self, x: Any) -> Array:
        x = _images(x, "RandomHorizontalFlip")
        chosen = generator(self.rng).random((*x.shape[:-3], 1, 1, 1)) < self.p
        return np.where(chosen, x[..., ::-1], x)


def _pillow() -> Any:
    from PIL import Image  # type: ignore[import-not-found,unused-ignore]

    return Image


def _array(x: Any) -> Array:
    """An array unchanged; a Pillow image as ``(C, H, W)``."""
    if not hasattr(x, "getbands"):
        return np.asarray(x)
    array = np.asarray(x if x.mode in ("L", "RGB") else x.convert("RGB"))
    return array[np.newaxis] if array.ndim == 2 else array.transpose(2, 0, 1)


def _images(x: Any, name: str) -> Array:
    x = _array(x)
    if x.ndim not in (3, 4):
        raise ValueError(f"{name}: expected (C, H, W) or (N, C, H, W), got {x.shape}; add the axis of channels first")
    return x


def _fitting(x: Any, size: tuple[int, int], name: str) -> Array:
    x = _images(x, name)
    if x.shape[-2] < size[0] or x.shape[-1] < size[1]:
        raise ValueError(f"{name}: expected images of {size} or more, got {x.shape[-2:]}; pad or resize them first")
    return x


def _pair(size: Size, name: str) -> tuple[int, int]:
    h, w = (size, size) if isinstance(size, int | np.integer) else size
    if min(h, w) < 1:
        raise ValueError(f"{name}: expected a size of 1 or more, got {size}")
    return int(h), int(w)
