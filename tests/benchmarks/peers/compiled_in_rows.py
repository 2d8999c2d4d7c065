"""The training steps of tinygrad_jp, compiled, 1,000 rows at a time on two threads where a batch has more."""

import tinygrad_jp
from tests.benchmarks.peers.tinygrad_jp import steps

STEPS = {"classification": steps(tinygrad_jp, made=tinygrad_jp.compiled(rows=1000, threads=2))["classification"]}
