"""A recorded computation as a program in plain NumPy, to read and to run."""

from tinygrad_jp.programs.compiling import compiled
from tinygrad_jp.programs.source import Source, source

__all__ = ["Source", "compiled", "source"]
