# %% [markdown]
# # Step 4. Walking back along the links
#
# By hand, the backward pass was three lines, written for exp(x²). Let us put them into a function, and hand it another
# program, with the same two Functions the other way round:

# %%
from build import engine
from tinygrad_jp.course import Check, picture

exec(engine(3))  # The engine after step 3.
check = Check(lang="en")


def slope_by_hand(x, v, y):
    gv = Exp().backward(1.0, v.data)
    return Square().backward(gv, x.data)


x = Variable(0.5)
v = Exp()(x)
y = Square()(v)
print("by hand:", slope_by_hand(x, v, y))
print("right:  ", 2 * np.exp(2 * 0.5))

# %% [markdown]
# No error, and a wrong result: the worst kind of mistake. The hand-written pass does not know that the program changed.
# But y knows: its creator is now a Square.
#
# **The idea:** let the links decide. A Variable takes the gradient that arrives, asks its creator what to pass on, and
# sends that to the creator's input, which does the same. Where there is no creator, the walk ends.


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
# Any chain will do, of any length, in any order. We never wrote down its derivative:

# %%
x = Variable(0.3)
y = Exp()(Square()(Exp()(Square()(x))))
y.backward()
print(x.grad)
picture(y)

# %% [markdown]
# This is the whole secret of backpropagation: a program records its links, and the gradient runs back along them. All
# that follows makes it hold for more programs.
#
# ## Questions
#
# 1. y = (x²)², made of two Squares. What is `x.grad` at x = 2?
# 2. What is the gradient of the Variable between the two, there?

# %%
x = Variable(2.0)
v = Square()(x)
Square()(v).backward()
check(1, ..., x.grad)
check(2, ..., v.grad)
