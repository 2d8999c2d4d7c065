"""Variables, and the Functions that link them: the two kinds of node of a computation graph.

Calling NumPy on a `Variable` computes what NumPy computes, and records a `Function`: which function, on what, giving
what. A Variable knows the Function that created it, and a Function the Variables that it was given. That is the graph.
"""

import copy
import functools
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from tinygrad_jp.core.arrays import Outputs, as_data, output, released
from tinygrad_jp.core.backward import gradient_dtype, key_of, run_backward, toposort
from tinygrad_jp.core.binding import check_settings
from tinygrad_jp.core.errors import COMPLEX, call_error, check_complex, missing_rule_error, name_of, plain_name
from tinygrad_jp.core.operators import CONSTANTS, NO_SETTINGS, Operators, plain
from tinygrad_jp.core.settings import ENABLE_BACKPROP, OBSERVER
from tinygrad_jp.core.table import CALLS, CUSTOM_RULE, OUTPUT_UNUSED, PULLBACKS, TO_COMPLEX
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import apart, beside, on_device
from tinygrad_jp.hints import hinting
from tinygrad_jp.kinds import Array, ArrayLike, ArrayMethods, Rule, is_table

next_sequence = itertools.count().__next__
_recording, _observer, _new = ENABLE_BACKPROP.get, OBSERVER.get, object.__new__
# The `_grad` of a result without a graph: it is a constant, not a leaf, and `backward()` must not make it one.
_DETACHED: Any = object()


class Variable(Operators):
    """An array that remembers how it was computed.

    `data` is the array, `grad` the gradient that `backward()` leaves (a Variable, or None before), `creator` the
    Function that computed it (None for a leaf, which was made from data), and `name` a label for pictures. Lists,
    numbers and arrays are accepted as data. An array is held as it is, not copied. The gradient of integers is a
    float64. `Variable(None)` waits for its data.

    NumPy's operators, functions and most methods of arrays work on Variables. Comparisons give plain boolean arrays.
    `x += 1` means `x = x + 1`: a new Variable, which is not a leaf. To change x itself, change `x.data`.

    >>> x = Variable([1.0, 2.0, 3.0])
    >>> y = (x**2).sum()
    >>> y.backward()
    >>> y, x.grad
    (variable(14.0), variable([2. 4. 6.]))
    """

    # A result of one number stays a NumPy scalar in `_array`, on which arithmetic is ten times as fast as on a 0-d
    # array. `data` gives it out as a 0-d array.
    __slots__ = ("__weakref__", "_grad", "creator", "name")

    def __init__(self, data: ArrayLike | None, name: str | None = None) -> None:
        self._array = None if data is None else as_data(data)
        self._grad: Any = None
        self.creator: Function | None = None
        self.name = name

    @property
    def data(self) -> Any:
        """The array that this Variable holds."""
        array = self._array
        if not isinstance(array, np.ndarray) and array is not None and not on_device(array):
            self._array = array = np.asarray(array)
        return array

    @data.setter
    def data(self, data: ArrayLike | None) -> None:
        self._array = None if data is None else as_data(data)

    @property
    def grad(self) -> Any:
        """The gradient, summed over the calls of `backward()` since the last `cleargrad()`."""
        return None if self._grad is _DETACHED else self._grad

    @grad.setter
    def grad(self, grad: ArrayLike | None) -> None:
        if grad is not None:
            grad = as_variable(grad)
            if grad.shape != self.shape:
                raise ValueError(f"grad: expected the shape {self.shape} of the data, got {grad.shape}")
            if error := apart("grad", (self, grad)):
                raise error
            if grad.dtype != gradient_dtype(self):
                grad = grad.astype(gradient_dtype(self))
        self._grad = grad

    def backward(self, retain_grad: bool = False, create_graph: bool = False) -> None:
        """Add to the `grad` of every leaf the gradient of this Variable with respect to that leaf.

        The pass starts from `self.grad` if you have set it, and from ones otherwise: for an array, that gives the
        gradient of its sum. The derivative of a leaf with respect to itself is one. Where the pass fails, no gradient
        has changed.

        retain_grad: also leave the gradients of the Variables in between, in their `grad`.
        create_graph: record the pass itself, so that the gradients can be differentiated again.

        >>> x = Variable(3.0)
        >>> y = x**3
        >>> y.backward(create_graph=True)
        >>> gx = x.grad
        >>> x.cleargrad()
        >>> gx.backward()
        >>> gx, x.grad  # 3x² and 6x
        (variable(27.0), variable(18.0))
        """
        before = ENABLE_BACKPROP.set(create_graph)
        try:
            order, grads = run_backward(self, create_graph, _observer(), retain_grad)
            if retain_grad:
                leaves = [x for x in grads if isinstance(x, Variable)]
                between = [*([self] if self.grad is None else []), *(x for f in order for x in f.variables)]
                grads = {x: grads.get(key_of(x)) for x in [*leaves, *(x for x in between if x.creator is not None)]}
            # No two gradients may share memory: the rule of + passes gy itself to both of its arguments.
            taken = {id(self._grad._array)} if isinstance(self._grad, Variable) else set()
            for x, g in grads.items():
                x._accumulate_grad(g, taken)
        finally:
            ENABLE_BACKPROP.reset(before)

    def _seed(self, create_graph: bool) -> Array:
        """The gradient that a backward pass from here starts with."""
        data, grad = self._array, self._grad
        if data.dtype.kind not in "fiu":
            raise TypeError(f"backward: expected a Variable of numbers, got {data.dtype}; use .astype(float)")
        if grad is _DETACHED and self.creator is None:
            raise RuntimeError(
                "backward: no graph leads to this Variable, so there is nothing to go back through: it was computed "
                "from plain arrays, under no_grad(), or as a gradient without backward(create_graph=True)"
            )
        if grad is not None and self.creator is not None:
            return grad if create_graph else grad._array
        dtype = gradient_dtype(data)
        return dtype.type(1) if isinstance(data, np.generic) else np.ones_like(data, dtype)

    def _accumulate_grad(self, g: Array | None, taken: set[int]) -> None:
        """Add g to `grad`, in memory that is its own. `taken`: the arrays that other gradients hold."""
        if g is None or isinstance(g, Outputs) or self._grad is _DETACHED:
            return
        if self._grad is not None:
            self._grad = self._grad + g
            return
        data = g._array if isinstance(g, Variable) else g
        if id(data) in taken or data.base is not None:
            g = +g
        taken.add(id(data))
        self._grad = g if isinstance(g, Variable) else _variable(g, None, _DETACHED)

    @property
    def is_constant(self) -> bool:
        """Whether no gradient is lost here: it is a gradient, or computed under `no_grad`, or from such alone."""
        leaves = [x for f in toposort(self.creator) for x in f.variables if not x.creator] if self.creator else [self]
        return all(x._grad is _DETACHED for x in leaves)

    def cleargrad(self) -> None:
        """Forget the gradient, so that the next `backward()` starts from none."""
        if self._grad is not _DETACHED:
            self._grad = None

    def unchain(self) -> None:
        """Cut this Variable off from what computed it: it becomes a leaf."""
        self.creator = None

    def unchain_backward(self) -> None:
        """Cut every link behind this Variable, as truncated backpropagation through time does."""
        if self.creator is not None:
            for f in toposort(self.creator):
                for x in f.variables:
                    x.unchain()

    @staticmethod
    def call(func: Any, *args: Any, **settings: Any) -> "Variable":
        """Call `func`, and record it."""
        return apply(func, *args, **settings)

    @staticmethod
    def record(func: Any, args: Any, settings: Any, xs: Any, y: Any, a: Any = None, b: Any = None) -> "Variable":
        """The result `y` of `func` as a Variable that knows the Function it came from, where a graph is recorded.

        An operator gives its two arguments as a and b instead of `args`.
        """
        if not _recording():
            return _variable(y, None, _DETACHED)
        f = _new(Function)  # Written out, since its constructor and that of Variable would take a third of the time.
        f.func, f._args = func, args
        if args is None:
            f.a, f.b = a, b
        f.kwargs, f.xs = settings, xs
        f.y = y
        f.layer = None
        f.sequence = next_sequence()
        observer = _observer()
        if observer is not None:
            observer.recorded(f)
        x = _new(Variable)
        x._array = y
        x._grad = None
        x.creator = f
        x.name = None
        return x

    def __repr__(self) -> str:
        return "variable(" + str(self.data).replace("\n", "\n" + " " * 9) + ")"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.data, self.name, self.grad)


class Parameter(Variable):
    """A Variable that a layer learns. `Parameter(None)` waits for its data: its layer makes them at the first call."""

    __slots__ = ()

    def __init__(self, data: ArrayLike | None = None, name: str | None = None) -> None:
        super().__init__(data, name)


def as_variable(x: ArrayLike) -> Variable:
    """`x` itself if it is a Variable, otherwise a Variable that holds it."""
    return x if isinstance(x, Variable) else Variable(x)


def _variable(data: Any, creator: "Function | None", grad: Any = None) -> Variable:
    """A result: a Variable without the checks of its constructor, which take a third of the time of an operation."""
    y = _new(Variable)
    y._array = data
    y._grad = grad
    y.creator = creator
    y.name = None
    return y


def _rebuild(cls: type[Variable], data: Any, name: str | None, grad: Any) -> Variable:
    x = cls(data, name)
    x.grad = grad
    return x


# ---------------------------------------------------------------------------------------------------------------------
# Function


class Function:
    """A node of the graph: one application of one function to its inputs.

    This is what every reader of the graph may use:

    - `func` is the function, `args` and `kwargs` its arguments (arrays) and settings, `y` what it returned: an array,
      or `Outputs` of several; `whole()` is that as one Variable. `name` is the name of the function.
    - `xs` leads backwards: for each argument the Variable that held it, or None for a constant. `variables` are the
      Variables among them, `inputs` all arguments as Variables, without the settings after them.
    - `pullbacks` are its rules, and `edges` these rules with the settings filled in.
    - `sequence` counts the Functions as they are created.
    - `layer` says which layer's output came from here: (layer, the `sequence` at its call, the same for a layer around
      it), or None. `note` is for observers.

    Calls of NumPy are recorded by themselves. An operation of your own can also be a subclass: `forward` takes and
    returns arrays, `backward` takes and returns Variables, and `self.inputs` are the Variables that it was called with.

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

    # An operator's two arguments are in `a` and `b`, and `_args` is None. On numbers a tuple less for each operation
    # saves a tenth of the time of a step, most of it the garbage collector's. `propagate` knows of it as well.
    __slots__ = ("_args", "_results", "a", "b", "func", "kwargs", "layer", "note", "sequence", "xs", "y")

    a: Any
    b: Any
    note: Any
    backward: Any  # Of a subclass; a recorded function answers to it as well, and to DeZero's `outputs` (`names.py`).

    if not TYPE_CHECKING:
        __getattr__ = hinting("Function")

    def __init__(
        self, func: Any = None, args: Any = (), kwargs: Any = NO_SETTINGS, xs: Any = (), y: Any = None
    ) -> None:
        if isinstance(func, (Variable, *CONSTANTS)):
            name = type(self).__name__
            raise TypeError(f"{name}: an operation is made first, then called: {name}()(x)")
        self.func = func
        self._args: tuple[Any, ...] | None = args
        self.kwargs: dict[str, Any] = kwargs
        self.xs: tuple[Variable | None, ...] = xs
        self.y = y
        self.layer: Any = None
        self.sequence = next_sequence()

    @property
    def name(self) -> str:
        return plain_name(self.func)

    @property
    def args(self) -> tuple[Any, ...]:
        return (self.a, self.b) if self._args is None else self._args

    @property
    def inputs(self) -> tuple[Variable, ...]:
        args = [a if a is None or hasattr(a, "dtype") else np.asarray(a) for a in self.args[: len(self.pullbacks)]]
        return tuple([self.constant(a) if x is None else x for a, x in zip(args, self.xs, strict=False)])

    @property
    def variables(self) -> list[Variable]:
        return [x for x in self.xs if x is not None]

    @property
    def pullbacks(self) -> Any:
        return PULLBACKS.get(self.func, CUSTOM_RULE)

    @property
    def edges(self) -> list[tuple[int, Rule, Variable]]:
        """For each argument that is a Variable its position, its pullback and the Variable itself."""
        variables = [(i, x) for i, x in enumerate(self.xs) if x is not None]
        return [(i, functools.partial(self.pullbacks[i], **self.kwargs), x) for i, x in variables]

    def whole(self) -> Variable:
        """`y` as a Variable, with all outputs in one where there are several."""
        return _variable(self.y, self)

    @staticmethod
    def constant(gy: Any) -> Any:
        """A gradient that is a plain array, as a Variable, which rules get where a pass is recorded."""
        return gy if isinstance(gy, Variable | Outputs) else _variable(gy, None, _DETACHED)

    # An operation of the user's own

    def __call__(self, *inputs: ArrayLike) -> Any:
        """Apply the function, and record that."""
        if getattr(self, "args", ()):
            fresh = copy.copy(self)  # The graph holds this one.
            Function.__init__(fresh)
            return fresh(*inputs)
        xs = tuple([x if x is None or isinstance(x, Variable) else self.constant(as_data(x)) for x in inputs])
        args = tuple([None if x is None else x.data for x in xs])
        Function.__init__(self, type(self), args, NO_SETTINGS, xs, None)
        y = self.forward(*args)
        whose = f"{self.name}.forward"
        self.y = Outputs(as_data(e, whose) for e in y) if isinstance(y, tuple) else as_data(y, whose)
        recording, observer = _recording(), _observer()
        if recording and observer is not None:
            observer.recorded(self)
        whole = self.whole() if recording else _variable(self.y, None, _DETACHED)
        ys = tuple(apply(output, whole, i, len(y)) for i in range(len(y))) if isinstance(y, tuple) else (whole,)
        self._results = [ref(y) for y in ys]
        return ys if isinstance(y, tuple) else whole

    def forward(self, *xs: Any) -> Any:
        raise NotImplementedError(f"{self.name}: write forward(self, x), which takes and returns arrays")

    def joint_pullback(self, pullbacks: Any, gy: Any, y: Any, args: Any) -> Any:
        """The gradients of all inputs from one rule: that of the table, or `backward`."""
        if pullbacks is not CUSTOM_RULE:
            return pullbacks.rule(gy, y, *args, **self.kwargs)
        several = zip(gy, self.y, strict=True) if isinstance(gy, Outputs) else [(gy, self.y)]
        gys = [np.zeros_like(y) if gy is None else gy for gy, y in several]
        gxs = self.backward(*map(self.constant, gys))
        if gxs is None:
            raise TypeError(f"{self.name}.backward: expected a gradient, got None; return it, zeros if there is none")
        gxs = gxs if isinstance(gxs, tuple) else (gxs,)
        if len(gxs) > len(xs := self.xs) or any(x is not None and not x.is_constant for x in xs[len(gxs) :]):
            expected = f"{counted(len(self.args), 'gradient')}, one per input"
            raise ValueError(f"{self.name}.backward: expected {expected}, got {len(gxs)}")
        gxs += (None,) * (len(xs) - len(gxs))
        return gxs if _recording() else plain(gxs)


# ---------------------------------------------------------------------------------------------------------------------
# How a call is recorded


def primitive(func: Callable[..., Any]) -> Callable[..., Any]:
    """Let Variables record an ordinary function of arrays. Its derivative is entered with `@pullback`."""

    @functools.wraps(func)
    def either(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if isinstance(x, ArrayMethods):
                return x.call(func, *args, **kwargs)
        return func(*args, **kwargs)

    either.primitive = func  # type: ignore[attr-defined]
    return either


def apply(func: Any, *args: Any, **settings: Any) -> Variable:
    """Call `func` on `args`, arrays or Variables, and record it. Arguments go by position, settings by keyword.

    >>> apply(np.sum, Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    variable([4. 6.])
    """
    pullbacks = PULLBACKS.get(func)
    if pullbacks is None:
        raise missing_rule_error(func)
    if settings:
        check_settings(func, settings, pullbacks)
    data: list[Any] = []
    xs: list[Variable | None] = []
    linked = False
    for i, x in enumerate(args):
        if isinstance(x, Variable):
            if i >= len(pullbacks):
                which = f"{name_of(func)}: no derivative with respect to its argument {i + 1} is known"
                raise TypeError(f"{which}; give that as x.data")
            data.append(x._array)
            if pullbacks[i] is None:
                xs.append(None)
            else:
                xs.append(x)
                linked = True
        else:
            data.append(beside(x, *args) if is_table(x) and i < len(pullbacks) else x)
            xs.append(None)
    recorder = None if (observer := _observer()) is None else observer.recorder
    try:
        y = (CALLS.get(func, func) if recorder is None else recorder.calling(func))(*data, **settings)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise call_error(func, data, error) from None
    if linked and getattr(y, "dtype", None) in COMPLEX and func not in TO_COMPLEX:
        check_complex(func, [x for x in xs if x is not None])
    return Variable.record(func, tuple(data), settings, tuple(xs), y) if linked else _variable(y, None, _DETACHED)


def apply_inplace(func: Any, x: Variable) -> Variable:
    """`func(x)`, written over x where that saves much memory and no rule needs what was there; otherwise as `apply`.

    x must be the result, of at least 1 MB, of a function in `OUTPUT_UNUSED`, and the rule of `func(x, out)` may use y
    alone. The memory of x is released: from now on x reads NaN, and takes no memory.
    """
    data, f = x._array, x.creator
    ordinary = data.nbytes < 1 << 20 or not _recording() or _observer() is not None
    if ordinary or f is None or f.func not in OUTPUT_UNUSED or f.y is not data or on_device(data):
        return apply(func, x)
    x._array = f.y = released(data)
    return Variable.record(func, (x._array,), NO_SETTINGS, (x,), func(data, data))
