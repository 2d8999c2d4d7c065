"""The engine after step 12 of the course."""
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Variable(NDArrayOperatorsMixin):
    """An array that knows its gradient, and the Function that it came from."""

    __hash__ = object.__hash__  # The mixin compares by value, but keys of a dictionary are compared by identity.

    def __init__(self, data, creator=None):
        self.data, self.grad, self.creator = data, None, creator

    def __array_ufunc__(self, ufunc, method, *args, **settings):
        return RULES[ufunc]()(*args) if method == "__call__" else NotImplemented

    def __repr__(self):
        return f"Variable({self.data})"

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

class Subtract(Function):
    def forward(self, a, b):
        return a - b

    def backward(self, gy, a, b):
        return gy, -gy

class Divide(Function):
    def forward(self, a, b):
        return a / b

    def backward(self, gy, a, b):
        return gy / b, -gy * a / b**2

class Negative(Function):
    def forward(self, x):
        return -x

    def backward(self, gy, x):
        return (-gy,)

RULES = {
    np.add: Add,
    np.subtract: Subtract,
    np.multiply: Mul,
    np.divide: Divide,
    np.power: Power,
    np.negative: Negative,
    np.exp: Exp,
}
