"""SqueezeNet: the accuracy of large networks from few parameters."""

from collections.abc import Mapping

from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.core import Array, Variable
from tinygrad_jp.kinds import np
from tinygrad_jp.models.images import ImageModel
from tinygrad_jp.randomness import Rng

__all__ = ["SqueezeNet"]

# Fire module → channels after its squeeze and after each of its two expansions.
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


class SqueezeNet(ImageModel):
    """SqueezeNet 1.1: a convolution, eight fire modules, a convolution to the classes, and the mean over the image.

    x is (N, C, H, W) with sides of at least 31 pixels, y (N, n_classes), not below 0. With three channels and 1,000
    classes it has 1,235,496 parameters.

    Source: Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016, and its version 1.1 by
    the authors. Deviations: DeZero only has the name; kernels start from He's initialization. If a pooling misses the
    last row and column of an image, the original pads; with 224 pixels, none does. `pretrained=True` is refused:
    DeZero has no weights of it.

    >>> SqueezeNet(n_classes=10, rng=0)(np.ones((1, 3, 32, 32), np.float32)).shape
    (1, 10)
    """

    least = 31

    def __init__(self, pretrained: bool = False, *, n_classes: int = 1000, rng: Rng = None) -> None:
        super().__init__(rng)
        self.conv1 = L.Conv2d(64, 3, 2, init="he", rng=self.rng)
        for i, (squeezed, expanded) in FIRES.items():
            setattr(self, f"fire{i}", Fire(squeezed, expanded, self.rng))
        self.conv10 = L.Conv2d(n_classes, 1, rng=self.rng)
        if pretrained:
            self.load_pretrained()

    def forward(self, x: Array) -> Variable:
        x = F.relu(self.conv1(self.images(x)), inplace=True)
        for i in FIRES:
            x = F.pooling(x, 3, 2) if i in (2, 4, 6) else x
            x = getattr(self, f"fire{i}")(x)
        x = F.relu(self.conv10(F.dropout(x, rng=self.rng)), inplace=True)
        return x.mean(axis=(2, 3))

    def _torch_names(self) -> Mapping[str, str]:
        # PyTorch counts the poolings too: one before each of the fire modules 2, 4 and 6.
        fires = {f"fire{i}": f"features.{i + sum(i >= n for n in (2, 4, 6))}." for i in FIRES}
        return {"conv1": "features.0.", **fires, "conv10": "classifier.1."}


class Fire(L.Layer):
    """Squeeze to few channels, then expand them by kernels of 1 and of 3 pixels, side by side."""

    def __init__(self, squeezed: int, expanded: int, rng: Rng) -> None:
        self.squeeze = L.Conv2d(squeezed, 1, init="he", rng=rng)
        self.expand1 = L.Conv2d(expanded, 1, init="he", rng=rng)
        self.expand3 = L.Conv2d(expanded, 3, pad=1, init="he", rng=rng)

    def forward(self, x: Array) -> Variable:
        x = F.relu(self.squeeze(x), inplace=True)
        return F.relu(np.concatenate((self.expand1(x), self.expand3(x)), axis=1))

    def _torch_names(self) -> Mapping[str, str]:
        return {"expand1": "expand1x1.", "expand3": "expand3x3."}
