"""Pictures of a computation: `draw(y)` shows the graph behind `y`."""

from typing import TYPE_CHECKING

from tinygrad_jp.names import aliases

if TYPE_CHECKING:  # Loaded at their first use: see `names.LATE`.
    from tinygrad_jp.graph.drawing import Graph, draw, get_dot_graph, plot_dot_graph

__all__ = ["Graph", "draw", "get_dot_graph", "plot_dot_graph"]


def __dir__() -> list[str]:
    return __all__


__getattr__ = aliases(__name__)
