# %% [markdown]
# # Step 11. Writing it as it is meant
#
# The engine is right, but no pleasure to use. (1 − a)² + 100·(b − a²)² would be eleven nested calls. What we want to
# write does not work:

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(10))  # The engine after step 10.
check = Check(lang="en")

a, b = Variable(2.0), Variable(3.0)
with fails(TypeError):
    a * b

# %% [markdown]
# **The idea:** Python lets a class say what `+`, `*` and `**` mean for it: `a * b` calls `a.__mul__(b)`, and `2 * a`,
# where the number has no idea of Variables, calls `a.__rmul__(2)`. The other operators follow from three: a − b is a +
# (−1)·b, and a / b is a·b⁻¹.
#
# With `2 * a`, plain numbers come in. They are constants: they take part in the forward pass, and get no gradient.


# %% engine
class Variable:
    """A number that knows the Function it came from, and its gradient."""

    def __init__(self, data, creator=None):
        self.data, self.creator, self.grad = data, creator, None

    def __repr__(self):
        return f"Variable({self.data})"

    __add__ = __radd__ = lambda self, other: Add()(self, other)
    __mul__ = __rmul__ = lambda self, other: Mul()(self, other)
    __pow__ = lambda self, n: Power()(self, n)
    __neg__ = lambda self: self * -1
    __sub__ = lambda self, other: self + -other
    __rsub__ = lambda self, other: -self + other
    __truediv__ = lambda self, other: self * other**-1
    __rtruediv__ = lambda self, other: other * self**-1

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


def __call__(self, *args):
    self.args, self.xs = args, [x for x in args if isinstance(x, Variable)]
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
    return Variable(self.forward(*map(plain, args)), creator=self)


Function.__call__ = __call__


def plain(x):
    return x.data if isinstance(x, Variable) else x


class Power(Function):
    def forward(self, a, b):
        return a**b

    def backward(self, gy, a, b):
        return gy * b * a ** (b - 1), gy * a**b * np.log(a)


del Square  # x * x, or x**2.

# %%
a, b = Variable(0.5), Variable(3.0)
y = (1 - a) ** 2 + 100 * (b - a**2) ** 2
y.backward()
print(y, a.grad, b.grad)
picture(y)

# %% [markdown]
# That is Rosenbrock's function, on which methods of descent are tested, in the notation of a textbook.
#
# ## Questions
#
# 1. y = (a − b) / (a + b). What is `a.grad` at a = 3, b = 1?
# 2. Which method does Python call for `2 - a`? Its name, as a text.

# %%
a, b = Variable(3.0), Variable(1.0)
((a - b) / (a + b)).backward()
check(1, ..., a.grad)
check(2, ..., next(name for name in vars(Variable) if name.startswith("__rs")))
