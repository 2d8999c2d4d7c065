"""Models: layers that are whole networks."""

from tinygrad_jp.hints import HINTS
from tinygrad_jp.models import gpt, model, resnet, squeezenet, vgg
from tinygrad_jp.models.gpt import *  # noqa: F403
from tinygrad_jp.models.model import *  # noqa: F403
from tinygrad_jp.models.resnet import *  # noqa: F403
from tinygrad_jp.models.squeezenet import *  # noqa: F403
from tinygrad_jp.models.summary import summary
from tinygrad_jp.models.vgg import *  # noqa: F403
from tinygrad_jp.names import aliases

__all__ = [*gpt.__all__, *model.__all__, *resnet.__all__, *squeezenet.__all__, "summary", *vgg.__all__]

# models shows what users call, not the modules that hold it.
del gpt, model, resnet, squeezenet, vgg


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__, HINTS[__name__])
