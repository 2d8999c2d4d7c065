"""Optimizers: how parameters follow their gradients. All change the parameters in place."""

from tinygrad_jp.optimizers import adaptive, descent, optimizer
from tinygrad_jp.optimizers.adaptive import *  # noqa: F403
from tinygrad_jp.optimizers.descent import *  # noqa: F403
from tinygrad_jp.optimizers.optimizer import *  # noqa: F403

__all__ = [*adaptive.__all__, *descent.__all__, *optimizer.__all__]
