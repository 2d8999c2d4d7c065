"""What a training run remembers of each epoch, and its curves."""

import math
from typing import Any, overload

from tinygrad_jp.files.writing import Pathlike, write_whole
from tinygrad_jp.formatting import escape, number

__all__ = ["History"]

COLORS = ("#1f6feb", "#d1582b", "#2da44e", "#8250df")
WIDTH, HEIGHT, EDGE = 420, 180, 40


class History(list[dict[str, float]]):
    """A row of numbers for each epoch, such as ``{"loss": 0.3, "validation loss": 0.4}``, and columns by their name.

    `best` is the index of the row with the lowest validation loss, or without one the lowest loss. In a notebook, the
    history shows its curves; `draw(path)` writes them to a file.

    >>> history = History([{"loss": 0.5}, {"loss": 0.25}])
    >>> history["loss"], history.best
    ([0.5, 0.25], 1)
    >>> history
    epoch  loss
        1   0.5
        2  0.25
    """

    @overload  # type: ignore[override]
    def __getitem__(self, key: str) -> list[float]: ...
    @overload
    def __getitem__(self, key: int) -> dict[str, float]: ...
    @overload
    def __getitem__(self, key: slice) -> "History": ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(f"expected one of {self.names}, got {key!r}")
            return [row.get(key, math.nan) for row in self]
        return History(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    @property
    def names(self) -> list[str]:
        """The names of the columns, in the order in which they first occur."""
        return [*dict.fromkeys(name for row in self for name in row)]

    @property
    def best(self) -> int:
        """The index of the row with the lowest validation loss, or without one the lowest loss."""
        column = self["validation loss" if "validation loss" in self.names else "loss"]
        return column.index(min(column))

    @property
    def last(self) -> str:
        """The last row as text."""
        return ", ".join(f"{name} {number(value)}" for name, value in self[-1].items())

    def __repr__(self) -> str:
        columns = [["epoch", *(str(i + 1) for i in range(len(self)))]]
        columns += [[name, *map(number, self[name])] for name in self.names]
        widths = [max(map(len, column)) for column in columns]
        rows = zip(*columns, strict=True)
        return "\n".join("  ".join(f"{x:>{w}}" for x, w in zip(row, widths, strict=True)) for row in rows)

    def draw(self, path: Pathlike) -> None:
        """Write the curves to `path`, an .svg file."""
        if not str(path).endswith(".svg"):
            raise ValueError(f"draw: expected a path that ends in .svg, got {path}")
        write_whole(path, self.svg().encode())

    def svg(self) -> str:
        """The curves as SVG: one panel for losses, and one for each metric."""
        kinds = list(dict.fromkeys(name.removeprefix("validation ") for name in self.names))
        panels = [_panel(i, {n: self[n] for n in self.names if n.endswith(kind)}) for i, kind in enumerate(kinds)]
        look = f'width="{WIDTH * max(len(kinds), 1)}" height="{HEIGHT}" font-size="11" font-family="sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {look}>{"".join(panels)}</svg>'

    def _repr_html_(self) -> str:
        return self.svg() if self else "<pre>no epoch yet</pre>"


def _panel(index: int, curves: dict[str, list[float]]) -> str:
    """The curves that share an axis, with the smallest and the largest value beside it."""
    values = [v for curve in curves.values() for v in curve if math.isfinite(v)] or [0.0]
    low, high = min(values), max(values)
    left, right, top, bottom = index * WIDTH + EDGE + 15, (index + 1) * WIDTH - 10, EDGE, HEIGHT - EDGE / 2
    n = max(map(len, curves.values()))

    def point(i: int, v: float) -> str:
        x, y = i / max(n - 1, 1), (v - low) / ((high - low) or 1)
        return f"{left + (right - left) * x:.1f},{bottom - (bottom - top) * y:.1f}"

    axes = f'<path d="M{left},{top}V{bottom}H{right}" fill="none" stroke="#888"/>'
    labels = f'<text x="{left - 4}" y="{top + 4}" text-anchor="end">{number(high, 3)}</text>'
    labels += f'<text x="{left - 4}" y="{bottom}" text-anchor="end">{number(low, 3)}</text>'
    labels += f'<text x="{right}" y="{bottom + 14}" text-anchor="end">{n}</text>'
    lines = ""
    for k, (name, curve) in enumerate(curves.items()):
        color = COLORS[k % len(COLORS)]
        points = " ".join(point(i, v) for i, v in enumerate(curve) if math.isfinite(v))
        shape = f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'
        if n == 1:
            shape = f'<circle cx="{left}" cy="{bottom}" r="3" fill="{color}"/>'
        lines += shape + f'<text x="{left + 10 + 130 * k}" y="20" fill="{color}">{escape(name)}</text>'
    return axes + labels + lines
