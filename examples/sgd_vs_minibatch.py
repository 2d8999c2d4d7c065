"""One row at a time, in batches of ten, or the whole set: three ways to learn t = 3x₀ + 2x₁.

    python examples/sgd_vs_minibatch.py --lang en

A network 2-10-1 with ReLU draws 500 of 1,000 rows with replacement, at the learning rate 0.07. Its loss is the mean of
the squared errors over the batch. One row a step makes ten times as many steps, each of which follows a noisy
gradient. The whole set takes 50 smooth steps, and a thousand times as many rows for them.

1 件ずつ、10 件ずつ、全データという三通りの学習を比べます。2-10-1 の ReLU ネットワークが、1,000 件から重複を許して選ん
だ 500 件で t = 3x₀ + 2x₁ を学習します。学習率は 0.07、損失は2乗誤差のバッチ平均です。1 件ずつならステップの数は 10 倍
になりますが、それぞれの勾配はばらつきます。全データでは 50 ステップがなめらかに進む代わりに、はるかに多くの計算をしま
す。

    python examples/sgd_vs_minibatch.py --lang ja
"""

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

import tinygrad_jp.functions as F
from tinygrad_jp import models, optimizers, progress


def network(params):
    """A model that starts from these numbers / この値から始めるモデル"""
    model = models.MLP((10, 1), activation=F.relu)
    for p, value in zip(model.params(), params, strict=True):
        p.data = value.copy()
    return model


def train(model, x, t, batches):
    """The loss of the batch and of the whole set, before each step / 各ステップの前の、バッチと全体の損失"""
    optimizer, losses = optimizers.SGD(lr=0.07).setup(model), []
    for rows in batches:
        loss = F.mean_squared_error(model(x[rows]), t[rows])
        losses.append([loss.item(), F.mean_squared_error(model(x), t).item()])
        model.cleargrads()
        loss.backward()
        optimizer.update()
    return np.array(losses)


def main(argv=None):
    args = lessons.Parser(__doc__).parse_args(argv)
    rng = np.random.default_rng(3)
    x = rng.random((1000, 2))
    t = x @ [[3.0], [2.0]]
    params = [rng.normal(size=shape) for shape in ((2, 10), (10,), (10, 1), (1,))]
    drawn = rng.integers(0, 1000, 500)
    ways = {
        say("one at a time", "1 件ずつ"): drawn.reshape(-1, 1),
        say("batches of 10", "10 件ずつ"): drawn.reshape(-1, 10),
        say("the whole set", "全データ"): [np.arange(1000)] * 50,
    }
    found = []
    for name, batches in ways.items():
        losses = train(network(params), x, t, progress(batches, desc=name))
        found.append(losses)
        n, rows, change = len(batches), sum(map(len, batches)), f"{losses[0, 1]:.3f} -> {losses[-1, 1]:.6f}"
        line = f"steps={n:3}  rows={rows:6,}  loss {change}", f"ステップ={n:3}  件数={rows:6,}  損失 {change}"
        print(say(*line) + f"  {name}")
    lessons.save(draw(found), args.out / "sgd_vs_minibatch.png")
    return found


def draw(found):
    titles = label("one at a time", "1 件ずつ"), label("batches of 10", "10 件ずつ"), label("the whole set", "全データ")
    names = label("loss of the batch", "バッチの損失"), label("loss on all 1,000 rows", "1,000 件全体での損失")
    figure, panels = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for axes, losses, title in zip(panels, found, titles, strict=True):
        if len(losses) < 500 and np.array_equal(*losses.T):
            losses = losses[:, 1:]  # The batch is the whole set.
        for column, name, color in zip(losses.T[::-1], names[::-1], ("C0", "0.7"), strict=False):
            axes.semilogy(column, color=color, label=name, zorder=2 + (color == "C0"))
        axes.set(title=title, xlabel=label("step", "ステップ"), ylabel=label("loss", "損失"), ylim=(1e-4, 1e3))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper right")
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
