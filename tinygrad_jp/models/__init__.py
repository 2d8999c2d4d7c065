"""Models: layers that are whole networks."""

from tinygrad_jp.models import model
from tinygrad_jp.models.model import *  # noqa: F403

__all__ = [*model.__all__]
