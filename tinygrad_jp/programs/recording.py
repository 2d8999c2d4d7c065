"""A graph, computed once more on Values; and its backward pass, whose rules run on Values, too.

Where a function or a rule does not run on Values, or computes something else on them, or is long, it is written as one
call of itself. So what stands in a program has been seen to give what the engine gives.
"""

import copy
import dis
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_jp.core import (
    PULLBACKS,
    Array,
    Function,
    Observer,
    Outputs,
    Variable,
    output,
    propagate,
    toposort,
    using_config,
)
from tinygrad_jp.core.backward import conform
from tinygrad_jp.core.binding import bind
from tinygrad_jp.core.operators import plain as held_by
from tinygrad_jp.core.settings import OBSERVER
from tinygrad_jp.core.table import COMPOSITIONS, CUSTOM_RULE, NONDIFFERENTIABLE, Joint, Variadic
from tinygrad_jp.programs.borrowing import NotWritten, is_borrowable, knows_variables
from tinygrad_jp.programs.values import (
    BACKWARD,
    FORWARD,
    PLACE,
    Application,
    Place,
    Value,
    behind,
    item,
    items_of,
    leaves_in,
    mapped,
    next_number,
    outputs_of,
    plain,
    values_in,
)

LONGEST, MOST_NUMBERS = 8, 16
"""The most operations of a function or rule that is written out, and the most numbers of an array in it.

What is longer stays one call of itself.
"""


class Recording:
    """A graph on Values: `values` by the Functions and leaves of the graph, `inputs` by arrays that are not Variables.

    label: what to call the Values of leaves and of arrays.
    """

    def __init__(self, y: Variable, label: Callable[[Any], str]) -> None:
        self.label = label
        self.values: dict[Any, Any] = {}
        self.inputs: dict[int, tuple[Any, Value]] = {}
        for f in toposort(y.creator)[::-1] if y.creator is not None else []:
            self.values[f] = self._replayed(f)
        self.root = outputs_of(self._of(y, y.data))

    def _of(self, x: Variable | None, data: Any) -> Any:
        """The Value of an argument: of a Variable, of arrays that a setting holds, or a constant as it is."""
        if x is None:
            return self._input(data) if isinstance(data, list) else mapped(data, self._input)
        if x.creator is not None:
            return self.values[x.creator]
        if x not in self.values:
            with at(FORWARD, x):
                self.values[x] = Value(data, self.label(x))
        return self.values[x]

    def _setting(self, a: Any) -> Any:
        """A setting that is an array or a number with a fraction may come from data; one that counts does not."""
        return self._input(a) if np.ndim(a) or getattr(a, "dtype", None) == np.float64 else a

    def _input(self, a: Any) -> Any:
        if not isinstance(a, np.ndarray | np.generic | list):
            return a  # A number of Python's is a constant; one of NumPy's may come from data, and so may a list.
        if id(a) not in self.inputs:
            # The array is kept, so that its id stays its own.
            self.inputs[id(a)] = a, Value(a, self.label(np.asarray(a)))
        return self.inputs[id(a)][1]

    def _replayed(self, f: Function) -> Any:
        """What f returns, computed from Values."""
        args = tuple(self._of(x, a) for x, a in zip(f.xs, f.args, strict=True))
        kwargs = mapped(f.kwargs, self._setting)
        if f.func is output:
            return args[0][args[1]]
        start = next_number()
        with at(FORWARD, f):
            body = f.forward if f.func is type(f) else f.func
            # What f returned may be gone, or of Parameters that have changed since.
            y = _written_out(body, args, kwargs, body(*plain(args), **plain(kwargs)))
            if y is None or (not _is_numpy(f.func) and _is_long(y, start) and is_borrowable(body)):
                y = _as_a_call(body, args, _read_by(body, kwargs), f)
            y = Outputs(y) if isinstance(f.y, Outputs) else y
            whole: Any = np.positive(y) if any(y is x for x in values_in(args)) else outputs_of(y)
        whole.application = Application(f.func, args, kwargs, f)
        return items_of(whole) if isinstance(y, Outputs) else whole


def gradients(root: Value, gy: Array, leaves: list[Value], at_length: bool = False) -> dict[Value, Any]:
    """The gradients of Σ gy·root, for every Value on the way back to `leaves`.

    at_length: write rules out however long they are, so that they can be differentiated again.
    """
    order = behind(root, through=_arguments)
    ends = set(leaves)
    needed = set(ends)
    for y in order:
        if needed.intersection(values_in(_arguments(y))):
            needed.add(y)
    grads: dict[Value, Any] = {root: gy}
    for y in reversed(order):
        if y in needed and y in grads and y.application is not None and y not in ends:
            start = next_number()
            with at(BACKWARD, y.application.f or y):
                for x, share in _shares(y, grads[y], needed, at_length):
                    grads[x] = grads[x] + share if x in grads else share
                    _mark(grads[x], x.place.node, start)
    return grads


def _mark(share: Any, target: Any, start: int) -> None:
    """Note that what has been computed since the number `start` goes to `target`, a Function or a Variable."""
    for x in behind(share, through=lambda x: (x.args, x.kwargs) if x.number > start else None):
        if x.number > start and x.place.target is None:
            x.place = x.place._replace(target=target)


def _arguments(y: Value) -> Any:
    return y.application and (y.application.args, y.application.kwargs)


def _shares(y: Value, gy: Array, needed: set[Value], at_length: bool) -> Iterator[tuple[Value, Any]]:
    """What y passes back to each of its arguments that needs it."""
    assert y.application is not None
    func, args, kwargs, f = y.application
    if func is item:
        (whole, i) = args
        yield whole, Outputs(gy if j == i else None for j in range(len(whole.data)))
        return
    if func in COMPOSITIONS and _is_composed(func, kwargs):
        yield from _through_a_composition(func, args, kwargs, gy)
        return
    if func in NONDIFFERENTIABLE:
        return
    numpys = not isinstance(func, np.ufunc) and str(func.__module__).startswith("numpy")
    if f is None and func in PULLBACKS and numpys:  # A call in a rule, as the rule makes it.
        bound, settings = bind(func, args, kwargs, len(PULLBACKS[func]))
        args, kwargs = tuple(bound), kwargs | settings
    node = copy.copy(f) if f is not None else Function(func, args, kwargs, (None,) * len(args), y.data)
    if node.func not in PULLBACKS and f is None:
        raise NotWritten(f"source: {_name(func)} is a rule that is written as one call, which has no second derivative")
    shares = _from_rules(node, y, gy, args, kwargs, needed, at_length)
    for x, share in shares:
        if isinstance(share, Outputs):
            yield x, share
        elif (fitting := conform(share, x.data, node)) is not None:
            yield x, fitting


def _from_rules(
    node: Function, y: Value, gy: Array, args: tuple[Any, ...], kwargs: Any, needed: set[Value], at_length: bool
) -> Iterator[tuple[Value, Any]]:
    """The results of the rules of `node` on Values."""
    pullbacks, whole = node.pullbacks, _result(y)
    wanted = [i for i, x in enumerate(args) if isinstance(x, Value) and x in needed and x is not y]
    if pullbacks is CUSTOM_RULE:
        gxs = _from_own_backward(node, whole, gy, args)
        yield from ((args[i], gxs[i]) for i in wanted if gxs[i] is not None)
    elif type(pullbacks) is Joint:
        gxs = _from_rule(pullbacks.rule, (gy, whole, *args), kwargs, at_length)
        yield from ((args[i], gxs[i]) for i in wanted)
    else:
        for i in wanted:
            if i < len(pullbacks) and (rule := pullbacks[i]) is not None:
                position = rule.args if isinstance(rule, functools.partial) else ()
                rule = getattr(rule, "func", rule)
                yield args[i], _from_rule(rule, (*position, gy, whole, *args), kwargs, at_length)


def _result(y: Value) -> Any:
    """y as its rules take it: the outputs one by one, where there are several."""
    if not isinstance(y.data, tuple):
        return y
    return (
        Outputs(y.args)
        if y.func is not None and len(y.args) == len(y.data)
        else Outputs(Value(e, "", item, (y, i)) for i, e in enumerate(y.data))
    )


def _from_rule(rule: Any, args: tuple[Any, ...], kwargs: Any, at_length: bool) -> Any:
    expected, start = rule(*plain(args), **plain(kwargs)), next_number()
    share = _written_out(_on_variables(rule), args, kwargs, expected) if at_length else None
    # Where it knows Variables, a rule may leave out on others what only matters if it is differentiated again.
    if share is None and not (at_length and knows_variables(rule)):
        share = _written_out(rule, args, kwargs, expected)
    known = at_length or next(values_in(kwargs), None) is not None
    if share is None or (not known and _is_long(share, start) and is_borrowable(rule)):
        return Value.call(rule, *args, **kwargs)
    return share


def _on_variables(rule: Any) -> Any:
    """`rule` as it runs where a pass is recorded: on Variables, so that its result can be differentiated again."""

    def run(*args: Any, **kwargs: Any) -> Any:
        with using_config("enable_backprop", True):
            ys = rule(*mapped(args, lambda x: _holding(x) if isinstance(x, Value) else x), **kwargs)
        return mapped(ys, lambda y: _with_applications(y) if isinstance(y, Variable) else y)

    return run


class _Places(Observer):
    """Marks the Values that a computation on Variables makes with the operations that they belong to."""

    def recorded(self, f: Any) -> None:
        place = _place_of(f)
        for x in behind(f.y, through=lambda x: None if x.place.node else (x.args, x.kwargs)):
            x.place = x.place if x.place.node else place


def _place_of(f: Function) -> Place:
    """The pass that f belongs to: if the engine is walking back, the operation that it is walking through."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is propagate.__code__:
            return Place(BACKWARD, frame.f_locals["f"])
    return Place(FORWARD, f)


def on_values(f: Callable[..., Any], arguments: list[Value]) -> Value:
    """What f returns for Variables that hold Values. Raises NotWritten where it needs more than Values can give."""
    before = OBSERVER.set(_Places())
    try:
        y = f(*map(_holding, arguments))
    except TypeError as error:
        raise NotWritten(f"source: {f.__name__} uses more than NumPy's functions of its arguments: {error}") from None
    finally:
        OBSERVER.reset(before)
    result = held_by(y)
    if not isinstance(result, Value) or not _alike(plain(result), f(*(x.data for x in arguments))):
        raise NotWritten(f"source: {f.__name__} computes something else on Values, as where it writes into an array")
    return result


def _holding(x: Value) -> Variable:
    """A Variable that holds a Value in the place of an array."""
    return Function.constant(x)


def _with_applications(y: Variable) -> Value:
    """The Value that y holds. Those behind it are taken for results of the Functions that computed them."""
    for f in toposort(y.creator) if y.creator is not None else []:
        whole = outputs_of(f.y)
        if isinstance(whole, Value) and whole.func is not None:
            whole.application = Application(f.func, f.args, f.kwargs)
        for i, part in enumerate(f.y if isinstance(f.y, Outputs) else ()):
            part.application = Application(item, (whole, i), {})
    return held_by(y)


def _from_own_backward(node: Function, whole: Any, gy: Array, args: tuple[Any, ...]) -> Any:
    """The gradients that the `backward` of a user's own Function returns."""
    node.xs = tuple(None if x is None else node.constant(a) for x, a in zip(node.xs, args, strict=True))
    Function.__init__(node, node.func, args, node.kwargs, node.xs, whole)
    several = zip(gy, whole, strict=True) if isinstance(gy, Outputs) else [(gy, whole)]
    gys = [np.zeros_like(y) if g is None else g for g, y in several]
    try:
        with using_config("enable_backprop", False):
            gxs = held_by(node.backward(*map(node.constant, gys)))
    except Exception as error:
        raise NotWritten(f"source: {node.name}.backward uses more than NumPy's functions: {error}") from None
    gxs = gxs if isinstance(gxs, tuple) else (gxs,)
    return gxs + (None,) * (len(args) - len(gxs))


def _is_composed(func: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a call of NumPy's goes to a composition, because its rule needs settings that are filled in there."""
    pullbacks = PULLBACKS.get(func)
    if pullbacks is None or isinstance(pullbacks, Variadic):
        return True
    settings = [*inspect.signature(pullbacks[-1]).parameters.values()][2 + len(pullbacks) :]
    return any(p.default is p.empty and p.name not in kwargs for p in settings)


def _through_a_composition(func: Any, args: Any, kwargs: Any, gy: Array) -> Iterator[tuple[Value, Any]]:
    """The shares of what NumPy's function is composed of, by the engine itself, on Variables that hold Values."""
    inside = {x: _holding(x) for x in values_in(args, kwargs)}
    args, kwargs = mapped((args, kwargs), lambda x: inside.get(x, x) if isinstance(x, Value) else x)
    positional, settings = bind(func, args, kwargs, 0)
    try:
        with using_config("enable_backprop", True):
            y = COMPOSITIONS[func](*positional, **settings)
    except TypeError as error:
        raise NotWritten(f"source: the derivative of {func.__name__} cannot be written out: {error}") from None
    with using_config("enable_backprop", False):
        several = zip(y, gy, strict=True) if isinstance(gy, Outputs) else [(y, gy)]
        for y, g in several:
            if g is not None and y.creator is not None:
                grads = {y.creator: Function.constant(g)}
                propagate(toposort(y.creator), grads, create_graph=True)
                yield from ((x, held_by(grads[v])) for x, v in inside.items() if v in grads)


def _written_out(func: Any, args: Any, kwargs: Any, expected: Any) -> Any:
    """What func computes on Values; None if it does not run on them, or computes something other than `expected`."""
    try:
        y = func(*args, **kwargs)
        return y if _alike(plain(y), expected) else None
    except Exception:  # Functions and rules may do anything, and not all of it works on Values.
        return None


def _as_a_call(func: Any, args: Any, kwargs: Any, f: Function) -> Any:
    if inspect.ismethod(func):
        raise NotWritten(f"source: {f.name}.forward uses more than NumPy's functions, so it cannot be written out")
    y = Value.call(func, *args, **kwargs)
    return Outputs(y) if isinstance(f.y, Outputs) else y


def _alike(a: Any, b: Any) -> bool:
    """Whether two results are the same, up to rounding."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    if a is None or b is None:
        return a is b
    if np.shape(a) != np.shape(b) or getattr(a, "dtype", None) != getattr(b, "dtype", None):
        return False
    rtol = 1e3 * float(np.finfo(b.dtype).eps) if getattr(b, "dtype", np.dtype(bool)).kind == "f" else 0
    return bool(np.allclose(a, b, rtol, rtol, equal_nan=True))


def _is_long(y: Any, start: int) -> bool:
    """Whether many operations since the number `start` lead to y, or a table of numbers is needed."""
    steps = behind(y, through=lambda x: (x.args, x.kwargs) if x.number > start else None)
    new = [x for x in steps if x.number > start]
    return len(new) > LONGEST or any(map(_is_table, leaves_in([(x.args, x.kwargs) for x in new])))


def _is_table(x: Any) -> bool:
    """Whether x is an array of many numbers that follow no simple pattern."""
    if not isinstance(x, np.ndarray) or x.size <= MOST_NUMBERS:
        return False
    flat = x.ravel()
    return bool((flat != flat[0]).any() and (flat != np.arange(x.size)).any())


def _read_by(func: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The settings that func reads; others tell its rule what has been computed already."""
    if not isinstance(func, types.FunctionType):
        return kwargs
    read = {i.argval for i in dis.get_instructions(func) if i.opname.startswith("LOAD_")}
    defaults = func.__kwdefaults__ or func.__defaults__
    return {name: x for name, x in kwargs.items() if name in read or not defaults}


class at:
    """Mark what is computed inside a `with` block as belonging to a node."""

    def __init__(self, phase: str, node: Any) -> None:
        self.place = Place(phase, node)

    def __enter__(self) -> None:
        self.token = PLACE.set(self.place)

    def __exit__(self, *_: Any) -> None:
        PLACE.reset(self.token)


def _is_numpy(func: Any) -> bool:
    return isinstance(func, np.ufunc) or str(getattr(func, "__module__", None)).partition(".")[0] in (
        "numpy",
        "_operator",
        "None",
    )


def _name(func: Any) -> str:
    return str(func.__name__).strip("_")
