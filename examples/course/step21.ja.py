# %% [markdown]
# # ステップ 21：交差エントロピーで数字を読む
#
# 10個の数字を見分けるネットワークには、出力が10個あります。*ソフトマックス* exp(x) / Σ exp(x) は、それを合計 1 の割合にします。損失は、正解に割り当てられた割合の −log です。全部が割り当てられれば 0 で、少ないほど大きくなります。

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp import datasets
from tinygrad_jp.course import Check, fails

exec(engine(20))  # The engine after step 20.
check = Check(lang="ja")

for outputs in ([2.0, 1.0, 0.0], [1000.0, 1.0, 0.0]):
    with np.errstate(all="ignore"):
        print(-np.log(np.exp(outputs) / np.sum(np.exp(outputs))))
with fails(TypeError):
    Variable(outputs)[0]

# %% [markdown]
# 定義どおりに計算すると、オーバーフローします。exp(1000) は無限大で、無限大割る無限大は数になりません。自信満々の出力が1つあるだけで、学習全体が NaN になります。しかも、Variable からは要素を取り出せません。正解の要素が必要なのに、です。
#
# **アイデア：** 対数まで、まとめて計算します。−log p は、log Σ exp(x) から正解の x を引いたものです。すべての x から同じ数を引いても、この値は変わりません。いちばん大きい x を引けば、exp に渡る数は 0 を超えません。添字で取り出した要素の勾配は、ゼロを並べた配列の同じ場所に戻します。同じ要素を二度取り出したなら、寄与を足し合わせます。それが `scatter` です。


# %% engine
def __getitem__(self, index):
    return apply(operator.getitem, self, index)


Variable.__getitem__ = __getitem__


def scatter(x, index, shape):
    y = np.zeros(shape, x.dtype)
    np.add.at(y, index, x)
    return y


RULES |= {
    operator.getitem: (lambda gy, y, x, index: apply(scatter, gy, index, x.shape),),
    scatter: (lambda gy, y, x, index, shape: gy[index],),
}


def cross_entropy(x, t):
    """The mean of −log p, where p is what the softmax of a row of x gives to its label."""
    x = x - np.max(x.data, axis=1, keepdims=True)  # p stays the same, and exp cannot overflow.
    return np.mean(np.log(np.sum(np.exp(x), axis=1)) - x[np.arange(len(t)), t])


# %%
print(cross_entropy(Variable([[1000.0, 1.0, 0.0], [2.0, 1.0, 0.0]]), np.array([0, 0])))


class Net(Layer):
    def __init__(self, rng):
        self.l1, self.l2 = Linear(64, 50, rng), Linear(50, 10, rng)

    def __call__(self, x):
        return self.l2(np.tanh(self.l1(x)))


rng = np.random.default_rng(0)
x, t = datasets.Digits()[:]  # 1,437 images of 8×8 pixels, and what they show.
net = Net(rng)
optimizer, losses = SGD(net.params(), lr=0.1, momentum=0.9), []
for epoch in range(10):
    for batch in np.array_split(rng.permutation(len(x)), 45):
        loss = cross_entropy(net(x[batch]), t[batch])
        loss.backward()
        optimizer.update()
        losses.append(loss.data.item())

unseen, labels = datasets.Digits(train=False)[:]
found = np.argmax(net(unseen).data, axis=1)
print(f"{np.mean(found == labels):.0%} of {len(labels)} unseen digits")

# %%
figure, axes = plt.subplots(1, 6, figsize=(10, 2))
axes[0].plot(losses)
for i, a in enumerate(axes[1:]):
    a.imshow(unseen[i].reshape(8, 8), cmap="gray_r")
    a.set(title=str(found[i]), xticks=[], yticks=[])

# %% [markdown]
# 百数十行のエンジンが、手書きの数字を読めるようになりました。32 枚の画像を集めた*バッチ*があれば、目安として十分な傾きが得られます。
#
# ## 問題
#
# 1. 10個の数字すべてに同じ割合を割り当てるネットワークの交差エントロピーはいくつですか。小数第三位まで答えてください。
# 2. 画像が1枚のとき、*正解*の数字の出力について、その損失の勾配はいくつですか。

# %%
outputs = Variable(np.zeros((1, 10)))
cross_entropy(outputs, np.array([3])).backward()
check(1, ..., cross_entropy(outputs, np.array([3])))
check(2, ..., outputs.grad.data[0, 3])
