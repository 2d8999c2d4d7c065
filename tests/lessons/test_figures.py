"""The pictures of the examples can be read: axes are named, tick labels and legends cover nothing, few lines cross."""

import runpy
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"
RUNS = {
    "backprop_by_hand.py": [],
    "digits.py": ["--epochs", "2"],
    "digits_cnn.py": ["--epochs", "1"],
    "gpt.py": ["--steps", "3"],
    "gradient_descent.py": [],
    "numerical_gradient.py": [],
    "optimizer_race.py": ["--data", "digits", "--steps", "5"],
    "optimizer_walk.py": [],
    "adam_correction.py": [],
    "online_learning.py": [],
    "wrong_gradients.py": [],
    "sgd_vs_minibatch.py": [],
    "sine.py": ["--epochs", "50"],
    "spiral.py": ["--epochs", "5"],
}
MOST_LINES = 7
SMALLEST = 6  # points


def along(box, direction):
    return (box.x0, box.x1) if direction == "x" else (box.y0, box.y1)


def problems_of_axis(axis, direction, renderer):
    texts = [t for t in axis.get_ticklabels() if t.get_text() and t.get_visible()]
    spans = sorted(along(t.get_window_extent(renderer), direction) for t in texts)
    if spans and not axis.label.get_text():
        yield f"no {direction} label"
    if texts and min(t.get_fontsize() for t in texts) < SMALLEST:
        yield f"tiny {direction} tick labels"
    upright = not any(t.get_rotation() for t in texts)
    if upright and any(b[0] < a[1] - 1 for a, b in pairwise(spans)):
        yield f"{direction} tick labels over one another"


def covered(axes, renderer):
    """The line that a legend covers."""
    box = axes.get_legend().get_window_extent(renderer)
    for line in axes.lines:
        xy = np.asarray(line.get_xydata(), float)
        if line.get_transform() != axes.transData or len(xy) < 2:
            continue
        xy = axes.transData.transform(xy[np.isfinite(xy).all(1)])
        between = np.linspace(0, 1, 9)[None, :, None]
        points = (xy[:-1, None] + (xy[1:] - xy[:-1])[:, None] * between).reshape(-1, 2)
        points = points[[axes.bbox.contains(*p) and box.contains(*p) for p in points]]
        if len(points):
            return line.get_label()
    return None


def problems(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        if not axes.axison or axes.get_label() == "<colorbar>":
            continue
        found = [
            *problems_of_axis(axes.xaxis, "x", canvas.renderer),
            *problems_of_axis(axes.yaxis, "y", canvas.renderer),
        ]
        if axes.get_legend() and (name := covered(axes, canvas.renderer)):
            found.append(f"the legend covers {name}")
        if sum(len(line.get_xdata()) > 20 for line in axes.lines) > MOST_LINES:
            found.append("too many lines")
        yield from (f"{axes.get_title()}: {problem}" for problem in found)


@pytest.mark.parametrize("name", RUNS)
def test_a_picture_can_be_read(name, tmp_path, monkeypatch):
    found, save = {}, Figure.savefig

    def checked(figure, path, **settings):
        if isinstance(path, str | Path):
            found[Path(path).name] = list(problems(figure))
        save(figure, path, **settings)

    monkeypatch.setattr(Figure, "savefig", checked)
    monkeypatch.setattr(sys, "argv", [name, *RUNS[name], "--out", str(tmp_path)])
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert found and not any(found.values()), found


def test_a_picture_that_cannot_be_read_is_found():
    figure = Figure()
    axes = figure.add_subplot()
    for i in range(8):
        axes.plot(range(30), label=f"line {i}")
    axes.set_xticks(range(30), [f"label {i}" for i in range(30)], fontsize=5)
    axes.legend(loc="center")
    text = " ".join(problems(figure))
    for problem in ("no x label", "no y label", "tiny x tick", "over one another", "covers line 0", "too many lines"):
        assert problem in text
