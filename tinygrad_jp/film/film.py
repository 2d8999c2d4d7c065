"""`Film`: what happened at the steps of a training run, gathered in the run's own loop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_jp.core import Array, Parameter, Variable, toposort, using_config
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import beside as placed
from tinygrad_jp.devices import fetched, on_device
from tinygrad_jp.files.writing import Pathlike, write_whole
from tinygrad_jp.film.latent import latents, targets
from tinygrad_jp.film.page import page
from tinygrad_jp.film.shots import Activations, Plan, Shot, developed, taken
from tinygrad_jp.formatting import language
from tinygrad_jp.player import framed
from tinygrad_jp.player import page as player_page
from tinygrad_jp.randomness import unchanged
from tinygrad_jp.tracing import trace

__all__ = ["Film"]

MOST_PLAYED, MOST_OPERATIONS = 12, 300  # How many backward passes are kept, and of how many Functions.
FIELD, MOST_POINTS = 28, 400  # The side of the grid that a plane is coloured by, and the points drawn on it.
FIELD_EVERY = 4  # frames: an answer over the plane takes as long as a step.


class Film:
    """What happens in a model while it learns, step after step, as one page.

    Call `step(loss)` in your own loop, after `loss.backward()`; the film finds the rest by itself: weights, gradients
    and what each update changed, the activations of each layer and their latent space, the attention of each head, and
    for inputs of two numbers the answers over the plane. `save` writes a page that needs nothing but a browser; there a
    small network is drawn as circles and lines, and any unit can be looked into.

    Of long runs the film keeps every second, fourth, ... step, so that at most `frames` stay; the loss it keeps of all.
    At steps 0, 10, 100, ... and wherever you say `step(loss, backward=True)`, it also keeps the whole backward pass,
    which the page plays.

    `name` is the title of the run, such as "lr = 0.1". `lang` is "en", "ja", or None for that of the locale; the page
    can be switched.

    >>> import numpy as np
    >>> from tinygrad_jp import Film, functions as F, models, optimizers
    >>> x, t = np.random.randn(20, 2), np.arange(20) % 2
    >>> model = models.MLP(8, 2)
    >>> optimizer, film = optimizers.SGD(0.1).setup(model), Film(model)
    >>> for _ in range(3):
    ...     loss = F.softmax_cross_entropy(model(x), t)
    ...     model.cleargrads()
    ...     loss.backward()
    ...     film.step(loss)
    ...     optimizer.update()
    >>> film
    Film(MLP: 3 steps, 3 frames)
    >>> film.save("training.html")  # doctest: +SKIP
    """

    def __init__(self, model: Any, *, frames: int = 200, name: str = "", lang: str | None = None) -> None:
        if not callable(getattr(model, "named_params", None)):
            raise TypeError(f"Film: expected a model or a layer, got {type(model).__name__}")
        if frames < 2:
            raise ValueError(f"Film: expected at least 2 frames, got {frames}")
        self.model, self.frames_at_most, self.name, self.lang = model, frames, name, language(lang)
        self.losses: list[float] = []
        self.frames: list[dict[str, Any]] = []
        self.every = 1
        self.played: dict[int, str] = {}
        self.plan = Plan(len(model.named_params()))
        self._before: dict[str, Array] = {}
        self._field: Any = None

    def __repr__(self) -> str:
        seen = f"{counted(len(self.losses), 'step')}, {counted(len(self.frames), 'frame')}"
        return f"Film({type(self.model).__name__}: {seen})"

    def step(self, loss: Variable, *, backward: bool = False) -> None:
        """Keep this step: `loss` has gone backward, and the gradients are there. The update may come before or after.

        With `backward=True` the backward pass is kept as well, for the player.
        """
        if not isinstance(loss, Variable):
            raise TypeError(f"step: expected the loss, a Variable, got {type(loss).__name__}")
        if loss.size != 1:
            raise ValueError(f"step: expected a loss of one number, got the shape {loss.shape}")
        n = len(self.losses)
        self.losses.append(float(loss.data.item()))
        if self._before or n % self.every == 0:
            named = self.model.named_params()  # A walk through the model takes as long as all copies of a small one.
            self._close(named)
            if n % self.every == 0:
                self._keep(n, loss, named)
        if backward or n in (0, 10, 100, 1000, 10_000):
            self._play(n, loss)

    def _keep(self, n: int, loss: Variable, named: dict[str, Parameter]) -> None:
        if len(self.frames) >= self.frames_at_most:
            self.frames, self.every = self.frames[::2], 2 * self.every
            if n % self.every:
                return
        order = toposort(loss.creator) if loss.creator is not None else []
        shots: dict[str, Shot | Array] = {}
        for path, p in named.items():
            if p.data is not None:
                shots[f"weights {path}"] = taken(self.plan.of("weights", path, p.data), p.data)
                if p.grad is not None:
                    shots[f"gradients {path}"] = taken(self.plan.of("gradients", path, p.data), p.grad.data)
        activations = list(Activations(order, self.model, named))
        for found in activations:
            shots[f"{found.kind} {found.path}"] = taken(self.plan.of(*found), found.data)
        given = [*map(fetched, _given(order))]
        field = self._answers(given) if len(self.frames) % FIELD_EVERY == 0 else None
        frame = {"step": n, "shots": shots, "field": field, "latents": latents(activations)}
        self.frames.append(frame | {"targets": targets(given, len(given[0])) if given and given[0].ndim else None})
        self._before = {path: p.data.copy() for path, p in named.items() if p.data is not None}

    def _close(self, named: dict[str, Parameter]) -> None:
        """Add to the last frame what the update after it changed, if that is not known yet."""
        shots = self.frames[-1]["shots"] if self.frames else {}
        for path, p in named.items():
            before = self._before.get(path)
            if before is not None and p.data is not None and before.shape == p.shape:
                shots[f"updates {path}"] = taken(self.plan.of("updates", path, before), p.data - before)
        self._before = {}

    def _play(self, n: int, loss: Variable) -> None:
        functions = toposort(loss.creator) if loss.creator is not None else []
        if 0 < len(functions) <= MOST_OPERATIONS and len(self.played) < MOST_PLAYED:
            self.played[n] = player_page(trace(loss, lang=self.lang), single_layers=False)

    # The plane

    def _answers(self, given: list[Array]) -> Any:
        """What the model answers over the plane, where its inputs are points of one."""
        if self._field is None:
            self._field = _plane(given)
        if self._field is False:
            return None
        with unchanged(), using_config("train", False), using_config("enable_backprop", False):
            try:
                y = self.model(placed(self._field["grid"], *self.model.params()))
            except Exception:  # A model that is not a function of these points alone has no field.
                self._field = False
                return None
        if not isinstance(y, Variable) or y.ndim != 2 or len(y) != FIELD * FIELD:
            self._field = False
            return None
        return fetched(y.data).astype(np.float32)

    # The page

    def save(self, path: Pathlike, *, beside: "Film | None" = None) -> None:
        """Write the page to `path`, an .html file; `beside` is another film, shown at its side, step for step.

        The file is written whole or not at all. Raises RuntimeError if no step was kept.
        """
        if Path(path).suffix != ".html":
            raise ValueError(f"save: expected a path that ends in .html, got {str(path)!r}")
        write_whole(path, self.html(beside=beside).encode())

    def html(self, *, beside: "Film | None" = None) -> str:
        """The page as text."""
        films = [self, *([beside] if beside is not None else [])]
        for film in films:
            if not film.frames:
                raise RuntimeError("save: the film has no step; call film.step(loss) after loss.backward()")
            film._close(film.model.named_params())
            for frame in film.frames:
                frame["shots"] = developed(film.plan, frame["shots"])
        return page(films, self.lang)

    def _repr_html_(self) -> str:
        return framed(self.html()) if self.frames else f"<pre>{self!r}</pre>"

    @property
    def field(self) -> Any:
        """The plane: its `corners`, the `points` drawn on it and their `targets`; or None."""
        return self._field or None


def _plane(arrays: list[Array]) -> Any:
    """The plane that the inputs of a graph lie in, if they are rows of two numbers, else False."""
    x = next((a for a in arrays if a.ndim == 2 and a.shape[1] == 2 and a.dtype.kind == "f" and len(a) > 2), None)
    if x is None or not np.isfinite(x).all():
        return False
    low, high = x.min(axis=0), x.max(axis=0)
    edge = 0.1 * (high - low) + 1e-6
    low, high = low - edge, high + edge
    axes = [np.linspace(a, b, FIELD, dtype=x.dtype) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(axes[0], axes[1][::-1]), axis=-1).reshape(-1, 2)
    targets = [a for a in arrays if a is not x and len(np.atleast_1d(a)) == len(x) and a.size == len(x)]
    t = targets[0].ravel() if targets else np.zeros(len(x))
    return {
        "grid": grid,
        "corners": [*map(float, (low[0], high[0], low[1], high[1]))],
        "points": x[:MOST_POINTS],
        "targets": t[:MOST_POINTS],
    }


def _given(order: list[Any]) -> Iterator[Any]:
    """The arrays that a graph was given and that are not learned, the first ones first."""
    for f in reversed(order):
        for a, x in zip(f.args, f.xs, strict=True):
            own = x is None or (x.creator is None and not isinstance(x, Parameter))
            if own and (isinstance(a, np.ndarray) or on_device(a)):
                yield a
