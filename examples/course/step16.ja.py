# %% [markdown]
# # ステップ 16：桁は半分のままで
#
# ネットワークの学習には float32 を使います。メモリは半分、速さは2倍になります。ところが、float64 が一か所でも紛れ込むと、NumPy はその先をすべて float64 で計算します。このエンジンに、そんな場所はないでしょうか。整数はどうでしょうか。

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(15))  # The engine after step 15.
check = Check(lang="ja")

w = Variable(np.array([1.0, 2.0], dtype=np.float32))
np.sum(w * w).backward()
print("w is", w.dtype, "and its gradient", w.grad.dtype)

w = Variable(np.array([1.0, 2.0], dtype=np.float32))
np.sum(w * np.array([0.5, 0.5])).backward()
print("w is", w.dtype, "and its gradient", w.grad.dtype)

n = Variable([1, 2])
with fails(ValueError):
    (n**-1).backward()

# %% [markdown]
# 漏れは2つありました。1つ目は自分のせいです。`np.ones(self.shape)` は float64 なので、掛けたものがすべて float64 になります。2つ目はデータから来ました。`w.data = w.data - lr * w.grad` をすれば、重みも同じ道をたどるでしょう。エラーは何も出ません。ただ、それからの学習が2倍のメモリを使うだけです。
#
# **アイデア：** 勾配は、形*も* dtype も、その Variable と同じにします。`np.ones_like` なら、正しい dtype で始まります。形を合わせている `fitted` が、dtype も合わせます。整数には傾きがないので、入口で浮動小数点数にします。


# %% engine
def __init__(self, data, creator=None):
    data = np.asarray(data)
    self.data = data if data.dtype.kind == "f" else data.astype(float)
    self.grad, self.creator = None, creator


Variable.__init__ = __init__


def backward(self):
    grads = {self.creator or self: np.ones_like(self.data)}
    for f in functions_behind(self):
        gy = grads.pop(f)
        for x, pullback in zip(f.args, RULES[f.func], strict=False):
            if isinstance(x, Variable):
                g = fitted(pullback(gy, f.y, *map(plain, f.args), **f.settings), x)
                key = x.creator or x
                grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        x.grad = g if x.grad is None else x.grad + g


Variable.backward = backward


def fitted(g, x):
    """The gradient g in the shape of x, summed over what was repeated, and in its dtype."""
    lead = g.ndim - x.ndim
    repeated = [lead + i for i, n in enumerate(x.shape) if n == 1 != g.shape[lead + i]]
    if g.shape != x.shape:
        g = np.reshape(np.sum(g, axis=(*range(lead), *repeated)), x.shape)
    return g if g.dtype == x.dtype else np.positive(g, dtype=x.dtype)


RULES |= {np.positive: (lambda gy, y, x, dtype=None: gy,)}

# %%
for factor in (np.float32(0.5), 0.5, np.array([0.5, 0.5])):
    w = Variable(np.array([1.0, 2.0], dtype=np.float32))
    y = np.sum(np.tanh(w * factor))
    y.backward()
    print("y is", y.dtype, "and the gradient of w", w.grad.dtype)

# %% [markdown]
# Python の 0.5 は「弱い」数で、NumPy は相手の dtype に合わせてくれます。float64 の配列はそうではありません。このとき y は float64 になりますが、これは NumPy の規則で、こちらが変えるものではありません。それでも、w の勾配は float32 のままです。
#
# ## 問題
#
# 1. パラメータが 1,000,000 個のネットワークの重みは、float32 では何バイトですか。
# 2. 逆伝播のあとの `Variable([1, 2]).grad` の dtype は何ですか。名前を文字列で答えてください。

# %%
n = Variable([1, 2])
np.sum(n).backward()
check(1, ..., np.zeros(1_000_000, np.float32).nbytes)
check(2, ..., n.grad.dtype.name)
