"""Layers: functions that hold what they learn. Known as `L`."""

from tinygrad_jp.layers import layer, linear
from tinygrad_jp.layers.layer import *  # noqa: F403
from tinygrad_jp.layers.linear import *  # noqa: F403

__all__ = [*layer.__all__, *linear.__all__]
