"""The table of derivatives, filled: importing this room enters the rules.

The modules are the chapters; each can be read alone, but that `equal_values` belongs to `decompositions`. `special`
enters the rules of SciPy's functions as they are called, and `ufuncs` has the methods of NumPy's ufuncs.
"""

from tinygrad_jp.calculus import (
    arranging,
    decompositions,
    elements,
    fourier,
    linear_algebra,
    norms,
    orders,
    pieces,
    products,
    reductions,
    refusals,
    shapes,
    signals,
    signatures,
    special,
    ufuncs,
)

__all__ = [
    "arranging",
    "decompositions",
    "elements",
    "fourier",
    "linear_algebra",
    "norms",
    "orders",
    "pieces",
    "products",
    "reductions",
    "refusals",
    "shapes",
    "signals",
    "signatures",
    "special",
    "ufuncs",
]
