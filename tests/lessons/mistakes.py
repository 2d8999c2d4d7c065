"""The mistakes that learners make most, what is said of each, and the pages that show it.

    python -m tests.lessons.mistakes

writes examples/mistakes.md and examples/mistakes.ja.md. The programs run: the messages are those of this version.
"""

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

EXAMPLES = Path(__file__).parents[2] / "examples"
PREAMBLE = """\
import numpy as np
import tinygrad_jp as tg
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Variable, models, optimizers

x, t = np.random.randn(8, 4), np.array([0, 1, 2, 0, 1, 2, 0, 1])
model = models.MLP(5, 3)
optimizer = optimizers.SGD(0.1).setup(model)
"""
PAGES = {
    "en": (
        "mistakes.md",
        "# Fifteen mistakes, and what is said of them",
        "Each program below is wrong, and this library says so at your own line: as an error, as a warning, or under "
        "`debug()`, which looks harder and is slower. One mistake has no message at all; it comes first. All "
        "programs "
        "begin with these lines:",
        "[日本語](mistakes.ja.md)",
    ),
    "ja": (
        "mistakes.ja.md",
        "# よくある15の間違いと、そのときのメッセージ",
        "以下のプログラムにはどれも間違いがあります。このライブラリは、書いた人自身の行を指して、"
        "エラーか警告で知らせます。"
        "`debug()` の中では、時間をかけてさらに詳しく調べます。メッセージが出ない間違いもひとつあるので、"
        "それを最初に挙げます。"
        "どのプログラムも、次の行から始まります。",
        "[English](mistakes.md)",
    ),
}


class Mistake(NamedTuple):
    """`wrong` is the program, `right` what to write instead; titles and lessons are in English and Japanese."""

    title: tuple[str, str]
    wrong: str
    right: str
    lesson: tuple[str, str]


MISTAKES = [
    Mistake(
        ("Gradients pile up", "勾配が溜まっていく"),
        """\
w = Variable(1.0)
for _ in range(3):
    (3 * w).backward()
    print(w.grad)""",
        """\
for _ in range(3):
    w.cleargrad()
    (3 * w).backward()""",
        (
            "`backward()` adds to what is there: a Variable that is used twice gets the sum of both shares, "
            "and so does "
            "one that two passes reach. Clear the gradients before each pass, `model.cleargrads()` for a model.",
            "`backward()` は、すでにある勾配に足し込みます。2 "
            "か所で使われた変数が両方からの勾配の和を受け取るのと同じように、"
            "2 回の逆伝播の勾配も足し合わされます。逆伝播のたびに、前もって勾配を消します。モデルなら "
            "`model.cleargrads()` です。",
        ),
    ),
    Mistake(
        ("A number instead of a Variable", "変数をただの数にしてしまう"),
        """\
w = Variable(2.0)
y = float(w) ** 2 + w""",
        "y = w**2 + w",
        (
            "The computational graph grows from Variables. A plain number does not know where it came from, so the "
            "gradient through it is lost; here `w.grad` would be 1 instead of 5. For printing, write `w.item()`.",
            "計算グラフは変数がつくります。ただの数は、どこから来たのかを覚えていないので、"
            "そこを通る勾配は失われます。"
            "この例では `w.grad` が 5 ではなく 1 になってしまいます。表示するだけなら `w.item()` と書きます。",
        ),
    ),
    Mistake(
        ("An array made of Variables", "変数を並べて配列をつくる"),
        """\
a, b = Variable(1.0), Variable(2.0)
v = np.array([a, b])""",
        "v = np.stack([a, b])",
        (
            "`np.array` copies numbers and forgets the graph. `np.stack` and `np.concatenate` are operations with a "
            "gradient, which goes back to each part.",
            "`np.array` は数だけを写し、計算グラフを忘れます。`np.stack` と `np.concatenate` は勾配を持つ演算で、"
            "勾配はそれぞれの要素へ戻ります。",
        ),
    ),
    Mistake(
        ("Nothing to go back through", "逆伝播する道がない"),
        """\
with tg.no_grad():
    loss = F.softmax_cross_entropy(model(x), t)
loss.backward()""",
        """\
loss = F.softmax_cross_entropy(model(x), t)
loss.backward()""",
        (
            "Under `no_grad()` nothing is recorded: that saves memory where no gradient is wanted, as in testing.",
            "`no_grad()` の中では何も記録されません。テストのように勾配が要らないところで、"
            "メモリを節約するためのものです。",
        ),
    ),
    Mistake(
        ("An update before the backward pass", "逆伝播の前に更新する"),
        """\
loss = F.softmax_cross_entropy(model(x), t)
optimizer.update()""",
        """\
loss = F.softmax_cross_entropy(model(x), t)
model.cleargrads()
loss.backward()
optimizer.update()""",
        (
            "A step of training is: forward, clear, backward, update. The update uses the gradients that "
            "`backward()` "
            "left in the parameters.",
            "学習の 1 ステップは、順伝播、勾配の消去、逆伝播、更新の順です。更新には、`backward()` "
            "がパラメータに残した勾配を使います。",
        ),
    ),
    Mistake(
        ("One-hot rows as labels", "one-hot ベクトルをラベルとして渡す"),
        "loss = F.softmax_cross_entropy(model(x), np.eye(3)[t])",
        "loss = F.softmax_cross_entropy(model(x), t)",
        (
            "The loss takes the number of each class, an integer, which is all that it needs.",
            "この損失は、クラスの番号（整数）を受け取ります。それだけで足りるからです。",
        ),
    ),
    Mistake(
        ("A label that no class has", "存在しないクラスのラベル"),
        "loss = F.softmax_cross_entropy(model(x), t + 1)",
        "loss = F.softmax_cross_entropy(model(x), t)",
        (
            "Three outputs stand for the classes 0, 1 and 2. Labels from 1 to 3 need a shift by one, or a "
            "fourth output.",
            "3 つの出力は、クラス 0、1、2 を表します。1 から 3 までのラベルなら、1 を引くか、出力を 4 つにします。",
        ),
    ),
    Mistake(
        ("A column against a row", "縦に並んだ数と横に並んだ数"),
        """\
y = models.MLP(5, 1)(x)
loss = F.mean_squared_error(y, np.ones(8))""",
        "loss = F.mean_squared_error(y, np.ones((8, 1)))",
        (
            "NumPy would broadcast (8, 1) and (8,) to (8, 8) and compare every answer with every target: a loss that "
            "falls, and a model that learns the mean.",
            "NumPy のブロードキャストに任せると、(8, 1) と (8,) は (8, 8) になり、"
            "すべての答えをすべての正解と比べてしまいます。"
            "損失は下がっても、モデルは平均を覚えるだけです。",
        ),
    ),
    Mistake(
        ("Softmax twice", "softmax を 2 回かける"),
        """\
with tg.debug():
    loss = F.softmax_cross_entropy(F.softmax(model(x)), t)
    loss.backward()""",
        "loss = F.softmax_cross_entropy(model(x), t)",
        (
            "The loss takes the softmax itself, in a form that cannot overflow. A second one squashes all "
            "differences: "
            "the model learns, but slowly and never well.",
            "この損失は、オーバーフローしない形で softmax を自分で計算します。もう一度かけると差がつぶれてしまい、"
            "学習は進んでも遅く、よい結果になりません。",
        ),
    ),
    Mistake(
        ("Another number of features", "特徴量の数が違う"),
        """\
model(x)
model(np.ones((8, 6)))""",
        """\
model(x)
model(np.ones((8, 4)))""",
        (
            "A layer learns its input size from the first call. From then on W is (4, 5), and rows of six numbers do "
            "not fit.",
            "層は、最初に呼ばれたときに入力の大きさを決めます。W が (4, 5) になった後では、6 "
            "個の数の並びは受け取れません。",
        ),
    ),
    Mistake(
        ("PyTorch's order of arguments", "PyTorch の引数の順序"),
        "layer = L.Conv2d(1, 16, 3)",
        "layer = L.Conv2d(16, 3)",
        (
            "Here, as in DeZero, the output channels come first, and the input channels are found at the first call.",
            "DeZero と同じように、最初の引数は出力チャンネル数です。入力チャンネル数は、"
            "最初に呼ばれたときに決まります。",
        ),
    ),
    Mistake(
        ("Names from elsewhere", "ほかのライブラリの名前"),
        "loss = F.cross_entropy(model(x), t)",
        "loss = F.softmax_cross_entropy(model(x), t)",
        (
            "Names of PyTorch and Keras are answered by the name that is meant here.",
            "PyTorch や Keras の名前を書くと、ここでの名前が返ってきます。",
        ),
    ),
    Mistake(
        ("A value changed too early", "値を変えるのが早すぎる"),
        """\
v = Variable([1.0, 2.0])
with tg.debug():
    y = np.sum(v * v)
    v.data[0] = 5.0
    y.backward()""",
        """\
y = np.sum(v * v)
y.backward()
v.data[0] = 5.0""",
        (
            "The backward pass needs the values of the forward pass: ∂(v²)/∂v = 2v with the v that was "
            "squared. Change "
            "data after `backward()`.",
            "逆伝播には順伝播のときの値が必要です。∂(v²)/∂v = 2v の v は、2 乗したときの v です。"
            "値を変えるのは `backward()` の後にします。",
        ),
    ),
    Mistake(
        ("The first NaN", "最初の NaN を探す"),
        """\
p = Variable([0.0, 1.0])
with tg.debug():
    loss = -np.sum(np.log(p))""",
        "loss = -np.sum(np.log(p + 1e-12))",
        (
            "A loss of NaN tells nothing of its origin. `debug()` stops at the first operation that returns "
            "infinity or "
            "NaN, and names your line.",
            "損失が NaN になっても、どこで生じたのかはわかりません。`debug()` は、無限大や NaN "
            "を返した最初の演算で止まり、その行を示します。",
        ),
    ),
    Mistake(
        ("Too large a learning rate", "学習率が大きすぎる"),
        """\
batches = tg.DataLoader(100 * x, x[:, :1], batch_size=4)
tg.fit(models.MLP(1), F.mean_squared_error, batches, optimizers.SGD(10.0), 20, show=False)""",
        """\
batches = tg.DataLoader(x, x[:, :1], batch_size=4)
tg.fit(models.MLP(1), F.mean_squared_error, batches, optimizers.SGD(0.1), 20, show=False)""",
        (
            "Each step overshoots the valley by more than the last. Scale the data to about 1, and lower the "
            "rate until "
            "the loss falls.",
            "ステップごとに、谷を前よりも大きく飛び越えてしまいます。データを 1 程度の大きさにそろえ、"
            "損失が下がるところまで学習率を下げます。",
        ),
    ),
]


def said(program: str) -> str:
    """What the program prints, and the warning or the error that it ends with."""
    np.random.seed(0)
    lines: list[str] = []
    names = {"print": lambda *values: lines.append(" ".join(map(str, values)))}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's own, of overflows.
        try:
            exec(compile(PREAMBLE + program, "yours.py", "exec"), names)
        except Exception as error:
            lines.append(f"{type(error).__name__}: {error}")
    lines = [*(f"{warning.category.__name__}: {warning.message}" for warning in found), *lines]
    return re.sub(r"; at yours\.py:\d+: *$", "", "\n".join(lines))


def page(lang: str) -> str:
    """The page in one language."""
    _, title, start, other = PAGES[lang]
    i = ["en", "ja"].index(lang)
    parts = [title, other, start, f"```python\n{PREAMBLE}```"]
    for n, mistake in enumerate(MISTAKES, 1):
        message = said(mistake.wrong)
        instead = {"en": "Instead:", "ja": "正しくは:"}[lang]
        parts += [f"## {n}. {mistake.title[i]}", f"```python\n{mistake.wrong}\n```", f"```text\n{message}\n```"]
        parts += [mistake.lesson[i], instead, f"```python\n{mistake.right}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    for lang, (name, *_) in PAGES.items():
        (EXAMPLES / name).write_text(page(lang), encoding="utf-8")
