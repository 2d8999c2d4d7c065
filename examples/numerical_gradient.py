"""The derivative by differences beside the exact one: how far it errs, and what it costs.

    python examples/numerical_gradient.py --lang en

数値微分（中心差分）を、逆伝播で求めた正確な微分と並べます。誤差と、かかる時間を調べます。

    python examples/numerical_gradient.py --lang ja
"""

from statistics import median
from time import perf_counter

import lessons
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_jp import Variable, grad

TEXTS = {
    "cube": ("y = x³ at x = 10, h = 1e-4", "y = x³、x = 10、h = 1e-4"),
    "slopes": ("central difference {}\nbackpropagation    {}", "数値微分（中心差分） {}\n逆伝播               {}"),
    "errors": ("y = x³ at x = 10: the error against h", "y = x³、x = 10: h と誤差"),
    "error": ("h={:.0e}  difference={:<18}  error={:.1e}", "h={:.0e}  数値微分={:<18}  誤差={:.1e}"),
    "best": ("best: h={:.0e}; in theory (3ε|f|/|f‴|)^⅓={:.1e}", "最良: h={:.0e}、理論では (3ε|f|/|f‴|)^⅓={:.1e}"),
    "bowl": ("y = (x₀ − 1)² + (x₁ − 2)²: 20 steps, rate 0.1", "y = (x₀ − 1)² + (x₁ − 2)²: 学習率 0.1 で 20 歩"),
    "row": ("{:04}: differences={}  backward={}  x={}", "{:04}: 数値微分={}  逆伝播={}  x={}"),
    "costs": ("y = Σ tanh²(x): time for its n derivatives", "y = Σ tanh²(x): n 個の微分にかかる時間"),
    "cost": ("n={:5}  differences={:9.3f} ms  backward={:6.3f} ms", "n={:5}  数値微分={:9.3f} ms  逆伝播={:6.3f} ms"),
    "why": (
        "2n evaluations of f against one pass back.",
        "数値微分では f を 2n 回計算しますが、逆伝播は 1 回で済みます。",
    ),
    "tangent": ("tangent at x = 10", "x = 10 での接線"),
    "measured": ("measured", "実測"),
    "cut": ("truncation: h²|f‴|/6", "打ち切り誤差: h²|f‴|/6"),
    "rounding": ("rounding: ε|f|/h", "丸め誤差: ε|f|/h"),
    "differences": ("differences", "数値微分"),
    "backward": ("one backward pass", "逆伝播 1 回"),
    "ms": ("milliseconds", "ミリ秒"),
}


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


def draw(found, label):
    figure, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(11, 8.5), layout="constrained")
    x, xs = np.linspace(0, 15, 100), np.array([[-3.0, 4.0], *(x for *_, x in found["rows"])])
    a.plot(x, cube(x), color="0.6", label="y = x³")
    a.plot(x, cube(10) + found["numeric"] * (x - 10), label=label("tangent"))
    a.plot(10, cube(10), "o", color="tab:orange")
    h = 10 ** -np.arange(1, 15.01, 0.125)
    b.loglog(h, np.abs(difference(cube, 10.0, h) - found["exact"]), "o-", markersize=3, label=label("measured"))
    b.loglog(h, h**2 * found["third"] / 6, "--", label=label("cut"))
    b.loglog(h, np.finfo(float).eps * cube(10) / h, "--", label=label("rounding"))
    b.axvline(found["best"], color="0.6", linestyle=":", label=f"h = {found['best']:.1e}")
    grid = np.meshgrid(np.linspace(-4, 4, 100), np.linspace(0, 5, 100))
    c.contour(*grid, bowl(grid), levels=np.arange(0.5, 6) ** 2, colors="0.7")
    c.plot(*xs.T, "o-", markersize=4)
    c.plot(1, 2, "k*", markersize=12)
    for key, times in (("differences", found["slow"]), ("backward", found["fast"])):
        d.loglog(found["n"], times, "o-", label=label(key))
    a.set(title="y = x³", xlabel="x", ylabel="y", ylim=(-500, 3500))
    b.set(title=label("errors"), xlabel="h", ylim=(1e-12, 1e4))
    c.set(title=label("bowl"), xlabel="x₀", ylabel="x₁", aspect="equal")
    d.set(title=label("costs"), xlabel="n", ylabel=label("ms"))
    for axes in (a, b, d):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    return figure


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--largest", type=lessons.count, default=4096, help="the largest n / 最大の n (%(default)s)")
    args = parser.parse_args(argv)
    say, label = lessons.texts(TEXTS, args.lang)
    slope, third = float(grad(cube)(10.0)), float(grad(grad(grad(cube)))(10.0))
    found = {"numeric": difference(cube, 10.0), "exact": slope, "third": third}
    print(say("cube"), say("slopes", found["numeric"], slope), "", say("errors"), sep="\n")
    errors = {h: abs(difference(cube, 10.0, h) - slope) for h in (float(f"1e-{k}") for k in range(1, 16))}
    for h, error in errors.items():
        print(say("error", h, difference(cube, 10.0, h), error))
    found |= {"errors": errors, "best": (3 * np.finfo(float).eps * cube(10) / third) ** (1 / 3)}
    print(say("best", min(errors, key=errors.get), found["best"]), "", say("bowl"), sep="\n")
    found["rows"] = descend(np.array([-3.0, 4.0]))
    for i, row in enumerate(found["rows"]):
        print(say("row", i, *("({:6.3f}, {:6.3f})".format(*pair) for pair in row)))
    print("", say("costs"), sep="\n")
    found["n"] = [4**k for k in range(20) if 4**k <= args.largest]
    for key, gradient in (("slow", by_differences), ("fast", by_backward)):
        found[key] = [milliseconds(gradient, np.linspace(-1, 1, n)) for n in found["n"]]
    for times in zip(found["n"], found["slow"], found["fast"], strict=True):
        print(say("cost", *times))
    print(say("why"))
    lessons.save(draw(found, label), args.out / "numerical_gradient.png", args.lang)
    return found


if __name__ == "__main__":
    main()
