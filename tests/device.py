"""A stand-in for a GPU: arrays that behave as CuPy's do toward NumPy, in the memory of this machine.

It is no GPU and no CuPy, and says nothing of speed or of how numbers are rounded there. It is strict about what goes
wrong first where there is one:

- Its arrays are not `numpy.ndarray`s, and refuse to become ones in silence.
- They refuse to meet arrays of NumPy's. NumPy's and Python's numbers may stand beside them.
- A reduction gives an array of no axes, not a number.
- What CuPy lacks is missing: functions, methods and keywords. device_names.txt lists what there is, and is compared
  with CuPy itself where that is installed.
- They count how often a program waits for them (`COUNTS["waits"]`) and sends arrays to them (`COUNTS["uploads"]`).

`cupy` stands in for the module; `COUNTS` counts for all arrays together.
"""

import functools
import inspect
import operator
import types
from pathlib import Path

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

COUNTS = {"waits": 0, "uploads": 0}
MPI_READS_IT = False  # A test that plays an MPI with access to devices sets it.
WAITING = ("nonzero", "flatnonzero", "argwhere", "unique", "extract", "compress")  # Sizes come from data.
HOST_LISTS = ("axis", "axes", "shape", "newshape", "new_shape", "reps", "pad_width", "shift", "source", "destination",
              "repeats", "indices", "indices_or_sections", "constant_values", "kth", "arrays_and_dtypes",
              "dtype")  # fmt: skip
TRUTHS = (np.allclose, np.array_equal, np.array_equiv)  # NumPy gives bools, CuPy arrays of no axes.


def _known():
    """What CuPy has: its ufuncs, and each function and method with its signature."""
    ufuncs, *lines = (Path(__file__).parent / "device_names.txt").read_text(encoding="utf-8").splitlines()
    signatures = {}
    for line in lines:
        name, opened, parameters = line.partition("(")
        signatures[name] = inspect.signature(eval(f"lambda {parameters[:-1]}: None")) if opened else None
    return set(ufuncs.split()[1:]), signatures


UFUNCS, SIGNATURES = _known()


class DeviceArray(NDArrayOperatorsMixin):
    """An array on the stand-in. `get()` copies it to the host."""

    __array_priority__ = 100

    def __init__(self, host):
        self._host = host

    # ---- NumPy's protocols

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        if ufunc.__name__ not in UFUNCS or (method != "__call__" and ufunc not in (np.add, np.multiply)):
            return NotImplemented
        if not all(_supported(x) for x in inputs):
            return NotImplemented
        if unknown := settings.keys() - {"dtype", "casting", *(("axis",) if method != "__call__" else ())}:
            raise TypeError(f"Wrong arguments {unknown}")
        indices = method in ("at", "reduceat")
        values = [_index(x) if indices and i == 1 else _host(x) for i, x in enumerate(inputs)]
        if method == "at":
            return ufunc.at(*values)
        if out is not None:
            (out,) = out
            getattr(ufunc, method)(*values, out=_host(out), **settings)
            return out
        return _wrapped(getattr(ufunc, method)(*values, **settings))

    def __array_function__(self, func, types, args, settings):
        name = ".".join([*func.__module__.split(".")[1:], func.__name__])
        if name not in SIGNATURES or not all(issubclass(t, (DeviceArray, np.ndarray)) for t in types):
            return NotImplemented
        return _called(func, name, args, settings)

    # ---- Elements

    def __getitem__(self, index):
        return _wrapped(self._host[_index(index)])

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray | list):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self._host[_index(index)] = _host(value)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (_wrapped(x) for x in self._host)

    # ---- What waits for the device

    def get(self):
        COUNTS["waits"] += 1
        return self._host.copy()

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def tobytes(self, order="C"):
        return self.get().tobytes(order)

    def __bool__(self):
        return bool(self.get())

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    def __complex__(self):
        return complex(self.get())

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    def __format__(self, spec):
        return format(self.get(), spec)

    # ---- Copies

    def __copy__(self):
        return DeviceArray(self._host.copy())

    def __deepcopy__(self, memo):
        return DeviceArray(self._host.copy())

    def __reduce__(self):
        return cupy.array, (self.get(),)

    @property
    def base(self):
        return None if self._host.base is None else DeviceArray(self._host.base)

    @property
    def T(self):
        return DeviceArray(self._host.T)

    real, imag = (property(lambda self, name=name: DeviceArray(getattr(self._host, name))) for name in ("real", "imag"))

    @property
    def __cuda_array_interface__(self):
        """Where the memory is, for a library that reads it there, such as an MPI that says so."""
        if not MPI_READS_IT:
            raise AttributeError("this MPI would read the address of a device as one of its own")
        found = self._host.__array_interface__
        return {key: found[key] for key in ("data", "shape", "typestr", "strides")} | {"version": 3}

    @property
    def mT(self):
        return DeviceArray(self._host.mT)

    shape, dtype, ndim, size, nbytes, itemsize, strides, flags = (
        property(lambda self, name=name: getattr(self._host, name))
        for name in ("shape", "dtype", "ndim", "size", "nbytes", "itemsize", "strides", "flags")
    )

    # NumPy's operators come from the mixin; CuPy has no `@=`.
    __imatmul__ = None
    __hash__ = None


def _method(name):
    func = getattr(np.ndarray, name)

    @functools.wraps(func, assigned=("__name__", "__qualname__"))
    def call(self, *args, **settings):
        SIGNATURES[f"ndarray.{name}"].bind(*args, **settings)
        if name in WAITING:
            COUNTS["waits"] += 1
        args, settings = [_argument(a) for a in args], {key: _argument(a) for key, a in settings.items()}
        return _wrapped(func(self._host, *args, **settings))

    return call


for _name, _signature in SIGNATURES.items():
    _name = _name.removeprefix("ndarray.") if _name.startswith("ndarray.") else ""
    if _signature is not None and hasattr(np.ndarray, _name) and _name not in vars(DeviceArray):
        setattr(DeviceArray, _name, _method(_name))


def _supported(x):
    return isinstance(x, DeviceArray | np.ndarray | np.generic | bool | int | float | complex)


def _host(x):
    """The memory of an array of the stand-in; numbers as they are. Arrays of NumPy's are refused, as CuPy does."""
    if isinstance(x, DeviceArray):
        return x._host
    if x is None or isinstance(x, np.generic | bool | int | float | complex):
        return x
    raise TypeError(f"Unsupported type {type(x)}")


def _argument(x):
    """An argument of a function: arrays of the stand-in, also in lists, and whatever is no array."""
    if isinstance(x, DeviceArray):
        return x._host
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    return type(x)([_argument(e) for e in x]) if type(x) in (list, tuple) else x


def _index(index):
    """An index, in which lists and arrays of NumPy's are sent to the device; a mask waits for its number of trues."""
    return tuple(map(_place, index)) if isinstance(index, tuple) else _place(index)


def _place(i):
    if isinstance(i, DeviceArray):
        COUNTS["waits"] += i.dtype == bool
        return i._host
    if isinstance(i, np.ndarray | list):
        COUNTS["uploads"] += 1
        COUNTS["waits"] += np.asarray(i).dtype == bool
    return i


def _called(func, name, args, settings):
    """Call NumPy's function on the memory of the arrays, if CuPy takes these arguments."""
    try:
        given = SIGNATURES[name].bind(*args, **settings).arguments
    except TypeError as error:
        raise TypeError(f"{name}: CuPy has no such signature: {error}") from None
    if name in ("asarray", "array", "asanyarray"):
        return cupy.array(args[0], *args[1:], **settings)
    if name in WAITING or (name == "repeat" and isinstance(given["repeats"], DeviceArray)):
        COUNTS["waits"] += 1
    for key, value in given.items():
        if isinstance(value, list | tuple) and key not in HOST_LISTS and name != "einsum":
            if any(isinstance(e, bool | int | float | np.generic) for e in value):
                raise TypeError(f"{name}: Unsupported type {type(value)} as {key}")
        elif key == "indices" and isinstance(value, np.ndarray):
            COUNTS["uploads"] += 1
            return _wrapped(func(*(a if a is value else _argument(a) for a in args)))
    if name == "einsum":  # It sends what is NumPy's.
        COUNTS["uploads"] += sum(isinstance(a, np.ndarray) for a in args)
        return _wrapped(func(*(_argument(a) if isinstance(a, DeviceArray) else a for a in args), **settings))
    if name in ("sort", "argsort") and given.get("kind") not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    if given.get("method", "linear") not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ValueError(f"'{given['method']}' method is not yet supported. Please use any other method.")
    if name == "piecewise" and any(map(callable, given["funclist"])):
        raise NotImplementedError("Callable functions are not supported currently")
    if name == "linalg.solve" and given["b"].ndim > 1 and given["a"].shape[:-1] != given["b"].shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
    args, settings = [_argument(a) for a in args], {key: _argument(a) for key, a in settings.items()}
    y = func(*args, **settings)
    return DeviceArray(np.asarray(y)) if func in TRUTHS else _wrapped(y)


def _wrapped(y):
    """A result on the stand-in. Of named tuples CuPy gives some as plain ones."""
    if isinstance(y, np.ndarray | np.generic):
        return DeviceArray(np.asarray(y))
    if isinstance(y, tuple):
        return tuple(map(_wrapped, y))
    return list(map(_wrapped, y)) if isinstance(y, list) else y


def _array(x, dtype=None, **settings):
    if isinstance(x, DeviceArray):
        return DeviceArray(np.array(x._host, dtype))
    COUNTS["uploads"] += 1
    return DeviceArray(np.array(x, dtype))


cupy = types.ModuleType("cupy")
cupy.ndarray, cupy.array, cupy.asarray = DeviceArray, _array, _array
cupy.asnumpy = operator.methodcaller("get")


class Stream:
    def synchronize(self):
        COUNTS["waits"] += 1


cupy.cuda = types.SimpleNamespace(is_available=lambda: True, get_current_stream=Stream)
