"""The engine's pictures and players of what a part computes; curves and bars in the page's own colours."""

import math
from html import escape

from tinygrad_jp import draw, trace

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 60, 150, 36, 52


def graph(name="y", **settings):
    """The picture of the graph behind the Variable of this name in a part's code."""
    return lambda results: draw(lang=results.lang, **settings, **_named(results, name)).svg()


def player(name="y"):
    """The player of its backward pass."""
    return lambda results, path: trace(lang=results.lang, **_named(results, name)).save(path)


def _named(results, name):
    return {"y": results.names[name], "names": {name: results.names[name]}}


def curves(lines, marks=(), *, x_name, y_name, alt, low=None, high=None):
    """Lines [(name, class, [(x, y), ...])], each named at its end, and marks [(x, y, text)]."""
    points = [point for _, _, line in lines for point in line]
    x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
    y0 = min(y for _, y in points) if low is None else low
    y1 = max(y for _, y in points) if high is None else high

    def place(x, y):
        right, down = (x - x0) / (x1 - x0), (y1 - y) / (y1 - y0)
        return LEFT + right * (WIDTH - LEFT - RIGHT), TOP + down * (HEIGHT - TOP - BOTTOM)

    parts = [_axes(place, (x0, x1), (y0, y1), x_name, y_name)]
    lowest = HEIGHT
    for name, kind, line in sorted(lines, key=lambda line: line[2][-1][1]):
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line)
        x, y = place(*line[-1])
        lowest = min(y + 5, lowest - 24)  # Names stand apart, also where lines end together.
        parts.append(f'<polyline class="{kind}" points="{path}"/>')
        parts.append(f'<text class="{kind}" x="{x + 8:.1f}" y="{lowest:.1f}">{escape(name)}</text>')
    for x, y, text in marks:
        x, y = place(x, y)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6"/>')
        parts.append(f'<text x="{x - 12:.1f}" y="{y - 8:.1f}" text-anchor="end">{escape(text)}</text>')
    return _svg(parts, HEIGHT, alt)


def _axes(place, across, up, x_name, y_name):
    (left, bottom), (right, top) = place(across[0], up[0]), place(across[1], up[1])
    parts = [f'<path class="axis" d="M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}"/>']
    below = f'y="{bottom + 20:.1f}"'
    parts += [f'<text class="tick" x="{place(x, up[0])[0]:.1f}" {below}>{_number(x)}</text>' for x in ticks(*across)]
    for y in ticks(*up):
        at = place(across[0], y)[1]
        parts.append(f'<path class="grid" d="M{left:.1f} {at:.1f}H{right:.1f}"/>')
        parts.append(f'<text class="tick y" x="{left - 8:.1f}" y="{at + 5:.1f}">{_number(y)}</text>')
    middle = (left + right) / 2
    parts.append(f'<text class="tick" x="{middle:.1f}" y="{bottom + 44:.1f}">{escape(x_name)}</text>')
    parts.append(f'<text class="tick" x="{left:.1f}" y="{top - 14:.1f}">{escape(y_name)}</text>')
    return "".join(parts)


def ticks(low, high):
    """Four to eight round numbers from low to high.

    >>> ticks(0, 9)
    [0, 2, 4, 6, 8]
    """
    size = 10 ** math.floor(math.log10((high - low) / 3))
    step = next(size * k for k in (1, 2, 5, 10) if (high - low) / (size * k) <= 6)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def bars(rows, *, alt):
    """Bars of rows [(name, value, text)] on a logarithmic scale: the longest is the largest."""
    largest, smallest = max(value for _, value, _ in rows), min(value for _, value, _ in rows)
    decades, parts = math.log10(largest / smallest), []
    for i, (name, value, text) in enumerate(rows):
        y, length = 8 + 44 * i, 30 + 360 * (1 - math.log10(largest / value) / decades)
        parts.append(f'<text class="tick y" x="80" y="{y + 22}">{escape(name)}</text>')
        parts.append(f'<rect class="g" x="90" y="{y}" width="{length:.1f}" height="30"/>')
        parts.append(f'<text x="{98 + length:.1f}" y="{y + 22}">{escape(text)}</text>')
    return _svg(parts, 44 * len(rows) + 8, alt)


def _svg(parts, height, alt):
    head = f'<svg class="own" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(alt)}">'
    return f"{head}{''.join(parts)}</svg>"


def _number(x):
    return f"{x:g}".replace("-", "−")
