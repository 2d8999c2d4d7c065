"""The six parts of the class, in order. Each is a table: what is shown, asked and computed, in both languages."""

from parts import accumulation, gradient, graph, layer, network, node

PARTS = [gradient, node, graph, accumulation, layer, network]
