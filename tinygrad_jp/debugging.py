"""Finding the operation that goes wrong: the first NaN or infinity, data changed too early, and common mistakes."""

import gc
import linecache
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_jp.core import Function, Observer, Variable
from tinygrad_jp.core.errors import warn_user
from tinygrad_jp.core.settings import OBSERVER
from tinygrad_jp.devices import fetched, on_device
from tinygrad_jp.formatting import printable

__all__ = ["debug"]


@contextmanager
def debug() -> Iterator[None]:
    """Stop at the first NaN or infinity, in a result or in a gradient, and where data changed before `backward()`.

    The error names the operation, the ranges of its inputs, the layer it was computed in, and your own line. Changing
    an array in place between the forward and the backward pass makes gradients wrong. It is found here, since every
    operation takes a checksum of its inputs when they are used and again when its rule needs them.

    It also warns of what is allowed but rarely meant: an activation that a loss applies already, and graphs that stay
    in memory from step to step, as `losses.append(loss)` keeps them.

    A training step of a small network takes three to four times as long.

    Raises FloatingPointError for a NaN or an infinity, RuntimeError for changed data.

    >>> with debug():
    ...     y = np.log(Variable([1.0, 0.0], name="x"))
    Traceback (most recent call last):
        ...
    FloatingPointError: debug: log returned -inf (1 of 2 elements), from x (2,) from 0 to 1; at ...
    """
    token = OBSERVER.set(_Inspector())
    try:
        with np.errstate(all="ignore"):  # An error says more than NumPy's warning.
            yield
    finally:
        OBSERVER.reset(token)


class _CallSite(NamedTuple):
    """What is remembered of an operation: where it was called, a checksum of each of its inputs, and when it was."""

    where: str
    sums: list[int]
    seen_by: "_Inspector"
    passes: int  # the backward passes that came before


# A function → those that it applies to its input already.
_APPLIED_ALREADY = {
    "softmax_cross_entropy": ("softmax", "log_softmax", "sigmoid"),
    "log_softmax": ("softmax", "log_softmax", "sigmoid"),  # As softmax_cross_entropy computes with weights.
    "logaddexp": ("sigmoid", "softmax"),  # As sigmoid_cross_entropy and softplus compute.
    "softmax": ("softmax", "sigmoid"),
    "sigmoid": ("sigmoid", "softmax"),
}
_PUBLIC = {"logaddexp": "sigmoid_cross_entropy or softplus"}  # What users call, where that is another name.
_ARRANGES = {"reshape", "getitem", "astype", "transpose", "squeeze", "expand_dims", "negative", "where"}  # the same
_COUNTED = (8, 16, 32)  # The passes after which the Functions in memory are counted.


class _Inspector(Observer):
    """Looks at each result as it is recorded, and at each gradient as it is passed back."""

    def __init__(self) -> None:
        self.passes = 0
        self.alive: list[int] = []

    def recorded(self, f: Function) -> None:
        f.note = _CallSite(_user_location(), _sums(f), self, self.passes)
        before = _computed_by(f) if f.name in _APPLIED_ALREADY else None
        if before is not None and before.name in _APPLIED_ALREADY[f.name]:
            warn_user(
                f"debug: {_PUBLIC.get(f.name, f.name)} is applied to the result of {before.name}, which it applies "
                f"itself or which squashes twice; give it the values before {before.name}",
                UserWarning,
            )
        for y in f.y if isinstance(f.y, tuple) else (f.y,):
            _check_finite(y, f, "returned")

    def seeded(self, root: Variable, gy: Any) -> None:
        """Graphs of earlier passes should be gone: if their Functions become ever more, something keeps them."""
        self.passes += 1
        if self.passes in _COUNTED:
            self.alive.append(sum(_is_seen_by(self, thing) for thing in gc.get_objects()))
            if len(self.alive) == len(_COUNTED) and all(b > 1.6 * a for a, b in pairwise(self.alive)):
                warn_user(
                    f"debug: the graphs of {self.passes} backward passes are still in memory; something keeps their "
                    f"results, as losses.append(loss) does: write losses.append(loss.item()), or unchain the state of "
                    f"a recurrent network",
                    UserWarning,
                )

    def entered(self, f: Function, gy: Any) -> None:
        """What the rules of `f` are about to use must be as it was."""
        note = getattr(f, "note", None)
        if note is None:
            return
        for i, (before, now) in enumerate(zip(note.sums, _sums(f), strict=True)):
            if before != now:
                remedy = "change data only after backward(), or a copy of them"
                if note.passes + 1 < self.passes:
                    remedy = (
                        "its graph is older than the last backward pass: compute the result again after update(), and "
                        "cut the state of a recurrent network off with loss.unchain_backward()"
                    )
                raise RuntimeError(
                    f"debug: {f.name}: its input {i + 1}, {_range(f, i)}, was changed after it had been used, so that "
                    f"the gradient would be wrong; {remedy}{note.where}"
                )

    def passed(self, f: Function, i: int, key: Any, share: Any, before: Any, after: Any) -> None:
        for g in after if isinstance(after, tuple) else (after,):
            if g is not None:
                _check_finite(g.data if isinstance(g, Variable) else g, f, "passed back a gradient of")


def _computed_by(f: Function) -> Function | None:
    """The function that made the first input of `f`, apart from those that only arrange its elements."""
    before = f.variables[0].creator
    while before is not None and before.name in _ARRANGES:
        before = before.variables[0].creator
    return before


def _is_seen_by(inspector: _Inspector, thing: Any) -> bool:
    return isinstance(thing, Function) and getattr(getattr(thing, "note", None), "seen_by", None) is inspector


def _sums(f: Function) -> list[int]:
    """A checksum of each input."""
    return [zlib.crc32(a.tobytes()) if isinstance(a, np.ndarray) or on_device(a) else 0 for a in f.args]


def _check_finite(y: Any, f: Function, verb: str) -> None:
    """Refuse a NaN or an infinity in `y`, which `f` made."""
    if y.dtype.kind != "f" or np.isfinite(y).all():
        return
    y = fetched(y)
    bad = np.ravel(y)[~np.isfinite(np.ravel(y))]
    inputs = ", ".join(_range(f, i) for i, a in enumerate(f.args) if hasattr(a, "dtype") or isinstance(a, float | int))
    where = f.note.where if hasattr(f, "note") else ""
    raise FloatingPointError(
        f"debug: {f.name} {verb} {bad[0]} ({bad.size} of {np.size(y)} elements), from {inputs}{where}"
    )


def _range(f: Function, i: int) -> str:
    """`x (3, 4) from -1 to 2`: what argument `i` is called, and what it holds."""
    a = np.asarray(fetched(f.args[i]))
    x = f.xs[i]
    name = printable(str(x.name)) if x is not None and x.name else "an input"
    if not a.size:
        return f"{name} {a.shape}"
    return f"{name} {a.shape} from {a.min():.4g} to {a.max():.4g}"


def _user_location() -> str:
    """The layer and the user's own line that are being computed, as the end of a sentence."""
    frame: FrameType | None = sys._getframe(1)
    layers: list[Any] = []
    line = ""
    while frame is not None:
        own = frame.f_globals.get("__name__", "").partition(".")[0] in ("tinygrad_jp", "numpy")
        layer = frame.f_locals.get("self")
        if frame.f_code.co_name == "__call__" and hasattr(layer, "layers_by_path"):
            layers.append(layer)
        if not own and not line:
            file, number = frame.f_code.co_filename, frame.f_lineno
            line = f"; at {file}:{number}: {linecache.getline(file, number).strip()}"
        frame = frame.f_back
    path = next((path for path, layer in layers[-1].layers_by_path() if layer is layers[0]), "") if layers else ""
    inside = f"; in {printable(path) + ', ' if path else ''}{type(layers[0]).__name__}" if layers else ""
    return inside + line
