"""Optimizers race on MNIST.

A network 784-100-100-10 with ReLU, whose weights He's rule draws, the same for all, learns from all 60,000 digits at
once, 100 steps with the learning rate 0.01 (AdaDelta has none), momentum = 0.9, AdaDelta's ρ = 0.95, RMSprop's ρ =
0.9, Adam's β = 0.9 and 0.999, ε = 1e-7. Six optimizers take minutes; with `--data digits` (64-100-100-10), seconds.

    python examples/optimizer_race.py --lang en --data digits

The lesson found SGD ≒ AdaDelta < MomentumSGD < AdaGrad ≒ RMSprop ≒ Adam. AdaDelta's first step is g·√(ε/((1 − ρ)·g² +
ε)): where g is small, a hundred times that of SGD, 0.01·g, and at most 0.0014. He's small weights need no more, so
AdaDelta leaves SGD behind. Weights of deviation 1 need more (--init normal: on MNIST 74 % beside SGD's 76 %). RMSprop
swings at this rate: its place depends on where one stops. Ftrl is made for weights that begin at 0: it forgets any
others, and from 0 a deep network does not learn.

最適化手法を MNIST で競わせます。784-100-100-10 の ReLU ネットワークが、60,000 件すべてを一度に使って 100 ステップ学習
します。重みは He の初期値で、どの手法も同じ値から始めます。学習率は 0.01 です（AdaDelta にはありません）。そのほかの設
定は上のとおりです。6つの手法で数分かかりますが、`--data digits`（64-100-100-10）なら数秒です。

    python examples/optimizer_race.py --lang ja --data digits

もとのレッスンの結果は SGD ≒ AdaDelta < MomentumSGD < AdaGrad ≒ RMSprop ≒ Adam でした。AdaDelta の最初の一歩は
g·√(ε/((1 − ρ)·g² + ε)) です。g が小さければ SGD の一歩 0.01·g の 100 倍になり、0.0014 を超えることはありません。He の
小さな重みにはこれで足りるので、AdaDelta は SGD を引き離します。標準偏差 1 の重みには足りません（--init normal なら、
MNIST で SGD の 76 % に対して 74 %）。RMSprop はこの学習率では振動するので、どこで止めるかによって順位が変わります。
Ftrl は 0 から始まる重みのための手法です。ほかの初期値は忘れますが、深いネットワークは 0 からは学べません。
"""

import os

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

import tinygrad_jp.functions as F
from tinygrad_jp import datasets, models, no_grad, optimizers, progress

SIX = ["SGD", "MomentumSGD", "AdaGrad", "RMSprop", "AdaDelta", "Adam"]
DATA = {"mnist": datasets.MNIST, "digits": datasets.Digits}


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


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--data", choices=DATA, default="mnist", help="digits: no download / データ (%(default)s)")
    parser.add_argument("--data-dir", type=lessons.data_directory, metavar="DIR", help="of MNIST / MNIST の場所")
    parser.add_argument(
        "--optimizers", type=lessons.several, default=SIX, help="all, or SGD,Adam / all、または SGD,Adam"
    )
    parser.add_argument("--steps", type=lessons.count, default=100, help="of the race / 競走の歩数 (%(default)s)")
    parser.add_argument("--init", choices=("he", "normal"), default="he", help="weights / 重みの初期値 (%(default)s)")
    args = parser.parse_args(argv)
    if args.data_dir:
        os.environ["TINYGRAD_JP_DATA"] = str(args.data_dir)
    try:
        (x, t), test = (DATA[args.data](train=train)[:] for train in (True, False))
    except (OSError, ValueError) as error:
        parser.error(str(error))

    n = f"{len(x):,}"
    english = f"The race: {n} digits, {args.steps} steps, weights: {args.init}"
    print(say(english, f"競走: 数字 {n} 件、{args.steps} ステップ、重みの初期値: {args.init}"))
    print(say("                 loss   train    test", "                 損失    訓練  テスト"))
    found = {}
    for kind in map(lessons.optimizer, args.optimizers):
        model, history = race(kind, args.init, x, t, args.steps)
        with no_grad():
            tested = F.accuracy(model(test[0]), test[1]).item()
        found[kind.__name__] = history, tested
        print("{:12} {:8.4f} {:7.2%} {:7.2%}".format(kind.__name__, *history[-1], tested), flush=True)
    order = sorted(found, key=lambda name: found[name][0][-1, 1])
    print(say("found: ", "結果: ") + " < ".join(order))
    lessons.save(draw(found), args.out / "optimizer_race.png")
    return found


def draw(found):
    figure, axes = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    titles = label("loss", "損失"), label("accuracy on the training set", "訓練データの正解率")
    for column, title in enumerate(titles):
        for name, (history, _) in found.items():
            axes[column].plot(range(1, len(history) + 1), history[:, column], lessons.COLORS[name], label=name)
        axes[column].set(ylabel=title, xlabel=label("step", "ステップ"), yscale="linear" if column else "log")
        axes[column].grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
