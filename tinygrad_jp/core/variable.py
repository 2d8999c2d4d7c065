"""The engine: Variables, the Functions that link them, and what sends gradients back through them.

Calling NumPy on a `Variable` computes what NumPy computes and records a `Function`: which function, on what, giving
what. `backward()` visits the recorded Functions from the last to the first and asks the table `PULLBACKS` for the
derivative of each. That is all; the table itself is in `calculus.py`.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_jp.core.arrays import astype, let_go
from tinygrad_jp.core.methods import ArrayMethods
from tinygrad_jp.core.propagation import OWN, propagate, reachable
from tinygrad_jp.core.settings import ENABLE_BACKPROP
from tinygrad_jp.core.table import (
    COMPOSITIONS,
    PARTIAL,
    PLAIN,
    PULLBACKS,
    UNSEEN,
    Pull,
    called,
    canonical,
    check_settings,
    misfit,
    name_of,
    no_rule,
    plain_name,
)

serial = itertools.count().__next__
_recording = ENABLE_BACKPROP.get
_new = object.__new__
_NUMBERS = frozenset({float, int, np.ndarray, np.float64, np.float32})
_CONSTANTS = (int, float, np.ndarray, np.generic, list, tuple)
_LISTS = (list, tuple)
_NONE: dict[str, Any] = {}
LARGE = 1 << 20  # bytes


def primitive(func: Callable[..., Any]) -> Callable[..., Any]:
    """Make an ordinary function of arrays one that Variables record; its derivative is entered with `@pullback`."""

    @functools.wraps(func)
    def either(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if isinstance(x, ArrayMethods):
                return x.call(func, *args, **kwargs)
        return func(*args, **kwargs)

    either.primitive = func  # type: ignore[attr-defined]
    return either


# ---------------------------------------------------------------------------------------------------------------------
# Variable


def _infix(ufunc: np.ufunc, op: Pull) -> tuple[Pull, Pull]:
    """The two methods of a binary operator: with the Variable on its left, and on its right.

    Python's operator computes, since on single numbers it is ten times as fast as the ufunc; the ufunc names the rule.
    """

    def left(self: "Variable", other: Any) -> Any:
        a = self._data
        if isinstance(other, Variable):
            b = other._data
        elif type(other) in _NUMBERS:
            b = other
        else:
            return apply(ufunc, self, other) if isinstance(other, _CONSTANTS) else NotImplemented
        try:
            y = op(a, b)
        except ValueError as error:
            raise misfit(ufunc, (a, b), error) from None
        recording = _recording()
        if not recording:
            return _result(y, None, _NO_GRAPH)
        f = _new(Function)
        f.func = ufunc
        f._args = None
        f.a = a
        f.b = b
        f.kwargs = _NONE
        return _record(f, (self, None if b is other else other), y, recording)

    def right(self: "Variable", other: Any) -> Any:
        return apply(ufunc, other, self) if isinstance(other, _CONSTANTS) else NotImplemented

    return left, right


def _prefix(ufunc: np.ufunc) -> Pull:
    """The method of an operator that stands before its Variable."""
    return lambda self: apply(ufunc, self)


def _comparison(op: Pull) -> Pull:
    """The method of a comparison."""
    return lambda self, b: op(self._data, _plain(b))


class Variable(ArrayMethods):
    """An array that remembers how it was computed.

    `data` is the array, `grad` the gradient that `backward()` leaves (a Variable; None before), `creator` the Function
    that computed it (None for a leaf, which someone made), `name` a label for pictures. Lists, numbers and arrays are
    accepted as data, and an array is held as it is, not copied. Integers may be held, but not differentiated.

    NumPy's operators, functions and the usual methods work on Variables; comparisons give plain boolean arrays.
    `x += 1` means `x = x + 1`, a new Variable, which is no leaf; to change x itself, change `x.data`.

    >>> x = Variable([1.0, 2.0, 3.0])
    >>> y = (x**2).sum()
    >>> y.backward()
    >>> y, x.grad
    (variable(14.0), variable([2. 4. 6.]))
    """

    # A result of one number stays a NumPy scalar in `_data`, since arithmetic on it is ten times as fast as on a 0-d
    # array; `data` gives it out as a 0-d array.
    __slots__ = ("_grad", "creator", "name")

    def __init__(self, data: Any, name: str | None = None) -> None:
        self._data = _as_data(data)
        self._grad: Any = None
        self.creator: Function | None = None
        self.name = name

    @property
    def data(self) -> Any:
        """The array that this Variable holds."""
        if not isinstance(self._data, np.ndarray) and self._data is not None:
            self._data = np.asarray(self._data)
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = _as_data(data)

    @property
    def grad(self) -> Any:
        """The gradient, added up over the calls of `backward()` until `cleargrad()`."""
        return None if self._grad is _NO_GRAPH else self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        if grad is not None:
            grad = as_variable(grad)
            if grad.shape != self.shape:
                raise ValueError(f"grad: expected the shape {self.shape} of the data, got {grad.shape}")
            if grad.dtype != self.dtype:
                grad = grad.astype(self.dtype)
        self._grad = grad

    # Derivatives

    def backward(self, retain_grad: bool = False, create_graph: bool = False) -> None:
        """Add to the `grad` of every leaf the gradient of this Variable by that leaf.

        The pass starts from `self.grad` where you set one, and from ones otherwise: for an array, that is the gradient
        of its sum. The derivative of a leaf by itself is one.

        retain_grad: also leave the gradients of the Variables in between, in their `grad`.
        create_graph: record the pass itself, so that the gradients can be differentiated in turn.

        >>> x = Variable(3.0)
        >>> y = x**3
        >>> y.backward(create_graph=True)
        >>> gx = x.grad
        >>> x.cleargrad()
        >>> gx.backward()
        >>> gx, x.grad  # 3x² and 6x
        (variable(27.0), variable(18.0))
        """
        backward(self, retain_grad, create_graph)

    def cleargrad(self) -> None:
        """Forget the gradient, so that the next `backward()` starts from none."""
        if self._grad is not _NO_GRAPH:
            self._grad = None

    def unchain(self) -> None:
        """Cut this Variable off what computed it: it becomes a leaf."""
        self.creator = None

    def unchain_backward(self) -> None:
        """Cut every link behind this Variable, as truncated backpropagation through time does."""
        if self.creator is not None:
            for f in reachable(self.creator):
                for x in f.variables:
                    x.unchain()

    def astype(self, dtype: Any) -> "Variable":
        return apply(astype, self, dtype=dtype)

    def __getitem__(self, index: Any) -> "Variable":
        return apply(operator.getitem, self, _plain(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "a Variable cannot be assigned into: its graph would not see it; change x.data, or build a new one"
        )

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> "Iterator[Variable]":
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return _plain(value) in self.data

    def __float__(self) -> float:
        return float(self._data)

    def __int__(self) -> int:
        return int(self._data)

    def __index__(self) -> int:
        return operator.index(self._data)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of a Variable of shape {self.shape} is ambiguous; use .all() or .any()")
        return bool(self._data)

    def __repr__(self) -> str:
        return "variable(" + str(self.data).replace("\n", "\n" + " " * 9) + ")"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.data, self.name, self.grad)

    # Comparison: plain boolean arrays

    __eq__, __ne__, __lt__ = map(_comparison, (operator.eq, operator.ne, operator.lt))
    __le__, __gt__, __ge__ = map(_comparison, (operator.le, operator.gt, operator.ge))
    __hash__ = object.__hash__

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"np.{ufunc.__name__}.{method} has no rule; use np.sum, np.max or the like")
        if "out" in kwargs:
            raise TypeError(f"np.{ufunc.__name__}: out= and a += v on an array a lose the graph; write a = a + v")
        return self.__array_function__(ufunc, (), args, kwargs)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func in COMPOSITIONS:
            return COMPOSITIONS[func](*args, **kwargs)
        if func in PULLBACKS:
            positional, settings = canonical(func, args, kwargs)
            return apply(func, *positional, **settings)
        if func in PLAIN:
            return func(*_plain(args), **_plain(kwargs))
        raise no_rule(func)

    @staticmethod
    def call(func: Any, *args: Any, **settings: Any) -> "Variable":
        """What a `@primitive` does on Variables; symbols, which print formulas, have a way of their own."""
        return apply(func, *args, **settings)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(
            "a Variable does not turn into an array silently, its graph would be lost; use .data, or np.stack of a list"
        )

    # Operators

    __add__, __radd__ = _infix(np.add, operator.add)
    __sub__, __rsub__ = _infix(np.subtract, operator.sub)
    __mul__, __rmul__ = _infix(np.multiply, operator.mul)
    __truediv__, __rtruediv__ = _infix(np.divide, operator.truediv)
    __pow__, __rpow__ = _infix(np.power, operator.pow)
    __matmul__, __rmatmul__ = _infix(np.matmul, operator.matmul)
    __neg__, __pos__, __abs__ = map(_prefix, (np.negative, np.positive, np.absolute))


class Parameter(Variable):
    """A Variable that a layer learns. `Parameter(None)` waits for its data: its layer makes them at the first call."""

    __slots__ = ()

    def __init__(self, data: Any = None, name: str | None = None) -> None:
        super().__init__(0.0 if data is None else data, name)
        if data is None:
            self._data = None


def as_variable(x: Any) -> Variable:
    """`x` itself if it is a Variable, else a Variable that holds it."""
    return x if isinstance(x, Variable) else Variable(x)


# Stands as the `_grad` of a result that no graph was recorded for: it is a constant, not a leaf.
_NO_GRAPH: Any = object()


def _result(data: Any, creator: "Function | None", grad: Any = None) -> Variable:
    y = _new(Variable)
    y._data = data
    y._grad = grad
    y.creator = creator
    y.name = None
    return y


def _rebuild(cls: type[Variable], data: Any, name: str | None, grad: Any) -> Variable:
    x = cls(data, name)
    x.grad = grad
    return x


def _as_data(data: Any, whose: str = "Variable") -> Any:
    """`data` as an array of numbers, or as a NumPy scalar where it is one number."""
    if isinstance(data, Variable):
        raise TypeError(f"{whose}: expected an array, a list or a number, got a Variable; use as_variable(x) or x.data")
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise TypeError(f"{whose}: the data do not form an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{whose}: expected an array, a list or a number (floats, integers or booleans), "
            f"got {type(data).__name__} of dtype {array.dtype}; convert it to numbers first"
        )
    return array if array.ndim else array[()]


def _plain(x: Any) -> Any:
    """`x` with every Variable in it replaced by its data."""
    if isinstance(x, Variable):
        return x._data
    if isinstance(x, _LISTS):
        return type(x)([_plain(e) for e in x])
    if isinstance(x, dict):
        return {key: _plain(e) for key, e in x.items()}
    return x


# ---------------------------------------------------------------------------------------------------------------------
# Function


class Function:
    """A node of the graph: one application of one function to its inputs.

    `func` is the function, `args` and `kwargs` what it was called with (arrays and settings), `y` what it returned.
    `xs` lead backwards: for each argument the Variable that held it, or None where it is a constant. `number` counts
    the Functions as they are made. `layer`, where a layer's output came from here, names the layer, and `note` is what
    `debug()` wrote down.

    Calls of NumPy are recorded by themselves. An operation of your own may be a subclass: `forward` takes and returns
    arrays, `backward` takes and returns Variables, `self.inputs` are the Variables it was called with.

    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return x**2
    ...     def backward(self, gy):
    ...         (x,) = self.inputs
    ...         return 2 * x * gy
    >>> x = Variable(3.0)
    >>> y = Square()(x)
    >>> y.backward()
    >>> x.grad
    variable(6.0)
    """

    # An operator's two arguments are in `a` and `b`, and `_args` is None: a tuple less for each operation on numbers,
    # which takes a tenth of its time.
    __slots__ = ("_args", "a", "b", "func", "kwargs", "layer", "note", "number", "xs", "y")

    note: Any
    a: Any
    b: Any

    def __init__(self, func: Any = None, args: Any = (), kwargs: Any = _NONE, xs: Any = (), y: Any = None) -> None:
        if isinstance(func, (Variable, *_CONSTANTS)):
            name = type(self).__name__
            raise TypeError(f"{name}: an operation is made first, then called: {name}()(x)")
        self.func = func
        self._args: tuple[Any, ...] | None = args
        self.kwargs = kwargs
        self.xs: tuple[Variable | None, ...] = xs
        self.y = y
        self.layer: Any = None
        self.number = serial()

    @property
    def name(self) -> str:
        """The name of the function."""
        return plain_name(self.func)

    @property
    def args(self) -> tuple[Any, ...]:
        """What the function was called with, as arrays."""
        return (self.a, self.b) if self._args is None else self._args

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What the function was called with: Variables, and constants as they came."""
        return tuple([a if x is None else x for a, x in zip(self.args, self.xs, strict=True)])

    @property
    def variables(self) -> list[Variable]:
        """The Variables that it was called with."""
        return [x for x in self.xs if x is not None]

    @property
    def pulls(self) -> Any:
        """Its pullbacks, one for each argument."""
        return PULLBACKS.get(self.func, OWN)

    @property
    def edges(self) -> list[tuple[int, Pull, Variable]]:
        """For each argument that is a Variable its position, its pullback and the Variable itself."""
        variables = [(i, x) for i, x in enumerate(self.xs) if x is not None]
        return [(i, functools.partial(self.pulls[i], **self.kwargs), x) for i, x in variables]

    @property
    def outputs(self) -> list[Callable[[], Variable]]:
        """What the function returned, as DeZero gives it: `self.outputs[0]()` is `y`."""
        whole = self.whole()
        if not isinstance(self.y, Several):
            return [lambda: whole]
        return [functools.partial(apply, one_of, whole, i, len(self.y)) for i in range(len(self.y))]

    def whole(self) -> Variable:
        """`y` as a Variable, all outputs in one where there are several."""
        return _result(self.y, self)

    # An operation of the user's own

    def __call__(self, *inputs: Any) -> Any:
        """Apply the function, and record that."""
        if getattr(self, "args", ()):
            name = type(self).__name__
            raise RuntimeError(f"{name}: this instance has been applied; make a new one for each call: {name}()(x)")
        xs = tuple(as_variable(x) for x in inputs)
        args = tuple(x.data for x in xs)
        Function.__init__(self, type(self), args, _NONE, xs, None)
        y = self.forward(*args)
        whose = f"{self.name}.forward"
        self.y = Several(_as_data(e, whose) for e in y) if isinstance(y, tuple) else _as_data(y, whose)
        recording = _recording()
        if recording is not True and recording:
            recording.recorded(self)
        whole = _result(self.y, self) if recording else _result(self.y, None, _NO_GRAPH)
        return tuple(apply(one_of, whole, i, len(y)) for i in range(len(y))) if isinstance(y, tuple) else whole

    def forward(self, *xs: Any) -> Any:
        raise NotImplementedError(f"{self.name}: write forward(self, x), which takes and returns arrays")

    def backward(self, *gys: Any) -> Any:
        raise NotImplementedError(f"{self.name}: write backward(self, gy), which takes and returns Variables")

    def pull_all(self, gy: Any, y: Any, args: Any) -> Any:
        """The gradients of all inputs, where one rule gives them at once: that of the table, or `backward`."""
        if self.pulls is not OWN:
            return self.pulls.rule(gy, y, *args, **self.kwargs)
        several = zip(gy, self.y, strict=True) if isinstance(gy, Several) else [(gy, self.y)]
        gys = [np.zeros_like(y) if gy is None else gy for gy, y in several]
        gxs = self.backward(*[gy if isinstance(gy, Variable) else _result(gy, None, _NO_GRAPH) for gy in gys])
        if gxs is None:
            raise TypeError(f"{self.name}.backward: expected a gradient, got None; return it, zeros if there is none")
        gxs = gxs if isinstance(gxs, tuple) else (gxs,)
        if len(gxs) != len(self.args):
            raise ValueError(
                f"{self.name}.backward: expected {len(self.args)} gradients, one per input, got {len(gxs)}"
            )
        return gxs if _recording() else _plain(gxs)


class Several(tuple[Any, ...]):
    """The outputs of a function that has several, or their gradients (None where there is none)."""

    __slots__ = ()

    def __add__(self, other: Any) -> "Several":
        return Several(b if a is None else a if b is None else a + b for a, b in zip(self, other, strict=True))


def one_of(ys: Several, i: int, n: int) -> Any:
    """The `i`-th of `n` outputs."""
    return ys[i]


PULLBACKS[one_of] = lambda gy, y, ys, i, n: Several(gy if j == i else None for j in range(n))


def apply(func: Any, *args: Any, **settings: Any) -> Variable:
    """Call `func` on `args`, arrays or Variables, and record that. Arguments go by position, settings by keyword.

    >>> apply(np.sum, Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    variable([4. 6.])
    """
    pulls = PULLBACKS.get(func)
    if pulls is None:
        raise no_rule(func)
    if settings:
        check_settings(func, settings)
    data: list[Any] = []
    xs: list[Variable | None] = []
    recording = False
    for x in args:
        if not isinstance(x, Variable):
            data.append(np.asarray(x) if isinstance(x, _LISTS) and len(xs) < len(pulls) else x)
            xs.append(None)
            continue
        try:
            known = pulls[len(xs)]
        except IndexError:
            which = f"{name_of(func)}: no derivative by its argument {len(xs) + 1} is known"
            raise TypeError(f"{which}; give that as x.data") from None
        data.append(x._data)
        if known is None:
            xs.append(None)
        else:
            xs.append(x)
            recording = True
    try:
        y = called(func, data) if func in PARTIAL else func(*data, **settings)
    except ValueError as error:
        raise misfit(func, data, error) from None
    if not recording or not (recording := _recording()):
        return _result(y, None, _NO_GRAPH)
    f = _new(Function)
    f.func = func
    f._args = tuple(data)
    f.kwargs = settings
    return _record(f, tuple(xs), y, recording)


def overwrite(func: Any, x: Variable) -> Variable:
    """`func(x)`, written over x where that saves much memory and no rule looks at what was there; else as ever.

    x is then a result of at least 1 MB of a function in `UNSEEN`, and of `func(x, out)` the rule looks at y alone. What
    x held is let go: from now on it reads NaN, and takes no memory.
    """
    data, f = x._data, x.creator
    if data.nbytes < LARGE or f is None or f.func not in UNSEEN or f.y is not data or _recording() is not True:
        return apply(func, x)
    x._data = f.y = let_go(data)
    return _record(Function(func, (x._data,)), (x,), func(data, data), True)


def _record(f: Any, xs: Any, y: Any, recording: Any) -> Variable:
    """A Variable that holds y, the result of f, which has all but this; constructors would take a third of the time."""
    f.xs = xs
    f.y = y
    f.layer = None
    f.number = serial()
    if recording is not True:
        recording.recorded(f)
    x = _new(Variable)
    x._data = y
    x._grad = None
    x.creator = f
    x.name = None
    return x


# ---------------------------------------------------------------------------------------------------------------------
# The backward pass


def backward(root: Variable, retain_grad: bool = False, create_graph: bool = False) -> None:
    """The backward pass: see `Variable.backward`."""
    recording = _recording()
    before = ENABLE_BACKPROP.set(create_graph and (recording or True))
    try:
        kind: Any = _Retained if retain_grad else dict
        order, grads = gradients(root, create_graph, kind() if isinstance(recording, bool) else recording.ledger(kind))
        # Only now, when nothing can fail any more, the gradients are handed out.
        taken = {id(root._grad._data)} if isinstance(root._grad, Variable) else set()
        if retain_grad:
            between = [x for x in [root, *(x for f in order for x in f.variables)] if x.creator is not None]
            retained = {x: grads.get(x.creator) for x in between if x is not root or root.grad is None}
            leaves = {x: g for x, g in grads.items() if isinstance(x, Variable)}
            grads = leaves | {x: g for x, g in retained.items() if g is not None and not isinstance(g, Several)}
        for x, g in grads.items():
            _deposit(x, g, taken)
    finally:
        ENABLE_BACKPROP.reset(before)


class _Retained(dict[Any, Any]):
    """A dictionary that keeps what is taken out of it."""

    pop = dict.get


def gradients(root: Variable, create_graph: bool, grads: dict[Any, Any]) -> Any:
    """The Functions behind `root`, the latest first, and `grads` filled with the gradients of leaves.

    `grads` is an empty dictionary; that of `trace` or `debug` sees each step, as all a pass does is to ask and fill it.
    """
    seed = _seed(root, create_graph)
    order = reachable(root.creator) if root.creator is not None else []
    grads[root.creator if order else root] = seed
    propagate(order, grads, create_graph)
    return order, grads


def _seed(root: Variable, create_graph: bool) -> Any:
    """The gradient that the pass starts from."""
    data, grad = root._data, root._grad
    if data.dtype.kind != "f":
        raise TypeError(f"backward: expected a Variable of floats, got {data.dtype}; use .astype(float)")
    if grad is _NO_GRAPH and root.creator is None:
        raise RuntimeError(
            "backward: no graph leads to this Variable, so there is nothing to go back through: it was computed from "
            "plain arrays, under no_grad(), or as a gradient without backward(create_graph=True)"
        )
    if grad is not None and root.creator is not None:
        return grad if create_graph else grad._data
    return np.ones_like(data) if isinstance(data, np.ndarray) else type(data)(1)


def _deposit(x: Variable, g: Any, taken: set[int]) -> None:
    """Add `g` to `x.grad`, as memory that no other gradient shares."""
    before = x._grad
    if before is None:
        data = g._data if isinstance(g, Variable) else g
        if id(data) in taken or data.base is not None:
            g = +g
        taken.add(id(data))
        x._grad = g if isinstance(g, Variable) else _result(g, None, _NO_GRAPH)
    elif before is not _NO_GRAPH:
        x._grad = before + g
