"""Optimizers walk over a ravine and off a saddle, 100 steps at the rate 0.1.

    python examples/optimizer_walk.py --lang en

In the ravine x²/20 + 6y² the slope across is far steeper than the slope along: plain gradient descent creeps, and
momentum swings. On the saddle x² − y² + y⁴/4 one begins almost where all slopes are 0: what divides by the size of
past gradients gets away first. The table has the first step with f < 0.01 in the ravine, the first with |y| > 1 off
the saddle, and f at the end of the ravine.

最適化手法が、谷と鞍点の上を学習率 0.1 で 100 歩進みます。谷 x²/20 + 6y² では、横切る向きの傾きが、谷に沿った傾きよりは
るかに急です。ふつうの勾配降下法は少しずつしか進まず、モーメンタムは揺れます。鞍点 x² − y² + y⁴/4 では、傾きがほとんど
0 のところから始めます。過去の勾配の大きさで割る手法が、先に抜け出します。表は、谷で f < 0.01 になる歩数、鞍点を離れて
|y| > 1 になる歩数、谷での最後の f です。

    python examples/optimizer_walk.py --lang ja
"""

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say
from matplotlib import animation
from optimizer_race import make

from tinygrad_jp import Layer, Parameter


class Point(Layer):
    def __init__(self, x, y):
        self.x, self.y = Parameter(x), Parameter(y)


def ravine(x, y):
    return x**2 / 20 + 6 * y**2


def saddle(x, y):
    return x**2 - y**2 + y**4 / 4


# Where the walk begins, and what is shown: left, right, bottom, top. / 出発点と、図の左、右、下、上の端
WALKS = {ravine: ((-4.0, 1.0), (-4.5, 2.5, -1.4, 1.4)), saddle: ((-1.5, 0.001), (-1.8, 1.4, -2.0, 2.2))}


def walk(f, start, optimizer, steps=100):
    point, path = Point(*start), [start]
    optimizer.setup(point)
    for _ in range(steps):
        point.cleargrads()
        f(point.x, point.y).backward()
        optimizer.update()
        path.append((point.x.item(), point.y.item()))
    return np.array(path)


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--optimizers", type=lessons.several, default=lessons.ALL, help="all, or SGD,Adam")
    parser.add_argument("--frames", type=lessons.count, default=51, help="animation / 動画のコマ数 (%(default)s)")
    args = parser.parse_args(argv)
    print(say("              ravine saddle   f at the end", "                谷  鞍点    谷の最後の f"))
    found = {"ravine": {}, "saddle": {}}
    for kind in map(lessons.optimizer, args.optimizers):
        for f, (start, _) in WALKS.items():
            found[f.__name__][kind.__name__] = walk(f, start, make(kind, 0.1))
        a, b = (found[key][kind.__name__] for key in ("ravine", "saddle"))
        low = ravine(*a.T)
        firsts = (str(np.argmax(there)) if any(there) else "-" for there in (low < 0.01, np.abs(b[:, 1]) > 1))
        print("{:14} {:>5} {:>5} {:14.1e}".format(kind.__name__, *firsts, low[-1]))
    figure, lines = draw(found)
    figure.savefig(args.out / "optimizer_walk.png", dpi=120)
    print(say("picture: ", "図: ") + str(args.out / "optimizer_walk.png"))
    print(say("animation: ", "動画: ") + str(animate(figure, lines, args.frames, args.out)))
    return found


def draw(found):
    """The picture, and each line in it with its path / 図と、その中の線と経路"""
    n = min(3, len(found["ravine"]))
    figure, rows = plt.subplots(
        2, n, figsize=(5 * n, 9), layout="constrained", sharex="row", sharey="row", squeeze=False
    )
    titles = (
        label("a ravine: x²/20 + 6y²", "谷: x²/20 + 6y²"),
        label("a saddle: x² − y² + y⁴/4", "鞍点: x² − y² + y⁴/4"),
    )
    lines = []
    for axes, title, (f, (_, (*x, bottom, top))) in zip(rows, titles, WALKS.items(), strict=True):
        grid = np.meshgrid(np.linspace(*x, 200), np.linspace(bottom, top, 200))
        levels, walks = np.quantile(f(*grid), np.linspace(0, 1, 20)), list(found[f.__name__].items())
        for i, ax in enumerate(axes):  # A share of the paths each: more would hide one another.
            ax.contour(*grid, f(*grid), levels=levels, colors="0.8", linewidths=0.8)
            ax.set(title=title, xlim=x, ylim=(bottom, top), xlabel="x", ylabel="y")
            for name, path in walks[i::n]:
                lines.append((*ax.plot(*path.T, "o-", color=lessons.COLORS[name], ms=2.5, lw=1, label=name), path))
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1.08), ncols=4, frameon=False, fontsize=8)
    return figure, lines


def animate(figure, lines, frames, out):
    """A GIF, or a page where Pillow is not installed / GIF、または Pillow がなければ HTML"""

    def show(i):
        for line, path in lines:
            line.set_data(*path[: i + 1].T)

    film = animation.FuncAnimation(figure, show, np.linspace(0, 100, frames, dtype=int), interval=100)
    figure.set_layout_engine("none")
    if animation.writers.is_available("pillow"):
        film.save(out / "optimizer_walk.gif", writer="pillow", dpi=60)
        return out / "optimizer_walk.gif"
    (out / "optimizer_walk.html").write_text(film.to_jshtml(), encoding="utf-8")
    return out / "optimizer_walk.html"


if __name__ == "__main__":
    from running import run

    run(main)
