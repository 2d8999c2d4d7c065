"""The engine after step 10 of the course."""
import numpy as np


class Variable:
    """A number that knows the Function it came from, and its gradient."""

    def __init__(self, data, creator=None):
        self.data, self.creator, self.grad = data, creator, None

    def __repr__(self):
        return f"Variable({self.data})"

    def backward(self):
        grads = {self.creator or self: 1.0}
        for f in functions_behind(self):
            gxs = f.backward(grads.pop(f), *[x.data for x in f.xs])
            for x, g in zip(f.xs, gxs, strict=True):
                key = x.creator or x
                grads[key] = grads[key] + g if key in grads else g
        for x, g in grads.items():
            x.grad = g if x.grad is None else x.grad + g

    def cleargrad(self):
        self.grad = None

class Function:
    """Called on Variables, it returns one that remembers the call."""

    def __call__(self, *xs):
        self.xs = xs
        self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
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

def functions_behind(y):
    """Every Function that y came from, the deepest first."""
    found, waiting = {}, [y]
    while waiting:
        f = waiting.pop().creator
        if f and f not in found:
            found[f] = True
            waiting += f.xs
    return sorted(found, key=lambda f: -f.depth)
