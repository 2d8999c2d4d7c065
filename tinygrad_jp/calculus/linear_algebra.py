"""The derivatives of linear algebra: products of all kinds, and what is solved, inverted and measured.

The rules are written like those of `calculus.py`, and stand in the same table.
"""

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.core import PULLBACKS, Axis, apply, pullback
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.kinds import np
from tinygrad_jp.core.table import Variadic, composition


def d_matmul_a(gy: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return np.expand_dims(gy, -1) * b
    if a.ndim == 1:
        return (b @ np.expand_dims(gy, -1)).squeeze(-1)
    return gy @ b.swapaxes(-1, -2)


def d_matmul_b(gy: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return np.expand_dims(a, -1) * np.expand_dims(gy, -2) if b.ndim > 1 else gy * a
    if b.ndim == 1:
        return (a.swapaxes(-1, -2) @ np.expand_dims(gy, -1)).squeeze(-1)
    return a.swapaxes(-1, -2) @ gy


PULLBACKS[np.matmul] = (d_matmul_a, d_matmul_b)


@composition(np.dot)
def dot(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return apply(np.multiply, a, b)
    if np.ndim(b) > 2:
        return np.tensordot(a, b, axes=(-1, -2))
    return apply(np.matmul, a, b)


@composition(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    return apply(np.matmul, np.reshape(a, -1), np.reshape(b, -1))


@composition(np.inner)
def inner(a: Any, b: Any) -> Any:
    return np.tensordot(a, b, axes=(-1, -1)) if np.ndim(a) and np.ndim(b) else apply(np.multiply, a, b)


@composition(np.outer)
def outer(a: Any, b: Any) -> Any:
    return np.reshape(a, (-1, 1)) * np.reshape(b, -1)


@composition(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """One product of matrices, with the contracted axes brought together."""
    if isinstance(axes, int):
        axes = (range(-axes, 0), range(axes))
    first, second = (
        [i % np.ndim(x) for i in numpy.atleast_1d(ax).tolist()] for x, ax in zip((a, b), axes, strict=True)
    )
    if [np.shape(a)[i] for i in first] != [np.shape(b)[i] for i in second]:
        raise ValueError(
            f"np.tensordot: the axes {first} of {np.shape(a)} and {second} of {np.shape(b)} differ in length"
        )
    rows = [i for i in range(np.ndim(a)) if i not in first]
    columns = [i for i in range(np.ndim(b)) if i not in second]
    n = int(numpy.prod([np.shape(a)[i] for i in first]))
    left = np.reshape(np.transpose(a, rows + first), (-1, n))
    right = np.reshape(np.transpose(b, second + columns), (n, -1))
    return np.reshape(apply(np.matmul, left, right), [np.shape(a)[i] for i in rows] + [np.shape(b)[i] for i in columns])


@composition(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    x = np.moveaxis(a, (axis1, axis2), (-2, -1))
    n = max(0, min(x.shape[-2] + min(offset, 0), x.shape[-1] - max(offset, 0)))
    i = numpy.arange(n)
    return x[..., i - min(offset, 0), i + max(offset, 0)]


@composition(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1)


# ---------------------------------------------------------------------------------------------------------------------
# Einstein's notation


@composition(np.einsum)
def einsum(*operands: Any, optimize: Any = False) -> Any:
    inputs, output, xs = _spelled_out(operands)
    return apply(_einsum, *xs, inputs=inputs, output=output, optimize=optimize)


def _einsum(*xs: Any, inputs: Sequence[str], output: str, optimize: Any = False) -> Any:
    return np.einsum(f"{','.join(inputs)}->{output}", *xs, optimize=optimize)


def d_einsum(i: int, gy: Any, y: Any, *xs: Any, inputs: Sequence[str], output: str, optimize: Any = False) -> Any:
    """The gradient by one operand: the output's gradient, contracted with all other operands."""
    letters, operands, wanted = [output], [gy], ""
    for j, x in enumerate(xs):
        if j != i:
            letters.append(inputs[j])
            operands.append(x)
    known = set("".join(letters))
    for letter, n in zip(inputs[i], xs[i].shape, strict=True):
        if letter in wanted:  # It walked along a diagonal: lay its gradient there again.
            other = next(a for a in ascii_letters if a not in known and a not in wanted and a not in inputs[i])
            letters.append(letter + other)
            operands.append(numpy.eye(n, dtype=gy.dtype))
            letter = other
        elif letter not in known:  # It was summed over by itself: spread its gradient out.
            letters.append(letter)
            operands.append(numpy.ones(n, gy.dtype))
        wanted += letter
    g = np.einsum(f"{','.join(letters)}->{wanted}", *operands, optimize=True)
    if g.shape == xs[i].shape:
        return g
    # Axes of length 1 broadcast: sum what was spread, spread what met a 1.
    return np.broadcast_to(sum_to(g, tuple(map(min, g.shape, xs[i].shape))), xs[i].shape)


PULLBACKS[_einsum] = Variadic(d_einsum)


def _spelled_out(operands: Any) -> tuple[tuple[str, ...], str, list[Any]]:
    """The subscripts of each operand and of the output, with every axis a letter, and the operands."""
    if not isinstance(operands[0], str):  # einsum(a, [0, 1], b, [1, 2], [0, 2])
        xs, sublists = list(operands[: len(operands) // 2 * 2 : 2]), list(operands[1::2])
        subscripts = ",".join(map(_letters, sublists))
        if len(operands) % 2:
            subscripts += "->" + _letters(operands[-1])
    else:
        subscripts, *xs = operands
    subscripts = subscripts.replace(" ", "")
    terms, arrow, output = subscripts.partition("->")
    inputs = terms.split(",")
    if len(inputs) != len(xs):
        raise ValueError(f"np.einsum: expected {len(inputs)} operands for {subscripts!r}, got {len(xs)}")
    free = [a for a in reversed(ascii_letters) if a not in subscripts]
    dots = 0
    for k, (term, x) in enumerate(zip(inputs, xs, strict=True)):
        n = np.ndim(x) - len(term.replace("...", ""))
        if n < 0 or (n and "..." not in term):
            raise ValueError(
                f"np.einsum: expected an operand of {len(term)} axes for {term!r}, got shape {np.shape(x)}"
            )
        if "..." in term:
            inputs[k] = term.replace("...", "".join(free[:n][::-1]))
            dots = max(dots, n)
    ellipsis = "".join(free[:dots][::-1])
    if not arrow:
        once = sorted(a for a in set(terms) if a.isalpha() and terms.count(a) == 1)
        output = ("..." if dots else "") + "".join(once)
    output = output.replace("...", ellipsis)
    if unknown := set(output) - set("".join(inputs)):
        raise ValueError(f"np.einsum: {', '.join(sorted(unknown))} of the output is in no input of {subscripts!r}")
    return tuple(inputs), output, xs


def _letters(sublist: Any) -> str:
    return "".join("..." if i is Ellipsis else ascii_letters[i] for i in sublist)


# ---------------------------------------------------------------------------------------------------------------------
# Solving, inverting, measuring


def _T(x: Any) -> Any:
    return x.swapaxes(-1, -2)


@pullback(np.linalg.inv)
def d_inv(gy: Any, y: Any, x: Any) -> Any:
    """From x·y = 1: dy = −y·dx·y."""
    return -_T(y) @ gy @ _T(y)


def d_solve_a(gy: Any, y: Any, a: Any, b: Any) -> Any:
    gb = np.linalg.solve(_T(a), gy)
    if np.ndim(b) == 1:
        return -np.expand_dims(gb, -1) * np.expand_dims(y, -2)
    return -gb @ _T(y)


PULLBACKS |= {
    np.linalg.solve: (d_solve_a, lambda gy, y, a, b: np.linalg.solve(_T(a), gy)),
    # Jacobi's formula; a singular matrix is refused by `inv`.
    np.linalg.det: lambda gy, y, x: np.expand_dims(gy * y, (-1, -2)) * _T(np.linalg.inv(x)),
}


@composition(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """The sign, a plain array, and log |det a|."""
    result = np.linalg.slogdet(a.data)
    return type(result)(result.sign, apply(_logabsdet, a))


def _logabsdet(x: Any) -> Any:
    return np.linalg.slogdet(x).logabsdet


@pullback(_logabsdet)
def d_logabsdet(gy: Any, y: Any, x: Any) -> Any:
    return np.expand_dims(gy, (-1, -2)) * _T(np.linalg.inv(x))


@composition(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """Of vectors of any order; of matrices "fro", 1 and inf."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    matrix = len(axes) == 2 and ord is not None
    if ord is None or (ord == 2 and not matrix) or (ord == "fro" and matrix):
        return apply(_norm, x, axis=tuple(axes), keepdims=keepdims)
    if matrix and ord in (1, np.inf):
        rows, columns = (i % x.ndim for i in axes)
        inside, outside = (rows, columns) if ord == 1 else (columns, rows)
        y = np.max(np.sum(abs(x), axis=inside, keepdims=True), axis=outside, keepdims=True)
        return y if keepdims else np.squeeze(y, axis=(rows, columns))
    if matrix or isinstance(ord, str) or len(axes) != 1:
        raise ValueError(f"np.linalg.norm: no rule for ord={ord!r} of {len(axes)} axes; there is 'fro', 1 and inf")
    axis = axes[0]
    if abs(ord) == np.inf:
        return (np.max if ord > 0 else np.min)(abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return apply(np.sum, (x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(abs(x), axis=axis, keepdims=keepdims)
    return np.sum(abs(x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _norm(x: Any, axis: Axis, keepdims: bool) -> Any:
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


@pullback(_norm)
def d_norm(gy: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """The unit vector; at 0 the subgradient 0."""
    if not keepdims:
        gy, y = np.expand_dims(gy, axis), np.expand_dims(y, axis)
    return gy * divide_or_zero(x, y)
