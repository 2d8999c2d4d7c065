"""A recorded computation as a program in plain NumPy."""

from tinygrad_jp.programs.source import Source, source

__all__ = ["Source", "source"]
