"""How fast is tinygrad_jp, and beside what?

    python -m tests.benchmarks                              # every work, every installed peer: some minutes
    python -m tests.benchmarks --quick --work tiny10 chain --peer hand torch

A work is one training step in float32, through each library's public API: forward, loss, backward, update. The peers
are the step written `hand`-made in plain NumPy, and the libraries that are installed.

How to read the table: each cell is the median time of a step in ms, and in brackets the ratio tinygrad_jp / peer:
(0.50) says that tinygrad_jp needs half the peer's time, (2.00) twice. Trust the ratios further than the times, and no
ratio to better than a tenth on a machine that does other things too. `-`: the peer cannot do that work, or not sensibly.

How it is measured: all peers run in one process and in turns, in an order shuffled each round, so that whatever else
the machine does hits them alike. In each turn a peer starts from the same weights, takes one step untimed, and then
as many as fill some milliseconds. PyTorch gets as many threads as NumPy's BLAS, and each turn waits until the threads
of the last have gone to sleep. The garbage collector stays as Python sets it. Before anything is timed, losses and
gradients of all peers are compared, over three steps; where they differ there is no table.

The memory row is what a step of mlp60000 needs above its data and weights: the growth of the peak of resident memory,
in a process of its own for each peer (Linux only).

A new work is one entry in `works.WORKS`, and one small function for each peer that can do it, entered in its `WORKS`.
"""
