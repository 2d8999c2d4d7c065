# %% [markdown]
# # ステップ 15：ブロードキャストを元に戻す
#
# 行列のどの行にも、バイアスの行を足します。NumPy は必要なだけ行を繰り返してくれます。では、勾配はどうなるでしょうか。

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(14))  # The engine after step 14.
check = Check(lang="ja")

x, b = Variable(np.ones((2, 3))), Variable(np.array([10.0, 20.0, 30.0]))
(x + b).backward()
print("b has the shape", b.shape, "and its gradient", b.grad.shape)
with fails(ValueError):
    b.data += -0.1 * b.grad

# %% [markdown]
# 和の規則は、届いたものを結果の形のまま渡します。そのため、要素が 3 個の b に、6 個の勾配が届きます。
#
# **アイデア：** 繰り返すとは、何度も使うことです。何度も使えばどうなるかは、ステップ 7 で学びました。寄与を足し合わせるのです。引数を繰り返した軸、つまり引数になかった軸と、長さが 1 だった軸について、勾配の和を取ります。どの ufunc もブロードキャストをします。そこで、規則ごとにではなく、勾配を渡すところで一度だけ行います。


# %% engine
def fitted(g, x):
    """The gradient g in the shape of x, summed over what was repeated."""
    lead = g.ndim - x.ndim
    repeated = [lead + i for i, n in enumerate(x.shape) if n == 1 != g.shape[lead + i]]
    if g.shape != x.shape:
        g = np.reshape(np.sum(g, axis=(*range(lead), *repeated)), x.shape)
    return g


def backward(self):
    grads = {self.creator or self: np.ones(self.shape)}
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

RULES |= {np.broadcast_to: (lambda gy, y, x, shape: gy,)}

# %%
x, b, c = Variable(np.ones((2, 3))), Variable(np.array([10.0, 20.0, 30.0])), Variable(2.0)
y = (x + b) * c
y.backward()
print(b.grad, c.grad)

# %% [markdown]
# 行列に数を掛けるのもブロードキャストです。c は6回使われたので、その勾配は6つの寄与の和です。
#
# ブロードキャストと和は、互いに*随伴*です。一方が順伝播ですることを、もう一方は逆伝播でします。このような組は、表の中にほかにもあります。転置とその逆がそうですし、2つの reshape もそうです。
#
# ## 問題
#
# 1. x の形が (4, 1)、b の形が (1, 5) で、y = x * b とします。`x.grad` の形をタプルで答えてください。
# 2. x と b の要素がすべて 1 なら、`x.grad` の要素はいくつですか。

# %%
x, b = Variable(np.ones((4, 1))), Variable(np.ones((1, 5)))
(x * b).backward()
check(1, ..., x.grad.shape)
check(2, ..., x.grad[0, 0])
