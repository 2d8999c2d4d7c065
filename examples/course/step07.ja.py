# %% [markdown]
# # ステップ 7：二度使えば二度数える
#
# Variable は何度使ってもかまいません。最も簡単な例は x + x で、その傾きは 2 です。

# %%
from build import engine
from tinygrad_jp.course import Check, picture

exec(engine(6))  # The engine after step 6.
check = Check(lang="ja")

x = Variable(3.0)
Add()(x, x).backward()
print("x + x:", x.grad)

x = Variable(3.0)
Mul()(x, x).backward()
print("x * x:", x.grad)

# %% [markdown]
# 2 のはずが 1、6 のはずが 3 になりました。x には矢印ごとに1つ、合わせて2つの勾配が届きますが、`x.grad = gx` では2つ目が1つ目を上書きしてしまいます。

# %%
picture(Mul()(x, x))

# %% [markdown]
# **アイデア：** 寄与は足し合わせます。x が少し変わると、x から y へのすべての道を通って y が変わり、その変化は足し合わされます。勾配も同じです。微積分ではこれを全微分と呼びます。


# %% engine
def backward(self):
    self.grad = 1.0
    waiting = [self]
    while waiting:
        y = waiting.pop()
        if y.creator:
            xs = y.creator.xs
            gxs = y.creator.backward(y.grad, *[x.data for x in xs])
            for x, gx in zip(xs, gxs, strict=True):
                x.grad = gx if x.grad is None else x.grad + gx
                waiting.append(x)


Variable.backward = backward

# %%
x = Variable(3.0)
Add()(x, x).backward()
print("x + x:", x.grad)

x = Variable(3.0)
Mul()(x, x).backward()
print("x * x:", x.grad)

# %% [markdown]
# どちらも正しくなりました。変えたのは1行だけです。手書きの逆伝播がいちばんよく間違えるのが、この1行です。
#
# ## 問題
#
# 1. x = 3 のとき、y = x·x + x の `x.grad` はいくつですか。
# 2. a を a·b と a + b の両方に使い、その2つを掛けます。a = 1、b = 2 のとき、y = (a·b)·(a + b) の `a.grad` はいくつですか。

# %%
x, a, b = Variable(3.0), Variable(1.0), Variable(2.0)
Add()(Mul()(x, x), x).backward()
Mul()(Mul()(a, b), Add()(a, b)).backward()
check(1, ..., x.grad)
check(2, ..., a.grad)
