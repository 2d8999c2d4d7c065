# %% [markdown]
# # ステップ 11：思ったとおりに書く
#
# エンジンは正しく動きますが、使い心地はよくありません。(1 − a)² + 100·(b − a²)² を書こうとすると、呼び出しが11個も入れ子になります。書きたいように書いても、動きません。

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(10))  # The engine after step 10.
check = Check(lang="ja")

a, b = Variable(2.0), Variable(3.0)
with fails(TypeError):
    a * b

# %% [markdown]
# **アイデア：** Python のクラスは、`+`、`*`、`**` の意味を自分で決められます。`a * b` は `a.__mul__(b)` を呼びます。`2 * a` では、数のほうは Variable を知らないので、`a.__rmul__(2)` が呼ばれます。残りの演算子は、この3つから作れます。a − b は a + (−1)·b、a / b は a·b⁻¹ です。
#
# `2 * a` を許すと、普通の数も入ってきます。これは定数です。順伝播には加わりますが、勾配は受け取りません。


# %% engine
class Variable:
    """A number that knows the Function it came from, and its gradient."""

    def __init__(self, data, creator=None):
        self.data, self.creator, self.grad = data, creator, None

    def __repr__(self):
        return f"Variable({self.data})"

    __add__ = __radd__ = lambda self, other: Add()(self, other)
    __mul__ = __rmul__ = lambda self, other: Mul()(self, other)
    __pow__ = lambda self, n: Power()(self, n)
    __neg__ = lambda self: self * -1
    __sub__ = lambda self, other: self + -other
    __rsub__ = lambda self, other: -self + other
    __truediv__ = lambda self, other: self * other**-1
    __rtruediv__ = lambda self, other: other * self**-1

    def cleargrad(self):
        self.grad = None

    def backward(self):
        grads = {self.creator or self: 1.0}
        for f in functions_behind(self):
            gxs = f.backward(grads.pop(f), *map(plain, f.args))
            for x, g in zip(f.args, gxs, strict=True):
                if isinstance(x, Variable):
                    key = x.creator or x
                    grads[key] = grads[key] + g if key in grads else g
        for x, g in grads.items():
            x.grad = g if x.grad is None else x.grad + g


def __call__(self, *args):
    self.args, self.xs = args, [x for x in args if isinstance(x, Variable)]
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
    return Variable(self.forward(*map(plain, args)), creator=self)


Function.__call__ = __call__


def plain(x):
    return x.data if isinstance(x, Variable) else x


class Power(Function):
    def forward(self, a, b):
        return a**b

    def backward(self, gy, a, b):
        return gy * b * a ** (b - 1), gy * a**b * np.log(a)


del Square  # x * x, or x**2.

# %%
a, b = Variable(0.5), Variable(3.0)
y = (1 - a) ** 2 + 100 * (b - a**2) ** 2
y.backward()
print(y, a.grad, b.grad)
picture(y)

# %% [markdown]
# これは、降下法を試すのに使われるローゼンブロック関数です。教科書と同じ書き方になりました。
#
# ## 問題
#
# 1. a = 3、b = 1 のとき、y = (a − b) / (a + b) の `a.grad` はいくつですか。
# 2. `2 - a` では、Python はどのメソッドを呼びますか。名前を文字列で答えてください。

# %%
a, b = Variable(3.0), Variable(1.0)
((a - b) / (a + b)).backward()
check(1, ..., a.grad)
check(2, ..., next(name for name in vars(Variable) if name.startswith("__rs")))
