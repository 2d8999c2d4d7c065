"""Part 5: a layer computes with matrices, and each gradient has the shape of its value."""

import figures
import numpy as np

TITLE = ("A layer, and its shapes", "層と形状")
MINUTES = 15
AIM = (
    "give the shape of every gradient of a layer, and the product for it",
    "層のどの勾配についても、形状と、それを求める積を書ける",
)
CODE = {
    "layer": """
import numpy as np
from tinygrad_jp import Variable

X = Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "X")
W = Variable([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "W")
b = Variable([1.0, -1.0], "b")
Y = X @ W + b
L = np.sum(Y**2) / 2
L.backward(retain_grad=True)
print(W.grad, b.grad, sep="\\n")
""",
    "rules": """
print(np.allclose(W.grad.data, X.data.T @ Y.grad.data))
print(np.allclose(X.grad.data, Y.grad.data @ W.data.T))
print(np.allclose(b.grad.data, Y.grad.data.sum(axis=0)))
""",
}
X = np.array([[1.0, 2, 3], [4, 5, 6]])
FACTS = {
    "X": ["X.data", X],
    "W": ["W.data", [[1.0, 0], [0, 1], [1, 1]]],
    "b": ["b.data", [1.0, -1]],
    "Y": ["Y.data", [[5.0, 4], [11, 10]]],
    "L": ["L.item()", 131.0],
    "gY": ["Y.grad.data", [[5.0, 4], [11, 10]]],
    "gW": ["W.grad.data", [[49.0, 44], [65, 58], [81, 72]]],
    "gX": ["X.grad.data", [[5.0, 4, 9], [11, 10, 21]]],
    "gb": ["b.grad.data", [16.0, 14]],
    "sX": ["X.shape", (2, 3)],
    "sW": ["W.shape", (3, 2)],
    "sb": ["b.shape", (2,)],
    "sY": ["Y.shape", (2, 2)],
    "sXT": ["X.T.shape", (3, 2)],
    "sWT": ["W.T.shape", (2, 3)],
    "sgW": ["W.grad.shape", (3, 2)],
    "sgX": ["X.grad.shape", (2, 3)],
    "sgb": ["b.grad.shape", (2,)],
    "rows": ["len(X)", 2],
    "x1": ["X.data[0, 0].item()", 1.0],
    "x2": ["X.data[1, 0].item()", 4.0],
    "g1": ["Y.grad.data[0, 0].item()", 5.0],
    "g2": ["Y.grad.data[1, 0].item()", 11.0],
    "w11": ["W.grad.data[0, 0].item()", 49.0],
    "b1": ["b.grad.data[0].item()", 16.0],
    "N": 100,
    "I": 784,
    "O": 10,
    "pX": ["Variable(np.zeros((N, I))).shape", (100, 784)],
    "pW": ["Variable(np.zeros((I, O))).shape", (784, 10)],
    "pY": ["(Variable(np.zeros((N, I))) @ np.zeros((I, O))).shape", (100, 10)],
    "pXT": ["Variable(np.zeros((N, I))).T.shape", (784, 100)],
    "pb": ["np.sum(Variable(np.zeros((N, O))), axis=0).shape", (10,)],
    "w21": ["W.grad.data[1, 0].item()", 65.0],
    "x3": ["X.data[0, 1].item()", 2.0],
    "x4": ["X.data[1, 1].item()", 5.0],
    "r1": ["X.grad.data[0, 2].item()", 9.0],
    "g3": ["Y.grad.data[0, 1].item()", 4.0],
    "u1": ["W.data[2, 0].item()", 1.0],
    "u2": ["W.data[2, 1].item()", 1.0],
}
PAGES = {"player": figures.player("L")}
PICTURES = {"graph": figures.graph("L"), "empty": figures.graph("L", values=False, grads=False)}
RULES = [
    "table",
    (("gradient", "勾配"), ("rule", "規則"), ("shapes", "形状")),
    ("∂L/∂W", "Xᵀ @ ∂L/∂Y", "{sXT} @ {sY} → {sgW}"),
    ("∂L/∂X", "∂L/∂Y @ Wᵀ", "{sY} @ {sWT} → {sgX}"),
    ("∂L/∂b", ("sum over the batch", "バッチ方向の和"), "{sY} → {sgb}"),
]
SCREEN = [
    (
        ("A layer: Y = X @ W + b", "層: Y = X @ W + b"),
        [
            ("arrays", "X", "W", "b", "Y"),
            (
                "text",
                "{rows} examples are the rows of X. b is added to each of them.",
                "X の行が {rows} 件のデータです。b はどの行にも足されます。",
            ),
        ],
    ),
    (
        ("A loss: half the sum of squares", "損失: 2 乗和の半分"),
        [
            ("formula", "L = ½ ΣY² = {L}", "∂L/∂Y = Y"),
            ("arrays", "gY"),
            ("text", "What comes in at the layer has the shape of Y.", "層に入ってくる勾配の形状は、Y と同じです。"),
        ],
    ),
    (
        ("A gradient has the shape of its value", "勾配の形状は、値の形状と同じです"),
        [
            ("arrays", "W", "gW", "b", "gb"),
            (
                "text",
                "Each weight has one number that says how L follows it.",
                "どの重みにも、L がどう変わるかを示す数が1つずつあります。",
            ),
        ],
    ),
    (("Only one product fits the shapes", "形状が合う積は1つだけです"), [RULES]),
    (
        ("One element of it", "要素1つを見ます"),
        [
            ("formula", "∂L/∂W₁₁ = {x1} × {g1} + {x2} × {g2} = {w11}", "∂L/∂b₁ = {g1} + {g2} = {b1}"),
            (
                "text",
                "W₁₁ is used once for each example: {rows} paths, which add up. So it is for b.",
                "W₁₁ はデータごとに使われます。経路は{rows}つあり、足し合わされます。b も同じです。",
            ),
        ],
    ),
    (("Step by step", "1 ステップずつ"), [("page", "player")]),
]
LEARNER = [
    (
        "text",
        "A layer takes a batch X of {rows} examples, one a row, and computes Y = X @ W + b. Our loss is half the sum of all squares, "
        "because its gradient at Y is then Y itself.",
        "層は、{rows} 件のデータを行に並べたバッチ X を受け取り、Y = X @ W + b を計算します。損失は 2 乗和の半分にします。こうすると、"
        "Y での勾配が Y 自身になります。",
    ),
    ("code", "layer"),
    ("arrays", "X", "W", "b", "Y"),
    (
        "text",
        "A gradient has the shape of its value. The rules are those of part two, written for matrices, and the shapes leave no "
        "other choice:",
        "勾配の形状は、値の形状と同じです。規則は、ノードの規則を行列で書いたものです。形状を合わせると、この形しかありません。",
    ),
    RULES,
    ("arrays", "gW", "gX", "gb"),
    (
        "text",
        "Look at one number: ∂L/∂W₁₁ = {x1} × {g1} + {x2} × {g2} = {w11}. W₁₁ is used for each of the {rows} examples, and gradients add up. "
        "b is used for each of them, too: {g1} + {g2} = {b1}.",
        "1つの要素を見ると、∂L/∂W₁₁ = {x1} × {g1} + {x2} × {g2} = {w11} です。W₁₁ は {rows} 件のデータのそれぞれで使われるので、勾配が"
        "足し合わされます。b も同じで、{g1} + {g2} = {b1} です。",
    ),
    ("code", "rules"),
    ("page", "player"),
]
GIVEN = [("arrays", "X", "W", "b", "gY")]
SOLVED = [("arrays", "Y", "gW", "gX", "gb")]
QUESTIONS = [
    (
        ("Compute Y = X @ W + b. What is its shape?", "Y = X @ W + b を計算してください。形状はどうなりますか。"),
        ("See above. Shape {sX} @ {sW} → {sY}.", "上のとおりです。形状は {sX} @ {sW} → {sY} です。"),
    ),
    (
        (
            "From ∂L/∂Y above, compute the second row's first element of ∂L/∂W = Xᵀ @ ∂L/∂Y.",
            "上の ∂L/∂Y から、∂L/∂W = Xᵀ @ ∂L/∂Y の 2 行 1 列の要素を求めてください。",
        ),
        ("{x3} × {g1} + {x4} × {g2} = {w21}", "{x3} × {g1} + {x4} × {g2} = {w21}"),
    ),
    (
        (
            "Compute the first row's last element of ∂L/∂X = ∂L/∂Y @ Wᵀ.",
            "∂L/∂X = ∂L/∂Y @ Wᵀ の 1 行目の最後の要素を求めてください。",
        ),
        ("{g1} × {u1} + {g3} × {u2} = {r1}", "{g1} × {u1} + {g3} × {u2} = {r1}"),
    ),
    (
        (
            "A layer for handwritten digits: X {pX}, W {pW}. Write down the shapes of Y, ∂L/∂W and ∂L/∂b, and the product that gives ∂L/∂W.",
            "手書き数字の層で、X が {pX}、W が {pW} とします。Y、∂L/∂W、∂L/∂b の形状と、∂L/∂W を求める積の形状を書いてください。",
        ),
        (
            "Y {pY}; ∂L/∂W {pW} from {pXT} @ {pY}; ∂L/∂b {pb}",
            "Y は {pY}、∂L/∂W は {pXT} @ {pY} で {pW}、∂L/∂b は {pb} です。",
        ),
    ),
]
NOTES = (
    (
        "∂L/∂W must be {sW}. X is {sX}, ∂L/∂Y is {sY}. How must you turn them so that the product fits?",
        "∂L/∂W の形状は {sW} のはずです。X は {sX}、∂L/∂Y は {sY} です。積の形状を合わせるには、どう並べますか。",
    ),
    (
        "They forget that b is used once for each row: ∂L/∂b is a sum over the batch, of shape {sb}.",
        "b がどの行でも使われることを忘れます。∂L/∂b はバッチ方向の和で、形状は {sb} です。",
    ),
)
