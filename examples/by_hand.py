"""The program that a person would have written: a network's training step as plain NumPy, taken over into a file.

The file trains the network without the library. Then the step is compiled: it runs as such a program by itself.

    python examples/by_hand.py --lang en

ネットワークの順伝播と逆伝播を、手で書いたような素の NumPy のプログラムにします。
それをファイルに保存し、ライブラリなしで動かして学習させ、エンジンの学習と比べます。
最後に、学習の1ステップを compiled で、そのようなプログラムとして動かします。

    python examples/by_hand.py --lang ja
"""

import subprocess
import sys
from time import perf_counter

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

import tinygrad_jp.functions as F
from tinygrad_jp import compiled, models, optimizers, source


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


def train_by_engine(model, x, t, lr, steps, made=lambda step: step):
    optimizer = optimizers.SGD(lr).setup(model)

    @made
    def step(x, t):
        loss = F.mean_squared_error(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    return [step(x, t).item() for _ in range(steps)]


def train_by_compiled(model, x, t, lr, steps):
    """The same step, recorded and run as a program / 同じステップを記録し、プログラムとして動かします。"""
    return train_by_engine(model, x, t, lr, steps, made=compiled)


def draw(found):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    left.semilogy(found["file"], "-", linewidth=4, label=label("the file", "ファイル"))
    left.semilogy(found["engine"], "--", linewidth=2, label=label("the engine", "エンジン"))
    left.semilogy(found["compiled"], ":", linewidth=2, color="black", label="compiled")
    left.set(title=label("The loss", "損失"), xlabel=label("step", "ステップ"), ylabel=label("loss", "損失"))
    x, t, y = found["fit"]
    right.plot(x, t, ".", x, y, "-")
    right.set(title=label("The data, and what was learnt", "データと、学習した曲線"), xlabel="x", ylabel="t")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend(fontsize=9)
    return figure


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--steps", type=lessons.count, default=2000, help="steps of SGD / 学習の回数 (%(default)s)")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-1, 1, (100, 1)), axis=0)
    t = np.sin(np.pi * x) + 0.1 * rng.normal(size=x.shape)

    model, twin = (models.MLP((10, 1), activation=F.tanh, dtype=np.float64, rng=0) for _ in range(2))
    twin(x)
    program = source(F.mean_squared_error(model(x), t), names={"x": x, "t": t}, lang=args.lang)
    path = program.save(args.out / "by_hand_step.py")
    alone = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, check=True).stdout

    weights, found = [p.data.copy() for p in model.params()], {"program": program}
    learners = {
        "file": (train_by_file, imported(path), weights),
        "engine": (train_by_engine, model),
        "compiled": (train_by_compiled, twin),
    }
    seconds = {}
    for key, (train, *learner) in learners.items():
        start = perf_counter()
        found[key] = train(*learner, x, t, lr=0.1, steps=args.steps)
        seconds[key] = perf_counter() - start
    trained = zip(weights, model.params(), twin.params(), strict=True)
    found["apart"] = max(np.max(np.abs(w - p.data)) for w, *others in trained for p in others)
    found["fit"] = x, t, model(x).data

    print(say("A network learns a noisy sine. Its step, by hand:", "学習の1ステップを手で書くと:"))
    print("", program, "", sep="\n")
    print(
        say("The file runs without the library. The loss of example data: ", "ファイルだけで動きます。例の損失: ")
        + alone
    )
    print(
        say(
            "step   by the file         by the engine       compiled",
            "step   ファイル            エンジン            compiled",
        )
    )
    for i in sorted({0, 1, 10, 100, args.steps - 1} & set(range(args.steps))):
        print(f"{i:4}   {'   '.join(f'{found[key][i]:.15f}' for key in learners)}")
    apart, times = f"{found['apart']:.1e}", [f"{1e6 * seconds[key] / args.steps:.0f} µs" for key in learners]
    print(say(f"In the end the weights differ by {apart} at most", f"学習後の重みの差は、最大 {apart} です"))
    print(
        say(
            "A step takes {} by the file, {} by the engine, {} compiled",
            "1 ステップ: ファイル {}、エンジン {}、compiled {}",
        ).format(*times)
    )
    print(say("program: ", "プログラム: ") + str(path))
    lessons.save(draw(found), args.out / "by_hand.png")
    return found


if __name__ == "__main__":
    from running import run

    run(main)
