"""The one door: a call of NumPy on a Variable takes NumPy's arguments, and gives NumPy's result or NumPy's error."""

import inspect
import itertools

import numpy as np
import pytest

from tests.cases import RULES, SCIPY
from tinygrad_jp import PULLBACKS, Variable, gradient_check
from tinygrad_jp.core.binding import bind, signature_of
from tinygrad_jp.core.table import COMPOSITIONS

SHAPES = [(), (1,), (3,), (0,), (2, 3), (3, 3), (1, 3), (0, 3), (2, 3, 4), (2, 0, 4)]
MATRICES = [(1, 1), (2, 3, 3), (4, 2), (2, 1, 2, 2), (0, 0), (2, 0, 0), (0, 2, 2), (0, 2, 3)]  # for linear algebra, too
AXES = [None, 0, 1, -1, 2, -2, 5, -7, (0,), (0, 1), (1, 0), (0, -1), (0, 0), (0, 5), ()]
REDUCED = [{"axis": axis, **more} for axis in AXES for more in ({}, {"keepdims": True}, {"keepdims": False})]
ALONG = [{"axis": axis} for axis in (None, 0, 1, -1, -2, 2, 5, -7)]


def norms_of_nothing():
    """Whether this NumPy gives the norms of a matrix without rows, which older ones refuse."""
    try:
        return np.linalg.norm(np.zeros((0, 3)), np.inf) == 0
    except ValueError:
        return False


NORMS_OF_NOTHING = norms_of_nothing()
# Older ones take one row for a column, where rowvar=False says that it is not.
ONE_ROW = [{"rowvar": False}] if np.cov(np.ones((1, 3)), rowvar=False, ddof=0).shape == (3, 3) else []


INDICES = [0, -1, 1, 9, slice(None, None, 2), slice(1, 1), [0, 1], [1, 1, 0], [], np.array([True, False, True]), 1.5]
MARGINS = [{"mode": m} for m in ("edge", "reflect", "symmetric", "wrap", "linear_ramp", "mean")]
MARGINS += [{"mode": "linear_ramp", "end_values": (1, 2)}, {"mode": "mean", "stat_length": 2}]
MARGINS += [{"mode": m, "reflect_type": "odd"} for m in ("reflect", "symmetric")] + [{"mode": "edge", "end_values": 1}]


def reshaped(shape):
    n = int(np.prod(shape))
    shapes = (-1, (n,), (n, 1), (1, -1), (7, 5), (-1, -1))
    return [{"shape": s, **more} for s in shapes for more in ({}, {"order": "F"})]


def masked(shape, **more):
    """Settings with a mask: of the array's shape, of its last axis, without any element, and of a wrong shape."""
    mask = np.asarray(np.random.default_rng(1).random(shape) < 0.6)
    masks = [mask, np.ones(shape[-1:], bool), np.ones((7, 1), bool), *([False] if shape else [])]
    return [{"axis": axis, "where": m, **more} for axis in (None, 0, -1, (0, 1), 5) for m in masks]


def numbered(shape, first, names):
    """Settings that name a place along some axis."""
    return [{first: n, **a} for n in names for a in ALONG]


METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen"]
METHODS += ["weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest", "bad"]


def quantiles(scale):
    return lambda shape: [
        *({"q": q * scale, **a} for q in (0.3, np.array([0.0, 0.71, 1.0]), 1.5, np.zeros(0)) for a in REDUCED),
        *({"q": np.array([0.21, 0.5]) * scale, "axis": 0, "method": m} for m in METHODS),
    ]


def pieces(shape):
    x = array(shape)
    return [
        *({"condlist": [x < 0, x < 0.5], "funclist": f} for f in ([np.sin, 1.0], [1, np.exp, np.negative], [1.0])),
        {"condlist": [x < 0], "funclist": [lambda x: x[:0].sum(), 2.0]},
        {"condlist": [], "funclist": [3.0]},
    ]


NORMS = ({}, {"norm": "ortho"}, {"norm": "forward"}, {"norm": "nonsense"})


def transforms(shape):  # Of nothing, NumPy's irfft reads memory that nobody has written.
    lengths = ({}, {"n": 4}, {"n": 3}, {"n": 1}, {"n": 0})
    return [{**n, **a, **m} for n in lengths for a in ({}, *ALONG[1:]) for m in NORMS if 0 not in shape]


def transforms_of_many(shape):
    axes = ({}, {"axes": (0,)}, {"axes": (0, -1)}, {"axes": (1, 0)}, {"axes": (5,)}, {"axes": (0, 0)})
    lengths = ({}, {"s": (4, 3)}, {"s": (3,)}, {"s": (-1, 2)})
    return [{**s, **a, **m} for s in lengths for a in axes for m in NORMS[:2] if 0 not in shape and (a or not s)]


# function → for an array of `shape`, the keyword arguments to call it with. All else is derived from its signature.
CALLS = {
    **dict.fromkeys(
        (np.sum, np.prod, np.nansum, np.nanprod),
        lambda shape: [
            *(REDUCED + masked(shape) + masked(shape, keepdims=True, initial=2.0)),
            *({"initial": 0.5, "axis": axis} for axis in AXES),
            *({"dtype": np.float32}, {"axis": 0, "dtype": float}),
        ],
    ),
    **dict.fromkeys((np.mean, np.nanmean), lambda shape: [*REDUCED, *masked(shape), {"dtype": np.float32}]),
    **dict.fromkeys(
        (np.max, np.min, np.amax, np.amin, np.nanmax, np.nanmin),
        lambda shape: [
            *(REDUCED + masked(shape) + masked(shape, initial=0.1, keepdims=True)),
            *({"initial": 0.5, "axis": axis} for axis in AXES),
        ],
    ),
    **dict.fromkeys(
        (np.var, np.std, np.nanvar, np.nanstd),
        lambda shape: [
            *(REDUCED + masked(shape) + masked(shape, ddof=1)),
            *({"axis": axis, "ddof": 1} for axis in AXES),
            *({"axis": axis, "correction": 1} for axis in AXES),
            *({"ddof": 7}, {"ddof": 1, "correction": 1}, {"dtype": np.float32}),
        ],
    ),
    np.ptp: lambda shape: REDUCED,
    np.median: lambda shape: REDUCED,
    np.nanmedian: lambda shape: REDUCED,
    np.quantile: quantiles(1),
    np.nanquantile: quantiles(1),
    np.percentile: quantiles(100),
    np.nanpercentile: quantiles(100),
    np.partition: lambda shape: numbered(shape, "kth", (0, 1, -1, [0, 2], 9, 1.5)),
    **dict.fromkeys(
        (np.cumprod, np.nancumsum, np.nancumprod), lambda shape: [*ALONG, {"axis": 0, "dtype": np.float32}]
    ),
    **dict.fromkeys(
        (np.cumulative_sum, np.cumulative_prod),
        lambda shape: [*ALONG, *({**a, "include_initial": True, "dtype": np.float32} for a in ALONG)],
    ),
    **dict.fromkeys((np.real, np.imag, np.sinc, np.i0), lambda shape: [{}]),
    np.angle: lambda shape: [{}, {"deg": True}],
    np.real_if_close: lambda shape: [{}, {"tol": 1000}],
    np.unwrap: lambda shape: [{}, {"discont": 0.1, "period": 0.7}, *({"axis": a} for a in (0, -2, 5))],
    np.nan_to_num: lambda shape: [{}, {"nan": 1.0, "posinf": 2.0, "neginf": -2.0}],
    np.interp: lambda shape: [
        {"xp": xp, "fp": [0.0, 2.0, 1.0], **more}
        for xp in ([-0.5, 0.0, 0.5], [0.0, 1.0])
        for more in ({}, {"left": 5.0}, {"left": 5.0, "right": 6.0}, {"period": 0.4}, {"period": 0.0})
    ],
    np.piecewise: pieces,
    np.average: lambda shape: [
        *REDUCED,
        *({"axis": axis, "weights": w} for axis in AXES for w in weights(shape) if shape),
        {"weights": np.ones(shape), "returned": True},
    ],
    np.cumsum: lambda shape: [*ALONG, {"axis": 0, "dtype": np.float32}],
    np.sort: lambda shape: [*ALONG, {"kind": "heapsort"}, {"axis": 0, "stable": True}, {"kind": "nonsense"}],
    np.flip: lambda shape: [{"axis": axis} for axis in AXES],
    np.roll: lambda shape: [{"shift": s, **a} for s in (1, -2, (1, 2)) for a in [*ALONG, {"axis": (0, 1)}]],
    np.take: lambda shape: [
        {"indices": i, **a, **m}
        for i in (0, [0, 1], (2,), [[0], [-1]], [9], np.array([], int), 1.5)
        for a in ALONG
        for m in ({}, {"mode": "wrap"}, {"mode": "clip"})
    ],
    np.take_along_axis: lambda shape: [{"indices": i, **a} for i in alongside(shape) for a in ALONG],
    np.repeat: lambda shape: [{"repeats": r, **a} for r in (2, 0, [1, 2, 0], [1, 2]) for a in ALONG],
    np.tile: lambda shape: [{"reps": r} for r in (2, 0, (2,), (2, 1), (1, 2, 3), ())],
    np.diagonal: lambda shape: [
        {"offset": k, "axis1": a, "axis2": b} for k in (0, 1, -1, 9) for a in (0, -1, 5) for b in (1, -2, 0)
    ],
    np.trace: lambda shape: [
        *({}, {"offset": 1}, {"offset": -9}, {"axis1": -1, "axis2": 0}, {"axis1": 5}, {"axis2": 0}),
        {"offset": 1, "axis1": 1, "axis2": 0, "dtype": np.float32},
    ],
    np.matrix_transpose: lambda shape: [{}],
    np.transpose: lambda shape: [
        {},
        *({"axes": a} for a in [*itertools.permutations(range(len(shape))), (0,), (0, 0), (-1, 0), (5, 0)]),
    ],
    np.swapaxes: lambda shape: [{"axis1": a, "axis2": b} for a in (0, -1, 1, 5) for b in (0, -1, 1, -9)],
    np.moveaxis: lambda shape: [
        {"source": a, "destination": b} for a in (0, -1, (0, 1), 5) for b in (-1, 0, (1, 0), (0, 0), 9)
    ],
    np.squeeze: lambda shape: [{"axis": axis} for axis in AXES],
    np.expand_dims: lambda shape: [{"axis": axis} for axis in AXES if axis is not None],
    np.broadcast_to: lambda shape: [{"shape": s} for s in ((4, *shape), shape, (2, 3, 4), 3, (), (0, 3))],
    np.reshape: reshaped,
    np.ravel: lambda shape: [{}, {"order": "F"}, {"order": "K"}, {"order": "A"}, {"order": "Z"}],
    np.tril: lambda shape: [{}, {"k": 1}, {"k": -9}],
    np.triu: lambda shape: [{}, {"k": 1}, {"k": -9}],
    np.pad: lambda shape: [
        {"pad_width": w, **m}
        for w in (1, (1, 2), [(1, 0)] * len(shape), ((1, 2), (0, 1)), -1, 1.5)
        for m in ({}, {"constant_values": 7}, *MARGINS)
    ],
    np.copy: lambda shape: [{}, {"order": "F"}],
    np.atleast_1d: lambda shape: [{}],
    np.atleast_2d: lambda shape: [{}],
    np.atleast_3d: lambda shape: [{}],
    np.append: lambda shape: [{"values": v, **a} for v in (1.5, [1.0, 2.0], np.ones(shape)) for a in ALONG],
    np.flipud: lambda shape: [{}],
    np.fliplr: lambda shape: [{}],
    np.rot90: lambda shape: [{"k": k, **a} for k in range(-1, 5) for a in ({}, {"axes": (-1, 0)}, {"axes": (0, 0)})],
    np.rollaxis: lambda shape: [
        {"axis": a, **s} for a in (0, 1, -1, 5) for s in ({}, {"start": 1}, {"start": -1}, {"start": 2}, {"start": 9})
    ],
    np.diag: lambda shape: [{}, {"k": 1}, {"k": -2}, {"k": 9}],
    np.diagflat: lambda shape: [{}, {"k": 1}, {"k": -2}],
    np.delete: lambda shape: [{"obj": i, **a} for i in INDICES for a in ALONG],
    np.insert: lambda shape: [
        {"obj": i, "values": v, **a} for i in INDICES for v in (7.0, [1.0, 2.0], np.ones(shape)) for a in ALONG
    ],
    np.resize: lambda shape: [{"new_shape": s} for s in (3, (2, 2), (), (0, 3), (7, 1, 2), -1)],
    np.unstack: lambda shape: [{"axis": a} for a in (0, 1, -1, 5)],
    **dict.fromkeys(
        (np.hsplit, np.vsplit, np.dsplit),
        lambda shape: [{"indices_or_sections": s} for s in (1, 2, 3, [1], [1, 2], [9])],
    ),
    np.linspace: lambda shape: [
        {"stop": b, **n, **a, **e}
        for b in (2.0, [1.0, 2.0, 3.0])
        for n in ({}, {"num": 0}, {"num": 1}, {"num": 4}, {"num": -1})
        for a in ({}, {"axis": -1}, {"axis": 1}, {"axis": 9})
        for e in ({}, {"endpoint": False}, {"retstep": True}, {"dtype": np.float32})
    ],
    np.logspace: lambda shape: [
        {"stop": b, "num": 4, **a, **e}
        for b in (0.5, [0.1, 0.2, 0.3])
        for a in ({}, {"axis": -1})
        for e in ({}, {"endpoint": False}, {"base": 2.0}, {"base": np.array([2.0, 3.0, 4.0])}, {"dtype": np.float32})
    ],
    np.diff: lambda shape: [
        *({"n": n, **a} for n in (0, 1, 2, 5, -1) for a in ALONG[1:]),
        *({"prepend": 0.5, **a} for a in ALONG[1:]),
        {"append": np.ones(shape)},
    ],
    np.ediff1d: lambda shape: [{}, {"to_end": 9.0}, {"to_begin": [1, 2], "to_end": np.zeros((2, 1))}, {"to_end": 1j}],
    np.trapezoid: lambda shape: [
        {**x, **a} for x in ({}, {"dx": 0.5}, {"x": [0.0, 1.0, 3.0]}, {"x": np.ones(shape)}) for a in ALONG[1:]
    ],
    np.gradient: lambda shape: [
        {**a, **e}
        for a in [*ALONG, {"axis": (0, 1)}, {"axis": (1, 1)}]
        for e in ({}, {"edge_order": 2}, {"edge_order": 3})
    ],
    np.polyder: lambda shape: [{"m": -1}, *([{}, {"m": 2}, {"m": 0}] if len(shape) < 2 else [])],
    np.polyint: lambda shape: [
        {},
        {"m": 2},
        {"m": 0},
        {"m": -1},
        {"k": 2.0},
        {"m": 2, "k": [1.0, 2.0]},
        {"m": 3, "k": [1, 2]},
    ],
    np.vander: lambda shape: [{}, {"N": 0}, {"N": 2}, {"increasing": True}, {"N": -1}],
    np.cov: lambda shape: [
        {**s, **r}
        for s in [
            {},
            {"bias": True},
            {"ddof": 0},
            {"ddof": 1.5},
            {"aweights": [1.0, 2.0, 3.0]},
            {"fweights": [1, 2, 3]},
        ]
        + [{"fweights": [1.5, 2, 3]}, {"aweights": [-1.0, 2, 3]}, {"y": np.ones((2, 3))}, {"dtype": np.float32}]
        for r in [{}, *ONE_ROW]
    ],
    np.corrcoef: lambda shape: [{}, *ONE_ROW, {"y": np.array([[1.0, 5.0, 2.0]])}],
    np.array_split: lambda shape: [
        {"indices_or_sections": s, "axis": a} for s in (1, 2, 3, [1], [1, 2], [9], 0) for a in (0, 1, -1, 5)
    ],
    np.split: lambda shape: [
        {"indices_or_sections": s, "axis": a} for s in (1, 2, 3, [1], [1, 2], [9]) for a in (0, 1, -1, 5)
    ],
    np.clip: lambda shape: [
        *({"a_min": a, "a_max": b} for a in (None, -0.5, 9.0) for b in (None, 0.5, -9.0)),
        {"min": 0.1, "max": 0.2},
        *({"min": 0.1}, {"max": 0.1}, {"min": [0.1], "max": np.ones((2, 3))}, {}),
        *({"a_min": 0.1}, {"a_max": 0.1}, {"a_min": 0.1, "max": 0.2}, {"a_min": 0, "a_max": 1, "min": 0}),
    ],
    np.full_like: lambda shape: [
        {"fill_value": 2.5},
        {"fill_value": 2.5, "dtype": np.float32},
        {"fill_value": 1, "shape": (2, 2)},
    ],
    np.linalg.inv: lambda shape: [{}],
    np.linalg.det: lambda shape: [{}],
    np.linalg.norm: lambda shape: [
        {"ord": o, "axis": a, "keepdims": k}
        for o in (None, 0, 1, 2, 3, 0.5, -1, -2, np.inf, -np.inf, "fro", "f", "nuc", "bad")
        for a in (None, 0, -1, (0, 1), (1, 0), 5, (0, 0), (0, 1, 2))
        for k in (False, True)
        if 0 not in shape or NORMS_OF_NOTHING
    ],
    np.linalg.vector_norm: lambda shape: [
        {"ord": o, "axis": a, "keepdims": k}
        for o in (0, 1, 2, 3, 0.5, -1, np.inf, -np.inf)
        for a in (None, 0, -1, (0, 1), (1, 0), 5, (0, 0), (0, 1, 2), ())
        for k in (False, True)
        if 0 not in shape or NORMS_OF_NOTHING
    ],
    np.linalg.matrix_norm: lambda shape: [
        {"ord": o, "keepdims": k}
        for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf, None, 0, 3, "bad")
        for k in (False, True)
        if 0 not in shape or NORMS_OF_NOTHING
    ],
    np.linalg.cond: lambda shape: [
        {},
        *({"p": p} for p in (None, 1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc", 3, "bad")),
    ],
    np.linalg.slogdet: lambda shape: [{}],
    np.linalg.cholesky: lambda shape: [{}, {"upper": True}, {"upper": False}],
    np.linalg.eigh: lambda shape: [{}, {"UPLO": "L"}, {"UPLO": "U"}, {"UPLO": "u"}, {"UPLO": "X"}],
    np.linalg.eigvalsh: lambda shape: [{}, {"UPLO": "L"}, {"UPLO": "U"}, {"UPLO": "u"}, {"UPLO": "X"}],
    np.linalg.eig: lambda shape: [{}],
    np.linalg.eigvals: lambda shape: [{}],
    np.linalg.svd: lambda shape: [
        {"full_matrices": f, "compute_uv": c, "hermitian": h}
        for f in (True, False)
        for c in (True, False)
        for h in (0, 1)
    ],
    np.linalg.svdvals: lambda shape: [{}],
    np.linalg.qr: lambda shape: [{}, *({"mode": mode} for mode in ("reduced", "complete", "r", "bad"))],
    np.linalg.pinv: lambda shape: [
        *({}, {"rcond": 0.3}, {"rtol": 0.3}, {"rtol": None}, {"hermitian": True}, {"rcond": 0.3, "rtol": 0.3}),
        *({"rcond": np.full(shape[:-2], 0.3)}, {"rcond": 0.3, "hermitian": True}, {"rcond": 2.0}),
    ],
    np.linalg.matrix_power: lambda shape: [{"n": n} for n in (0, 1, 2, 3, 7, -1, -2, 1.5, np.int64(2))],
    np.linalg.tensorinv: lambda shape: [{}, *({"ind": i} for i in (1, 2, 3, 0, -1))],
    np.linalg.diagonal: lambda shape: [{}, *({"offset": k} for k in (1, -1, 9))],
    np.linalg.trace: lambda shape: [{}, {"offset": 1}, {"offset": -9, "dtype": np.float32}],
    np.linalg.matrix_transpose: lambda shape: [{}],
    **{f: transforms for f in (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft)},
    **{f: transforms_of_many for f in (np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn)},
    **{f: transforms_of_many for f in (np.fft.fft2, np.fft.ifft2, np.fft.rfft2, np.fft.irfft2)},
    **{f: lambda shape: [{"axes": axis} for axis in AXES] for f in (np.fft.fftshift, np.fft.ifftshift)},
}
# Of two arrays: the second one's shapes, and settings
PAIRS = {
    np.dot: [{}],
    np.vdot: [{}],
    np.inner: [{}],
    np.outer: [{}],
    np.tensordot: [
        {"axes": a} for a in (0, 1, 2, 3, (0, 0), (-1, 0), (1, 1), ([0, 1], [0, 1]), ([0], [5]), ([0, 1], [1]))
    ],
    np.linalg.solve: [{}],
    np.linalg.lstsq: [{}, *({"rcond": r} for r in (None, -1, 0.3))],
    np.linalg.tensorsolve: [{}, *({"axes": a} for a in (None, (0,), (1,), (0, 1), (5,)))],
    np.linalg.matmul: [{}],
    np.linalg.outer: [{}],
    np.linalg.tensordot: [{}, *({"axes": a} for a in (0, 1, (0, 0), (-1, 0)))],
    np.linalg.vecdot: [{}, *({"axis": a} for a in (0, -1, 5))],
    np.linalg.cross: [{}, *({"axis": a} for a in (0, -1, 5))],
    np.cross: [
        *({}, {"axis": 0}, {"axis": -1}, {"axis": 5}, {"axisa": 0}, {"axisb": 0, "axisc": 0}, {"axisc": 5}),
        *({"axisa": 0, "axis": 1}, {"axisa": 1, "axisb": -2}),
    ],
    np.kron: [{}],
    np.broadcast_arrays: [{}],
    np.meshgrid: [{}, {"indexing": "ij"}, {"sparse": True}, {"indexing": "zz"}],
    np.convolve: [{}, *({"mode": m} for m in ("full", "same", "valid", "nonsense"))],
    np.correlate: [{}, *({"mode": m} for m in ("full", "same", "valid", "nonsense"))],
    **{f: [{}] for f in (np.polyval, np.polyadd, np.polysub, np.polymul)},
    np.geomspace: [{"num": 3}, {"num": 3, "axis": -1}, {"endpoint": False}],
}
# Of sequences of arrays
SEQUENCES = {
    np.concatenate: [{"axis": a} for a in (0, 1, -1, None, 5)] + [{"dtype": np.float32}],
    np.stack: [{"axis": a} for a in (0, 1, -1, -2, 5)],
    np.vstack: [{}, {"dtype": np.float32}],
    np.hstack: [{}],
    np.block: [{}],
    np.linalg.multi_dot: [{}],
    np.column_stack: [{}],
    np.dstack: [{}],
}
ELSEWHERE = {np.where, np.einsum, np.select, np.choose, np.compress, np.extract, np.bincount, np.histogram}
ELSEWHERE |= {np.full, np.array, np.asarray, np.astype, np.ix_, np.poly, np.polyfit}
# What NumPy can do and no rule here: it is refused by one sentence.
UNSUPPORTED = {
    **{"out": np.zeros(1), "where": True, "initial": 1.0, "order": "x", "copy": True, "mean": 0.0},
    "correction": 0,
}


def weights(shape):
    """Of the array's shape, of the lengths of some axes, and of a wrong one."""
    found = [shape, *((n,) for n in set(shape)), shape[::-1], (7,)]
    return [np.arange(1.0, 1.0 + np.prod(s)).reshape(s) for s in found]


def alongside(shape):
    found = [shape, tuple(1 for _ in shape), (*shape[:-1], 2) if shape else (), (2, *shape[1:]) if shape else (), (1,)]
    return [np.zeros(s, int) for s in found] + [np.full(shape, 9)]


def array(shape):
    return np.random.default_rng(0).uniform(-1, 1, shape)


def outcome(f, *args, **kwargs):
    try:
        with np.errstate(all="ignore"):
            return f(*args, **kwargs)
    except Exception as error:
        return error


def kind_of(error):
    kinds = (TypeError, IndexError, ValueError, ZeroDivisionError, Exception)
    return next(kind for kind in kinds if isinstance(error, kind))


def same(ours, numpys, rtol=1e-6):
    """Whether a call gave what NumPy gives: the same arrays, shapes and dtypes, or the same kind of error."""
    if isinstance(ours, TypeError) and "real eigenvalues" in str(ours):
        return np.iscomplexobj(numpys[0])  # Complex numbers are refused.
    if isinstance(numpys, Exception) or isinstance(ours, Exception):
        return (
            isinstance(ours, Exception)
            and isinstance(numpys, Exception)
            and (kind_of(ours) is kind_of(numpys) or isinstance(ours, type(numpys)) or isinstance(numpys, type(ours)))
        )
    if isinstance(numpys, (list, tuple)):
        if type(ours) is not type(numpys) or len(ours) != len(numpys):
            return False
        return all(same(a, b, rtol) for a, b in zip(ours, numpys, strict=True))
    ours = ours.data if isinstance(ours, Variable) else ours
    if np.shape(ours) != np.shape(numpys) or np.asarray(ours).dtype != np.asarray(numpys).dtype:
        return False
    return np.allclose(ours, numpys, rtol=rtol, atol=1e-6 * rtol, equal_nan=True)


def by_position(func, kwargs):
    """The same call with as many settings by position as NumPy allows."""
    parameters = [*signature_of(func).parameters.values()][1:]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    given = [*itertools.takewhile(lambda name: name in kwargs, names)]
    return [kwargs[name] for name in given], {k: v for k, v in kwargs.items() if k not in given}


# Older versions of NumPy refuse norms of empty matrices that newer ones, as we do, take to be 0.
EMPTY_REFUSED = [np.linalg.norm] if isinstance(outcome(np.linalg.norm, np.zeros((0, 0)), 1), ValueError) else []


def backward(y):
    """Whether the gradient can be sent back through a result, wherever there is one."""
    ys = y if isinstance(y, (list, tuple)) else [y]
    for y in ys:
        if isinstance(y, Variable) and y.creator is not None:
            np.sum(np.abs(y) if y.dtype.kind == "c" else y).backward()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("func", CALLS, ids=lambda f: f.__name__)
def test_a_call_gives_what_numpy_gives(func):
    wrong = []
    for shape in [*SHAPES, *(MATRICES if func.__module__ == "numpy.linalg" else ())]:
        for kwargs in CALLS[func](shape):
            a = array(shape)
            for args, named in [([], kwargs), by_position(func, kwargs)]:
                x = Variable(a)
                ours, numpys = outcome(func, x, *args, **named), outcome(func, a, *args, **named)
                if func in EMPTY_REFUSED and not a.size and isinstance(numpys, ValueError):
                    continue
                if not same(ours, numpys):
                    wrong.append((shape, args, named, ours))
                elif not isinstance(ours, Exception) and isinstance(failed := outcome(backward, ours), Exception):
                    if not isinstance(failed, np.linalg.LinAlgError):
                        wrong.append((shape, args, named, "backward", failed))
                elif not isinstance(ours, Exception) and x.grad is not None:
                    assert x.grad.shape == a.shape
    assert wrong == []


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Arrays of 2-dimensional vectors are deprecated")
@pytest.mark.parametrize("func", PAIRS, ids=lambda f: f.__name__)
def test_a_call_with_two_arrays_gives_what_numpy_gives(func):
    wrong = []
    for one, other, kwargs in itertools.product(SHAPES, SHAPES, PAIRS[func]):
        a, b = array(one), array(other)
        expected = outcome(func, a, b, **kwargs)
        for x, z in [(Variable(a), Variable(b)), (Variable(a), b), (a, Variable(b))]:
            ours = outcome(func, x, z, **kwargs)
            if not same(ours, expected):
                wrong.append((one, other, kwargs, ours))
            elif not isinstance(ours, Exception) and isinstance(failed := outcome(backward, ours), Exception):
                wrong.append((one, other, kwargs, "backward", failed))
    assert wrong == []


@pytest.mark.parametrize("func", SEQUENCES, ids=lambda f: f.__name__)
def test_a_call_with_a_sequence_gives_what_numpy_gives(func):
    wrong = []
    for shapes in [*itertools.product(SHAPES, SHAPES), *((s,) for s in SHAPES), ()]:
        arrays = [array(s) for s in shapes]
        for kwargs in SEQUENCES[func]:
            ours = outcome(func, [Variable(a) for a in arrays], **kwargs)
            if not same(ours, outcome(func, arrays, **kwargs)):
                wrong.append((shapes, kwargs, ours))
            elif (
                arrays and not isinstance(ours, Exception) and isinstance(failed := outcome(backward, ours), Exception)
            ):
                wrong.append((shapes, kwargs, "backward", failed))
    assert wrong == []


def test_every_function_of_the_table_is_compared():
    ours = {f for f in {*PULLBACKS, *COMPOSITIONS} if str(getattr(f, "__module__", "")).startswith("numpy")}
    ours = {f for f in ours if not isinstance(f, np.ufunc)}
    assert ours == {*CALLS, *PAIRS, *SEQUENCES, *ELSEWHERE}


@pytest.mark.parametrize("func", [*CALLS, *PAIRS, *SEQUENCES, np.where], ids=lambda f: f.__name__)
def test_a_setting_that_no_rule_supports_is_refused_by_one_sentence(func):
    parameters = signature_of(func).parameters
    unsupported = UNSUPPORTED | {name: not p.default for name, p in parameters.items() if name in ("subok", "copy")}
    names = set(parameters) & set(unsupported)
    rule = COMPOSITIONS.get(func)
    known = set(inspect.signature(rule).parameters) if rule else set(inspect.signature(PULLBACKS[func][-1]).parameters)
    x = Variable(np.eye(3))
    args = [[x, x]] if func in SEQUENCES else [x, x] if func in PAIRS else [x > 0, x, x] if func is np.where else [x]
    kwargs = CALLS[func]((3, 3))[0] if func in CALLS else {}
    for name in names - known:
        with pytest.raises(TypeError, match=rf"{func.__name__}: its rule does not support {name}="):
            func(*args, **{**kwargs, name: unsupported[name]})


@pytest.mark.parametrize("func", [*CALLS, *PAIRS, *SEQUENCES], ids=lambda f: f.__name__)
def test_a_call_that_does_not_fit_is_answered_by_name(func):
    x = Variable(np.eye(3))
    for kwargs in ({"nonsense": 1}, {"axiss": 0}):
        with pytest.raises(TypeError, match=func.__name__):
            func([x, x] if func in SEQUENCES else x, *([x] if func in PAIRS else []), **kwargs)


def test_where_needs_both_values_and_takes_them_by_position():
    x, m = Variable([1.0, 2.0]), np.array([True, False])
    assert np.where(m, x, 0.0).tolist() == [1.0, 0.0]
    assert [i.tolist() for i in np.where(x > 1)] == [[1]]
    for wrong in (lambda: np.where(condition=m, x=x, y=x), lambda: np.where(m, x)):
        with pytest.raises((TypeError, ValueError)):
            wrong()


SELECTIONS = [
    lambda x, z: np.select([x > 0, z > 0], [x, z]),
    lambda x, z: np.select([x > 0, z > 0], [x, 2], default=-1),
    lambda x, z: np.select([x > 0], [x, z]),
    lambda x, z: np.select([], []),
    lambda x, z: np.select([[1, 0, 1]], [x]),
    lambda x, z: np.select(condlist=[True, x > 0], choicelist=[z[0], x]),
    lambda x, z: np.choose([0, 1, 1], [x, z]),
    lambda x, z: np.choose([0, 2, 1], (x, z, 7)),
    lambda x, z: np.choose(np.array([[0], [1]]), [x, z]),
    lambda x, z: np.choose([0, 1, 5], [x, z]),
    lambda x, z: np.choose([0, -1, 5], [x, z], mode="wrap"),
    lambda x, z: np.choose([0, -1, 5], [x, z], mode="clip"),
    lambda x, z: np.choose([0, 1], [x, z]),
    lambda x, z: np.choose(1, [x, z]),
    lambda x, z: np.choose([0.5, 1, 1], [x, z]),
    lambda x, z: np.choose([1, 0, 1], np.stack([x, z])),
    lambda x, z: np.piecewise(x, x > 0, [np.exp, 2]),
    lambda x, z: np.piecewise(x, [x > 0, x < 9, x > 1], [np.exp, lambda x: x * 2, 3.0]),
    lambda x, z: np.piecewise(x, [x > 0], [lambda x, k, b: k * x + b], 2, b=3),
    lambda x, z: np.piecewise(x, [x > 0], []),
    lambda x, z: np.var(x, mean=0.1),
    lambda x, z: np.var(x, mean=[0.1], axis=0, ddof=1, keepdims=True),
    lambda x, z: np.std(x, mean=z.sum(keepdims=True), where=z > -0.5, dtype=np.float32),
    lambda x, z: np.std(x, mean=0.1, ddof=1, correction=1),
    lambda x, z: np.interp(x, np.sort(z), z, left=1),
    lambda x, z: np.interp(0.2, np.sort(z), z),
    lambda x, z: np.interp(x, z[:2], z),
    lambda x, z: np.divmod(x, z),
    lambda x, z: np.divmod([1.0, 2.0, 3.0], z),
    lambda x, z: (divmod(x, 0.3), divmod(0.7, z), x // 0.3, 0.7 // z, 0.7 % z),
    lambda x, z: (np.modf(3 * x), np.frexp(z)),
    lambda x, z: (x.clip(0), x.clip(max=0.1), x.clip(-0.1, 0.1)),
    lambda x, z: (x.real, z.conj(), z.conjugate(), x.cumprod(), x.round(1)),
    lambda x, z: (x.reshape(3, 1, order="F"), z.reshape((1, 3), copy=True), np.reshape(x, -1, copy=False)),
    lambda x, z: (x.astype(np.float32, copy=False), np.astype(z, np.float16, copy=False), x.item(0), z.item(-1)),
    lambda x, z: (np.add(x, [1, 2, 3], dtype="f4"), np.power(2, z, dtype=np.float32), np.matmul(x, z, dtype="f4")),
    lambda x, z: np.multiply(x, z, None, where=True, casting="same_kind", order="K", subok=True, dtype=None),
    lambda x, z: (x.sum(0, np.float32), x.mean(0, None, None, True), x.max(0, None, True)),
    lambda x, z: (x.var(0, None, None, 1, keepdims=True), x.prod(0, None, None, True, 2.0), z.min(0, None, False, 0.1)),
    lambda x, z: (x.sum(None, dtype=np.float32), x.prod(0, keepdims=1), x.std(ddof=1), x.min(keepdims=np.True_)),
    lambda x, z: np.hypot(*np.ix_(x, z[:2])) + np.ones((3, 3))[np.ix_([0, 2, 1], z[:2] > 0)],
    lambda x, z: np.cov(x, aweights=np.abs(z).astype(np.float32)),
    lambda x, z: (x.argpartition(1), x.nonzero(), x.searchsorted(0.1), np.std(x, mean=z)),
]


@pytest.mark.parametrize("f", SELECTIONS)
def test_what_a_function_makes_of_two_arrays(f):
    a, b = np.array([0.3, -0.7, 0.9]), np.array([-0.2, 0.4, 1.4])
    expected = outcome(f, a, b)
    for x, z in [(Variable(a), Variable(b)), (Variable(a), b), (a, Variable(b))]:
        ours = outcome(f, x, z)
        assert same(ours, expected), (ours, expected)
        assert isinstance(ours, Exception) or not isinstance(outcome(backward, ours), Exception)


REDUCE = [np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp]
OUTER = [np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.hypot, np.fmod, np.copysign, np.greater]


@pytest.mark.parametrize("ufunc", REDUCE, ids=lambda f: f.__name__)
def test_a_reduction_by_a_ufunc_gives_what_numpy_gives(ufunc):
    settings = [{}, *REDUCED, {"initial": 0.5, "axis": None}, {"where": [True], "initial": 0.1}, {"dtype": float}]
    for shape, kwargs in itertools.product(SHAPES, settings):
        if ufunc is np.logaddexp and not {"axis", "keepdims"} >= set(kwargs):
            continue
        a = array(shape)
        ours, numpys = outcome(ufunc.reduce, Variable(a), **kwargs), outcome(ufunc.reduce, a, **kwargs)
        if isinstance(ours, TypeError) and "dtype" in kwargs:
            continue  # Of np.max and its kin, which have none.
        assert same(ours, numpys), (shape, kwargs, ours, numpys)
        assert isinstance(ours, Exception) or not isinstance(outcome(backward, ours), Exception)


@pytest.mark.parametrize("ufunc", REDUCE[:4], ids=lambda f: f.__name__)
def test_an_accumulation_by_a_ufunc_gives_what_numpy_gives(ufunc):
    for shape, kwargs in itertools.product(SHAPES, [{}, *ALONG, {"dtype": np.float32}]):
        a = array(shape)
        ours, numpys = outcome(ufunc.accumulate, Variable(a), **kwargs), outcome(ufunc.accumulate, a, **kwargs)
        if not shape:
            assert isinstance(ours, TypeError) and isinstance(numpys, TypeError | ValueError)
            continue
        assert same(ours, numpys), (shape, kwargs, ours, numpys)
        assert isinstance(ours, Exception) or not isinstance(outcome(backward, ours), Exception)


@pytest.mark.parametrize("ufunc", OUTER, ids=lambda f: f.__name__)
def test_an_outer_product_by_a_ufunc_gives_what_numpy_gives(ufunc):
    for one, other in itertools.product(SHAPES, SHAPES):
        a, b = np.abs(array(one)) + 0.1, np.abs(array(other)) + 0.2
        for x, z in [(Variable(a), Variable(b)), (Variable(a), b), (a, Variable(b))]:
            ours = ufunc.outer(x, z)
            assert same(ours, ufunc.outer(a, b))
            backward(ours)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("ufunc", sorted({f for f in [*RULES, *SCIPY] if isinstance(f, np.ufunc)}, key=repr), ids=repr)
def test_a_ufunc_in_another_dtype_gives_what_numpy_gives(ufunc):
    for asked, dtype in itertools.product([np.float16, "f4", np.dtype(float)], [np.float16, np.float32, float, int]):
        args = [np.array([[0.5, 0.25], [0.75, 0.5]]).astype(dtype) + (dtype is int)] * ufunc.nin
        ours = outcome(ufunc, *map(Variable, args), dtype=asked)
        if "does not support dtype" in str(ours):  # Some have no such float, or take an integer beside it.
            mixed = any("f" in types and "i" in types for types in ufunc.types)
            assert mixed or not any(np.dtype(asked).char in types for types in ufunc.types)
        elif "an order or a shape" not in str(ours):
            assert same(ours, outcome(ufunc, *args, dtype=asked), rtol=1e-3), (asked, dtype)
            assert isinstance(ours, Exception) or not isinstance(outcome(backward, ours), Exception), (asked, dtype)


def test_a_ufunc_that_leaves_elements_out_says_what_to_write():
    x = Variable([1.0, 2.0])
    for ufunc, *args in [(np.add, x, x), (np.exp, x), (np.copysign, x, 1), (np.maximum, x, x)]:
        with pytest.raises(TypeError, match=r"where=; write np\.where\(mask, y, 0\)"):
            ufunc(*args, where=x > 1)


PYTHON = [
    (lambda x: np.full(3, x[0]), "np.full_like"),
    (lambda x: np.r_[x, 1.0], "np.concatenate"),
    (lambda x: np.c_[x, x], "np.column_stack"),
    (lambda x: np.vectorize(lambda v: v * v)(x), "whole arrays"),
    (lambda x: np.array([x, x]), "np.stack"),
    (lambda x: np.frompyfunc(lambda v: v * 2, 1, 1)(x), r"^<lambda>.*: no rule"),
    (lambda x: x.sort(), r"v = np\.sort"),
    (lambda x: x.partition(1), r"v = np\.partition"),
    (lambda x: x.fill(0), r"np\.full_like"),
    (lambda x: x.strides, r"v\.data\.strides"),
]


@pytest.mark.parametrize(("f", "remedy"), PYTHON)
def test_what_cannot_be_recorded_says_what_to_write(f, remedy):
    with pytest.raises((TypeError, AttributeError), match=remedy):
        f(Variable([0.3, -0.7, 0.9]))


WIDENED = [
    lambda x: np.modf(x),
    lambda x: np.poly(x),
    lambda x: np.average(x, returned=True),
    lambda x: np.average(x, weights=np.arange(1, 4), returned=True),
    lambda x: np.average(x, weights=x, returned=True),
    lambda x: np.full_like(x, x[0]),
    lambda x: x.copy(),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int8, bool])
@pytest.mark.parametrize("f", WIDENED)
def test_of_integers_comes_the_dtype_that_comes_from_numpy(f, dtype):
    a = np.array([1, 0, 2]).astype(dtype)
    assert same(outcome(f, Variable(a)), outcome(f, a)), (outcome(f, Variable(a)), outcome(f, a))


def test_a_deviation_from_a_given_mean_is_flat_where_all_are_equal():
    x = Variable(np.ones(3))
    np.std(x, mean=np.mean(x, keepdims=True)).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_a_polynomial_that_its_samples_do_not_determine_is_warned_of():
    for x in (np.ones(3), Variable(np.ones(3))):
        with pytest.warns(np.exceptions.RankWarning, match="poorly conditioned"):
            np.polyfit(x, [0.0, 1.0, 2.0], 1)


NUMBERS = [2, 2.0, True, np.float32(2), np.float64(2), np.array(2.0), [1, 2, 1], [1.0, 2.0, 1.5], np.int8([1, 2, 1])]
UFUNCS = [f for f in [*RULES, *SCIPY] if isinstance(f, np.ufunc) and f.nin == 2 and not f.signature]
UFUNCS.sort(key=repr)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_a_ufunc_takes_any_kind_of_number_beside_a_variable(ufunc):
    for dtype, other, turned in itertools.product([np.float16, np.float32, np.float64, np.int32], NUMBERS, [0, 1]):
        x = np.array([0.5, 0.25, 0.75]).astype(dtype) + (dtype is np.int32) * np.int32(2)
        args = (other, x) if turned else (x, other)
        ours = outcome(ufunc, *(Variable(a) if a is x else a for a in args))
        if "an order or a shape" not in str(ours):  # Of SciPy's functions of an order, which is a constant.
            assert same(ours, outcome(ufunc, *args)), (args, ours)
            assert isinstance(ours, Exception) or not isinstance(outcome(backward, ours), Exception), args


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int8, bool])
@pytest.mark.parametrize("func", CALLS, ids=lambda f: f.__name__)
def test_a_call_of_another_dtype_gives_what_numpy_gives(func, dtype):
    shapes = [(), (3,), (2, 3), (0, 3)] if func.__module__ == "numpy" else [(3,), (2, 3), (3, 3), (0, 3)]
    for shape in shapes:
        for kwargs in CALLS[func](shape):
            a = np.asarray(array(shape) * 3).astype(dtype)
            ours, numpys = outcome(func, Variable(a), **kwargs), outcome(func, a, **kwargs)
            assert same(ours, numpys, rtol=5e-3 if dtype is np.float16 else 1e-5), (shape, kwargs, ours, numpys)
            if dtype is not bool and not isinstance(ours, Exception):
                assert not isinstance(failed := outcome(backward, ours), Exception), (shape, kwargs, failed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("func", [f for f in CALLS if f is not np.full_like], ids=lambda f: f.__name__)
def test_every_way_to_call_has_the_right_gradient_to_second_order(func):
    for shape in [(3,), (2, 3), (2, 3, 4)]:
        for kwargs in CALLS[func](shape):
            a = array(shape)
            y = outcome(func, Variable(a), **kwargs)
            if isinstance(y, Variable) and y.creator and np.isfinite(y.data).all() and y.dtype == np.float64:
                with np.errstate(all="ignore"):
                    assert gradient_check(lambda x, kwargs=kwargs: func(x, **kwargs), a, order=2), kwargs


def test_what_binds():
    assert bind(np.sum, (1, 0), {}, 1) == ([1], {"axis": 0})
    assert bind(np.einsum, ("i->", 1), {}, 0) == (["i->", 1], {})
    assert bind(np.pad, (1, 2), {"constant_values": 3}, 1) == ([1], {"pad_width": 2, "constant_values": 3})
