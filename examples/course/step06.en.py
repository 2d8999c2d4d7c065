# %% [markdown]
# # Step 6. Functions of many inputs
#
# So far every Function has one input, and a graph is a chain. It cannot even multiply two numbers:

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(5))  # The engine after step 5.
check = Check(lang="en")


class Mul(Function):
    def forward(self, a, b):
        return a * b


with fails(TypeError):
    Mul()(Variable(2.0), Variable(3.0))

# %% [markdown]
# **The idea:** a Function has a list of inputs, `xs`, and its `backward` returns one gradient for each. The slope of
# a·b with respect to a is b, as if b were a constant, and the other way round. A sum passes to both what it got.
#
# Now the walk can fork. What still has to be visited waits in a list.


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
                x.grad = gx
                waiting.append(x)


Variable.backward = backward


class Function:
    """Called on Variables, it returns one that remembers the call."""

    def __call__(self, *xs):
        self.xs = xs
        return Variable(self.forward(*[x.data for x in xs]), creator=self)


class Square(Function):
    def forward(self, x):
        return x * x

    def backward(self, gy, x):
        return (gy * 2 * x,)


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy, x):
        return (gy * np.exp(x),)


class Add(Function):
    def forward(self, a, b):
        return a + b

    def backward(self, gy, a, b):
        return gy, gy


class Mul(Function):
    def forward(self, a, b):
        return a * b

    def backward(self, gy, a, b):
        return gy * b, gy * a


# %%
a, b, c = Variable(2.0), Variable(3.0), Variable(4.0)
y = Add()(Mul()(a, b), Square()(c))
y.backward()
print(a.grad, b.grad, c.grad)
picture(y)

# %% [markdown]
# y = a·b + c²: its slopes are b, a and 2c. One walk found all three. With a thousand inputs it would still be one walk:
# that is why networks are trained with backpropagation, and not with differences.
#
# ## Questions
#
# 1. y = (a + b)·c at a = 1, b = 2, c = 5. What are the gradients of a, b and c? A list of three numbers.
# 2. Write the `backward` of a Function a − b, as a function of gy, a and b that returns a tuple.

# %%
a, b, c = Variable(1.0), Variable(2.0), Variable(5.0)
Mul()(Add()(a, b), c).backward()
check(1, ..., [a.grad, b.grad, c.grad])
check(2, ..., lambda gy, a, b: (gy * ((a + 1) - b - (a - b)), gy * (a - (b + 1) - (a - b))), at=[(1.0, 3.0, 4.0)])
