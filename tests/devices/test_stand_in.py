"""The stand-in is as strict as CuPy, whose names and signatures it has."""

import importlib
import inspect
import operator
import pickle

import numpy as np
import pytest

from tests import device
from tests.device import COUNTS, SIGNATURES, UFUNCS, DeviceArray


@pytest.fixture
def x():
    return device.cupy.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_it_is_no_array_of_numpys_and_becomes_none_in_silence(x):
    assert not isinstance(x, np.ndarray)
    for convert in (np.asarray, np.array, lambda a: np.ones(3).dot(a), lambda a: np.ascontiguousarray(a)):
        with pytest.raises(TypeError, match="Implicit conversion"):
            convert(x)


@pytest.mark.parametrize("op", [operator.add, operator.mul, operator.matmul, np.maximum, np.arctan2, np.dot, np.append])
def test_it_refuses_to_meet_arrays_of_numpys(op, x):
    for pair in ((x, np.ones(3)), (np.ones(3), x)):
        with pytest.raises(TypeError):
            op(*pair)


@pytest.mark.parametrize("number", [2, 2.0, np.float64(2), np.float32(2), np.int64(2), True])
def test_numbers_may_stand_beside_it(number, x):
    np.testing.assert_array_equal((x * number).get(), x.get() * number)
    np.testing.assert_array_equal((number - x).get(), number - x.get())


def test_a_reduction_gives_an_array_of_no_axes(x):
    for y in (x.sum(), np.max(x), x[0, 0], np.vdot(x, x), np.linalg.norm(x), np.array_equal(x, x)):
        assert type(y) is DeviceArray and y.shape == ()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.reshape(x, shape=(3, 2)),
        lambda x: np.var(x, mean=x),
        lambda x: np.vecdot(x, x),
        lambda x: np.take(x, 0, mode="wrap"),
        lambda x: x.max(axis=0, initial=0),
        lambda x: np.ones(2, like=x),
        lambda x: np.full(2, 1.0, like=x),
        lambda x: np.eye(2, like=x),
        lambda x: np.linalg.slogdet(x @ x.T).logabsdet,
        lambda x: np.add.at(x, ([0, 1],), 1.0),
        lambda x: np.add(x, x, where=x > 1),
        lambda x: operator.index(x[0, 0].astype(int)),
        lambda x: np.lib.array_utils.byte_bounds(x),
    ],
)
def test_what_cupy_lacks_it_lacks(call, x):
    with pytest.raises((TypeError, AttributeError)):
        call(x)


def test_it_counts_what_waits_and_what_is_sent(x):
    before = dict(COUNTS)
    np.tanh(x @ x.T).sum()
    assert before == COUNTS
    float(x.sum()), bool(x.any()), x.get(), x[x > 2]
    assert COUNTS["waits"] == before["waits"] + 4
    np.asarray([1.0], like=x), x[[0, 1]], x[np.array([1])]
    assert COUNTS["uploads"] == before["uploads"] + 3


def test_it_can_be_copied(x):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(x)).get(), x.get())


def test_names_and_signatures_are_cupys():
    cupy = pytest.importorskip("cupy")
    special = importlib.import_module("cupyx.scipy.special")
    for name in UFUNCS:
        assert hasattr(cupy, name) or hasattr(special, name)
    for name, ours in SIGNATURES.items():
        path, _, last = name.rpartition(".")
        theirs = getattr(importlib.import_module("cupy.linalg" if path == "linalg" else "cupy.fft"), last, None)
        theirs = theirs if path in ("linalg", "fft") else operator.attrgetter(name)(cupy)
        if ours is None or path == "ndarray" or "settings" in ours.parameters:
            continue  # Compiled: they do not tell their signatures.
        assert list(ours.parameters) == list(inspect.signature(theirs).parameters), name
