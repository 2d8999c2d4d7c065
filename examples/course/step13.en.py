# %% [markdown]
# # Step 13. A table of derivatives
#
# NumPy has dozens of functions, and each would need a class of seven lines, of which one is mathematics:

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(12))  # The engine after step 12.
check = Check(lang="en")

with fails(KeyError):
    np.tanh(Variable(0.5))
a = Variable(-2.0)
with fails(FloatingPointError), np.errstate(invalid="raise"):
    (a**3).backward()

# %% [markdown]
# And look at the second failure. For a³ we need the slope with respect to a. But `Power.backward` computes both, so it
# takes the logarithm of −2 for the slope with respect to the constant 3, which nobody asked for.
#
# **The idea:** the forward pass of a Function *is* the NumPy function. What we add is its derivatives, one for each
# argument, as a calculus book lists them. So the classes become a table. A rule gets `gy`, the result y (the slope of
# exp *is* y), and the arguments. A function without a slope, like a comparison, has an empty row, and returns a plain
# array.


# %% engine
class Function:  # A node of the graph: one call of one function.
    def __init__(self, func, args, y):
        self.func, self.args, self.y = func, args, y
        self.xs = [x for x in args if isinstance(x, Variable)]
        self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)


def __array_ufunc__(self, ufunc, method, *args, **settings):
    return apply(ufunc, *args) if method == "__call__" else NotImplemented


Variable.__array_ufunc__ = __array_ufunc__


def apply(func, *args):
    """Call func on arrays and Variables. If a gradient can pass, the result is a Variable that remembers the call."""
    if func not in RULES:
        raise TypeError(f"{func.__name__} has no rule yet")
    y = func(*map(plain, args))
    linked = any(isinstance(x, Variable) for x, _ in zip(args, RULES[func], strict=False))
    return Variable(y, Function(func, args, y)) if linked else y


def backward(self):
    grads = {self.creator or self: 1.0}
    for f in functions_behind(self):
        gy = grads.pop(f)
        for x, pullback in zip(f.args, RULES[f.func], strict=False):
            if isinstance(x, Variable):
                g = pullback(gy, f.y, *map(plain, f.args))
                key = x.creator or x
                grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        x.grad = g if x.grad is None else x.grad + g


Variable.backward = backward

RULES = {  # For each argument that has a gradient: (gy, y, *arguments, **settings) → that gradient.
    np.add: (lambda gy, y, a, b: gy, lambda gy, y, a, b: gy),
    np.subtract: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy),
    np.multiply: (lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a),
    np.divide: (lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b),
    np.power: (lambda gy, y, a, b: gy * b * a ** (b - 1), lambda gy, y, a, b: gy * y * np.log(a)),
    np.negative: (lambda gy, y, x: -gy,),
    np.exp: (lambda gy, y, x: gy * y,),
    np.log: (lambda gy, y, x: gy / x,),
    np.sin: (lambda gy, y, x: gy * np.cos(x),),
    np.cos: (lambda gy, y, x: -gy * np.sin(x),),
    np.tanh: (lambda gy, y, x: gy * (1 - y * y),),
    np.maximum: (lambda gy, y, a, b: gy * (a > b), lambda gy, y, a, b: gy * (a <= b)),
    **dict.fromkeys((np.greater, np.less_equal), ()),  # They have no slope, so nothing is remembered.
}
del Add, Mul, Subtract, Divide, Negative, Power, Exp

# %%
a = Variable(-2.0)
with np.errstate(invalid="raise"):
    (a**3).backward()
y = np.tanh(np.sin(a)) * np.maximum(a, 0.0)
print(a.grad, a > 0)
picture(y)

# %% [markdown]
# Fourteen functions, thirteen lines, and the engine got shorter. From here on, growing means adding lines to the table.
#
# ## Questions
#
# 1. Write the rule of np.tan, a function of gy, y and x. (Its slope is 1 + tan².)
# 2. Write the rule of np.sqrt. Can you do it with y alone?

# %%
slope_of = lambda f: lambda gy, y, x: gy * (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
check(1, ..., slope_of(np.tan), at=[(1.0, np.tan(0.5), 0.5), (2.0, np.tan(1.0), 1.0)])
check(2, ..., slope_of(np.sqrt), at=[(1.0, 2.0, 4.0), (3.0, 0.5, 0.25)])
