"""One row at a time, in batches of ten, or the whole set; then a stream of rows; then wrong gradients beside the right.

A network 2-10-1 with ReLU learns t = 3x₀ + 2x₁. Its loss is the mean of the squared errors over the batch.

    python examples/sgd_vs_minibatch.py --lang en

1 件ずつ、10 件ずつ、全データという三通りの学習を比べます。続いて、流れてくるデータで学び続けます（オンライン学習）。
最後に、間違った勾配を正しい勾配と並べます。2-10-1 の ReLU ネットワークが t = 3x₀ + 2x₁ を学習し、損失は二乗誤差の
バッチ平均です。

    python examples/sgd_vs_minibatch.py --lang ja
"""

from itertools import count, islice

import lessons
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_jp.functions as F
from tinygrad_jp import models, optimizers, primitive, progress, pullback

TEXTS = {
    "ways": (
        "500 rows drawn with replacement, learning rate 0.07: the loss on all 1,000 rows",
        "重複を許して選んだ 500 件、学習率 0.07: 1,000 件全体での損失",
    ),
    "way": (
        "steps={:3}  rows={:6,}  loss {:.3f} -> {:.6f}  {}",
        "ステップ={:3}  件数={:6,}  損失 {:.3f} -> {:.6f}  {}",
    ),
    "one": ("one at a time", "1 件ずつ"),
    "ten": ("batches of 10", "10 件ずつ"),
    "whole": ("the whole set", "全データ"),
    "ofbatch": ("loss of the batch", "バッチの損失"),
    "ofset": ("loss on all 1,000 rows", "1,000 件全体での損失"),
    "step": ("step", "ステップ"),
    "stream": (
        "A stream: each row comes once; the network answers, then learns. After row {:,} t = −2x₀ + 4x₁",
        "流れてくるデータ: 1 件ずつ、答えてから学び、二度は使いません。{:,} 件目の後は t = −2x₀ + 4x₁ です",
    ),
    "error": (
        "squared error on 200 rows before the change {:.5f}, after it {:.5f}, at the end {:.5f}  ({})",
        "二乗誤差（200 件の平均） 変化の直前 {:.5f}、直後 {:.5f}、最後 {:.5f}  （{}）",
    ),
    "online": ("goes on learning", "学び続けた場合"),
    "frozen": ("stops learning at the change", "変化の時に学習をやめた場合"),
    "errors": ("a stream: squared error, mean of 50 rows", "流れてくるデータ: 二乗誤差（50 件の平均）"),
    "change": ("the target changes", "目標の変化"),
    "row": ("row", "件目"),
    "wrong": (
        "Gradients of one batch of 10, after 20 steps. apart: largest difference from the right one; cosine: with the\n"
        "right one; numeric: largest difference from central differences; bias: how far the mean of 2,000 batches is\n"
        "from the gradient of the whole set, relative to it; loss: on all rows, trained with this gradient alone",
        "20 ステップ学習した後の、10 件のバッチの勾配です。差: 正しい勾配との差の最大値、cos: そのコサイン、\n"
        "数値: 中心差分との差の最大値、偏り: 2,000 バッチの平均と、全データの勾配との相対的な差、\n"
        "損失: その勾配だけで学習したときの、全体の損失",
    ),
    "head": (
        "   apart   cosine  numeric     bias  steps      loss",
        "      差      cos     数値     偏り   歩数      損失",
    ),
    "numbers": ("{:8.1e} {:8.4f} {:8.1e} {:8.3f} {:6} {:9.1e}  {}", "{:8.1e} {:8.4f} {:8.1e} {:8.3f} {:6} {:9.1e}  {}"),
    "right": ("right: all ten rows", "正しい勾配: 10 件すべて"),
    "alone": ("one representative row", "代表の 1 件"),
    "mixed": ("mean error × that row", "誤差の平均 × 代表の 1 件"),
    "output": ("ReLU with y(1 − y)", "ReLU に y(1 − y)"),
    "input": ("ReLU with σ(x)(1 − σ(x))", "ReLU に σ(x)(1 − σ(x))"),
    "point": ("stale tenth row", "古い 10 件目"),
    "stale": ("stale tenth row and error", "古い 10 件目と誤差"),
    "why": (
        "Is one representative row right? With its own error it gives the right gradient on average, but √10 times as\n"
        "noisy, and nine rows are wasted. The mean of the errors times one row is the gradient of no loss. The\n"
        "slope of a sigmoid is not that of ReLU. A stale row weighs too much; an error as old pushes one way for ever.",
        "代表の 1 件でよいのでしょうか。その 1 件自身の誤差を使うなら、平均としては正しい勾配です。ただし、ばらつきは\n"
        "√10 倍になり、残りの 9 件が無駄になります。誤差の平均と 1 件を掛けたものは、どの損失の勾配でもありません。\n"
        "シグモイドの微分は、ReLU の微分ではありません。古い行が残ると、その行の重みが大きくなりすぎます。\n"
        "誤差まで古いままだと、いつまでも同じ向きに押し続けます。",
    ),
    "cosines": ("cosine with the right gradient", "正しい勾配とのコサイン"),
    "training": ("training with each gradient: loss", "それぞれの勾配で学習: 損失"),
}


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


def network(params, key="right"):
    """A model that starts from these numbers / この値から始めるモデル"""
    model = models.MLP((10, 1), activation=RELUS.get(key, F.relu))
    for p, value in zip(model.params(), params, strict=True):
        p.data = value.copy()
    return model


def loss(model, x, t):
    return F.mean_squared_error(model(x), t)


def right(model, x, t, old=None):
    loss(model, x, t).backward()


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


def train(model, batches, beside, key="right"):
    """Two losses before each step: of the batch, and what `beside` finds / 各ステップの前の、2つの損失"""
    sgd, losses, old = optimizers.SGD(lr=0.07).setup(model), [], None
    for x, t in batches:
        old = old or (x[-1:], t[-1:], model(x[-1:]).data - t[-1:])
        losses.append([loss(model, x, t).item(), beside(x, t).item()])
        if losses[-1][0] > 1e6:
            break
        model.cleargrads()
        GRADIENTS[key](model, x, t, old)
        sgd.update()
    return np.array(losses), old


def stream(rng, change):
    """Rows that come once, without end / 一度だけ現れ、終わりのないデータ"""
    for n in count():
        x = rng.random((1, 2))
        yield x, x @ ([[3.0], [2.0]] if n < change else [[-2.0], [4.0]])


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
                ends.append(loss(model, x, t).item())
            found.append((ends[0] - ends[1]) / (2 * h))
    return np.array(found)


def compare(key, params, points, batches, old):
    """How far this gradient is from the right one / 正しい勾配からどれだけ離れているか"""
    model, plain, (first, *others) = network(params, key), network(params), batches
    g, exact = gradient(key, model, *first, old), gradient("right", plain, *first)
    mean, whole = sum(gradient(key, model, *b, old) for b in others) / len(others), gradient("right", plain, *points)
    cosine = g @ exact / np.linalg.norm(g) / np.linalg.norm(exact)
    bias = np.linalg.norm(mean - whole) / np.linalg.norm(whole)
    return np.max(np.abs(g - exact)), cosine, np.max(np.abs(g - differences(plain, *first))), bias


def draw(found, label):
    figure, (above, (a, b, c)) = plt.subplots(2, 3, figsize=(15, 8.5), layout="constrained")
    for axes, (key, losses) in zip(above, found["ways"].items(), strict=True):
        for column, color in ((0, "0.7"), (1, "C0"))[key == "whole" :]:
            axes.semilogy(losses[:, column], color=color, label=label(("ofbatch", "ofset")[column]))
        axes.set(title=label(key), xlabel=label("step"), ylim=(1e-4, 1e3))
    for i, (key, (_, cosine, *_)) in enumerate(found["wrong"].items()):
        a.barh(label(key), cosine, color=f"C{i}")
        b.semilogy(found["training"][key], color=f"C{i}", label=label(key))
    for key, errors in zip(("online", "frozen"), found["stream"].T, strict=True):
        c.semilogy(np.arange(49, len(errors)), np.convolve(errors, np.full(50, 0.02), "valid"), label=label(key))
    c.axvline(1000, color="0.6", linestyle="--", label=label("change"))
    a.set(title=label("cosines"), ylim=(len(GRADIENTS) - 0.5, -0.5))
    b.set(title=label("training"), xlabel=label("step"), ylim=(1e-4, 1e7))
    c.set(title=label("errors"), xlabel=label("row"), ylim=(1e-4, 1e3))
    for axes in (*above, b, c):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper right")
    return figure


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--steps", type=lessons.count, default=500, help="with each gradient / 歩数 (%(default)s)")
    args = parser.parse_args(argv)
    say, label = lessons.texts(TEXTS, args.lang)
    rng = np.random.default_rng(3)
    x = rng.random((1000, 2))
    points = x, x @ [[3.0], [2.0]]
    params = [rng.normal(size=shape) for shape in ((2, 10), (10,), (10, 1), (1,))]

    def learn(rows, key="right", desc="", start=params):
        model = network(start, key)
        batches = progress([[a[i] for a in points] for i in rows], desc=desc)
        losses, old = train(model, batches, lambda x, t: loss(model, *points), key)
        return losses, old, [p.data for p in model.params()]

    drawn, found = rng.integers(0, 1000, 500), {"ways": {}}
    ways = {"one": drawn.reshape(-1, 1), "ten": drawn.reshape(-1, 10), "whole": [np.arange(1000)] * 50}
    print(say("ways"))
    for key, rows in ways.items():
        losses = found["ways"][key] = learn(rows, desc=say(key))[0]
        print(say("way", len(rows), sum(map(len, rows)), losses[0, 1], losses[-1, 1], say(key)))

    online, rows = network(params), stream(rng, 1000)
    before, _ = train(online, progress(islice(rows, 1000), 1000, say("online")), lambda x, t: loss(online, x, t))
    frozen = network([p.data for p in online.params()])
    after, _ = train(online, progress(islice(rows, 2000), 2000, say("online")), lambda x, t: loss(frozen, x, t))
    found["stream"] = np.concatenate([before, after])
    print("", say("stream", 1000), sep="\n")
    for key, errors in zip(("online", "frozen"), found["stream"].T, strict=True):
        print(say("error", *(np.mean(errors[i : i + 200]) for i in (800, 1000, 2800)), say(key)))

    _, old, trained = learn(rng.integers(0, 1000, (20, 10)), desc=say("ten"))
    batches = [[a[i] for a in points] for i in rng.integers(0, 1000, (2001, 10))]
    tens, found["wrong"], found["training"] = rng.integers(0, 1000, (args.steps, 10)), {}, {}
    print("", say("wrong"), say("head"), sep="\n")
    for key in GRADIENTS:
        found["wrong"][key] = compare(key, trained, points, batches, old)
        losses = found["training"][key] = learn(tens, key, desc=say(key))[0][:, 1]
        print(say("numbers", *found["wrong"][key], len(losses), losses[-1], say(key)))
    print(say("why"))
    lessons.save(draw(found, label), args.out / "sgd_vs_minibatch.png", args.lang)
    return found


if __name__ == "__main__":
    main()
