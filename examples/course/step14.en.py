# %% [markdown]
# # Step 14. Arrays change their shape
#
# Element by element, our Variables can hold arrays already. But as soon as the shape changes, NumPy gives up:

# %%
from build import engine
from tinygrad_jp.course import Check, fails, picture

exec(engine(13))  # The engine after step 13.
check = Check(lang="en")

x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
with fails(TypeError):
    np.sum(x * x)

# %% [markdown]
# `np.sum` is no ufunc. For all its other functions NumPy asks a second method, `__array_function__`.
#
# **The idea:** a rule sends each element of the gradient back to where its element came from. Reshape: reshape it back.
# Transpose: transpose it back. A sum: every summand moved the sum by one, so each gets the gradient of the sum.
# Functions have settings now, such as `axis`, and a Function keeps them for its rule.


# %% engine
import operator


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
                    g = pullback(gy, f.y, *map(plain, f.args), **f.settings)
                    key = x.creator or x
                    grads[key] = grads[key] + g if key in grads else g
        for x, g in grads.items():
            x.grad = g if x.grad is None else x.grad + g


def __init__(self, func, args, settings, y):
    self.func, self.args, self.settings, self.y = func, args, settings, y
    self.xs = [x for x in args if isinstance(x, Variable)]
    self.depth = 1 + max((x.creator.depth for x in self.xs if x.creator), default=0)


Function.__init__ = __init__


def apply(func, *args, **settings):
    """Call func on arrays and Variables. If a gradient can pass, the result is a Variable that remembers the call."""
    if func not in RULES:
        raise TypeError(f"{func.__name__} has no rule yet")
    y = func(*map(plain, args), **settings)
    linked = any(isinstance(x, Variable) for x, _ in zip(args, RULES[func], strict=False))
    return Variable(y, Function(func, args, settings, y)) if linked else y


def d_sum(gy, y, x, axis=None, keepdims=False):
    return np.broadcast_to(np.reshape(gy, np.sum(plain(x), axis, keepdims=True).shape), x.shape)


RULES |= {
    np.sum: (d_sum,),
    np.mean: (lambda gy, y, x, axis=None, keepdims=False: d_sum(gy, y, x, axis) * (y.size / x.size),),
    np.reshape: (lambda gy, y, x, shape: np.reshape(gy, x.shape),),
    np.transpose: (lambda gy, y, x, axes=None: np.transpose(gy, axes and tuple(np.argsort(np.mod(axes, x.ndim)))),),
}

# %%
x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
y = np.sum(np.reshape(x * x, (3, 2)).T, axis=1)
y.backward()
print(x.grad)
picture(y)

# %% [markdown]
# Through a sum, a transposition and a reshape each element found its way home: the gradient is 2x. And y is an array
# now: `backward` begins with ones, as if y were summed.
#
# ## Questions
#
# 1. np.mean(x) of an x with 8 elements: what is each element of `x.grad`?
# 2. y = np.sum(x, axis=0) ** 2, with the rows [1, 2] and [3, 4] in x. What is `x.grad`? A list of two rows.

# %%
x, z = Variable(np.zeros((2, 4))), Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
np.mean(x).backward()
(np.sum(z, axis=0) ** 2).backward()
check(1, ..., x.grad[0, 0])
check(2, ..., z.grad)
