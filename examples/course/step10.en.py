# %% [markdown]
# # Step 10. Memory that is given back
#
# For the order, each Function keeps its output `y`. And y keeps its creator. Let us make a thousand results, one after
# the other, let go of each, and count how many are still there:

# %%
import gc
import weakref

from build import engine
from tinygrad_jp.course import Check

exec(engine(9))  # The engine after step 9.
check = Check(lang="en")


def alive_after(n):
    gc.collect()
    gc.disable()  # Python's second cleaner, of which more below.
    results = [weakref.ref(Square()(Variable(2.0))) for _ in range(n)]
    alive = sum(result() is not None for result in results)
    gc.enable()
    return alive


print(alive_after(1000))

# %% [markdown]
# All of them. Python frees what nobody refers to any more. But y refers to its creator, and the creator to y: a circle,
# in which each keeps the other alive. A second cleaner, the garbage collector, finds such circles now and then. Until
# it comes, a training loop fills the memory with the graphs of old steps, and each holds big arrays.
#
# **The idea:** no circle. Links lead backwards only. What the walk needs to know of a Function's output is its
# gradient, so the walk keeps that, in a dictionary of its own: under the Function that made the output or, for a
# Variable that nobody made, a *leaf*, under the Variable itself.


# %% engine
def __call__(self, *xs):
    self.xs = xs
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
    return Variable(self.forward(*[x.data for x in xs]), creator=self)


Function.__call__ = __call__


def backward(self):
    grads = {self.creator or self: 1.0}
    for f in functions_behind(self):
        gxs = f.backward(grads.pop(f), *[x.data for x in f.xs])
        for x, g in zip(f.xs, gxs, strict=True):
            key = x.creator or x
            grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        x.grad = g if x.grad is None else x.grad + g


Variable.backward = backward

# %%
print(alive_after(1000))

# %% [markdown]
# Each graph vanishes with its last Variable, at once. And something else got better: the dictionary forgets the
# gradient of a Function as soon as it has been used (`pop`). Only leaves get a `grad`, and what lies between needs no
# memory, and no clearing.

# %%
x = Variable(3.0)
v = Mul()(x, x)
y = Add()(v, v)
y.backward()
y.backward()
print(x.grad, v.grad)

# %% [markdown]
# ## Questions
#
# 1. Why 24 in the last line, when the slope of 2x² at 3 is 12? Enter how often `x.cleargrad()` was missing.
# 2. How many gradients are in the dictionary at the end of the walk for y = a·b + a?

# %%
check(1, ..., x.grad / 12 - 1)
check(2, ..., len({"a", "b"}))
