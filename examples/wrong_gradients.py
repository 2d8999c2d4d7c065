"""Wrong gradients beside the right one: how far off they are, and what training with them does.

    python examples/wrong_gradients.py --lang en

A network 2-10-1 with ReLU learns t = 3x₀ + 2x₁ from batches of ten. Common mistakes stand in for its gradient:

- one representative row of the batch: right on average, but √10 times as noisy, and nine rows are wasted;
- the mean of all errors, times that one row: the gradient of no loss;
- the slope of a sigmoid in the place of ReLU's, taken at the output or at the input;
- a loop that ends one row early, so that the tenth row is that of the first batch: it weighs too much; and where its
  error is as old, it pushes one way for ever.

間違った勾配を正しい勾配と並べ、どれだけ離れているか、それで学習するとどうなるかを調べます。2-10-1 の ReLU ネットワーク
が 10 件のバッチで t = 3x₀ + 2x₁ を学習します。勾配の代わりに使うのは、よくある次の間違いです。

- 代表の 1 件の勾配: 平均としては正しい勾配ですが、ばらつきは √10 倍になり、残りの 9 件が無駄になります。
- 誤差の平均と、その 1 件との積: どの損失の勾配でもありません。
- ReLU の微分の代わりに、シグモイドの微分（出力で、または入力で求めたもの）。
- 1 件早く終わるループ: 10 件目が最初のバッチのまま残り、その行の重みが大きくなりすぎます。誤差まで古いままだと、
  いつまでも同じ向きに押し続けます。

    python examples/wrong_gradients.py --lang ja
"""

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

import tinygrad_jp.functions as F
from tinygrad_jp import models, optimizers, primitive, progress, pullback


def relu_with(slope):
    """ReLU with `slope(x, y)` as its derivative / 微分が slope(x, y) の ReLU"""

    @primitive
    def relu(x):
        return np.maximum(x, 0)

    pullback(relu)(lambda gy, y, x: gy * slope(x, y))
    return relu


RELUS = {
    "output": relu_with(lambda x, y: y * (1 - y)),
    "input": relu_with(lambda x, y: 1 / (2 + np.exp(x) + np.exp(-x))),
}


def right(model, x, t, old=None):
    F.mean_squared_error(model(x), t).backward()


def mixed(model, x, t, old):
    y = model(x[:1])
    y.grad = 2 * np.mean(model(x).data - t, axis=0, keepdims=True)
    y.backward()


def early(rows, old):
    """What a loop that ends one row early leaves / 1 件早く終わるループが残すもの"""
    return np.vstack([rows[:-1], old])


def stale(model, x, t, old):
    y = model(early(x, old[0]))
    y.grad = 2 * early(y.data - t, old[2]) / len(x)
    y.backward()


GRADIENTS = {
    "right": right,
    "alone": lambda model, x, t, old: right(model, x[:1], t[:1]),
    "mixed": mixed,
    **dict.fromkeys(RELUS, right),
    "point": lambda model, x, t, old: right(model, early(x, old[0]), early(t, old[1])),
    "stale": stale,
}


def names(choose):
    """In the language that `say` or `label` chooses / 言語に応じた名前"""
    return {
        "right": choose("right: all ten rows", "正しい勾配: 10 件すべて"),
        "alone": choose("one representative row", "代表の 1 件"),
        "mixed": choose("mean error × that row", "誤差の平均 × 代表の 1 件"),
        "output": choose("ReLU with y(1 − y)", "ReLU に y(1 − y)"),
        "input": choose("ReLU with σ(x)(1 − σ(x))", "ReLU に σ(x)(1 − σ(x))"),
        "point": choose("stale tenth row", "古い 10 件目"),
        "stale": choose("stale tenth row and error", "古い 10 件目と誤差"),
    }


def network(params, key="right"):
    """A model that starts from these numbers / この値から始めるモデル"""
    model = models.MLP((10, 1), activation=RELUS.get(key, F.relu))
    for p, value in zip(model.params(), params, strict=True):
        p.data = value.copy()
    return model


def first(model, x, t):
    """What is left of the first batch: its last row, target and error / 最初のバッチの最後の 1 件"""
    return x[-1:], t[-1:], model(x[-1:]).data - t[-1:]


def train(key, params, batches, points):
    """The loss on all rows before each step, and the numbers at the end / 各ステップの前の全体の損失と、最後の値"""
    model = network(params, key)
    sgd, losses, old = optimizers.SGD(lr=0.07).setup(model), [], None
    for x, t in batches:
        old = old or first(model, x, t)
        losses.append(F.mean_squared_error(model(points[0]), points[1]).item())
        if losses[-1] > 1e6:
            break
        model.cleargrads()
        GRADIENTS[key](model, x, t, old)
        sgd.update()
    return np.array(losses), [p.data for p in model.params()], old


def gradient(key, model, *batch):
    model.cleargrads()
    GRADIENTS[key](model, *batch)
    return np.concatenate([p.grad.data.ravel() for p in model.params()])


def differences(model, x, t, h=1e-6):
    """The gradient by central differences / 中心差分による勾配"""
    found = []
    for p in model.params():
        for i, value in np.ndenumerate(p.data.copy()):
            ends = []
            for p.data[i] in (value + h, value - h, value):
                ends.append(F.mean_squared_error(model(x), t).item())
            found.append((ends[0] - ends[1]) / (2 * h))
    return np.array(found)


def compare(key, params, points, batches, old):
    """How far this gradient is from the right one / 正しい勾配からどれだけ離れているか"""
    model, plain, (one, *others) = network(params, key), network(params), batches
    g, exact = gradient(key, model, *one, old), gradient("right", plain, *one)
    mean, whole = sum(gradient(key, model, *b, old) for b in others) / len(others), gradient("right", plain, *points)
    cosine = g @ exact / np.linalg.norm(g) / np.linalg.norm(exact)
    bias = np.linalg.norm(mean - whole) / np.linalg.norm(whole)
    return np.max(np.abs(g - exact)), cosine, np.max(np.abs(g - differences(plain, *one))), bias


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--steps", type=lessons.count, default=500, help="with each gradient / 歩数 (%(default)s)")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(3)
    x = rng.random((1000, 2))
    points = x, x @ [[3.0], [2.0]]
    params = [rng.normal(size=shape) for shape in ((2, 10), (10,), (10, 1), (1,))]
    batches = lambda n: [[a[i] for a in points] for i in rng.integers(0, 1000, (n, 10))]  # noqa: E731
    _, trained, old = train("right", params, batches(20), points)
    many, rows = batches(2001), batches(args.steps)

    print(say(
        "Gradients of one batch of 10, after 20 steps. apart: largest difference from the right one; cosine: with it;\n"
        "numeric: largest difference from central differences; bias: how far the mean of 2,000 batches is from the\n"
        "gradient of the whole set, relative to it; loss: on all rows, trained with this gradient alone",
        "20 ステップ学習した後の、10 件のバッチの勾配です。差: 正しい勾配との差の最大値、cos: そのコサイン、\n"
        "数値: 中心差分との差の最大値、偏り: 2,000 バッチの平均と、全データの勾配との相対的な差、\n"
        "損失: その勾配だけで学習したときの、全体の損失",
    ))  # fmt: skip
    print(
        say(
            "   apart   cosine  numeric     bias  steps      loss",
            "      差      cos     数値     偏り   歩数      損失",
        )
    )
    found = {"wrong": {}, "training": {}}
    for key, name in names(say).items():
        off, cosine, numeric, bias = found["wrong"][key] = compare(key, trained, points, many, old)
        losses, *_ = train(key, params, progress(rows, desc=name), points)
        found["training"][key] = losses
        print(f"{off:8.1e} {cosine:8.4f} {numeric:8.1e} {bias:8.3f} {len(losses):6} {losses[-1]:9.1e}  {name}")
    lessons.save(draw(found), args.out / "wrong_gradients.png")
    return found


def draw(found):
    figure, (a, b) = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    for i, (key, name) in enumerate(names(label).items()):
        a.barh(name, found["wrong"][key][1], color=f"C{i}")
        b.semilogy(found["training"][key], color=f"C{i}", label=name)
    a.set(title=label("Cosine with the right gradient", "正しい勾配とのコサイン"), ylim=(len(GRADIENTS) - 0.5, -0.5))
    a.set(xlabel=label("cosine", "コサイン"), ylabel=label("gradient", "勾配"))
    b.set(title=label("Training with each gradient", "それぞれの勾配での学習"), ylim=(1e-4, 1e7))
    b.set(xlabel=label("step", "ステップ"), ylabel=label("loss", "損失"))
    for axes in (a, b):
        axes.grid(alpha=0.3)
    b.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
