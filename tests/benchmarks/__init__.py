"""How fast is tinygrad_jp, and beside what?

    python -m tests.benchmarks                              # every work, every installed peer: some minutes
    python -m tests.benchmarks --quick --work tiny10 chain --peer hand torch

A work is one training step in float32 through a library's public API: forward, loss, backward, update. The peers are
the same step written by `hand` in plain NumPy, and the libraries that are installed.

How to read the table: a cell is the median time of a step in ms, and in brackets the ratio tinygrad_jp / peer: (0.50)
says that tinygrad_jp needs half the peer's time, (2.00) twice. Trust the ratios further than the times, and neither to
better than a tenth. `-`: the peer cannot do that work, or not sensibly. The row in MB is what steps of mlp60000 need
above their data: how far the peak of resident memory grows, in a fresh process for each peer (Linux only). As in most
scripts, the loss of a step, and with it the graph where a library keeps it, lives until the next loss takes its name.

How it is measured: all peers run in one process and in turns, in an order shuffled each round, so that what else the
machine does hits them alike. In its turn a peer starts from the same weights, takes two steps untimed, then as many as
fill 5 ms. Every peer may use as many threads as NumPy's BLAS, and its turn waits until those of the last have gone to
sleep. On a machine that is busy, set OMP_NUM_THREADS=1: two threads lose most of their time waiting for each other.
The garbage collector stays as Python sets it. The C library keeps freed memory, for all alike, since tinygrad_jp has
been imported: see `tinygrad_jp.keep_freed_memory`. Before anything is timed, the losses and gradients of three steps
are compared; where a peer's differ from those by hand by more than 1e-7 of the largest (in float64), nothing is timed.

A new work is an entry in `works.WORKS`, and one small function for each peer that can do it.
"""
