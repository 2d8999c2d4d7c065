"""What a picture says: numbers, what is odd about them, and its words in English and Japanese."""

import locale
import math
from contextlib import suppress
from typing import Any

import numpy as np

from tinygrad_jp.core import Function

_LANGUAGES = ("en", "ja")
_WORDS = {
    "title": ("Computation graph", "計算グラフ"),
    "gradient": ("gradient", "勾配"),
    "zero": ("the gradient is zero", "勾配が 0"),
    "not finite": ("NaN or infinity", "NaN か無限大"),
    "let go": ("let go", "解放済み"),
    "gradient not finite": ("gradient: NaN or infinity", "勾配が NaN か無限大"),
    "dead": ("dead: every output is 0", "ReLU の出力がすべて 0"),
    "saturated": ("saturated: {} of the outputs", "出力の {} が飽和"),
    "no path": ("no path to the output", "出力につながっていない"),
    "parameters": ("{:,} parameters", "パラメータ {:,} 個"),
    "more": ("and {} more", "ほか {} 個"),
    "row": ("× {:,}, one after another", "× {:,}（直列）"),
    "side": ("× {:,}, side by side", "× {:,}（並列）"),
    "rest": ("… {:,} operations before these", "… これより前に {:,} 個の演算"),
    "statistics": (
        "of more than 9 numbers: mean ± standard deviation, ‖·‖ norm",
        "要素が10個以上のとき: 平均 ± 標準偏差、‖·‖ はノルム",
    ),
    "range": ("of what repeats: the smallest norm … the largest", "繰り返しでは: 最小のノルム … 最大のノルム"),
    "scale": ("color of an edge: norm of the gradient at its Variable", "矢印の色: その変数の勾配のノルム"),
    "loop": ("dashed edge: on to the next repetition", "破線の矢印: 次の繰り返しへ"),
    "folded": (
        "{:,} nodes stand for {:,}: layers are closed, what repeats is drawn once; draw(y, depth=-1) draws all",
        "{1:,} 個のノードを {0:,} 個で表しています（層は閉じ、繰り返しは1回だけ）。全体は draw(y, depth=-1) で描けます",
    ),
}


def language(lang: str | None) -> str:
    """`lang`, "en" or "ja"; for None the one of the user's locale.

    >>> language("ja")
    'ja'
    """
    if lang is None:
        with suppress(ValueError):  # A locale that Python does not know.
            lang = locale.getlocale()[0]
        return "ja" if (lang or "").lower().startswith("ja") else "en"
    if lang not in _LANGUAGES:
        raise ValueError(f'expected lang="en", lang="ja" or None, which asks the locale, got {lang!r}')
    return lang


def word(lang: str, key: str, *numbers: Any) -> str:
    """A word of the picture, with `numbers` in their places.

    >>> word("en", "row", 1000)
    '× 1,000, one after another'
    """
    return _WORDS[key][_LANGUAGES.index(lang)].format(*numbers)


def digits(x: Any, n: int = 4) -> str:
    """A number in at most `n` significant digits."""
    return f"{x:.{n}g}" if isinstance(x, float | np.floating) else str(x)


def numbers(a: Any) -> list[str]:
    """The lines that tell an array: its elements where they are at most nine, else mean, spread and norm.

    >>> numbers(np.array([[1.0, 2.5], [3.0, 4.0]]))
    ['[1, 2.5]', '[3, 4]']
    >>> numbers(np.arange(10.0))
    ['4.5 ± 2.87, ‖·‖ 16.9']
    """
    if a.size > 9:
        a = a.astype(float)
        with np.errstate(all="ignore"):
            return ["{} ± {}, ‖·‖ {}".format(*(digits(x, 3) for x in (a.mean(), a.std(), norm(a))))]
    if a.ndim == 0:
        return [digits(a[()])]
    width = a.shape[-1] if a.size and a.shape[-1] > 1 else max(a.size, 1)  # A column is told as a row.
    return [line for row in a.reshape(-1, width) for line in _row(row)] if a.size else []


def _row(row: Any) -> list[str]:
    """A row of numbers, five to a line."""
    texts = [digits(x) for x in row]
    lines = [", ".join(texts[i : i + 5]) for i in range(0, len(texts), 5)]
    return f"[{',|'.join(lines)}]".split("|")


def norm(a: Any) -> float:
    """The Euclidean norm, without overflow."""
    a = np.abs(np.asarray(a, float))
    largest = a.max(initial=0)
    if not 0 < largest < np.inf:
        return float(largest)
    return float(largest * np.sqrt(np.sum((a / largest) ** 2)))


def finite(arrays: list[Any]) -> bool:
    return all(np.isfinite(a).all() for a in arrays)


# What tells whether outputs are stuck where the slope is hardly 1% of its largest, by the name of the function.
_STUCK = {"tanh": lambda y: np.abs(y) > 0.995, "sigmoid": lambda y: np.abs(y - 0.5) > 0.4975}


def odd_function(lang: str, functions: list[Function]) -> list[str]:
    """What is odd about the outputs of one or several applications of a function."""
    name, ys = functions[0].name, [f.y for f in functions]
    relu = name == "relu" or (name == "maximum" and any(np.ndim(a) == 0 and a == 0 for a in functions[0].args))
    if relu and any(y.size and not y.any() for y in ys):
        return [word(lang, "dead")]
    if name in _STUCK:
        share = max(float(np.mean(_STUCK[name](y))) if y.size else 0.0 for y in ys)
        return [word(lang, "saturated", f"{share:.0%}")] if share >= 0.5 else []
    return []


# Nine steps of the map viridis, which colour-blind eyes can tell apart, for norms from 1e-6 and less to 100 and more.
STEPS = ("#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b")


def step(gradient_norm: float) -> int | None:
    """The step of the colour scale for a norm; None where it has none: zero, NaN and infinity.

    >>> step(1e-20), step(0.5), step(1e20), step(0.0)
    (0, 5, 8, None)
    """
    if not 0 < gradient_norm < math.inf:
        return None
    return min(max(math.floor(math.log10(gradient_norm)) + 6, 0), len(STEPS) - 1)


def step_name(i: int) -> str:
    """The norms that have a colour: from this one to the next."""
    return "< 1e-5" if i == 0 else f"≥ 1e{i - 6}" if i < 3 else f"≥ {10.0 ** (i - 6):g}"
