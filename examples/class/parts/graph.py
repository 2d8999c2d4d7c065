"""Part 3: along a path, local derivatives multiply: the chain rule."""

import figures

TITLE = ("A graph", "計算グラフ")
MINUTES = 15
AIM = ("carry a gradient through a graph by the chain rule", "連鎖律を使って、計算グラフの勾配を後ろから順に求められる")
CODE = {
    "graph": """
from tinygrad_jp import Variable

a, b, c = Variable(2.0, "a"), Variable(3.0, "b"), Variable(-4.0, "c")
y = (a * b + c) ** 2
y.backward(retain_grad=True)
print(y, a.grad, b.grad, c.grad)
""",
    "steps": """
from tinygrad_jp import trace

print(trace(y, names={"y": y}, lang="en").explain())
""",
}
FACTS = {
    "a0": ["a.item()", 2.0],
    "b0": ["b.item()", 3.0],
    "c0": ["c.item()", -4.0],
    "v1": ["(a * b).item()", 6.0],
    "v2": ["(a * b + c).item()", 2.0],
    "y0": ["y.item()", 4.0],
    "one": ["float(trace(y).grad(y))", 1.0],
    "l2": ["float(grad(lambda v: v**2)(v2))", 4.0],
    "l1": ["float(grad(lambda v: v + c0)(v1))", 1.0],
    "la": ["float(grad(lambda a: a * b0)(a0))", 3.0],
    "lb": ["float(grad(lambda b: a0 * b)(b0))", 2.0],
    "g2": ["one * l2", 4.0],
    "g1": ["g2 * l1", 4.0],
    "ga": ["a.grad.item()", 12.0],
    "gb": ["b.grad.item()", 8.0],
    "gc": ["c.grad.item()", 4.0],
    "h": 0.01,
    "moved": ["((Variable(a0 + h) * b0 + c0) ** 2).item()", 4.1209],
    "more": ["moved - y0", 0.1209],
    "about": ["ga * h", 0.12],
    "wa": 1.0,
    "wb": 5.0,
    "wc": -2.0,
    "w1": ["(Variable(wa) * wb).item()", 5.0],
    "w2": ["(Variable(wa) * wb + wc).item()", 3.0],
    "wy": ["((Variable(wa) * wb + wc) ** 2).item()", 9.0],
    "wg2": ["float(grad(lambda v: v**2)(w2))", 6.0],
    "wga": ["float(grad(lambda a: (a * wb + wc) ** 2)(wa))", 30.0],
    "wgb": ["float(grad(lambda b: (wa * b + wc) ** 2)(wb))", 6.0],
    "wgc": ["float(grad(lambda c: (wa * wb + c) ** 2)(wc))", 6.0],
    "flat": -5.0,
    "wz": ["float(grad(lambda a: (a * wb + flat) ** 2)(wa))", 0.0],
}
PAGES = {"player": figures.player()}
PICTURES = {"graph": figures.graph(), "empty": figures.graph(values=False, grads=False)}
SCREEN = [
    (
        ("A formula is a graph", "式は計算グラフになります"),
        [
            ("picture", "empty"),
            ("formula", "y = (a·b + c)²"),
            ("formula", "a = {a0}, b = {b0}, c = {c0}"),
            ("text", "Three nodes, each with a rule of its own.", "ノードは3つ。それぞれに規則があります。"),
        ],
    ),
    (
        ("Forward: values", "順伝播: 値を求めます"),
        [
            ("formula", "v₁ = a × b = {a0} × {b0} = {v1}", "v₂ = v₁ + c = {v1} + ({c0}) = {v2}", "y = v₂² = {y0}"),
            (
                "text",
                "Each node keeps what it needs for the way back.",
                "どのノードも、逆伝播に必要な値を覚えておきます。",
            ),
        ],
    ),
    (
        ("Backward: gradients, from the end", "逆伝播: 勾配を後ろから求めます"),
        [
            (
                "formula",
                "∂y/∂y = {one}",
                "∂y/∂v₂ = {one} × {l2} = {g2}",
                "∂y/∂v₁ = {g2} × {l1} = {g1}",
                "∂y/∂a = {g1} × {la} = {ga}",
                "∂y/∂b = {g1} × {lb} = {gb}",
                "∂y/∂c = {g2} × {l1} = {gc}",
            ),
        ],
    ),
    (
        ("The chain rule", "連鎖律"),
        [
            ("formula", "∂y/∂a = ∂y/∂v₂ × ∂v₂/∂v₁ × ∂v₁/∂a"),
            ("formula", "{l2} × {l1} × {la} = {ga}"),
            (
                "text",
                "Along a path, local derivatives multiply. One pass backward finds the gradients of all inputs.",
                "経路に沿って、局所的な微分を掛けていきます。逆伝播 1 回で、すべての入力の勾配が求まります。",
            ),
        ],
    ),
    (
        ("Is it true? Move a", "本当でしょうか。a を動かします"),
        [
            ("formula", "a: {a0} → {a0} + {h}", "y: {y0} → {moved}", "{more} ≈ {ga} × {h} = {about}"),
        ],
    ),
    (("Step by step", "1 ステップずつ"), [("page", "player")]),
]
LEARNER = [
    (
        "text",
        "As Python computes y = (a·b + c)², the engine writes down a graph: three nodes, and what flows between them.",
        "Python が y = (a·b + c)² を計算すると、エンジンは計算グラフを記録します。3つのノードと、その間を流れる値です。",
    ),
    ("code", "graph"),
    ("picture", "graph"),
    (
        "text",
        "**Forward**, each node computes its value: {v1}, {v2}, {y0}. **Backward**, the gradient starts with {one} at y and is multiplied "
        "by one local derivative at each node: {l2} at the square, {l1} at the sum, {la} at the product for a. Together:",
        "**順伝播**では、各ノードが値を計算します（{v1}、{v2}、{y0}）。**逆伝播**では、勾配は y の {one} から始まり、ノードを通るたびに"
        "局所的な微分が掛かります。2 乗で {l2}、足し算で {l1}、掛け算で a に対して {la} です。まとめると、次のようになります。",
    ),
    ("formula", "∂y/∂a = {l2} × {l1} × {la} = {ga}"),
    (
        "text",
        "This is the **chain rule**. To test it, move a by {h}: y becomes {moved}, which is {more} more, and {ga} × {h} = {about}.",
        "これが**連鎖律**です。a を {h} 動かして確かめると、y は {moved} になり、{more} 増えます。{ga} × {h} = {about} とほぼ同じです。",
    ),
    ("text", "The engine tells its steps in words, too:", "エンジンは、各ステップを文章でも説明します。"),
    ("code", "steps"),
    ("page", "player"),
]
GIVEN = [("formula", "y = (a·b + c)²"), ("picture", "empty")]
SOLVED = []
QUESTIONS = [
    (
        (
            "a = {wa}, b = {wb}, c = {wc}. Forward: find v₁ = a·b, v₂ = v₁ + c, and y = v₂².",
            "a = {wa}、b = {wb}、c = {wc} とします。順伝播で v₁ = a·b、v₂ = v₁ + c、y = v₂² を求めてください。",
        ),
        ("v₁ = {w1}, v₂ = {w2}, y = {wy}", "v₁ = {w1}、v₂ = {w2}、y = {wy}"),
    ),
    (
        ("Backward: find ∂y/∂v₂ = 2v₂, then ∂y/∂c.", "逆伝播で ∂y/∂v₂ = 2v₂ を求め、続けて ∂y/∂c を求めてください。"),
        (
            "∂y/∂v₂ = {wg2}. The sum passes it on: ∂y/∂c = {wgc}.",
            "∂y/∂v₂ = {wg2} です。足し算はそのまま渡すので、∂y/∂c = {wgc} です。",
        ),
    ),
    (
        ("Now ∂y/∂a and ∂y/∂b.", "∂y/∂a と ∂y/∂b を求めてください。"),
        (
            "∂y/∂a = {wg2} × {wb} = {wga}, ∂y/∂b = {wg2} × {wa} = {wgb}",
            "∂y/∂a = {wg2} × {wb} = {wga}、∂y/∂b = {wg2} × {wa} = {wgb}",
        ),
    ),
    (
        (
            "With c = {flat} instead, all gradients are {wz}. Why?",
            "c = {flat} にすると、勾配はすべて {wz} になります。なぜでしょうか。",
        ),
        (
            "Then v₂ = {wz}, so ∂y/∂v₂ = 2v₂ = {wz}, and every path leads through it.",
            "v₂ = {wz} なので ∂y/∂v₂ = 2v₂ = {wz} です。どの経路もここを通ります。",
        ),
    ),
]
NOTES = (
    (
        "Which gradient is known first, and why? (That of y itself: {one}.)",
        "最初に分かる勾配はどれですか。それはなぜですか（y 自身の勾配 {one}）。",
    ),
    (
        "They add the local derivatives along a path: {l2} + {l1} + {la} instead of {l2} × {l1} × {la} = {ga}. Adding comes "
        "in the next part, where paths meet.",
        "1つの経路に沿って、局所的な微分を {l2} + {l1} + {la} と足してしまいます。正しくは {l2} × {l1} × {la} = {ga} と掛けます。足すのは、次の部で経路が合流するときです。",
    ),
)
