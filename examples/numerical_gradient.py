"""The derivative by differences beside the exact one: how far it errs, and what it costs.

    python examples/numerical_gradient.py --lang en

A central difference, (f(x + h) − f(x − h)) / 2h, is off by about h²|f‴|/6, as it cuts the curve, and by ε|f|/h, as
numbers are rounded. The sum is smallest at h = (3ε|f|/|f‴|)^⅓. For n derivatives it takes 2n evaluations of f, where
one pass back takes as long as a few.

数値微分（中心差分）を、逆伝播で求めた正確な微分と並べます。中心差分 (f(x + h) − f(x − h)) / 2h には、曲線を直線で
置き換えたための誤差 h²|f‴|/6 と、丸め誤差 ε|f|/h があります。和が最小になるのは h = (3ε|f|/|f‴|)^⅓ のときです。
n 個の微分を求めるのに、数値微分では f を 2n 回計算しますが、逆伝播は 1 回で済みます。

    python examples/numerical_gradient.py --lang ja
"""

from statistics import median
from time import perf_counter

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

from tinygrad_jp import Variable, grad


def cube(x):
    return x**3


def bowl(x):
    return (x[0] - 1) ** 2 + (x[1] - 2) ** 2


def wave(x):
    return np.sum(np.tanh(x) ** 2)


def difference(f, x, h=1e-4):
    return (f(x + h) - f(x - h)) / (2 * h)


def by_differences(f, x):
    """One difference for each number in x / x の要素ひとつごとに差分をとります。"""
    x, gradient = x.copy(), np.empty_like(x)

    def along(value):
        x[i] = value
        return f(x)

    for i, value in enumerate(x.copy()):
        gradient[i] = difference(along, value)
        x[i] = value
    return gradient


def by_backward(f, x):
    x = Variable(x)
    f(x).backward()
    return x.grad.data


def descend(x, steps=20, lr=0.1):
    rows = []
    for _ in range(steps):
        gradients = by_differences(bowl, x), by_backward(bowl, x)
        x = x - lr * gradients[0]
        rows.append((*gradients, x))
    return rows


def milliseconds(gradient, x):
    """The median of three / 3 回の中央値"""
    times = []
    for _ in range(3):
        start = perf_counter()
        gradient(wave, x)
        times.append(1000 * (perf_counter() - start))
    return median(times)


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--largest", type=lessons.count, default=4096, help="the largest n / 最大の n (%(default)s)")
    args = parser.parse_args(argv)

    numeric, exact, third = difference(cube, 10.0), float(grad(cube)(10.0)), float(grad(grad(grad(cube)))(10.0))
    print(say("y = x³ at x = 10, h = 1e-4", "y = x³、x = 10、h = 1e-4"))
    print(say(f"central difference {numeric}", f"数値微分（中心差分） {numeric}"))
    print(say(f"backpropagation    {exact}", f"逆伝播               {exact}"))

    print("", say("y = x³ at x = 10: the error against h", "y = x³、x = 10: h と誤差"), sep="\n")
    errors = {}
    for h in (float(f"1e-{k}") for k in range(1, 16)):
        y = difference(cube, 10.0, h)
        errors[h] = abs(y - exact)
        print(f"h={h:.0e}  " + say(f"difference={y:<18}  error=", f"数値微分={y:<18}  誤差=") + f"{errors[h]:.1e}")
    best = (3 * np.finfo(float).eps * cube(10) / third) ** (1 / 3)
    found = min(errors, key=errors.get)
    print(say(f"best: h={found:.0e}; in theory {best:.1e}", f"最良: h={found:.0e}、理論では {best:.1e}"))

    bowl_title = say("y = (x₀ − 1)² + (x₁ − 2)²: 20 steps, rate 0.1", "y = (x₀ − 1)² + (x₁ − 2)²: 学習率 0.1 で 20 歩")
    print("", bowl_title, sep="\n")
    rows = descend(np.array([-3.0, 4.0]))
    for i, row in enumerate(rows):
        slow, fast, x = ("({:6.3f}, {:6.3f})".format(*pair) for pair in row)
        print(f"{i:04}: " + say(f"differences={slow}  backward={fast}", f"数値微分={slow}  逆伝播={fast}") + f"  x={x}")

    print("", say("y = Σ tanh²(x): time for its n derivatives", "y = Σ tanh²(x): n 個の微分にかかる時間"), sep="\n")
    sizes, slow, fast = [4**k for k in range(20) if 4**k <= args.largest], [], []
    for n in sizes:
        x = np.linspace(-1, 1, n)
        slow.append(milliseconds(by_differences, x))
        fast.append(milliseconds(by_backward, x))
        a, b = f"{slow[-1]:9.3f} ms", f"{fast[-1]:6.3f} ms"
        print(f"n={n:5}  " + say(f"differences={a}  backward={b}", f"数値微分={a}  逆伝播={b}"))

    found = {"numeric": numeric, "exact": exact, "third": third, "errors": errors, "best": best, "rows": rows}
    found |= {"n": sizes, "slow": slow, "fast": fast}
    lessons.save(draw(found), args.out / "numerical_gradient.png")
    return found


def draw(found):
    figure, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(11, 8.5), layout="constrained")
    x = np.linspace(0, 15, 100)
    a.plot(x, cube(x), color="0.6", label="y = x³")
    a.plot(x, cube(10) + found["numeric"] * (x - 10), label=label("tangent at x = 10", "x = 10 での接線"))
    a.plot(10, cube(10), "o", color="tab:orange")
    a.set(title="y = x³", xlabel="x", ylabel="y", ylim=(-500, 3500))

    h = 10 ** -np.arange(1, 15.01, 0.125)
    b.loglog(h, np.abs(difference(cube, 10.0, h) - found["exact"]), "o-", markersize=3, label=label("measured", "実測"))
    b.loglog(h, h**2 * found["third"] / 6, "--", label=label("truncation: h²|f‴|/6", "打ち切り誤差: h²|f‴|/6"))
    b.loglog(h, np.finfo(float).eps * cube(10) / h, "--", label=label("rounding: ε|f|/h", "丸め誤差: ε|f|/h"))
    b.axvline(found["best"], color="0.6", linestyle=":", label=f"h = {found['best']:.1e}")
    b.set(title=label("y = x³ at x = 10", "y = x³、x = 10"), xlabel="h", ylim=(1e-12, 1e4))
    b.set_ylabel(label("error", "誤差"))

    grid = np.meshgrid(np.linspace(-4, 4, 100), np.linspace(0, 5, 100))
    c.contour(*grid, bowl(grid), levels=np.arange(0.5, 6) ** 2, colors="0.7")
    c.plot(*np.array([[-3.0, 4.0], *(x for *_, x in found["rows"])]).T, "o-", markersize=4)
    c.plot(1, 2, "k*", markersize=12)
    c.set(title="y = (x₀ − 1)² + (x₁ − 2)²", xlabel="x₀", ylabel="x₁", aspect="equal")

    d.loglog(found["n"], found["slow"], "o-", label=label("differences", "数値微分"))
    d.loglog(found["n"], found["fast"], "o-", label=label("one backward pass", "逆伝播 1 回"))
    d.set(title=label("n derivatives", "n 個の微分"), xlabel="n", ylabel=label("milliseconds", "ミリ秒"))
    for axes in (a, b, d):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
