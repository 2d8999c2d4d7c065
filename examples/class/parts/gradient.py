"""Part 1: a gradient is how fast the result moves when an input does."""

import figures

TITLE = ("What a gradient is", "勾配とは")
MINUTES = 12
AIM = ("say what a gradient is, and which way is down", "勾配とは何か、どちらが下る向きかを説明できる")
CODE = {
    "engine": """
from tinygrad_jp import Variable

x = Variable(3.0)
y = x**2
y.backward()
print(y, x.grad)
"""
}
FACTS = {  # What is given stands by itself; what is computed stands beside the value worked out by hand.
    "x0": ["x.item()", 3.0],
    "y0": ["y.item()", 9.0],
    "g": ["x.grad.item()", 6.0],
    "h1": 0.1,
    "h2": 0.01,
    "h3": 0.001,
    "d1": ["(Variable(x0 + h1)**2 - y0).item()", 0.61],
    "d2": ["(Variable(x0 + h2)**2 - y0).item()", 0.0601],
    "d3": ["(Variable(x0 + h3)**2 - y0).item()", 0.006001],
    "r1": ["d1 / h1", 6.1],
    "r2": ["d2 / h2", 6.01],
    "r3": ["d3 / h3", 6.001],
    "rate": 0.1,
    "x1": ["x0 - rate * g", 2.4],
    "y1": ["(Variable(x1)**2).item()", 5.76],
    "ax": -2.0,
    "ay": ["(Variable(ax)**2).item()", 4.0],
    "ag": ["float(grad(lambda x: x**2)(ax))", -4.0],
    "aw": ["ag * h2", -0.04],
    "ae": ["(Variable(ax + h2)**2).item() - ay", -0.0399],
    "a1": ["ax - rate * ag", -1.6],
    "a2": ["(Variable(a1)**2).item()", 2.56],
    "zero": 0.0,
    "gz": ["float(grad(lambda x: x**2)(zero))", 0.0],
}
PAGES = {}


def curve(results):
    facts, alt = results.facts, ("The curve y = x² and its tangent", "y = x² の曲線と接線")
    x0, y0, g = facts["x0"], facts["y0"], facts["g"]
    parabola = [(i / 20, (i / 20) ** 2) for i in range(81)]
    tangent = [(x, y0 + g * (x - x0)) for x in (1.6, 3.9)]
    slope = results.say(("slope", "傾き"))
    lines = [("y = x²", "v", parabola), (f"{slope} {g:g}", "g", tangent)]
    marks = [(x0, y0, f"({x0:g}, {y0:g})")]
    return figures.curves(lines, marks, x_name="x", y_name="y", alt=results.say(alt))


PICTURES = {"curve": curve}
NUDGES = [
    "table",
    (("x grows by", "x の増加"), ("y grows by", "y の増加"), ("ratio", "比")),
    ("{h1}", "{d1}", "{r1}"),
    ("{h2}", "{d2}", "{r2}"),
    ("{h3}", "{d3}", "{r3}"),
]
SCREEN = [
    (
        ("Move x a little. How far does y move?", "x を少し動かすと、y はどれだけ動くでしょう"),
        [
            ("formula", "y = x²", "x = {x0}, y = {y0}"),
            (
                "text",
                "Guess first: x grows by {h1}. What becomes of y?",
                "まず予想してください。x が {h1} 増えると、y は？",
            ),
        ],
    ),
    (
        ("The ratio settles down", "比は、ある値に近づきます"),
        [
            NUDGES,
            (
                "text",
                "The smaller the move, the closer to **{g}**. That number is the **gradient**.",
                "動きを小さくするほど **{g}** に近づきます。この値が**勾配**です。",
            ),
        ],
    ),
    (
        ("A gradient is a slope", "勾配は傾きです"),
        [
            ("picture", "curve"),
            (
                "text",
                "At x = {x0} the curve rises **{g}** for each step to the right.",
                "x = {x0} では、右へ 1 進むごとに **{g}** 上がる傾きです。",
            ),
        ],
    ),
    (
        ("The engine knows it exactly", "エンジンは正確な値を求めます"),
        [
            ("code", "engine"),
            (
                "text",
                "No moving, no guessing: `backward()` applies the rules of calculus.",
                "少しずつ動かす必要はありません。`backward()` が微分の規則で計算します。",
            ),
        ],
    ),
    (
        ("What it is for: the way down", "何の役に立つか: 下る向きが分かります"),
        [
            ("formula", "x ← x − {rate} × {g} = {x1}", "y: {y0} → {y1}"),
            (
                "text",
                "A step against the gradient makes y smaller. Networks learn by this step alone.",
                "勾配と逆の向きに進むと、y は小さくなります。ネットワークの学習は、この一歩の繰り返しです。",
            ),
        ],
    ),
]
LEARNER = [
    (
        "text",
        "Take y = x² at x = {x0}, where y = {y0}. Move x a little, and see how far y moves:",
        "y = x² を x = {x0} で考えます。このとき y = {y0} です。x を少し動かして、y がどれだけ動くかを見ます。",
    ),
    NUDGES,
    (
        "text",
        "The ratio comes to {g}. This is the **gradient** of y with respect to x, written ∂y/∂x: near x = {x0}, y moves {g} "
        "times as far as x.",
        "比は {g} に近づきます。これが、x に関する y の**勾配**で、∂y/∂x と書きます。x = {x0} の近くでは、y は x の {g} 倍だけ"
        "動くという意味です。",
    ),
    ("picture", "curve"),
    (
        "text",
        "The engine computes it without moving anything. Type this, and change x:",
        "エンジンは、何も動かさずにこの値を計算します。次のプログラムを打ち込んで、x を変えてみましょう。",
    ),
    ("code", "engine"),
    (
        "text",
        "A gradient says which way is up. To make y smaller, go the other way: with a learning rate of {rate}, x goes from {x0} to "
        "{x0} − {rate} × {g} = {x1}, and y falls from {y0} to {y1}.",
        "勾配は、上る向きを教えてくれます。y を小さくするには、逆の向きへ進みます。学習率が {rate} なら、x は {x0} から "
        "{x0} − {rate} × {g} = {x1} になり、y は {y0} から {y1} に下がります。",
    ),
]
GIVEN = [("formula", "y = x²")]
SOLVED = []
QUESTIONS = [
    (
        (
            "At x = {ax}, what is y? And what is the gradient ∂y/∂x = 2x?",
            "x = {ax} のとき、y はいくつですか。勾配 ∂y/∂x = 2x はいくつですか。",
        ),
        ("y = {ay}, ∂y/∂x = {ag}", "y = {ay}、∂y/∂x = {ag}"),
    ),
    (
        (
            "From there, x grows by {h2}. About how far does y move? Do not compute the square.",
            "そこから x が {h2} 増えると、y はおよそどれだけ動きますか。2 乗は計算しません。",
        ),
        (
            "About {ag} × {h2} = {aw}. (Exactly {ae}.)",
            "およそ {ag} × {h2} = {aw} です（正確には {ae}）。",
        ),
    ),
    (
        (
            "One step against the gradient with a learning rate of {rate}: where is x then, and what is y?",
            "学習率 {rate} で、勾配と逆の向きに 1 歩進みます。x と y はいくつになりますか。",
        ),
        ("x = {ax} − {rate} × ({ag}) = {a1}, y = {a2}", "x = {ax} − {rate} × ({ag}) = {a1}、y = {a2}"),
    ),
    (
        (
            "Where is the gradient {zero}? What does the curve look like there?",
            "勾配が {zero} になるのはどこですか。そこで曲線はどう見えますか。",
        ),
        (
            "At x = {zero}, where the gradient is {gz}: the lowest point, where the curve is flat.",
            "x = {zero} で、勾配は {gz} です。曲線のいちばん低い点で、そこでは水平です。",
        ),
    ),
]
NOTES = (
    (
        "x grows by {h1}: what becomes of y? Let several answers stand before the table appears ({d1}).",
        "x が {h1} 増えると、y はどうなりますか。いくつか答えが出てから、表（{d1}）を見せます。",
    ),
    (
        "They take the gradient for the value of y. Ask for both, each time: y = {y0}, gradient {g}.",
        "勾配と y の値を混同します。毎回、両方を尋ねてください（y = {y0}、勾配 {g}）。",
    ),
)
