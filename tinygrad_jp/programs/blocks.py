"""Memory for the results of a program, which is used again as soon as it can be."""

from typing import Any

import numpy as np


class Memory:
    """Blocks of bytes, which are used again when what was in them is not needed any more."""

    def __init__(self) -> None:
        self.free: list[Any] = []
        self.size = 0

    def array_like(self, data: Any) -> tuple[Any, Any]:
        """An array of the shape, the dtype and the order in memory of `data`, and the block it lies in."""
        fitting = [b for b in self.free if data.nbytes <= b.nbytes <= 2 * data.nbytes + 64]
        if fitting:
            block = min(fitting, key=len)
            self.free = [b for b in self.free if b is not block]
        else:
            block = _aligned(data.nbytes)
            self.size += block.nbytes
        return _laid_out(block, data), block


def _aligned(nbytes: int) -> Any:
    """Bytes that begin at a multiple of 64, where vector instructions like them."""
    raw = np.empty(nbytes + 64, np.uint8)
    start = -raw.__array_interface__["data"][0] % 64
    return raw[start : start + nbytes]


def _laid_out(block: Any, data: Any) -> Any:
    order = sorted(range(data.ndim), key=lambda i: (-abs(data.strides[i]), i))
    flat = block[: data.nbytes].view(data.dtype)
    return flat.reshape([data.shape[i] for i in order]).transpose(np.argsort(order))
