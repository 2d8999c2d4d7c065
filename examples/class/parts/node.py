"""Part 2: one node knows its inputs, and multiplies what comes in by its local derivatives."""

import figures

TITLE = ("One node", "1つのノード")
MINUTES = 13
AIM = ("multiply what comes in by a node's local derivative", "ノードに入ってくる勾配に、局所的な微分を掛けられる")
CODE = {
    "product": """
from tinygrad_jp import Variable

a, b = Variable(2.0, "a"), Variable(3.0, "b")
y = a * b
y.backward()
print(a.grad, b.grad)
""",
    "ten": """
p, q = Variable(2.0), Variable(3.0)
z = 10 * (p * q)
z.backward()
print(p.grad, q.grad)
""",
}
FACTS = {
    "a0": ["a.item()", 2.0],
    "b0": ["b.item()", 3.0],
    "y0": ["y.item()", 6.0],
    "ga": ["a.grad.item()", 3.0],
    "gb": ["b.grad.item()", 2.0],
    "one": ["float(trace(y).grad(y))", 1.0],
    "h": 0.1,
    "moved": ["((a + h) * b).item()", 6.3],
    "more": ["moved - y0", 0.3],
    "ten": 10.0,
    "gp": ["p.grad.item()", 30.0],
    "gq": ["q.grad.item()", 20.0],
    "s1": ["float(grad(lambda a: a + b0)(a0))", 1.0],
    "sq": ["float(grad(lambda x: x**2)(b0))", 6.0],
    "below": -5.0,
    "dead": ["float(grad(F.relu)(below))", 0.0],
    "alive": ["float(grad(F.relu)(b0))", 1.0],
    "wa": 4.0,
    "wb": -5.0,
    "wg": 2.0,
    "wy": ["(Variable(wa) * wb).item()", -20.0],
    "wla": ["float(grad(lambda a: a * wb)(wa))", -5.0],
    "wlb": ["float(grad(lambda b: wa * b)(wb))", 4.0],
    "wga": ["float(grad(lambda a: wg * (a * wb))(wa))", -10.0],
    "wgb": ["float(grad(lambda b: wg * (wa * b))(wb))", 8.0],
    "ws": ["float(grad(lambda a: wg * (a + wb))(wa))", 2.0],
    "wr": ["float(grad(lambda b: wg * F.relu(b))(wb))", 0.0],
}
PAGES = {"player": figures.player()}
PICTURES = {"graph": figures.graph(), "empty": figures.graph(values=False, grads=False)}
NODES = [
    "table",
    (("node", "ノード"), ("local derivative", "局所的な微分"), ("for example", "例")),
    ("a × b", "b, a", "{ga}, {gb}"),
    ("a + b", "1, 1", "{s1}, {s1}"),
    ("x²", "2x", "x = {b0}: {sq}"),
    ("relu(x)", ("1 if x > 0, else 0", "x > 0 なら 1、ほかは 0"), "x = {b0}: {alive}; x = {below}: {dead}"),
]
SCREEN = [
    (
        ("a grows by {h}. How much does y?", "a が {h} 増えると、y はどれだけ増えるでしょう"),
        [("formula", "y = a × b", "a = {a0}, b = {b0}, y = {y0}")],
    ),
    (
        ("The local derivative", "局所的な微分"),
        [
            ("formula", "{b0} × {h} = {more}", "∂y/∂a = b = {ga}", "∂y/∂b = a = {gb}"),
            ("text", "For one factor, it is the other.", "一方に関する微分は、もう一方の値です。"),
        ],
    ),
    (
        ("What a node does on the way back", "逆向きにノードがすること"),
        [
            ("formula", ("∂L/∂a = ∂L/∂y × ∂y/∂a")),
            (
                "text",
                "**What comes in × the local derivative = what goes out.** A node need not know the rest of the graph.",
                "**入ってくる勾配 × 局所的な微分 = 出ていく勾配。** グラフのほかの部分を知る必要はありません。",
            ),
            ("formula", "{one} → {ga}, {gb}", "{ten} → {gp}, {gq}"),
        ],
    ),
    (("Each node has its rule", "どのノードにも規則があります"), [NODES]),
    (
        ("The same in the picture", "図で見ると"),
        [
            ("picture", "graph"),
            (
                "text",
                "Forward, y = {y0}. Backward, {ga} for a and {gb} for b.",
                "順伝播で y = {y0}。逆伝播で、a の勾配は {ga}、b の勾配は {gb} です。",
            ),
        ],
    ),
    (("Step by step", "1 ステップずつ"), [("page", "player")]),
]
LEARNER = [
    (
        "text",
        "y = a × b with a = {a0} and b = {b0} is {y0}. If a grows by {h}, y grows by {b0} × {h} = {more}: the gradient ∂y/∂a is b. "
        "By the same reasoning ∂y/∂b is a. These are the node's **local derivatives**.",
        "a = {a0}、b = {b0} のとき、y = a × b は {y0} です。a が {h} 増えると、y は {b0} × {h} = {more} 増えます。ですから、勾配 ∂y/∂a "
        "は b です。同じように、∂y/∂b は a です。これらを、ノードの**局所的な微分**といいます。",
    ),
    ("code", "product"),
    ("picture", "graph"),
    (
        "text",
        "Where y is only a step on the way to some L, a gradient ∂L/∂y comes in from above. The node multiplies it by its local "
        "derivatives, and that is all it does. If {ten} comes in, {gp} and {gq} go out:",
        "y が、ある L に至る途中の値なら、後ろから勾配 ∂L/∂y が入ってきます。ノードは、それに局所的な微分を掛けるだけです。"
        "{ten} が入ってくれば、{gp} と {gq} が出ていきます。",
    ),
    ("code", "ten"),
    (
        "text",
        "Other nodes have other local derivatives, but the same work to do:",
        "局所的な微分はノードによって違いますが、することは同じです。",
    ),
    NODES,
    (
        "text",
        "Play the backward pass of y = a × b. Predict each number before you look.",
        "y = a × b の逆伝播を再生しましょう。数を見る前に、予想してください。",
    ),
    ("page", "player"),
]
GIVEN = [("picture", "empty")]
SOLVED = []
QUESTIONS = [
    (
        (
            "y = a × b with a = {wa}, b = {wb}. Write down y and both local derivatives.",
            "a = {wa}、b = {wb} のとき、y = a × b の値と、2つの局所的な微分を書いてください。",
        ),
        ("y = {wy}, ∂y/∂a = {wla}, ∂y/∂b = {wlb}", "y = {wy}、∂y/∂a = {wla}、∂y/∂b = {wlb}"),
    ),
    (
        (
            "The gradient {wg} comes in at y. What goes out to a, and what to b?",
            "y に勾配 {wg} が入ってきます。a と b へ出ていく勾配はいくつですか。",
        ),
        (
            "To a: {wg} × ({wla}) = {wga}. To b: {wg} × {wlb} = {wgb}.",
            "a へ {wg} × ({wla}) = {wga}、b へ {wg} × {wlb} = {wgb} です。",
        ),
    ),
    (
        (
            "The node is a + b, and {wg} comes in. What goes out to a?",
            "ノードが a + b のとき、{wg} が入ってくると、a へ出ていく勾配はいくつですか。",
        ),
        ("{ws}: a sum passes the gradient on as it is.", "{ws} です。足し算は、勾配をそのまま渡します。"),
    ),
    (
        (
            "The node is relu(x) at x = {wb}, and {wg} comes in. What goes out?",
            "ノードが relu(x)、x = {wb} のとき、{wg} が入ってくると、出ていく勾配はいくつですか。",
        ),
        ("{wr}: where relu is flat, nothing passes.", "{wr} です。relu が平らなところでは、勾配は伝わりません。"),
    ),
]
NOTES = (
    (
        "For a × b: which input has the larger gradient, the larger one or the smaller one? ({ga} for a = {a0}, {gb} for b = {b0}.)",
        "a × b で勾配が大きいのは、値の大きい入力ですか、小さい入力ですか（a = {a0} の勾配は {ga}、b = {b0} の勾配は {gb}）。",
    ),
    (
        "They give a its own value as its gradient. The gradient of a is the other factor: {ga}.",
        "a の勾配を a 自身の値だと考えます。a の勾配は、もう一方の値 {ga} です。",
    ),
)
