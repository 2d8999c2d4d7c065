"""What all optimizers share: they find the parameters, keep arrays of their own for each, and change it in place."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from tinygrad_jp.core import Parameter

__all__ = ["Optimizer"]


class Optimizer:
    """What all optimizers share. A subclass names the arrays it keeps for each parameter, and writes `step`.

    `step(x, g, *kept, work)` changes the array x in place by the gradient g, which it only reads; `kept` are the arrays
    named in `keeps`, zeros at first, and `work` is one more of x's shape and dtype to compute in. `self.rate` is the
    learning rate of this step and `self.t` its number, from 1. An optimizer in DeZero's way writes
    `update_one(self, param)` instead.

    A learning rate is a number, or a function of the step, such as those in `schedules`.

    >>> class Signs(Optimizer):
    ...     def __init__(self, lr=0.01):
    ...         super().__init__()
    ...         self.lr = lr
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
    rate_name: ClassVar[str] = "lr"

    def __init__(self) -> None:
        self.target: Any = None
        self.hooks: list[Callable[[list[Parameter]], None]] = []
        self.t = 0
        self._kept: dict[Parameter, tuple[Any, ...]] = {}
        self._work: dict[Any, Any] = {}

    def setup(self, target: Any) -> Self:
        """Set the model whose parameters are to be updated."""
        if not callable(getattr(target, "params", None)):
            raise TypeError(f"setup: expected a model or a layer, got {type(target).__name__}")
        self.target = target
        return self

    def add_hook(self, hook: Callable[[list[Parameter]], None]) -> None:
        """Call `hook(params)` before each update, with the parameters that have gradients."""
        self.hooks.append(hook)

    def update(self) -> None:
        """Update every parameter that has a gradient.

        Raises RuntimeError without a model, or where no parameter has a gradient.
        """
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}: no model to update; call setup(model) first")
        params = [p for p in self.target.params() if p.grad is not None]
        if not params:
            raise RuntimeError(f"{type(self).__name__}: no parameter has a gradient; call loss.backward() first")
        for hook in self.hooks:
            hook(params)
        self.t += 1
        for p in params:
            self.update_one(p)

    @property
    def rate(self) -> float:
        """The learning rate of the current step."""
        rate = getattr(self, self.rate_name)
        return rate(self.t) if callable(rate) else rate

    def update_one(self, param: Parameter) -> None:
        """Change `param.data` in place by `param.grad.data`."""
        kept = self._kept.get(param)
        if kept is None:
            kept = self._keep(param, [np.zeros_like(param.data) for _ in self.keeps])
        self.step(param.data, param.grad.data, *kept)

    def _keep(self, param: Parameter, arrays: list[Any]) -> tuple[Any, ...]:
        """Keep `arrays` for `param`, and beside them one to compute in, which parameters of one shape share."""
        x = param.data
        key = x.shape, x.dtype
        if key not in self._work:
            self._work[key] = np.empty_like(x)
        self._kept[param] = (*arrays, self._work[key])
        return self._kept[param]

    def step(self, x: Any, g: Any, *arrays: Any) -> None:
        """Change the array x in place by the gradient g."""
        raise NotImplementedError(
            f"{type(self).__name__}: write step(self, x, g, ..., work), or update_one(self, param)"
        )

    # State

    def state(self) -> dict[str, Any]:
        """A copy of what the optimizer knows: its numbers, and by name what it keeps for each parameter.

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
        if any(np.shape(state[key]) != () for key in numbers):
            raise ValueError(f"{name}: expected one number for each of {numbers}")
        paths = [list(state[slot]) for slot in self.keeps]
        for slot in self.keeps:
            for path, array in state[slot].items():
                if path not in named or list(state[slot]) != paths[0]:
                    raise ValueError(f"{name}: {slot}: no parameter of the model, or no whole set, for {path!r}")
                if np.shape(array) != named[path].shape:
                    raise ValueError(f"{name}: {slot}.{path}: expected {named[path].shape}, got {np.shape(array)}")
        for key in numbers:
            setattr(self, key, type(getattr(self, key))(state[key]))
        self._kept = {}
        for path in paths[0] if paths else []:
            p = named[path]
            self._keep(p, [np.array(state[slot][path], p.dtype) for slot in self.keeps])

    def _named(self) -> dict[str, Parameter]:
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}: no model, so no names; call setup(model) first")
        return self.target.named_params()

    def _numbers(self) -> list[str]:
        """The names of the settings that are numbers; a learning rate that is a function is not saved."""
        return [key for key, value in vars(self).items() if isinstance(value, int | float)]
