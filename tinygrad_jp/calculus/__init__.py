"""The table of derivatives, filled: importing this room enters the rules.

`elements`, `pieces`, `reductions`, `orders`, `shapes`, `linear_algebra`, `products`, `norms` and `decompositions` are
the chapters; each can be read alone. `equal_values` belongs to the last. `special` enters the rules of SciPy's
functions as they are called, and `ufuncs` has the methods of NumPy's ufuncs.
"""

from tinygrad_jp.calculus import (
    decompositions,
    elements,
    linear_algebra,
    norms,
    orders,
    pieces,
    products,
    reductions,
    shapes,
    special,
    ufuncs,
)

__all__ = [
    "decompositions",
    "elements",
    "linear_algebra",
    "norms",
    "orders",
    "pieces",
    "products",
    "reductions",
    "shapes",
    "special",
    "ufuncs",
]
