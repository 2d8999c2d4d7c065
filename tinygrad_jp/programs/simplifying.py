"""What a person would not write is left out: constants, copies, what is computed twice, and what nobody needs."""

import operator
from collections.abc import Callable
from typing import Any

from tinygrad_jp.core.arrays import astype
from tinygrad_jp.kinds import np
from tinygrad_jp.programs.values import Effect, Value, behind, item, mapped, plain, together, values_in
from tinygrad_jp.symbols import Symbol


def simplified(outputs: list[Any], readable: bool = True) -> list[Any]:
    """The same outputs, computed in fewer steps. A step that is the same for all data becomes its result.

    readable: say the same in the words of a person.

    Only what is behind an output is visited, so nothing is left that is not needed.
    """
    new: dict[Value, Any] = {}
    known: dict[Any, Any] = {}
    for x in behind(outputs):
        args, kwargs = mapped((x.args, x.kwargs), lambda a: new[a] if isinstance(a, Value) else a)
        new[x] = x if x.func is None else _step(x, args, kwargs, known, readable)
    return mapped(outputs, lambda x: new[x] if isinstance(x, Value) else x)


def _step(x: Value, args: tuple[Any, ...], kwargs: dict[str, Any], known: dict[Any, Any], readable: bool) -> Any:
    """x, computed from `args`; or a constant, or one of the arguments, or what has been computed so before."""
    if isinstance(x.func, Effect):
        return x.again(x.data, x.func, args, kwargs)
    if x.func is not together and next(values_in(args, kwargs), None) is None:
        return x.data if isinstance(x.data, tuple) or np.ndim(x.data) else x.data[()]
    args = _without_broadcasting(x, args)
    identity = _IDENTITIES.get(x.func)
    if identity is not None and (same := identity(x, *args)) is not None:
        return same
    func, args, kwargs = _plainer(x.func, args, kwargs) if readable else (x.func, args, kwargs)
    key = (func, key_of(args), key_of(kwargs))
    if key not in known:
        known[key] = x.again(_seen_anew(x, func, args, kwargs), func, args, kwargs)
    return known[key]


def _seen_anew(x: Value, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The data of x, which shares the memory of its arguments' data if it did so before they were simplified."""
    before, now = list(values_in(x.args, x.kwargs)), list(values_in(args, kwargs))
    if isinstance(x.data, tuple) or not x.ndim or all(any(a is b for b in before) for a in now):
        return x.data
    shared = any(not isinstance(a.data, tuple) and np.may_share_memory(a.data, x.data) for a in before)
    return func(*plain(args), **plain(kwargs)) if shared else x.data


def _without_broadcasting(x: Value, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a ufunc, which broadcasts by itself, where another argument has the shape of the result."""
    if not isinstance(x.func, np.ufunc) or x.func.signature or len(args) != 2:
        return args
    a, b = args
    if np.shape(b) == x.shape:
        a = _narrow(a)
    if np.shape(args[0]) == x.shape:
        b = _narrow(b)
    fits = np.shape(a) == x.shape or np.shape(b) == x.shape
    return (a, b) if fits else args


def _narrow(a: Any) -> Any:
    """What `a` is a broadcast of."""
    if isinstance(a, Value) and a.func is np.broadcast_to:
        return a.args[0]
    if isinstance(a, np.ndarray) and a.ndim and a.size and (a == a.flat[0]).all():
        return a.flat[0]
    return a


def _unless_changed(x: Value, a: Any, *_: Any) -> Any:
    return a if isinstance(a, Value) and a.shape == x.shape and a.dtype == x.dtype else None


def _times_one(x: Value, a: Any, b: Any) -> Any:
    if not isinstance(b, Value) and np.all(b == 1):
        return _unless_changed(x, a)
    return _unless_changed(x, b) if x.func is np.multiply and not isinstance(a, Value) and np.all(a == 1) else None


def _to_the_power(x: Value, a: Any, b: Any) -> Any:
    if isinstance(b, Value):
        return None
    return np.ones_like(x.data) if np.all(b == 0) else _unless_changed(x, a) if np.all(b == 1) else None


def _undone(x: Value, a: Any, *_: Any) -> Any:
    """What is turned twice."""
    twice = isinstance(a, Value) and ((is_view(x) and is_view(a)) or x.func is a.func is np.negative)
    return a.args[0] if twice else None


def _taken_apart(x: Value, a: Any, i: Any) -> Any:
    """One of several arrays that have been stacked."""
    stacked = isinstance(a, Value) and a.func is np.stack and len(a.args) == 1 and not a.kwargs and type(i) is int
    return _unless_changed(x, a.args[0][i]) if stacked and isinstance(a.args[0], list | tuple) else None


_IDENTITIES: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((np.positive, np.reshape, np.broadcast_to, astype), _unless_changed),
    **dict.fromkeys((np.multiply, np.divide), _times_one),
    **dict.fromkeys((np.transpose, np.swapaxes, np.negative), _undone),
    np.power: _to_the_power,
    operator.getitem: _taken_apart,
    item: lambda x, whole, i: whole.args[i] if isinstance(whole, Value) and whole.func is together else None,
}


def _plainer(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The same in fewer words: a sum in the place of a product with ones, one new shape in that of two, a − b."""
    a = args[0]
    if func is np.reshape and len(args) + len(kwargs) == 2 and "order" not in kwargs:
        while isinstance(a, Value) and a.func is np.reshape and "order" not in a.kwargs and len(a.args) < 3:
            a = a.args[0]
        return func, (a, *args[1:], *kwargs.values()), {}
    if func is np.add and isinstance(args[1], Value) and args[1].func is np.negative:
        return np.subtract, (a, args[1].args[0]), {}
    if func is np.dot and isinstance(args[1], np.ndarray) and args[1].ndim == 1 and _are_ones(args[1], a):
        if is_view(a) and isinstance(a.args[0], Value):
            return np.sum, (a.args[0],), {"axis": 0}
        if isinstance(a, Value):
            return np.sum, (a,), {"axis": -1}
    return func, args, kwargs


def _are_ones(b: Any, a: Any) -> bool:
    return bool(b.dtype == a.dtype and (b == 1).all())


def key_of(tree: Any) -> Any:
    """What is equal for equal arguments."""
    if isinstance(tree, dict):
        return tuple((name, key_of(e)) for name, e in tree.items())
    if isinstance(tree, list | tuple):
        return (type(tree), *map(key_of, tree))
    if isinstance(tree, slice):
        return (slice, key_of(tree.start), key_of(tree.stop), key_of(tree.step))
    if isinstance(tree, Value):
        return id(tree)
    if isinstance(tree, np.ndarray | np.generic):
        return tree.dtype.str, tree.shape, tree.tobytes()
    return type(tree), repr(tree)


def is_view(x: Any) -> bool:
    """Whether x is a transposed array, which a person writes again rather than give it a name."""
    if not isinstance(x, Symbol) or x.func not in (np.transpose, np.swapaxes) or x.ndim != 2:
        return False
    axes = [*x.args[1:], *x.kwargs.values()]
    return (sum(axes) % 2 == 1) if x.func is np.swapaxes else not any(axes)


def is_item(x: Any) -> bool:
    return isinstance(x, Value) and x.func in (item, operator.getitem) and isinstance(x.args[0].data, tuple)
