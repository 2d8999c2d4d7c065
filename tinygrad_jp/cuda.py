"""DeZero's `cuda`: arrays on a GPU, which are CuPy's.

    from tinygrad_jp import cuda
    if cuda.gpu_enable:
        model.to_gpu()
        loader.to_gpu()

The derivatives are the same text: CuPy obeys NumPy's protocols. It is imported when it is first asked for.
"""

from types import ModuleType
from typing import Any

from tinygrad_jp.core import ArrayLike, Variable
from tinygrad_jp.devices import fetched, on_device, require_gpu, sent
from tinygrad_jp.kinds import np

__all__ = ["as_cupy", "as_numpy", "get_array_module", "gpu_enable"]

gpu_enable: bool  # Whether there is a GPU that CuPy can use: found out by __getattr__.


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name == "cupy":
        return require_gpu()
    if name != "gpu_enable":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return bool(require_gpu())
    except RuntimeError:
        return False


def get_array_module(x: ArrayLike) -> ModuleType:
    """CuPy if x, an array or a Variable, is on a GPU, otherwise NumPy."""
    module: ModuleType = require_gpu() if on_device(_data(x)) else np
    return module


def as_numpy(x: ArrayLike) -> Any:
    """The array of x, which may be a Variable, an array or a number, in NumPy's memory.

    >>> as_numpy(Variable([1.0, 2.0]))
    array([1., 2.])
    """
    return np.asarray(fetched(_data(x)))


def as_cupy(x: ArrayLike) -> Any:
    """The array of x, which may be a Variable, an array or a number, on the GPU. Raises RuntimeError without one."""
    return sent(_data(x))


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Variable) else x
