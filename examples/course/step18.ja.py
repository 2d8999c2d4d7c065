# %% [markdown]
# # ステップ 18：微分の微分
#
# 勾配降下法は、平らな谷ではなかなか進まず、狭い谷では飛び出してしまいます。傾きを見ても、どこまで進めばよいかは分からないからです。それを教えてくれるのは傾きの傾き、つまり*2階微分*です。そのためには、勾配を微分しなければなりません。

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(17))  # The engine after step 17.
check = Check(lang="ja")


def f(x):
    return x**4 - 2 * x**2


x = Variable(2.0)
f(x).backward()
print(x.grad)
with fails(AttributeError):
    x.grad.backward()

# %% [markdown]
# 24 はただの数です。ステップ 2 の数と変わりません。逆伝播が、箱から取り出してしまったのです。
#
# **アイデア：** 規則は NumPy で書かれています。そして、NumPy を Variable に使えば記録されます。それなら、規則を Variable に対して実行すればよいのです。そうすれば、逆伝播も普通のプログラムになり、グラフを残します。規則は1つも変えません。配列を取り出してよいかどうか（取り出す `plain` のほうが速く済みます）を、`create_graph` で `backward` に伝えるだけです。これからは、勾配も Variable です。また、`y.grad = w` のように置いておいた勾配から始めることもできます。


# %% engine
def backward(self, create_graph=False):
    read = (lambda x: x) if create_graph else plain  # The rules run on Variables, or on arrays.
    grads = {self.creator or self: np.ones_like(self.data) if self.grad is None else read(self.grad)}
    for f in functions_behind(self):
        gy, y = grads.pop(f), read(Variable(f.y, f))
        for x, pullback in zip(f.args, RULES[f.func], strict=False):
            if isinstance(x, Variable):
                g = fitted(pullback(gy, y, *map(read, f.args), **f.settings), x)
                key = x.creator or x
                grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        g = +g if x.grad is None else read(x.grad) + g  # +g: no two gradients share their memory.
        x.grad = g if isinstance(g, Variable) else Variable(g)


Variable.backward = backward

# %%
x = Variable(2.0)
f(x).backward(create_graph=True)
gx = x.grad
x.cleargrad()
gx.backward()
print("slope", gx, "  slope of the slope", x.grad)
picture(gx)

# %% [markdown]
# 4x³ − 4x = 24、12x² − 4 = 44 です。図は*勾配*の計算グラフです。*ニュートン法*は、一方をもう一方で割ります。谷が放物線ならここで終わるはずだ、というところへ x ← x − f′ / f″ と飛びます。

# %%
x, path = Variable(2.0), [2.0]
for _ in range(6):
    x.cleargrad()
    f(x).backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    x.data = x.data - gx.data / x.grad.data
    path.append(x.data.item())
print([round(p, 6) for p in path])
xs = np.linspace(0.8, 2.1, 100)
plt.plot(xs, f(xs))
_ = plt.plot(path, [f(p) for p in path], "o-")

# %% [markdown]
# 勾配降下法なら何十歩もかかるところを、6回で 1 に着きました。（f には配列も渡せます。普通の NumPy だからです。）
#
# ## 問題
#
# 1. 1 での sin の2階微分はいくつですか。小数第三位まで答えてください。
# 2. f = (x − 3)² について、x = 7 からニュートン法で*一歩だけ*進むと、x はどこに来ますか。

# %%
check(1, ..., -np.sin(1.0))
check(2, ..., 7 - 2 * (7 - 3) / 2)
