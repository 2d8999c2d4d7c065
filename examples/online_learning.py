"""A stream of rows: each comes once; the network answers, then learns from it. Halfway, the target changes.

    python examples/online_learning.py --lang en

For 1,000 rows t = 3x₀ + 2x₁, then t = −2x₀ + 4x₁. A network 2-10-1 with ReLU that goes on learning is wrong for a
moment, and right again. Its twin stops learning at the change, and stays wrong.

流れてくるデータで学び続けます（オンライン学習）。データは一度だけ現れます。ネットワークは、まず答え、それから学びま
す。最初の 1,000 件では t = 3x₀ + 2x₁、その後は t = −2x₀ + 4x₁ です。学び続けるネットワーク（2-10-1、ReLU）は、いったん
間違えてもすぐに立ち直ります。変化の時に学習をやめた方は、間違えたままです。

    python examples/online_learning.py --lang ja
"""

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

import tinygrad_jp.functions as F
from tinygrad_jp import models, optimizers, progress

CHANGE, END = 1000, 3000


def stream(rng):
    for n in range(END):
        x = rng.random((1, 2))
        yield x, x @ ([[3.0], [2.0]] if n < CHANGE else [[-2.0], [4.0]])


def error(model, x, t):
    return F.mean_squared_error(model(x), t).item()


def main(argv=None):
    args = lessons.Parser(__doc__).parse_args(argv)
    rng = np.random.default_rng(3)
    model, frozen = (models.MLP((10, 1), activation=F.relu, rng=3) for _ in range(2))
    optimizer, errors = optimizers.SGD(lr=0.07).setup(model), []
    for n, (x, t) in enumerate(progress(stream(rng), END, say("a stream", "流れてくるデータ"))):
        if n == CHANGE:
            model(x)
            frozen(x)
            frozen.load_state(model.state())
        errors.append((error(model, x, t), error(frozen if n >= CHANGE else model, x, t)))
        loss = F.mean_squared_error(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    errors = np.array(errors)
    print(say("squared error, mean of 200 rows", "2乗誤差（200 件の平均）"))
    names = say("goes on learning", "学び続けた場合"), say("stops at the change", "変化の時に学習をやめた場合")
    for name, column in zip(names, errors.T, strict=True):
        before, after, end = (f"{np.mean(column[i : i + 200]):.5f}" for i in (CHANGE - 200, CHANGE, END - 200))
        print(
            say(f"before {before}  after {after}  end {end}", f"直前 {before}  直後 {after}  最後 {end}") + f"  {name}"
        )
    lessons.save(draw(errors), args.out / "online_learning.png")
    return errors


def draw(errors):
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    names = label("goes on learning", "学び続けた場合"), label("stops at the change", "変化の時に学習をやめた場合")
    for name, column in zip(names, errors.T, strict=True):
        axes.semilogy(np.arange(49, len(column)), np.convolve(column, np.full(50, 0.02), "valid"), label=name)
    axes.axvline(CHANGE, color="0.6", linestyle="--", label=label("the target changes", "目標の変化"))
    axes.set(title=label("Squared error, mean of 50 rows", "2乗誤差（50 件の平均）"), ylim=(1e-6, 1e2))
    axes.set(xlabel=label("row", "件目"), ylabel=label("squared error", "2乗誤差"))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="lower right")
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
