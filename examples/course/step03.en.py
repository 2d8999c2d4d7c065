# %% [markdown]
# # Step 3. The chain rule, by hand
#
# The graph is there, but it has no slopes. What we have are differences, and they are never exact:

# %%
from build import engine
from tinygrad_jp.course import Check

exec(engine(2))  # The engine after step 2.
check = Check(lang="en")


def f(x):
    return np.exp(x**2)


def central_difference(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


x = 3.0
print("by differences:", central_difference(f, x))
print("by calculus:   ", np.exp(x**2) * 2 * x)

# %% [markdown]
# They differ in the tenth digit. The second line is exact, and needs no second evaluation of f. It is the chain rule:
# the slope of exp(x²) is the slope of exp at x², times the slope of x² at x.
#
# **The idea:** each Function knows its own slope, and nothing else. Its method `backward` gets `gy`, the gradient that
# arrives at its output: how much the end result changes per change of y. It returns the gradient of its input, `gy`
# times its own slope. Chain such calls, and the slopes multiply by themselves.


# %% engine
class Square(Function):
    def forward(self, x):
        return x * x

    def backward(self, gy, x):
        return gy * 2 * x


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy, x):
        return gy * np.exp(x)


# %%
x = Variable(3.0)
v = Square()(x)
y = Exp()(v)

gy = 1.0  # How much y changes per change of y.
gv = y.creator.backward(gy, v.data)
gx = v.creator.backward(gv, x.data)
print("by the chain:  ", gx)

# %% [markdown]
# The forward pass goes from x to y, the *backward pass* from y to x. Each Function is asked once, however long the
# chain is. Why backwards? There is one result, and there are many inputs: a single walk back from the result passes all
# of them, while the differences of step 1 had to start over for each.
#
# ## Questions
#
# 1. What is the slope of exp(x²) at x = 1, to three decimals?
# 2. Write the `backward` of a Function that cubes its input: a function of gy and x.

# %%
check(1, ..., central_difference(f, 1.0))
check(2, ..., lambda gy, x: gy * central_difference(lambda x: x**3, x), at=[(1.0, 2.0), (0.5, -1.0)])
