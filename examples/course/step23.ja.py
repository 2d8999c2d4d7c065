# %% [markdown]
# # ステップ 23：正しいとどうして分かるのか
#
# 誰かが規則を加え、ステップ 1 の審判で確かめました。合格です。

# %%
from build import engine
from tinygrad_jp import PULLBACKS, gradient_check
from tinygrad_jp.course import Check, fails

exec(engine(22))  # The engine after step 22.
check = Check(lang="ja")

right = RULES[np.exp]
RULES[np.exp] = (lambda gy, y, x: y,)  # The rule forgets gy.
x, h = Variable([0.5, 1.0, 2.0]), 1e-5
np.exp(x).backward()
print(x.grad.data.round(6))
print(((np.exp(x.data + h) - np.exp(x.data - h)) / (2 * h)).round(6))

# %% [markdown]
# それなのに、この exp を途中に含むネットワークは、でたらめを学習します。確かめ方が弱かったのです。逆伝播が一から始まると gy = 1 となり、ちょうどこの間違いが見えません。
#
# **アイデア：** 特別な数を避けます。出力には*無作為な*重み w を付け、gy が 1 にならないようにします。入力は、*無作為な*向き v へ一度に動かします。エンジンが正しければ、どんな数が出ても、v に沿った差分は、v と勾配の積の和に一致します。間違いが見逃されるのは、毎回よほどの偶然が重なったときだけです。


# %%
def agrees(f, *xs, h=1e-5):
    rng = np.random.default_rng(0)
    leaves = [Variable(x) for x in xs]
    y = f(*leaves)
    w, vs = rng.normal(size=y.shape), [rng.normal(size=x.shape) for x in xs]
    y.grad = Variable(w)
    y.backward()
    by_engine = sum(np.sum(v * x.grad.data) for v, x in zip(vs, leaves, strict=True))
    ahead, behind = (np.sum(w * f(*[x + step * v for x, v in zip(xs, vs, strict=True)])) for step in (h, -h))
    return bool(np.isclose((ahead - behind) / (2 * h), by_engine, rtol=1e-6))


print("wrong:", agrees(np.exp, x.data))
RULES[np.exp] = right
print("right:", agrees(np.exp, x.data))

# %% [markdown]
# 10行あまりで、exp のことは何も知りません。だから、どんな規則も、どんな形でも、プログラム全体でも確かめられます。ライブラリの `gradient_check` も同じことをします。そのうえ、いちばんずれた要素を示し、2階まで進んで、勾配の勾配も確かめます。ライブラリの規則はこのエンジンの規則と同じ形なので、そのまま表に入れられます。

# %%
a, b = np.array([[0.5, 1.5, 0.7], [1.1, 0.3, 2.0]]), np.array([0.8, 1.2, 0.4])
theirs = PULLBACKS.copy()
for func, rules in RULES.items():
    if isinstance(func, np.ufunc) and rules and func is not np.matmul:
        PULLBACKS[func] = rules
        print(func.__name__, gradient_check(func, *[a, b][: func.nin], order=2), end="; ")

PULLBACKS[np.tanh] = (lambda gy, y, x: gy * (1 - y),)
print()
with fails(AssertionError):
    gradient_check(np.tanh, a)
PULLBACKS.update(theirs)

# %% [markdown]
# ライブラリのテストは、わざと厳しい数を探すプログラムを使って、このエンジンのすべての規則でこれを行います（`tests/lessons/test_minitensor.py`）。エンジンは完成しました。`minitensor.py` がそのすべてで、1つのファイルで持ち帰れます。
#
# ## 問題
#
# 1. a·b の間違った規則のうち、a = b = 2 での*弱い*確かめ方が見逃すのはどれですか。1、2、3 のどれかで答えてください。
#    (1) a には gy·a、b には gy·b。 (2) どちらにも gy·b を 2 で割ったもの。 (3) a には −gy·b、b には gy·a。
# 2. x³/3 の規則は gy·x² です。これを、間違った規則 gy·x とどうしても見分けられない x > 0 はいくつですか。数で答えてください。

# %%
x = Variable(2.0)
wrong_rules = {1: (x.data, x.data), 2: (x.data / 2, x.data / 2), 3: (-x.data, x.data)}
check(1, ..., next(n for n, rules in wrong_rules.items() if np.allclose(rules, 2.0)))
check(2, ..., np.max(np.roots([1, -1, 0])))
