"""Memory of freed arrays: kept for the arrays that follow, or given up for good."""

import os

from tinygrad_jp.kinds import Array, np


def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed arrays, instead of returning it to the operating system.

    With glibc, arrays of 128 kB to 32 MB go back to the operating system when they are freed, and the next step of a
    training loop has to fetch their pages again: a third of its time in a small convolutional network. Freeing one
    array of 31 MB raises that limit for the whole process, as in any program that frees a large array. The array is
    never touched, so this takes microseconds and no memory. Later on, the process may keep some 30 MB more. With other
    C libraries this does nothing.

    `import tinygrad_jp` does this, unless the environment variable `TINYGRAD_JP_KEEP_MEMORY` is 0.

    >>> keep_freed_memory()
    """
    np.empty(31 << 20, np.uint8)


def released(x: Array) -> Array:
    """NaN in the shape of x, in no memory: it takes the place of an array whose memory has been used again.

    >>> released(np.ones((2, 2))).sum(), is_released(released(np.ones((2, 2))))
    (np.float64(nan), True)
    """
    return np.broadcast_to(x.dtype.type(np.nan), x.shape)


def is_released(x: Array) -> bool:
    """Whether x is what `released` returned."""
    return isinstance(x, np.ndarray) and x.size > 1 and not any(x.strides) and bool(np.isnan(x.flat[0]))


if os.environ.get("TINYGRAD_JP_KEEP_MEMORY") != "0":
    keep_freed_memory()
