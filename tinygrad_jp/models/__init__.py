"""Models: layers that are whole networks."""

from typing import TYPE_CHECKING

from tinygrad_jp.hints import HINTS
from tinygrad_jp.models.model import MLP, Model, Sequential
from tinygrad_jp.models.summary import summary
from tinygrad_jp.names import aliases

if TYPE_CHECKING:  # Loaded at their first use: see `names.LATE`.
    from tinygrad_jp.models.gpt import GPT
    from tinygrad_jp.models.resnet import ResNet, ResNet18, ResNet50, ResNet101, ResNet152
    from tinygrad_jp.models.squeezenet import SqueezeNet
    from tinygrad_jp.models.vgg import VGG16

__all__ = [
    "GPT",
    "MLP",
    "VGG16",
    "Model",
    "ResNet",
    "ResNet18",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "Sequential",
    "SqueezeNet",
    "summary",
]


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__, HINTS[__name__])
