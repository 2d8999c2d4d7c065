"""How the cost of a training step grows with depth, width and batch: one picture, time above and memory below."""

from tests.benchmarks.timing import medians, memory
from tests.benchmarks.works import CURVES
from tinygrad_jp import progress

LOOKS = {
    "hand": {"color": "#888888", "linestyle": ":", "label": "NumPy by hand"},
    "torch": {"color": "#0072b2", "linestyle": "--", "label": "PyTorch, eager"},
    "tinygrad_jp": {"color": "#d55e00", "label": "tinygrad_jp"},
}
LEAST = 0, 0.05  # milliseconds, MB: what is less is not drawn, as so little memory is not measured well


def measured(axis, peers):
    """For every point of a curve the median milliseconds and the MB of each peer."""
    points = [f"{axis}={n}" for n in CURVES[axis]]
    times = [medians(point, peers, 2, 5) for point in progress(points, desc=f"time against {axis}")]
    sizes = [memory(point, peers) for point in progress(points, desc=f"memory against {axis}")]
    return [{peer: 1e3 * t for peer, t in point.items()} for point in times], sizes


def draw(path, peers):
    """Measure all curves, and write the picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(CURVES), figsize=(12, 6), sharey="row", layout="constrained")
    for column, axis in zip(axes.T, CURVES, strict=True):
        for panel, values, least in zip(column, measured(axis, peers), LEAST, strict=True):
            for peer in peers:
                points = zip(CURVES[axis], (value[peer] for value in values), strict=True)
                seen = [(n, v) for n, v in points if v > least]
                panel.plot(*zip(*seen, strict=True), marker="o", markersize=4, **LOOKS[peer])
            panel.set(xscale="log", yscale="log", xlabel=axis)
            panel.grid(alpha=0.3, which="both")
    axes[0, 0].set(ylabel="milliseconds a step")
    axes[1, 0].set(ylabel="working memory, MB")
    axes[0, 0].legend()
    figure.suptitle("A training step of an MLP: 2 layers of width 64, batch of 64, but for what is varied")
    figure.savefig(path, dpi=110)
    return path
