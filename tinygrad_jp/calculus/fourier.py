"""Fourier transforms: from real numbers to real ones, by way of complex ones.

A result of complex numbers is a `Complex`, a Variable that takes only the functions listed here. The gradient of a real
L with respect to z = a + ib is ∂L/∂a − i ∂L/∂b, so that the rule of a function with a complex derivative, such as the
product, is the rule that it has for real numbers. Leaves are real, and so is what `backward()` starts from.

np.abs has a kink at 0, where its slope is 0. For a power |z|² with derivatives of every order, write
np.real(z * np.conj(z)).
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from tinygrad_jp.calculus.elements import divide_or_zero
from tinygrad_jp.calculus.shapes import scatter_add
from tinygrad_jp.core import PULLBACKS, Array, Variable, apply, primitive, pullback
from tinygrad_jp.core.binding import bind
from tinygrad_jp.core.errors import name_of
from tinygrad_jp.core.table import COMPOSITIONS, TO_COMPLEX, composition
from tinygrad_jp.devices import beside
from tinygrad_jp.kinds import np


def _complex(x: Array) -> Array:
    """x as complex numbers, which the gradient of complex numbers must be."""
    return x if x.dtype.kind == "c" else as_complex(x)


def as_complex_numbers(x: Array) -> Array:
    return x.astype(np.result_type(x, np.complex64))


OWN: dict[Any, Callable[..., Any]] = {}
"""Functions that have a rule of their own for complex numbers → the function that is recorded for them."""


def _own(func: Any, rule: Any) -> Any:
    def of_complex(z: Array, **settings: Any) -> Array:
        return func(z, **settings)

    of_complex.__name__ = func.__name__
    OWN[func] = of_complex
    PULLBACKS[of_complex] = rule
    return primitive(of_complex)


as_complex: Any = _own(as_complex_numbers, lambda gy, y, x: real(gy))
real: Any = _own(np.real, lambda gy, y, z: _complex(gy))
_own(np.imag, lambda gy, y, z: _complex(gy) * -1j)
conjugate: Any = _own(np.conjugate, lambda gy, y, z: conjugate(gy))
_own(np.absolute, lambda gy, y, z: gy * divide_or_zero(conjugate(z), _complex(y)))
_own(np.angle, lambda gy, y, z, deg=False: _complex(gy) * divide_or_zero(-180j / math.pi if deg else -1j, z))
SAME = {
    *(np.add, np.subtract, np.multiply, np.divide, np.power, np.negative, np.positive, np.square, np.reciprocal),
    *(np.exp, np.log, np.sqrt, np.sin, np.cos, np.matmul, np.where, np.sum, np.mean, np.roll, np.flip, np.copy),
    *(operator.getitem, scatter_add.primitive, np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis),  # type: ignore[attr-defined]
    *(np.expand_dims, np.squeeze, np.broadcast_to, np.pad, *OWN.values()),
}
"""Functions whose rule holds for complex numbers as it stands."""


def recorded(func: Any, *args: Any, **settings: Any) -> Variable:
    y = apply(func, *args, **settings)
    if y.dtype.kind == "c":
        y.__class__ = Complex
    return y


class Complex(Variable):
    """A result of complex numbers: a Variable that takes the functions in OWN and SAME, and refuses others by name."""

    __slots__ = ()

    @staticmethod
    def call(func: Any, *args: Any, **settings: Any) -> Variable:
        func = OWN.get(func, func)
        if func not in SAME:
            remedy = "take np.real(z) and np.imag(z), or np.abs(z) and np.angle(z)"
            raise TypeError(f"{name_of(func)}: of complex numbers no rule differentiates it; {remedy}")
        return recorded(func, *(_complex(x) if isinstance(x, Variable) else x for x in args), **settings)

    @staticmethod
    def record(func: Any, args: Any, settings: Any, xs: Any, y: Any, a: Any = None, b: Any = None) -> Variable:
        """The result of an operator, whose other argument may be real."""
        return Complex.call(func, *[arg if x is None else x for arg, x in zip((a, b), xs, strict=True)])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        own = ufunc in OWN and method == "__call__" and not kwargs
        return self.call(ufunc, *args) if own else super().__array_ufunc__(ufunc, method, *args, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func in OWN or (func in COMPOSITIONS and func not in SAME and func.__module__ != "numpy.fft"):
            positional, settings = bind(func, args, kwargs, 1)
            return self.call(func, *positional, **settings)
        return super().__array_function__(func, types, args, kwargs)

    # Python asks these first where the other argument is a plain Variable.
    __radd__, __rmul__, __rsub__, __rtruediv__, __rmatmul__ = (
        (lambda self, other, f=f: self.call(f, other, self))
        for f in (np.add, np.multiply, np.subtract, np.divide, np.matmul)
    )


# ---------------------------------------------------------------------------------------------------------------------
# Along one axis


def _of_length(x: Array, n: int, axis: int) -> Array:
    """x cut off, or filled up with zeros, at n along an axis."""
    axis %= x.ndim
    if n <= x.shape[axis]:
        return x[(*[slice(None)] * axis, slice(n))]
    return np.pad(x, [(0, n - x.shape[axis] if i == axis else 0) for i in range(x.ndim)])


def _back(g: Array, x: Array, axis: int) -> Array:
    """The gradient g of complex numbers, as that of x: of its length, and real where x is."""
    g = _of_length(g, x.shape[axis], axis)
    g = g if x.dtype.kind == "c" else real(g)
    return g.astype(x.dtype) if x.dtype == np.float16 else g


TO_COMPLEX |= {OWN[as_complex_numbers], np.fft.fft, np.fft.ifft, np.fft.rfft}
# The matrix of a transform is symmetric: it takes the gradient back as well.
PULLBACKS |= {
    np.fft.fft: lambda gy, y, x, n, axis, norm: _back(np.fft.fft(gy, n, axis, norm), x, axis),
    np.fft.ifft: lambda gy, y, x, n, axis, norm: _back(np.fft.ifft(gy, n, axis, norm), x, axis),
    np.fft.rfft: lambda gy, y, x, n, axis, norm: _back(np.fft.fft(_of_length(gy, n, axis), n, axis, norm), x, axis),
}


@pullback(np.fft.irfft)
def d_irfft(gy: Array, y: Array, z: Array, n: int, axis: int, norm: str | None) -> Array:
    """Each frequency but the first, and the last of an even n, stands for its conjugate, too."""
    i = np.arange(n // 2 + 1)
    twice = beside(np.where((i == 0) | (2 * i == n), 1, 2).astype(gy.dtype), gy)
    twice = np.reshape(twice, [-1 if k == axis % gy.ndim else 1 for k in range(gy.ndim)])
    return _back(conjugate(np.fft.rfft(gy, n, axis, _other_way(norm))) * twice, z, axis)


def _other_way(norm: str | None) -> str:
    """The norm by which the inverse transform has the scale that this one has."""
    found = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}.get(norm)
    if found is None:
        raise ValueError(f"np.fft: expected norm 'backward', 'ortho' or 'forward', got {norm!r}")
    return found


@composition(np.fft.fft)
def fft(a: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return recorded(np.fft.fft, a, n=a.shape[axis] if n is None else n, axis=axis, norm=norm)


@composition(np.fft.ifft)
def ifft(a: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return recorded(np.fft.ifft, a, n=a.shape[axis] if n is None else n, axis=axis, norm=norm)


@composition(np.fft.rfft)
def rfft(a: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return recorded(np.fft.rfft, a, n=a.shape[axis] if n is None else n, axis=axis, norm=norm)


@composition(np.fft.irfft)
def irfft(a: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return recorded(np.fft.irfft, a, n=2 * (a.shape[axis] - 1) if n is None else n, axis=axis, norm=norm)


@composition(np.fft.hfft)
def hfft(a: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    n = 2 * (a.shape[axis] - 1) if n is None else n
    return irfft(np.conjugate(a), n, axis, _other_way(norm))


@composition(np.fft.ihfft)
def ihfft(a: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return conjugate(rfft(a, a.shape[axis] if n is None else n, axis, _other_way(norm)))


# ---------------------------------------------------------------------------------------------------------------------
# Along several axes: one after the other, from the last. Only the last of them is that of real numbers.


def _enter(func: Any, default: Any, first: Any, others: Any, last: Any) -> None:
    @composition(func)
    def along(a: Array, s: Any = None, axes: Any = default, norm: str | None = None) -> Array:
        axes = range(-(a.ndim if s is None else len(s)), 0) if axes is None else axes
        lengths = [-1] * len(axes) if s is None else s
        if len(lengths) != len(axes):
            raise ValueError(f"np.fft: expected as many lengths as axes, got {len(lengths)} and {len(axes)}")
        pairs = [(a.shape[i] if n == -1 else n, i) for n, i in zip(lengths, axes, strict=True)]
        if last and s is None:
            pairs[-1] = (2 * (pairs[-1][0] - 1), axes[-1])
        x, rest = first(a, *pairs[-1], norm) if first else a, pairs[:-1] if first or last else pairs
        for n, axis in rest if last else rest[::-1]:
            x = others(x, n, axis, norm)
        return last(x, *pairs[-1], norm) if last else x


for _name, _parts in {
    "fft": (None, fft, None),
    "ifft": (None, ifft, None),
    "rfft": (rfft, fft, None),
    "irfft": (None, ifft, irfft),
}.items():
    _enter(getattr(np.fft, f"{_name}n"), None, *_parts)
    _enter(getattr(np.fft, f"{_name}2"), (-2, -1), *_parts)
