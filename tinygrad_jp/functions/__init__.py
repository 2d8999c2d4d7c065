"""The functions that networks are built of, known as `F`.

Each takes Variables, arrays, numbers or lists, and returns a Variable. Here are the functions that NumPy lacks, and
DeZero's names for the most common ones that it has.
"""

from tinygrad_jp.functions import activations, attention, basics, convolution, losses, normalization
from tinygrad_jp.functions.activations import *  # noqa: F403
from tinygrad_jp.functions.attention import *  # noqa: F403
from tinygrad_jp.functions.basics import *  # noqa: F403
from tinygrad_jp.functions.convolution import *  # noqa: F403
from tinygrad_jp.functions.losses import *  # noqa: F403
from tinygrad_jp.functions.normalization import *  # noqa: F403
from tinygrad_jp.hints import HINTS
from tinygrad_jp.names import aliases

__all__ = [
    *activations.__all__,
    *attention.__all__,
    *basics.__all__,
    *convolution.__all__,
    *losses.__all__,
    *normalization.__all__,
]

# F shows what users call, not the files that it stands in.
del activations, attention, basics, convolution, losses, normalization


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__, HINTS[__name__])
