"""The one hand in which graphs are drawn, here and in the player: colors, signs, and what is done to Graphviz' SVG."""

import operator
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_jp.core import Function
from tinygrad_jp.core.errors import plain_name
from tinygrad_jp.formatting import short
from tinygrad_jp.symbols import defaults_of, index_text

# On a light ground, and on a dark one: text at least 4.5 : 1, lines at least 3 : 1. Tests measure it.
LIGHT = {
    "ink": "#22252a",
    "soft": "#5f656e",
    "paper": "#ffffff",
    "value": "#00569a",
    "value-soft": "#e3effa",
    "parameter": "#00325c",
    "gradient": "#a84600",
    "gradient-soft": "#fdebdc",
    "local": "#00695f",
    "constant": "#6b6b6b",
    "constant-soft": "#f1f1f0",
    "frame": "#858b94",
    "warning": "#c22c00",
}
DARK = {
    "ink": "#e8e6e0",
    "soft": "#a4a9b1",
    "paper": "#1b1e23",
    "value": "#76bff3",
    "value-soft": "#17344a",
    "parameter": "#cfe8fb",
    "gradient": "#ffab61",
    "gradient-soft": "#49290f",
    "local": "#5fd0c0",
    "constant": "#a0a0a0",
    "constant-soft": "#2a2d31",
    "frame": "#7b828c",
    "warning": "#ff8a66",
}
# A Parameter, a Variable, a Function, a closed layer, a constant: the class of its node in the SVG, and its look.
CLASSES = {"p": "parameter", "v": "value", "f": "function", "b": "layer", "c": "constant"}
_BOX = 'shape=box, style="rounded,filled"'
LOOKS = {
    "p": f'{_BOX}, color="{LIGHT["parameter"]}", fillcolor="{LIGHT["value-soft"]}", penwidth=2.5',
    "v": f'{_BOX}, color="{LIGHT["value"]}", fillcolor="{LIGHT["value-soft"]}"',
    "f": f'color="{LIGHT["soft"]}", fillcolor="{LIGHT["paper"]}"',
    "b": f'shape=box, peripheries=2, color="{LIGHT["soft"]}", fillcolor="{LIGHT["paper"]}"',
    "c": f'{_BOX[:-1]},dashed", color="{LIGHT["constant"]}", fillcolor="{LIGHT["constant-soft"]}"',
}
WARNING = f', color="{LIGHT["warning"]}", penwidth=3'

_SIGNS: Mapping[Any, str] = {
    np.add: "+",
    np.subtract: "−",
    np.negative: "−",
    np.multiply: "×",
    np.divide: "÷",
    np.matmul: "@",
    np.power: "^",
    np.square: "x²",
    np.sqrt: "√",
    np.absolute: "|x|",
    np.sum: "∑",
}
# Of these the order of the arguments may be any: they are drawn so that edges cross less.
_COMMUTATIVE = {np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.hypot, np.equal}


def sign(f: Function) -> list[str]:
    """What stands in the node of `f`: a sign, the index that it takes, or its name; and the axes it works along.

    >>> from tinygrad_jp.core import Variable
    >>> x = Variable(np.ones((2, 3)))
    >>> sign((x @ x.T).creator), sign(x[0, 1:].creator), sign(np.sum(x, axis=0).creator), sign(np.tanh(x).creator)
    (['@'], ['[0, 1:]'], ['∑', 'axis 0'], ['tanh'])
    """
    if f.func is operator.getitem:
        return [short(f"[{index_text(f.args[1])}]")]
    axis = f.kwargs.get("axis")
    along = "" if axis in (None, defaults_of(f.func).get("axis")) else ", ".join(map(str, np.atleast_1d(axis)))
    name = f.name if f.func is type(f) else plain_name(f.func)
    return [_SIGNS.get(f.func) or short(name), *([f"axis {along}"] if along else [])]


def is_ordered(f: Function) -> bool:
    """Whether the order of the arguments matters."""
    return f.func not in _COMMUTATIVE


def width(norm: float) -> float | None:
    """The width of an edge for the norm of a gradient, in tenths of a point; None for zero, NaN and infinity.

    >>> width(1e-20), width(0.5), width(1e20), width(0.0)
    (0.8, 3.0, 4.5, None)
    """
    if not 0 < norm < np.inf:
        return None
    return round(float(np.clip(3.2 + 0.6 * np.log10(norm), 0.8, 4.5)), 1)


# What is filled with what: of each kind of node, edge and frame the fill and the stroke.
_PAINT: Mapping[str, tuple[str, str]] = {
    "node.parameter": ("value-soft", "parameter"),
    "node.value": ("value-soft", "value"),
    "node.constant": ("constant-soft", "constant"),
    "node.function": ("paper", "soft"),
    "node.layer": ("paper", "soft"),
    "node.warning": ("", "warning"),
    "cluster": ("none", "frame"),
}
# Of each kind of line in a node the color; names are bold.
_TEXT = {"shape": "soft", "value": "value", "gradient": "gradient", "local": "local", "warning": "warning"}


def style(colors: Mapping[str, str], scope: str = "") -> str:
    """The style of an SVG in these colors, for the elements within `scope`."""
    rules = {".graph text": f"fill:{colors['ink']}", ".graph>polygon": f"fill:{colors['paper']};stroke:none"}
    for name, (fill, stroke) in _PAINT.items():
        painted = f"fill:{colors.get(fill, fill)};" if fill else ""
        rules |= {f".{name} {tag}": f"{painted}stroke:{colors[stroke]}" for tag in ("path", "polygon", "ellipse")}
    for name, color in (("edge", "soft"), ("edge.flow", "gradient")):
        rules |= {f".{name} path": f"stroke:{colors[color]}", f".{name} polygon": f"fill:{colors[color]};stroke:none"}
    rules |= {".graph .name": "font-weight:bold"}
    rules |= {f".graph text.{role}": f"fill:{colors[color]}" for role, color in _TEXT.items()}
    return "".join(f"{scope}{selector}{{{body}}}" for selector, body in rules.items())


# A notebook puts the SVG into its own page, where other pictures may have nodes and edges, too.
_SCOPE = ".tinygrad-jp "
STYLE = f"{style(LIGHT, _SCOPE)}@media(prefers-color-scheme:dark){{{style(DARK, _SCOPE)}}}"

# Where an SVG is not to be read but to be drawn, by a program that knows one ground only.
PRINTED = style(LIGHT, _SCOPE)

_GROUP = re.compile(r'<g id="([^"]*)" class="([^"]*)">(.*?)</g>', re.S)


def styled(svg: str, roles: Mapping[str, list[str]], css: str) -> str:
    """Graphviz' SVG with a class for each line of a node, and a style for both grounds."""

    def dressed(m: re.Match[str]) -> str:
        lines = iter(roles.get(m[1].replace("&#45;", "-"), []))
        body = re.sub("<text ", lambda _: f'<text class="{next(lines, "")}" ', m[3])
        return f'<g id="{m[1]}" class="{m[2]}">{body}</g>'

    svg = _GROUP.sub(dressed, svg)
    return re.sub("<svg([^>]*>)", rf'<svg class="tinygrad-jp"\1<style>{css}</style>', svg, count=1) if css else svg


_NODE = re.compile(r'^(\w+) \[label="((?:[^"\\]|\\.)+)"', re.M)


def in_colors(dot: str, roles: Mapping[str, list[str]]) -> str:
    """DOT with the style of each line of a node in its label, for pictures that have no style of their own.

    >>> print(in_colors('v0 [label="x\\\\n∇ < 6", class="value"]', {"v0": ["name", "gradient"]}))
    v0 [label=<<b>x</b><br/><font color="#a84600">∇ &lt; 6</font>>, margin="0.09,0.08", class="value"]
    """

    def dressed(m: re.Match[str]) -> str:
        lines, left = [], iter(roles.get(m[1], []))
        for line in m[2].replace(r"\\", "\0").split(r"\n"):
            text = line.replace(r"\"", '"').replace("\0", r"\\").replace("<", "&lt;").replace(">", "&gt;")
            role = next(left, "") if text else ""
            if role == "name":
                text = f"<b>{text}</b>"
            elif role in _TEXT:
                text = f'<font color="{LIGHT[_TEXT[role]]}">{text}</font>'
            lines.append(text)
        room = ', margin="0.09,0.08"' if lines[1:] else ""  # Such lines are drawn a little higher than others.
        return f"{m[1]} [label=<{'<br/>'.join(lines)}>{room}"

    return _NODE.sub(dressed, dot)
