# %% [markdown]
# # ステップ 4：つながりをたどって戻る
#
# 手で書いた逆伝播は、exp(x²) のための3行でした。これを関数にまとめ、別のプログラムに使ってみましょう。同じ2つの Function を、逆の順に並べたものです。

# %%
from build import engine
from tinygrad_jp.course import Check, picture

exec(engine(3))  # The engine after step 3.
check = Check(lang="ja")


def slope_by_hand(x, v, y):
    gv = Exp().backward(1.0, v.data)
    return Square().backward(gv, x.data)


x = Variable(0.5)
v = Exp()(x)
y = Square()(v)
print("by hand:", slope_by_hand(x, v, y))
print("right:  ", 2 * np.exp(2 * 0.5))

# %% [markdown]
# エラーは出ず、結果だけが間違っています。いちばん困る種類の間違いです。手で書いた逆伝播は、プログラムが変わったことを知りません。でも y は知っています。今度の creator は Square です。
#
# **アイデア：** つながりに任せます。Variable は、届いた勾配を受け取ると、何を渡せばよいかを creator に尋ね、それを creator の入力に送ります。送られた Variable も同じことをします。creator がなければ、そこで終わりです。


# %% engine
class Variable:
    """A number that knows the Function it came from, and its gradient."""

    def __init__(self, data, creator=None):
        self.data, self.creator, self.grad = data, creator, None

    def __repr__(self):
        return f"Variable({self.data})"

    def backward(self, gy=1.0):
        self.grad = gy
        if self.creator:
            x = self.creator.x
            x.backward(self.creator.backward(gy, x.data))


# %%
x = Variable(0.5)
y = Square()(Exp()(x))
y.backward()
print(x.grad)

# %% [markdown]
# どんな長さの、どんな順の連なりでもかまいません。微分した式は一度も書いていません。

# %%
x = Variable(0.3)
y = Exp()(Square()(Exp()(Square()(x))))
y.backward()
print(x.grad)
picture(y)

# %% [markdown]
# これが逆伝播のしくみのすべてです。プログラムがつながりを記録し、勾配がそれをたどって戻ります。この先は、これをもっと多くのプログラムで成り立つようにしていくだけです。
#
# ## 問題
#
# 1. Square を2つ使った y = (x²)² について、x = 2 での `x.grad` はいくつですか。
# 2. そのとき、2つの間にある Variable の勾配はいくつですか。

# %%
x = Variable(2.0)
v = Square()(x)
Square()(v).backward()
check(1, ..., x.grad)
check(2, ..., v.grad)
