# %% [markdown]
# # ステップ 1：傾きとは差のこと
#
# 学習とは、誤差が小さくなるように数を変えていくことです。どちらへ変えればよいかは、傾き、つまり誤差の微分が教えてくれます。この講座では二十四のステップで、NumPy で書かれたどんなプログラムでも微分できるエンジンを作ります。
#
# どのステップも、前のステップではできなかったことから始まります。今日はまだ何もないので、定義から始めましょう。x を少しだけ変えると、y = x³ はどれだけ変わるでしょうか。x = 2 での傾きは 3·2² = 12 です。

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_jp.course import Check

check = Check(lang="ja")


def f(x):
    return x**3


def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


print(forward_difference(f, 2.0, h=0.1))
print(forward_difference(f, 2.0, h=1e-15))

# %% [markdown]
# どちらも間違っています。h が大きいと、2点を通る直線は曲線よりも急になります。h が小さすぎると、2つの値は 16 桁のほとんどが一致し、引き算のあとに残るのはノイズだけです。
#
# **アイデア：** 両側を見ます。前進差分の誤差は h に比例して小さくなりますが、中心差分の誤差は h² に比例して小さくなります。ノイズが目立つ前に、十分よい値が得られるのです。


# %%
def central_difference(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


print(central_difference(f, 2.0))

# %%
steps = 10.0 ** np.arange(-15, 0)
for difference in (forward_difference, central_difference):
    plt.loglog(steps, [abs(difference(f, 2.0, h) - 12) for h in steps], "o-", label=difference.__name__)
plt.xlabel("h")
plt.ylabel("|error|")
_ = plt.legend()

# %% [markdown]
# 右から左へ見ていくと、どちらの誤差もはじめは減り、やがてまた増えます。中心差分の誤差が最も小さいのは h = 1e-5 のあたりで、10桁が正しく求まります。この中心差分を、講座を通しての審判とします。どんな方法で求めた微分も、差分と一致しなければなりません。
#
# ## 問題
#
# `...` の代わりに答えを書いて、セルを実行してください。
#
# 1. x² の 3 での中心差分は、大きな刻み幅 h = 0.5 ではいくつになりますか。まず図を思い浮かべてください。
# 2. ある誤差は 1,000 個の数によって決まります。すべての傾きを中心差分で求めるには、誤差を何回計算する必要がありますか。

# %%
check(1, ..., central_difference(lambda x: x**2, 3.0, h=0.5))
check(2, ..., 2 * 1000)
