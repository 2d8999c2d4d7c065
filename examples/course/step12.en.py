# %% [markdown]
# # Step 12. Plain NumPy
#
# Our Variables live among themselves. When they meet NumPy, there is an error at best:

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(11))  # The engine after step 11.
check = Check(lang="en")

x = Variable(0.5)
with fails(TypeError):
    np.exp(x)
print(np.array([1.0, 2.0]) * x)

# %% [markdown]
# And at worst a strange array that holds two Variables. A program in NumPy would have to be rewritten in our words.
#
# **The idea:** let NumPy ask us. Before one of its element-wise functions, a *ufunc*, touches a foreign object, it
# looks whether that has a method `__array_ufunc__`, and if so leaves everything to it. All we need is a table that says
# which Function belongs to which ufunc. The operators come for free: NumPy's `NDArrayOperatorsMixin` turns `a + b` into
# `np.add(a, b)`, and so on.


# %% engine
from numpy.lib.mixins import NDArrayOperatorsMixin


class Variable(NDArrayOperatorsMixin):
    """An array that knows its gradient, and the Function that it came from."""

    __hash__ = object.__hash__  # The mixin compares by value, but keys of a dictionary are compared by identity.

    def __init__(self, data, creator=None):
        self.data, self.grad, self.creator = data, None, creator

    def __array_ufunc__(self, ufunc, method, *args, **settings):
        return RULES[ufunc]()(*args) if method == "__call__" else NotImplemented

    def __repr__(self):
        return f"Variable({self.data})"

    def cleargrad(self):
        self.grad = None

    def backward(self):
        grads = {self.creator or self: 1.0}
        for f in functions_behind(self):
            gxs = f.backward(grads.pop(f), *map(plain, f.args))
            for x, g in zip(f.args, gxs, strict=True):
                if isinstance(x, Variable):
                    key = x.creator or x
                    grads[key] = grads[key] + g if key in grads else g
        for x, g in grads.items():
            x.grad = g if x.grad is None else x.grad + g


class Subtract(Function):
    def forward(self, a, b):
        return a - b

    def backward(self, gy, a, b):
        return gy, -gy


class Divide(Function):
    def forward(self, a, b):
        return a / b

    def backward(self, gy, a, b):
        return gy / b, -gy * a / b**2


class Negative(Function):
    def forward(self, x):
        return -x

    def backward(self, gy, x):
        return (-gy,)


RULES = {
    np.add: Add,
    np.subtract: Subtract,
    np.multiply: Mul,
    np.divide: Divide,
    np.power: Power,
    np.negative: Negative,
    np.exp: Exp,
}


# %%
def sigmoid(x):  # Written for NumPy, by someone who never heard of us.
    return 1 / (1 + np.exp(-x))


print(sigmoid(0.5))
x = Variable(0.5)
y = sigmoid(x)
y.backward()
print(y, x.grad)

# %% [markdown]
# The same text computes, and is differentiated. There is no second set of functions to learn, and a program that was
# written years ago can be differentiated today.
#
# ## Questions
#
# 1. The slope of the sigmoid at 0?
# 2. What is `x.grad` for y = np.exp(x) / x at x = 2?

# %%
x, z = Variable(2.0), Variable(0.0)
(np.exp(x) / x).backward()
sigmoid(z).backward()
check(1, ..., z.grad)
check(2, ..., x.grad)
