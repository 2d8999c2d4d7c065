"""Where an array is: in NumPy's memory, or on a device, as an array of another library that obeys NumPy's protocols.

That library is CuPy, and the device a GPU. Nothing else in this package knows it. Functions and rules call NumPy, which
hands the call to the arrays; what they make anew they make `like=` the arrays that they were given, or `beside` them.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

DEVICES: set[type] = set()
"""The classes of arrays on devices that have been met so far."""


class _Known(dict[type, bool]):
    """For each class whether it is one of arrays with NumPy's protocol whose elements must be fetched, with `get()`."""

    def __missing__(self, cls: type) -> bool:
        like_numpy = hasattr(cls, "__array_function__") and not issubclass(cls, np.ndarray)
        self[cls] = found = like_numpy and hasattr(cls, "get")
        DEVICES.update([cls] if found else [])
        return found


_known = _Known()


def on_device(x: Any) -> bool:
    """Whether x is an array on a device.

    >>> on_device(np.ones(2)), on_device(2.0)
    (False, False)
    """
    return type(x) is not np.ndarray and _known[type(x)]


def device_of(*xs: Any) -> Any:
    """The first of the arrays and Variables xs that is on a device; None if all are NumPy's."""
    return next((x for x in (getattr(x, "_array", x) for x in xs) if on_device(x)), None)


def array_class(x: Any) -> type:
    """The class of arrays that x, an array, a number or several outputs, belongs to: NumPy's or that of a device."""
    x = x[0] if isinstance(x, tuple) else x
    return type(x) if on_device(x) else np.ndarray


def beside(x: Any, *others: Any) -> Any:
    """The array, list or number x as an array, on the device where one of `others` is, if any is on one.

    >>> beside([1.0, 2.0], np.ones(2))
    array([1., 2.])
    """
    device = device_of(*others)
    return x if on_device(x) else np.asarray(x, like=device)


def fetched(x: Any) -> Any:
    """x in NumPy's memory: copied if it is on a device, as it is otherwise. Of several outputs, each."""
    if isinstance(x, tuple):
        return x if device_of(*x) is None else type(x)(map(fetched, x))
    return x.get() if on_device(x) else x


def apart(name: str, xs: Iterable[Any]) -> TypeError | None:
    """An error in the name of the function `name` if some of its arguments are on a device and others are NumPy's."""
    arrays = [a for a in (getattr(x, "_array", x) for x in xs) if on_device(a) or isinstance(a, np.ndarray)]
    here = next((a for a in arrays if not on_device(a)), None)
    if any(getattr(type(a), "beside_numpys", False) for a in arrays):  # Those of a program that is being recorded.
        return None
    if here is None or all(a is here or not on_device(a) for a in arrays):
        return None
    return TypeError(
        f"{name}: expected arrays in one place, got one on the GPU and one of NumPy's, of shape {here.shape}; "
        f"move it with to_gpu() of the Variable, model or loader, or with cuda.as_cupy(a)"
    )


class NotOnDevice(TypeError):
    """What is asked of an array on a device is not there."""


# What the library of the device says where it lacks something, and what that is.
_LACKING = {
    r"no implementation found for 'numpy\.([\w.]+)'": r"np.\1",
    r"NotImplemented from __array_ufunc__\(<ufunc '_?(\w+)'>, '__call__'": r"\1",
    r"NotImplemented from __array_ufunc__\(<ufunc '_?(\w+)'>, '(\w+)'": r"\1.\2",
    r"unexpected keyword argument '(\w+)'": r"\1=",
    r"'(\w+)' method is not yet supported": r'method="\1"',
    r"expected arrays in one place|Implicit conversion|Unsupported type": "way to do it",
    r"Wrong arguments|positional argument|[Nn]ot (yet )?supported": "way to do it",
}


def refusal(name: str, xs: Iterable[Any], error: Exception) -> TypeError | None:
    """What to say of an `error` in the function `name`, if it comes of where its arguments are; otherwise None."""
    arrays = [getattr(x, "_array", x) for x in xs]
    if isinstance(error, NotOnDevice) or all(array_class(a) is np.ndarray for a in arrays):
        return None
    if type(error) is TypeError and (mixed := apart(name, arrays)):
        return mixed
    found = next((m for pattern in _LACKING if (m := re.search(pattern, str(error)))), None)
    if found is None and not isinstance(error, NotImplementedError):
        return None
    lacking = found.expand(_LACKING[found.re.pattern]) if found else "way to do it"
    return NotOnDevice(
        f"{name}: not on a GPU, where CuPy has no {lacking}; compute it in NumPy's memory, "
        f"on x.to_cpu() or cuda.as_numpy(a)"
    )


def require_gpu() -> Any:
    """CuPy, which is imported when it is first needed. Raises RuntimeError where it is missing or finds no GPU."""
    try:
        import cupy  # type: ignore[import-not-found,unused-ignore]

        if cupy.cuda.is_available():
            return cupy
    except ImportError:
        pass
    raise RuntimeError(
        "there is no GPU that CuPy can use here; ask tinygrad_jp.cuda.gpu_enable first, "
        "and where there is one, pip install 'tinygrad_jp[gpu]'"
    )


def sent(x: Any) -> Any:
    """The array x on the GPU."""
    return x if on_device(x) else require_gpu().asarray(x)
