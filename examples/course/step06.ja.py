# %% [markdown]
# # ステップ 6：入力がいくつもある関数
#
# これまでの Function は入力が1つだけで、グラフは1本の連なりでした。2つの数の掛け算さえできません。

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(5))  # The engine after step 5.
check = Check(lang="ja")


class Mul(Function):
    def forward(self, a, b):
        return a * b


with fails(TypeError):
    Mul()(Variable(2.0), Variable(3.0))

# %% [markdown]
# **アイデア：** Function は入力の列 `xs` を持ち、`backward` は入力ごとに1つずつ勾配を返します。a についての a·b の傾きは、b を定数と見れば b です。b についても同様です。和は、届いた勾配をそのまま両方に渡します。
#
# すると道は枝分かれします。これから訪れる場所は、リストに入れて待たせておきます。


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
                x.grad = gx
                waiting.append(x)


Variable.backward = backward


class Function:
    """Called on Variables, it returns one that remembers the call."""

    def __call__(self, *xs):
        self.xs = xs
        return Variable(self.forward(*[x.data for x in xs]), creator=self)


class Square(Function):
    def forward(self, x):
        return x * x

    def backward(self, gy, x):
        return (gy * 2 * x,)


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy, x):
        return (gy * np.exp(x),)


class Add(Function):
    def forward(self, a, b):
        return a + b

    def backward(self, gy, a, b):
        return gy, gy


class Mul(Function):
    def forward(self, a, b):
        return a * b

    def backward(self, gy, a, b):
        return gy * b, gy * a


# %%
a, b, c = Variable(2.0), Variable(3.0), Variable(4.0)
y = Add()(Mul()(a, b), Square()(c))
y.backward()
print(a.grad, b.grad, c.grad)
picture(y)

# %% [markdown]
# y = a·b + c² の傾きは b、a、2c です。一度戻るだけで、3つともに求まりました。入力が千個あっても、戻るのは一度です。ネットワークの学習に差分ではなく逆伝播を使うのは、このためです。
#
# ## 問題
#
# 1. a = 1、b = 2、c = 5 のとき、y = (a + b)·c の a、b、c の勾配はいくつですか。3つの数のリストで答えてください。
# 2. a − b を計算する Function の `backward` を、gy、a、b を受け取ってタプルを返す関数として書いてください。

# %%
a, b, c = Variable(1.0), Variable(2.0), Variable(5.0)
Mul()(Add()(a, b), c).backward()
check(1, ..., [a.grad, b.grad, c.grad])
check(2, ..., lambda gy, a, b: (gy * ((a + 1) - b - (a - b)), gy * (a - (b + 1) - (a - b))), at=[(1.0, 3.0, 4.0)])
