"""The engine after step 15 of the course."""
import operator

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Variable(NDArrayOperatorsMixin):
    """An array that knows its gradient, and the Function that it came from."""

    shape, ndim, size, dtype = (property(operator.attrgetter("data." + s)) for s in ("shape", "ndim", "size", "dtype"))
    T, __hash__ = property(lambda self: np.transpose(self)), object.__hash__

    def __init__(self, data, creator=None):
        self.data, self.grad, self.creator = np.asarray(data), None, creator

    def __array_ufunc__(self, ufunc, method, *args, **settings):
        return apply(ufunc, *args, **settings) if method == "__call__" else NotImplemented

    def __array_function__(self, func, types, args, settings):
        return apply(func, *args, **settings)

    def __repr__(self):
        return f"Variable({self.data})"

    def cleargrad(self):
        self.grad = None

    def backward(self):
        grads = {self.creator or self: np.ones(self.shape)}
        for f in functions_behind(self):
            gy = grads.pop(f)
            for x, pullback in zip(f.args, RULES[f.func], strict=False):
                if isinstance(x, Variable):
                    g = fitted(pullback(gy, f.y, *map(plain, f.args), **f.settings), x)
                    key = x.creator or x
                    grads[key] = grads[key] + g if key in grads else g
        for x, g in grads.items():
            x.grad = g if x.grad is None else x.grad + g

class Function:  # A node of the graph: one call of one function.
    def __init__(self, func, args, settings, y):
        self.func, self.args, self.settings, self.y = func, args, settings, y
        self.xs = [x for x in args if isinstance(x, Variable)]
        self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)

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

def apply(func, *args, **settings):
    """Call func on arrays and Variables. If a gradient can pass, the result is a Variable that remembers the call."""
    if func not in RULES:
        raise TypeError(f"{func.__name__} has no rule yet")
    y = func(*map(plain, args), **settings)
    linked = any(isinstance(x, Variable) for x, _ in zip(args, RULES[func], strict=False))
    return Variable(y, Function(func, args, settings, y)) if linked else y

def d_sum(gy, y, x, axis=None, keepdims=False):
    return np.broadcast_to(np.reshape(gy, np.sum(plain(x), axis, keepdims=True).shape), x.shape)

def fitted(g, x):
    """The gradient g in the shape of x, summed over what was repeated."""
    lead = g.ndim - x.ndim
    repeated = [lead + i for i, n in enumerate(x.shape) if n == 1 != g.shape[lead + i]]
    if g.shape != x.shape:
        g = np.reshape(np.sum(g, axis=(*range(lead), *repeated)), x.shape)
    return g

RULES = {  # For each argument that has a gradient: (gy, y, *arguments, **settings) → that gradient.
    np.add: (lambda gy, y, a, b: gy, lambda gy, y, a, b: gy),
    np.subtract: (lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy),
    np.multiply: (lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a),
    np.divide: (lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b),
    np.power: (lambda gy, y, a, b: gy * b * a ** (b - 1), lambda gy, y, a, b: gy * y * np.log(a)),
    np.negative: (lambda gy, y, x: -gy,),
    np.exp: (lambda gy, y, x: gy * y,),
    np.log: (lambda gy, y, x: gy / x,),
    np.sin: (lambda gy, y, x: gy * np.cos(x),),
    np.cos: (lambda gy, y, x: -gy * np.sin(x),),
    np.tanh: (lambda gy, y, x: gy * (1 - y * y),),
    np.maximum: (lambda gy, y, a, b: gy * (a > b), lambda gy, y, a, b: gy * (a <= b)),
    **dict.fromkeys((np.greater, np.less_equal), ()),  # They have no slope, so nothing is remembered.
    np.sum: (d_sum,),
    np.mean: (lambda gy, y, x, axis=None, keepdims=False: d_sum(gy, y, x, axis) * (y.size / x.size),),
    np.reshape: (lambda gy, y, x, shape: np.reshape(gy, x.shape),),
    np.transpose: (lambda gy, y, x, axes=None: np.transpose(gy, axes and tuple(np.argsort(np.mod(axes, x.ndim)))),),
    np.broadcast_to: (lambda gy, y, x, shape: gy,),
}
