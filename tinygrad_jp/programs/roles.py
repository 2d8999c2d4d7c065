"""The roles of arrays in the program of a batch: what proves that its rows go through it apart from each other.

A program is compared with one of the same step for another number of rows. The axis of an array that has another length
there runs over the rows; that each operation keeps them apart is what the table of rules is for.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_jp.calculus import shapes
from tinygrad_jp.core import PULLBACKS
from tinygrad_jp.core.arrays import astype
from tinygrad_jp.core.binding import signature_of
from tinygrad_jp.functions import convolution as images
from tinygrad_jp.functions import recurrent
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.plans import _code_of
from tinygrad_jp.programs.recorded import with_added, with_item
from tinygrad_jp.programs.source import described
from tinygrad_jp.programs.values import Decision, Effect, Value, item, leaves_in


def _primitive(func: Any) -> Any:
    """A function of arrays as it stands in programs."""
    return func.primitive


scatter_add = _primitive(shapes.scatter_add)


class Role(NamedTuple):
    """What an array is to the rows. `axis` runs over them; `combine` makes one array of those of two chunks."""

    name: str
    axis: int | None = None
    combine: Any = None

    def rows(self, x: Any, start: int, stop: int) -> Any:
        """Some of the rows of an array, or all of one without rows."""
        return x if self.axis is None else x[(slice(None),) * self.axis + (slice(start, stop),)]


SAME = Role("the same for all rows")
SUM = Role("a sum over the rows, times what is the same", None, np.add)
ONCE = Role("computed from what was made of all rows")
EACH = Role("a part for each row")  # With an axis.
NUMBERS = Role("the numbers of the rows", 0)
_EXTREMES = {np.max: np.maximum, np.min: np.minimum, np.any: np.logical_or, np.all: np.logical_and}


class Step(NamedTuple):
    """One operation in two recordings, and the axis of its result that runs over the rows."""

    x: Value
    axis: int | None
    role: Callable[[Any], Role]

    def refuse(self, why: str) -> NoReturn:
        name, place = str(getattr(self.x.func, "__name__", self.x.func)).strip("_"), described(self.x.place.node)
        inside = f" ({place})" * (place != name)
        raise NotWritten(
            f"compiled: rows= needs rows that go through the step apart from each other, and {name}{inside} {why}; "
            f"leave out rows=, or compute that outside of the step"
        )

    def takes(self, name: str) -> bool:
        return name in signature_of(self.x.func).parameters

    def argument(self, name: str) -> Any:
        """An argument of one of NumPy's functions by its name, or its default."""
        parameters = signature_of(self.x.func)
        bound = parameters.bind(*self.x.args, **self.x.kwargs).arguments
        return bound.get(name, parameters.parameters[name].default)


# ---------------------------------------------------------------------------------------------------------------------
# Rules: the role of a result. That EACH has one axis of rows, and nothing else has any, is seen to afterwards.


def _each(_: Step) -> Role:
    """Broadcasting and rearranging keep rows apart: an array of two rows by two would have two axes of rows."""
    return EACH


def _product(step: Step) -> Role:
    """The sum goes along the last axis on the left, and the one before the last on the right; of vecdot, along one."""
    a, b = step.x.args
    ends = (-1, -2 if np.ndim(b) > 1 else -1) if step.x.func is not np.vecdot else [step.x.kwargs.get("axis", -1)] * 2
    summed = [step.role(e).axis == end % max(np.ndim(e), 1) for e, end in zip((a, b), ends, strict=True)]
    if summed[0] != summed[1]:
        step.refuse("multiplies an axis of rows by another axis")
    return SUM if all(summed) else EACH


def _reduction(step: Step) -> Role:
    if step.axis is not None:
        return EACH
    if step.x.func in (np.sum, np.mean):
        return SUM
    if step.x.func not in _EXTREMES:
        step.refuse("goes over all rows")
    return Role("of all rows", None, _EXTREMES[step.x.func])


def _along(step: Step) -> Role:
    """What goes along one axis, which may not be that of the rows."""
    axis: Any = step.argument("axis")
    x: Any = next(a for a in leaves_in(step.x.args) if step.role(a).axis is not None)
    if axis is None or step.role(x).axis in [i % np.ndim(x) for i in np.atleast_1d(axis)]:
        step.refuse("goes along the rows")
    return EACH


def _reshaped(step: Step) -> Role:
    """Rows stay whole if as many numbers stand before the axis as before."""
    x, axis = step.x.args[0], step.role(step.x.args[0]).axis
    before = [np.prod(a.shape[:i]) for a, i in ((x, axis), (step.x, step.axis)) if i is not None]
    if len(before) != 2 or before[0] != before[1] or step.argument("order") != "C":
        step.refuse("puts the rows together in another way")
    return EACH


def _indexed(step: Step) -> Role:
    """Labels that pick from what is the same for all, a part of each row, or from each row by its number."""
    back = step.x.func in (scatter_add, shapes.d_getitem)
    x, index = step.x.args[0], step.argument("index") if back else step.x.args[1]
    added = back or step.x.func is with_added
    whole: Any = step.x if back else x
    axis = step.axis if whole is step.x else step.role(x).axis
    if any(isinstance(i, Value | np.ndarray) and i.dtype.kind == "b" for i in leaves_in(index)):
        step.refuse("picks by a mask")
    inside = [step.role(i) for i in leaves_in(index)]
    if axis is None:
        picks = NUMBERS not in inside and (added or step.x.func is operator.getitem)
        if not picks:
            step.refuse("picks by the number of a row")
        return SUM if added else EACH
    at = _index_of_axis(index, np.ndim(whole), axis)
    if step.role(at) == NUMBERS:
        return EACH
    if not isinstance(at, slice) or at != slice(None):
        step.refuse("picks some of the rows")
    if any(role.axis is not None for role in inside):
        step.refuse("picks from one row for another")
    return EACH


def _index_of_axis(index: Any, ndim: int, axis: int) -> Any:
    """The part of an index that belongs to an axis."""
    parts = [i for i in (index if isinstance(index, tuple) else (index,)) if i is not None]
    rest = [slice(None)] * (ndim - sum(i is not Ellipsis for i in parts))
    k = next((k for k, i in enumerate(parts) if i is Ellipsis), len(parts))
    return [*parts[:k], *rest, *parts[k + 1 :]][axis]


def _einsum(step: Step) -> Role:
    """The rows have one letter, and the sum goes over them where it is not in the result."""
    text, *operands = step.x.args
    terms, arrow, result = str(text).replace(" ", "").partition("->")
    axes = [(term, step.role(a).axis) for term, a in zip(terms.split(","), operands, strict=False)]
    letters = {term[i] for term, i in axes if i is not None} if arrow and "." not in terms else set()
    if len(letters) != 1:
        step.refuse("pairs rows with others")
    return EACH if letters <= set(result) else SUM


def _images(step: Step) -> Role:
    """Images by kernels that are the same for all."""
    if any(step.role(a).axis is not None for a in step.x.args[1:]):
        step.refuse("has a kernel for each row")
    return EACH


def _kernels(_: Step) -> Role:
    return SUM


def _recurrent(step: Step) -> Role:
    """Sequences go apart from each other, through weights that are the same for all."""
    if any(step.role(step.argument(name)).axis is not None for name in ("U", "b") if step.takes(name)):
        step.refuse("has weights for each row")
    return EACH


def _part(step: Step) -> Role:
    """One of several results: of a gradient, the part that belongs to weights is a sum."""
    return EACH if step.axis is not None else SUM


_RULES: dict[Any, Callable[[Step], Role]] = {
    **dict.fromkeys((np.where, np.clip, np.copy, astype, np.transpose, np.swapaxes, np.moveaxis, np.expand_dims,
                     np.squeeze, np.broadcast_to, np.nan_to_num, np.stack), _each),
    **dict.fromkeys((np.dot, np.matmul, np.vecdot), _product),
    **dict.fromkeys((np.sum, np.mean, np.var, np.std, np.prod, np.argmax, np.argmin, np.median, np.ptp, np.nansum,
                     np.linalg.norm, np.linalg.vector_norm, *_EXTREMES), _reduction),
    **dict.fromkeys((np.cumsum, np.cumprod, np.sort, np.argsort, np.take_along_axis, np.flip, np.diff, np.roll, np.take,
                     np.repeat, np.concatenate, np.split), _along),
    **dict.fromkeys((np.reshape, np.ravel), _reshaped),
    **dict.fromkeys((operator.getitem, with_item, with_added, scatter_add, shapes.d_getitem), _indexed),
    **dict.fromkeys((images._conv2d, images._deconv2d), _images),
    **dict.fromkeys((images._im2col, images._col2im, images._pooling, images._winners, images._award,
                     *PULLBACKS[images._pooling], *PULLBACKS[images._award]), _each),
    images._correlate: _kernels,
    np.einsum: _einsum,
    item: _part,
    **dict.fromkeys(map(_primitive, (recurrent.rnn, recurrent.lstm, recurrent.gru)), _recurrent),
    **dict.fromkeys((recurrent.d_rnn, recurrent.d_lstm, recurrent.d_gru), _recurrent),
}  # fmt: skip
_LINEAR = {np.negative, np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.reshape, np.ravel,
           np.copy, astype, np.broadcast_to, np.sum, np.mean}  # fmt: skip


def _of_sums(step: Step, given: list[Role]) -> Role:
    """What is linear in sums is one; another thing can be computed when they are known."""
    x, n = step.x, given.count(SUM)
    factors = {
        np.multiply: 1,
        np.dot: 1,
        np.matmul: 1,
        np.divide: step.role(x.args[0]) == SUM,
        np.add: 2,
        np.subtract: 2,
    }
    alike = all(role in (SUM, SAME) for role in given) and not isinstance(x.data, tuple) and x.dtype.kind == "f"
    return SUM if alike and (x.func in _LINEAR or factors.get(x.func) == n) else ONCE


# ---------------------------------------------------------------------------------------------------------------------


def roles(a: list[Value], b: list[Value], n: tuple[int, int]) -> dict[Value, Role]:
    """The role of each Value in a. b is the order of a program of the same step, for n[1] rows in the place of n[0].

    Raises NotWritten, with the operation, where rows are mixed, or may be.
    """
    found: dict[int, Role] = {}
    changed = False
    if [*map(_kind, a)] != [*map(_kind, b)]:
        raise NotWritten(
            f"compiled: rows= needs a step that does the same for any number of rows; it does one thing for {n[0]} "
            f"and another for {n[1]}"
        )
    for x, y in zip(a, b, strict=True):
        step = Step(x, None, functools.partial(_found, found))
        step = step._replace(axis=_axis(step, x, y, n))
        if isinstance(x.func, Effect):
            changed = changed or not isinstance(x.func, Decision)
        elif x.func is None:
            found[id(x)] = ONCE if changed else EACH._replace(axis=step.axis) if step.axis is not None else SAME
        else:
            constants = zip(leaves_in((x.args, x.kwargs)), leaves_in((y.args, y.kwargs)), strict=True)
            found |= {id(c): _of_constant(step, c, d, n) for c, d in constants if isinstance(c, np.ndarray)}
            found[id(x)] = _role(step)
    return {x: found[id(x)] for x in a if id(x) in found}


def _role(step: Step) -> Role:
    x, rule = step.x, _RULES.get(step.x.func, _each if _is_elementwise(step.x.func) else None)
    given = [step.role(leaf) for leaf in leaves_in((x.args, x.kwargs)) if isinstance(leaf, Value | np.ndarray)]
    by_rows = any(role.axis is not None for role in given)
    if not by_rows and step.axis is None:
        return SAME if all(role == SAME for role in given) else _of_sums(step, given)
    if any(role.axis is None and role != SAME for role in given):
        step.refuse("brings what was computed from all rows into each of them")
    if not by_rows and x.func is not np.broadcast_to:
        step.refuse("makes something for each row by itself")
    if rule is None:
        step.refuse("has no rule that says what it does to rows")
    if NUMBERS in given and rule is not _indexed:
        step.refuse("computes with the numbers of the rows")
    role = rule(step)
    if (role is EACH) != (step.axis is not None):
        step.refuse("mixes the rows")
    return role._replace(axis=step.axis)


def _is_elementwise(func: Any) -> bool:
    return isinstance(func, np.ufunc) and func.signature is None


def _first(data: Any) -> Any:
    return data[0] if isinstance(data, tuple) else data


def _found(found: dict[int, Role], leaf: Any) -> Role:
    return found.get(id(leaf), SAME)


def _kind(x: Value) -> Any:
    return type(x.func) if isinstance(x.func, Effect) else _code_of(x.func)


def _axis(step: Step, x: Any, y: Any, n: tuple[int, int]) -> int | None:
    """The axis along which two arrays differ in length, as the numbers of rows do."""
    shapes = [np.shape(_first(e.data if isinstance(e, Value) else e)) for e in (x, y)]
    axes = [i for i, (p, q) in enumerate(zip(*shapes, strict=False)) if p != q]
    if not axes and len(shapes[0]) == len(shapes[1]):
        return None
    if len(axes) != 1 or shapes[0][axes[0]] * n[1] != shapes[1][axes[0]] * n[0] or len(shapes[0]) != len(shapes[1]):
        step.refuse(f"makes an array of shape {shapes[0]}, which does not have a part for each row")
    return axes[0]


def _of_constant(step: Step, x: Any, y: Any, n: tuple[int, int]) -> Role:
    """An array that the step has made, or found: one that has rows is the same in each, or numbers them."""
    axis = _axis(step, x, y, n)
    if axis is None:
        return SAME
    rows = np.moveaxis(x, axis, 0).reshape(n[0], -1)
    if (rows == rows[:1]).all():
        return EACH._replace(axis=axis)
    if x.dtype.kind not in "iu" or x.size != x.shape[axis] or (x.ravel() != np.arange(x.size)).any():
        step.refuse("uses an array of its own that has something else for each row")
    return NUMBERS
