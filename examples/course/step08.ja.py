# %% [markdown]
# # ステップ 8：昨日の勾配
#
# 傾きが求まるようになったので、何か学習させてみましょう。y = x² − 4x が最も低いのは x = 2 のところです。*勾配降下法*は、傾きと逆の向きに少しずつ進んで、そこを見つけます。

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check

exec(engine(7))  # The engine after step 7.
check = Check(lang="ja")


def f(x):
    return Add()(Mul()(x, x), Mul()(Variable(-4.0), x))


def descend(x, forget, lr=0.1, steps=40):
    path = [x.data]
    for _ in range(steps):
        forget(x)
        f(x).backward()
        x.data = x.data - lr * x.grad
        path.append(x.data)
    return path


wrong = descend(Variable(5.0), forget=lambda x: None)
print(wrong[:4], "...", wrong[-1])

# %% [markdown]
# 目標を通り過ぎ、いつまでも落ち着きません。前のステップで、勾配を足し合わせるようにしました。次の `backward` が始まっても、足し算は続いています。二歩目の x が受け取るのは、一歩目と二歩目の傾きの和なのです。
#
# **アイデア：** 一度の逆伝播の中では、足し合わせるのが正解です。逆伝播をまたいで足すのは、そう望んだときだけにします。新しい勾配を求める前に、前の勾配を消します。


# %% engine
def cleargrad(self):
    self.grad = None


Variable.cleargrad = cleargrad

# %%
right = descend(Variable(5.0), forget=Variable.cleargrad)
print(f"{right[-1]:.4f}")
plt.plot(wrong, "o-", markersize=3, label="leftover")
plt.plot(right, "o-", markersize=3, label="cleargrad")
plt.xlabel("step")
plt.ylabel("x")
_ = plt.legend()

# %% [markdown]
# PyTorch を使う人には、`zero_grad` の書き忘れとしておなじみの間違いです。ではなぜ、自動で消さないのでしょうか。足し合わせたいこともあるからです。2つのバッチを続けて計算すれば、両方を合わせた勾配になります。
#
# ## 問題
#
# 1. x = 5 での傾きは 2·5 − 4 = 6 です。lr = 0.1 で一歩進むと、x はどこに来ますか。
# 2. x = 5 で f(x) を計算して `backward` を呼び、`cleargrad` せずに同じことをもう一度します。`x.grad` はいくつですか。

# %%
check(1, ..., right[1])
x = Variable(5.0)
f(x).backward()
f(x).backward()
check(2, ..., x.grad)
