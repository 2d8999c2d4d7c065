# %% [markdown]
# # ステップ 12：普通の NumPy のままで
#
# いまの Variable は、仲間うちだけで暮らしています。NumPy に出会うと、よくてエラーです。

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(11))  # The engine after step 11.
check = Check(lang="ja")

x = Variable(0.5)
with fails(TypeError):
    np.exp(x)
print(np.array([1.0, 2.0]) * x)

# %% [markdown]
# 悪ければ、Variable が2つ入った奇妙な配列になります。NumPy で書かれたプログラムは、こちらの言葉に書き直さなければなりません。
#
# **アイデア：** NumPy のほうから尋ねてもらいます。要素ごとの関数（*ufunc*）は、知らないものに触れる前に、メソッド `__array_ufunc__` があるかを調べ、あればすべてを任せます。あとは、どの ufunc がどの Function に当たるかの表があれば十分です。演算子はおまけで付いてきます。NumPy の `NDArrayOperatorsMixin` が、`a + b` を `np.add(a, b)` に、というように置き換えてくれます。


# %% engine
from numpy.lib.mixins import NDArrayOperatorsMixin


class Variable(NDArrayOperatorsMixin):
    """An array that knows its gradient, and the Function that it came from."""

    __hash__ = object.__hash__  # The mixin compares by value, but keys of a dictionary are compared by identity.

    def __init__(self, data, creator=None):
        self.data, self.grad, self.creator = data, None, creator

    def __array_ufunc__(self, ufunc, method, *args, **settings):
        return RULES[ufunc]()(*args) if method == "__call__" else NotImplemented

    def __repr__(self):
        return f"Variable({self.data})"

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


class Subtract(Function):
    def forward(self, a, b):
        return a - b

    def backward(self, gy, a, b):
        return gy, -gy


class Divide(Function):
    def forward(self, a, b):
        return a / b

    def backward(self, gy, a, b):
        return gy / b, -gy * a / b**2


class Negative(Function):
    def forward(self, x):
        return -x

    def backward(self, gy, x):
        return (-gy,)


RULES = {
    np.add: Add,
    np.subtract: Subtract,
    np.multiply: Mul,
    np.divide: Divide,
    np.power: Power,
    np.negative: Negative,
    np.exp: Exp,
}


# %%
def sigmoid(x):  # Written for NumPy, by someone who never heard of us.
    return 1 / (1 + np.exp(-x))


print(sigmoid(0.5))
x = Variable(0.5)
y = sigmoid(x)
y.backward()
print(y, x.grad)

# %% [markdown]
# 同じ文のまま計算され、微分もされます。もう一組の関数を覚える必要はありません。何年も前に書かれたプログラムでも、今日から微分できます。
#
# ## 問題
#
# 1. 0 でのシグモイド関数の傾きはいくつですか。
# 2. x = 2 のとき、y = np.exp(x) / x の `x.grad` はいくつですか。

# %%
x, z = Variable(2.0), Variable(0.0)
(np.exp(x) / x).backward()
sigmoid(z).backward()
check(1, ..., z.grad)
check(2, ..., x.grad)
