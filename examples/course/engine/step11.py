"""The engine after step 11 of the course."""
import numpy as np


class Variable:
    """A number that knows the Function it came from, and its gradient."""

    def __init__(self, data, creator=None):
        self.data, self.creator, self.grad = data, creator, None

    def __repr__(self):
        return f"Variable({self.data})"

    __add__ = __radd__ = lambda self, other: Add()(self, other)
    __mul__ = __rmul__ = lambda self, other: Mul()(self, other)
    __pow__ = lambda self, n: Power()(self, n)
    __neg__ = lambda self: self * -1
    __sub__ = lambda self, other: self + -other
    __rsub__ = lambda self, other: -self + other
    __truediv__ = lambda self, other: self * other**-1
    __rtruediv__ = lambda self, other: other * self**-1

    def cleargrad(self):
        self.grad = None

    def backward(self):
        grads = {self.creator or self: 1.0}
        for f in functions_behind(self):
            gxs = f.backward(grads.pop(f), *map(plain, f.args))
            for x, g in zip(f.args, gxs, strict=True):
                if isinstance(x, Variable):
                    key = x.creator or x
                    grads[key] = grads[key] + g if key in grads else g
        for x, g in grads.items():
            x.grad = g if x.grad is None else x.grad + g

class Function:
    """Called on Variables, it returns one that remembers the call."""

    def __call__(self, *args):
        self.args, self.xs = args, [x for x in args if isinstance(x, Variable)]
        self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)
        return Variable(self.forward(*map(plain, args)), creator=self)

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

def plain(x):
    return x.data if isinstance(x, Variable) else x

class Power(Function):
    def forward(self, a, b):
        return a**b

    def backward(self, gy, a, b):
        return gy * b * a ** (b - 1), gy * a**b * np.log(a)
