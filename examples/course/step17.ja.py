# %% [markdown]
# # ステップ 17：行列
#
# ネットワークの層は行列の積です。どの出力も、すべての入力に重みを付けた和になっています。NumPy にはありますが、表にはまだありません。普通の積の規則をそのまま使えるでしょうか。

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(16))  # The engine after step 16.
check = Check(lang="ja")

x, W = Variable(np.ones((5, 3))), Variable(np.ones((3, 2)))
with fails(TypeError):
    x @ W
RULES[np.matmul] = RULES[np.multiply]
with fails(ValueError):
    (x @ W).backward()

# %% [markdown]
# 形を見れば、使えないと分かります。`gy` は (5, 2)、W は (3, 2) ですが、x の勾配は (5, 3) でなければなりません。
#
# **アイデア：** 要素を1つ追いかけます。x[i, k] は、どの j についても、W[k, j] と掛けられて y[i, j] に入ります。だから、その勾配は gy[i, j]·W[k, j] を j について足したものです。このような j についての和は、やはり行列の積で、`gy @ W.T` です。W では行 i について足すので、`x.T @ gy` になります。形が合う掛け方はこれしかないので、こう覚えておけば忘れません。`.T` の代わりに `swapaxes` を使えば、行列を積み重ねたものでも成り立ちます。（ベクトルは、1行か1列の行列として書いてください。）


# %% engine
RULES |= {
    np.swapaxes: (lambda gy, y, x, i, j: np.swapaxes(gy, i, j),),
    np.matmul: (lambda gy, y, a, b: gy @ np.swapaxes(b, -1, -2), lambda gy, y, a, b: np.swapaxes(a, -1, -2) @ gy),
}

# %%
(x @ W).backward()
print(x.grad.shape, W.grad.shape)

# %% [markdown]
# これで、データから学習するものを初めて作れます。点の間に直線を引いてみましょう。モデルは x·W + b、誤差（*損失*）は差の2乗の平均です。W と b は、坂を下っていきます。

# %%
rng = np.random.default_rng(0)
points = rng.uniform(0, 1, (100, 1))
t = 5 + 2 * points + rng.normal(0, 0.2, (100, 1))

W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
for step in range(200):
    loss = np.mean((points @ W + b - t) ** 2)
    for p in (W, b):
        p.cleargrad()
    loss.backward()
    for p in (W, b):
        p.data = p.data - 0.3 * p.grad
print(f"{loss.data:.3f} {W.data.item():.2f} {b.data.item():.2f}")

# %%
plt.scatter(points, t, s=10)
_ = plt.plot([0, 1], [b.data.item(), b.data.item() + W.data.item()], "r")

# %% [markdown]
# 点は 2x + 5 にノイズを加えて作りました。見つかったのも、その直線です。
#
# ## 問題
#
# 1. x が (32, 64)、W が (64, 10) のとき、x @ W の勾配 `gy` の形をタプルで答えてください。
# 2. 誰かが W の規則を `gy.T @ x` と書きました。(64, 10) であるべきところが、どんな形になりますか。

# %%
check(1, ..., (np.ones((32, 64)) @ np.ones((64, 10))).shape)
check(2, ..., (np.ones((32, 10)).T @ np.ones((32, 64))).shape)
