"""The peers, a module each.

Its table `WORKS` names for each work it can do a function. That takes what `works.WORKS` prepares, which it must not
change, and returns two functions: `step()` does one training step and returns the loss, `look()` returns the arrays
to be compared after a step: the gradients, or where those are given the weights.
"""

import importlib
import warnings

PEERS = ("tinygrad_jp", "hand", "torch", "micrograd", "autograd", "dezero")


def load(peer):
    """The works of a peer; none if it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(f"{__name__}.{peer}").WORKS
    except ModuleNotFoundError as error:
        if error.name != peer:
            raise
        return {}
