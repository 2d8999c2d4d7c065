# %% [markdown]
# # Step 19. Layers hold what they learn
#
# A straight line cannot follow a curve. Two matrix products with a bend (`tanh`) between them can. Let us train them as
# in step 17, with a list of parameters in each loop:

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp.course import Check

exec(engine(18))  # The engine after step 18.
check = Check(lang="en")

rng = np.random.default_rng(0)
points = rng.uniform(0, 1, (100, 1))
t = np.sin(2 * np.pi * points) + rng.normal(0, 0.1, (100, 1))

W1, b1 = Variable(rng.normal(0, 1, (1, 10))), Variable(np.zeros(10))
W2, b2 = Variable(rng.normal(0, 1, (10, 1))), Variable(np.zeros(1))
for step in range(2000):
    loss = np.mean((np.tanh(points @ W1 + b1) @ W2 + b2 - t) ** 2)
    for p in (W1, b1, W2):
        p.cleargrad()
    loss.backward()
    for p in (W1, b2, W2):
        p.data = p.data - 0.2 * p.grad.data
print(f"{loss.data:.4f}")

# %% [markdown]
# Did you see it? b1 is missing in one list, b2 in the other. The network learns all the same, only badly, and nothing
# says so. With a hundred parameters no list would be right.
#
# **The idea:** what computes also holds what it learns. A `Layer` finds its parameters by itself, among its attributes:
# Variables, and the Variables of Layers in it. A network is a Layer made of Layers, and there is one list, `params()`.


# %% engine
class Layer:
    def params(self):
        for x in vars(self).values():
            yield from x.params() if isinstance(x, Layer) else [x] if isinstance(x, Variable) else []


class Linear(Layer):
    def __init__(self, n, m, rng):
        self.W, self.b = Variable(rng.normal(0, n**-0.5, (n, m))), Variable(np.zeros(m))

    def __call__(self, x):
        return x @ self.W + self.b


# %%
class Net(Layer):
    def __init__(self, rng):
        self.l1, self.l2 = Linear(1, 10, rng), Linear(10, 1, rng)

    def __call__(self, x):
        return self.l2(np.tanh(self.l1(x)))


net, losses = Net(rng), []
for step in range(2000):
    loss = np.mean((net(points) - t) ** 2)
    for p in net.params():
        p.cleargrad()
    loss.backward()
    for p in net.params():
        p.data = p.data - 0.2 * p.grad.data
    losses.append(loss.data.item())
print(f"{losses[0]:.4f} {losses[-1]:.4f}", [p.shape for p in net.params()])

# %%
xs = np.linspace(0, 1, 200)[:, None]
plt.scatter(points, t, s=10)
_ = plt.plot(xs, net(xs).data, "r")

# %% [markdown]
# The weights begin at random, and the smaller the more inputs are summed: 1/√n keeps the sums at the size of what goes
# in. If all began at 0, all ten would get the same gradient, and stay equal for ever.
#
# ## Questions
#
# 1. How many parameters, counted as single numbers, has a network of Linear(64, 50) and Linear(50, 10)?
# 2. A Net begins with W = 0 and b = 0 in both layers. Which gradient has the W of its first layer?

# %%
zero = Net(rng)
for p in zero.params():
    p.data = p.data * 0
np.mean((zero(points) - t) ** 2).backward()
check(1, ..., sum(p.size for layer in (Linear(64, 50, rng), Linear(50, 10, rng)) for p in layer.params()))
check(2, ..., zero.l1.W.grad.data[0, 0])
