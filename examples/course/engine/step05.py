"""The engine after step 5 of the course."""
import numpy as np


class Variable:
    """A number that knows the Function it came from, and its gradient."""

    def __init__(self, data, creator=None):
        self.data, self.creator, self.grad = data, creator, None

    def __repr__(self):
        return f"Variable({self.data})"

    def backward(self):
        self.grad = 1.0
        y = self
        while y.creator:
            x = y.creator.x
            x.grad = y.creator.backward(y.grad, x.data)
            y = x

class Function:
    """Called on a Variable, it returns one that remembers the call."""

    def __call__(self, x):
        self.x = x
        return Variable(self.forward(x.data), creator=self)

class Square(Function):
    def forward(self, x):
        return x * x

    def backward(self, gy, x):
        return gy * 2 * x

class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy, x):
        return gy * np.exp(x)
