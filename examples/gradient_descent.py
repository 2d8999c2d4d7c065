"""Gradient descent, row by row: down the parabola, and into one or the other of two valleys.

    python examples/gradient_descent.py --lang en

勾配降下法を一行ずつ追います。まず放物線を下り、次に、谷が2つある曲線を下ります。
傾きは手で微分せず、`backward()` が求めます。

    python examples/gradient_descent.py --lang ja
"""

import lessons
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_jp import Variable, grad

TEXTS = {
    "row": ("{:04}: gradient={:6.3f}  step={:5.3f}  x={:5.3f}", "{:04}: 傾き={:6.3f}  移動量={:5.3f}  x={:5.3f}"),
    "square": ("y = x² from x = 5", "y = x²、x = 5 から"),
    "right": ("y = x⁴ + x³ − 2x² from x = 4: a local minimum", "y = x⁴ + x³ − 2x²、x = 4 から: 局所的な最小です"),
    "left": ("the same from x = −4: the global minimum", "同じ曲線を x = −4 から: 全体の最小です"),
    "rates": ("y = x² from x = 5: the learning rate", "y = x²、x = 5 から: 学習率による違い"),
    "leaps": ("the second curve from x = 4: 0.02 leaps across", "2つ目の曲線、x = 4 から: 0.02 だと隣の谷へ"),
    "rate": ("rate={:<4}  rows={:3}  x={:9.3f}  {}", "学習率={:<4}  行数={:3}  x={:9.3f}  {}"),
    "arrives": ("arrives", "たどり着きます"),
    "diverges": ("overshoots and diverges", "行き過ぎて発散します"),
    "swings": ("overshoots, for ever to and fro", "行き過ぎて、いつまでも往復します"),
    "newton": ("Newton's method from x = −4, five steps", "ニュートン法、x = −4 から 5 歩"),
    "hill": ("Newton's method from x = 0.2 climbs: f″ < 0", "ニュートン法、x = 0.2 からは f″ < 0 なので登ります"),
    "path": ("from {:g}: {} steps", "{:g} から {} 歩"),
    "valley": ("valley: x = 0", "谷: x = 0"),
    "local": ("local minimum\nx = 0.693", "局所的な最小\nx = 0.693"),
    "global": ("global minimum\nx = −1.443", "全体の最小\nx = −1.443"),
    "lr": ("rate {:g}", "学習率 {:g}"),
    "descent": ("gradient descent", "勾配降下法"),
    "newtons": ("Newton's method", "ニュートン法"),
    "slopes": ("y = x⁴ + x³ − 2x² from x = −4: |gradient|", "y = x⁴ + x³ − 2x²、x = −4 から: |傾き|"),
    "step": ("step", "歩数"),
}


def square(x):
    return x**2


def quartic(x):
    return x**4 + x**3 - 2 * x**2


def descend(f, x, lr=0.01):
    """Step against the gradient until it is small / 傾きが小さくなるまで、傾きと逆の向きに進みます。"""
    x, path = Variable(x), []
    while len(path) < 500 and abs(x.item()) < 100:
        x.cleargrad()
        f(x).backward()
        gradient = x.grad.item()
        if abs(gradient) < 0.1:
            break
        step = -lr * gradient
        x.data = x.data + step
        path.append((gradient, step, x.item()))
    return path


def newton(f, x):
    """Five steps x ← x − f′/f″: the second derivative sets their length / 歩幅を二階微分が決めます。"""
    path = []
    for _ in range(5):
        gradient = float(grad(f)(x))
        step = -gradient / float(grad(grad(f))(x))
        x += step
        path.append((gradient, step, x))
    return path


def outcome(f, path):
    x = path[-1][2]
    return "arrives" if abs(grad(f)(x)) < 0.1 else "diverges" if abs(x) >= 100 else "swings"


def draw(found, label):
    figure, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(11, 8.5), layout="constrained")
    for axes, f, key, start in ((a, square, "square", 5.0), (b, quartic, "right", 4.0), (b, quartic, "left", -4.0)):
        xs, x = np.array([start, *(x for _, _, x in found[key])]), np.linspace(-5.5, 5.5, 400)
        axes.plot(x, f(x), color="0.6", zorder=0)
        axes.plot(xs, f(xs), "o-", markersize=4, linewidth=1, label=label("path", start, len(xs) - 1))
        place = {"xytext": (0, -40), "textcoords": "offset points", "arrowprops": {"arrowstyle": "->"}}
        name, side = {"square": ("valley", "center"), "right": ("local", "left"), "left": ("global", "right")}[key]
        axes.annotate(label(name), (xs[-1], f(xs[-1])), ha=side, **place)
    for lr in (0.01, 0.1, 0.9, 1.1):
        c.plot([5.0, *(x for _, _, x in found["rates"][lr])][:13], "o-", markersize=3, label=label("lr", lr))
    for key, name in (("left", "descent"), ("newton", "newtons")):
        slopes = [abs(grad(quartic)(x)) for x in (-4.0, *(x for _, _, x in found[key]))]
        d.semilogy(slopes, "o-", markersize=4, label=label(name))
    d.axhline(0.1, color="0.6", linestyle="--")
    a.set(title="y = x²", xlabel="x", ylabel="y", ylim=(-8, 32))
    b.set(title="y = x⁴ + x³ − 2x²", xlabel="x", ylabel="y", xlim=(-4.5, 4.5), ylim=(-18, 60))
    c.set(title=label("rates"), xlabel=label("step"), ylabel="x", ylim=(-30, 30))
    d.set(title=label("slopes"), xlabel=label("step"))
    for axes, place in ((a, "upper center"), (b, "upper center"), (c, "upper left"), (d, "upper right")):
        axes.grid(alpha=0.3)
        axes.legend(loc=place, fontsize=9)
    return figure


def main(argv=None):
    args = lessons.Parser(__doc__).parse_args(argv)
    say, label = lessons.texts(TEXTS, args.lang)
    found = {"square": descend(square, 5.0), "right": descend(quartic, 4.0), "left": descend(quartic, -4.0)}
    # What the lesson leaves open: / レッスンの続き:
    found |= {"newton": newton(quartic, -4.0), "hill": newton(quartic, 0.2)}
    for key, path in found.items():
        print("", say(key), *(say("row", i, *row) for i, row in enumerate(path)), sep="\n")
    found["rates"] = {lr: descend(square, 5.0, lr) for lr in (0.01, 0.1, 0.5, 0.9, 1.0, 1.1)}
    found["leaps"] = {lr: descend(quartic, 4.0, lr) for lr in (0.01, 0.02, 0.03)}
    for key, f in (("rates", square), ("leaps", quartic)):
        print("", say(key), sep="\n")
        for lr, path in found[key].items():
            print(say("rate", lr, len(path), path[-1][2], say(outcome(f, path))))
    lessons.save(draw(found, label), args.out / "gradient_descent.png", args.lang)
    return found


if __name__ == "__main__":
    main()
