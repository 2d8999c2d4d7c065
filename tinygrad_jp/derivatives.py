"""Derivatives as functions: `grad(f)` is f′, and others are made of it.

Here f takes Variables, in any nesting of tuples, lists and dicts, and returns one. The derivative takes arrays and
gives arrays, or takes Variables and gives Variables. So all of these compose, with one another and with themselves.

A result that does not lead back to the arguments gives zeros, and a GraphLostWarning that says so.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from tinygrad_jp.core import (
    Function,
    Variable,
    as_variable,
    propagate,
    toposort,
    using_config,
)
from tinygrad_jp.core.errors import GraphLostWarning, warn_user
from tinygrad_jp.core.settings import DIFFERENTIATING
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import np

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of f, which returns one number, with respect to the argument or arguments `argnums`.

    It is nested as the arguments are.

    >>> grad(np.sin)(0.0)
    array(1.)
    >>> grad(grad(lambda x: x**3))(2.0)  # 6x
    array(12.)
    >>> loss = lambda p, x: np.sum((p["a"] * x + p["b"]) ** 2)
    >>> grad(loss)({"a": 2.0, "b": 1.0}, np.array([0.0, 1.0]))
    {'a': array(6.), 'b': array(8.)}
    """
    both = value_and_grad(f, argnums)
    return functools.wraps(f)(lambda *args, **kwargs: both(*args, **kwargs)[1])


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """A function that returns both f, one number, and its gradient: what SciPy's optimizers take with `jac=True`.

    >>> from scipy.optimize import minimize
    >>> rosenbrock = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> minimize(value_and_grad(rosenbrock), np.zeros(3), jac=True, method="BFGS").x.round(4)
    array([1., 1., 1.])
    """

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = _Call("grad", f, args, kwargs, argnums)
        call.check_leads_back()
        if call.y.size != 1:
            raise ValueError(
                f"grad: expected f to return one number, got shape {call.y.shape}; use jacobian, or sum it"
            )
        return call.given(call.y), call.pull(np.ones_like(call.y))

    return both


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Callable[[Any], Any]]:
    """f at `xs`, and the function from a cotangent w of f's shape to w·J, one gradient for each of `xs`.

    >>> y, pull = vjp(lambda x: x**2, np.array([1.0, 2.0]))
    >>> y, pull(np.array([1.0, 10.0]))
    (array([1., 4.]), (array([ 2., 40.]),))
    """
    call = _Call("vjp", f, xs, {}, tuple(range(len(xs))))
    call.check_leads_back()
    return call.given(call.y), lambda w: call.pull(_checked_vector("vjp", w, call.y))


def jvp(f: Callable[..., Any], xs: tuple[Any, ...], vs: tuple[Any, ...]) -> tuple[Any, Any]:
    """f at `xs`, and its derivative J·v along `vs`, one direction for each of `xs`.

    It takes two backward passes: w·J is linear in w, and its derivative with respect to w along v is J·v.

    >>> jvp(np.sin, (0.0,), (2.0,))
    (array(0.), array(2.))
    """
    if len(xs) != len(vs):
        raise ValueError(f"jvp: expected one direction per input, {len(xs)} in all, got {len(vs)}")
    call = _Call("jvp", f, xs, {}, tuple(range(len(xs))))
    call.check_leads_back()

    def along(w: Any) -> Any:
        return _inner_product("jvp", call.gradients(w, create_graph=True), vs, call.xs)

    again = _Call("jvp", along, (np.zeros_like(call.y),), {}, 0)
    call.wants_variables = call.wants_variables or any(isinstance(v, Variable) for v in _leaves(vs))
    return call.given(call.y), call.given(as_variable(again.pull(np.ones_like(again.y))))


def jacobian(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """All derivatives ∂y/∂x of f with respect to the argument `argnum`, an array: of shape (*y.shape, *x.shape).

    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(f)
    def rows(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacobian", f, args, kwargs, argnum)
        call.check_leads_back()
        return call.jacobian()

    return rows


def hessian(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """The second derivatives of f, which returns one number, in one array of it: of shape (*x.shape, *x.shape).

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    slope = grad(f, argnum)

    @functools.wraps(f)
    def second(*args: Any, **kwargs: Any) -> Any:
        return _Call("hessian", slope, args, kwargs, argnum).jacobian()  # That of a linear f is rightly 0.

    return second


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """The product H·v of the Hessian of f at x with v, in the time of a few passes, without the Hessian.

    It is the gradient of ⟨∇f(x), v⟩.

    >>> hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    slope = grad(f)

    def along(x: Any) -> Any:
        return _inner_product("hvp", slope(x), v, x)

    call = _Call("hvp", along, (x,), {}, 0)
    return call.pull(np.ones_like(call.y))


class _Call:
    """One call of f, with nodes of its own in place of the arguments that are differentiated."""

    def __init__(
        self, name: str, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: int | tuple[int, ...]
    ) -> None:
        try:
            self.chosen = tuple(args[i] for i in argnums) if isinstance(argnums, tuple) else args[argnums]
        except IndexError:
            found = counted(len(args), "argument")
            raise IndexError(f"{name}: expected an argument {argnums}, got {found} by position") from None
        given = [as_variable(x) for x in _leaves(self.chosen)]
        for x in given:
            if x.dtype.kind not in "fiu":
                raise TypeError(f"{name}: expected numbers, got {x.dtype}; use .astype(float)")
        given = [x if x.dtype.kind == "f" else x.astype(np.float64) for x in given]
        self.name = name
        token = DIFFERENTIATING.set(True)
        try:
            with using_config("enable_backprop", True):
                # This derivative ends at these nodes. An outer one, which the arguments may belong to, goes on behind.
                self.xs = [+x for x in given]
                self.boundary = Function().sequence
                call = list(args)
                inside = _nested_like(self.chosen, iter(self.xs))
                for i, part in zip(argnums, inside, strict=True) if isinstance(argnums, tuple) else [(argnums, inside)]:
                    call[i] = part
                self.y = as_variable(f(*call, **kwargs))
        finally:
            DIFFERENTIATING.reset(token)
        if self.y.dtype.kind != "f":
            raise TypeError(
                f"{name}: expected f to return floats, got {self.y.dtype}; "
                f"comparisons, argmax and rounding have no slope"
            )
        root = self.y.creator
        self.order = toposort(root, self.boundary) if root is not None and root.sequence > self.boundary else []
        # Return Variables if the caller passed any, directly or by closure.
        own = {x.creator for x in self.xs}
        before = {x.creator for f in self.order for x in f.variables}
        self.leads_back = bool(own & {root, *before})
        outer = any(f is not None and f.sequence <= self.boundary and f not in own for f in before)
        self.wants_variables = outer or any(isinstance(x, Variable) for x in _leaves(self.chosen))

    def check_leads_back(self) -> None:
        """Warn where all gradients are zero because the result has nothing to do with the arguments."""
        if not self.leads_back:
            warn_user(
                f"{self.name}: the result of f does not lead back to its arguments, so that the gradient is 0: "
                f"f does not use them, or uses x.data, x.item(), x.tolist() or a comparison of them, "
                f"or computes under no_grad()",
                GraphLostWarning,
            )

    def given(self, y: Variable) -> Any:
        """A result as the caller gave the arguments: an array for arrays."""
        return y if self.wants_variables else y.data

    def gradients(self, gy: Any, create_graph: bool) -> list[Any]:
        """The gradients of Σ gy·y by each of `xs`, as Variables."""
        grads = dict.fromkeys(self.order) | {self.y.creator: gy}
        with using_config("enable_backprop", create_graph):
            propagate(self.order, grads, create_graph)
        found = [grads.get(x.creator) for x in self.xs]
        return [as_variable(np.zeros_like(x) if g is None else g) for x, g in zip(self.xs, found, strict=True)]

    def jacobian(self) -> Any:
        """The gradients of each element of the result, in one array."""
        if len(self.xs) != 1:
            raise TypeError(f"{self.name}: expected one array as the argument, got {len(self.xs)} of them nested")
        y, (x,) = self.y, self.xs
        units = beside(numpy.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape), y)
        gxs = [self.pull(unit) for unit in units]
        return np.reshape(np.stack(gxs) if gxs else np.zeros_like(x.data, shape=(0, *x.shape)), (*y.shape, *x.shape))

    def pull(self, gy: Any) -> Any:
        """The gradients of Σ gy·y, nested as the arguments are, each an array of its own."""
        nested = self.wants_variables or isinstance(gy, Variable)
        gxs = self.gradients(gy, create_graph=nested)
        return _nested_like(self.chosen, (gx if nested else gx.data.copy() for gx in gxs))


def _leaves(tree: Any) -> Iterator[Any]:
    """The arrays in nested tuples, lists and dicts."""
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        yield tree
        return
    for part in tree:
        yield from _leaves(part)


def _nested_like(tree: Any, leaves: Iterator[Any]) -> Any:
    """`leaves`, nested as the arrays of `tree` are."""
    if isinstance(tree, dict):
        return {key: _nested_like(part, leaves) for key, part in tree.items()}
    if isinstance(tree, list | tuple):
        parts = [_nested_like(part, leaves) for part in tree]
        return tree._make(parts) if hasattr(tree, "_make") else type(tree)(parts)  # A named tuple, or another.
    return next(leaves)


def _inner_product(name: str, gxs: Any, vs: Any, xs: Any) -> Any:
    """⟨gxs, vs⟩, for gradients and directions nested as `xs` are."""
    parts = zip(_leaves(gxs), _leaves(vs), _leaves(xs), strict=True)
    return sum(np.sum(gx * _checked_vector(name, v, x)) for gx, v, x in parts)


def _checked_vector(name: str, v: Any, x: Any) -> Any:
    """`v`, where it has the shape of `x`."""
    if np.shape(v) != x.shape:
        raise ValueError(f"{name}: expected a vector of shape {x.shape}, got {np.shape(v)}; reshape it")
    if isinstance(v, Variable):
        return v
    return (v if isinstance(v, np.ndarray) else beside(v, x)).astype(x.dtype, copy=False)
