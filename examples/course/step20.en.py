# %% [markdown]
# # Step 20. Steps with a memory
#
# Some valleys are long and narrow. Across them it is steep, along them nearly flat. Here is one, x²/100 + y², and 30
# steps of gradient descent down into it, from (−7, 2):

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check

exec(engine(19))  # The engine after step 19.
check = Check(lang="en")


def valley(p):
    return np.sum(p * p * np.array([0.01, 1.0]))


def descend(lr, steps=30):
    p, path = Variable([-7.0, 2.0]), []
    for _ in range(steps):
        path.append(p.data)
        p.cleargrad()
        valley(p).backward()
        p.data = p.data - lr * p.grad.data
    return np.array(path)


for lr in (0.1, 0.9, 1.1):
    print(lr, descend(lr)[-1].round(3))

# %% [markdown]
# With a small learning rate, x hardly moves. With a large one, y leaps from one wall to the other, and with a larger
# one it flies out of the valley, before x has arrived.
#
# **The idea:** a ball would roll. It has *momentum*: each step carries on part of the last. What points to and fro
# cancels out, and what always points the same way adds up. So the step needs a memory for each parameter, which makes
# it an object: the *optimizer*. It also clears the gradients, so that step 8 cannot happen again.


# %% engine
class SGD:
    def __init__(self, params, lr, momentum=0.0):
        self.lr, self.momentum, self.steps = lr, momentum, {p: np.zeros_like(p.data) for p in params}

    def update(self):
        for p in self.steps:
            self.steps[p] = self.momentum * self.steps[p] - self.lr * p.grad.data
            p.data, p.grad = p.data + self.steps[p], None


# %%
def roll(lr, momentum, steps=30):
    p, path = Variable([-7.0, 2.0]), []
    optimizer = SGD([p], lr, momentum)
    for _ in range(steps):
        path.append(p.data)
        valley(p).backward()
        optimizer.update()
    return np.array(path)


print(roll(0.9, 0.7)[-1].round(3))
xs, ys = np.meshgrid(np.linspace(-8, 8, 100), np.linspace(-3, 3, 100))
plt.contour(xs, ys, xs**2 / 100 + ys**2, levels=20, linewidths=0.5)
for path, label in ((descend(0.1), "descent"), (descend(0.9), "descent, lr = 0.9"), (roll(0.9, 0.7), "momentum")):
    plt.plot(*path.T, "o-", markersize=3, label=label)
_ = plt.legend()

# %% [markdown]
# Note that `p.data + self.steps[p]` makes a new array. Written into the old one, with `+=`, the step would also change
# the arrays that a graph still holds, and a backward pass through that graph would be wrong without a word.
#
# SGD stands for *stochastic gradient descent*: in the next step each batch is drawn at random. Adam and its kin
# remember the size of past gradients as well; they are in the library, in `tinygrad_jp.optimizers`.
#
# ## Questions
#
# 1. The gradient is always 1, lr = 0.1, momentum = 0.9. What is the second step? (The first is −0.1.)
# 2. Which number do the steps approach in the end?

# %%
p = Variable(0.0)
optimizer, steps = SGD([p], lr=0.1, momentum=0.9), []
for _ in range(200):
    p.grad = Variable(1.0)
    optimizer.update()
    steps.append(optimizer.steps[p].item())
check(1, ..., steps[1])
check(2, ..., steps[-1])
