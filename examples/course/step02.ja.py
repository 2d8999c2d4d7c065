# %% [markdown]
# # ステップ 2：来た道を覚えている数
#
# 差分は、関数に何度も値を尋ねます。入力が 1,000 個あれば 2,000 回です。でも、もっとうまくできるはずです。プログラムは小さな計算の積み重ねで、その一つひとつの傾きは、どの微積分の教科書にも載っています。ところが、プログラムが後に残すものを見てください。

# %%
import numpy as np

from tinygrad_jp.course import Check, fails, picture

check = Check(lang="ja")

y = np.exp(0.5**2)
with fails(AttributeError):
    print(y, "was made by", y.creator)

# %% [markdown]
# ただの数です。1.284 という数のどこを見ても、exp から出てきたことも、入力が 0.25 だったことも、それが 0.5 から来たことも分かりません。
#
# **アイデア：** どこから来たかも覚えている箱に、数を入れます。この箱が `Variable` です。計算をするのは `Function` です。Variable から数を取り出し、結果を別の Variable に入れます。その Variable は、自分の*生みの親*（creator）を覚えています。


# %% engine
import numpy as np


class Variable:
    """A number that knows the Function it came from."""

    def __init__(self, data, creator=None):
        self.data, self.creator = data, creator

    def __repr__(self):
        return f"Variable({self.data})"


class Function:
    """Called on a Variable, it returns one that remembers the call."""

    def __call__(self, x):
        self.x = x
        return Variable(self.forward(x.data), creator=self)


class Square(Function):
    def forward(self, x):
        return x * x


class Exp(Function):
    def forward(self, x):
        return np.exp(x)


# %%
x = Variable(0.5)
v = Square()(x)
y = Exp()(v)
print(y, "was made by", type(y.creator).__name__, "from", y.creator.x)

# %% [markdown]
# y からは、つながりを1つずつたどって x まで戻れます。これが*計算グラフ*です。図の四角は Variable、楕円は Function です。後ろ向きにたどるつながりの一つひとつが、図では矢印になっています。

# %%
picture(y)

# %% [markdown]
# 何が起きたかに注目してください。普通のプログラムを書いただけなのに、実行している間にグラフが記録されました。もしプログラムに `if` があれば、グラフには実際に通った側が残ります。
#
# ## 問題
#
# 1. `y.creator.x.creator` のクラスの名前は何ですか。
# 2. `y.creator.x` にはどんな数が入っていますか。

# %%
check(1, ..., type(y.creator.x.creator).__name__)
check(2, ..., y.creator.x)
