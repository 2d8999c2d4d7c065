"""What the models of images share."""

from typing import Any

import numpy as np

from tinygrad_jp.models.model import Model
from tinygrad_jp.randomness import Rng, generator

__all__ = ["ImageModel"]


class ImageModel(Model):
    """A model of images (N, C, H, W), whose sides must have `least` pixels or more."""

    least = 1

    def __init__(self, pretrained: bool, rng: Rng) -> None:
        if pretrained:
            raise NotImplementedError(
                f"{type(self).__name__}: pretrained weights are not downloaded; get a file of them, "
                f"and give it to load_weights(path) of the model"
            )
        # One generator for all layers: from a seed each layer of its own would start alike.
        self.rng = None if rng is None else generator(rng)

    def images(self, x: Any) -> Any:
        """x, where it is a batch of images that are large enough."""
        if not hasattr(x, "shape"):
            x = np.asarray(x)
        if x.ndim != 4 or min(x.shape[2:]) < self.least:
            raise ValueError(
                f"{type(self).__name__}: expected x of shape (N, C, H, W) with sides of at least {self.least}, "
                f"got {x.shape}; resize the images, and give one alone as x[np.newaxis]"
            )
        return x
