"""From SVG to PNG, by the package resvg-py, with the fonts that are there."""

import re
import sys
from functools import cache
from math import sqrt
from pathlib import Path

from tinygrad_jp.core.errors import warn_user
from tinygrad_jp.graph.webassembly import has_cjk

DPI = 144  # Sharp on fine screens.
_LONGEST = 32767  # pixels of a side; the program `dot` has the same limit.
_LARGEST = 1e8  # pixels in all: 400 MB while it is drawn. Beyond its memory resvg would end the process.

# resvg takes the first of these that is there. Others it takes only for characters that this one lacks.
_FONTS = (
    "Helvetica, Arial, Liberation Sans, Arimo, Nimbus Sans, FreeSans, Noto Sans, Roboto, Open Sans, Ubuntu, Cantarell, "
    "Adwaita Sans, Inter, Segoe UI, Liberation Serif, Times New Roman"
)
_JAPANESE_FONTS = (
    "Hiragino Sans, Hiragino Kaku Gothic ProN, Yu Gothic, Meiryo, Noto Sans CJK JP, Noto Sans JP, Source Han Sans JP, "
    "IPAexGothic, IPAGothic, TakaoPGothic, VL PGothic, MS PGothic"
)
WIDE_FONTS = "DejaVu Sans, Bitstream Vera Sans, Verdana, DejaVu Serif, DejaVu Sans Mono"

_NOWHERE = "\U0010ffff"  # No font has it: it looks like every other character that is missing.
_CHARACTER = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="8">&#{};</text></svg>'

_NO_FONT = (
    "no font was found, so this PNG has no text; install one, such as DejaVu Sans, or pip install matplotlib, which "
    "brings it, or save .svg, which is shown with the fonts of its reader "
    "(フォントが見つからないため、この PNG には文字がありません。フォントをインストールするか、.svg で保存してください)"
)
_NO_GLYPH = (
    "no font has {0}, so this PNG shows boxes instead; install one that does, such as Noto Sans CJK JP for Japanese, "
    "or save .svg, which is shown with the fonts of its reader "
    "({0} を含むフォントがないため、この PNG では □ になります。Noto Sans CJK JP などをインストールするか、"
    ".svg で保存してください)"
)


def fonts_for(text: str) -> str:
    """The names of fonts in which to draw `text`. Warns where no font has it; raises ImportError without resvg-py."""
    fonts = f"{_JAPANESE_FONTS}, {_FONTS}" if has_cjk(text) else f"{_FONTS}, {_JAPANESE_FONTS}"
    if _missing("A", fonts):
        fonts = WIDE_FONTS
    missing = _missing(f"A{text}", fonts)
    if missing:
        warn_user(_NO_FONT if "A" in missing else _NO_GLYPH.format(", ".join(missing[:8])), UserWarning)
    return fonts


def png(svg: str, fonts: str) -> bytes:
    """Graphviz' `svg` as PNG."""
    return _drawn(svg, fonts, _resolution(svg))


def _resolution(svg: str) -> float:
    """As many dots per inch as make a picture of a size that can be drawn: 144 but for huge ones."""
    width, height = (float(size) for size in re.findall(r'<svg[^>]* width="([\d.]+)pt" height="([\d.]+)pt"', svg)[0])
    return min(DPI, 72 * _LONGEST / max(width, height), 72 * sqrt(_LARGEST / (width * height)))


def _missing(text: str, fonts: str) -> list[str]:
    """The characters of `text` that no font has."""
    nothing = _drawn(_CHARACTER.format(ord(_NOWHERE)), fonts)
    seen = [c for c in sorted(set(text)) if c.isprintable() and not c.isspace()]
    return [c for c in seen if _drawn(_CHARACTER.format(ord(c)), fonts) == nothing]


def _drawn(svg: str, fonts: str, dpi: float = 72) -> bytes:
    import resvg_py

    style = f"text {{ font-family: {fonts} }}"
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, style_sheet=style, font_files=_font_of_matplotlib(), dpi=dpi))


@cache
def _font_of_matplotlib() -> list[str]:
    """DejaVu Sans, for a computer without any font, if matplotlib is installed."""
    files = (Path(folder, "matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf") for folder in sys.path)
    return [str(path) for path in files if path.is_file()][:1]
