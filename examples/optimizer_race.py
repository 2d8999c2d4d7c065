"""Optimizers race on MNIST, then walk over a ravine and a saddle; and Adam's correction, as the lesson has it.

A network 784-100-100-10 with ReLU, whose weights He's rule draws, the same for all, learns from all 60,000 digits at
once, 100 steps with the learning rate 0.01 (AdaDelta has none), momentum = 0.9, AdaDelta's ρ = 0.95, RMSprop's ρ = 0.9,
Adam's β = 0.9 and 0.999, ε = 1e-7. Six optimizers take minutes; with `--data digits` (64-100-100-10), seconds.

    python examples/optimizer_race.py --lang en --data digits

最適化手法を MNIST で競わせ、次に谷と鞍点の上を歩かせます。最後に、レッスンにある Adam の補正を論文のものと比べます。
784-100-100-10 の ReLU ネットワークが、60,000 件すべてを一度に使って 100 ステップ学習します。重みは He の初期値で、
どの手法も同じ値から始めます。学習率は 0.01 です（AdaDelta にはありません）。そのほかの設定は上のとおりです。
六つの手法で数分かかりますが、`--data digits`（64-100-100-10）なら数秒です。

    python examples/optimizer_race.py --lang ja --data digits
"""

import os

import lessons
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import animation

import tinygrad_jp.functions as F
from tinygrad_jp import Layer, Parameter, datasets, models, no_grad, optimizers, progress

TEXTS = {
    "race": ("The race: {:,} digits, {} steps, weights: {}", "競走: 数字 {:,} 件、{} ステップ、重みの初期値: {}"),
    "head": ("                 loss   train    test", "                 損失    訓練  テスト"),
    "row": ("{:12} {:8.4f} {:7.2%} {:7.2%}", "{:12} {:8.4f} {:7.2%} {:7.2%}"),
    "found": ("found:  {}", "結果:     {}"),
    "lesson": (
        "lesson: SGD ≒ AdaDelta < MomentumSGD < AdaGrad ≒ RMSprop ≒ Adam",
        "レッスン: SGD ≒ AdaDelta < MomentumSGD < AdaGrad ≒ RMSprop ≒ Adam",
    ),
    "why": (
        "AdaDelta's first step is g·√(ε/((1 − ρ)·g² + ε)): where g is small, a hundred times that of SGD, 0.01·g, and\n"
        "at most 0.0014. He's small weights need no more, so AdaDelta leaves SGD behind. Weights of deviation 1 need\n"
        "more (--init normal: on MNIST 74 % beside SGD's 76 %). RMSprop swings at this rate: its place depends on\n"
        "where one stops.",
        "AdaDelta の最初の一歩は g·√(ε/((1 − ρ)·g² + ε)) です。g が小さければ SGD の一歩 0.01·g の 100 倍になり、\n"
        "0.0014 を超えることはありません。He の小さな重みにはこれで足りるので、AdaDelta は SGD を引き離します。\n"
        "標準偏差 1 の重みには足りません（--init normal なら、MNIST で SGD の 76 % に対して 74 %）。\n"
        "RMSprop はこの学習率では振動するので、どこで止めるかによって順位が変わります。",
    ),
    "ftrl": (
        "Ftrl is made for weights that begin at 0. It forgets any others, and from 0 a deep network does not learn.",
        "Ftrl は 0 から始まる重みのための手法です。ほかの初期値は忘れますが、深いネットワークは 0 からは学べません。",
    ),
    "walk": (
        "A walk of 100 steps at the rate 0.1: the first step with f < 0.01 in the ravine, the first with |y| > 1 off\n"
        "the saddle, and f at the end of the ravine",
        "学習率 0.1 で 100 歩の散歩: 谷で f < 0.01 になる歩数、鞍点を離れて |y| > 1 になる歩数、谷での最後の f",
    ),
    "steps": ("{:12} {:>4} {:>4} {:9.1e}", "{:12} {:>4} {:>4} {:9.1e}"),
    "ravine": ("a ravine: x²/20 + 6y²", "谷: x²/20 + 6y²"),
    "saddle": ("a saddle: x² − y² + y⁴/4", "鞍点: x² − y² + y⁴/4"),
    "adam": (
        "Adam's first ten steps on a slope g, divided by lr: the paper's m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε) and\n"
        "the lesson's m/(1 − β₁) / √(v/(1 − β₂) + ε)",
        "傾き g の坂での Adam の最初の 10 歩（lr で割った値）: 論文の m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε) と、\n"
        "レッスンの m/(1 − β₁) / √(v/(1 − β₂) + ε)",
    ),
    "columns": (
        "   t   paper  lesson (g = 1)   paper  lesson (g = 0.0001)",
        "   t    論文 レッスン (g = 1)   論文 レッスン (g = 0.0001)",
    ),
    "tens": ("{:4} {:7.3f} {:7.3f}         {:7.3f} {:7.3f}", "{:4} {:7.3f} {:8.3f}        {:7.3f} {:8.3f}"),
    "biased": (
        "In ten steps the lesson's step doubles, while the paper's stays; in the end it is 10/√1000 = 0.32. Below\n"
        "the root, ε is as if √ε = 0.0003 stood beside it: small gradients count for less.",
        "論文の歩幅は一定ですが、レッスンの歩幅は 10 歩で二倍になり、最後には 10/√1000 = 0.32 になります。\n"
        "根号の中の ε は、外に √ε = 0.0003 を足すようなものなので、小さな勾配の効き目が弱まります。",
    ),
    "loss": ("loss", "損失"),
    "accuracy": ("accuracy on the training set", "訓練データの正解率"),
    "step": ("step", "ステップ"),
    "first": ("Adam's first ten steps / lr", "Adam の最初の 10 歩 / lr"),
    "paper": ("paper, g = {:g}", "論文、g = {:g}"),
    "ours": ("lesson, g = {:g}", "レッスン、g = {:g}"),
    "moving": ("animation: {}", "動画: {}"),
}
SIX = ["SGD", "MomentumSGD", "AdaGrad", "RMSprop", "AdaDelta", "Adam"]
ALL = [*SIX, "Nesterov", "AdamW", "AdaMax", "Nadam", "Ftrl"]
COLORS = dict(zip(ALL, [*(f"C{i}" for i in range(10)), "k"], strict=True))
DATA = {"mnist": datasets.MNIST, "digits": datasets.Digits}


class AdamOfTheLesson(optimizers.Adam):
    def step(self, x, g, m, v, work):
        m += (1 - self.beta1) * (g - m)
        v += (1 - self.beta2) * (g * g - v)
        x -= self.rate * m / (1 - self.beta1) / np.sqrt(v / (1 - self.beta2) + self.eps)


class Point(Layer):
    def __init__(self, x, y):
        self.x, self.y = Parameter(x), Parameter(y)


def ravine(x, y):
    return x**2 / 20 + 6 * y**2


def saddle(x, y):
    return x**2 - y**2 + y**4 / 4


# Where the walk begins, and what is shown: left, right, bottom, top. / 出発点と、図の左、右、下、上の端
WALKS = {ravine: ((-4.0, 1.0), (-4.5, 2.5, -1.4, 1.4)), saddle: ((-1.5, 0.001), (-1.8, 1.4, -2.0, 2.2))}


def several(names):
    """A `type=` for argparse: all, or names with commas between / all、またはコンマ区切りの名前"""
    return [lessons.optimizer(name.strip()) for name in (ALL if names == "all" else names.split(","))]


def make(kind, rate):
    """The other settings of the lesson are the defaults / そのほかの設定は既定値のとおりです。"""
    optimizer = kind()
    if hasattr(optimizer, "eps"):
        optimizer.eps = 1e-7
    if kind is not optimizers.AdaDelta:
        optimizer.lr = rate
    return optimizer


def race(kind, init, x, t, steps):
    """The model, and its loss and accuracy before each step / モデルと、各ステップの前の損失と正解率"""
    model = models.MLP((100, 100, 10), activation=F.relu, init=init, rng=0)
    optimizer, history = make(kind, 0.01).setup(model), []
    for _ in (bar := progress(range(steps), desc=f"{kind.__name__:11}")):
        y = model(x)
        loss = F.softmax_cross_entropy(y, t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        history.append((loss.item(), F.accuracy(y, t).item()))
        bar.note = f"{history[-1][1]:.2%}"
    return model, np.array(history)


def walk(f, start, optimizer, steps):
    point, path = Point(*start), [start]
    optimizer.setup(point)
    for _ in range(steps):
        point.cleargrads()
        f(point.x, point.y).backward()
        optimizer.update()
        path.append((point.x.item(), point.y.item()))
    return np.array(path)


def draw_race(found, label):
    figure, axes = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    for column, key in enumerate(("loss", "accuracy")):
        for name, (history, _) in found["race"].items():
            axes[column].plot(range(1, len(history) + 1), history[:, column], COLORS[name], label=name)
        axes[column].set(title=label(key), xlabel=label("step"), **({"yscale": "log"} if key == "loss" else {}))
        axes[column].grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure


def draw_walks(found, label):
    """The picture, and each line in it with its path / 図と、その中の線と経路"""
    figure, axes = plt.subplots(1, 2, figsize=(14, 5.4), layout="constrained")
    lines = []
    for ax, (f, (_, (*x, bottom, top))) in zip(axes, WALKS.items(), strict=True):
        grid = np.meshgrid(np.linspace(*x, 200), np.linspace(bottom, top, 200))
        ax.contour(*grid, f(*grid), levels=np.quantile(f(*grid), np.linspace(0, 1, 20)), colors="0.8", linewidths=0.8)
        ax.set(title=label(f.__name__), xlim=x, ylim=(bottom, top), xlabel="x", ylabel="y")
        for name, path in found[f.__name__].items():
            lines.append((*ax.plot(*path.T, "o-", color=COLORS[name], ms=2.5, lw=1, label=name), path))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure, lines


def animate(figure, lines, frames, out):
    """A GIF, or a page where Pillow is not installed / GIF、または Pillow がなければ HTML"""

    def show(i):
        for line, path in lines:
            line.set_data(*path[: i + 1].T)

    film = animation.FuncAnimation(figure, show, np.linspace(0, 100, frames, dtype=int), interval=100)
    figure.set_layout_engine("none")
    if animation.writers.is_available("pillow"):
        film.save(out / "optimizer_walks.gif", writer="pillow", dpi=60)
        return out / "optimizer_walks.gif"
    (out / "optimizer_walks.html").write_text(film.to_jshtml(), encoding="utf-8")
    return out / "optimizer_walks.html"


def draw_adam(steps, label):
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for column, style in enumerate(("C0o-", "C1o-", "C0x--", "C1x--")):
        name = label(("paper", "ours")[column % 2], (1, 1e-4)[column // 2])
        axes.plot(range(1, 11), steps[:, column], style, label=name)
    axes.set(title=label("first"), xlabel=label("step"), ylim=(0, 2.3))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--data", choices=DATA, default="mnist", help="digits: no download / データ (%(default)s)")
    parser.add_argument("--data-dir", type=lessons.data_directory, metavar="DIR", help="of MNIST / MNIST の場所")
    parser.add_argument("--optimizers", type=several, help="all, or SGD,Adam / all、または SGD,Adam")
    parser.add_argument("--steps", type=lessons.count, default=100, help="of the race / 競走の歩数 (%(default)s)")
    parser.add_argument("--init", choices=("he", "normal"), default="he", help="weights / 重みの初期値 (%(default)s)")
    parser.add_argument("--frames", type=lessons.count, default=51, help="animation / 動画のコマ数 (%(default)s)")
    args = parser.parse_args(argv)
    say, label = lessons.texts(TEXTS, args.lang)
    if args.data_dir:
        os.environ["TINYGRAD_JP_DATA"] = str(args.data_dir)
    try:
        (x, t), test = (DATA[args.data](train=train)[:] for train in (True, False))
    except (OSError, ValueError) as error:
        parser.error(str(error))

    found = {"race": {}, "ravine": {}, "saddle": {}}
    print(say("race", len(x), args.steps, args.init), say("head"), sep="\n")
    for kind in args.optimizers or several(",".join(SIX)):
        model, history = race(kind, args.init, x, t, args.steps)
        with no_grad():
            tested = F.accuracy(model(test[0]), test[1]).item()
        found["race"][kind.__name__] = history, tested
        print(say("row", kind.__name__, *history[-1], tested), flush=True)
    order = sorted(found["race"], key=lambda name: found["race"][name][0][-1, 1])
    print(say("found", " < ".join(order)))
    if {*SIX} <= {*order}:
        print(say("lesson"), say("why"), sep="\n")
    if "Ftrl" in order:
        print(say("ftrl"))

    print("", say("walk"), sep="\n")
    for kind in args.optimizers or several("all"):
        for f, (start, _) in WALKS.items():
            found[f.__name__][kind.__name__] = walk(f, start, make(kind, 0.1), 100)
        a, b = (found[key][kind.__name__] for key in ("ravine", "saddle"))
        low = ravine(*a.T)
        firsts = (str(np.argmax(there)) if any(there) else "-" for there in (low < 0.01, np.abs(b[:, 1]) > 1))
        print(say("steps", kind.__name__, *firsts, low[-1]))

    print("", say("adam"), say("columns"), sep="\n")
    rivals = optimizers.Adam(0.001, eps=1e-7), AdamOfTheLesson(0.001, eps=1e-7)
    paths = [walk(lambda x, y: x + 1e-4 * y, (0.0, 0.0), rival, 10) for rival in rivals]
    found["adam"] = np.concatenate([-np.diff(path, axis=0) / 0.001 for path in paths], axis=1)[:, [0, 2, 1, 3]]
    for i, row in enumerate(found["adam"], 1):
        print(say("tens", i, *row))
    print(say("biased"))
    lessons.save(draw_race(found, label), args.out / "optimizer_race.png", args.lang)
    lessons.save(draw_adam(found["adam"], label), args.out / "optimizer_adam.png", args.lang)
    figure, lines = draw_walks(found, label)
    lessons.save(figure, args.out / "optimizer_walks.png", args.lang)
    print(say("moving", animate(figure, lines, args.frames, args.out)))
    return found


if __name__ == "__main__":
    main()
