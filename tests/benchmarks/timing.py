"""Time in turns, memory in processes of their own."""

import os


def threads():
    """How many threads NumPy's BLAS takes: what the environment says, else as many as there are cores for us."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name):
            return int(os.environ[name])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
