# %% [markdown]
# # Step 7. Used twice, counted twice
#
# A Variable may be used more than once. The simplest case is x + x, whose slope is 2:

# %%
from build import engine
from tinygrad_jp.course import Check, picture

exec(engine(6))  # The engine after step 6.
check = Check(lang="en")

x = Variable(3.0)
Add()(x, x).backward()
print("x + x:", x.grad)

x = Variable(3.0)
Mul()(x, x).backward()
print("x * x:", x.grad)

# %% [markdown]
# 1 where 2 is right, 3 where 6 is right. Two gradients arrive at x, one along each arrow, and the second overwrites the
# first: `x.grad = gx`.

# %%
picture(Mul()(x, x))

# %% [markdown]
# **The idea:** shares add up. If x changes by a little, y changes along every path from x to y, and the changes add. So
# must the gradients: calculus calls it the total derivative.


# %% engine
def backward(self):
    self.grad = 1.0
    waiting = [self]
    while waiting:
        y = waiting.pop()
        if y.creator:
            xs = y.creator.xs
            gxs = y.creator.backward(y.grad, *[x.data for x in xs])
            for x, gx in zip(xs, gxs, strict=True):
                x.grad = gx if x.grad is None else x.grad + gx
                waiting.append(x)


Variable.backward = backward

# %%
x = Variable(3.0)
Add()(x, x).backward()
print("x + x:", x.grad)

x = Variable(3.0)
Mul()(x, x).backward()
print("x * x:", x.grad)

# %% [markdown]
# Both are right. One line has changed. It is the line where most hand-written backward passes go wrong.
#
# ## Questions
#
# 1. y = x·x + x at x = 3. What is `x.grad`?
# 2. a is used in a·b and in a + b, and both are multiplied: y = (a·b)·(a + b). What is `a.grad` at a = 1, b = 2?

# %%
x, a, b = Variable(3.0), Variable(1.0), Variable(2.0)
Add()(Mul()(x, x), x).backward()
Mul()(Mul()(a, b), Add()(a, b)).backward()
check(1, ..., x.grad)
check(2, ..., a.grad)
