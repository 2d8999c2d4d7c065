"""What all optimizers share: they find the parameters, keep arrays of their own for each, and change it in place."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from operator import is_
from typing import Any, ClassVar, Self

import numpy as np

from tinygrad_jp.core import Parameter

__all__ = ["Optimizer"]

Rate = float | Callable[[int], float]

NUMBERS = (int, float, np.number)

# What a setting must stay below; none may be negative.
BELOW = dict.fromkeys(("momentum", "rho", "beta1", "beta2"), 1.0)
# Small parameters, of so many numbers at most, take their steps together, up to so many numbers; and a large one takes
# its step some rows at a time, of so many numbers at most: see `_Lot`.
SMALL, TOGETHER, BLOCK = 2048, 1 << 15, 1 << 17


class Optimizer:
    """What all optimizers share. A subclass names the arrays it keeps for each parameter, and writes `step`.

    `step(x, g, *kept, *work)` changes the array x in place by the gradient g, which it only reads; `kept` are the
    arrays named in `keeps`, zeros at first, and `work` is one more (`works` in number) to compute in, all of x's shape
    and dtype. `self.rate` is the learning rate of this step and `self.t` its number, from 1. A step treats each number
    by itself, for x is one parameter, or several small ones in a flat array, or some rows of a large one. An optimizer
    of which that is not true writes `update_one(self, param)` instead, as DeZero's do.

    Settings go to `super().__init__` by name: it makes them attributes, and raises ValueError for a negative one. The
    learning rate, the attribute that `rate_name` names, is a number or a function of the step such as in `schedules`.

    >>> class Signs(Optimizer):
    ...     def __init__(self, lr=0.01):
    ...         super().__init__(lr=lr)
    ...     def step(self, x, g, work):
    ...         x -= np.multiply(np.sign(g, out=work), self.rate, out=work)
    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = Signs(lr=0.1).setup(model)
    >>> loss = (model([[1.0]]) ** 2).sum()
    >>> loss.backward()
    >>> optimizer.update()
    >>> float((model([[1.0]]) ** 2).sum()) < float(loss)
    True
    """

    keeps: ClassVar[tuple[str, ...]] = ()
    works: ClassVar[int] = 1
    rate_name: ClassVar[str] = "lr"
    rate: float

    def __init__(self, **settings: Rate) -> None:
        self.target: Any = None
        self.hooks: list[Callable[[list[Parameter]], None]] = []
        self.t = 0
        self._kept: dict[Parameter, list[Any]] = {}
        self._lots: list[_Lot] = []
        self._data: list[Any] = []
        self._set(**settings)

    def _set(self, **settings: Rate) -> None:
        """Make settings attributes, once they are seen to be within their ranges."""
        for name, value in settings.items():
            below, kind = BELOW.get(name, math.inf), type(self).__name__
            if not (name == self.rate_name and callable(value)):
                if not isinstance(value, NUMBERS):
                    raise TypeError(f"{kind}: expected a number as {name}, got {type(value).__name__}")
                if not 0 <= value < below:
                    raise ValueError(f"{kind}: expected {name} of at least 0 and below {below:g}, got {value}")
                value = float(value)
            setattr(self, name, value)

    def setup(self, target: Any) -> Self:
        """Set the model whose parameters are to be updated."""
        if not callable(getattr(target, "params", None)):
            raise TypeError(f"setup: expected a model or a layer, got {type(target).__name__}")
        self.target = target
        return self

    def add_hook(self, hook: Callable[[list[Parameter]], None]) -> None:
        """Call `hook(params)` before each update, with the parameters that have gradients: see `hooks`."""
        self.hooks.append(hook)

    def update(self) -> None:
        """Update every parameter that has a gradient.

        Raises RuntimeError without a model, or where no parameter has a gradient.
        """
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}: no model to update; call setup(model) first")
        params = [p for p in self.target.params() if p._grad is not None]
        if not params:
            raise RuntimeError(f"{type(self).__name__}: no parameter has a gradient; call loss.backward() first")
        for hook in self.hooks:
            hook(params)
            params = [p for p in params if p._grad is not None]
        self.begin()
        if type(self).update_one is not Optimizer.update_one:
            for p in params:
                self.update_one(p)
            return
        data = [p._data for p in params]
        if len(data) != len(self._data) or not all(map(is_, data, self._data)):
            self._lots = self._made(_together(params))
            self._data = [p._data for p in params]
        for lot in self._lots:
            lot.take(self.step)

    def begin(self) -> None:
        """Begin an update: set what is the same for all parameters, `t` and `rate`."""
        rate = getattr(self, self.rate_name, None)
        if rate is not None:
            self.rate = float(rate(self.t + 1) if callable(rate) else rate)
        self.t += 1

    def update_one(self, param: Parameter) -> None:
        """Change `param.data` in place by `param.grad.data`."""
        (lot,) = self._made([[param]])
        lot.take(self.step)

    def step(self, x: Any, g: Any, *arrays: Any) -> None:
        """Change the array x in place by the gradient g."""
        raise NotImplementedError(
            f"{type(self).__name__}: write step(self, x, g, ..., work), or update_one(self, param)"
        )

    def _made(self, lots: Iterable[list[Parameter]]) -> list["_Lot"]:
        """The lots of parameters, which compute in the same memory, as they take their steps one after the other."""
        made = [self._lot(params) for params in lots]
        blocks = [block for lot in made for block in lot.blocks]
        for work in [np.empty(max((x.nbytes for _, x, _ in blocks), default=0), np.uint8) for _ in range(self.works)]:
            for _, x, arrays in blocks:
                arrays.append(np.ndarray(x.shape, x.dtype, work, strides=np.empty_like(x).strides))
        return made

    def _lot(self, params: list[Parameter]) -> "_Lot":
        """The lot of `params`, which takes over what is kept for them; zeros, where that is nothing of their shape."""
        for p in params:
            x, kept = p.data, self._kept.get(p, ())
            if kept and kept[0].shape == x.shape:
                self._kept[p] = [a.astype(x.dtype, copy=False) for a in kept]
            else:
                self._kept[p] = [np.zeros_like(x) for _ in self.keeps]
        lot = _Lot(params, [self._kept[p] for p in params])
        self._kept.update(zip(params, lot.kept, strict=True))
        return lot

    # State

    def state(self) -> dict[str, Any]:
        """A copy of what the optimizer knows: its numbers, and by name what it keeps for each parameter.

        A learning rate that is a function, and hooks, are not in it.

        >>> from tinygrad_jp import optimizers, layers
        >>> model = layers.Linear(1, in_size=1)
        >>> optimizer = optimizers.MomentumSGD(0.1).setup(model)
        >>> model([[1.0]]).backward()
        >>> optimizer.update()
        >>> {key: list(value) if isinstance(value, dict) else value for key, value in optimizer.state().items()}
        {'t': 1, 'lr': 0.1, 'momentum': 0.9, 'v': ['W', 'b']}
        """
        state: dict[str, Any] = {key: getattr(self, key) for key in self._numbers()}
        named = self._named().items()
        for i, slot in enumerate(self.keeps):
            state[slot] = {path: self._kept[p][i].copy() for path, p in named if p in self._kept}
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state()` of an optimizer of this kind gave: all of it, or none where an error is raised.

        Raises ValueError where an entry is missing, is not known or has another shape, RuntimeError before `setup`.
        """
        name, named, numbers = type(self).__name__, self._named(), self._numbers()
        expected = {*numbers, *self.keeps}
        if set(state) != expected:
            raise ValueError(f"{name}: expected the entries {sorted(expected)}, got {sorted(state)}")
        values = {key: np.asarray(state[key]) for key in numbers}
        if wrong := [key for key, value in values.items() if value.shape or value.dtype.kind not in "fiub"]:
            raise ValueError(f"{name}: expected one number for each of {wrong}")
        kept: dict[Parameter, list[Any]] = {}
        for slot in self.keeps:
            if set(state[slot]) != set(state[self.keeps[0]]):
                raise ValueError(f"{name}: expected the parameters of {self.keeps[0]} in {slot}, got {[*state[slot]]}")
            for path, array in state[slot].items():
                p = named.get(path)
                if p is None or p._data is None:
                    raise ValueError(f"{name}: {slot}: the model has no parameter {path!r} with data; load them first")
                if np.shape(array) != p.shape:
                    raise ValueError(f"{name}: {slot}.{path}: expected the shape {p.shape}, got {np.shape(array)}")
                kept.setdefault(p, []).append(np.array(array, p.dtype))
        for key, value in values.items():
            setattr(self, key, value.item())
        self._kept, self._lots, self._data = kept, [], []

    def _named(self) -> dict[str, Parameter]:
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}: no model, so no names; call setup(model) first")
        return self.target.named_params()

    def _numbers(self) -> list[str]:
        """The names of what is to be saved besides arrays."""
        return [key for key, value in vars(self).items() if isinstance(value, NUMBERS) and key != "rate"]

    def __getstate__(self) -> dict[str, Any]:
        """All but what the first update makes anew."""
        return vars(self) | {"_lots": [], "_data": []}


class _Lot:
    """Parameters that take their step as one array; or one of many numbers, which takes its step in several.

    A call of NumPy's on ten numbers takes as long as one on a thousand, so small parameters share their calls: their
    data and gradients are gathered in flat arrays, and what is kept for them are parts of flat arrays, `kept`.

    A step goes over its arrays many times, so a large parameter takes it block by block of its rows, which stay in the
    cache meanwhile: that saves up to half of the time, and memory to compute in. `blocks` are what is cut out of the
    gradient, and the same of the parameter and of what is kept for it.
    """

    def __init__(self, params: list[Parameter], kept: list[list[Any]]) -> None:
        self.params, self.xs, self.kept, self.parts = params, [p.data for p in params], kept, []
        self.x, arrays = self.xs[0], kept[0]
        if len(params) > 1:
            sizes = [x.size for x in self.xs]
            self.x, self.g = (np.empty(sum(sizes), self.x.dtype) for _ in range(2))
            ends = list(accumulate(sizes, initial=0))
            arrays = [np.concatenate(slot, axis=None) for slot in zip(*kept, strict=True)]
            self.parts, self.grads, *parts = (
                [a[i:j].reshape(x.shape) for x, (i, j) in zip(self.xs, pairwise(ends), strict=True)]
                for a in (self.x, self.g, *arrays)
            )
            self.kept = [[part[i] for part in parts] for i in range(len(params))]
        rows = max(1, BLOCK * len(self.x) // self.x.size) if self.x.size > BLOCK else 0
        cuts: list[Any] = [slice(i, i + rows) for i in range(0, len(self.x), rows)] if rows else [...]
        self.blocks = [(cut, self.x[cut], [a[cut] for a in arrays]) for cut in cuts]

    def take(self, step: Callable[..., None]) -> None:
        """Take the step."""
        if not self.parts:
            g = self.params[0].grad.data
            for cut, x, arrays in self.blocks:
                step(x, g[cut], *arrays)
            return
        for part, x, grad, p in zip(self.parts, self.xs, self.grads, self.params, strict=True):
            part[...] = x
            grad[...] = p._grad._data
        ((_, x, arrays),) = self.blocks
        step(x, self.g, *arrays)
        for x, part in zip(self.xs, self.parts, strict=True):
            x[...] = part


def _together(params: list[Parameter]) -> Iterator[list[Parameter]]:
    """The parameters in lots: small ones of one dtype together, large ones alone.

    All are alone where data overlap, as of weights that are tied: there one step must see what the last has done.
    """
    bounds = sorted(np.lib.array_utils.byte_bounds(p.data) for p in params)
    small = SMALL if all(a[1] <= b[0] for a, b in pairwise(bounds)) else 0
    lots: dict[Any, list[Parameter]] = defaultdict(list)
    filled: Counter[Any] = Counter()
    for p in params:
        if p.size > small:
            yield [p]
            continue
        if filled[p.dtype] + p.size > TOGETHER:
            yield lots.pop(p.dtype)
            filled[p.dtype] = 0
        lots[p.dtype].append(p)
        filled[p.dtype] += p.size
    yield from lots.values()
