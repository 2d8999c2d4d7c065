"""The player of a backward pass: one HTML page that holds everything it shows, in both languages.

page_data.py makes the data of the page, moves.py what its sliders show, and the scripts are what it does. `trace` is a
`Trace`, of a room above.
"""

from typing import Any

from tinygrad_jp.core import Variable
from tinygrad_jp.formatting import escape, summary_of
from tinygrad_jp.graph.looks import LIGHT, style
from tinygrad_jp.player.assembling import colors, filled, hash_of, policy, read
from tinygrad_jp.player.page_data import MOST_INPUTS, PageData
from tinygrad_jp.player.phrases import say
from tinygrad_jp.randomness import unchanged

SCRIPTS = ("frames.js", "parts.js", "graph.js", "rule.js", "predict.js", "move.js", "player.js")
MOST_LINES = 3000  # Of the text for browsers without scripts.
_UNSAFE = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def page(trace: Any, *, single_layers: bool = True) -> str:
    """The page: the graph, the steps, their phrases, and the scripts. The same trace always gives the same text.

    Without `single_layers` layers open and close by depth alone, and it is made in half the time.
    """
    css, script = (
        colors() + style({key: f"var(--{key})" for key in LIGHT}) + _file("player.css"),
        "".join(map(_file, SCRIPTS)),
    )
    parts = {
        "lang": trace.lang,
        "title": escape(say(trace.lang, "title")),
        "csp": policy([hash_of(css)], [hash_of(script)]),
        "style": css,
        "script": script,
        "plain": _plain(trace),
    }
    page_data = PageData(trace, single_layers)
    with unchanged():  # Functions that draw numbers are computed again.
        parts |= {"graphs": page_data.graphs(), "data": _json(page_data.as_dict())}
    return filled(_file("page.html"), parts)


def framed(html: str) -> str:
    """The page in a frame for a notebook, where its script runs and can reach nothing else."""
    look = 'style="width: 100%; height: 720px; border: 0"'
    return f'<iframe sandbox="allow-scripts" {look} srcdoc="{escape(html)}"></iframe>'


def _file(name: str) -> str:
    return read(__file__, name)


def _json(data: Any) -> str:
    """JSON that can stand inside a script element: nothing in it ends the element."""
    import json

    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE)


def _plain(trace: Any) -> str:
    """For browsers without scripts: the gradients as a table, and the steps as text."""
    lang, lines = trace.lang, trace.explain().splitlines()
    more = [say(lang, "more", len(lines) - MOST_LINES)] if len(lines) > MOST_LINES else []
    leaves = [(x, label) for x, label in trace.labels.items() if isinstance(x, Variable)]
    cells = [(label, summary_of(x.data, lang), summary_of(trace.grad(x), lang)) for x, label in leaves]
    rows = [tuple(say(lang, key) for key in ("name", "value", "gradient")), *cells[:MOST_INPUTS]]
    table = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    text = escape("\n".join([*lines[:MOST_LINES], *more]))
    return f"<p>{escape(say(lang, 'plain'))}</p>\n<table>\n{table}</table>\n<pre>{text}</pre>"
