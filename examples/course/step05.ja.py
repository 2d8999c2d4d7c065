# %% [markdown]
# # ステップ 5：深くなりすぎない歩き方
#
# 長い文章でネットワークを学習させると、何千もの Function が連なります。ここでは 10,000 個の sin を連ねてみます。

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(4))  # The engine after step 4.
check = Check(lang="ja")


class Sin(Function):
    def forward(self, x):
        return np.sin(x)

    def backward(self, gy, x):
        return gy * np.cos(x)


def chain(x, n):
    for _ in range(n):
        x = Sin()(x)
    return x


x = Variable(1.0)
with fails(RecursionError):
    chain(x, 10_000).backward()

# %% [markdown]
# この `backward` は、自分が終わらないうちに、次の Variable の `backward` を呼びます。そのため 10,000 個の呼び出しが同時に開いたままになります。Python が許すのは千個ほどです。
#
# **アイデア：** ループにします。一歩進むのに必要なのは、いま立っている Variable だけです。一歩進んだら、前の場所は忘れます。


# %% engine
def backward(self):
    self.grad = 1.0
    y = self
    while y.creator:
        x = y.creator.x
        x.grad = y.creator.backward(y.grad, x.data)
        y = x


Variable.backward = backward  # A method may be replaced from outside.

# %%
x = Variable(1.0)
y = chain(x, 10_000)
y.backward()
print(f"{x.grad:.3e}")

# %% [markdown]
# 最後まで通りました。百万個でも通るでしょう。このとても小さな数は正しいのでしょうか。ステップ 1 の審判に聞いてみます。

# %%
h = 1e-5
print(f"{(chain(Variable(1.0 + h), 10_000).data - chain(Variable(1.0 - h), 10_000).data) / (2 * h):.3e}")

# %% [markdown]
# では、なぜこんなに小さいのでしょうか。sin を1つ通るたびに、勾配には cos、つまり 1 より小さい数が掛かります。1 より小さい数を 10,000 回掛ければ、消えてしまいます。ネットワークの長い連なりを悩ませる*勾配消失*とは、このことです。
#
# ## 問題
#
# 1. 3つの Function をたどるとき、`while` ループは何回まわりますか。
# 2. 連なりのどの Function も、傾きは 0.5 です。10個連なったとき、始まりでの勾配はいくつですか。

# %%
check(1, ..., len([Sin, Sin, Sin]))
check(2, ..., 1 / 1024)
