"""The base of all models of images."""

from tinygrad_jp.core import Array
from tinygrad_jp.datasets.downloads import plain_file
from tinygrad_jp.layers.entrance import NUMBERS
from tinygrad_jp.models.model import Model
from tinygrad_jp.randomness import Rng, generator

__all__ = ["RELEASE", "ImageModel"]

RELEASE = "https://github.com/koki0702/dezero-models/releases/download/v0.1/"


class ImageModel(Model):
    """A model of images (N, C, H, W) with sides of at least `least` pixels."""

    _converts = NUMBERS
    least = 1
    WEIGHTS_PATH = ""

    def __init__(self, rng: Rng) -> None:
        # One generator for all layers: from the same seed, all would start alike.
        self.rng = None if rng is None else generator(rng)

    def load_pretrained(self) -> None:
        """Load the weights that DeZero offers for this model, at `WEIGHTS_PATH`. They have no checksum."""
        if not self.WEIGHTS_PATH:
            raise ValueError(
                f"{type(self).__name__}: expected pretrained=False, since DeZero has no weights of it; "
                f"get a file of them, and give it to load_weights(path) of the model"
            )
        self.load_weights(plain_file(self.WEIGHTS_PATH, self.WEIGHTS_PATH.rpartition("/")[2]))

    def images(self, x: Array) -> Array:
        """x itself, if it is a batch of images that are large enough."""
        if x.ndim != 4 or min(x.shape[2:]) < self.least:
            raise ValueError(
                f"{type(self).__name__}: expected x of shape (N, C, H, W) with sides of at least {self.least}, "
                f"got {x.shape}; resize the images, and give one alone as x[np.newaxis]"
            )
        return x
