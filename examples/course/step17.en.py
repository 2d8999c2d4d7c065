# %% [markdown]
# # Step 17. Matrices
#
# A layer of a network is a matrix product: each output is a weighted sum of all inputs. NumPy has it, our table does
# not. Could its rule be that of the ordinary product?

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(16))  # The engine after step 16.
check = Check(lang="en")

x, W = Variable(np.ones((5, 3))), Variable(np.ones((3, 2)))
with fails(TypeError):
    x @ W
RULES[np.matmul] = RULES[np.multiply]
with fails(ValueError):
    (x @ W).backward()

# %% [markdown]
# The shapes say no: `gy` is (5, 2), W is (3, 2), and the gradient of x must be (5, 3).
#
# **The idea:** follow one element. x[i, k] meets W[k, j] on the way to y[i, j], for all j. So its gradient is the sum
# over j of gy[i, j]·W[k, j], and such a sum over j is a matrix product again: `gy @ W.T`. For W the sum runs over the
# rows i: `x.T @ gy`. No other product of these matrices fits the shapes, which is a good way to remember it. With
# `swapaxes` in the place of `.T` it holds for stacks of matrices, too. (A vector has to be written as a matrix of one
# row or one column.)


# %% engine
RULES |= {
    np.swapaxes: (lambda gy, y, x, i, j: np.swapaxes(gy, i, j),),
    np.matmul: (lambda gy, y, a, b: gy @ np.swapaxes(b, -1, -2), lambda gy, y, a, b: np.swapaxes(a, -1, -2) @ gy),
}

# %%
(x @ W).backward()
print(x.grad.shape, W.grad.shape)

# %% [markdown]
# With it comes the first thing that learns from data: a straight line through points. The model is x·W + b, the error
# (*loss*) the mean of the squared differences, and W and b go downhill.

# %%
rng = np.random.default_rng(0)
points = rng.uniform(0, 1, (100, 1))
t = 5 + 2 * points + rng.normal(0, 0.2, (100, 1))

W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
for step in range(200):
    loss = np.mean((points @ W + b - t) ** 2)
    for p in (W, b):
        p.cleargrad()
    loss.backward()
    for p in (W, b):
        p.data = p.data - 0.3 * p.grad
print(f"{loss.data:.3f} {W.data.item():.2f} {b.data.item():.2f}")

# %%
plt.scatter(points, t, s=10)
_ = plt.plot([0, 1], [b.data.item(), b.data.item() + W.data.item()], "r")

# %% [markdown]
# The points were made with 2x + 5 and noise, and that is what was found.
#
# ## Questions
#
# 1. x is (32, 64), W is (64, 10). What is the shape of `gy`, the gradient of x @ W? A tuple.
# 2. Someone writes the rule of W as `gy.T @ x`. Which shape does this give there, where (64, 10) is needed?

# %%
check(1, ..., (np.ones((32, 64)) @ np.ones((64, 10))).shape)
check(2, ..., (np.ones((32, 10)).T @ np.ones((32, 64))).shape)
