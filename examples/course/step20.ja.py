# %% [markdown]
# # ステップ 20：前の一歩を覚えておく
#
# 細長い谷があります。横切る向きには急で、沿う向きにはほとんど平らです。x²/100 + y² もその1つです。(−7, 2) から勾配降下法で 30 歩下ってみます。

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check

exec(engine(19))  # The engine after step 19.
check = Check(lang="ja")


def valley(p):
    return np.sum(p * p * np.array([0.01, 1.0]))


def descend(lr, steps=30):
    p, path = Variable([-7.0, 2.0]), []
    for _ in range(steps):
        path.append(p.data)
        p.cleargrad()
        valley(p).backward()
        p.data = p.data - lr * p.grad.data
    return np.array(path)


for lr in (0.1, 0.9, 1.1):
    print(lr, descend(lr)[-1].round(3))

# %% [markdown]
# 学習率が小さいと、x はほとんど動きません。大きいと、y が壁から壁へ飛び移ります。もっと大きくすると、x が着く前に谷から飛び出してしまいます。
#
# **アイデア：** 球なら転がるでしょう。球には*勢い*（モーメンタム）があり、一歩ごとに前の一歩を引き継ぎます。行ったり来たりする向きは打ち消し合い、いつも同じ向きは積み重なります。そこで、パラメータごとに一歩を覚えておくものが要ります。これが*最適化手法*（optimizer）のオブジェクトです。勾配も消してくれるので、ステップ 8 のようなことはもう起こりません。


# %% engine
class SGD:
    def __init__(self, params, lr, momentum=0.0):
        self.lr, self.momentum, self.steps = lr, momentum, {p: np.zeros_like(p.data) for p in params}

    def update(self):
        for p in self.steps:
            self.steps[p] = self.momentum * self.steps[p] - self.lr * p.grad.data
            p.data, p.grad = p.data + self.steps[p], None


# %%
def roll(lr, momentum, steps=30):
    p, path = Variable([-7.0, 2.0]), []
    optimizer = SGD([p], lr, momentum)
    for _ in range(steps):
        path.append(p.data)
        valley(p).backward()
        optimizer.update()
    return np.array(path)


print(roll(0.9, 0.7)[-1].round(3))
xs, ys = np.meshgrid(np.linspace(-8, 8, 100), np.linspace(-3, 3, 100))
plt.contour(xs, ys, xs**2 / 100 + ys**2, levels=20, linewidths=0.5)
for path, label in ((descend(0.1), "descent"), (descend(0.9), "descent, lr = 0.9"), (roll(0.9, 0.7), "momentum")):
    plt.plot(*path.T, "o-", markersize=3, label=label)
_ = plt.legend()

# %% [markdown]
# `p.data + self.steps[p]` は新しい配列を作ります。もし `+=` で古い配列に書き込むと、グラフがまだ持っている配列まで変わり、そのグラフをたどる逆伝播は何も言わずに間違います。
#
# SGD は*確率的勾配降下法*の略です。次のステップでは、バッチを無作為に選びます。Adam とその仲間は、過去の勾配の大きさも覚えています。ライブラリの `tinygrad_jp.optimizers` にあります。
#
# ## 問題
#
# 1. 勾配がいつも 1 で、lr = 0.1、momentum = 0.9 とします。二歩目はいくつですか。（一歩目は −0.1 です。）
# 2. 一歩は、最後にはどんな数に近づきますか。

# %%
p = Variable(0.0)
optimizer, steps = SGD([p], lr=0.1, momentum=0.9), []
for _ in range(200):
    p.grad = Variable(1.0)
    optimizer.update()
    steps.append(optimizer.steps[p].item())
check(1, ..., steps[1])
check(2, ..., steps[-1])
