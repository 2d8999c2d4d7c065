# %% [markdown]
# # ステップ 24：グラフが書くプログラム
#
# 学習では、一歩ごとにグラフを記録し直し、たどり直します。エンジンは、さっき調べたばかりのことを、何度も一から調べているのです。

# %%
from build import engine
from tinygrad_jp.course import Check

exec(engine(23))  # The engine after step 23: minitensor.py.
check = Check(lang="ja")

rng = np.random.default_rng(0)
x, t, W = (Variable(rng.normal(size=shape)) for shape in ((4, 3), (4, 2), (3, 2)))
b, gy = Variable(np.zeros(2)), Variable(1.0)


def graph_of_gradients():
    W.cleargrad(), b.cleargrad()
    loss = np.mean((np.tanh(x @ W + b) - t) ** 2)
    loss.grad = gy
    loss.backward(create_graph=True)
    return functions_behind(W.grad)


print([f.func.__name__ for f in graph_of_gradients()] == [f.func.__name__ for f in graph_of_gradients()])

# %% [markdown]
# 毎回、同じ Function が同じ順に並びます。それなら一度だけ、ありのままに書き留めましょう。NumPy の呼び出しとして、です。
#
# **アイデア：** 材料はもうあります。`create_graph` を付けた逆伝播はグラフを残します。そしてグラフは、深さの順に行を並べたプログラムです。Function 1つが1行になります。結果の名前、関数、引数の名前を書くだけです。新しい規則は要りません。そこにあるものを読む、というほかには、新しいアイデアも要りません。


# %%
def program(*results, **names):
    """NumPy source that computes `results` from the Variables and arrays in `names`."""
    text = {id(x): name for name, x in names.items()}

    def word(x):
        if isinstance(x, Variable):
            return text[id(x.creator or x)]
        return text.get(id(x)) or repr(x.tolist() if isinstance(x, np.ndarray | np.generic) else x)

    lines = []
    for f in sorted({f: True for y in results for f in functions_behind(y)}, key=lambda f: f.depth):
        text[id(f)] = f"v{len(lines) + 1}"
        arguments = [*map(word, f.args), *(f"{key}={value!r}" for key, value in f.settings.items())]
        lines.append(f"{text[id(f)]} = np.{f.func.__name__}({', '.join(arguments)})")
    return "\n".join([*lines, f"results = {', '.join(map(word, results))}"])


graph_of_gradients()
source = program(W.grad, b.grad, x=x, t=t, W=W, b=b, gy=gy)
print(source)

# %% [markdown]
# 読んでみましょう。`v1`、`v4`、`v6`、`v9` が順伝播です。その間と下に、誰も書かなかった逆伝播があります。`v11` は tanh の傾き、`v15` と `v18` が結果です。このプログラムは、エンジンなしで、NumPy だけで動きます。

# %%
room = {"np": np, "x": x.data, "t": t.data, "W": W.data, "b": b.data, "gy": gy.data}
exec(source, room)
print([np.array_equal(g, p.grad.data) for g, p in zip(room["results"], (W, b), strict=True)])

# %% [markdown]
# 最後の一ビットまで一致しました。空のファイルから始まった道は、ここで終わります。プログラムを微分し、その結果をプログラムとして書き出すプログラムができました。ライブラリはここから先へ進みます。`tinygrad_jp/core/` を読んでみてください。中にあるのは、もう知っていることです。
#
# ## 問題
#
# 1. np.sin(x) の勾配のプログラムは、`program(x.grad, x=x, gy=gy)` では（最後の行も入れて）何行になりますか。
# 2. 上の `source` で最も多く呼ばれている NumPy の関数は何ですか。名前を文字列で答えてください。

# %%
z = Variable(1.0)
y = np.sin(z)
y.grad = gy
y.backward(create_graph=True)
check(1, ..., len(program(z.grad, z=z, gy=gy).splitlines()))
calls = [line.split("np.")[1].split("(")[0] for line in source.splitlines() if "np." in line]
check(2, ..., max(dict.fromkeys(calls), key=calls.count))
