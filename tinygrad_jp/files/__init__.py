"""Files that are written whole or not at all: weights, and checkpoints of whole runs."""

from tinygrad_jp.files.checkpoints import load_checkpoint, save_checkpoint
from tinygrad_jp.files.layouts import from_layout, to_layout
from tinygrad_jp.files.weights import load_weights, save_weights
from tinygrad_jp.files.writing import Pathlike, write_whole

__all__ = [
    "Pathlike",
    "from_layout",
    "load_checkpoint",
    "load_weights",
    "save_checkpoint",
    "save_weights",
    "to_layout",
    "write_whole",
]
