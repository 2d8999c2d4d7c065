# %% [markdown]
# # Step 18. Derivatives of derivatives
#
# Gradient descent creeps through a flat valley, and leaps out of a narrow one: the slope does not say how far to go.
# The slope of the slope would, the *second derivative*. For it we must differentiate a gradient:

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(17))  # The engine after step 17.
check = Check(lang="en")


def f(x):
    return x**4 - 2 * x**2


x = Variable(2.0)
f(x).backward()
print(x.grad)
with fails(AttributeError):
    x.grad.backward()

# %% [markdown]
# 24 is just a number, like the number in step 2. The backward pass took it out of its box.
#
# **The idea:** the rules are written in NumPy, and NumPy on Variables is recorded. So let the rules run on Variables!
# Then the backward pass is a program like any other, and leaves a graph. Not one rule has to change. Only `backward` is
# told, by `create_graph`, whether it may take the arrays out (`plain`, which is faster) or not. The gradient is a
# Variable from now on. And it may start from a gradient that was put there: `y.grad = w`.


# %% engine
def backward(self, create_graph=False):
    read = (lambda x: x) if create_graph else plain  # The rules run on Variables, or on arrays.
    grads = {self.creator or self: np.ones_like(self.data) if self.grad is None else read(self.grad)}
    for f in functions_behind(self):
        gy, y = grads.pop(f), read(Variable(f.y, f))
        for x, pullback in zip(f.args, RULES[f.func], strict=False):
            if isinstance(x, Variable):
                g = fitted(pullback(gy, y, *map(read, f.args), **f.settings), x)
                key = x.creator or x
                grads[key] = grads[key] + g if key in grads else g
    for x, g in grads.items():
        g = +g if x.grad is None else read(x.grad) + g  # +g: no two gradients share their memory.
        x.grad = g if isinstance(g, Variable) else Variable(g)


Variable.backward = backward

# %%
x = Variable(2.0)
f(x).backward(create_graph=True)
gx = x.grad
x.cleargrad()
gx.backward()
print("slope", gx, "  slope of the slope", x.grad)
picture(gx)

# %% [markdown]
# 4x³ − 4x = 24 and 12x² − 4 = 44. The picture is the graph of the *gradient*. *Newton's method* divides one by the
# other: x ← x − f′ / f″ leaps to where the valley would end if it were a parabola.

# %%
x, path = Variable(2.0), [2.0]
for _ in range(6):
    x.cleargrad()
    f(x).backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    x.data = x.data - gx.data / x.grad.data
    path.append(x.data.item())
print([round(p, 6) for p in path])
xs = np.linspace(0.8, 2.1, 100)
plt.plot(xs, f(xs))
_ = plt.plot(path, [f(p) for p in path], "o-")

# %% [markdown]
# Six leaps to 1, where gradient descent needs dozens of steps. (f takes arrays as well: it is plain NumPy.)
#
# ## Questions
#
# 1. The second derivative of sin at 1, to three decimals?
# 2. To which x does *one* step of Newton's method lead from x = 7 for f = (x − 3)²?

# %%
check(1, ..., -np.sin(1.0))
check(2, ..., 7 - 2 * (7 - 3) / 2)
