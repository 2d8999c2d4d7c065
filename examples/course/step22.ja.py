# %% [markdown]
# # ステップ 22：自分を描くエンジン
#
# これまでの図は、ライブラリが描いていました。このエンジンは、自分について何を見せられるでしょうか。

# %%
from build import engine
from tinygrad_jp.course import Check
from tinygrad_jp.graph import Graph

exec(engine(21))  # The engine after step 21.
check = Check(lang="ja")

x, W, b = Variable(np.ones((4, 3))), Variable(np.ones((3, 2))), Variable(np.zeros(2))
y = np.sum(np.tanh(x @ W + b) ** 2)
print(y)

# %% [markdown]
# 今度も、ただの数です。でも、材料はそろっています。`functions_behind` は Function を並べてくれますし、どの Function も自分の入力を知っています。
#
# **アイデア：** グラフを文字で書き、描くのはほかのプログラムに任せます。*Graphviz* は、DOT という言語で書かれたものを描きます。`a -> b` は矢印で、`a [label="tanh"]` は節に書く文字です。あとは、節ごとに名前があれば十分です。逆伝播のときと同じように、結果はそれを作った Function の名前で、葉は自分の名前で表します。


# %% engine
def dot(y):
    """The graph behind y in DOT, the language of Graphviz."""
    names, node = {}, lambda x: names.setdefault(x.creator or x, len(names))
    lines = ['digraph { rankdir=LR; size=8; node [label="", shape=box]; y [label=y]', f"{node(y)} -> y"]
    for f in functions_behind(y):
        lines += [f'{node(x)} -> {names[f]} [label="{x.shape}"]' for x in f.xs]
        lines += [f'{names[f]} [label="{f.func.__name__}", shape=ellipse]']
    return "\n".join([*lines, "}"])


# %%
print(dot(y))
Graph(dot(y), {}, "en")

# %% [markdown]
# 空の四角は葉です。矢印には形が書いてあります。形についてのエラーが出たら、まずここを見ます。勾配も自分のグラフを持つ Variable なので、同じように描けます。

# %%
y.backward(create_graph=True)
Graph(dot(b.grad), {}, "en")

# %% [markdown]
# Function を数えてみてください。逆伝播の仕事は順伝播の2倍ほどで、しかも順伝播をその中に含んでいます。
#
# ## 問題
#
# 1. x * x + x の図には、y への矢印も入れて、矢印が何本ありますか。
# 2. 葉を1つ渡した `cross_entropy` の後ろには、Function がいくつありますか。式で数えても、エンジンに尋ねてもかまいません。

# %%
x = Variable(3.0)
check(1, ..., dot(x * x + x).count("->"))
check(2, ..., len(functions_behind(cross_entropy(Variable(np.zeros((2, 3))), np.array([0, 1])))))
