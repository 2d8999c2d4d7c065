"""Optimizers: how parameters follow their gradients. All change the parameters in place."""

from tinygrad_jp.hints import HINTS
from tinygrad_jp.names import aliases
from tinygrad_jp.optimizers import adaptive, descent, hooks, optimizer, schedules
from tinygrad_jp.optimizers.adaptive import *  # noqa: F403
from tinygrad_jp.optimizers.descent import *  # noqa: F403
from tinygrad_jp.optimizers.hooks import *  # noqa: F403
from tinygrad_jp.optimizers.optimizer import *  # noqa: F403

__all__ = ["schedules", *adaptive.__all__, *descent.__all__, *hooks.__all__, *optimizer.__all__]

# optimizers shows what users call, not the files that it stands in.
del adaptive, descent, hooks, optimizer


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__, HINTS[__name__])
