# %% [markdown]
# # Step 16. Half the digits, and no more
#
# Networks are trained in float32: half the memory, twice the speed. One float64 in the wrong place, and NumPy computes
# everything after it in float64. Do we have such a place? And what of whole numbers?

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(15))  # The engine after step 15.
check = Check(lang="en")

w = Variable(np.array([1.0, 2.0], dtype=np.float32))
np.sum(w * w).backward()
print("w is", w.dtype, "and its gradient", w.grad.dtype)

w = Variable(np.array([1.0, 2.0], dtype=np.float32))
np.sum(w * np.array([0.5, 0.5])).backward()
print("w is", w.dtype, "and its gradient", w.grad.dtype)

n = Variable([1, 2])
with fails(ValueError):
    (n**-1).backward()

# %% [markdown]
# Two leaks. The first is our own: `np.ones(self.shape)` is float64, and all that is multiplied by it becomes float64.
# The second came with the data. After `w.data = w.data - lr * w.grad` the weights would follow. No error tells;
# training just takes twice the memory from then on.
#
# **The idea:** a gradient has the shape *and* the dtype of its Variable. `np.ones_like` begins in the right one.
# `fitted`, which sees to the shape, sees to the dtype, too. And whole numbers, which have no slopes, become floats on
# entry.


# %% engine
def __init__(self, data, creator=None):
    data = np.asarray(data)
    self.data = data if data.dtype.kind == "f" else data.astype(float)
    self.grad, self.creator = None, creator


Variable.__init__ = __init__


def backward(self):
    grads = {self.creator or self: np.ones_like(self.data)}
    for f in functions_behind(self):
        gy = grads.pop(f)
        for x, pullback in zip(f.args, RULES[f.func], strict=False):
            if isinstance(x, Variable):
                g = fitted(pullback(gy, f.y, *map(plain, f.args), **f.settings), x)
                key = x.creator or x
                grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        x.grad = g if x.grad is None else x.grad + g


Variable.backward = backward


def fitted(g, x):
    """The gradient g in the shape of x, summed over what was repeated, and in its dtype."""
    lead = g.ndim - x.ndim
    repeated = [lead + i for i, n in enumerate(x.shape) if n == 1 != g.shape[lead + i]]
    if g.shape != x.shape:
        g = np.reshape(np.sum(g, axis=(*range(lead), *repeated)), x.shape)
    return g if g.dtype == x.dtype else np.positive(g, dtype=x.dtype)


RULES |= {np.positive: (lambda gy, y, x, dtype=None: gy,)}

# %%
for factor in (np.float32(0.5), 0.5, np.array([0.5, 0.5])):
    w = Variable(np.array([1.0, 2.0], dtype=np.float32))
    y = np.sum(np.tanh(w * factor))
    y.backward()
    print("y is", y.dtype, "and the gradient of w", w.grad.dtype)

# %% [markdown]
# Python's own 0.5 is "weak": NumPy lets it take the dtype of what it meets. An array of float64 is not. There y becomes
# float64, which is NumPy's rule and not ours to change; but the gradient of w stays float32.
#
# ## Questions
#
# 1. How many bytes are the weights of a network with 1,000,000 parameters in float32?
# 2. What is the dtype of `Variable([1, 2]).grad` after a backward pass? Its name, as a text.

# %%
n = Variable([1, 2])
np.sum(n).backward()
check(1, ..., np.zeros(1_000_000, np.float32).nbytes)
check(2, ..., n.grad.dtype.name)
