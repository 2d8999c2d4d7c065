# %% [markdown]
# # Step 21. Cross entropy reads digits
#
# A network that tells ten digits apart has ten outputs. The *softmax*, exp(x) / Σ exp(x), makes shares of them that sum
# to 1, and the loss is −log of the share of the right one: 0 if all is given to it, large if little is.

# %%
import matplotlib.pyplot as plt
from build import engine
from tinygrad_jp import datasets
from tinygrad_jp.course import Check, fails

exec(engine(20))  # The engine after step 20.
check = Check(lang="en")

for outputs in ([2.0, 1.0, 0.0], [1000.0, 1.0, 0.0]):
    with np.errstate(all="ignore"):
        print(-np.log(np.exp(outputs) / np.sum(np.exp(outputs))))
with fails(TypeError):
    Variable(outputs)[0]

# %% [markdown]
# The definition overflows: exp(1000) is infinite, and infinite by infinite is no number. One certain output, and the
# whole training is NaN. Besides, our Variables cannot take an element out: the one of the right label.
#
# **The idea:** compute the logarithm as a whole: −log p = log Σ exp(x) − x of the label. It does not change if the same
# number is taken from every x; take the largest, and exp never sees more than 0. Taking at an index goes back by
# putting into zeros at that index. Where an element was taken twice, its shares add up: that is `scatter`.


# %% engine
def __getitem__(self, index):
    return apply(operator.getitem, self, index)


Variable.__getitem__ = __getitem__


def scatter(x, index, shape):
    y = np.zeros(shape, x.dtype)
    np.add.at(y, index, x)
    return y


RULES |= {
    operator.getitem: (lambda gy, y, x, index: apply(scatter, gy, index, x.shape),),
    scatter: (lambda gy, y, x, index, shape: gy[index],),
}


def cross_entropy(x, t):
    """The mean of −log p, where p is what the softmax of a row of x gives to its label."""
    x = x - np.max(x.data, axis=1, keepdims=True)  # p stays the same, and exp cannot overflow.
    return np.mean(np.log(np.sum(np.exp(x), axis=1)) - x[np.arange(len(t)), t])


# %%
print(cross_entropy(Variable([[1000.0, 1.0, 0.0], [2.0, 1.0, 0.0]]), np.array([0, 0])))


class Net(Layer):
    def __init__(self, rng):
        self.l1, self.l2 = Linear(64, 50, rng), Linear(50, 10, rng)

    def __call__(self, x):
        return self.l2(np.tanh(self.l1(x)))


rng = np.random.default_rng(0)
x, t = datasets.Digits()[:]  # 1,437 images of 8×8 pixels, and what they show.
net = Net(rng)
optimizer, losses = SGD(net.params(), lr=0.1, momentum=0.9), []
for epoch in range(10):
    for batch in np.array_split(rng.permutation(len(x)), 45):
        loss = cross_entropy(net(x[batch]), t[batch])
        loss.backward()
        optimizer.update()
        losses.append(loss.data.item())

unseen, labels = datasets.Digits(train=False)[:]
found = np.argmax(net(unseen).data, axis=1)
print(f"{np.mean(found == labels):.0%} of {len(labels)} unseen digits")

# %%
figure, axes = plt.subplots(1, 6, figsize=(10, 2))
axes[0].plot(losses)
for i, a in enumerate(axes[1:]):
    a.imshow(unseen[i].reshape(8, 8), cmap="gray_r")
    a.set(title=str(found[i]), xticks=[], yticks=[])

# %% [markdown]
# An engine of some hundred lines reads handwriting. A *batch* of 32 images gives a slope that is good enough to go by.
#
# ## Questions
#
# 1. What is the cross entropy of a network that gives the same share to all ten digits? To three decimals.
# 2. What is the gradient of that loss with respect to the output of the *right* digit, for one image?

# %%
outputs = Variable(np.zeros((1, 10)))
cross_entropy(outputs, np.array([3])).backward()
check(1, ..., cross_entropy(outputs, np.array([3])))
check(2, ..., outputs.grad.data[0, 3])
