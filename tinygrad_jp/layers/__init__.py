"""Layers: functions that hold what they learn. Known as `L`."""

from tinygrad_jp.hints import HINTS
from tinygrad_jp.layers import attention, convolution, entrance, layer, linear, normalization, recurrent
from tinygrad_jp.layers.attention import *  # noqa: F403
from tinygrad_jp.layers.convolution import *  # noqa: F403
from tinygrad_jp.layers.layer import *  # noqa: F403
from tinygrad_jp.layers.linear import *  # noqa: F403
from tinygrad_jp.layers.normalization import *  # noqa: F403
from tinygrad_jp.layers.recurrent import *  # noqa: F403
from tinygrad_jp.names import aliases

__all__ = [
    *layer.__all__,
    *linear.__all__,
    *convolution.__all__,
    *normalization.__all__,
    *attention.__all__,
    *recurrent.__all__,
]

# L shows what users call, not the modules that hold it.
del attention, convolution, entrance, layer, linear, normalization, recurrent


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__, HINTS[__name__])
