"""See a computation: its picture, its backward pass step by step, your own gradients checked, and training as a film.

    python examples/see_it.py --lang en

First y = a·b + a, where a has two paths to y. `draw` is its picture, `trace` its backward pass as text and as a player
to step through; `check` compares gradients derived by hand, and names the share that is missing.

Then two networks on the same two moons, one of them with its units shoved below zero, so that no ReLU lets anything
through. `Film` looks on as they learn: one page, both side by side, with the backward pass of some steps in the player.

計算を目で見ます。まず y = a·b + a です。a から y へは経路が2つあります。`draw` は計算グラフを描き、`trace` は逆伝播を
1 ステップずつ、文章とプレーヤーで見せます。`check` は、手で求めた勾配を確かめ、足りない分を教えてくれます。

次に、同じ2つの月を2つのネットワークで学習します。一方は、どのユニットも 0 より下にあり、ReLU が何も通しません。
`Film` は学習の様子を記録し、2つを並べたページにします。いくつかのステップの逆伝播は、プレーヤーで見られます。

    python examples/see_it.py --lang ja
"""

import io

import matplotlib.pyplot as plt
import numpy as np
from lessons import Parser, label, save, say

import tinygrad_jp.functions as F
from tinygrad_jp import Film, Variable, datasets, draw, models, optimizers, trace


def product_and_sum():
    a, b = Variable(2.0, "a"), Variable(3.0, "b")
    y = a * b + a
    y.backward(retain_grad=True)
    return y


def learn(name, lang, bias=0.0, steps=80):
    """Train on the two moons from this bias of the first layer / 最初の層のバイアスを決めて学習する"""
    x, t = datasets.TwoMoons(rng=0)[:]
    model = models.MLP((10, 8, 2), activation=F.relu, rng=0)
    model(x)
    model.l0.b.data[:] = bias
    optimizer, film = optimizers.SGD(0.7).setup(model), Film(model, name=name, lang=lang)
    for _ in range(steps):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        film.step(loss)
        optimizer.update()
    return film


def see_the_graph(args, y):
    print(say("The picture of y = a·b + a", "y = a·b + a の計算グラフ"))
    graph = draw(y, names={"y": y}, lang=args.lang)
    print(say("graph: ", "計算グラフ: ") + str(graph.save(args.out / "see_it_graph.svg")))
    return graph


def see_the_steps(args, y):
    print("", say("Its backward pass, step by step", "逆伝播を 1 ステップずつ"), sep="\n")
    steps = trace(y, names={"y": y}, lang=args.lang)
    print(steps.explain())
    print(say("player: ", "プレーヤー: ") + str(steps.save(args.out / "see_it_player.html")))
    return steps


def check_by_hand(steps):
    print("", say("Gradients by hand: is ∂y/∂a = b = 3?", "手で求めた勾配: ∂y/∂a = b = 3 でしょうか"), sep="\n")
    wrong = steps.check(a=3.0)
    print(wrong, "", say("And b + 1 = 4?", "b + 1 = 4 なら、どうでしょう"), steps.check(a=4.0, b=2.0), sep="\n")
    return wrong


def see_it_learn(args):
    print("", say("Two networks learn the same", "同じことを2つのネットワークで学習します"), sep="\n")
    films = {
        "learns": learn(say("it learns", "学習する"), args.lang),
        "stuck": learn(say("every unit below zero", "ユニットがすべて 0 未満"), args.lang, bias=-10.0),
    }
    for film in films.values():
        first, last = film.losses[0], film.losses[-1]
        print(say(f"loss {first:.4f} -> {last:.4f}", f"損失 {first:.4f} -> {last:.4f}") + f"  {film.name}")
    path = args.out / "see_it_film.html"
    films["learns"].save(path, beside=films["stuck"])
    print(say("film: ", "フィルム: ") + str(path))
    return films


def main(argv=None):
    args = Parser(__doc__).parse_args(argv)
    y = product_and_sum()
    graph = see_the_graph(args, y)
    steps = see_the_steps(args, y)
    found = {"y": y, "steps": steps, "wrong": check_by_hand(steps), "films": see_it_learn(args)}
    save(picture(graph, found["films"]), args.out / "see_it.png")
    return found


def picture(graph, films):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    left.imshow(plt.imread(io.BytesIO(graph.png())))
    left.set_axis_off()
    left.set_title("y = a·b + a")
    names = {
        "learns": label("it learns", "学習する"),
        "stuck": label("every unit below zero", "ユニットがすべて 0 未満"),
    }
    for key, film in films.items():
        right.plot(np.arange(len(film.losses)), film.losses, label=names[key])
    right.set(title=label("The loss of each step", "各ステップの損失"), ylim=(0, None))
    right.set(xlabel=label("step", "ステップ"), ylabel=label("loss", "損失"))
    right.grid(alpha=0.3)
    right.legend()
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
