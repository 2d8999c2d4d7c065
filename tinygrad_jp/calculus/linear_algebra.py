"""Linear algebra: the derivatives of products of all kinds, and of what is solved and inverted."""

import operator
from collections.abc import Sequence
from string import ascii_letters
from typing import Any, NamedTuple

import numpy

from tinygrad_jp.core import PULLBACKS, Array, Variable, apply, as_variable, primitive, pullback
from tinygrad_jp.core.arrays import normalize_axes, sum_to
from tinygrad_jp.core.table import CALLS, Variadic, composition
from tinygrad_jp.counting import counted
from tinygrad_jp.devices import DEVICES, apart, beside, on_device
from tinygrad_jp.kinds import DTypeLike, np


def d_matmul_a(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """The gradient times bᵀ."""
    if b.ndim == 1:
        return np.expand_dims(gy, -1) * b
    if a.ndim == 1:
        return (b @ np.expand_dims(gy, -1)).squeeze(-1)
    return gy @ b.swapaxes(-1, -2)


def d_matmul_b(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """aᵀ times the gradient."""
    if a.ndim == 1:
        return np.expand_dims(a, -1) * np.expand_dims(gy, -2) if b.ndim > 1 else gy * a
    if b.ndim == 1:
        return (a.swapaxes(-1, -2) @ np.expand_dims(gy, -1)).squeeze(-1)
    return a.swapaxes(-1, -2) @ gy


PULLBACKS[np.matmul] = (d_matmul_a, d_matmul_b)


# ---------------------------------------------------------------------------------------------------------------------
# Products that contract some axes of a with some of b


class _Contraction(NamedTuple):
    """Which axes of a meet which axes of b, in pairs."""

    a: tuple[int, ...]
    b: tuple[int, ...]


def _contraction(a: Array, b: Array, axes: Any) -> _Contraction:
    if isinstance(axes, int):
        return _Contraction(tuple(range(np.ndim(a) - axes, np.ndim(a))), tuple(range(axes)))
    first, second = (axis if isinstance(axis, Sequence) else (operator.index(axis),) for axis in axes)
    return _Contraction(normalize_axes(tuple(first), np.ndim(a)), normalize_axes(tuple(second), np.ndim(b)))


def _free(x: Array, contracted: tuple[int, ...]) -> list[int]:
    return [i for i in range(np.ndim(x)) if i not in contracted]


def d_tensordot_a(gy: Array, y: Array, a: Array, b: Array, axes: Any = 2) -> Array:
    """The gradient, contracted with b over the axes that b gave to y."""
    pairs = _contraction(a, b, axes)
    rows, columns = _free(a, pairs.a), _free(b, pairs.b)
    g = np.tensordot(gy, b, axes=(tuple(range(len(rows), len(rows) + len(columns))), tuple(columns)))
    # Its axes are a's free ones, then those that met b's, in b's order.
    order = rows + [pairs.a[pairs.b.index(i)] for i in sorted(pairs.b)]
    return np.transpose(g, np.argsort(order).tolist())


def d_tensordot_b(gy: Array, y: Array, a: Array, b: Array, axes: Any = 2) -> Array:
    """a, contracted with the gradient over the axes that a gave to y."""
    pairs = _contraction(a, b, axes)
    rows, columns = _free(a, pairs.a), _free(b, pairs.b)
    g = np.tensordot(a, gy, axes=(tuple(rows), tuple(range(len(rows)))))
    order = [pairs.b[pairs.a.index(i)] for i in sorted(pairs.a)] + columns
    return np.transpose(g, np.argsort(order).tolist())


PULLBACKS[np.tensordot] = (d_tensordot_a, d_tensordot_b)


def d_dot_a(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """As of a product of numbers, of matrices, or along the last axis of a and the last but one of b."""
    if not a.ndim * b.ndim:
        return sum_to(gy * b, a.shape)
    return d_matmul_a(gy, y, a, b) if b.ndim <= 2 else d_tensordot_a(gy, y, a, b, (-1, -2))


def d_dot_b(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """As of a product of numbers, of matrices, or along the last axis of a and the last but one of b."""
    if not a.ndim * b.ndim:
        return sum_to(gy * a, b.shape)
    return d_tensordot_b(gy, y, a, b, (-1, max(b.ndim - 2, 0))) if a.ndim > 2 or b.ndim > 2 else d_matmul_b(gy, y, a, b)


def d_inner_a(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """The gradient, contracted with b over all but its last axis."""
    return d_tensordot_a(gy, y, a, b, (-1, -1)) if a.ndim * b.ndim else sum_to(gy * b, a.shape)


def d_inner_b(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """a, contracted with the gradient over all but its last axis."""
    return d_tensordot_b(gy, y, a, b, (-1, -1)) if a.ndim * b.ndim else sum_to(gy * a, b.shape)


PULLBACKS |= {
    np.dot: (d_dot_a, d_dot_b),
    np.inner: (d_inner_a, d_inner_b),
    np.vdot: (
        lambda gy, y, a, b: gy * np.reshape(b, a.shape),
        lambda gy, y, a, b: gy * np.reshape(a, b.shape),
    ),
    np.outer: (
        lambda gy, y, a, b: np.reshape(gy @ np.reshape(b, -1), a.shape),
        lambda gy, y, a, b: np.reshape(np.reshape(a, -1) @ gy, b.shape),
    ),
}


@composition(np.trace)
def trace(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: DTypeLike | None = None) -> Array:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Einstein's notation


@composition(np.einsum)
def einsum(*operands: Any, optimize: Any = False) -> Any:
    inputs, output, xs = _spelled_out(operands)
    return apply(_einsum, *xs, inputs=inputs, output=output, optimize=optimize)


def _einsum(*xs: Any, inputs: Sequence[str], output: str, optimize: Any = False) -> Any:
    if DEVICES and (error := apart("np.einsum", xs)):  # CuPy would send what is NumPy's, at every call.
        raise error
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
            operands.append(beside(numpy.eye(n, dtype=gy.dtype), gy))
            letter = other
        elif letter not in known:  # It was summed over by itself: spread its gradient out.
            letters.append(letter)
            operands.append(beside(numpy.ones(n, gy.dtype), gy))
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
        expected = counted(len(inputs), "operand")
        raise ValueError(f"np.einsum: expected {expected} for {subscripts!r}, got {len(xs)}")
    free = [a for a in reversed(ascii_letters) if a not in subscripts]
    dots = 0
    for k, (term, x) in enumerate(zip(inputs, xs, strict=True)):
        n = np.ndim(x) - len(term.replace("...", ""))
        if n < 0 or (n and "..." not in term):
            axes = counted(len(term), "axis", "axes")
            raise ValueError(f"np.einsum: expected an operand of {axes} for {term!r}, got shape {np.shape(x)}")
        if "..." in term:
            inputs[k] = term.replace("...", "".join(free[:n][::-1]))
            dots = max(dots, n)
    ellipsis = "".join(free[:dots][::-1])
    if not arrow:
        once = sorted(a for a in set(terms) if a.isalpha() and terms.count(a) == 1)
        output = ("..." if dots else "") + "".join(once)
    output = output.replace("...", ellipsis)
    for term, x in zip(inputs, xs, strict=True):  # Of a diagonal that begins with 0, NumPy reads beyond the array.
        if len({*zip(term, np.shape(x), strict=True)}) > len(set(term)):
            equal = f"axes of one length for each letter of {term!r}"
            raise ValueError(f"np.einsum: expected {equal}, got shape {np.shape(x)}")
    if unknown := set(output) - set("".join(inputs)):
        raise ValueError(f"np.einsum: {', '.join(sorted(unknown))} of the output is in no input of {subscripts!r}")
    return tuple(inputs), output, xs


def _letters(sublist: Any) -> str:
    return "".join("..." if i is Ellipsis else ascii_letters[i] for i in sublist)


# ---------------------------------------------------------------------------------------------------------------------
# Solving, inverting, measuring


def _T(x: Array) -> Array:
    return x.swapaxes(-1, -2)


@pullback(np.linalg.inv)
def d_inv(gy: Array, y: Array, x: Array) -> Array:
    """From x·y = 1: dy = −y·dx·y."""
    return -_T(y) @ gy @ _T(y)


def _solve(a: Array, b: Array) -> Array:
    """`np.linalg.solve`, which in CuPy does not broadcast stacks of matrices."""
    if on_device(a) and b.ndim > 1 and a.shape[:-2] != b.shape[:-2]:
        stack = numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = np.broadcast_to(a, (*stack, *a.shape[-2:])), np.broadcast_to(b, (*stack, *b.shape[-2:]))
    return np.linalg.solve(a, b)


CALLS[np.linalg.solve] = _solve


def _solve_transposed(a: Array, gy: Array, b: Array) -> Array:
    """a⁻ᵀ·gy, where b, and so gy, is one vector or a stack of matrices."""
    if b.ndim == 1:
        return _solve(_T(a), np.expand_dims(gy, -1)).squeeze(-1)
    return _solve(_T(a), gy)


def d_solve_a(gy: Array, y: Array, a: Array, b: Array) -> Array:
    """From a·y = b: da moves y by −a⁻¹·da·y."""
    gb = _solve_transposed(a, gy, b)
    if b.ndim == 1:
        return -np.expand_dims(gb, -1) * np.expand_dims(y, -2)
    return sum_to(-gb @ _T(y), a.shape)


PULLBACKS[np.linalg.solve] = (d_solve_a, lambda gy, y, a, b: sum_to(_solve_transposed(a, gy, b), b.shape))


@pullback(np.linalg.det)
def d_det(gy: Array, y: Array, x: Array) -> Array:
    """Jacobi's formula: the cofactors, which are finite for singular matrices, too."""
    return np.expand_dims(gy, (-1, -2)) * cofactors(x)


@primitive
def cofactors(x: Array) -> Array:
    """The cofactors of square matrices, det(x)·x⁻ᵀ, by way of x = U·diag(s)·Vᵀ: det(U·V)·U·diag(Π s without sᵢ)·Vᵀ.

    >>> cofactors(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    u, s, vt, sign = _singular(x)
    return sign * (u * _products_without_one(s)[..., None, :]) @ vt


def _singular(x: Array) -> tuple[Array, Array, Array, Array]:
    u, s, vt = np.linalg.svd(x)
    return u, s, vt, (np.linalg.det(u) * np.linalg.det(vt)).round()[..., None, None]


def _products_without_one(s: Array) -> Array:
    """For each i the product of all s (..., n) but sᵢ: what stands before it times what stands after it."""
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


@pullback(cofactors)
def d_cofactors(gy: Array, y: Array, x: Array) -> Array:
    """The second derivatives of the determinant: where they are differentiated again, by the inverse."""
    if isinstance(gy, Variable) or isinstance(x, Variable):
        inverse = _T(np.linalg.inv(x))
        along = np.sum(gy * inverse, axis=(-1, -2), keepdims=True)
        return np.expand_dims(np.linalg.det(x), (-1, -2)) * (along * inverse - inverse @ _T(gy) @ inverse)
    # In the basis of the singular vectors: gᵢᵢ moves sₖ, and gᵢⱼ moves the element ji, by the products without two.
    u, s, vt, sign = _singular(x)
    g = _T(u) @ gy @ _T(vt)
    n, one = s.shape[-1], beside(numpy.eye(s.shape[-1], dtype=s.dtype), s)
    without_two = np.stack(
        [_products_without_one(np.where(np.arange(n, like=s) == i, 1, s)) for i in range(n)], axis=-1
    )
    without_two = without_two * (1 - one)
    diagonal = (without_two @ np.diagonal(g, 0, -2, -1)[..., None])[..., 0]
    moved = -without_two * _T(g) + diagonal[..., None] * one
    return sign * (u @ moved @ vt)


@composition(np.linalg.slogdet)
def slogdet(a: Array) -> Any:
    """The sign, a plain array, and log |det a|, as NumPy names them; CuPy does not."""
    named = type(np.linalg.slogdet(numpy.eye(1)))
    return named(np.linalg.slogdet(as_variable(a).data)[0], apply(_logabsdet, a))


def _logabsdet(x: Array) -> Array:
    return np.linalg.slogdet(x)[1]


@pullback(_logabsdet)
def d_logabsdet(gy: Array, y: Array, x: Array) -> Array:
    """x⁻ᵀ."""
    return np.expand_dims(gy, (-1, -2)) * _T(np.linalg.inv(x))
