# %% [markdown]
# # ステップ 14：形の変わる配列
#
# 要素ごとの計算なら、Variable はもう配列を扱えます。けれども形が変わると、NumPy は受け付けてくれません。

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(13))  # The engine after step 13.
check = Check(lang="ja")

x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
with fails(TypeError):
    np.sum(x * x)

# %% [markdown]
# `np.sum` は ufunc ではありません。そのほかの関数では、NumPy は `__array_function__` という別のメソッドに尋ねます。
#
# **アイデア：** 規則は、勾配の要素を一つひとつ、元の要素があった場所へ送り返します。形を変えたなら、元の形に戻します。転置したなら、もう一度転置します。和では、どの項が動いても和は同じだけ動くので、どの項も和の勾配をそのまま受け取ります。関数には `axis` のような設定も付くようになったので、Function はそれを規則のために取っておきます。


# %% engine
import operator


class Variable(NDArrayOperatorsMixin):
    """An array that knows its gradient, and the Function that it came from."""

    shape, ndim, size, dtype = (property(operator.attrgetter("data." + s)) for s in ("shape", "ndim", "size", "dtype"))
    T, __hash__ = property(lambda self: np.transpose(self)), object.__hash__

    def __init__(self, data, creator=None):
        self.data, self.grad, self.creator = np.asarray(data), None, creator

    def __array_ufunc__(self, ufunc, method, *args, **settings):
        return apply(ufunc, *args, **settings) if method == "__call__" else NotImplemented

    def __array_function__(self, func, types, args, settings):
        return apply(func, *args, **settings)

    def __repr__(self):
        return f"Variable({self.data})"

    def cleargrad(self):
        self.grad = None

    def backward(self):
        grads = {self.creator or self: np.ones(self.shape)}
        for f in functions_behind(self):
            gy = grads.pop(f)
            for x, pullback in zip(f.args, RULES[f.func], strict=False):
                if isinstance(x, Variable):
                    g = pullback(gy, f.y, *map(plain, f.args), **f.settings)
                    key = x.creator or x
                    grads[key] = grads[key] + g if key in grads else g
        for x, g in grads.items():
            x.grad = g if x.grad is None else x.grad + g


def __init__(self, func, args, settings, y):
    self.func, self.args, self.settings, self.y = func, args, settings, y
    self.xs = [x for x in args if isinstance(x, Variable)]
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)


Function.__init__ = __init__


def apply(func, *args, **settings):
    """Call func on arrays and Variables. If a gradient can pass, the result is a Variable that remembers the call."""
    if func not in RULES:
        raise TypeError(f"{func.__name__} has no rule yet")
    y = func(*map(plain, args), **settings)
    linked = any(isinstance(x, Variable) for x, _ in zip(args, RULES[func], strict=False))
    return Variable(y, Function(func, args, settings, y)) if linked else y


def d_sum(gy, y, x, axis=None, keepdims=False):
    return np.broadcast_to(np.reshape(gy, np.sum(plain(x), axis, keepdims=True).shape), x.shape)


RULES |= {
    np.sum: (d_sum,),
    np.mean: (lambda gy, y, x, axis=None, keepdims=False: d_sum(gy, y, x, axis) * (y.size / x.size),),
    np.reshape: (lambda gy, y, x, shape: np.reshape(gy, x.shape),),
    np.transpose: (lambda gy, y, x, axes=None: np.transpose(gy, axes and tuple(np.argsort(np.mod(axes, x.ndim)))),),
}

# %%
x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
y = np.sum(np.reshape(x * x, (3, 2)).T, axis=1)
y.backward()
print(x.grad)
picture(y)

# %% [markdown]
# 和、転置、形の変更と続けても、どの要素も帰り道を見つけました。勾配は 2x です。y は配列になりました。`backward` は、要素がすべて一の配列から始まります。y をすべて足した場合と同じです。
#
# ## 問題
#
# 1. 要素が 8 個の x に np.mean(x) を使います。`x.grad` の要素はいくつになりますか。
# 2. 行が [1, 2] と [3, 4] の x について、y = np.sum(x, axis=0) ** 2 とします。`x.grad` を、2つの行のリストで答えてください。

# %%
x, z = Variable(np.zeros((2, 4))), Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
np.mean(x).backward()
(np.sum(z, axis=0) ** 2).backward()
check(1, ..., x.grad[0, 0])
check(2, ..., z.grad)
