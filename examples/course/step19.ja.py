# %% [markdown]
# # ステップ 19：パラメータは層が持つ
#
# 直線では、曲線をたどれません。2つの行列の積の間に曲げる関数（`tanh`）を挟めば、たどれます。ステップ 17 と同じように、ループごとにパラメータのリストを書いて、学習させてみましょう。

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check

exec(engine(18))  # The engine after step 18.
check = Check(lang="ja")

rng = np.random.default_rng(0)
points = rng.uniform(0, 1, (100, 1))
t = np.sin(2 * np.pi * points) + rng.normal(0, 0.1, (100, 1))

W1, b1 = Variable(rng.normal(0, 1, (1, 10))), Variable(np.zeros(10))
W2, b2 = Variable(rng.normal(0, 1, (10, 1))), Variable(np.zeros(1))
for step in range(2000):
    loss = np.mean((np.tanh(points @ W1 + b1) @ W2 + b2 - t) ** 2)
    for p in (W1, b1, W2):
        p.cleargrad()
    loss.backward()
    for p in (W1, b2, W2):
        p.data = p.data - 0.2 * p.grad.data
print(f"{loss.data:.4f}")

# %% [markdown]
# 気づいたでしょうか。一方のリストには b1 がなく、もう一方には b2 がありません。それでもネットワークは学習します。ただ、うまくいかないだけで、何も教えてくれません。パラメータが百個もあれば、正しいリストなど書けないでしょう。
#
# **アイデア：** 計算をするものが、学習するパラメータも持ちます。`Layer` は、自分の属性の中から自分でパラメータを見つけます。Variable と、中にある Layer の Variable です。ネットワークは Layer でできた Layer で、リストは `params()` 1つになります。


# %% engine
class Layer:
    def params(self):
        for x in vars(self).values():
            yield from x.params() if isinstance(x, Layer) else [x] if isinstance(x, Variable) else []


class Linear(Layer):
    def __init__(self, n, m, rng):
        self.W, self.b = Variable(rng.normal(0, n**-0.5, (n, m))), Variable(np.zeros(m))

    def __call__(self, x):
        return x @ self.W + self.b


# %%
class Net(Layer):
    def __init__(self, rng):
        self.l1, self.l2 = Linear(1, 10, rng), Linear(10, 1, rng)

    def __call__(self, x):
        return self.l2(np.tanh(self.l1(x)))


net, losses = Net(rng), []
for step in range(2000):
    loss = np.mean((net(points) - t) ** 2)
    for p in net.params():
        p.cleargrad()
    loss.backward()
    for p in net.params():
        p.data = p.data - 0.2 * p.grad.data
    losses.append(loss.data.item())
print(f"{losses[0]:.4f} {losses[-1]:.4f}", [p.shape for p in net.params()])

# %%
xs = np.linspace(0, 1, 200)[:, None]
plt.scatter(points, t, s=10)
_ = plt.plot(xs, net(xs).data, "r")

# %% [markdown]
# 重みは乱数から始めます。足し合わせる入力が多いほど小さくし、1/√n にすれば、和の大きさが入力と同じくらいになります。すべてを 0 から始めると、10個とも同じ勾配を受け取り、いつまでも同じままです。
#
# ## 問題
#
# 1. Linear(64, 50) と Linear(50, 10) でできたネットワークのパラメータは、数にしていくつありますか。
# 2. どちらの層も W = 0、b = 0 から始めた Net では、最初の層の W の勾配はいくつになりますか。

# %%
zero = Net(rng)
for p in zero.params():
    p.data = p.data * 0
np.mean((zero(points) - t) ** 2).backward()
check(1, ..., sum(p.size for layer in (Linear(64, 50, rng), Linear(50, 10, rng)) for p in layer.params()))
check(2, ..., zero.l1.W.grad.data[0, 0])
