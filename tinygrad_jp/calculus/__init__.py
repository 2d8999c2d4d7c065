"""The table of derivatives, filled: importing this room enters the rules.

`elements`, `pieces`, `reductions`, `orders`, `shapes` and `linear_algebra` are the chapters; each can be read alone.
`special` enters the rules of SciPy's functions as they are called, and `ufuncs` has the methods of NumPy's ufuncs.
"""

from tinygrad_jp.calculus import elements, linear_algebra, orders, pieces, reductions, shapes, special, ufuncs

__all__ = ["elements", "linear_algebra", "orders", "pieces", "reductions", "shapes", "special", "ufuncs"]
