"""Every function that can be differentiated, with arguments to check it on: one line each.

A case is a function of arrays, or of Variables, and the shapes of its inputs, drawn from an interval where it is
smooth. `table` names the entry of the table of derivatives that the case stands for.
"""

import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

import tinygrad_jp.functions as F
from tinygrad_jp import PULLBACKS
from tinygrad_jp.calculus import (
    decompositions,
    elements,
    fourier,
    linear_algebra,
    norms,
    orders,
    reductions,
    shapes,
    ufuncs,
)
from tinygrad_jp.calculus import special as special_rules
from tinygrad_jp.core import arrays, output
from tinygrad_jp.functions import activations, attention, basics, convolution, losses, normalization, recurrent, stable

Domain = tuple[float, float]
ANY: Domain = (-2.0, 2.0)
POSITIVE: Domain = (0.3, 3.0)
UNIT: Domain = (-0.9, 0.9)


@dataclass(frozen=True)
class Case:
    name: str
    f: Callable[..., Any]
    table: Any
    shapes: tuple[tuple[int, ...], ...]
    domains: tuple[Domain, ...]
    value: Callable[..., Any] | None = None  # an independent way to the value, where `f` is not NumPy's own

    def inputs(self, rng: np.random.Generator, dtype: Any = np.float64) -> list[np.ndarray]:
        """Inputs whose elements are all different, as kinks and ties must be met nowhere."""
        return [
            spread(rng, shape, domain).astype(dtype) for shape, domain in zip(self.shapes, self.domains, strict=True)
        ]


def spread(rng: np.random.Generator, shape: tuple[int, ...], domain: Domain = ANY) -> np.ndarray:
    """Elements that keep their distance from one another, in random order."""
    n = int(np.prod(shape))
    low, high = domain
    steps = (rng.permutation(n) + rng.uniform(0.25, 0.75, n)) / max(n, 1)
    return (low + (high - low) * steps).reshape(shape)


def unary(f: Any, domain: Domain = ANY) -> Case:
    return Case(f.__name__, f, f, ((2, 3),), (domain,))


def binary(f: Any, a: Domain = ANY, b: Domain = ANY) -> list[Case]:
    shapes = {"": ((2, 3), (2, 3)), " broadcasts right": ((2, 3), (3,)), " broadcasts both": ((2, 1), (1, 3))}
    shapes |= {" of numbers": ((), ()), " with a number": ((2, 3), ())}
    return [Case(f.__name__ + name, f, f, s, (a, b)) for name, s in shapes.items()]


def case(name: str, f: Any, table: Any, *shapes: Any, domain: Domain = ANY, value: Any = None) -> Case:
    return Case(name, f, table, shapes, (domain,) * len(shapes), value)


RULES = set(PULLBACKS)  # before any test enters its own
# SciPy's rules are entered when its functions are called.
SCIPY = {f for name in special_rules._scipy(special) if (f := getattr(special, name, None)) and special_rules.enter(f)}
SCIPY |= {special._ufuncs._zeta} if special_rules.enter(special._ufuncs._zeta) else set()


def standardized(x: np.ndarray, axis: Any, eps: float) -> np.ndarray:
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + eps)


def shares(x: np.ndarray) -> np.ndarray:
    """Each element's share of its row's sum; zeros where that is 0."""
    return x / np.maximum(x.sum(-1, keepdims=True), 1e-9)


def rnn_step(z: np.ndarray, U: np.ndarray, h: np.ndarray) -> Any:
    return (np.tanh(z + h @ U),)


def lstm_step(z: np.ndarray, U: np.ndarray, h: np.ndarray, c: np.ndarray) -> Any:
    i, f, u, o = np.split(z + h @ U, 4, axis=-1)
    c = special.expit(f) * c + special.expit(i) * np.tanh(u)
    return special.expit(o) * np.tanh(c), c


def gru_step(z: np.ndarray, U: np.ndarray, b: np.ndarray, h: np.ndarray) -> Any:
    (zr, zk, zn), (ur, uk, un) = np.split(z, 3, axis=-1), np.split(h @ U, 3, axis=-1)
    k = special.expit(zk + uk)
    return ((1 - k) * np.tanh(zn + special.expit(zr + ur) * (un + b)) + k * h,)


def steps(step: Callable[..., Any], z: np.ndarray, *state: np.ndarray) -> np.ndarray:
    """The states after each step, each kind (T, N, H) in turn."""
    states = itertools.accumulate(z, lambda state, z: step(z, *state), initial=state)
    return np.stack(list(states)[1:], axis=1)


LABELS = np.array([2, 0, 1, 1])
GAP = np.array([[False, True, False], [False, False, True]])
QS = np.array([0.11, 0.52, 0.93])
POINTS = np.array([-1.51, -0.62, 0.13, 0.74, 1.35])
HEIGHTS = np.array([0.3, -0.8, 0.5, 1.7, -0.2])
METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen"]
METHODS += ["weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"]
EYE = np.eye(3, dtype=np.float32)
APART = np.diag(np.float32([4, 9, 16, 25]))  # Added to a matrix, it keeps eigenvalues and singular values apart.
MASK = np.array([[True, False, True], [False, False, True]])
FFT, TURNED = np.fft, np.exp(1j * np.arange(5)).astype(np.complex64)
BINNED = np.array([0.0, 0.4, 0.5, 1.0, 2.0, 3.0])
SEEN = np.array([[True, False, True], [False, False, False]])

# fmt: off
CASES: list[Case] = [
    # Element by element
    *map(unary, [np.negative, np.positive, np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.sinh, np.cosh]),
    *map(unary, [np.tanh, np.arctan, np.arcsinh, np.absolute, np.fabs]),
    *(unary(f, POSITIVE) for f in [np.reciprocal, np.sqrt, np.cbrt, np.log, np.log2, np.log10, np.log1p]),
    *(unary(f, UNIT) for f in [np.tan, np.arcsin, np.arccos, np.arctanh]),
    unary(np.arccosh, (1.3, 3.0)),
    case("remainder", np.remainder, np.remainder, (2, 3), (3,), domain=POSITIVE),
    case("remainder of a number", lambda x: 7.5 % x, np.remainder, (2, 3), domain=(0.8, 0.99)),
    case("fmod", np.fmod, np.fmod, (2, 3), (3,), domain=POSITIVE),
    case("fmod of negative numbers", lambda x: np.fmod(-x, 0.7), np.fmod, (2, 3), domain=POSITIVE),
    case("divmod", lambda a, b: np.divmod(a, b)[1], np.remainder, (2, 3), (3,), domain=POSITIVE),
    case("divmod of a number", lambda x: divmod(7.5, x)[1], np.remainder, (2, 3), domain=(0.8, 0.99)),
    case("modf", lambda x: np.modf(3 * x)[0], elements._fraction, (2, 3)),
    case("frexp", lambda x: np.frexp(x)[0], elements._mantissa, (2, 3)),
    case("ldexp", lambda x: np.ldexp(x, [1, 0, -3]), np.ldexp, (2, 3)),
    *map(unary, [np.deg2rad, np.rad2deg, np.radians, np.degrees, np.conjugate, np.real, np.real_if_close]),
    *map(unary, [np.unwrap, np.nan_to_num, np.sinc, np.i0]),
    case("unwrap settings", lambda x: np.unwrap(5 * x, discont=2, axis=0, period=3), np.unwrap, (3, 4)),
    case("nan_to_num settings", lambda x: np.nan_to_num(np.where(GAP, np.inf, x), posinf=3.0), np.nan_to_num, (2, 3)),
    case("sinc at 0", lambda x: np.sinc(x * np.float32([0, 1e-4, 1])), np.sinc, (2, 3)),
    case("i0 at 0 and beyond", lambda x: np.i0(x * np.float32([0, 1e-4, 5])), np.i0, (2, 3)),
    case("a derivative of i0", lambda x: special_rules._i0_derivative(x, 1), special_rules.i0_derivative, (2, 3),
         value=special.i1),
    case("copysign", lambda x: np.copysign(x, np.float32([1, -1, 1])), np.copysign, (2, 3)),
    case("heaviside", lambda h: np.heaviside(np.float32([0, 1, -1]), h), np.heaviside, (2, 3)),
    case("nextafter", lambda x: np.nextafter(x, np.float32(9)), np.nextafter, (2, 3)),
    *(c for f in [np.fmax, np.fmin, np.logaddexp2] for c in binary(f)),
    case("fmax with NaN", lambda x: np.fmax(np.where(GAP, np.nan, x), 0.7), np.fmax, (2, 3)),
    *binary(np.float_power, POSITIVE, ANY),
    *(c for f in [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.logaddexp] for c in binary(f)),
    *binary(np.divide, ANY, POSITIVE),
    *binary(np.power, POSITIVE, ANY),
    *binary(np.arctan2, ANY, POSITIVE),
    *binary(np.hypot, POSITIVE, POSITIVE),
    case("x ** 3", lambda x: x**3, np.power, (2, 3)),
    case("x ** 2 at 0", lambda x: (x - x) ** 2 + x, np.power, (2, 3)),
    case("x ** 0", lambda x: x**0 * x, np.power, (2, 3)),
    case("2 ** x", lambda x: 2**x, np.power, (2, 3)),
    case("x ** whole numbers", lambda x: x ** np.array([0, 1, 3]), np.power, (2, 3)),
    case("where", lambda a, b: np.where(MASK, a, b), np.where, (2, 3), (2, 3)),
    case("where broadcasts", lambda a, b: np.where(MASK, a, b), np.where, (3,), ()),
    case("clip", lambda x: np.clip(x, -1.0, 1.0), np.clip, (2, 5)),
    case("clip from below", lambda x: np.clip(x, -1.0, None), np.clip, (2, 5)),
    case("clip between Variables", lambda x, a, b: np.clip(x, a - 1, b + 1), np.clip, (2, 5), (5,), (2, 1),
         domain=UNIT),
    case("clip by arrays", lambda x: np.clip(x, [-1, -0.5, 0], np.float32([1, 0.5, 9])), np.clip, (2, 3)),
    case("clip by keywords", lambda x, a: np.clip(x, min=-0.5, max=a), np.clip, (2, 3), (3,)),
    case("clip of a constant", lambda a: np.clip(np.float32([-1, 0, 1]), a, 9), np.clip, (2, 3)),
    case("select", lambda x, z: np.select([MASK, ~GAP], [x**2, z], 0.5), np.where, (2, 3), (3,)),
    case("choose", lambda x, z: np.choose([0, 2, 1], [x, z, 0.5]), np.take_along_axis, (2, 3), (3,)),
    case("choose wrapping around", lambda x: np.choose([0, 5, -1], x, mode="wrap"), np.take_along_axis, (2, 3)),
    case("choose clipping", lambda x: np.choose([0, 5, -1], x, mode="clip"), np.take_along_axis, (2, 3)),
    case("piecewise", lambda x: np.piecewise(x, [MASK], [np.square, lambda x: x + 1]), operator.getitem, (2, 3)),
    case("piecewise, with arguments", lambda x: np.piecewise(x, [MASK, GAP], [lambda x, k, b: k * x**b, 2.0], 3, b=2),
         operator.getitem, (2, 3)),
    case("interp", lambda x: np.interp(x, POINTS, HEIGHTS), np.interp, (2, 3)),
    case("interp by the points", lambda p, h: np.interp([0.3, -0.9, 0.1, 9.0], POINTS + p / 9, h), np.interp,
         (5,), (5,)),
    case("interp, to its ends", lambda x, h, a: np.interp(x, POINTS / 2, h * a, left=a, right=7.0), np.interp,
         (2, 3), (5,), ()),
    case("interp, periodic", lambda x, p, h: np.interp(4 * x, POINTS[::-1] + p / 9, h, period=3.5), np.interp,
         (2, 3), (5,), (5,)),
    case("astype by NumPy", lambda x: np.astype(x, np.float64), arrays.astype, (2, 3)),
    case("astype", lambda x: x.astype(np.float64), arrays.astype, (2, 3)),
    # Sums and extremes
    *(
        case(f"{f.__name__} {settings}", lambda x, f=f, s=settings: f(x, **s), f, (2, 3, 2))
        for f in [np.sum, np.mean, np.max, np.min, np.amax, np.amin, np.var, np.std]
        for settings in [{}, {"axis": 1}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"keepdims": True}]
    ),
    *(
        case(f"prod {settings}", lambda x, s=settings: np.prod(x, **s), operator.getitem, (2, 3, 1))
        for settings in [{}, {"axis": 1}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"keepdims": True}]
    ),
    case("prod with zeros", lambda x: np.prod(x * np.array([1, 0, 1, 1, 0], x.dtype)), operator.getitem, (5,)),
    *(
        case(f"{f.__name__} {settings}", lambda x, f=f, s=settings: f(x, **s), f, (2, 3, 2))
        for f in [np.sum, np.mean, np.var, np.std, np.max, np.min]
        for settings in [{"where": MASK[:, :, None]}, {"where": MASK[..., None], "axis": 1, "keepdims": True},
                         {"where": ~GAP[0][:, None], "axis": (0, 1)}]
        for settings in [settings | {np.max: {"initial": -9.0}, np.min: {"initial": 9.0}}.get(f, {})]
    ),
    *(
        case(f"{f.__name__} initial", lambda x, f=f: f(x, axis=1, initial=0.7), f, (2, 3))
        for f in [np.sum, np.max, np.min]
    ),
    case("prod where and initial", lambda x: np.prod(x, axis=1, initial=2.0, where=MASK), operator.getitem, (2, 3)),
    case("prod initial", lambda x, a: np.prod(x * a, axis=1, initial=a), operator.getitem, (2, 3), ()),
    case("var correction", lambda x: np.var(x, axis=0, correction=1), np.var, (4, 2)),
    case("std correction", lambda x: np.std(x, axis=0, correction=0.5), np.std, (4, 2)),
    case("var about a mean", lambda x: np.var(x, 1, mean=np.mean(x, 1, keepdims=True), ddof=1), np.square, (2, 3)),
    case("std about a mean", lambda x, m: np.std(x, 1, mean=m, where=MASK), reductions._deviation, (2, 3), (2, 1)),
    *(
        case(f"{f.__name__} {settings}", lambda x, f=f, s=settings: f(np.where(GAP, np.nan, x), **s), f, (2, 3))
        for f in [np.nansum, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin]
        for settings in [{}, {"axis": 1}, {"axis": 0, "keepdims": True}]
    ),
    *(
        case(f"{f.__name__} where", lambda x, f=f: f(np.where(GAP, np.nan, x), axis=1, where=[True, True, False]),
             f, (2, 3))
        for f in [np.nansum, np.nanmean, np.nanvar, np.nanstd]
    ),
    case("nanvar ddof", lambda x: np.nanvar(np.where(GAP, np.nan, x), axis=1, ddof=1), np.nanvar, (2, 3)),
    case("nanstd correction", lambda x: np.nanstd(np.where(GAP, np.nan, x), axis=1, correction=1), np.nanstd, (2, 3)),
    case("nanprod", lambda x: np.nanprod(np.where(GAP, np.nan, x), axis=1, initial=2.0), operator.getitem, (2, 3)),
    *(
        case(f"{f.__name__}{s}", lambda x, f=f, s=s: f(np.where(GAP, np.nan, x), **s), f, (2, 3))
        for f in [np.nancumsum, np.nancumprod, np.nanmedian] for s in [{}, {"axis": 0}, {"axis": -1}]
    ),
    case("ptp", lambda x: np.ptp(x, axis=1, keepdims=True), np.max, (2, 3)),
    case("cumprod", np.cumprod, np.cumprod, (2, 3)),
    case("cumprod axis", lambda x: np.cumprod(x, axis=-2), np.cumprod, (2, 3)),
    case("cumprod with zeros", lambda x: np.cumprod(x * np.array([1, 0, 1, 0, 1], x.dtype)), np.cumprod, (5,)),
    case("a recurrence", reductions._recurrence, reductions.recurrence, (4, 2), (4, 2),
         value=lambda a, b: np.stack([*itertools.accumulate(zip(a, b, strict=True), lambda y, ab: ab[0] * y + ab[1],
                                                            initial=np.zeros(2))][1:])),
    case("cumulative_sum", lambda x: np.cumulative_sum(x, axis=1, include_initial=True), np.cumsum, (2, 3)),
    case("cumulative_prod", lambda x: np.cumulative_prod(x, axis=0, include_initial=True), np.cumprod, (2, 3)),
    case("cumulative_prod of a vector", np.cumulative_prod, np.cumprod, (3,)),
    # The methods of ufuncs
    *(
        case(f"{f.__name__}.reduce {s}", lambda x, f=f, s=s: f.reduce(x, **s), table, (3, 2))
        for f, table in [(np.add, np.sum), (np.multiply, operator.getitem), (np.maximum, np.max), (np.minimum, np.min),
                         (np.fmax, np.nanmax), (np.fmin, np.nanmin), (np.logaddexp, ufuncs._log_sum)]
        for s in [{}, {"axis": 1, "keepdims": True}]
    ),
    case("add.reduce where", lambda x: np.add.reduce(x, axis=None, initial=2, where=MASK), np.sum, (2, 3)),
    *(
        case(f"{f.__name__}.accumulate {s}", lambda x, f=f, s=s: f.accumulate(x, **s), table, (3, 2))
        for f, table in [(np.add, np.cumsum), (np.multiply, np.cumprod), (np.maximum, orders.running_max.primitive),
                         (np.minimum, orders.running_min.primitive)]
        for s in [{}, {"axis": -1}]
    ),
    *(
        case(f"{f.__name__}.outer", lambda a, b, f=f: f.outer(a, b), f, (2, 3), (2,), domain=POSITIVE)
        for f in [np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.hypot]
    ),
    case("var ddof", lambda x: np.var(x, axis=0, ddof=1), np.var, (4, 2)),
    case("std ddof", lambda x: np.std(x, axis=-1, ddof=1, keepdims=True), np.std, (2, 4)),
    case("cumsum", np.cumsum, np.cumsum, (2, 3)),
    case("cumsum axis", lambda x: np.cumsum(x, axis=1), np.cumsum, (2, 3)),
    case("average", np.average, np.mean, (2, 3)),
    case("average weights", lambda x, w: np.average(x, weights=w), np.multiply, (2, 3), (2, 3), domain=POSITIVE),
    case("average weights of an axis", lambda x, w: np.average(x, axis=1, weights=w), np.multiply, (2, 3), (3,),
         domain=POSITIVE),
    case("average weights of the last axis", lambda x, w: np.average(x, axis=-1, weights=w), np.multiply, (2, 3), (3,),
         domain=POSITIVE),
    case("sort", np.sort, np.sort, (3, 4)),
    case("sort axis", lambda x: np.sort(x, axis=0), np.sort, (3, 4)),
    case("sort all", lambda x: np.sort(x, axis=None), np.sort, (3, 4)),
    case("sort stable", lambda x: np.sort(x, axis=0, stable=True), np.sort, (3, 4)),
    *(
        case(f"partition {kth} {s}", lambda x, k=kth, s=s: np.partition(x, k, **s), np.partition, (4, 4))
        for kth in [2, -1, [0, 3]] for s in [{}, {"axis": 0}, {"axis": None}]
    ),
    *(
        case(f"median {shape} {s}", lambda x, s=s: np.median(x, **s), np.median, shape)
        for shape in [(5,), (4, 3)]
        for s in [{}, {"axis": 0}, {"axis": -1, "keepdims": True}]
    ),
    case("median of several axes", lambda x: np.median(x, axis=(2, 0), keepdims=True), np.median, (2, 2, 3)),
    *(
        case(f"quantile {m}", lambda x, m=m: np.quantile(x, QS.astype(x.dtype), axis=-1, method=m), np.quantile, (2, 6))
        for m in METHODS
    ),
    *(
        case(f"quantile q {m}", lambda x, q, m=m: np.quantile(x, q, axis=(0, 2), method=m), np.quantile,
             (2, 2, 3), (2,), domain=(0.03, 0.97))
        for m in ["linear", "weibull", "hazen"]
    ),
    case("quantile keepdims", lambda x: np.quantile(x, 0.3, axis=0, keepdims=True), np.quantile, (4, 2)),
    case("percentile", lambda x: np.percentile(x, 37), np.percentile, (4, 2)),
    case("percentile q", lambda x, q: np.percentile(x, 60 + 9 * q, axis=0), np.percentile, (4, 2), (2,)),
    case("nanquantile", lambda x: np.nanquantile(np.where(GAP, np.nan, x), 0.3, axis=0), np.nanquantile, (2, 3)),
    case("nanquantile q", lambda x, q: np.nanquantile(np.where(GAP, np.nan, x), 0.5 + q / 9, axis=1), np.nanquantile,
         (2, 3), (2,)),
    case("nanpercentile", lambda x: np.nanpercentile(np.where(GAP, np.nan, x), 37), np.nanpercentile, (2, 3)),
    case("rank", lambda q: orders._rank(q, np.array([4, 7, 9]), "hazen"), orders.rank, (3,), domain=(0.2, 0.8),
         value=lambda q: np.clip(q * [4, 7, 9] - 0.5, 0, None)),
    case("sort kind", lambda x: np.sort(x, kind="heapsort"), np.sort, (3, 4)),
    # Products
    *(
        case(f"matmul {a} {b}", np.matmul, np.matmul, a, b)
        for a, b in [((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((5, 2, 3), (3, 4))]
        + [((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (2, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,))]
    ),
    case("dot", np.dot, np.dot, (2, 3), (3, 4)),
    case("dot of a number", np.dot, np.dot, (), (3, 4)),
    case("dot of many axes", np.dot, np.dot, (2, 3), (4, 3, 2)),
    case("vdot", np.vdot, np.vdot, (2, 3), (3, 2)),
    case("inner", np.inner, np.inner, (2, 3), (4, 3)),
    case("inner of vectors", np.inner, np.inner, (3,), (3,)),
    case("inner with a number", np.inner, np.inner, (), (2, 3)),
    case("outer", np.outer, np.outer, (2, 2), (3,)),
    *(
        case(f"tensordot {axes}", lambda a, b, s=axes: np.tensordot(a, b, axes=s), np.tensordot, a, b)
        for a, b, axes in [((2, 3, 4), (3, 4, 5), 2), ((2, 3), (4,), 0), ((2, 3, 4), (4, 5, 2), ([0, 2], [2, 0]))]
        + [((2, 3), (5, 3), (-1, 1))]
    ),
    *(
        case(f"einsum {s}", lambda *xs, s=s: np.einsum(s, *xs), linear_algebra._einsum, *shapes)
        for s, *shapes in [
            ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
            ("ba", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("iij->j", (2, 2, 3)), ("iii->i", (2, 2, 2)),
            ("i,i", (3,), (3,)), ("i,j->ij", (2,), (3,)), ("ij,kl->i", (2, 3), (2, 2)), ("i,i,i->i", (3,), (3,), (3,)),
            ("...ij,...jk->...ik", (2, 2, 3), (3, 2)), ("...ij,...jk", (4, 2, 3), (1, 3, 2)), ("...", (2, 3)),
            ("i...->...", (2, 3, 2)), ("...i,...i->...", (2, 3), (3,)), (" i j , j ", (2, 3), (3,)),
            ("ij,jk->ik", (2, 1), (3, 4)), (",i->i", (), (3,)),
        ]
    ),
    case("einsum with lists", lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [0, 2]), linear_algebra._einsum,
         (2, 3), (3, 2)),
    case("einsum with lists, implicit", lambda a, b: np.einsum(a, [..., 1], b, [1]), linear_algebra._einsum,
         (2, 3), (3,)),
    case("einsum of one Variable twice", lambda a: np.einsum("ij,kj->ik", a, a), linear_algebra._einsum, (2, 3)),
    case("trace", np.trace, np.diagonal, (3, 4)),
    case("trace of many", lambda x: np.trace(x, 1, 0, -1), np.diagonal, (3, 2, 4)),
    case("diagonal", np.diagonal, np.diagonal, (3, 4)),
    case("diagonal below", lambda x: np.diagonal(x, offset=-1, axis1=-1, axis2=0), np.diagonal, (3, 2, 4)),
    case("trace of a dtype", lambda x: np.trace(x, dtype=x.dtype), np.diagonal, (3, 4)),
    *(
        case(f"{name} of the array API", getattr(np.linalg, name), table, *shapes)
        for name, table, *shapes in [
            ("matmul", np.matmul, (2, 2, 3), (3, 2)), ("outer", np.outer, (2,), (3,)), ("trace", np.diagonal, (3, 4)),
            ("diagonal", np.diagonal, (2, 3, 4)), ("cross", np.cross, (2, 3), (3,)), ("vecdot", np.vecdot, (3,), (3,)),
            ("matrix_transpose", np.swapaxes, (2, 3, 4)), ("tensordot", np.tensordot, (2, 3, 4), (3, 4)),
        ]
    ),
    *(case(f"kron {a} {b}", np.kron, np.multiply, a, b)
      for a, b in [((2,), (3,)), ((2, 3), (3, 2)), ((2,), (2, 3)), ((2, 1, 2), (2,)), ((), (2, 2))]),
    *(case(f"cross {a} {b}", np.cross, np.cross, a, b) for a, b in [((3,), (3,)), ((2, 3), (3,)), ((3,), (4, 2, 3))]),
    case("cross of columns", lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), np.cross, (3, 2), (2, 3)),
    case("cross along an axis", lambda a, b: np.cross(a, b, axis=1), np.cross, (2, 3, 2), (2, 3, 1)),
    *(case(f"vecdot {a} {b}", np.vecdot, np.vecdot, a, b)
      for a, b in [((3,), (3,)), ((2, 3), (3,)), ((1, 3), (2, 2, 3))]),
    case("vecdot along an axis", lambda a, b: np.vecdot(a, b, axis=0), np.vecdot, (3, 2), (3, 2)),
    case("vecdot kept", lambda a, b: np.vecdot(a, b, axis=-2, keepdims=True), np.vecdot, (3, 2), (4, 3, 1)),
    *(
        case(f"{name} {a} {b}", getattr(np, name), getattr(np, name), a, b)
        for name, a, b in [("matvec", (2, 3), (3,)), ("matvec", (2, 3), (4, 3)), ("matvec", (4, 2, 3), (3,)),
                           ("vecmat", (3,), (3, 2)), ("vecmat", (4, 3), (3, 2)), ("vecmat", (3,), (4, 3, 2))]
        if hasattr(np, name)
    ),
    case("block", lambda a, b, c: np.block([[a, b], [b.T, c]]), shapes._concatenate, (2, 2), (2, 3), (3, 3)),
    case("block of mixed axes", lambda a, b: np.block([a, b, a]), shapes._concatenate, (1, 2), ()),
    case("inv", lambda x: np.linalg.inv(x + 9 * EYE), np.linalg.inv, (2, 3, 3)),
    case("solve", lambda a, b: np.linalg.solve(a + 9 * EYE, b), np.linalg.solve, (3, 3), (3, 2)),
    case("solve for a vector", lambda a, b: np.linalg.solve(a + 9 * EYE, b), np.linalg.solve, (3, 3), (3,)),
    case("solve many", lambda a, b: np.linalg.solve(a + 9 * EYE, b), np.linalg.solve, (2, 3, 3), (2, 3, 2)),
    case("solve many for one", lambda a, b: np.linalg.solve(a + 9 * EYE, b), np.linalg.solve, (2, 3, 3), (3, 2)),
    case("solve one for many", lambda a, b: np.linalg.solve(a + 9 * EYE, b), np.linalg.solve, (3, 3), (2, 3, 1)),
    case("solve many for a vector", lambda a, b: np.linalg.solve(a + 9 * EYE, b), np.linalg.solve, (2, 3, 3), (3,)),
    case("det", lambda x: np.linalg.det(x + 2 * EYE), np.linalg.det, (2, 3, 3)),
    case("slogdet", lambda x: np.linalg.slogdet(x - 9 * EYE).logabsdet, linear_algebra._logabsdet, (2, 3, 3)),
    case("cofactors", lambda x: linear_algebra.cofactors(x - 9 * EYE), linear_algebra.cofactors.primitive, (3, 3),
         value=lambda x: np.linalg.det(x - 9 * EYE) * np.linalg.inv(x - 9 * EYE).T),
    *(
        case(f"norm {s}", lambda x, s=s: np.linalg.norm(x, **s), norms._vector_norm, shape)
        for shape, s in [
            ((3,), {}), ((2, 3), {}), ((2, 3), {"axis": 1}), ((2, 3), {"keepdims": True}), ((2, 3), {"ord": "fro"}),
            ((2, 3), {"ord": 1}), ((2, 3), {"ord": np.inf, "keepdims": True}), ((2, 3, 2), {"ord": 1, "axis": (2, 0)}),
            ((4,), {"ord": 1}), ((4,), {"ord": 3}), ((4,), {"ord": np.inf}), ((4,), {"ord": -np.inf}),
            ((2, 3), {"ord": 2, "axis": -1}), ((2, 3), {"ord": -1}), ((2, 3), {"ord": -np.inf}),
            ((4,), {"ord": -2}), ((2, 3), {"ord": 0.5, "axis": 0}), ((2, 3), {"axis": (-1, 0)}),
        ]
    ),
    *(
        case(f"norm of matrices {s}", lambda x, s=s: np.linalg.norm(x + 3 * APART[:3], **s), np.linalg.svdvals, (3, 4))
        for s in [{"ord": 2}, {"ord": -2, "keepdims": True}, {"ord": "nuc"}, {"ord": 2, "axis": (1, 0)}]
    ),
    case("vector_norm", lambda x: np.linalg.vector_norm(x, axis=(0, 2), ord=3), norms._vector_norm, (2, 3, 2)),
    case("matrix_norm", lambda x: np.linalg.matrix_norm(x, ord=1, keepdims=True), np.max, (2, 3, 4)),
    case("cond", lambda x: np.linalg.cond(x + 3 * APART[:3]), np.linalg.svdvals, (3, 4)),
    case("cond 1", lambda x: np.linalg.cond(x + 9 * EYE, 1), np.linalg.inv, (2, 3, 3)),
    # Decompositions
    case("cholesky", lambda x: np.linalg.cholesky(x + 2 * APART), np.linalg.cholesky, (4, 4)),
    case("cholesky of many", lambda x: np.linalg.cholesky(x + 9 * EYE, upper=True), np.linalg.cholesky, (2, 3, 3)),
    *(
        case(f"eigh {i} {UPLO}", lambda x, i=i, u=UPLO: np.linalg.eigh(x + 3 * APART, u)[i], decompositions._eigh,
             (2, 4, 4))
        for i in (0, 1) for UPLO in "LU"
    ),
    case("eigvalsh", lambda x: np.linalg.eigvalsh(x + 3 * APART, UPLO="U"), np.linalg.eigvalsh, (4, 4)),
    case("eig", lambda x: np.linalg.eig(x / 2 + 6 * APART)[0], decompositions._eig, (2, 4, 4)),
    case("eig's vectors", lambda x: np.linalg.eig(x / 2 + 6 * APART)[1] ** 2, decompositions._eig, (4, 4)),
    case("eigvals", lambda x: np.linalg.eigvals(x + 6 * APART), decompositions._eig, (4, 4)),
    *(
        case(f"svd {i} {a.shape}", lambda x, i=i, a=a: np.linalg.svd(x + 3 * a, full_matrices=False)[i],
             decompositions._svd, (2, *a.shape))
        for i in (0, 1, 2) for a in (APART, APART[:3], APART[:, :3])
    ),
    case("svd in full", lambda x: np.linalg.svd(x + 3 * APART[:, :3])[0] ** 2, decompositions._svd, (4, 3)),
    case("svd hermitian", lambda x: np.linalg.svd(x - 3 * APART, hermitian=True)[2], decompositions._eigh, (4, 4)),
    case("svd's values", lambda x: np.linalg.svd(x + 3 * APART, compute_uv=False), np.linalg.svdvals, (4, 4)),
    case("svdvals", lambda x: np.linalg.svdvals(x + 3 * APART[:3]), np.linalg.svdvals, (2, 3, 4)),
    *(
        case(f"qr {mode} {i} {a.shape}", lambda x, i=i, a=a, m=mode: np.linalg.qr(x + 2 * a, m)[i], decompositions._qr,
             (2, *a.shape))
        for i in (0, 1) for mode in ("reduced", "complete") for a in (APART, APART[:3], APART[:, :3])
    ),
    case("qr r", lambda x: np.linalg.qr(x + 2 * APART, mode="r"), decompositions._qr, (4, 4)),
    case("pinv", lambda x: np.linalg.pinv(x + 2 * APART[:3]), np.linalg.pinv, (2, 3, 4)),
    case("pinv hermitian", lambda x: np.linalg.pinv(x + 2 * APART, hermitian=True), np.linalg.pinv, (4, 4)),
    case("pinv of low rank", lambda x, z: np.linalg.pinv((x + APART[:3]).T @ (z + APART[:3]), rcond=1e-5),
         np.linalg.pinv, (3, 4), (3, 4)),
    *(
        case(f"lstsq {i}", lambda a, b, i=i: np.linalg.lstsq(a + 2 * APART[:, :3], b)[i], np.linalg.pinv,
             (4, 3), (4, 3))
        for i in (0, 1)
    ),
    case("lstsq 3", lambda a: np.linalg.lstsq(a + 2 * APART[:, :2], APART)[3], np.linalg.svdvals, (4, 2)),
    case("lstsq of a wide matrix", lambda a, b: np.linalg.lstsq(a + 2 * APART[:2], b)[0], np.linalg.pinv, (2, 4), (2,)),
    *(
        case(f"matrix_power {n}", lambda x, n=n: np.linalg.matrix_power(x / 2 + 2 * EYE, n), np.matmul, (2, 3, 3))
        for n in (-3, -1, 0, 1, 2, 5)
    ),
    case("multi_dot", lambda *xs: np.linalg.multi_dot(xs), np.matmul, (3,), (3, 4), (4, 1), (1, 5)),
    case("multi_dot of two", lambda *xs: np.linalg.multi_dot(xs), np.dot, (2, 3), (3,)),
    case("tensorsolve", lambda a, b: np.linalg.tensorsolve(a + 9 * np.eye(6, dtype=np.float32).reshape(2, 3, 6), b),
         np.linalg.solve, (2, 3, 6), (2, 3)),
    case("tensorinv", lambda x: np.linalg.tensorinv(x + 9 * np.eye(4, dtype=np.float32).reshape(4, 2, 2), ind=1),
         np.linalg.inv, (4, 2, 2)),
    # Shapes
    case("reshape", lambda x: np.reshape(x, (3, -1)), np.reshape, (2, 3)),
    case("ravel", np.ravel, np.ravel, (2, 3)),
    case("ravel by columns", lambda x: np.ravel(x, order="F"), np.ravel, (2, 3)),
    case("reshape by columns", lambda x: np.reshape(x, (3, 2), order="F"), np.reshape, (2, 3)),
    case("transpose", np.transpose, np.transpose, (2, 3, 4)),
    case("transpose axes", lambda x: np.transpose(x, (1, -1, 0)), np.transpose, (2, 3, 4)),
    case("swapaxes", lambda x: np.swapaxes(x, 0, -1), np.swapaxes, (2, 3, 4)),
    case("moveaxis", lambda x: np.moveaxis(x, 0, -1), np.moveaxis, (2, 3, 4)),
    case("moveaxis several", lambda x: np.moveaxis(x, (0, 1), (2, 0)), np.moveaxis, (2, 3, 4)),
    case("expand_dims", lambda x: np.expand_dims(x, 1), np.expand_dims, (2, 3)),
    case("squeeze", lambda x: np.squeeze(x, axis=1), np.squeeze, (2, 1, 3)),
    case("broadcast_to", lambda x: np.broadcast_to(x, (4, 2, 3)), np.broadcast_to, (2, 1)),
    case("concatenate", lambda *xs: np.concatenate(xs, axis=1), shapes._concatenate, (2, 3), (2, 1), (2, 2)),
    case("concatenate with a constant", lambda x: np.concatenate([x, MASK]), shapes._concatenate, (2, 3)),
    case("concatenate all", lambda *xs: np.concatenate(xs, axis=None), shapes._concatenate, (2, 3), (2,)),
    case("stack", lambda *xs: np.stack(xs), shapes._stack, (2, 3), (2, 3)),
    case("stack last", lambda *xs: np.stack(xs, axis=-1), shapes._stack, (2, 3), (2, 3)),
    case("vstack", lambda *xs: np.vstack(xs), shapes._concatenate, (3,), (2, 3)),
    case("hstack", lambda *xs: np.hstack(xs), shapes._concatenate, (2, 1), (2, 3)),
    case("hstack of vectors", lambda *xs: np.hstack(xs), shapes._concatenate, (), (3,)),
    case("tile", lambda x: np.tile(x, 3), np.tile, (2, 2)),
    case("tile more", lambda x: np.tile(x, (2, 1, 3)), np.tile, (2, 2)),
    case("tile fewer", lambda x: np.tile(x, (2,)), np.tile, (2, 1, 2)),
    case("repeat", lambda x: np.repeat(x, 2), np.repeat, (2, 3)),
    case("repeat unevenly", lambda x: np.repeat(x, [1, 0, 3], axis=1), np.repeat, (2, 3)),
    case("pad", lambda x: np.pad(x, ((1, 0), (2, 3))), np.pad, (2, 3)),
    case("pad alike", lambda x: np.pad(x, 1, constant_values=7.0), np.pad, (2, 3)),
    *(
        case(f"pad {mode}", lambda x, m=mode: np.pad(x, ((1, 0), (2, 4)), mode=m), np.pad, (3, 3))
        for mode in ("edge", "reflect", "symmetric", "wrap")
    ),
    case("full_like", lambda x: np.full_like(x, x.sum()), np.broadcast_to, (3,)),
    case("full", lambda x: np.full((2, 3), x, like=x), np.broadcast_to, (3,), value=lambda x: np.full((2, 3), x)),
    case("asarray of nested lists", lambda x: np.asarray([[x[0], 1.0], [x[1], x[0]]], like=x), shapes._stack, (2,),
         value=lambda x: np.array([[x[0], 1.0], [x[1], x[0]]])),
    case("copy", np.copy, np.copy, (2, 3)),
    *(
        case(f"pad {settings}", lambda x, s=settings: np.pad(x, ((1, 2), (2, 4)), **s), np.pad, (3, 2))
        for settings in [{"mode": "linear_ramp"}, {"mode": "linear_ramp", "end_values": ((1, 2), (3, 4))},
                         {"mode": "mean"}, {"mode": "mean", "stat_length": ((1, 2), (2, 1))},
                         {"mode": "reflect", "reflect_type": "odd"}, {"mode": "symmetric", "reflect_type": "odd"}]
    ),
    *(
        case(f"{f.__name__} of {shape}", f, np.reshape, shape)
        for n, f in enumerate([np.atleast_1d, np.atleast_2d, np.atleast_3d], 1) for shape in [(), (3,), (2, 3)][:n]
    ),
    case("column_stack", lambda *xs: np.column_stack(xs), shapes._concatenate, (2,), (2, 3)),
    case("dstack", lambda *xs: np.dstack(xs), shapes._concatenate, (3,), (1, 3), (1, 3, 2)),
    case("stack of nested lists", lambda x: np.stack([np.tile(x, 2), [x * x, 1.0]]), shapes._stack, ()),
    case("append", np.append, shapes._concatenate, (2, 3), (2,)),
    case("append along", lambda a, b: np.append(a, b, axis=1), shapes._concatenate, (2, 3), (2, 1)),
    case("array_split", lambda x: np.array_split(x, 3, axis=-1)[0], operator.getitem, (2, 4)),
    case("hsplit", lambda x: np.hsplit(x, [1])[1], operator.getitem, (2, 4)),
    case("vsplit", lambda x: np.vsplit(x, 2)[1], operator.getitem, (2, 4)),
    case("dsplit", lambda x: np.dsplit(x, 2)[1], operator.getitem, (2, 1, 4)),
    case("unstack", lambda x: np.unstack(x, axis=1)[2], np.moveaxis, (2, 3)),
    case("flipud", np.flipud, np.flip, (2, 3)),
    case("fliplr", np.fliplr, np.flip, (2, 3)),
    case("rot90", np.rot90, np.rot90, (2, 3)),
    case("rot90 more", lambda x: np.rot90(x, 3, (2, 0)), np.rot90, (2, 3, 4)),
    case("rollaxis", lambda x: np.rollaxis(x, 2), np.rollaxis, (2, 3, 4)),
    case("rollaxis behind", lambda x: np.rollaxis(x, -3, 2), np.rollaxis, (2, 3, 4)),
    case("diag of a vector", lambda x: np.diag(x, -1), np.diag, (3,)),
    case("diag of a matrix", lambda x: np.diag(x, 1), np.diag, (3, 4)),
    case("diagflat", lambda x: np.diagflat(x, 1), np.diagflat, (2, 2)),
    case("tril of a vector", np.tril, np.tril, (3,)),
    case("triu of a vector", np.triu, np.triu, (3,)),
    case("compress", lambda x: np.compress([True, False, True], x), np.compress, (2, 3)),
    case("compress along", lambda x: np.compress([False, True], x, axis=1), np.compress, (2, 3)),
    case("extract", lambda x: np.extract(MASK, x), np.extract, (2, 3)),
    case("delete", lambda x: np.delete(x, [1, -1]), np.delete, (2, 3)),
    case("delete along", lambda x: np.delete(x, slice(None, None, 2), axis=1), np.delete, (2, 3)),
    case("delete by mask", lambda x: np.delete(x, MASK[0], 1), np.delete, (2, 3)),
    case("insert", lambda x, v: np.insert(x, [1, 1, 4], v), np.insert, (2, 3), (3,)),
    case("insert a number", lambda x, v: np.insert(x, 1, v, axis=1), np.insert, (2, 3), ()),
    case("insert a row", lambda x, v: np.insert(x, -1, v, axis=0), np.insert, (2, 3), (3,)),
    case("insert columns", lambda x, v: np.insert(x, slice(0, 3, 2), v, axis=1), np.insert, (2, 3), (2, 2)),
    case("resize", lambda x: np.resize(x, (3, 5)), np.resize, (2, 3)),
    case("resize to fewer", lambda x: np.resize(x, 2), np.resize, (2, 3)),
    case("meshgrid", lambda a, b: np.stack(np.meshgrid(a, b)), np.broadcast_to, (3,), (2,)),
    case("meshgrid ij", lambda a, b: np.stack(np.meshgrid(a, b, MASK[0], indexing="ij")), np.broadcast_to, (3,), (2,)),
    case("meshgrid sparse", lambda a, b: np.subtract(*np.meshgrid(a, b, sparse=True)), np.reshape, (3,), (2,)),
    case("broadcast_arrays", lambda a, b: np.stack(np.broadcast_arrays(a, b)), np.broadcast_to, (2, 1), (3,)),
    case("linspace", lambda a, b: np.linspace(a, b, 5), np.linspace, (), ()),
    case("linspace without its end", lambda a, b: np.linspace(a, b, 4, False, axis=1), np.linspace, (2, 1), (3,)),
    case("linspace of one", lambda a, b: np.linspace(a, b, 1), np.linspace, (), ()),
    case("linspace's step", lambda a, b: np.linspace(a, b, 5, retstep=True)[1], np.divide, (2,), (2,)),
    case("logspace", lambda a, b: np.logspace(a, b, 4), np.power, (), (), domain=UNIT),
    case("logspace of bases", lambda a, b, c: np.logspace(a, b, 4, base=c, axis=-1), np.power, (2,), (), (2,),
         domain=POSITIVE),
    case("geomspace", lambda a, b: np.geomspace(a, b, 4), np.linspace, (), (), domain=POSITIVE),
    case("geomspace below 0", lambda a, b: np.geomspace(-a, -b, 4, axis=1), np.linspace, (2,), (2,), domain=POSITIVE),
    case("flip", np.flip, np.flip, (2, 3)),
    case("flip axis", lambda x: np.flip(x, (1,)), np.flip, (2, 3)),
    case("roll", lambda x: np.roll(x, 2), np.roll, (2, 3)),
    case("roll axis", lambda x: np.roll(x, (1, -1), axis=(0, 1)), np.roll, (2, 3)),
    case("tril", np.tril, np.tril, (3, 4)),
    case("triu", lambda x: np.triu(x, k=1), np.triu, (2, 3, 3)),
    case("take", lambda x: np.take(x, [[1, 5], [5, 0]]), np.take, (2, 3)),
    case("take along", lambda x: np.take(x, [2, 0, 0], axis=-1), np.take, (2, 3)),
    case("take wrapping around", lambda x: np.take(x, [[7, -1]], axis=1, mode="wrap"), np.take, (2, 3)),
    case("take clipping", lambda x: np.take(x, [9, -9, 1], mode="clip"), np.take, (2, 3)),
    case("take_along_axis", lambda x: np.take_along_axis(x, np.array([[0], [2]]), axis=1), np.take_along_axis, (2, 3)),
    case("split", lambda x: np.split(x, [1, 3], axis=1)[1], operator.getitem, (2, 4)),
    *(
        case(f"getitem {name}", lambda x, i=index: x[i], operator.getitem, (3, 4))
        for name, index in {
            "integer": 1,
            "negative": -1,
            "slice": slice(None, None, -2),
            "ellipsis and None": (..., None, 1),
            "integers, one of them twice": np.array([0, 2, 2]),
            "list": [0, 2, 2],
            "pairs": (np.array([0, 0, 2]), np.array([1, 1, 3])),
            "mask": np.arange(12).reshape(3, 4) % 3 == 0,
        }.items()
    ),
    case("scatter", lambda x: shapes.scatter_add(x, [0, 2, 2], (4,)), shapes.scatter_add.primitive, (3,),
         value=lambda x: np.array([x[0], 0, x[1] + x[2], 0])),
    # Signals
    case("diff", np.diff, operator.getitem, (2, 4)),
    case("diff twice", lambda x: np.diff(x, 2, axis=0), operator.getitem, (4, 2)),
    case("diff with ends", lambda x, a, b: np.diff(x, prepend=a, append=b), shapes._concatenate, (2, 3), (), (2, 2)),
    case("ediff1d", np.ediff1d, shapes._concatenate, (2, 3)),
    case("ediff1d with ends", lambda x, a, b: np.ediff1d(x, b, a), shapes._concatenate, (4,), (2, 1), ()),
    case("trapezoid", np.trapezoid, np.sum, (2, 4)),
    case("trapezoid of dx", lambda y, d: np.trapezoid(y, dx=d, axis=0), np.sum, (4, 2), ()),
    case("trapezoid over x", np.trapezoid, np.sum, (2, 4), (4,)),
    case("trapezoid over many x", lambda y, x: np.trapezoid(y, x, axis=0), np.sum, (4, 2), (4, 2)),
    *(
        case(f"gradient, edge_order {order}", lambda x, e=order: np.stack(np.gradient(x, edge_order=e)),
             shapes._concatenate, (3, 4))
        for order in (1, 2)
    ),
    *(
        case(f"gradient with spacings, edge_order {order}",
             lambda x, h, e=order: np.stack(np.gradient(x, h, [0.0, 1.0, 1.5, 3.0], edge_order=e)),
             shapes._concatenate, (3, 4), (), domain=POSITIVE)
        for order in (1, 2)
    ),
    *(
        case(f"gradient at positions, edge_order {order}",
             lambda x, d, e=order: np.gradient(x, np.cumsum(d), axis=1, edge_order=e),
             shapes._concatenate, (2, 4), (4,), domain=POSITIVE)
        for order in (1, 2)
    ),
    *(
        case(f"{f.__name__} {mode} of {a} and {b}", lambda a, b, f=f, m=mode: f(a, b, m), f, (a,), (b,))
        for f in (np.convolve, np.correlate) for mode in ("full", "same", "valid")
        for a, b in [(5, 3), (5, 2), (2, 5), (3, 4), (3, 3)]
    ),
    case("convolve with a number", np.convolve, np.convolve, (3,), ()),
    case("polyval", np.polyval, np.multiply, (3,), (2, 2)),
    case("polyval of a number", np.polyval, np.multiply, (3,), ()),
    case("polyval of a list", lambda x: np.polyval([x, 2.0, x * x], x), np.multiply, ()),
    case("polyfit", lambda y: np.polyfit([0.0, 1.0, 2.5, 3.0], y, 2), np.matmul, (4,)),
    case("polyfit of a matrix", lambda x, y, w: np.polyfit(np.cumsum(x), y, 1, w=w), np.matmul, (3,), (3, 2), (3,),
         domain=POSITIVE),
    case("poly", np.poly, np.convolve, (3,)),
    case("polyadd", np.polyadd, np.add, (3,), (2,)),
    case("polysub", np.polysub, np.subtract, (2,), (4,)),
    case("polymul", np.polymul, np.convolve, (3,), (2,)),
    case("polyder", lambda p: np.polyder(p, 2), np.multiply, (4,)),
    case("polyint", lambda p: np.polyint(p, 2, [3.0, 4.0]), shapes._concatenate, (3,)),
    case("vander", np.vander, np.power, (3,)),
    case("vander increasing", lambda x: np.vander(x, 4, increasing=True), np.power, (3,)),
    case("cov", np.cov, np.matmul, (2, 5)),
    case("cov of a vector", np.cov, np.matmul, (5,)),
    case("cov of two", lambda x, y: np.cov(x, y, bias=True), np.matmul, (2, 5), (5,)),
    case("cov of columns", lambda x, y: np.cov(x, y, rowvar=False, ddof=0), np.matmul, (5, 2), (5, 1)),
    case("cov weighted", lambda x, w: np.cov(x, aweights=w, fweights=[1, 2, 1, 3]), np.matmul, (2, 4), (4,),
         domain=POSITIVE),
    case("cov weighted, ddof 0", lambda x, w: np.cov(x, aweights=w, ddof=0), np.matmul, (2, 4), (4,), domain=POSITIVE),
    case("corrcoef", np.corrcoef, np.clip, (3, 5)),
    case("corrcoef of two", np.corrcoef, np.clip, (5,), (5,)),
    case("corrcoef of columns", lambda x: np.corrcoef(x, rowvar=False), np.clip, (5, 2)),
    case("histogram by weights", lambda w: np.histogram(BINNED, 3, weights=w)[0], shapes.scatter_add.primitive, (6,)),
    case("histogram by weights, density",
         lambda w: np.histogram(BINNED, [0, 0.5, 1.0, 3.0], weights=w, density=True)[0], np.divide, (6,),
         domain=POSITIVE),
    case("bincount", lambda w: np.bincount([0, 3, 3, 1], w, minlength=6), np.bincount, (4,)),
    # Fourier transforms
    case("filter", lambda x: FFT.irfft(FFT.rfft(x) * x[0, :4]), np.fft.irfft, (2, 6)),
    case("filter by a signal", lambda x, h: FFT.irfft(FFT.rfft(x) * FFT.rfft(h), 5), np.fft.irfft, (5,), (5,)),
    case("filter on the left", lambda x: FFT.irfft(x[:4] * FFT.rfft(x)), np.multiply, (6,)),
    case("power spectrum", lambda x: abs(FFT.rfft(x)) ** 2, fourier.OWN[np.absolute], (2, 5)),
    case("fft, real part", lambda x: np.real(FFT.fft(x) * (2 + 1j)), fourier.OWN[np.real], (2, 4)),
    case("fft, imaginary part", lambda x: np.imag(FFT.fft(x, 3, axis=0)), fourier.OWN[np.imag], (4, 2)),
    case("fft, filled up", lambda x: np.imag(FFT.fft(x, 6, norm="ortho")), np.fft.fft, (4,)),
    case("fft, angle", lambda x: np.angle(FFT.fft(x)[..., 1:3]), fourier.OWN[np.angle], (5,)),
    case("fft, conjugate", lambda x: np.real(np.conj(FFT.fft(x)) ** 2), fourier.OWN[np.conjugate], (4,)),
    case("ifft", lambda x: np.real(FFT.ifft(FFT.fft(x) * TURNED)), np.fft.ifft, (5,)),
    case("rfft", lambda x: np.imag(FFT.rfft(x, 6, norm="forward")), np.fft.rfft, (2, 5)),
    case("irfft, odd", lambda x: FFT.irfft(FFT.rfft(x) ** 2, 5), np.fft.irfft, (6,)),
    case("irfft, filled up", lambda x: FFT.irfft(FFT.rfft(x), 9, norm="ortho"), np.fft.irfft, (6,)),
    case("hfft", FFT.hfft, np.fft.irfft, (4,)),
    case("ihfft", lambda x: np.abs(FFT.ihfft(x)), np.fft.rfft, (5,)),
    case("fft2", lambda x: np.abs(FFT.fft2(x)), np.fft.fft, (3, 4)),
    case("fftn", lambda x: np.abs(FFT.ifftn(FFT.fftn(x, (3, 5), (1, 0)) ** 2)), np.fft.ifft, (3, 4)),
    case("ifft2", lambda x: np.imag(FFT.ifft2(x)), np.fft.ifft, (3, 4)),
    case("rfftn", lambda x: FFT.irfftn(FFT.rfftn(x) * (1 + 2j), (3, 5), (0, 1)), np.fft.irfft, (3, 4)),
    case("rfft2", lambda x: FFT.irfft2(FFT.rfft2(x) * 2j), np.fft.rfft, (2, 3, 4)),
    case("quotient of spectra", lambda x, h: np.real(FFT.ifft(FFT.fft(x) / (FFT.fft(h) + 5))), np.divide, (4,), (4,),
         domain=UNIT),
    case("exp of a spectrum", lambda x: np.real(np.exp(FFT.fft(x) / 5)), np.exp, (4,)),
    case("a spectrum less a signal", lambda x: np.abs(x[0] - FFT.fft(x[1])), fourier.OWN[fourier.as_complex_numbers],
         (2, 4)),
    case("fftshift", FFT.fftshift, np.roll, (3, 4)),
    case("ifftshift", lambda x: FFT.ifftshift(x, axes=0), np.roll, (3, 4)),
    # F
    case("sigmoid", F.sigmoid, stable.sigmoid, (2, 3), value=lambda x: 1 / (1 + np.exp(-x))),
    case("relu", F.relu, activations._relu, (2, 3), value=lambda x: x * (x > 0)),
    case("softmax", F.softmax, stable.softmax, (2, 3), value=lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    case("softmax of axis 0", lambda x: F.softmax(x, axis=0), stable.softmax, (2, 3),
         value=lambda x: np.exp(x) / np.exp(x).sum(0)),
    case("log_softmax", F.log_softmax, stable.log_softmax, (2, 3),
         value=lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))),
    case("linear", F.linear, basics._linear, (2, 3), (3, 4), (4,),
         value=lambda x, W, b: np.einsum("ni,io->no", x, W) + b),
    case("linear without b", F.linear, basics._linear, (2, 3), (3, 4), value=lambda x, W: np.einsum("ni,io->no", x, W)),
    case("linear of sequences", F.linear, basics._linear, (2, 5, 3), (3, 4), (4,),
         value=lambda x, W, b: np.einsum("nti,io->nto", x, W) + b),
    *(
        case(f"linear of {x} with b {b}", F.linear, basics._linear, x, (3, 4), b,
             value=lambda x, W, b: np.einsum("...i,io->...o", x, W) + b)
        for x in [(2, 3), (3,), (2, 1, 3)] for b in [(), (1,), (1, 4), (2, 4), (2, 1)]
    ),
    case("mean_squared_error", F.mean_squared_error, losses._mean_squared_error, (2, 3), (2, 3),
         value=lambda a, b: sum((p - q) ** 2 for p, q in zip(a.flat, b.flat, strict=True)) / 2),
    case("softmax_cross_entropy", lambda x: F.softmax_cross_entropy(x, LABELS), losses._softmax_cross_entropy, (4, 3),
         value=lambda x: -np.mean([np.log(np.exp(r[t]) / np.exp(r).sum()) for r, t in zip(x, LABELS, strict=True)])),
    case("dropout", lambda x: F.dropout(x, 0.5, rng=0), np.multiply, (2, 3),
         value=lambda x: np.where(np.random.default_rng(0).random((2, 3), np.float32) < 0.5, 0, 2 * x)),
    case("softmax_cross_entropy of sequences", lambda x: F.softmax_cross_entropy(x, LABELS.reshape(2, 2)),
         losses._softmax_cross_entropy, (2, 2, 3),
         value=lambda x: F.softmax_cross_entropy(x.reshape(4, 3), LABELS).data),
    case("softmax_cross_entropy ignoring", lambda x: F.softmax_cross_entropy(x, LABELS, ignore_label=1),
         losses._softmax_cross_entropy, (4, 3), value=lambda x: F.softmax_cross_entropy(x[:2], LABELS[:2]).data),
    case("softmax_cross_entropy smoothed", lambda x: F.softmax_cross_entropy(x, LABELS, label_smoothing=0.1),
         losses._softmax_cross_entropy, (4, 3),
         value=lambda x: -np.sum((0.9 * np.eye(3)[LABELS] + 0.1 / 3) * np.log(special.softmax(x, axis=1))) / 4),
    case("sigmoid_cross_entropy", lambda x: F.sigmoid_cross_entropy(x, [0, 1, 0.3]), np.logaddexp, (3,),
         value=lambda x: np.mean(-special.xlogy([0, 1, 0.3], special.expit(x))
                                 - special.xlogy([1, 0, 0.7], special.expit(-x)))),
    case("binary_cross_entropy", lambda p: F.binary_cross_entropy(p, [0, 1, 0.3]), np.log1p, (3,), domain=(0.1, 0.9),
         value=lambda p: np.mean(-special.xlogy([0, 1, 0.3], p) - special.xlogy([1, 0, 0.7], 1 - p))),
    case("kl_divergence", F.kl_divergence, np.log, (2, 3), (2, 3), domain=POSITIVE,
         value=lambda p, q: np.mean(special.rel_entr(p, q).sum(-1))),
    case("mean_absolute_error", F.mean_absolute_error, np.absolute, (2, 3), (2, 3),
         value=lambda a, b: abs(a - b).sum() / 2),
    case("huber_loss", lambda a, b: F.huber_loss(a, b, 0.7), np.clip, (2, 3), (2, 3),
         value=lambda a, b: special.huber(0.7, a - b).sum() / 2),
    case("leaky_relu", F.leaky_relu, np.where, (2, 3), value=lambda x: np.where(x > 0, x, 0.2 * x)),
    case("elu", lambda x: F.elu(x, 1.5), np.expm1, (2, 3), value=lambda x: np.where(x > 0, x, 1.5 * (np.exp(x) - 1))),
    case("gelu", F.gelu, activations._normal, (2, 3),
         value=lambda x: x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))),
    *(
        case(f"gelu exact, {name}", lambda x: F.gelu(x, approximate=False), stable.normal, (2, 5), domain=domain,
             value=lambda x: x * special.ndtr(x))
        for name, domain in {"near 0": (-0.6, 0.6), "around": (-5.0, 5.0), "far": (-12.0, -6.0)}.items()
    ),
    case("silu", F.silu, stable.sigmoid, (2, 3), value=lambda x: x * special.expit(x)),
    case("softplus", F.softplus, np.logaddexp, (2, 3), value=lambda x: np.log1p(np.exp(x))),
    case("logsumexp", F.logsumexp, stable.logsumexp, (2, 3), value=lambda x: special.logsumexp(x, axis=-1)),
    case("logsumexp of all", lambda x: F.logsumexp(x, axis=None), stable.logsumexp, (2, 3), value=special.logsumexp),
    case("logsumexp keepdims", lambda x: F.logsumexp(x, axis=(0, 1), keepdims=True), stable.logsumexp, (2, 3),
         value=lambda x: special.logsumexp(x, keepdims=True)),
    case("layer_norm", F.layer_norm, normalization._layer_norm, (2, 5), (5,), (5,),
         value=lambda x, g, b: g * standardized(x, 1, 1e-5) + b),
    case("layer_norm of sequences", F.layer_norm, normalization._layer_norm, (2, 3, 5), (5,), (5,),
         value=lambda x, g, b: g * standardized(x, 2, 1e-5) + b),
    case("layer_norm plain", lambda x: F.layer_norm(x, axis=(1, 2)), normalization._normalized, (2, 3, 2),
         value=lambda x: standardized(x, (1, 2), 1e-5)),
    case("group_norm", lambda x, g, b: F.group_norm(x, 2, g, b), normalization._normalized, (2, 4, 3), (4,), (4,),
         value=lambda x, g, b: standardized(x.reshape(2, 2, 6), 2, 1e-5).reshape(x.shape) * g[:, None] + b[:, None]),
    case("batch_norm", lambda x, g, b: F.batch_norm(x, g, b, np.zeros(2), np.ones(2)), normalization._normalized,
         (5, 2), (2,), (2,), value=lambda x, g, b: g * standardized(x, 0, 2e-5) + b),
    case("batch_norm of images", lambda x, g, b: F.batch_norm(x, g, b, np.zeros(2), np.ones(2)),
         normalization._normalized, (2, 2, 3, 2), (2,), (2,),
         value=lambda x, g, b: g[:, None, None] * standardized(x, (0, 2, 3), 2e-5) + b[:, None, None]),
    case("scaled_dot_product_attention", F.scaled_dot_product_attention, attention._attention_weights,
         (2, 3, 4), (2, 5, 4), (2, 5, 2),
         value=lambda q, k, v: special.softmax(np.einsum("btd,bsd->bts", q, k) / 2, axis=-1) @ v),
    case("scaled_dot_product_attention masked",
         lambda q, k, v: F.scaled_dot_product_attention(q, k, v, np.tri(3, dtype=bool)),
         attention._attention_weights, (3, 4), (3, 4), (3, 2),
         value=lambda q, k, v: special.softmax(np.where(np.tri(3) > 0, q @ k.T / 2, -np.inf), axis=-1) @ v),
    case("attention_weights", F.attention_weights, attention._attention_weights, (4, 2, 5), (3, 5),
         value=lambda q, k: special.softmax(np.einsum("ntd,sd->nts", q, k) / 5**0.5, axis=-1)),
    case("attention_weights where one query sees nothing", lambda q, k: F.attention_weights(q, k, SEEN),
         attention._attention_weights, (4, 2, 5), (3, 5),
         value=lambda q, k: shares(np.exp(np.einsum("ntd,sd->nts", q, k) / 5**0.5) * SEEN)),
    case("split_heads", lambda x: np.concatenate(F.split_heads(x, 2, 3)), attention._split_heads, (2, 3, 12),
         value=lambda x: np.concatenate(np.einsum("ntphd->pnhtd", x.reshape(2, 3, 3, 2, 2)))),
    case("split_heads, one unused", lambda x: F.split_heads(x, 2, 2)[1], attention._split_heads, (2, 3, 4),
         value=lambda x: np.stack([x[..., 2:3], x[..., 3:]], 1)),
    case("join_heads", F.join_heads, np.swapaxes, (2, 3, 4, 2),
         value=lambda x: np.concatenate([x[:, 0], x[:, 1], x[:, 2]], -1)),
    case("softmax_gradient", activations.softmax_gradient, activations.softmax_gradient.primitive, (2, 3), (2, 3),
         value=lambda gy, y: y * gy - y * np.einsum("ij,ij->i", gy, y)[:, None]),
    case("embed_id", lambda W: F.embed_id(LABELS, W), operator.getitem, (3, 2), value=lambda W: W[LABELS]),
    case("embed_id of sequences", lambda W: F.embed_id(LABELS.reshape(2, 2), W), operator.getitem, (3, 2),
         value=lambda W: W[LABELS].reshape(2, 2, 2)),
    case("get_item", lambda x: F.get_item(x, [0, 1, 1]), operator.getitem, (3, 2), value=lambda x: x[[0, 1, 1]]),
    case("flatten", F.flatten, np.reshape, (2, 3, 4), value=lambda x: x.reshape(2, 12)),
    case("sum_to", lambda x: F.sum_to(x, (1, 3)), np.sum, (2, 2, 3), value=lambda x: x.sum((0, 1))[None]),
    *(
        case(f"F.{name}", getattr(F, name), table, (2, 3), domain=POSITIVE, value=table)
        for name, table in [("sin", np.sin), ("cos", np.cos), ("tanh", np.tanh), ("exp", np.exp), ("log", np.log),
                            ("sum", np.sum), ("mean", np.mean), ("average", np.mean), ("max", np.max), ("min", np.min),
                            ("transpose", np.transpose)]
    ),
    *(
        case(f"F.{name}", lambda x, n=name, a=args: getattr(F, n)(x, *a), table, (2, 3),
             value=lambda x, f=table, a=args: f(x, *a))
        for name, table, *args in [("reshape", np.reshape, (3, 2)), ("expand_dims", np.expand_dims, 1),
                                   ("broadcast_to", np.broadcast_to, (2, 2, 3)), ("clip", np.clip, -1.0, 1.0)]
    ),
    case("rnn", recurrent.rnn, recurrent.rnn.primitive, (3, 2, 4), (4, 4), (2, 4),
         value=lambda z, U, h: steps(lambda z, h: rnn_step(z, U, h), z, h)[0]),
    case("lstm", lambda z, U, h, c: recurrent.lstm(z, U, h, c)[:, 5:], recurrent.lstm.primitive,
         (3, 2, 8), (2, 8), (2, 2), (2, 2),
         value=lambda z, U, h, c: steps(lambda z, h, c: lstm_step(z, U, h, c), z, h, c)[::-1].swapaxes(0, 1)),
    case("gru", recurrent.gru, recurrent.gru.primitive, (3, 2, 6), (2, 6), (2,), (2, 2),
         value=lambda z, U, b, h: steps(lambda z, h: gru_step(z, U, b, h), z, h)[0]),
    case("F.matmul", F.matmul, np.matmul, (2, 3), (3, 4), value=lambda a, b: np.einsum("ij,jk", a, b)),
    # SciPy
    *(
        unary(getattr(special, name))
        for name in ["expit", "log_expit", "exp10", "exp2", "expm1", "cosm1", "erf", "erfc", "erfcx", "erfi", "dawsn",
                     "ndtr", "log_ndtr", "i0", "i1", "i0e", "i1e", "j0", "j1"]
    ),
    *(
        unary(getattr(special, name), (0.1, 0.9))
        for name in ["logit", "log1p", "cbrt", "entr", "erfinv", "erfcinv", "ndtri", "psi", "gamma", "gammaln",
                     "loggamma", "expi", "exp1", "spence", "y0", "y1", "k0", "k1"]
    ),
    *(
        case(name, getattr(special, name), getattr(special, name), (2, 3), (3,), domain=POSITIVE)
        for name in ["xlogy", "xlog1py", "rel_entr", "kl_div", "huber", "pseudo_huber", "beta", "betaln"]
    ),
    *(
        case(f"{name} of order 2", lambda x, n=name: getattr(special, n)(2, x), getattr(special, name), (2, 3),
             domain=POSITIVE)
        for name in ["iv", "ive", "jv", "yv", "kv", "gammainc", "gammaincc", "expn"]
    ),
    case("zeta", lambda x: special.zeta(3, x), special._ufuncs._zeta, (2, 3), domain=POSITIVE),
]
# fmt: on
# Of float32, NumPy and SciPy make float64 in these.
WIDER = {"astype", "x ** whole numbers", "clip by arrays", "rank", "expn of order 2"}
if special.gammainc(2, np.float32(0.5)).dtype == np.float64:  # So it is in SciPy 1.17, and not in 1.14 and 1.18.
    WIDER |= {"gammainc of order 2", "gammaincc of order 2"}
WIDER |= {
    "astype by NumPy",
    "asarray of nested lists",
    "stack of nested lists",
    "polyval of a list",
    "polyder",
    "polyint",
}
WIDER |= {"polyfit", "polyfit of a matrix", "vander", "vander increasing", "bincount", "histogram by weights, density"}
WIDER |= {c.name for c in CASES if c.name.startswith(("float_power", "interp", "geomspace", "cov", "corrcoef"))}

# What is checked in a file of its own: file → entries of the table.
ELSEWHERE = {
    "test_function.py": [output],
    "test_convolution.py": [f for f in RULES if getattr(f, "__module__", "") == convolution.__name__],
}
