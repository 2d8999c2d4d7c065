"""Numbers, arrays and names as text, short enough to read and safe to show; and phrases in two languages."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np

from tinygrad_jp.core import Function, Parameter, Variable, key_of
from tinygrad_jp.core.arrays import is_released
from tinygrad_jp.devices import fetched
from tinygrad_jp.kinds import Array, ArrayLike

# ---------------------------------------------------------------------------------------------------------------------
# Phrases

LANGUAGES = ("en", "ja")
Phrases: TypeAlias = Mapping[Any, tuple[str, str]]
"""The same phrase in each of the `LANGUAGES`, by a key."""


def language(lang: str | None) -> str:
    """`lang`, "en" or "ja"; for None, the language of the user's locale.

    >>> language("ja")
    'ja'
    """
    if lang is None:
        import locale  # Here, as html in `escape`: few programs need it, and importing it takes long.

        with suppress(ValueError):  # A locale that Python does not know.
            lang = locale.getlocale()[0]
        return "ja" if (lang or "").lower().startswith("ja") else "en"
    if lang not in LANGUAGES:
        raise ValueError(f'expected lang="en", lang="ja" or None, which asks the locale, got {lang!r}')
    return lang


def phrase(phrases: Phrases, lang: str, key: Any, *parts: Any) -> str:
    """The phrase for `key` in the language `lang`, with `parts` in its gaps.

    >>> phrase({"more": ("and {:,} more", "ほか {:,} 個")}, "ja", "more", 1000)
    'ほか 1,000 個'
    """
    return phrases[key][LANGUAGES.index(lang)].format(*parts)


# ---------------------------------------------------------------------------------------------------------------------
# Numbers and arrays


def number(x: ArrayLike, digits: int = 4) -> str:
    """A number in at most `digits` significant digits. Integers and booleans are written in full.

    >>> number(3.0), number(np.float32(0.1)), number(-12345.678), number(12345), number(True)
    ('3', '0.1', '-1.235e+04', '12345', 'True')
    """
    x = fetched(x)
    x = x[()] if isinstance(x, np.ndarray) else x
    return f"{x:.{digits}g}" if isinstance(x, float | complex | np.inexact) else str(x)


def nested(x: Array) -> Any:
    """An array as nested lists of short numbers; a single number as one."""
    return [nested(e) for e in fetched(x)] if np.ndim(x) else number(x)


def listed(x: Array) -> str:
    """An array as the text of nested lists of short numbers.

    >>> listed(np.array([[1.0, 2.5], [0.1, 4.0]]))
    '[[1, 2.5], [0.1, 4]]'
    """
    return f"[{', '.join(map(listed, fetched(x)))}]" if np.ndim(x) else number(x)


def statistics(x: Array, digits: int = 4) -> tuple[str, str]:
    """The mean and the standard deviation of an array, as text."""
    x = fetched(x)
    with np.errstate(all="ignore"):
        wide = np.result_type(x, float)
        return number(np.mean(x, dtype=wide), digits), number(np.std(x, dtype=wide), digits)


def norm(x: Array) -> float:
    """The Euclidean norm, without overflow."""
    x = fetched(x)
    x = np.abs(np.asarray(x, np.result_type(x, float)))
    largest = x.max(initial=0)
    if not 0 < largest < np.inf:
        return float(largest)
    return float(largest * np.sqrt(np.sum((x / largest) ** 2)))


_SUMMARY: Phrases = {"summary": ("{} of {} ± {}", "{}、平均 {} ± {}"), "released": ("{}, released", "{}、解放済み")}


def summary_of(x: Any, lang: str = "en") -> str:
    """An array in full up to nine elements; of a larger one its shape, mean and standard deviation.

    A tuple of arrays, such as the gradients of several outputs, is summarized one by one, and None is a dash.

    >>> summary_of(np.array([1.0, 2.5])), summary_of(np.arange(12.0).reshape(3, 4)), summary_of((2.0, None))
    ('[1, 2.5]', '(3, 4) of 5.5 ± 3.452', '(2, –)')
    """
    if x is None:
        return "–"
    if isinstance(x, tuple):
        return f"({', '.join(summary_of(e, lang) for e in x)})"
    x = fetched(x)
    if np.size(x) <= 9:
        return listed(x)
    if is_released(x):
        return phrase(_SUMMARY, lang, "released", np.shape(x))
    return phrase(_SUMMARY, lang, "summary", np.shape(x), *statistics(x))


def localized(text: str, lang: str) -> str:
    """`text` with the summaries of arrays in it in the language `lang`.

    >>> localized("normalized(x, mean=(1, 64) of 0.5 ± 1.1)", "ja")
    'normalized(x, mean=(1, 64)、平均 0.5 ± 1.1)'
    """
    return re.sub(r"(\([\d, ]*\)) of (?=\S+ ± )", r"\1、平均 ", text) if lang == "ja" else text


def array_lines(x: Array) -> list[str]:
    """The lines that show an array inside a node: up to nine elements row by row, else mean, deviation and norm.

    >>> array_lines(np.array([[1.0, 2.5], [3.0, 4.0]]))
    ['[1, 2.5]', '[3, 4]']
    >>> array_lines(np.arange(10.0))
    ['4.5 ± 2.872, ‖·‖ 16.88']
    """
    x = fetched(x)
    if x.size > 9:
        return ["{} ± {}, ‖·‖ {}".format(*statistics(x), number(norm(x)))]
    if x.ndim == 0:
        return [number(x)]
    width = x.shape[-1] if x.size and x.shape[-1] > 1 else max(x.size, 1)  # A column is written as a row.
    return [line for row in x.reshape(-1, width) for line in _row_lines(row)] if x.size else []


def _row_lines(row: Array) -> list[str]:
    """A row of numbers, five to a line."""
    texts = nested(row)
    lines = [", ".join(texts[i : i + 5]) for i in range(0, len(texts), 5)]
    return f"[{',|'.join(lines)}]".split("|")


# ---------------------------------------------------------------------------------------------------------------------
# Names

_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """`text` with an escape for each character that a terminal would obey instead of show.

    >>> printable("重み\\x1b[31m")
    '重み\\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def showable(text: str) -> str:
    """`text` with a replacement character for each that no page and no SVG can hold, or that turns a line around.

    >>> showable("a\\x00b")
    'a�b'
    """
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def short(name: str) -> str:
    """A name cut to 40 characters."""
    return name if len(name) <= 40 else name[:39] + "…"


def escape(text: str) -> str:
    """`text` as it stands in markup."""
    from html import escape  # Here, since importing it takes longer than all the rest of this module.

    return escape(text)


# ---------------------------------------------------------------------------------------------------------------------
# Names for the parts of a graph

Key: TypeAlias = Function | Variable
"""The `key_of` a gradient: a Function for its result, or a leaf."""


def labels(y: Variable, order: list[Function], names: Mapping[str, Any]) -> dict[Key, str]:
    """A different name for the result of each Function in `order`, and for each leaf."""
    variables = {key_of(x): x for x in [y, *(x for f in order for x in f.variables)]}
    given = {id(x): name for name, x in reversed(list(names.items())) if isinstance(x, Variable)}
    paths = _paths(order)
    differentiated = {key_of(x.grad): x for x in variables.values() if x.grad is not None}
    found: dict[Key, str] = {}
    taken: dict[str, int] = {}
    for key in [*order, *variables]:
        if key in found:
            continue
        x = variables[key]
        wanted = _name(x, given, paths)
        if not wanted and key in differentiated and (name := _name(differentiated[key], given, paths)):
            wanted = f"g{name}"  # It is a gradient, and this a pass of the second order.
        wanted = wanted or ("y" if x is y else "")
        wanted = printable(wanted)
        label, n = wanted or "v1", taken.get(wanted, 1)
        while label in taken:
            n += 1
            label = f"{wanted or 'v'}{n}"
        found[key] = label
        taken[label], taken[wanted] = 1, n
    return found


def _name(x: Variable, given: dict[int, str], paths: dict[int, str]) -> str:
    own = "" if isinstance(x, Parameter) and id(x) in paths else x.name
    return str(given.get(id(x)) or own or paths.get(id(x)) or "")


def _paths(order: list[Function]) -> dict[int, str]:
    """The path of each Parameter in the outermost layer that was called, by the Parameter's id."""
    layers: dict[int, Any] = {}
    for f in order:
        tag = f.layer
        while tag is not None:
            layer, start, tag = tag
            layers[start] = layer
    paths: dict[int, str] = {}
    for start in sorted(layers):
        for path, p in layers[start].named_params().items():
            paths.setdefault(id(p), path)
    return paths
