"""A remedy for memory that is given back too soon."""

import numpy as np


def keep_freed_memory() -> None:
    """Let the C library keep the memory that arrays leave, for the arrays that come after them.

    Under glibc, arrays of 128 kB to 32 MB that are freed go back to the operating system, and the next step of a
    training loop pays for getting their pages again: in a small convolutional network up to half of its time. One array
    of 31 MB, made and freed, lifts that threshold. It concerns the whole process, which may hold some 30 MB more from
    then on, so that it is left to you: call it once, before training. Elsewhere it does nothing.

    >>> keep_freed_memory()
    """
    np.empty(31 << 20, np.uint8)
