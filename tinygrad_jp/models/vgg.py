"""VGG: small kernels, one after the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.core import Array, Variable
from tinygrad_jp.kinds import DTypeLike
from tinygrad_jp.models.images import RELEASE, ImageModel
from tinygrad_jp.randomness import Rng

__all__ = ["VGG16"]

BLOCKS = {1: (64, 2), 2: (128, 2), 3: (256, 3), 4: (512, 3), 5: (512, 3)}  # block → channels, convolutions
BGR_MEAN = (103.939, 116.779, 123.68)


class VGG16(ImageModel):
    """Thirteen convolutions in five blocks, each halving the image, and three fully connected layers.

    x is (N, C, H, W) with sides of at least 32 pixels, y (N, n_classes). The first x determines the size: with the
    paper's images, RGB of 224 by 224, the model has 138,357,544 parameters.

    Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015,
    configuration D. Deviation: kernels start from He's initialization, which came after the paper, biases from zero.
    `pretrained=True` loads the weights that DeZero offers, for images in the form of `preprocess`: half a gigabyte,
    which is downloaded once.

    >>> VGG16().conv5_3
    Conv2d(?, 512, 3, pad=1): ? parameters
    """

    least = 32
    WEIGHTS_PATH = RELEASE + "vgg16.npz"

    def __init__(self, pretrained: bool = False, *, n_classes: int = 1000, rng: Rng = None) -> None:
        super().__init__(rng)
        for block, (channels, n) in BLOCKS.items():
            for i in range(1, n + 1):
                setattr(self, f"conv{block}_{i}", L.Conv2d(channels, 3, pad=1, init="he", rng=self.rng))
        self.fc6 = L.Linear(4096, init="he", rng=self.rng)
        self.fc7 = L.Linear(4096, init="he", rng=self.rng)
        self.fc8 = L.Linear(n_classes, rng=self.rng)
        if pretrained:
            self.load_pretrained()

    def forward(self, x: Array) -> Variable:
        x = self.images(x)
        for block, (_, n) in BLOCKS.items():
            for i in range(1, n + 1):
                x = F.relu(getattr(self, f"conv{block}_{i}")(x), inplace=True)
            x = F.pooling(x, 2, 2)
        x = F.flatten(x)
        for fc in (self.fc6, self.fc7):
            x = F.dropout(F.relu(fc(x), inplace=True), rng=self.rng)
        return self.fc8(x)

    def _torch_names(self) -> Mapping[str, str]:
        # PyTorch counts every relu, pooling and dropout too.
        names, i = {"fc6": "classifier.0.", "fc7": "classifier.3.", "fc8": "classifier.6."}, 0
        for block, (_, n) in BLOCKS.items():
            names |= {f"conv{block}_{k + 1}": f"features.{i + 2 * k}." for k in range(n)}
            i += 2 * n + 1
        return names

    @staticmethod
    def preprocess(image: Any, size: tuple[int, int] | None = (224, 224), dtype: DTypeLike = np.float32) -> Array:
        """An RGB image as this model takes it: (3, H, W) in the order BGR, minus the mean color of ImageNet.

        `image` is a Pillow image, which is resized to `size` (width, height) unless that is None; or an array
        (H, W, 3) of values 0..255, which must have that size.

        >>> VGG16.preprocess(np.full((2, 1, 3), 127), size=(1, 2), dtype=np.float64)[:, 0, 0].round(3)
        array([23.061, 10.221,  3.32 ])
        """
        if hasattr(image, "convert"):
            image = image.convert("RGB")
            image = image.resize(size) if size else image
        image = np.asarray(image, dtype)
        if image.ndim != 3 or image.shape[2] != 3 or size and image.shape[1::-1] != tuple(size):
            expected = "(H, W, 3)" if size is None else (size[1], size[0], 3)
            raise ValueError(
                f"VGG16.preprocess: expected an image of shape {expected}, got {image.shape}; give another size, "
                f"or a Pillow image, PIL.Image.fromarray(image), which is resized"
            )
        return (image[:, :, ::-1] - np.array(BGR_MEAN, dtype)).transpose(2, 0, 1)
