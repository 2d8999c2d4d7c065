# %% [markdown]
# # Step 9. In which order?
#
# Now take a result that was itself computed, and is used twice: a = x², y = a + a·b. At x = 3 and b = 2 we have y =
# 3x², whose slope is 6x = 18.

# %%
from build import engine
from tinygrad_jp.course import Check, picture

exec(engine(8))  # The engine after step 8.
check = Check(lang="en")


def f(x, b):
    a = Square()(x)
    return Add()(a, Mul()(a, b))


x = Variable(3.0)
y = f(x, Variable(2.0))
y.backward()
print(x.grad)

# %%
picture(y)

# %% [markdown]
# Twice too much. The walk comes to a along two arrows, so it visits `Square` twice. What it passes on the first time is
# passed on once more with the second.
#
# **The idea:** a Function has its turn when *all* shares of its output have arrived, and then exactly once. How do we
# know? Count how deep a Function lies: one deeper than the deepest of its inputs. Whoever uses its output lies deeper.
# So collect all Functions behind y, and start from the deepest.


# %% engine
def backward(self):
    self.grad = 1.0
    for f in functions_behind(self):
        gxs = f.backward(f.y.grad, *[x.data for x in f.xs])
        for x, gx in zip(f.xs, gxs, strict=True):
            x.grad = gx if x.grad is None else x.grad + gx


Variable.backward = backward


def __call__(self, *xs):
    self.xs = xs
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
    self.y = Variable(self.forward(*[x.data for x in xs]), creator=self)
    return self.y


Function.__call__ = __call__  # All kinds of Functions have it now.


def functions_behind(y):
    """Every Function that y came from, the deepest first."""
    found, waiting = {}, [y]
    while waiting:
        f = waiting.pop().creator
        if f and f not in found:
            found[f] = True
            waiting += f.xs
    return sorted(found, key=lambda f: -f.depth)


# %%
x = Variable(3.0)
y = f(x, Variable(2.0))
y.backward()
print(x.grad)
print([(type(f).__name__, f.depth) for f in functions_behind(y)])

# %% [markdown]
# 18, and the order shows why: Add, then Mul, then Square. This is a *topological order* of the graph. Every engine has
# one; ours needs a number for each Function, and a sort.
#
# ## Questions
#
# 1. a = x², b = a², y = a + b. What is the depth of the Function that made y?
# 2. What is the gradient of x there, at x = 1?

# %%
x = Variable(1.0)
a = Square()(x)
y = Add()(a, Square()(a))
y.backward()
check(1, ..., y.creator.depth)
check(2, ..., x.grad)
