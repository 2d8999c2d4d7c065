"""The training loop. Copy it, and change what your model needs: nothing here is hidden."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tinygrad_jp.core import using_config
from tinygrad_jp.fitting.history import History
from tinygrad_jp.progress import progress

__all__ = ["fit"]

Measure = Callable[[Any, Any], Any]
"""A function of the outputs y and the targets t of a batch, such as `F.softmax_cross_entropy` or `F.accuracy`."""


def fit(
    model: Any,
    loss: Measure,
    loader: Iterable[Any],
    optimizer: Any,
    epochs: int,
    validation: Any = None,
    *,
    patience: int | None = None,
    metrics: Mapping[str, Measure] | None = None,
    film: Any = None,
    show: bool = True,
) -> History:
    """Train `model` for `epochs` passes over `loader`, and return the History of its losses.

    A batch is ``(x, t)``, or ``(a, b, ..., t)`` for a model of several inputs; `loss(y, t)` is what `optimizer` makes
    small. Every batch starts new sequences: the states of recurrent layers are reset.

    After each epoch the loss of `validation`, a loader or one batch ``(X, T)``, is taken under `test_mode()`, and so
    are `metrics`, functions of y and t by name. At the end, the weights of the epoch with the lowest validation loss
    are loaded. With `patience`, training stops once so many epochs have not lowered it. A rate of `schedules.plateau`
    is told the validation loss, or without one that of training. `film`, a `Film`, keeps each step; `show` is a
    progress bar.

    Raises FloatingPointError if the loss is not finite.

    >>> import numpy as np
    >>> from tinygrad_jp import DataLoader, models, optimizers, functions as F
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> loader = DataLoader(X, 2 * X, batch_size=16, rng=0)
    >>> model, optimizer = models.MLP(1, rng=0), optimizers.SGD(lr=0.1)
    >>> history = fit(model, F.mean_squared_error, loader, optimizer, 20, validation=(X, 2 * X), show=False)
    >>> history["validation loss"][-1] < 0.01
    True
    """
    if isinstance(loader, tuple) or hasattr(loader, "prepare"):
        raise TypeError(f"fit: expected a loader of batches, got a {type(loader).__name__}; write DataLoader(data, 32)")
    if optimizer.target is not model:
        optimizer.setup(model)
    if patience is not None and validation is None:
        raise ValueError("fit: patience waits for the loss of validation=; give that as well")
    history, best = History(), None
    tests = [validation] if isinstance(validation, tuple) else validation
    passes = progress(range(epochs), desc="fit") if show else range(epochs)
    for _ in passes:
        history.append({"loss": _train(model, loss, loader, optimizer, film)})
        if tests is not None:
            measured = _measure(model, {"loss": loss, **(metrics or {})}, tests)
            history[-1].update({f"validation {name}": value for name, value in measured.items()})
        if isinstance(passes, progress):
            passes.note = history.last
        score = history[-1].get("validation loss", history[-1]["loss"])
        report = getattr(getattr(optimizer, "lr", None), "report", None)
        if report is not None:
            report(score)
        if tests is None:
            continue
        if history.best == len(history) - 1:
            best = model.state()
        elif patience is not None and len(history) - 1 - history.best >= patience:
            break
    if best is not None:
        model.load_state(best)
    return history


def _train(model: Any, loss: Measure, loader: Iterable[Any], optimizer: Any, film: Any = None) -> float:
    """One pass over `loader`: update the model after each batch, and return the mean loss of an example."""
    total, n = 0.0, 0
    for *inputs, t in loader:
        model.reset_state()
        value = loss(model(*inputs), t)
        model.cleargrads()
        value.backward()
        if film is not None:
            film.step(value)
        optimizer.update()
        total, n = total + value.item() * len(inputs[0]), n + len(inputs[0])
        if not math.isfinite(total):
            raise FloatingPointError(
                f"fit: expected a finite loss, got {value.item()} at update {optimizer.t}; lower lr, scale the data, "
                f"add optimizers.ClipGrad, or find the first NaN with tinygrad_jp.debug()"
            )
    return total / max(n, 1)


def _measure(model: Any, measures: Mapping[str, Measure], loader: Iterable[Any]) -> dict[str, float]:
    """The mean of each of `measures` over the examples of `loader`, without training."""
    totals, n = dict.fromkeys(measures, 0.0), 0
    with using_config("train", False), using_config("enable_backprop", False):
        for *inputs, t in loader:
            model.reset_state()
            y = model(*inputs)
            totals = {key: totals[key] + measure(y, t).item() * len(inputs[0]) for key, measure in measures.items()}
            n += len(inputs[0])
    return {key: total / max(n, 1) for key, total in totals.items()}
