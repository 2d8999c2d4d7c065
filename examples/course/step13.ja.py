# %% [markdown]
# # ステップ 13：微分の表
#
# NumPy には何十もの関数があります。それぞれに7行のクラスを書くとしても、そのうち数学は1行だけです。

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(12))  # The engine after step 12.
check = Check(lang="ja")

with fails(KeyError):
    np.tanh(Variable(0.5))
a = Variable(-2.0)
with fails(FloatingPointError), np.errstate(invalid="raise"):
    (a**3).backward()

# %% [markdown]
# 2つ目のエラーも見てください。a³ に必要なのは a についての傾きだけです。ところが `Power.backward` は両方を計算するので、誰も頼んでいない定数 3 についての傾きのために、−2 の対数を取ってしまいます。
#
# **アイデア：** Function の順伝播は、NumPy の関数*そのもの*です。こちらで用意するのは微分だけで、微積分の教科書のように、引数ごとに1つずつ並べます。こうしてクラスは表になります。規則が受け取るのは、`gy` と、結果の y（exp の傾きは y *そのもの*です）と、引数です。比較のように傾きのない関数は、行を空にしておくと、普通の配列を返します。


# %% engine
class Function:  # A node of the graph: one call of one function.
    def __init__(self, func, args, y):
        self.func, self.args, self.y = func, args, y
        self.xs = [x for x in args if isinstance(x, Variable)]
        self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)


def __array_ufunc__(self, ufunc, method, *args, **settings):
    return apply(ufunc, *args) if method == "__call__" else NotImplemented


Variable.__array_ufunc__ = __array_ufunc__


def apply(func, *args):
    """Call func on arrays and Variables. If a gradient can pass, the result is a Variable that remembers the call."""
    if func not in RULES:
        raise TypeError(f"{func.__name__} has no rule yet")
    y = func(*map(plain, args))
    linked = any(isinstance(x, Variable) for x, _ in zip(args, RULES[func], strict=False))
    return Variable(y, Function(func, args, y)) if linked else y


def backward(self):
    grads = {self.creator or self: 1.0}
    for f in functions_behind(self):
        gy = grads.pop(f)
        for x, pullback in zip(f.args, RULES[f.func], strict=False):
            if isinstance(x, Variable):
                g = pullback(gy, f.y, *map(plain, f.args))
                key = x.creator or x
                grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        x.grad = g if x.grad is None else x.grad + g


Variable.backward = backward

RULES = {  # For each argument that has a gradient: (gy, y, *arguments, **settings) → that gradient.
    np.add: (lambda gy, y, a, b: gy, lambda gy, y, a, b: gy),
    np.subtract: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy),
    np.multiply: (lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a),
    np.divide: (lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b),
    np.power: (lambda gy, y, a, b: gy * b * a ** (b - 1), lambda gy, y, a, b: gy * y * np.log(a)),
    np.negative: (lambda gy, y, x: -gy,),
    np.exp: (lambda gy, y, x: gy * y,),
    np.log: (lambda gy, y, x: gy / x,),
    np.sin: (lambda gy, y, x: gy * np.cos(x),),
    np.cos: (lambda gy, y, x: -gy * np.sin(x),),
    np.tanh: (lambda gy, y, x: gy * (1 - y * y),),
    np.maximum: (lambda gy, y, a, b: gy * (a > b), lambda gy, y, a, b: gy * (a <= b)),
    **dict.fromkeys((np.greater, np.less_equal), ()),  # They have no slope, so nothing is remembered.
}
del Add, Mul, Subtract, Divide, Negative, Power, Exp

# %%
a = Variable(-2.0)
with np.errstate(invalid="raise"):
    (a**3).backward()
y = np.tanh(np.sin(a)) * np.maximum(a, 0.0)
print(a.grad, a > 0)
picture(y)

# %% [markdown]
# 関数が14個で、13行です。しかもエンジンは短くなりました。これからは、表に行を足していくだけで育ちます。
#
# ## 問題
#
# 1. np.tan の規則を、gy、y、x の関数として書いてください。（傾きは 1 + tan² です。）
# 2. np.sqrt の規則を書いてください。y だけで書けるでしょうか。

# %%
slope_of = lambda f: lambda gy, y, x: gy * (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
check(1, ..., slope_of(np.tan), at=[(1.0, np.tan(0.5), 0.5), (2.0, np.tan(1.0), 1.0)])
check(2, ..., slope_of(np.sqrt), at=[(1.0, 2.0, 4.0), (3.0, 0.5, 0.25)])
