# %% [markdown]
# # Step 8. Yesterday's gradient
#
# We have slopes: let us learn something. The lowest point of y = x² − 4x lies at x = 2. *Gradient descent* finds it:
# step against the slope, again and again.

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check

exec(engine(7))  # The engine after step 7.
check = Check(lang="en")


def f(x):
    return Add()(Mul()(x, x), Mul()(Variable(-4.0), x))


def descend(x, forget, lr=0.1, steps=40):
    path = [x.data]
    for _ in range(steps):
        forget(x)
        f(x).backward()
        x.data = x.data - lr * x.grad
        path.append(x.data)
    return path


wrong = descend(Variable(5.0), forget=lambda x: None)
print(wrong[:4], "...", wrong[-1])

# %% [markdown]
# It runs past the goal, and never settles. In the last step we made gradients add up. They still do when the next
# `backward` begins: in its second step x gets the slope of the first plus that of the second.
#
# **The idea:** adding up is right within one pass, and between passes it has to be asked for. A gradient is cleared
# before a new one is computed.


# %% engine
def cleargrad(self):
    self.grad = None


Variable.cleargrad = cleargrad

# %%
right = descend(Variable(5.0), forget=Variable.cleargrad)
print(f"{right[-1]:.4f}")
plt.plot(wrong, "o-", markersize=3, label="leftover")
plt.plot(right, "o-", markersize=3, label="cleargrad")
plt.xlabel("step")
plt.ylabel("x")
_ = plt.legend()

# %% [markdown]
# PyTorch's users know this mistake as the forgotten `zero_grad`. Why not clear by itself, then? Because adding up is
# useful: two batches, one after the other, give the gradient of both together.
#
# ## Questions
#
# 1. From x = 5, the slope is 2·5 − 4 = 6. Where is x after one step with lr = 0.1?
# 2. f(x) is computed at x = 5, and `backward` called; then the same again, without `cleargrad`. What is `x.grad`?

# %%
check(1, ..., right[1])
x = Variable(5.0)
f(x).backward()
f(x).backward()
check(2, ..., x.grad)
