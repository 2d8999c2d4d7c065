"""Layers whose backward pass is written by hand, beside the engine's, on the same numbers.

    python examples/backprop_by_hand.py --lang en

The numbers agree to the last digits: an ulp is the gap between neighbouring float64. The engine sums db as a product
with ones, in another order. F.sigmoid uses e^-|x|, which cannot overflow, and multiplies in another order, too.
`lesson_sigmoid` is the formula by hand, entered into the engine: there the numbers are the same. Last, XOR is learned
twice, by SGD on dictionaries and by optimizers.SGD.

順伝播も逆伝播も手で書いた Dense 層と Sigmoid 層を、エンジンの逆伝播と並べます。同じ数を入れると、最後の桁までほぼ同じ
勾配が得られます（ulp は隣り合う float64 の間隔です）。エンジンは db を 1 との積で求めるので、足す順序が違います。
F.sigmoid は、オーバーフローしない e^-|x| を使い、掛ける順序も違います。`lesson_sigmoid` は、手で書いた式をそのままエン
ジンに登録したもので、まったく同じ数になります。最後に、辞書による SGD と optimizers.SGD で XOR を学習します。

    python examples/backprop_by_hand.py --lang ja
"""

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say

import tinygrad_jp.functions as F
from tinygrad_jp import Variable, models, optimizers, plot_dot_graph, primitive, pullback


class Dense:
    """out = x·W + b; dx = dout·Wᵀ, dW = xᵀ·dout, db = Σ dout"""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW, self.db = np.dot(self.x.T, dout), np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class Sigmoid:
    """out = 1 / (1 + e⁻ˣ); dx = dout·(1 − out)·out"""

    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out) * self.out


@primitive
def lesson_sigmoid(x):
    """The same for the engine: only the two formulas are needed / 同じ層をエンジンで書くと、式2つで済みます。"""
    return 1 / (1 + np.exp(-x))


@pullback(lesson_sigmoid)
def d_lesson_sigmoid(gy, y, x):
    return gy * (1 - y) * y


def alone(x, W, b, dout):
    """What each layer gives, by hand and by the engine / 各層の出力と勾配（手書き、エンジン）"""
    dense, weights, rows = Dense(W, b), [Variable(W), Variable(b)], []
    pairs = (dense, lambda v: F.linear(v, *weights)), (Sigmoid(), F.sigmoid), (Sigmoid(), lesson_sigmoid)
    for name, (layer, function) in zip(("Dense", "F.sigmoid", "lesson"), pairs, strict=True):
        v = Variable(x)
        y = function(v)
        y.grad = dout
        y.backward()
        rows += [(f"{name} out", layer.forward(x), y.data), (f"{name} dx", layer.backward(dout), v.grad.data)]
    return [*rows, *zip(("Dense dW", "Dense db"), (dense.dW, dense.db), (w.grad.data for w in weights), strict=True)]


def step_by_hand(params, x, t, lr):
    """The loss and the gradients of one step on dictionaries / 辞書で一歩進み、損失と勾配を返します。"""
    layers = Dense(params["W1"], params["b1"]), Sigmoid(), Dense(params["W2"], params["b2"])
    for layer in layers:
        x = layer.forward(x)
    dout = 2 * (x - t) / t.size
    for layer in layers[::-1]:
        dout = layer.backward(dout)
    grads = {"W1": layers[0].dW, "b1": layers[0].db, "W2": layers[2].dW, "b2": layers[2].db}
    for key in params:
        params[key] -= lr * grads[key]
    return float(np.mean((x - t) ** 2)), grads


def step_by_engine(model, x, t, optimizer):
    loss = F.mean_squared_error(model(x), t)
    model.cleargrads()
    loss.backward()
    optimizer.update()
    return loss.item(), [p.grad.data for p in model.params()]


def network(params, activation):
    """A model that starts from the same numbers / 同じ値から始めるモデル"""
    model = models.MLP((3, 1), activation=activation)
    for p, value in zip(model.params(), params.values(), strict=True):
        p.data = value.copy()
    return model


def compare(rows):
    hand, engine, equal = say("by hand", "手書き"), say("engine", "エンジン"), say("equal", "一致")
    print(f"{'':13}{hand:>24} {engine:>24}  {equal:>5}   ulp")
    for name, a, b in rows:
        ulps = np.max(np.abs(a - b) / np.spacing(np.maximum(np.abs(a), np.abs(b))))
        same = f"{np.sum(a == b)}/{a.size}"
        print(f"{name:13}{a.flat[0]:24.16e} {b.flat[0]:24.16e}  {same:>5}  {ulps:4.0f}")


def main(argv=None):
    parser = lessons.Parser(__doc__)
    parser.add_argument("--steps", type=lessons.count, default=300, help="steps of SGD / 学習の回数 (%(default)s)")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(3)
    x, t = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    shapes = {"W1": (2, 3), "b1": (3,), "W2": (3, 1), "b2": (1,)}
    params = {key: rng.normal(size=shape) for key, shape in shapes.items()}
    nets = [network(params, lesson_sigmoid), network(params, F.sigmoid)]
    loss = F.mean_squared_error(nets[0](Variable(x, name="x")), t)
    loss.backward()
    graph = plot_dot_graph(loss, to_file=args.out / "backprop_by_hand_graph.svg")

    found = {"alone": alone(*(rng.normal(size=shape) for shape in ((4, 3), (3, 3), (3,), (4, 3))))}
    hand = [step_by_hand(params, x, t, lr=0.5) for _ in range(args.steps)]
    sgds = [optimizers.SGD(lr=0.5).setup(net) for net in nets]
    engine, _ = ([step_by_engine(net, x, t, sgd) for _ in hand] for net, sgd in zip(nets, sgds, strict=True))
    found["network"] = list(zip(params, hand[0][1].values(), engine[0][1], strict=True))
    found |= {"hand": [loss for loss, _ in hand], "engine": [loss for loss, _ in engine]}
    ends = [zip(params.values(), net.params(), strict=True) for net in nets]
    found["apart"] = [max(np.max(np.abs(value - p.data)) for value, p in end) for end in ends]
    found["answers"] = nets[0](x).data.ravel()

    print(say("Each layer alone, on the same x and dout", "層をひとつずつ、同じ x と dout で比べます"))
    compare(found["alone"] + [(f"XOR d{key}", a, b) for key, a, b in found["network"]])
    print(
        "",
        say("The loss of XOR: SGD on dictionaries, and optimizers.SGD", "XOR の損失: 辞書と optimizers.SGD"),
        sep="\n",
    )
    for i in sorted({0, 1, 2, 10, 100, args.steps - 1} & set(range(args.steps))):
        a, b = f"{found['hand'][i]:.16e}", f"{found['engine'][i]:.16e}"
        print(f"{i:5} " + say(f"by hand={a}  engine={b}", f"手書き={a}  エンジン={b}"))
    a, b = (f"{apart:.1e}" for apart in found["apart"])
    print(say(f"parameters differ by {a}; by {b} with F.sigmoid", f"パラメータの差は {a}、F.sigmoid では {b} です"))
    print(say("answers to 00, 01, 10, 11: ", "00、01、10、11 への答え: ") + str(found["answers"].round(3)))
    print(say("graph: ", "計算グラフ: ") + str(graph))
    lessons.save(draw(found), args.out / "backprop_by_hand.png")
    return found


def draw(found):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained", width_ratios=(3, 2))
    names = [f"{key}[{','.join(map(str, i))}]" for key, a, _ in found["network"] for i in np.ndindex(a.shape)]
    sides = (("hand", 1, -0.2, "-", label("by hand", "手書き")), ("engine", 2, 0.2, "--", label("engine", "エンジン")))
    for key, column, shift, line, name in sides:
        heights = np.concatenate([row[column].ravel() for row in found["network"]])
        left.bar(np.arange(len(names)) + shift, heights, 0.4, label=name)
        right.semilogy(found[key], line, linewidth=4 - column, label=name)
    left.set_xticks(range(len(names)), names, rotation=60)
    left.set(title=label("XOR: the gradients of the first step", "XOR: 最初のステップの勾配"))
    left.set(xlabel=label("element of a parameter", "パラメータの要素"), ylabel=label("gradient", "勾配"))
    right.set(title="XOR", xlabel=label("step", "ステップ"), ylabel=label("loss", "損失"))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
