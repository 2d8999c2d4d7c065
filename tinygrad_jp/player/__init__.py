"""The player of a backward pass: one page that needs nothing but a browser."""

from tinygrad_jp.player.player import framed, page

__all__ = ["framed", "page"]
