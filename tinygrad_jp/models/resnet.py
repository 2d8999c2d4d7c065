"""Residual networks: each block adds to what it is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.core import Variable
from tinygrad_jp.models.images import ImageModel
from tinygrad_jp.randomness import Rng

__all__ = ["ResNet", "ResNet18", "ResNet50", "ResNet101", "ResNet152"]

# layers → blocks in each of the four stages. Those of 50 layers and more are built of bottlenecks.
STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class ResNet(ImageModel):
    """A residual network of 18, 34, 50, 101 or 152 layers.

    x is (N, C, H, W) with sides of any length, y (N, n_classes).

    Source: He et al., Deep Residual Learning for Image Recognition, 2015, table 1. As there, and in DeZero, the first
    convolution of a stage has the stride 2, where many others give it to the second. `pretrained=True` raises
    NotImplementedError: nothing is downloaded.

    >>> ResNet(18, n_classes=10, rng=0)(np.ones((2, 3, 32, 32), np.float32)).shape
    (2, 10)
    """

    def __init__(
        self, n_layers: int = 152, pretrained: bool = False, *, n_classes: int = 1000, rng: Rng = None
    ) -> None:
        if n_layers not in STAGES:
            raise ValueError(f"ResNet: expected n_layers to be one of {', '.join(map(str, STAGES))}, got {n_layers}")
        super().__init__(pretrained, rng)
        self.conv1 = L.Conv2d(64, 7, 2, 3, nobias=True, init="he", rng=self.rng)
        self.bn1 = L.BatchNorm()
        for i, n in enumerate(STAGES[n_layers]):
            setattr(self, f"res{i + 2}", Stage(n, 64 * 2**i, 2 if i else 1, n_layers >= 50, self.rng))
        self.fc6 = L.Linear(n_classes, rng=self.rng)

    def forward(self, x: Any) -> Variable:
        x = F.relu(self.bn1(self.conv1(self.images(x))))
        x = F.pooling(x, 3, 2, 1)
        for i in range(2, 6):
            x = getattr(self, f"res{i}")(x)
        return self.fc6(x.mean(axis=(2, 3)))

    def load_state(self, state: Mapping[str, Any]) -> None:
        """As that of every layer. A `conv1.b`, which DeZero's files have, is less to subtract for `bn1` after it."""
        state = dict(state)
        for b in {"conv1.b", "conv1/b"} & state.keys():
            state["bn1.avg_mean"] = np.subtract(state.get("bn1.avg_mean", 0), state.pop(b))
        super().load_state(state)


class Stage(L.Layer):
    """The blocks a, b1, b2, ..., of which the first brings the image to another size."""

    def __init__(self, n: int, channels: int, stride: int, bottleneck: bool, rng: Rng) -> None:
        # Channels and sizes of the kernels in a block.
        kernels = ((channels, 1), (channels, 3), (4 * channels, 1)) if bottleneck else ((channels, 3), (channels, 3))
        self.a = Block(kernels, stride, bottleneck or stride > 1, rng)
        for i in range(1, n):
            setattr(self, f"b{i}", Block(kernels, 1, False, rng))

    def forward(self, x: Any) -> Any:
        for block in vars(self).values():
            x = block(x) if isinstance(block, Block) else x
        return x


class Block(L.Layer):
    """y = relu(x + f(x)), where f is convolutions, each normalized; or of x projected, where f changes its shape."""

    def __init__(self, kernels: tuple[tuple[int, int], ...], stride: int, project: bool, rng: Rng) -> None:
        self.length, self.project = len(kernels), project
        for i, (channels, size) in enumerate((*kernels, (kernels[-1][0], 1)) if project else kernels, 1):
            first = i in (1, self.length + 1)
            conv = L.Conv2d(channels, size, stride if first else 1, size // 2, nobias=True, init="he", rng=rng)
            setattr(self, f"conv{i}", conv)
            setattr(self, f"bn{i}", L.BatchNorm())

    def forward(self, x: Any) -> Variable:
        y = self._step(1, x)
        for i in range(2, self.length + 1):
            y = self._step(i, F.relu(y))
        return F.relu(y + (self._step(self.length + 1, x) if self.project else x))

    def _step(self, i: int, x: Any) -> Any:
        return getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))


class _OfLayers(ResNet):
    n_layers: int

    def __init__(self, pretrained: bool = False, *, n_classes: int = 1000, rng: Rng = None) -> None:
        super().__init__(self.n_layers, pretrained, n_classes=n_classes, rng=rng)


class ResNet18(_OfLayers):
    """`ResNet(18)`, of basic blocks: 11,689,512 parameters."""

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
