"""Part 6: a network that learns, and three that do not: each shows it in its gradients."""

import figures

TITLE = ("A network that learns, and one that does not", "学習するネットワークと、しないネットワーク")
MINUTES = 20
AIM = ("tell three ways of not learning apart by their gradients", "学習しない 3 通りの原因を、勾配から見分けられる")
TOLERANCE = 0.02  # What is left of rounding after eighty steps, on any machine.
CODE = {
    "learn": """
from tinygrad_jp import Film, datasets, functions as F, models, optimizers

x, t = datasets.TwoMoons(rng=0)[:]

def learn(model, name):
    optimizer, film = optimizers.SGD(0.6).setup(model), Film(model, name=name, lang="en")
    for step in range(80):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        film.step(loss)
        optimizer.update()
    return film

good = models.MLP((8, 8, 2), activation=F.relu, rng=5)
film = learn(good, "cleargrads")
print(f"{film.losses[0]:.3f} → {film.losses[-1]:.3f}")
""",
    "loop": """
model = models.MLP((8, 8, 2), activation=F.relu, rng=5)
optimizer = optimizers.SGD(0.6).setup(model)
for step in range(80):
    loss = F.softmax_cross_entropy(model(x), t)
    model.cleargrads()
    loss.backward()
    optimizer.update()
print(loss)
""",
    "vanish": """
deep = models.MLP((8, 8, 8, 8, 8, 2), activation=F.sigmoid, rng=5)
F.softmax_cross_entropy(deep(x), t).backward()
weights = [p for path, p in deep.named_params().items() if path.endswith("W")]
flow = [float((W.grad.data**2).mean() ** 0.5) for W in weights]
print([f"{rms:.2g}" for rms in flow])
""",
    "slow": """
slow = learn(deep, "sigmoid")
print(f"{slow.losses[0]:.3f} → {slow.losses[-1]:.3f}")
""",
    "dead": """
dead = models.MLP((8, 8, 2), activation=F.relu, rng=5)
dead(x)
dead.l0.b.data[:] = -10
stuck = learn(dead, "dead")
hidden = F.relu(dead.l0(x)).data
print((hidden == 0).all(axis=0).sum(), abs(dead.l0.W.grad.data).max(), stuck.losses[-1])
""",
    "forget": """
class Forgetful(models.MLP):
    def cleargrads(self):
        pass

forgetful = Forgetful((8, 8, 2), activation=F.relu, rng=5)
lost = learn(forgetful, "no cleargrads")
print(f"{lost.losses[0]:.3f} → {max(lost.losses):.3f} → {lost.losses[-1]:.3f}")
""",
}
RIGHT = "100 * (({}(x).data.argmax(axis=1) == t).mean().item())"
FACTS = {  # A training run is not worked out by hand: what is known of it beforehand is a bound, or an older run.
    "steps": ["len(film.losses)", 80],
    "points": ["len(x)", 200],
    "first": ["film.losses[0]", 0.714],
    "last": ["film.losses[-1]", 0.137],
    "right": [RIGHT.format("good"), lambda v: v > 90],
    "slope": ["float(grad(F.sigmoid)(0.0))", 0.25],
    "sigmoids": 5,
    "shrunk": ["slope**sigmoids", 0.25**5],
    "rms": ["np.array(flow)", lambda v: (v[1:] > v[:-1]).all()],
    "times": ["round(rms[-1] / rms[0], -2)", lambda v: v > 300],
    "slow1": ["slow.losses[-1]", lambda v: 0.68 < v < 0.72],
    "ln2": ["float(np.log(2))", 0.6931],
    "bias": -10,
    "units": ["int((hidden == 0).all(axis=0).sum())", 8],
    "hidden": ["hidden.shape[1]", 8],
    "gdead": ["float(abs(dead.l0.W.grad.data).max())", 0.0],
    "stuck": ["stuck.losses[-1]", 0.6931],
    "peak": ["max(lost.losses)", lambda v: v > 2],
    "lost": ["lost.losses[-1]", lambda v: v > 0.5],
    "lostright": [RIGHT.format("forgetful"), lambda v: v < 90],
    "wg": 4.0,
    "wk": 3,
    "ws": ["wg * wk", 12.0],
    "wl": 3,
    "wd": ["slope**wl", 0.015625],
    "wx": -0.5,
    "wr": ["float(grad(F.relu)(wx))", 0.0],
    "wleak": ["float(grad(F.leaky_relu)(wx))", lambda v: 0 < v < 1],
}


def losses(name):
    def drawn(results):
        say, names = results.say, results.names
        lines = [(say(("it learns", "学習する")), "", [*enumerate(names["film"].losses)])]
        lines += [(say(TITLES[name]), "g", [*enumerate(names[name].losses)])] if name != "film" else []
        words = [
            say(texts)
            for texts in (("step", "ステップ"), ("loss", "損失"), ("The loss of each step", "各ステップの損失"))
        ]
        return figures.curves(lines, x_name=words[0], y_name=words[1], alt=words[2], low=0)

    return drawn


TITLES = {
    "slow": ("vanishing", "勾配消失"),
    "stuck": ("dead ReLU", "死んだ ReLU"),
    "lost": ("forgotten", "消し忘れ"),
}


def flow(results):
    rows = [(f"l{i}.W", rms, f"{float(f'{rms:.2g}'):.6f}".rstrip("0")) for i, rms in enumerate(results.facts["rms"])]
    return figures.bars(rows, alt=results.say(("The gradient of each layer", "層ごとの勾配")))


PICTURES = {"flow": flow} | {name: losses(name) for name in ("film", "slow", "stuck", "lost")}
PAGES = {
    "film": lambda results, path: results.names["film"].save(path),
    "films": lambda results, path: results.names["film"].save(path, beside=results.names["lost"]),
}
CURES = [
    "table",
    (("what you see", "見えること"), ("what it is", "原因"), ("what helps", "対策")),
    (
        ("gradients shrink from layer to layer", "勾配が層ごとに小さくなる"),
        ("vanishing gradients", "勾配消失"),
        ("ReLU, normalization, residual connections", "ReLU、正規化、残差接続"),
    ),
    (
        ("gradients are exactly 0", "勾配がちょうど 0"),
        ("dead ReLU", "死んだ ReLU"),
        ("a smaller learning rate, He's initial values, leaky ReLU", "学習率を下げる、He の初期値、Leaky ReLU"),
    ),
    (
        ("gradients grow from step to step", "勾配がステップごとに大きくなる"),
        ("a forgotten `cleargrads`", "`cleargrads` の消し忘れ"),
        ("`cleargrads()` before each `backward()`", "`backward()` の前に `cleargrads()`"),
    ),
]
SCREEN = [
    (("The loop of learning", "学習のループ"), [("code", "loop")]),
    (
        ("It learns", "学習します"),
        [
            ("picture", "film"),
            (
                "text",
                "{steps} steps: the loss falls from {first} to {last}. {right} % of {points} points are right.",
                "{steps} ステップで、損失は {first} から {last} に下がります。{points} 点の {right} % が正解です。",
            ),
        ],
    ),
    (("Watch it", "見てみましょう"), [("page", "film")]),
    (
        ("1. Vanishing gradients", "1. 勾配消失"),
        [
            ("picture", "flow"),
            (
                "text",
                "A sigmoid's slope is {slope} at most. Through {sigmoids} of them: {slope} × … × {slope} ≤ {shrunk}.",
                "シグモイドの傾きは、最大でも {slope} です。{sigmoids} 回通ると、{slope} × … × {slope} ≤ {shrunk} になります。",
            ),
            (
                "text",
                "The first layer's gradient is some {times} times as small as the last one's.",
                "最初の層の勾配は、最後の層のおよそ {times} 分の 1 です。",
            ),
        ],
    ),
    (
        ("2. Dead ReLU", "2. 死んだ ReLU"),
        [
            ("picture", "stuck"),
            (
                "text",
                "One bad step, and each bias is {bias}: {units} of {hidden} units are 0 for every point. Gradient: {gdead}. The loss stays at {stuck}, for ever.",
                "悪い一歩でバイアスが {bias} になると、{hidden} 個中 {units} 個のユニットが、どの点でも 0 を出します。勾配は {gdead} です。損失は {stuck} のまま動きません。",
            ),
        ],
    ),
    (
        ("3. A forgotten cleargrads", "3. cleargrads の消し忘れ"),
        [
            ("picture", "lost"),
            (
                "text",
                "Each step adds all gradients before it. The loss climbs to {peak} and ends at {lost}; {lostright} % are right.",
                "毎回、それまでの勾配がすべて足されます。損失は {peak} まで上がり、最後は {lost} です。正解は {lostright} % です。",
            ),
        ],
    ),
    (("The two side by side", "2つを並べて"), [("page", "films")]),
    (("Look at the gradients first", "まず勾配を見ます"), [CURES]),
]
LEARNER = [
    (
        "text",
        "A network tells {points} points of two moons apart. Each step of learning is what you know by now: forward, a loss, "
        "gradients to zero, backward, a step against the gradient. A film looks on.",
        "2つの月の形に並んだ {points} 個の点を、ネットワークで見分けます。学習の 1 ステップは、これまでに学んだことだけでできています。"
        "順伝播で損失を求め、勾配を消し、逆伝播し、勾配と逆の向きに進みます。その様子をフィルムに収めます。",
    ),
    ("code", "learn"),
    (
        "text",
        "After {steps} steps the loss has gone from {first} to {last}, and {right} % of the points are right.",
        "{steps} ステップで、損失は {first} から {last} になり、{right} % の点が正解になります。",
    ),
    ("page", "film"),
    (
        "text",
        "**Vanishing gradients.** The same task with {sigmoids} layers of sigmoids:",
        "**勾配消失。** 同じ問題を、シグモイドの層{sigmoids}つで試します。",
    ),
    ("code", "vanish"),
    ("picture", "flow"),
    (
        "text",
        "A sigmoid's slope is {slope} at most, and slopes multiply along the path: the first layer's gradient is some {times} times as "
        "small as the last one's. After {steps} steps the loss is {slow1}; whoever guesses has ln 2 = {ln2}.",
        "シグモイドの傾きは最大でも {slope} で、経路に沿って掛け合わされます。そのため、最初の層の勾配は、最後の層のおよそ {times} 分の 1 "
        "です。{steps} ステップ後の損失は {slow1} です。当てずっぽうで答えたときの損失は ln 2 = {ln2} です。",
    ),
    ("code", "slow"),
    ("picture", "slow"),
    (
        "text",
        "**Dead ReLU.** As if one step had been far too large, each bias of the first layer is {bias}:",
        "**死んだ ReLU。** 一歩が大きすぎた後のように、最初の層のバイアスをすべて {bias} にします。",
    ),
    ("code", "dead"),
    ("picture", "stuck"),
    (
        "text",
        "{units} of {hidden} units answer 0 to every point, where a ReLU is flat. The gradient is exactly {gdead}, so nothing will ever move them.",
        "{hidden} 個中 {units} 個のユニットが、どの点にも 0 を返します。ReLU はそこでは平らなので、勾配はちょうど {gdead} です。"
        "これでは、いつまでたっても動きません。",
    ),
    (
        "text",
        "**A forgotten cleargrads.** This model does not clear its gradients, as if the line were missing:",
        "**cleargrads の消し忘れ。** このモデルは勾配を消しません。その行を書き忘れたのと同じです。",
    ),
    ("code", "forget"),
    ("picture", "lost"),
    (
        "text",
        "The loss climbs to {peak} and ends at {lost}. Beware: some networks learn in spite of it, because a sum of old gradients is a "
        "momentum without friction. That is why this mistake may hide for long.",
        "損失は {peak} まで上がり、最後は {lost} です。ただし、消し忘れても学習してしまうネットワークもあります。過去の勾配の和は、"
        "摩擦のないモーメンタムと同じだからです。この間違いに気づきにくいのは、そのためです。",
    ),
    ("page", "films"),
    CURES,
]
GIVEN = []
SOLVED = [CURES]
QUESTIONS = [
    (
        (
            "Put in order: `optimizer.update()`, `model.cleargrads()`, `loss.backward()`, the forward pass.",
            "順番に並べてください: `optimizer.update()`、`model.cleargrads()`、`loss.backward()`、順伝播。",
        ),
        (
            "The forward pass, `cleargrads()`, `backward()`, `update()`.",
            "順伝播、`cleargrads()`、`backward()`、`update()` の順です。",
        ),
    ),
    (
        (
            "Each step's own gradient is {wg}. What is in `.grad` at step {wk}, if `cleargrads` was forgotten?",
            "毎ステップの勾配が {wg} だとします。`cleargrads` を忘れると、{wk} ステップ目の `.grad` はいくつですか。",
        ),
        ("{wk} × {wg} = {ws}", "{wk} × {wg} = {ws}"),
    ),
    (
        (
            "A sigmoid's slope is {slope} at most. By how much at most does a gradient shrink to, through {wl} of them?",
            "シグモイドの傾きは最大 {slope} です。{wl} 回通ると、勾配は最大でも何倍になりますか。",
        ),
        ("{slope} × {slope} × {slope} = {wd}", "{slope} × {slope} × {slope} = {wd} 倍です。"),
    ),
    (
        (
            "A unit has {wx} before its ReLU, for every example. What is its gradient? And with a leaky ReLU?",
            "どのデータでも、ReLU の前の値が {wx} のユニットがあります。勾配はいくつですか。Leaky ReLU ならどうですか。",
        ),
        (
            "{wr}: it is dead. With a leaky ReLU it is {wleak} times what comes in: it can recover.",
            "{wr} です（死んでいます）。Leaky ReLU なら、入ってくる勾配の {wleak} 倍なので、立ち直れます。",
        ),
    ),
    (
        (
            "A loss stays at {ln2} from the first step on. What do you look at first?",
            "損失が最初から {ln2} のまま動きません。まず何を見ますか。",
        ),
        (
            "The gradients of each layer: exactly 0, or shrinking from layer to layer?",
            "層ごとの勾配です。ちょうど 0 でしょうか。それとも、層ごとに小さくなっているでしょうか。",
        ),
    ),
]
NOTES = (
    (
        "Before the film: which of the layers will change most? After it: what would you look at if the loss stood still?",
        "フィルムの前に: いちばん変わるのはどの層でしょう。フィルムの後に: 損失が動かないとき、何を見ますか。",
    ),
    (
        "They change the learning rate first. Have them look at the gradients first: the three failures look alike in the loss, "
        "{slow1} and {stuck}, and not in the gradients.",
        "すぐに学習率を変えようとします。まず勾配を見させてください。損失では {slow1} と {stuck} のようによく似た失敗も、"
        "勾配を見れば区別できます。",
    ),
)
