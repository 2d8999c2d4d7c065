"""PyTorch's training loop, and the same loop in the engine's words: six optimizers, equal losses.

    python examples/framework_comparison.py --lang en

Adagrad and RMSprop have PyTorch's defaults; the engine's are others, so there they are written out. The settings
decide this race more than the methods. With lr = 0.01, Adagrad's twenty steps move a weight by less than 0.08 in all.
RMSprop's first step is 0.01/√(1 − 0.99) = 0.1, as its mean of squares begins at 0. Adadelta, which has no learning
rate of its own, begins with about √(1e-4/(1 − 0.95)) = 0.045.

PyTorch の学習ループを、このエンジンの言葉に置き換えます。6つの最適化手法で、損失は同じになるでしょうか。PyTorch が入
っていなければ、エンジンだけで学習します。Adagrad と RMSprop は PyTorch の既定値のままです。エンジンの既定値は異なるの
で、値を書きます。この競争では、手法よりも設定が物を言います。lr = 0.01 の Adagrad は、20 歩で合わせて 0.08 も動きませ
ん。RMSprop は2乗の平均が 0 から始まるので、最初の一歩が 0.01/√(1 − 0.99) = 0.1 になります。学習率を持たない Adadelta
の最初の一歩は、およそ √(1e-4/(1 − 0.95)) = 0.045 です。

    python examples/framework_comparison.py --lang ja
"""

import inspect
import textwrap
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import optimizers

# What PyTorch calls it, and what the engine does. / PyTorch での書き方と、エンジンでの書き方
OPTIMIZERS = {
    "SGD": ("SGD", {"lr": 0.1}, "SGD", {"lr": 0.1}),
    "SGD momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}, "MomentumSGD", {"lr": 0.1, "momentum": 0.9}),
    "Adadelta": ("Adadelta", {"lr": 1.0, "rho": 0.95, "eps": 1e-4}, "AdaDelta", {"rho": 0.95, "eps": 1e-4}),
    "Adagrad": ("Adagrad", {}, "AdaGrad", {"lr": 0.01, "eps": 1e-10}),
    "Adam": (
        *("Adam", {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-9}),
        *("Adam", {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-9}),
    ),
    "RMSprop": ("RMSprop", {}, "RMSprop", {"lr": 0.01, "rho": 0.99, "eps": 1e-8}),
}


def in_pytorch(torch, x, y, W, b, make):
    x, y, W, b = map(torch.tensor, (x, y, W, b))
    model = torch.nn.Linear(1, 1, dtype=torch.float64)
    model.load_state_dict({"weight": W.T, "bias": b})
    criterion = torch.nn.MSELoss()
    optimizer = make(model.parameters())
    losses = []
    for _ in range(20):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def in_engine(x, y, W, b, make):
    x, y, W, b = map(np.array, (x, y, W, b))
    model = L.Linear(1, in_size=1, dtype=np.float64)
    model.load_state({"W": W, "b": b})
    criterion = F.mean_squared_error
    optimizer = make().setup(model)
    losses = []
    for _ in range(20):
        loss = criterion(model(x), y)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.item())
    return losses


def body(function):
    """The lines of a function / 関数の中の行"""
    return textwrap.dedent("".join(inspect.getsourcelines(function)[0][1:])).splitlines()


def call(name, settings):
    return f"{name}({', '.join(f'{key}={value}' for key, value in settings.items())})"


def main(argv=None):
    args = lessons.Parser(__doc__).parse_args(argv)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 10)), rng.standard_normal((1, 1))
    # A layer takes one point a row. / 層は1行に1点を受け取ります。
    start = x.T, (w @ x + 2).T, rng.uniform(-1, 1, (1, 1)), rng.uniform(-1, 1, 1)

    print(say("The loop in PyTorch, and in the engine's words", "PyTorch のループと、エンジンの言葉によるループ"))
    print(*(f"    {a:54}{b}" for a, b in zip(body(in_pytorch), body(in_engine), strict=True)), "", sep="\n")
    print(say("torch.optim, and tinygrad_jp.optimizers", "torch.optim と tinygrad_jp.optimizers"))
    print(*(f"    {call(*words[:2]):54}{call(*words[2:])}" for words in OPTIMIZERS.values()), "", sep="\n")

    line = f"y = {w.item():.4f}·x + 2"
    print(say(f"The losses of the engine: {line}, ten points, float64", f"エンジンの損失: {line}、10 個の点、float64"))
    found = {"engine": {}}
    for key, (*_, name, settings) in OPTIMIZERS.items():
        found["engine"][key] = in_engine(*start, partial(getattr(optimizers, name), **settings))
    print(" " * 5, *(f"{key:>13}" for key in OPTIMIZERS))
    for epoch, losses in enumerate(zip(*found["engine"].values(), strict=True), 1):
        print(f"{epoch:5}", *(f"{loss:13.6f}" for loss in losses))
    if find_spec("torch"):
        torch, found["pytorch"] = import_module("torch"), {}
        for key, (name, settings, *_) in OPTIMIZERS.items():
            found["pytorch"][key] = in_pytorch(torch, *start, partial(getattr(torch.optim, name), **settings))
        found["apart"] = max(np.max(np.abs(np.subtract(found["engine"][k], found["pytorch"][k]))) for k in OPTIMIZERS)
        print(say("The largest difference from PyTorch: ", "PyTorch との差の最大値: ") + f"{found['apart']:.1e}")
    else:
        print(say(
            "PyTorch is not installed, so only the engine was run; to compare: pip install torch",
            "PyTorch が入っていないので、エンジンだけで学習しました。比べるには pip install torch をどうぞ。",
        ))  # fmt: skip
    lessons.save(draw(found), args.out / "framework_comparison.png")
    return found


def draw(found):
    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    for key, losses in found["engine"].items():
        (line,) = axes.semilogy(range(1, 21), losses, label=key)
        if "pytorch" in found:
            axes.plot(range(1, 21), found["pytorch"][key], "o", color=line.get_color(), markersize=6, fillstyle="none")
    axes.set(title=label("The loss in 20 epochs", "20 エポックの損失"))
    axes.set(xlabel=label("epoch", "エポック"), ylabel=label("loss", "損失"))
    axes.set_xticks(range(1, 21))
    axes.grid(alpha=0.3)
    both = label("lines: the engine; circles: PyTorch", "線: エンジン、丸: PyTorch")
    title = both if "pytorch" in found else label("lines: the engine", "線: エンジン")
    figure.legend(title=title, loc="outside right center")
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
