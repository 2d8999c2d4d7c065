"""A program as HTML, with its keywords, comments, numbers and strings in colours."""

import io
import keyword
import tokenize

from tinygrad_jp.formatting import escape

_COLOURS = {"keyword": "#8250df", "comment": "#6e7781", "number": "#0550ae", "string": "#0a3069"}


def coloured(text: str) -> str:
    """The text of a program as HTML."""
    lines, parts, end = text.splitlines(keepends=True), [], (1, 0)
    kinds = {tokenize.COMMENT: "comment", tokenize.NUMBER: "number", tokenize.STRING: "string"}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = "keyword" if keyword.iskeyword(token.string) else kinds.get(token.type)
        if kind is None:
            continue
        parts.append(escape(_between(lines, end, token.start)))
        parts.append(f'<span style="color:{_COLOURS[kind]}">{escape(token.string)}</span>')
        end = token.end
    return "".join([*parts, escape(_between(lines, end, (len(lines) + 1, 0)))])


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    first, last = (lines[n - 1] if n <= len(lines) else "" for n in (start[0], end[0]))
    return "".join([first[start[1] :], *lines[start[0] : end[0] - 1], last[: end[1]]])
