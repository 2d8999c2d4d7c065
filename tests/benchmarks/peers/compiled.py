"""The steps of tinygrad_jp, compiled."""

from functools import partial

import tinygrad_jp
from tests.benchmarks.peers.tinygrad_jp import recurrent, steps, transformer

STEPS = steps(tinygrad_jp, made=tinygrad_jp.compiled) | {
    "transformer": partial(transformer, made=tinygrad_jp.compiled),
    "recurrent": partial(recurrent, made=tinygrad_jp.compiled),
}
del STEPS["adam"]  # There is nothing in it but the update.
