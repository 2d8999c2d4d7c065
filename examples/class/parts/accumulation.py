"""Part 4: where several paths lead to a Variable, its gradients add up."""

import figures

TITLE = ("Gradients add up", "勾配は足し合わされる")
MINUTES = 15
AIM = ("add up gradients where paths meet", "経路が合流するところで、勾配を足し合わせられる")
CODE = {
    "twice": """
from tinygrad_jp import Variable, trace

a, b = Variable(2.0, "a"), Variable(3.0, "b")
y = a * b + a
y.backward(retain_grad=True)
print(y, a.grad, b.grad)
""",
    "check": """
steps = trace(y, names={"y": y}, lang="en")
print(steps.check(a=3.0))
""",
    "again": """
p = Variable(2.0)
for step in range(3):
    (p * 3 + p).backward()
    print(p.grad)
""",
}
FACTS = {
    "a0": ["a.item()", 2.0],
    "b0": ["b.item()", 3.0],
    "v1": ["(a * b).item()", 6.0],
    "y0": ["y.item()", 8.0],
    "direct": ["float(grad(lambda a: v1 + a)(a0))", 1.0],
    "way": ["float(grad(lambda a: a * b0)(a0))", 3.0],
    "ga": ["a.grad.item()", 4.0],
    "gb": ["b.grad.item()", 2.0],
    "h": 0.1,
    "moved": ["(Variable(a0 + h) * b0 + (a0 + h)).item()", 8.4],
    "more": ["moved - y0", 0.4],
    "again": ["p.grad.item()", 12.0],
    "second": ["2 * ga", 8.0],
    "wx": 5.0,
    "wg": ["float(grad(lambda x: x * x)(wx))", 10.0],
    "ws": ["float(grad(lambda x: x * wx)(wx))", 5.0],
    "ta": 3.0,
    "tb": -1.0,
    "tga": ["float(grad(lambda a: a * tb + tb + a)(ta))", 0.0],
    "tgb": ["float(grad(lambda b: ta * b + b + ta)(tb))", 4.0],
    "t1": ["float(grad(lambda a: a)(ta))", 1.0],
    "loop": 3,
}
PAGES = {"player": figures.player()}
PICTURES = {"graph": figures.graph(), "empty": figures.graph(values=False, grads=False)}
SCREEN = [
    (
        ("One input, two paths", "1つの入力から2つの経路"),
        [
            ("picture", "empty"),
            ("formula", "y = a·b + a", "a = {a0}, b = {b0}"),
            (
                "text",
                "∂y/∂a: is it {direct}, {way} or {ga}? Raise your hand.",
                "∂y/∂a は {direct}、{way}、{ga} のどれでしょう。手を挙げてください。",
            ),
        ],
    ),
    (
        ("Both paths count", "どちらの経路も数えます"),
        [
            ("picture", "graph"),
            ("formula", "{direct} + {way} = {ga}"),
            (
                "text",
                "Directly {direct}, by way of v₁ {way}, together **{ga}**.",
                "直接 {direct}、v₁ を通って {way}、合わせて **{ga}** です。",
            ),
        ],
    ),
    (
        ("Is it true? Move a", "本当でしょうか。a を動かします"),
        [
            ("formula", "a: {a0} → {a0} + {h}", "y: {y0} → {moved}", "{more} = {ga} × {h}"),
            ("text", "Along a path: multiply. Where paths meet: add.", "経路に沿って掛け、合流したら足します。"),
        ],
    ),
    (("Who says {way}?", "{way} と答えた人は"), [("code", "check")]),
    (("Step by step", "1 ステップずつ"), [("page", "player")]),
    (
        ("It adds up, even if you do not want it to", "望まなくても、足されます"),
        [
            ("code", "again"),
            (
                "text",
                "Each `backward()` adds. Before the next one: `cleargrad()`.",
                "`backward()` のたびに足されます。次の前に `cleargrad()` が必要です。",
            ),
        ],
    ),
]
LEARNER = [
    (
        "text",
        "In y = a·b + a the input a is used twice. If a moves by {h}, the product moves by {way} × {h}, and the second summand by {h}: "
        "y goes from {y0} to {moved}, which is {more} more. So ∂y/∂a is {direct} + {way} = **{ga}**.",
        "y = a·b + a では、入力 a が 2 回使われています。a が {h} 動くと、積が {way} × {h} だけ、もう一方の項が {h} だけ動きます。y は "
        "{y0} から {moved} へ {more} 増えます。ですから、∂y/∂a は {direct} + {way} = **{ga}** です。",
    ),
    ("code", "twice"),
    ("picture", "graph"),
    (
        "text",
        "The rule has two halves: **along a path, local derivatives multiply; where paths meet, gradients add up.**",
        "規則は2つです。**経路に沿って局所的な微分を掛けること。経路が合流するところで勾配を足すこと。**",
    ),
    (
        "text",
        "Whoever forgets a path is told which one. `check` compares a gradient of yours with the engine's:",
        "経路を忘れると、どの経路かを教えてくれます。`check` は、自分で求めた勾配をエンジンの勾配と比べます。",
    ),
    ("code", "check"),
    ("page", "player"),
    (
        "text",
        "For the same reason `backward()` adds to the gradients that are there already. After {loop} passes without `cleargrad()`, the "
        "gradient of p has become {again} instead of {ga}:",
        "同じ理由で、`backward()` は、すでにある勾配に足していきます。`cleargrad()` を呼ばずに {loop} 回繰り返すと、p の勾配は {ga} ではなく "
        "{again} になります。",
    ),
    ("code", "again"),
]
GIVEN = [("formula", "y = a·b + a"), ("picture", "empty")]
SOLVED = [("picture", "graph")]
QUESTIONS = [
    (
        (
            "a = {a0}, b = {b0}. Fill in every value and every gradient of the graph.",
            "a = {a0}、b = {b0} とします。グラフのすべての値と勾配を書き込んでください。",
        ),
        (
            "See the picture: y = {y0}, ∂y/∂a = {ga}, ∂y/∂b = {gb}.",
            "図のとおりです。y = {y0}、∂y/∂a = {ga}、∂y/∂b = {gb}。",
        ),
    ),
    (
        (
            "y = x·x at x = {wx}. Two edges lead to the same x. What does each bring, and what is ∂y/∂x?",
            "y = x·x、x = {wx} とします。2 本の辺が同じ x につながります。それぞれがもたらす勾配と、∂y/∂x を求めてください。",
        ),
        ("{ws} + {ws} = {wg}, the same as 2x.", "{ws} + {ws} = {wg} です。2x と同じです。"),
    ),
    (
        (
            "y = a·b + b + a at a = {ta}, b = {tb}. Find ∂y/∂a and ∂y/∂b.",
            "y = a·b + b + a、a = {ta}、b = {tb} とします。∂y/∂a と ∂y/∂b を求めてください。",
        ),
        (
            "∂y/∂a = b + {t1} = {tga}: two paths that cancel. ∂y/∂b = a + {t1} = {tgb}.",
            "∂y/∂a = b + {t1} = {tga} です。2つの経路が打ち消し合います。∂y/∂b = a + {t1} = {tgb} です。",
        ),
    ),
    (
        (
            "`backward()` is called on y = a·b + a a second time, without `cleargrad()`; the graph is computed anew. What is `a.grad`?",
            "もう一度 y = a·b + a を計算し、`cleargrad()` を呼ばずに `backward()` を呼びます。`a.grad` はいくつですか。",
        ),
        ("{ga} + {ga} = {second}", "{ga} + {ga} = {second}"),
    ),
]
NOTES = (
    (
        "{direct}, {way} or {ga}? Count the hands, and let one of each side explain before you go on.",
        "{direct}、{way}、{ga} のどれでしょう。手を挙げた人数を数え、それぞれ 1 人に理由を話してもらってから進みます。",
    ),
    (
        "They multiply where paths meet, or keep only the last path ({way}). Move a by {h}, and compare {more}.",
        "合流点で掛けてしまうか、最後の経路（{way}）だけを残します。a を {h} 動かして、{more} と比べてください。",
    ),
)
