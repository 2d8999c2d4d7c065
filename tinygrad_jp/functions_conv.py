"""DeZero's `functions_conv`: the functions of images, which are in `functions` here."""

from tinygrad_jp.names import DEZERO, aliases

__getattr__ = aliases(__name__)


def __dir__() -> list[str]:
    return sorted(DEZERO[__name__])
