"""Random programs of operations, against dual numbers: a second, slow way to the same derivatives.

A dual number is a value with its derivatives by every leaf, carried forwards: nothing here is shared with the engine.
"""

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from tinygrad_jp import Variable, no_grad


class Dual:
    """A number and its first and second derivatives by each of n leaves."""

    def __init__(self, value, gradient, hessian):
        self.value, self.gradient, self.hessian = value, gradient, hessian

    @staticmethod
    def leaf(value, i, n):
        gradient = np.zeros(n)
        gradient[i] = 1
        return Dual(value, gradient, np.zeros((n, n)))

    def constant(self):
        return Dual(self.value, 0 * self.gradient, 0 * self.hessian)

    def through(self, value, slope, curvature):
        """f(self), for f with the given value, slope and curvature: the chain rule to second order."""
        outer = np.outer(self.gradient, self.gradient)
        return Dual(value, slope * self.gradient, slope * self.hessian + curvature * outer)

    def __add__(self, other):
        return Dual(self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian)

    def __mul__(self, other):
        mixed = np.outer(self.gradient, other.gradient)
        return Dual(
            self.value * other.value,
            self.value * other.gradient + other.value * self.gradient,
            self.value * other.hessian + other.value * self.hessian + mixed + mixed.T,
        )


UNARY = {
    "sin": (np.sin, lambda d: d.through(math.sin(d.value), math.cos(d.value), -math.sin(d.value))),
    "tanh": (np.tanh, lambda d: d.through(t := math.tanh(d.value), 1 - t * t, -2 * t * (1 - t * t))),
    "square": (np.square, lambda d: d * d),
    "power": (lambda x: x**3, lambda d: d * d * d),
    "negative": (lambda x: -x, lambda d: d.through(-d.value, -1.0, 0.0)),
    "halve": (lambda x: x / 2, lambda d: d.through(d.value / 2, 0.5, 0.0)),
    "rising": (lambda x: 1 - 0.5 * x, lambda d: d.through(1 - 0.5 * d.value, -0.5, 0.0)),
}
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "subtract": (lambda a, b: a - b, lambda a, b: a + b.through(-b.value, -1.0, 0.0)),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b),
    "mean of both": (
        lambda a, b: np.mean(np.stack([a, b])),
        lambda a, b: (a + b).through((a.value + b.value) / 2, 0.5, 0.0),
    ),
    "larger, smoothly": (
        np.logaddexp,
        lambda a, b: log_of(exp_of(a) + exp_of(b)),
    ),
}  # fmt: skip
LEAVES = 3
LARGE = 1e3  # Values stay small, so that rounding does.


def exp_of(d):
    e = math.exp(d.value)
    return d.through(e, e, e)


def log_of(d):
    return d.through(math.log(d.value), 1 / d.value, -1 / d.value**2)


class Programs(RuleBasedStateMachine):
    """Each rule is a line of a program; after any of them, gradients may be asked for."""

    values = Bundle("values")

    def __init__(self):
        super().__init__()
        self.leaves, self.expected, self.between = [], [], []

    @initialize(target=values, numbers=st.lists(st.floats(-2, 2), min_size=LEAVES, max_size=LEAVES))
    def leaves_are_made(self, numbers):
        self.leaves = [Variable(x) for x in numbers]
        self.expected = [np.zeros(()) for _ in numbers]
        return multiple(*((x, Dual.leaf(x.item(), i, LEAVES)) for i, x in enumerate(self.leaves)))

    @rule(target=values, x=values, name=st.sampled_from(sorted(UNARY)))
    def unary(self, x, name):
        ours, dual = UNARY[name]
        return self.small(ours(x[0]), dual(x[1]), x)

    @rule(target=values, a=values, b=values, name=st.sampled_from(sorted(BINARY)))
    def binary(self, a, b, name):
        ours, dual = BINARY[name]
        return self.small(ours(a[0], b[0]), dual(a[1], b[1]), a)

    @rule(target=values, a=values, b=values)
    def an_island_without_a_graph(self, a, b):
        with no_grad():
            y = a[0] * b[0]
        return self.small(y, (a[1] * b[1]).constant(), a)

    @rule(target=values, x=values)
    def unchain(self, x):
        """A copy that is cut off: what was computed with x before keeps its graph."""
        y = x[0] + 0.0
        y.unchain()
        return y, x[1].constant()

    @rule(x=values, retain=st.booleans())
    def backward(self, x, retain):
        y, dual = x
        if y.creator is None and not any(y is leaf for leaf in self.leaves):
            return
        y.backward(retain_grad=retain)
        self.expected = [g + d for g, d in zip(self.expected, dual.gradient, strict=True)]
        for leaf in self.leaves:
            if leaf.grad is not None:
                assert leaf.grad.creator is None
        for between in self.between:  # What `retain_grad` leaves there would be where the next pass starts from.
            between.cleargrad()

    @rule(x=values, i=st.integers(0, LEAVES - 1))
    def second_derivative(self, x, i):
        """The gradient of the gradient by leaf i, without touching what has been added up so far."""
        y, dual = x
        if y.creator is None:
            return
        kept = [leaf.grad for leaf in self.leaves]
        self.clear()
        y.backward(create_graph=True)
        gx = self.leaves[i].grad
        self.clear()
        if gx is not None and gx.creator is not None:
            gx.backward()
        rows = [0.0 if leaf.grad is None else leaf.grad.item() for leaf in self.leaves]
        np.testing.assert_allclose(rows, dual.hessian[i], rtol=1e-6, atol=1e-6)
        for leaf, g in zip(self.leaves, kept, strict=True):
            leaf.grad = g

    def clear(self):
        for leaf in self.leaves:
            leaf.cleargrad()

    @rule()
    def cleargrads(self):
        self.clear()
        self.expected = [np.zeros(()) for _ in self.leaves]

    @invariant()
    def gradients_are_those_of_the_dual_numbers(self):
        for leaf, g in zip(self.leaves, self.expected, strict=True):
            found = 0.0 if leaf.grad is None else leaf.grad.item()
            np.testing.assert_allclose(found, g, rtol=1e-7, atol=1e-7)

    def small(self, y, dual, otherwise):
        np.testing.assert_allclose(y.item(), dual.value, rtol=1e-9, atol=1e-9)
        largest = max(abs(dual.value), np.abs(dual.gradient).max(), np.abs(dual.hessian).max())
        self.between.append(y)
        return (y, dual) if largest < LARGE and abs(dual.value) < 20 else otherwise


TestPrograms = Programs.TestCase
