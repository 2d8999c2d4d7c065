# %% [markdown]
# # Step 5. A walk that never gets too deep
#
# Training a network on long texts makes chains of many thousand Functions. Here is one of 10,000 sines:

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(4))  # The engine after step 4.
check = Check(lang="en")


class Sin(Function):
    def forward(self, x):
        return np.sin(x)

    def backward(self, gy, x):
        return gy * np.cos(x)


def chain(x, n):
    for _ in range(n):
        x = Sin()(x)
    return x


x = Variable(1.0)
with fails(RecursionError):
    chain(x, 10_000).backward()

# %% [markdown]
# Our `backward` calls the `backward` of the next Variable, before it has finished itself. So 10,000 calls are open at
# once, and Python allows about a thousand.
#
# **The idea:** a loop. All that a step of the walk needs is the Variable that it stands on. We take one step, and
# forget the last.


# %% engine
def backward(self):
    self.grad = 1.0
    y = self
    while y.creator:
        x = y.creator.x
        x.grad = y.creator.backward(y.grad, x.data)
        y = x


Variable.backward = backward  # A method may be replaced from outside.

# %%
x = Variable(1.0)
y = chain(x, 10_000)
y.backward()
print(f"{x.grad:.3e}")

# %% [markdown]
# It goes through, and so would a million. Is the tiny number right? The judge of step 1 says:

# %%
h = 1e-5
print(f"{(chain(Variable(1.0 + h), 10_000).data - chain(Variable(1.0 - h), 10_000).data) / (2 * h):.3e}")

# %% [markdown]
# And why is it tiny? Each sine multiplies the gradient by a cosine, which is below 1. What is multiplied 10,000 times
# by numbers below 1 vanishes. That is the *vanishing gradient* that long chains of a network suffer from.
#
# ## Questions
#
# 1. A walk of three Functions: how many times does the `while` loop run?
# 2. The slope of each Function in a chain is 0.5. What is the gradient at the start of ten of them?

# %%
check(1, ..., len([Sin, Sin, Sin]))
check(2, ..., 1 / 1024)
