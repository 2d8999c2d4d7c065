"""The table of derivatives, filled: importing this room enters the rules.

`elements`, `reductions`, `shapes`, `linear_algebra`, `products`, `norms` and `decompositions` are the chapters; each
can be read alone. `equal_values` belongs to the last.
"""

from tinygrad_jp.calculus import decompositions, elements, linear_algebra, norms, products, reductions, shapes

__all__ = ["decompositions", "elements", "linear_algebra", "norms", "products", "reductions", "shapes"]
