"""The peers, a module each; its table `STEPS` names a generator function for each kind of work that it can do.

The arguments are what `works.WORKS` prepares, and must not be changed. Each `next` does one training step and yields
the loss, a number, and the arrays to be compared: the gradients, or the weights where the gradients are given.
"""

import importlib
import warnings

PEERS = ("tinygrad_jp", "compiled", "compiled_in_rows", "hand", "torch", "jax", "micrograd", "autograd", "dezero")


def load(peer):
    """The table of a peer; None if the library is not installed."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return importlib.import_module(f"{__name__}.{peer}").STEPS
    except ModuleNotFoundError as error:
        if error.name != peer:
            raise
        return None
