"""The confusion matrix, printed and drawn."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinygrad_jp.core import Array
from tinygrad_jp.counting import counted
from tinygrad_jp.files import write_whole
from tinygrad_jp.formatting import escape, printable
from tinygrad_jp.kinds import DTypeLike, np

if TYPE_CHECKING:
    from pathlib import Path

_CELL, _LETTER = 44, 8  # pixels


class ConfusionMatrix:
    """How often each class was taken for each: `counts[i, j]` examples of class i were taken for class j.

    It prints itself as a table and draws itself in a notebook; `save("confusion.svg")` writes the picture.
    """

    def __init__(self, counts: Array, names: Sequence[str] | None = None) -> None:
        classes = range(len(counts)) if names is None else names
        if len(classes) != len(counts):
            expected = f"{counted(len(counts), 'name')}, one for each class"
            raise ValueError(f"confusion_matrix: expected {expected}, got {len(classes)}")
        self.counts = counts
        self.names = [printable(str(name)) for name in classes]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.counts, dtype, copy=copy)

    def __repr__(self) -> str:
        """Rows are the truth, columns what was predicted."""
        rows = [["", *self.names]] + [[name, *map(str, row)] for name, row in zip(self.names, self.counts, strict=True)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(["rows: truth, columns: predicted", *lines])

    def _repr_svg_(self) -> str:
        """A grid, the darker the larger the share of the class."""
        margin = 30 + _LETTER * max(map(len, self.names))
        side = margin + _CELL * len(self.counts) + 4
        parts = [
            _text(side / 2, 14, "predicted"),
            _text(14, side / 2, "truth", f' transform="rotate(-90 14 {side / 2})"'),
        ]
        for i, name in enumerate(self.names):
            at = margin + _CELL * (i + 0.5)
            turned = f' transform="rotate(-90 {at} {margin - 8})" style="text-anchor:start"'
            parts += [_text(at, margin - 8, name, turned if len(name) > 4 else "")]
            parts += [_text(margin - 8, at + 4, name, ' style="text-anchor:end"')]
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        for (i, j), share in np.ndenumerate(shares):
            parts += _cell(margin + _CELL * int(j), margin + _CELL * int(i), float(share), self.counts[i, j])
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" viewBox="0 0 {side} {side}" '
            f'font-family="sans-serif" font-size="12" text-anchor="middle">'
            f'<rect width="{side}" height="{side}" fill="white"/>{"".join(parts)}</svg>'
        )

    def save(self, path: str | os.PathLike[str]) -> "Path":
        """Write the picture to `path`, a file that ends in .svg, and return its path."""
        from pathlib import Path  # Late, as where files are written: importing it takes as long as all functions.

        path = Path(path)
        if path.suffix.lower() != ".svg":
            raise ValueError(f"ConfusionMatrix.save: expected a file that ends in .svg, got {path.name!r}")
        write_whole(path, self._repr_svg_().encode())
        return path


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x}" y="{y}"{attributes}>{escape(text)}</text>'


def _cell(x: int, y: int, share: float, count: int) -> list[str]:
    paint = f'fill="#08519c" fill-opacity="{share:.3f}" stroke="#ccc"'
    color = ' fill="white"' if share > 0.5 else ""
    return [
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" {paint}/>',
        _text(x + _CELL / 2, y + _CELL / 2 + 4, str(count), color),
    ]
