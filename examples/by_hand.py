"""The program that a person would have written: a network's training step as plain NumPy, taken over into a file.

    python examples/by_hand.py --lang en

ネットワークの順伝播と逆伝播を、手で書いたような素の NumPy のプログラムにします。
それをファイルに保存し、ライブラリなしで動かして学習させ、エンジンの学習と比べます。

    python examples/by_hand.py --lang ja
"""

import subprocess
import sys
from time import perf_counter

import lessons
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_jp.functions as F
from tinygrad_jp import models, optimizers, source

TEXTS = {
    "task": ("A network learns a noisy sine. Its forward and backward pass, as one would write them by hand:",
             "ノイズのある正弦波をネットワークに学習させます。順伝播と逆伝播を手で書くと、こうなります。"),
    "alone": ("The file runs by itself, without the library. On example data it prints the loss {}",
              "ファイルはライブラリなしで動きます。例のデータに対する損失は {} です"),
    "head": ("step   by the file         by the engine", "step   ファイル            エンジン"),
    "row": ("{:4}   {:.15f}   {:.15f}", "{:4}   {:.15f}   {:.15f}"),
    "apart": ("After {} steps the weights differ by {:.1e} at most", "{} ステップ後の重みの差は、最大 {:.1e} です"),
    "time": ("One step takes {:.0f} µs by the file, {:.0f} µs by the engine",
             "1 ステップの時間は、ファイルが {:.0f} µs、エンジンが {:.0f} µs です"),
    "saved": ("program: {}", "プログラム: {}"),
    "losses": ("The loss", "損失"),
    "fit": ("The data, and what was learnt", "データと、学習した曲線"),
    "file": ("the file", "ファイル"),
    "engine": ("the engine", "エンジン"),
    "steps": ("step", "ステップ"),
}  # fmt: skip


def imported(path):
    """The function `step` of a file / ファイルの関数 step"""
    module = {"__name__": "by_hand_step"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module)
    return module["step"]


def train_by_file(step, weights, x, t, lr, steps):
    """Gradient descent with the file's gradients alone / ファイルが計算する勾配だけで勾配降下法を行います。"""
    losses = []
    for _ in range(steps):
        loss, *gradients = step(x, t, *weights)
        for w, g in zip(weights, gradients, strict=True):
            w -= lr * g
        losses.append(float(loss))
    return losses


def train_by_engine(model, x, t, lr, steps):
    optimizer, losses = optimizers.SGD(lr).setup(model), []
    for _ in range(steps):
        loss = F.mean_squared_error(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.item())
    return losses


def draw(found, label):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for key, width, line in (("file", 4, "-"), ("engine", 2, "--")):
        left.semilogy(found[key], line, linewidth=width, label=label(key))
    left.set(title=label("losses"), xlabel=label("steps"))
    x, t, y = found["fit"]
    right.plot(x, t, ".", x, y, "-")
    right.set(title=label("fit"))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend(fontsize=9)
    return figure


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--steps", type=lessons.count, default=2000, help="steps of SGD / 学習の回数 (%(default)s)")
    args = parser.parse_args(argv)
    say, label = lessons.texts(TEXTS, args.lang)
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-1, 1, (100, 1)), axis=0)
    t = np.sin(np.pi * x) + 0.1 * rng.normal(size=x.shape)

    model = models.MLP((10, 1), activation=F.tanh, dtype=np.float64, rng=0)
    program = source(F.mean_squared_error(model(x), t), names={"x": x, "t": t}, lang=args.lang)
    path = program.save(args.out / "by_hand_step.py")
    alone = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, check=True).stdout

    weights, found = [p.data.copy() for p in model.params()], {"program": program}
    learners = {"file": (train_by_file, imported(path), weights), "engine": (train_by_engine, model)}
    seconds = {}
    for key, (train, *learner) in learners.items():
        start = perf_counter()
        found[key] = train(*learner, x, t, lr=0.1, steps=args.steps)
        seconds[key] = perf_counter() - start
    found["apart"] = max(np.max(np.abs(w - p.data)) for w, p in zip(weights, model.params(), strict=True))
    found["fit"] = x, t, model(x).data

    print(say("task"), "", program, say("alone", alone.strip()), "", say("head"), sep="\n")
    for i in sorted({0, 1, 10, 100, args.steps - 1} & set(range(args.steps))):
        print(say("row", i, found["file"][i], found["engine"][i]))
    print(say("apart", args.steps, found["apart"]))
    print(say("time", *(1e6 * seconds[key] / args.steps for key in ("file", "engine"))), say("saved", path), sep="\n")
    lessons.save(draw(found, label), args.out / "by_hand.png", args.lang)
    return found


if __name__ == "__main__":
    main()
