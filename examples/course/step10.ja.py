# %% [markdown]
# # ステップ 10：メモリを返す
#
# 順序を決めるために、Function は出力 `y` を持つようになりました。その y は creator を持っています。結果を次々に千個作り、どれも要らなくなったとき、いくつ残っているかを見てみましょう。

# %%
import gc
import weakref

from build import engine
from tinygrad_jp.course import Check

exec(engine(9))  # The engine after step 9.
check = Check(lang="ja")


def alive_after(n):
    gc.collect()
    gc.disable()  # Python's second cleaner, of which more below.
    results = [weakref.ref(Square()(Variable(2.0))) for _ in range(n)]
    alive = sum(result() is not None for result in results)
    gc.enable()
    return alive


print(alive_after(1000))

# %% [markdown]
# 全部残っています。Python は、どこからも参照されなくなったものを片づけます。ところが、y は creator を参照し、creator は y を参照しています。これが*循環参照*で、互いを生かし続けます。こうした循環は、もう1人の掃除係であるガベージコレクターがときどき見つけてくれます。でもそれまでは、学習のループが古いグラフでメモリを埋めていきます。その一つひとつが大きな配列を抱えています。
#
# **アイデア：** 循環を作りません。つながりは後ろ向きだけにします。逆伝播が Function の出力について知りたいのは勾配だけなので、それを自分の辞書に入れておきます。出力を作った Function をキーにし、誰にも作られていない Variable、つまり*葉*は、その Variable 自身をキーにします。


# %% engine
def __call__(self, *xs):
    self.xs = xs
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
    return Variable(self.forward(*[x.data for x in xs]), creator=self)


Function.__call__ = __call__


def backward(self):
    grads = {self.creator or self: 1.0}
    for f in functions_behind(self):
        gxs = f.backward(grads.pop(f), *[x.data for x in f.xs])
        for x, g in zip(f.xs, gxs, strict=True):
            key = x.creator or x
            grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        x.grad = g if x.grad is None else x.grad + g


Variable.backward = backward

# %%
print(alive_after(1000))

# %% [markdown]
# 最後の Variable がなくなると、グラフもすぐに消えます。よくなったことはほかにもあります。辞書は、使い終えた Function の勾配をすぐに忘れます（`pop`）。`grad` を持つのは葉だけになり、途中のものはメモリも後始末も要りません。

# %%
x = Variable(3.0)
v = Mul()(x, x)
y = Add()(v, v)
y.backward()
y.backward()
print(x.grad, v.grad)

# %% [markdown]
# ## 問題
#
# 1. 3 での 2x² の傾きは 12 なのに、最後の行はなぜ 24 なのでしょうか。`x.cleargrad()` が何回足りなかったかを答えてください。
# 2. y = a·b + a の逆伝播が終わったとき、辞書には勾配がいくつありますか。

# %%
check(1, ..., x.grad / 12 - 1)
check(2, ..., len({"a", "b"}))
