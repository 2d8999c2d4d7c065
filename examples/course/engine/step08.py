"""The engine after step 8 of the course."""
import numpy as np


class Variable:
    """A number that knows the Function it came from, and its gradient."""

    def __init__(self, data, creator=None):
        self.data, self.creator, self.grad = data, creator, None

    def __repr__(self):
        return f"Variable({self.data})"

    def backward(self):
        self.grad = 1.0
        waiting = [self]
        while waiting:
            y = waiting.pop()
            if y.creator:
                xs = y.creator.xs
                gxs = y.creator.backward(y.grad, *[x.data for x in xs])
                for x, gx in zip(xs, gxs, strict=True):
                    x.grad = gx if x.grad is None else x.grad + gx
                    waiting.append(x)

    def cleargrad(self):
        self.grad = None

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
