"""Residual networks: each block adds to its input."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.core import Array, ArrayLike, Variable
from tinygrad_jp.models.images import RELEASE, ImageModel
from tinygrad_jp.randomness import Rng

__all__ = ["ResNet", "ResNet18", "ResNet50", "ResNet101", "ResNet152"]

# layers → blocks in each of the four stages. Networks of 50 layers and more are built from bottlenecks.
STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class Variant(NamedTuple):
    """In which details networks differ that are all called ResNet."""

    pool_pad: int
    """The pad of the pooling after the first convolution: with 0, an image of 224 pixels has 55 after it, not 56."""
    strided: int
    """The convolution of a bottleneck that halves the image: the first (1×1) or the second (3×3)."""
    eps: float
    """The eps of all batch normalizations."""


# Weights are worth something only in the network that they were trained in.
VARIANTS = {"paper": Variant(1, 1, 2e-5), "dezero": Variant(0, 1, 2e-5), "torch": Variant(1, 2, 1e-5)}


class ResNet(ImageModel):
    """A residual network of 18, 34, 50, 101 or 152 layers.

    x is (N, C, H, W) with sides of any length, y (N, n_classes). `like` says whose network it is, by default the
    paper's:

    - "paper": max pooling after the first convolution has a pad of 1, and the first convolution of a stage has the
      stride 2.
    - "dezero": the pooling has no pad, and the sides have at least 5 pixels. Weights of DeZero need this.
    - "torch": the second convolution of a bottleneck has the stride 2, and eps is 1e-5. Weights of PyTorch's
      torchvision need this; load them with `layout="torch"`.

    Weights of another network than `like` says are refused if they can be told apart. Source: He et al., Deep Residual
    Learning for Image Recognition, 2015, table 1. `pretrained=True` loads the weights that DeZero offers for 50, 101
    and 152 layers, into its own network: a file of 100 to 240 MB, which is downloaded once.

    >>> ResNet(18, n_classes=10, rng=0)(np.ones((2, 3, 32, 32), np.float32)).shape
    (2, 10)
    """

    WEIGHTS_PATH = RELEASE + "resnet{}.npz"

    def __init__(
        self,
        n_layers: int = 152,
        pretrained: bool = False,
        *,
        n_classes: int = 1000,
        like: str | None = None,
        rng: Rng = None,
    ) -> None:
        like = like or ("dezero" if pretrained else "paper")
        if n_layers not in STAGES:
            raise ValueError(f"ResNet: expected n_layers to be one of {', '.join(map(str, STAGES))}, got {n_layers}")
        if like not in VARIANTS:
            raise ValueError(f"ResNet: expected like to be one of {', '.join(VARIANTS)}, got {like!r}")
        super().__init__(rng)
        self.like, variant = like, VARIANTS[like]
        self.least = 1 if variant.pool_pad else 5
        self.conv1 = L.Conv2d(64, 7, 2, 3, nobias=True, init="he", rng=self.rng)
        self.bn1 = L.BatchNorm(eps=variant.eps)
        for i, n in enumerate(STAGES[n_layers]):
            setattr(self, f"res{i + 2}", Stage(n, 64 * 2**i, 2 if i else 1, n_layers >= 50, self.rng, variant))
        self.fc6 = L.Linear(n_classes, rng=self.rng)
        self.WEIGHTS_PATH = self.WEIGHTS_PATH.format(n_layers) if n_layers >= 50 else ""
        if pretrained:
            self.load_pretrained()

    def forward(self, x: Array) -> Variable:
        x = F.relu(self.bn1(self.conv1(self.images(x))))
        x = F.pooling(x, 3, 2, VARIANTS[self.like].pool_pad)
        for i in range(2, 6):
            x = getattr(self, f"res{i}")(x)
        y: Variable = self.fc6(x.mean(axis=(2, 3)))
        return y

    def load_state(self, state: Mapping[str, ArrayLike], *, layout: str | None = None) -> None:
        """Load `state` as every layer does. DeZero's has a `conv1.b`, which is subtracted from the mean of `bn1`."""
        state = dict(state)
        for b in {"conv1.b", "conv1/b"} & state.keys():
            self._expect("dezero", "weights with a conv1.b are DeZero's")
            state["bn1.avg_mean"] = np.subtract(state.get("bn1.avg_mean", 0), state.pop(b))  # type: ignore[arg-type]
        super().load_state(state, layout=layout)

    def _torch_names(self) -> Mapping[str, str]:
        self._expect("torch", "weights in PyTorch's layout are those of its own network")
        return {f"res{i + 1}": f"layer{i}." for i in range(1, 5)} | {"fc6": "fc."}

    def _expect(self, like: str, reason: str) -> None:
        if self.like != like:
            raise ValueError(
                f"{type(self).__name__}: {reason}, which is not like={self.like!r}; make the model with like={like!r}"
            )


class Stage(L.Layer):
    """The blocks a, b1, b2, ..., of which the first changes the size of the image."""

    def __init__(
        self, n: int, channels: int, stride: int, bottleneck: bool, rng: Rng, variant: Variant = VARIANTS["paper"]
    ) -> None:
        # Channels and sizes of the kernels in a block.
        kernels = ((channels, 1), (channels, 3), (4 * channels, 1)) if bottleneck else ((channels, 3), (channels, 3))
        self.a = Block(kernels, stride, bottleneck or stride > 1, rng, variant)
        for i in range(1, n):
            setattr(self, f"b{i}", Block(kernels, 1, False, rng, variant))

    def forward(self, x: Array) -> Variable:
        for block in vars(self).values():
            x = block(x) if isinstance(block, Block) else x
        return x

    def _torch_names(self) -> Mapping[str, str]:
        return {"a": "0."} | {key: f"{key[1:]}." for key in vars(self) if key != "a"}


class Block(L.Layer):
    """y = relu(x + f(x)), where f is convolutions, each normalized. If f changes the shape, x is projected to it."""

    def __init__(
        self,
        kernels: tuple[tuple[int, int], ...],
        stride: int,
        project: bool,
        rng: Rng,
        variant: Variant = VARIANTS["paper"],
    ) -> None:
        self.length, self.project = len(kernels), project
        strided = (variant.strided if self.length == 3 else 1, self.length + 1)
        for i, (channels, size) in enumerate((*kernels, (kernels[-1][0], 1)) if project else kernels, 1):
            step = stride if i in strided else 1
            setattr(self, f"conv{i}", L.Conv2d(channels, size, step, size // 2, nobias=True, init="he", rng=rng))
            setattr(self, f"bn{i}", L.BatchNorm(eps=variant.eps))

    def forward(self, x: Array) -> Variable:
        y = self._step(1, x)
        for i in range(2, self.length + 1):
            y = self._step(i, F.relu(y))
        return F.relu(y + (self._step(self.length + 1, x) if self.project else x))

    def _step(self, i: int, x: Array) -> Variable:
        y: Variable = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))
        return y

    def _torch_names(self) -> Mapping[str, str]:
        n = self.length + 1
        return {f"conv{n}": "downsample.0.", f"bn{n}": "downsample.1."}


class _OfLayers(ResNet):
    n_layers: int

    def __init__(
        self, pretrained: bool = False, *, n_classes: int = 1000, like: str | None = None, rng: Rng = None
    ) -> None:
        super().__init__(self.n_layers, pretrained, n_classes=n_classes, like=like, rng=rng)


class ResNet18(_OfLayers):
    """`ResNet(18)`, built from basic blocks: 11,689,512 parameters."""

    n_layers = 18


class ResNet50(_OfLayers):
    """`ResNet(50)`: 25,557,032 parameters."""

    n_layers = 50


class ResNet101(_OfLayers):
    """`ResNet(101)`: 44,549,160 parameters."""

    n_layers = 101


class ResNet152(_OfLayers):
    """`ResNet(152)`: 60,192,808 parameters."""

    n_layers = 152
