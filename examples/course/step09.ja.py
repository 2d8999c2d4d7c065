# %% [markdown]
# # ステップ 9：どの順にたどるか
#
# 計算で得た結果を、二度使ってみます。a = x²、y = a + a·b です。x = 3、b = 2 とすると y = 3x² で、傾きは 6x = 18 です。

# %%
from build import engine
from tinygrad_jp.course import Check, picture

exec(engine(8))  # The engine after step 8.
check = Check(lang="ja")


def f(x, b):
    a = Square()(x)
    return Add()(a, Mul()(a, b))


x = Variable(3.0)
y = f(x, Variable(2.0))
y.backward()
print(x.grad)

# %%
picture(y)

# %% [markdown]
# 2倍になってしまいました。a へは2本の矢印で着くので、`Square` を二度訪れます。一度目に渡したものが、二度目にもう一度渡されるのです。
#
# **アイデア：** 出力への寄与が*すべて*届いてから、一度だけ Function の番が来るようにします。届いたことは、どうすれば分かるでしょうか。Function の深さを数えます。いちばん深い入力よりも1つ深い、と決めておくのです。その出力を使う Function は、必ずもっと深いところにあります。そこで、y の後ろにある Function をすべて集め、最も深いものから順に進みます。


# %% engine
def backward(self):
    self.grad = 1.0
    for f in functions_behind(self):
        gxs = f.backward(f.y.grad, *[x.data for x in f.xs])
        for x, gx in zip(f.xs, gxs, strict=True):
            x.grad = gx if x.grad is None else x.grad + gx


Variable.backward = backward


def __call__(self, *xs):
    self.xs = xs
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
    self.y = Variable(self.forward(*[x.data for x in xs]), creator=self)
    return self.y


Function.__call__ = __call__  # All kinds of Functions have it now.


def functions_behind(y):
    """Every Function that y came from, the deepest first."""
    found, waiting = {}, [y]
    while waiting:
        f = waiting.pop().creator
        if f and f not in found:
            found[f] = True
            waiting += f.xs
    return sorted(found, key=lambda f: -f.depth)


# %%
x = Variable(3.0)
y = f(x, Variable(2.0))
y.backward()
print(x.grad)
print([(type(f).__name__, f.depth) for f in functions_behind(y)])

# %% [markdown]
# 18 になりました。並びを見れば、理由も分かります。Add、Mul、Square の順です。これをグラフの*トポロジカル順序*と呼びます。どのエンジンにもある順序ですが、ここでは Function ごとに数を1つ持たせ、並べ替えるだけで済みます。
#
# ## 問題
#
# 1. a = x²、b = a²、y = a + b とします。y を作った Function の深さはいくつですか。
# 2. そのとき、x = 1 での x の勾配はいくつですか。

# %%
x = Variable(1.0)
a = Square()(x)
y = Add()(a, Square()(a))
y.backward()
check(1, ..., y.creator.depth)
check(2, ..., x.grad)
