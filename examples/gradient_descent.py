"""Gradient descent, row by row: down the parabola, and into one or the other of two valleys.

    python examples/gradient_descent.py --lang en

A step goes against the gradient: x ← x − rate·f′(x), until |f′(x)| < 0.1. From the left and from the right of the
second curve it ends in different valleys. Too large a rate leaps across a valley, swings, or diverges. Newton's method
takes the length of its steps from the second derivative: x ← x − f′(x)/f″(x). Where f″ < 0, it climbs.

勾配降下法を1行ずつ追います。傾きと逆の向きに x ← x − 学習率·f′(x) と進み、|f′(x)| < 0.1 になったら止まります。
傾きは手で微分せず、`backward()` が求めます。2つ目の曲線では、左から始めるか右から始めるかで、着く谷が違います。
学習率が大きすぎると、谷を飛び越えたり、往復したり、発散したりします。ニュートン法 x ← x − f′(x)/f″(x) では、
歩幅を2階微分が決めます。f″ < 0 のところでは登ってしまいます。

    python examples/gradient_descent.py --lang ja
"""

import matplotlib.pyplot as plt
import numpy as np
from lessons import Parser, label, save, say

from tinygrad_jp import Variable, grad


def square(x):
    return x**2


def quartic(x):
    return x**4 + x**3 - 2 * x**2


def descend(f, x, lr=0.01):
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
    path = []
    for _ in range(5):
        gradient = float(grad(f)(x))
        step = -gradient / float(grad(grad(f))(x))
        x += step
        path.append((gradient, step, x))
    return path


def print_rows(title, path):
    print("", title, sep="\n")
    for i, (gradient, step, x) in enumerate(path):
        g, s, x = f"{gradient:6.3f}", f"{step:5.3f}", f"{x:5.3f}"
        print(f"{i:04}: " + say(f"gradient={g}  step={s}  x={x}", f"傾き={g}  移動量={s}  x={x}"))


def print_rates(title, f, paths):
    print("", title, sep="\n")
    for lr, path in paths.items():
        x = path[-1][2]
        how = say("overshoots, for ever to and fro", "行き過ぎて、いつまでも往復します")
        if abs(grad(f)(x)) < 0.1:
            how = say("arrives", "たどり着きます")
        elif abs(x) >= 100:
            how = say("overshoots and diverges", "行き過ぎて発散します")
        print(say(f"rate={lr:<4}  rows={len(path):3}", f"学習率={lr:<4}  行数={len(path):3}") + f"  x={x:9.3f}  {how}")


def main(argv=None):
    args = Parser(__doc__).parse_args(argv)
    found = {"square": descend(square, 5.0), "right": descend(quartic, 4.0), "left": descend(quartic, -4.0)}
    found |= {"newton": newton(quartic, -4.0), "hill": newton(quartic, 0.2)}
    print_rows(say("y = x² from x = 5", "y = x²、x = 5 から"), found["square"])
    curve = "y = x⁴ + x³ − 2x²"
    print_rows(say(f"{curve} from x = 4: a local minimum", f"{curve}、x = 4 から: 局所的な最小です"), found["right"])
    print_rows(say("the same from x = −4: the global minimum", "同じ曲線を x = −4 から: 全体の最小です"), found["left"])
    print_rows(say("Newton's method from x = −4", "ニュートン法、x = −4 から"), found["newton"])
    print_rows(say("Newton's method from x = 0.2 climbs", "ニュートン法、x = 0.2 からは登ります"), found["hill"])

    found["rates"] = {lr: descend(square, 5.0, lr) for lr in (0.01, 0.1, 0.5, 0.9, 1.0, 1.1)}
    found["leaps"] = {lr: descend(quartic, 4.0, lr) for lr in (0.01, 0.02, 0.03)}
    print_rates(
        say("y = x² from x = 5: the learning rate", "y = x²、x = 5 から: 学習率による違い"), square, found["rates"]
    )
    leaps = say("the second curve from x = 4: 0.02 leaps across", "2つ目の曲線、x = 4 から: 0.02 だと隣の谷へ")
    print_rates(leaps, quartic, found["leaps"])
    save(draw(found), args.out / "gradient_descent.png")
    return found


def draw(found):
    figure, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(11, 8.5), layout="constrained")
    draw_path(a, square, 5.0, found["square"], label("valley: x = 0", "谷: x = 0"), "center")
    draw_path(b, quartic, 4.0, found["right"], label("local minimum\nx = 0.693", "局所的な最小\nx = 0.693"), "left")
    draw_path(b, quartic, -4.0, found["left"], label("global minimum\nx = −1.443", "全体の最小\nx = −1.443"), "right")
    for lr in (0.01, 0.1, 0.9, 1.1):
        xs = [5.0, *(x for _, _, x in found["rates"][lr])][:13]
        c.plot(xs, "o-", markersize=3, label=label(f"rate {lr:g}", f"学習率 {lr:g}"))
    for key, name in (("left", label("gradient descent", "勾配降下法")), ("newton", label("Newton", "ニュートン法"))):
        slopes = [abs(grad(quartic)(x)) for x in (-4.0, *(x for _, _, x in found[key]))]
        d.semilogy(slopes, "o-", markersize=4, label=name)
    d.axhline(0.1, color="0.6", linestyle="--")
    step = label("step", "歩数")
    a.set(title="y = x²", xlabel="x", ylabel="y", ylim=(-8, 32))
    b.set(title="y = x⁴ + x³ − 2x²", xlabel="x", ylabel="y", xlim=(-4.5, 4.5), ylim=(-18, 60))
    c.set(title=label("y = x² from x = 5", "y = x²、x = 5 から"), xlabel=step, ylabel="x", ylim=(-30, 30))
    d.set(title=label("The second curve from x = −4", "2つ目の曲線、x = −4 から"), xlabel=step)
    d.set_ylabel(label("|gradient|", "|傾き|"))
    for axes, place in ((a, "upper center"), (b, "upper center"), (c, "upper left"), (d, "upper right")):
        axes.grid(alpha=0.3)
        axes.legend(loc=place, fontsize=9)
    return figure


def draw_path(axes, f, start, path, name, side):
    xs, x = np.array([start, *(x for _, _, x in path)]), np.linspace(-5.5, 5.5, 400)
    axes.plot(x, f(x), color="0.6", zorder=0)
    steps = label(f"from {start:g}: {len(path)} steps", f"{start:g} から {len(path)} 歩")
    axes.plot(xs, f(xs), "o-", markersize=4, linewidth=1, label=steps)
    place = {"xytext": (0, -40), "textcoords": "offset points", "arrowprops": {"arrowstyle": "->"}}
    axes.annotate(name, (xs[-1], f(xs[-1])), ha=side, **place)


if __name__ == "__main__":
    from running import run

    run(main)
