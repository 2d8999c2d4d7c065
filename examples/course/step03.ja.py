# %% [markdown]
# # ステップ 3：連鎖律を手で
#
# グラフはできましたが、傾きはまだありません。手元にあるのは差分だけで、差分は決して正確にはなりません。

# %%
from build import engine
from tinygrad_jp.course import Check

exec(engine(2))  # The engine after step 2.
check = Check(lang="ja")


def f(x):
    return np.exp(x**2)


def central_difference(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


x = 3.0
print("by differences:", central_difference(f, x))
print("by calculus:   ", np.exp(x**2) * 2 * x)

# %% [markdown]
# 2つの値は10桁目で食い違います。正確なのは2行目で、しかも f をもう一度計算する必要がありません。これが連鎖律です。exp(x²) の傾きは、x² での exp の傾きに、x での x² の傾きを掛けたものです。
#
# **アイデア：** どの Function も、自分の傾きだけを知っています。メソッド `backward` は、出力に届いた勾配 `gy` を受け取ります。これは、y が変わったとき最後の結果がどれだけ変わるかを表します。返すのは入力の勾配で、`gy` に自分の傾きを掛けたものです。これを次々につなげば、傾きはひとりでに掛け合わされます。


# %% engine
class Square(Function):
    def forward(self, x):
        return x * x

    def backward(self, gy, x):
        return gy * 2 * x


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy, x):
        return gy * np.exp(x)


# %%
x = Variable(3.0)
v = Square()(x)
y = Exp()(v)

gy = 1.0  # How much y changes per change of y.
gv = y.creator.backward(gy, v.data)
gx = v.creator.backward(gv, x.data)
print("by the chain:  ", gx)

# %% [markdown]
# 順伝播は x から y へ、*逆伝播*は y から x へ進みます。連なりがどんなに長くても、それぞれの Function に尋ねるのは一度だけです。では、なぜ後ろから進むのでしょうか。最後の結果は1つで、入力はたくさんあるからです。終わりから一度戻るだけで、すべての入力を通ります。ステップ 1 の差分は、入力ごとに最初からやり直さなければなりませんでした。
#
# ## 問題
#
# 1. x = 1 での exp(x²) の傾きはいくつですか。小数第三位まで答えてください。
# 2. 入力を3乗する Function の `backward` を、gy と x の関数として書いてください。

# %%
check(1, ..., central_difference(f, 1.0))
check(2, ..., lambda gy, x: gy * central_difference(lambda x: x**3, x), at=[(1.0, 2.0), (0.5, -1.0)])
