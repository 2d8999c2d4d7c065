# %% [markdown]
# # Step 15. Broadcasting, undone
#
# A row of biases is added to each row of a matrix. NumPy repeats it as often as needed. And the gradient?

# %%
from build import engine
from tinygrad_jp.course import Check, fails

exec(engine(14))  # The engine after step 14.
check = Check(lang="en")

x, b = Variable(np.ones((2, 3))), Variable(np.array([10.0, 20.0, 30.0]))
(x + b).backward()
print("b has the shape", b.shape, "and its gradient", b.grad.shape)
with fails(ValueError):
    b.data += -0.1 * b.grad

# %% [markdown]
# The rule of the sum passes on what it got, in the shape of the result. So b, of 3 elements, gets 6.
#
# **The idea:** to repeat is to use several times. Step 7 says what then has to happen: shares add up. The gradient is
# summed over all axes along which the argument was repeated: over those that it lacks, and over those where it has
# length 1. Every ufunc broadcasts. So we do this not in each rule, but once, where a gradient is handed over.


# %% engine
def fitted(g, x):
    """The gradient g in the shape of x, summed over what was repeated."""
    lead = g.ndim - x.ndim
    repeated = [lead + i for i, n in enumerate(x.shape) if n == 1 != g.shape[lead + i]]
    if g.shape != x.shape:
        g = np.reshape(np.sum(g, axis=(*range(lead), *repeated)), x.shape)
    return g


def backward(self):
    grads = {self.creator or self: np.ones(self.shape)}
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

RULES |= {np.broadcast_to: (lambda gy, y, x, shape: gy,)}

# %%
x, b, c = Variable(np.ones((2, 3))), Variable(np.array([10.0, 20.0, 30.0])), Variable(2.0)
y = (x + b) * c
y.backward()
print(b.grad, c.grad)

# %% [markdown]
# A number times a matrix is broadcasting, too: c was used six times, and its gradient is a sum of six shares.
#
# Broadcasting is the *adjoint* of summing: what one does forwards, the other does backwards. The table has more such
# pairs: each transpose and its inverse are one, and so are two reshapes.
#
# ## Questions
#
# 1. x has the shape (4, 1), b the shape (1, 5), and y = x * b. What is the shape of `x.grad`? A tuple.
# 2. With all elements of x and b equal to 1, which number is in each place of `x.grad`?

# %%
x, b = Variable(np.ones((4, 1))), Variable(np.ones((1, 5)))
(x * b).backward()
check(1, ..., x.grad.shape)
check(2, ..., x.grad[0, 0])
