"""The table of derivatives, filled: importing this room enters the rules.

`elements`, `reductions`, `shapes` and `linear_algebra` are the chapters; each can be read alone.
"""

from tinygrad_jp.calculus import elements, linear_algebra, reductions, shapes

__all__ = ["elements", "linear_algebra", "reductions", "shapes"]
