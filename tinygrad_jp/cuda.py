"""DeZero's `cuda`: arrays are NumPy's here, and `gpu_enable` is False."""

from types import ModuleType
from typing import Any

from tinygrad_jp.core import ArrayLike, Variable
from tinygrad_jp.kinds import np

__all__ = ["as_cupy", "as_numpy", "get_array_module", "gpu_enable"]

gpu_enable = False


def get_array_module(x: ArrayLike) -> ModuleType:
    """NumPy, whatever x is."""
    module: ModuleType = np
    return module


def as_numpy(x: ArrayLike) -> Any:
    """The array of x, which may be a Variable, an array or a number."""
    return x.data if isinstance(x, Variable) else np.asarray(x)


def as_cupy(x: ArrayLike) -> Any:
    raise RuntimeError("as_cupy: arrays are NumPy's here, there is no GPU; ask cuda.gpu_enable first")
