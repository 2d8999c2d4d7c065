import importlib
import os
import sys
from contextlib import suppress

import numpy as np
import pytest

from tests import cases, device


def _real():
    """CuPy, where it finds a GPU. With TINYGRAD_JP_GPU=1 it must."""
    with suppress(ImportError):
        cupy = importlib.import_module("cupy")
        if cupy.cuda.is_available():
            return cupy
    if os.environ.get("TINYGRAD_JP_GPU") == "1":
        raise RuntimeError("TINYGRAD_JP_GPU=1, but CuPy finds no GPU")
    return None


PLACES = {"stand-in": device.cupy} | ({"CuPy": _real()} if _real() else {})


@pytest.fixture(params=PLACES)
def cupy(request, monkeypatch):
    """The stand-in, and CuPy itself where there is a GPU: what `import cupy` gives to the library."""
    module = PLACES[request.param]
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.fixture
def close(cupy):
    """Whether an array on the device equals one of NumPy's, up to what a GPU rounds otherwise."""
    tolerance = 1e-10 if cupy is device.cupy else 1e-7

    def check(on_device, host):
        assert type(on_device) is cupy.ndarray and on_device.dtype == host.dtype and on_device.shape == host.shape
        loose = max(tolerance, 1e-4 if host.dtype == np.float32 else 0)
        np.testing.assert_allclose(on_device.get(), host, rtol=loose, atol=loose)

    return check


class NumpyThere:
    """NumPy for the cases' constants: its arrays are made on the device."""

    def __init__(self, place):
        self.place = place

    def __getattr__(self, name):
        found = getattr(np, name)
        if name in ("float32", "float64"):  # They make arrays, too, and are dtypes as well.
            return type(name, (found,), {"__new__": lambda cls, *args: self.made(found(*args))})
        if isinstance(found, type | np.ufunc) or not callable(found):
            return found
        return lambda *args, **settings: self.made(found(*args, **settings))

    def made(self, y):
        return self.place(y) if type(y) is np.ndarray else y


@pytest.fixture
def constants_there(cupy, monkeypatch):
    """The constants of the cases, on the device, too."""

    def move():
        for name, value in vars(cases).copy().items():
            if isinstance(value, np.ndarray):
                monkeypatch.setattr(cases, name, cupy.asarray(value))
        for case in cases.CASES:  # And those that a loop gave to a case.
            if any(isinstance(value, np.ndarray) for value in getattr(case.f, "__defaults__", None) or ()):
                there = tuple(cupy.asarray(v) if isinstance(v, np.ndarray) else v for v in case.f.__defaults__)
                monkeypatch.setattr(case.f, "__defaults__", there)
        monkeypatch.setattr(cases, "np", NumpyThere(cupy.asarray))

    return move
