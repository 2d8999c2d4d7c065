"""DeZero: the lines of `peers.tinygrad_jp`. Where float32 meets its constants and labels, it goes on in float64."""

from unittest.mock import patch

import numpy as np

from tests.benchmarks.peers.tinygrad_jp import steps

with patch.object(np, "int", int, create=True):  # DeZero 0.0.13 asks for np.int, which NumPy has given up.
    import dezero.models

STEPS = steps(dezero)
del STEPS["convolution"]  # Its gradients part from those of the others by 0.2 % here, so it is not timed.
