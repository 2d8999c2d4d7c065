"""The base class of all optimizers: it finds the parameters, keeps arrays for each, and changes them in place."""

import functools
import math
import sys
from collections.abc import Callable, Mapping
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tinygrad_jp.core import Array, Parameter
from tinygrad_jp.core.settings import OBSERVER
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside, fetched, on_device
from tinygrad_jp.hints import hinting
from tinygrad_jp.optimizers.buckets import Bucket, compute_dtype, group

__all__ = ["Optimizer"]

Rate = float | Callable[[int], float]
Hook = Callable[[list[Parameter]], None]

NUMBERS = (int, float, np.number)
# Upper bounds of settings. None of them may be negative.
BELOW = dict.fromkeys(("momentum", "rho", "beta1", "beta2"), 1.0)


class Optimizer:
    """The base class of all optimizers. A subclass names the arrays to keep for each parameter, and writes `step`.

    `step(x, g, *slots, *scratch)` changes the array x in place by the gradient g, which it must not change. `slots`
    are the arrays named in the class attribute `slots`, zeros at first. `scratch` are `n_scratch` arrays for
    intermediate results. All have the shape and the dtype of x: that of the parameter, or float32 for float16.
    `self.rate` is the learning rate of this step, and `self.t` how many steps x has taken, this one included. A
    step must treat each element by itself, for x may be several small parameters in one flat array. An optimizer that
    cannot do so overrides `update_one(self, param)` instead, as DeZero's optimizers do.

    Pass settings to `super().__init__` by name: they become attributes, and negative ones raise ValueError, also when
    they are assigned later. The learning rate is always called `lr`. It is a number or a function of the number of the
    update, such as those in `schedules`. Between updates, `t` is the number of updates so far.

    Assigning an attribute that the optimizer does not have raises AttributeError, except in its own methods.

    >>> class Signs(Optimizer):
    ...     def __init__(self, lr=0.01):
    ...         super().__init__(lr=lr)
    ...     def step(self, x, g, scratch):
    ...         x -= np.multiply(np.sign(g, out=scratch), self.rate, out=scratch)
    >>> from tinygrad_jp.layers import Linear
    >>> model = Linear(1, in_size=1, rng=0)
    >>> optimizer = Signs(lr=0.1).setup(model)
    >>> loss = (model([[1.0]]) ** 2).sum()
    >>> loss.backward()
    >>> optimizer.update()
    >>> (model([[1.0]]) ** 2).sum().item() < loss.item()
    True
    """

    slots: ClassVar[tuple[str, ...]] = ()
    n_scratch: ClassVar[int] = 1
    lr: Rate
    rate: float
    _settings: tuple[str, ...] = ()

    def __init__(self, **settings: Rate) -> None:
        self.target: Any = None
        self.hooks: list[Hook] = []
        self.t = 0
        self._counted = 0
        self._slots: dict[Parameter, list[Array]] = {}
        self._steps: dict[Parameter, int] = {}
        self._rates: dict[Parameter, Rate | None] = {}  # Of parameters that have one of their own, or None for none.
        self._buckets: list[Bucket] = []
        self._filled: list[Array] = []  # The parameters in the buckets, and their arrays.
        self._declare(**settings)

    def _declare(self, **settings: Rate) -> None:
        """Make settings attributes whose values are checked, now and later."""
        self._settings = (*self._settings, *settings)
        for name, value in settings.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._settings:
            value = _checked(type(self).__name__, name, value)
        elif not hasattr(self, name) or (name == "rate" and hasattr(self, "lr")):
            self._check_inside(name, sys._getframe(1).f_locals)
        object.__setattr__(self, name, value)

    def _check_inside(self, name: str, caller: Mapping[str, Any]) -> None:
        """Raise AttributeError unless a method of the optimizer is the caller: elsewhere a new name is a typo."""
        if caller.get("self") is self:
            return
        others = sorted(key for key in vars(self) if not key.startswith("_") and key != "rate")
        raise AttributeError(
            f"{type(self).__name__}: cannot set {name!r}; "
            f"expected one of {', '.join(dict.fromkeys([*self._settings, *others]))}"
        )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in vars(cls):
            cls.step = _refusing_a_bare_call(cls.step)  # type: ignore[method-assign]

    def setup(self, target: Any, groups: Mapping[Any, Rate | None] | None = None) -> Self:
        """Set the model whose parameters are to be updated, and return the optimizer.

        `groups` gives layers or Parameters in it a learning rate of their own, a number or a schedule, or None: these
        are not updated at all. Where several groups hold a Parameter, the last one counts. Groups are not part of
        `state()`: a run that is resumed gives them again.

        >>> from tinygrad_jp import models, optimizers
        >>> model = models.MLP(10, 10, 1)
        >>> optimizer = optimizers.Adam(lr=0.001).setup(model, groups={model.l0: None, model.l2: 0.01})
        """
        if not callable(getattr(target, "params", None)):
            raise TypeError(f"setup: expected a model or a layer, got {type(target).__name__}")
        rates = {p: lr for owner, lr in (groups or {}).items() for p in self._group(owner, lr, target.params())}
        self.target, self._rates = target, rates
        self._filled = []  # Parameters of one bucket have one rate.
        return self

    def _group(self, owner: Any, lr: Rate | None, within: list[Parameter]) -> list[Parameter]:
        """The Parameters of one group, which are all to be `within` the model."""
        params = [owner] if isinstance(owner, Parameter) else getattr(owner, "params", list)()
        if not params or not {*map(id, params)} <= {*map(id, within)}:
            raise ValueError(
                f"setup: expected groups of layers and Parameters of the model, got {type(owner).__name__}"
            )
        if lr is not None:
            _checked(type(self).__name__, "lr", lr)
        return params

    def add_hook(self, hook: Hook) -> Self:
        """Call `hook(params)` before each update, with the parameters that have gradients. Return the optimizer.

        >>> from tinygrad_jp import optimizers
        >>> optimizer = optimizers.Adam().add_hook(optimizers.ClipGrad(1.0)).add_hook(optimizers.WeightDecay(1e-4))
        """
        self.hooks.append(hook)
        return self

    def update(self) -> None:
        """Update every parameter that has a gradient.

        Raises RuntimeError if there is no model, or no parameter with a gradient, TypeError for integer parameters.
        """
        observer = OBSERVER.get()
        if observer is None or observer.recorder is None:
            self._update()
        else:
            observer.recorder.updating(self, self._update)

    def _update(self) -> None:
        params = found = self._params_with_gradients()
        for hook in self.hooks:
            hook(params)
            params = self._params_with_gradients()
        if not (params or found):
            raise RuntimeError(f"{type(self).__name__}: no parameter has a gradient; call loss.backward() first")
        self._fill_buckets(params)
        # Written past the check in `__setattr__`, which is for users and takes a fifth of a small update.
        write, plain = object.__setattr__, type(self).update is Optimizer.update and type(self.t) is int
        t = self.t + 1 if plain else self._next()
        # An optimizer of one's own may have no lr but a `rate` of its own, and something else in `t`.
        lr, counts = getattr(self, "lr", None), plain or isinstance(self.t, int)
        rate = lr if lr is None or type(lr) is float else self._rate(lr, t)
        if lr is not None:
            write(self, "rate", rate)
        one_by_one = self._steps_one_by_one()
        try:
            for bucket in self._buckets:
                bucket.t += 1
                if counts:
                    write(self, "t", bucket.t)
                if self._rates:
                    own = self._rates.get(bucket.params[0])
                    write(self, "rate", rate if own is None else self._rate(own, t))
                if one_by_one:
                    self.update_one(bucket.params[0])
                else:
                    bucket.apply(self.step)
        finally:
            write(self, "_counted", t)
            if counts:
                write(self, "t", t)
            if lr is not None:
                write(self, "rate", rate)

    def _next(self) -> int:
        """The number of this update. A subclass whose own `update` counts in `t`, as DeZero's Adam, has it already."""
        if not isinstance(self.t, int):
            return self._counted + 1
        return self.t if type(self).update is not Optimizer.update and self.t == self._counted + 1 else self.t + 1

    def _params_with_gradients(self) -> list[Parameter]:
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}: no model to update; call setup(model) first")
        params = [p for p in self.target.params() if p._grad is not None]
        if self._rates:
            params = [p for p in params if self._rates.get(p, 0) is not None]
        return params

    def _rate(self, lr: Rate, t: int) -> float:
        """The learning rate of update t. A number was checked when it was set."""
        rate = float(lr(t) if callable(lr) else lr)
        if not 0 <= rate < math.inf:
            raise ValueError(
                f"{type(self).__name__}: expected lr of at least 0 and below inf, got {rate} at update {t}"
            )
        return rate

    def update_one(self, param: Parameter) -> None:
        """Change `param.data` in place by `param.grad.data`."""
        self._make_bucket([param]).apply(self.step)

    def step(self, x: Array, g: Array, *arrays: Array) -> None:
        """Change the array x in place by the gradient g."""
        raise NotImplementedError(
            f"{type(self).__name__}: write step(self, x, g, ..., scratch), or update_one(self, param)"
        )

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={_text(getattr(self, name))}" for name in self._settings)
        target = "no model" if self.target is None else type(self.target).__name__
        return f"{type(self).__name__}({settings}) of {target}: {counted(self.t, 'update')}"

    if not TYPE_CHECKING:  # It would hide every misspelt name.
        __getattr__ = hinting("Optimizer")

    # Buckets

    def _fill_buckets(self, params: list[Parameter]) -> None:
        """Make new buckets, unless the last update was of the same arrays."""
        arrays = [*params, *(p._array for p in params)]
        if len(arrays) == len(self._filled) and all(map(is_, arrays, self._filled)):
            return
        self._check_floats(params)
        self._steps = self._step_counts()
        for p in params:
            self._restart_if_new(p)
        groups = [[p] for p in params] if self._steps_one_by_one() else group(params, self._steps, self._rates)
        self._buckets = [self._make_bucket(params) for params in groups]
        self._filled = [*params, *(p._array for p in params)]

    def _steps_one_by_one(self) -> bool:
        """Whether the optimizer has its own `update_one`, so that parameters cannot share a bucket."""
        return type(self).update_one is not Optimizer.update_one

    def _make_bucket(self, params: list[Parameter]) -> Bucket:
        """A bucket that takes over the slots of its parameters."""
        bucket = Bucket(params, [self._slots[p] for p in params], self._steps[params[0]], self.n_scratch)
        self._slots.update(zip(params, bucket.slots, strict=True))
        return bucket

    def _restart_if_new(self, p: Parameter) -> None:
        """Give p slots of zeros and a count of 0, unless it has slots of its shape."""
        dtype, slots = compute_dtype(p.dtype), self._slots.get(p)
        if slots is None or any(a.shape != p.shape for a in slots):
            self._slots[p], self._steps[p] = [np.zeros_like(p.data, dtype) for _ in self.slots], 0
        else:
            slots = [a if on_device(a) is on_device(p.data) else beside(fetched(a), p.data) for a in slots]
            self._slots[p] = [a.astype(dtype, copy=False) for a in slots]

    def _step_counts(self) -> dict[Parameter, int]:
        """How many steps each parameter has taken."""
        return self._steps | {p: bucket.t for bucket in self._buckets for p in bucket.params}

    def _check_floats(self, params: list[Parameter]) -> None:
        wrong = next((p for p in params if p.dtype.kind != "f"), None)
        if wrong is not None:
            name = next((path for path, p in self.target.named_params().items() if p is wrong), wrong.name)
            raise TypeError(
                f"{type(self).__name__}: expected parameters of floats, got {name} of dtype {wrong.dtype}; "
                f"make it of floats, as in Parameter(x.astype(np.float32))"
            )

    # State

    def state(self) -> dict[str, Any]:
        """A copy of what the optimizer knows: its numbers, and by name the steps and the slots of each parameter.

        It does not hold a learning rate that is a function, nor hooks; but `schedule`, what a rate such as
        `schedules.plateau` knows.

        >>> from tinygrad_jp import optimizers, layers
        >>> model = layers.Linear(1, in_size=1)
        >>> optimizer = optimizers.MomentumSGD(0.1).setup(model)
        >>> model([[1.0]]).backward()
        >>> optimizer.update()
        >>> {key: list(value) if isinstance(value, dict) else value for key, value in optimizer.state().items()}
        {'t': 1, 'lr': 0.1, 'momentum': 0.9, 'steps': ['W', 'b'], 'v': ['W', 'b']}
        """
        state: dict[str, Any] = {key: getattr(self, key) for key in self._numbers()}
        steps = self._step_counts()
        named = {path: p for path, p in self._named_params().items() if p in steps}
        state["steps"] = {path: np.int64(steps[p]) for path, p in named.items()}
        for i, slot in enumerate(self.slots):
            state[slot] = {path: np.array(fetched(self._slots[p][i])) for path, p in named.items()}
        return state | self._schedule()

    def _schedule(self) -> dict[str, dict[str, Any]]:
        """The state of the learning rate, under `schedule`, if it is one that has a state."""
        lr: Any = getattr(self, "lr", None)
        return {"schedule": lr.state()} if hasattr(lr, "state") and hasattr(lr, "load_state") else {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state()` of an optimizer of this kind returned: all of it, or none if an error is raised.

        Older states are read as well: without `steps`, every parameter has taken the common `t`; `alpha` is `lr`.

        Raises ValueError if an entry is missing, unknown or of another shape, RuntimeError before `setup`.
        """
        named, state = self._named_params(), self._modernized(state)
        self._check_entries(state, named)
        slots: dict[Parameter, list[Array]] = {named[path]: [] for path in state["steps"]}
        for slot in self.slots:
            for path, array in state[slot].items():
                p = named[path]
                slots[p].append(beside(np.array(fetched(array), compute_dtype(p.dtype)), p))
        steps = {named[path]: int(t) for path, t in state["steps"].items()}
        for key in self._numbers():
            setattr(self, key, np.asarray(state[key]).item())
        if "schedule" in state:
            self.lr.load_state(state["schedule"])  # type: ignore[union-attr]
        self._slots, self._steps, self._buckets, self._filled, self._counted = slots, steps, [], [], self.t

    def _modernized(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A state as `state()` returns it today."""
        alias = {"alpha": "lr"} if hasattr(type(self), "alpha") else {}
        state = self._schedule() | {alias.get(key, key): value for key, value in state.items()}
        if "steps" not in state and "t" in state:
            paths = state.get(self.slots[0], ()) if self.slots else self._named_params()
            state["steps"] = dict.fromkeys(paths, state["t"])
        return state

    def _check_entries(self, state: Mapping[str, Any], named: Mapping[str, Parameter]) -> None:
        """Raise ValueError if `state` does not fit."""
        name, numbers, tables = type(self).__name__, self._numbers(), (*self.slots, "steps")
        entries = {*numbers, *tables, *self._schedule()}
        if set(state) != entries:
            raise ValueError(f"{name}: expected the entries {sorted(entries)}, got {sorted(state)}")
        schedule, expected = state.get("schedule", {}), self._schedule().get("schedule", {})
        if {*schedule} != {*expected} or not all(_is_number(value, "fiu") for value in schedule.values()):
            raise ValueError(f"{name}: expected the numbers {sorted(expected)} as schedule, got {schedule}")
        if wrong := [key for key in numbers if not _is_number(state[key], "fiub")]:
            raise ValueError(f"{name}: expected one number for each of {wrong}")
        for key in self._settings:
            if key in numbers:
                _checked(name, key, np.asarray(state[key]).item())
        for table in tables:
            paths = [*state[table]] if isinstance(state[table], Mapping) else None
            if paths is None or set(paths) != set(state[tables[0]]):
                raise ValueError(f"{name}: expected the parameters of {tables[0]} in {table}, got {paths}")
            for path, value in state[table].items():
                self._check_entry(f"{name}: {table}", path, value, named.get(path), table == "steps")

    def _check_entry(self, where: str, path: str, value: Any, p: Parameter | None, is_count: bool) -> None:
        if p is None or p.data is None:
            raise ValueError(f"{where}: the model has no parameter {path!r} with data; load its weights first")
        if is_count and not (_is_number(value, "iu") and value >= 0):
            raise ValueError(f"{where}.{path}: expected a number of steps, got {value}")
        if not is_count and np.shape(value) != p.shape:
            raise ValueError(f"{where}.{path}: expected the shape {p.shape}, got {np.shape(value)}")

    def _named_params(self) -> dict[str, Parameter]:
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}: no model, so no names; call setup(model) first")
        return self.target.named_params()

    def _numbers(self) -> list[str]:
        """The names of the numbers to be saved."""
        public = {key: value for key, value in vars(self).items() if not key.startswith("_") and key != "rate"}
        return [key for key, value in public.items() if isinstance(value, NUMBERS)]

    def __getstate__(self) -> dict[str, Any]:
        """Everything except the buckets, which the first update makes again."""
        return vars(self) | {"_steps": self._step_counts(), "_buckets": [], "_filled": []}


def _text(setting: Any) -> str:
    """A number, or a schedule with its settings."""
    if isinstance(setting, float):
        return f"{setting:g}"
    if isinstance(setting, functools.partial):
        return f"{setting.func.__name__.strip('_')}({', '.join(map(_text, setting.args))})"
    return str(getattr(setting, "__name__", setting))


def _refusing_a_bare_call(step: Callable[..., None]) -> Callable[..., None]:
    """`step`, with an answer to those who call it as in PyTorch."""

    @functools.wraps(step)
    def checked(self: Optimizer, *arrays: Array) -> None:
        if not arrays:
            raise TypeError(f"{type(self).__name__}.step changes one array; write optimizer.update()")
        step(self, *arrays)

    return checked


def _checked(kind: str, name: str, value: Any) -> Any:
    """The value of a setting as a float, or as the function that it is, if it is within its range."""
    below = BELOW.get(name, math.inf)
    if name == "lr" and callable(value):
        return value
    if not isinstance(value, NUMBERS):
        raise TypeError(f"{kind}: expected a number as {name}, got {type(value).__name__}")
    if not 0 <= value < below:
        raise ValueError(f"{kind}: expected {name} of at least 0 and below {below:g}, got {value}")
    return float(value)


def _is_number(value: Any, kinds: str) -> bool:
    array = np.asarray(value)
    return not array.shape and array.dtype.kind in kinds
