"""More products: of vectors along an axis, of many matrices, of blocks and of tensors; and the array API's names."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_jp.core import PULLBACKS, Array, as_variable
from tinygrad_jp.core.arrays import sum_to
from tinygrad_jp.core.table import COMPOSITIONS, NONDIFFERENTIABLE, composition
from tinygrad_jp.kinds import np


@composition(np.kron)
def kron(a: Array, b: Array) -> Array:
    """The outer product, with the axes of a and b in turn, of which each pair is made one."""
    n = max(np.ndim(a), np.ndim(b))
    a, b = (np.reshape(x, (1,) * (n - np.ndim(x)) + np.shape(x)) for x in (a, b))
    y = np.expand_dims(a, tuple(range(1, 2 * n, 2))) * np.expand_dims(b, tuple(range(0, 2 * n, 2)))
    return np.reshape(y, tuple(i * j for i, j in zip(np.shape(a), np.shape(b), strict=True)))


# ---------------------------------------------------------------------------------------------------------------------
# Products of vectors along an axis


def _d_vecdot(gy: Array, x: Array, other: Array, axis: int, keepdims: bool) -> Array:
    gy = np.moveaxis(gy, axis, -1) if keepdims else gy[..., None]
    return np.moveaxis(sum_to(gy * np.moveaxis(other, axis, -1), np.moveaxis(x, axis, -1).shape), -1, axis)


PULLBACKS[np.vecdot] = (
    lambda gy, y, a, b, axis=-1, keepdims=False: _d_vecdot(gy, a, b, axis, keepdims),
    lambda gy, y, a, b, axis=-1, keepdims=False: _d_vecdot(gy, b, a, axis, keepdims),
)
if hasattr(np, "matvec"):  # Since NumPy 2.2
    PULLBACKS |= {
        np.matvec: (
            lambda gy, y, a, b: gy[..., None] * b[..., None, :],
            lambda gy, y, a, b: (np.swapaxes(a, -1, -2) @ gy[..., None])[..., 0],
        ),
        np.vecmat: (
            lambda gy, y, a, b: (b @ gy[..., None])[..., 0],
            lambda gy, y, a, b: a[..., None] * gy[..., None, :],
        ),
    }


def d_cross_a(
    gy: Array, y: Array, a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """b × gy: a triple product stays the same when its factors move on by one."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    flat = a.shape[axisa] == b.shape[axisb] == 2  # Of two vectors of a plane, NumPy gives the third element alone.
    g = np.stack([gy * 0, gy * 0, gy], axis=-1) if flat else np.moveaxis(gy, axisc, -1)
    g = np.cross(_of_space(b, axisb), g)[..., : a.shape[axisa]]
    return np.moveaxis(sum_to(g, np.moveaxis(a, axisa, -1).shape), -1, axisa)


def d_cross_b(
    gy: Array, y: Array, a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """gy × a: a triple product stays the same when its factors move on by one."""
    return -d_cross_a(gy, y, b, a, axisb, axisa, axisc, axis)


def _of_space(x: Array, axis: int) -> Array:
    """x with its vectors last, and with three elements."""
    x = np.moveaxis(x, axis, -1)
    return x if x.shape[-1] == 3 else np.concatenate([x, x[..., :1] * 0], axis=-1)


PULLBACKS[np.cross] = (d_cross_a, d_cross_b)


# ---------------------------------------------------------------------------------------------------------------------
# Products of many matrices


@composition(np.linalg.matrix_power)
def matrix_power(a: Array, n: int) -> Array:
    """By squaring; of the inverse if n is negative."""
    a = as_variable(a)
    one = np.linalg.matrix_power(a.data, 0 * n)  # It refuses what is not square, and a power that is not whole.
    if n == 0:
        return np.where(np.True_, one, a)  # A constant, with a's graph.
    a, n, y = np.linalg.inv(a) if n < 0 else np.reshape(a, a.shape), abs(n), None
    while n:
        if n % 2:
            y = a if y is None else y @ a
        n //= 2
        a = a @ a if n else a
    return y


@composition(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Array]) -> Array:
    """The product in the order that takes the fewest multiplications."""
    if len(arrays) < 3:
        if len(arrays) == 2:
            return np.dot(*arrays)
        raise ValueError("np.linalg.multi_dot: expected at least two arrays")
    first, *between, last = map(as_variable, arrays)
    xs = [first if first.ndim != 1 else first[None], *between, last if last.ndim != 1 else last[:, None]]
    if any(x.ndim != 2 for x in xs):
        raise np.linalg.LinAlgError(
            f"np.linalg.multi_dot: expected matrices, and vectors first or last only, got {[*map(np.shape, arrays)]}"
        )
    cuts = _cheapest_cuts([len(x) for x in xs] + [xs[-1].shape[1]])

    def product(i: int, j: int) -> Array:
        return xs[i] if i == j else product(i, cuts[i, j]) @ product(cuts[i, j] + 1, j)

    return np.reshape(product(0, len(xs) - 1), first.shape[:-1] + last.shape[1:])


def _cheapest_cuts(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Where to cut the product of matrices i to j, of lengths[i] rows each. Source: Cormen et al., section 15.2."""
    costs: dict[tuple[int, int], int] = {}
    cuts: dict[tuple[int, int], int] = {}
    for more in range(len(lengths) - 1):
        for i in range(len(lengths) - 1 - more):
            j = i + more
            options = [
                (costs[i, k] + costs[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k) for k in range(i, j)
            ]
            costs[i, j], cuts[i, j] = min(options, default=(0, i))
    return cuts


# ---------------------------------------------------------------------------------------------------------------------
# Blocks


@composition(np.block)
def block(arrays: Any) -> Array:
    """Innermost lists are joined along the last axis, those around them along the axis before it, and so on."""
    depth = _depth(arrays)

    def ndim(x: Any) -> int:
        return max(map(ndim, x)) if isinstance(x, list) else np.ndim(x)

    n = max(depth, ndim(arrays))

    def join(x: Any, axis: int) -> Array:
        if isinstance(x, list):
            return np.concatenate([join(e, axis + 1) for e in x], axis=axis)
        return np.reshape(x, (1,) * (n - np.ndim(x)) + np.shape(x))

    return join(arrays, -depth)


def _depth(x: Any) -> int:
    """How many lists are around the arrays."""
    if isinstance(x, tuple):
        raise TypeError("np.block: expected lists of arrays, got a tuple; write [a, b]")
    if not isinstance(x, list):
        return 0
    depths = set(map(_depth, x))
    if len(depths) != 1:
        raise ValueError(f"np.block: expected lists of the same depth, none of them empty, got depths {sorted(depths)}")
    return 1 + depths.pop()


# ---------------------------------------------------------------------------------------------------------------------
# Tensors as matrices


@composition(np.linalg.tensorsolve)
def tensorsolve(a: Array, b: Array, axes: Sequence[int] | None = None) -> Array:
    order = [*range(np.ndim(a))]
    for axis in axes or ():
        order.remove(axis)
        order.append(axis)
    shape = np.shape(a := np.transpose(a, order))[np.ndim(b) - np.ndim(a) :]
    if np.size(a) != (n := math.prod(shape)) ** 2:
        raise np.linalg.LinAlgError(
            f"np.linalg.tensorsolve: expected as many unknowns as equations, got a {np.shape(a)} and b {np.shape(b)}"
        )
    return np.reshape(np.linalg.solve(np.reshape(a, (n, n)), np.ravel(b)), shape)


@composition(np.linalg.tensorinv)
def tensorinv(a: Array, ind: int = 2) -> Array:
    if ind <= 0:
        raise ValueError(f"np.linalg.tensorinv: expected a number of axes ind of at least 1, got {ind}")
    shape = np.shape(a)
    if not shape:
        raise TypeError("np.linalg.tensorinv: expected an array with axes, got a number")
    return np.reshape(np.linalg.inv(np.reshape(a, (math.prod(shape[ind:]), -1))), shape[ind:] + shape[:ind])


# ---------------------------------------------------------------------------------------------------------------------
# The array API's names


@composition(np.linalg.outer)
def outer(x1: Array, x2: Array) -> Array:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"np.linalg.outer: expected two vectors, got {np.shape(x1)} and {np.shape(x2)}")
    return np.outer(x1, x2)


@composition(np.linalg.cross)
def cross(x1: Array, x2: Array, axis: int = -1) -> Array:
    if (lengths := (np.shape(x1)[axis], np.shape(x2)[axis])) != (3, 3):
        raise ValueError(f"np.linalg.cross: expected vectors of 3 elements, got {lengths[0]} and {lengths[1]}")
    return np.cross(x1, x2, axis=axis)


COMPOSITIONS |= {
    np.linalg.matmul: lambda x1, x2: np.matmul(x1, x2),
    np.linalg.tensordot: lambda x1, x2, axes=2: np.tensordot(x1, x2, axes=axes),
    np.linalg.vecdot: lambda x1, x2, axis=-1: np.vecdot(x1, x2, axis=axis),
    np.linalg.diagonal: lambda x, offset=0: np.diagonal(x, offset, -2, -1),
    np.linalg.trace: lambda x, offset=0, dtype=None: np.trace(x, offset, -2, -1, dtype),
    np.linalg.matrix_transpose: lambda x: np.swapaxes(x, -1, -2),
    np.matrix_transpose: lambda x: np.swapaxes(x, -1, -2),
}
NONDIFFERENTIABLE |= {np.linalg.matrix_rank, np.einsum_path}
