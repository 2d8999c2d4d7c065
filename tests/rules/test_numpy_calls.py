"""The one door: a call of NumPy on a Variable takes NumPy's arguments, and gives NumPy's result or NumPy's error."""

import inspect
import itertools

import numpy as np
import pytest

from tinygrad_jp import PULLBACKS, Variable
from tinygrad_jp.core.binding import _signature, bind
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


def reshaped(shape):
    n = int(np.prod(shape))
    shapes = (-1, (n,), (n, 1), (1, -1), (7, 5), (-1, -1))
    return [{"shape": s, **more} for s in shapes for more in ({}, {"order": "F"})]


# function → for an array of `shape`, the keyword arguments to call it with. All else is derived from its signature.
CALLS = {
    np.sum: lambda shape: [*REDUCED, {"dtype": np.float32}, {"axis": 0, "dtype": float}],
    np.mean: lambda shape: [*REDUCED, {"dtype": np.float32}],
    np.max: lambda shape: REDUCED,
    np.min: lambda shape: REDUCED,
    np.amax: lambda shape: REDUCED,
    np.amin: lambda shape: REDUCED,
    np.var: lambda shape: [*REDUCED, *({"axis": axis, "ddof": 1} for axis in AXES), {"ddof": 7}],
    np.std: lambda shape: [*REDUCED, *({"axis": axis, "ddof": 1} for axis in AXES), {"ddof": 7}],
    np.prod: lambda shape: REDUCED,
    np.average: lambda shape: [
        *REDUCED,
        *({"axis": axis, "weights": w} for axis in AXES for w in weights(shape) if shape),
        {"weights": np.ones(shape), "returned": True},
    ],
    np.cumsum: lambda shape: ALONG,
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
        for m in ({}, {"constant_values": 7}, *({"mode": m} for m in ("edge", "reflect", "symmetric", "wrap")))
    ],
    np.split: lambda shape: [
        {"indices_or_sections": s, "axis": a} for s in (1, 2, 3, [1], [1, 2], [9]) for a in (0, 1, -1, 5)
    ],
    np.clip: lambda shape: [
        *({"a_min": a, "a_max": b} for a in (None, -0.5, 9.0) for b in (None, 0.5, -9.0)),
        {"min": 0.1, "max": 0.2},
        {},
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
}
# Of sequences of arrays
SEQUENCES = {
    np.concatenate: [{"axis": a} for a in (0, 1, -1, None, 5)] + [{"dtype": np.float32}],
    np.stack: [{"axis": a} for a in (0, 1, -1, -2, 5)],
    np.vstack: [{}, {"dtype": np.float32}],
    np.hstack: [{}],
    np.block: [{}],
    np.linalg.multi_dot: [{}],
}
ELSEWHERE = {np.where, np.einsum}
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


def same(ours, numpys):
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
        return type(ours) is type(numpys) and len(ours) == len(numpys) and all(map(same, ours, numpys))
    ours = ours.data if isinstance(ours, Variable) else ours
    if np.shape(ours) != np.shape(numpys) or np.asarray(ours).dtype != np.asarray(numpys).dtype:
        return False
    return np.allclose(ours, numpys, rtol=1e-6, atol=1e-12, equal_nan=True)


def by_position(func, kwargs):
    """The same call with as many settings by position as NumPy allows."""
    parameters = [*_signature(func).parameters.values()][1:]
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
            np.sum(y).backward()


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
    parameters = _signature(func).parameters
    unsupported = UNSUPPORTED | {name: not p.default for name, p in parameters.items() if name == "subok"}
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


def test_what_binds():
    assert bind(np.sum, (1, 0), {}, 1) == ([1], {"axis": 0})
    assert bind(np.einsum, ("i->", 1), {}, 0) == (["i->", 1], {})
    assert bind(np.pad, (1, 2), {"constant_values": 3}, 1) == ([1], {"pad_width": 2, "constant_values": 3})
