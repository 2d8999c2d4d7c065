# %% [markdown]
# # Step 2. Numbers that remember
#
# A difference asks a function for its value, over and over. For 1,000 inputs it asks 2,000 times. We could know better:
# a program is made of small steps whose slopes are in every calculus book. But look at what a program leaves behind:

# %%
import numpy as np

from tinygrad_jp.course import Check, fails, picture

check = Check(lang="en")

y = np.exp(0.5**2)
with fails(AttributeError):
    print(y, "was made by", y.creator)

# %% [markdown]
# Just a number. Nothing about 1.284 says that it came from exp, that 0.25 went in, or that this came from 0.5.
#
# **The idea:** put the number into a box that also knows where it came from. The box is a `Variable`. A `Function` does
# the computing: it takes the number out of one Variable, and puts the result into another, which remembers its
# *creator*.


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
# From y one can walk back to x, link by link. That is the *computation graph*. A box is a Variable, an ellipse a
# Function, and each link that we follow backwards is an arrow here:

# %%
picture(y)

# %% [markdown]
# Note what happened: we wrote an ordinary program, and the graph was recorded while it ran. If the program had an `if`
# in it, the graph would hold the branch that was taken.
#
# ## Questions
#
# 1. What is the name of the class of `y.creator.x.creator`?
# 2. Which number is in `y.creator.x`?

# %%
check(1, ..., type(y.creator.x.creator).__name__)
check(2, ..., y.creator.x)
