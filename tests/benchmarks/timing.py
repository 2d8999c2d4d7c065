"""Time in turns, in one process; memory, and the first steps, in a process for each peer.

`python -m tests.benchmarks.timing WORK PEER` prints the MB that steps of a work need above its data, and
`python -m tests.benchmarks.timing WORK PEER first` the ms that the first three steps take, and their MB.
"""

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from tests.benchmarks.peers import load
from tests.benchmarks.works import able, square_layers, work_of

TURN = 0.005  # seconds
PAUSE = 0.05  # seconds, after which the threads that wait for work have stopped spinning
SETTINGS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
STATUS = Path("/proc/self/status")


def threads():
    """How many threads NumPy's BLAS takes: what the environment says, else one for each core that we may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return next((int(os.environ[name]) for name in SETTINGS if os.environ.get(name)), cores)


def turn(steps, problem, repeats=1):
    """Seconds a step, from fresh weights, after three untimed, which leave memory behind, or a program."""
    training = steps(**problem)
    for _ in range(3):
        next(training)
    if threads() > 1:
        time.sleep(PAUSE)
    start = time.perf_counter()
    for _ in range(repeats):
        next(training)
    return (time.perf_counter() - start) / repeats


def medians(work, peers, seconds, rounds):
    """The median seconds a step of each peer, over as many rounds as `seconds` allow, but `rounds` at least."""
    problem, peers = work_of(work).problem(), able(work, peers)
    repeats = {peer: max(1, round(TURN / turn(steps, problem))) for peer, steps in peers.items()}
    times = {peer: [] for peer in peers}
    order, shuffle = list(peers), random.Random(0).shuffle
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[order[0]]) < rounds:
        shuffle(order)
        for peer in order:
            times[peer].append(turn(peers[peer], problem, repeats[peer]))
    return {peer: median(ts) for peer, ts in times.items()}


def peak():
    """The largest resident memory of this process so far, in MB; `getrusage` would count that of its parent too."""
    return int(re.search(r"VmHWM:\s*(\d+)", STATUS.read_text())[1]) / 1024


def growth(work, peer):
    """The MB by which steps raise the peak, once steps of a tiny network have loaded what is loaded at first use."""
    steps, problem = able(work, {peer: load(peer)})[peer], work_of(work).problem()
    turn(steps, square_layers(depth=1, width=4, batch=1))
    before = peak()
    turn(steps, problem, 2)
    return peak() - before


def first(work, peer):
    """The ms of the first three steps, in which programs are recorded or compiled, and the MB that they need."""
    steps, problem = able(work, {peer: load(peer)})[peer], work_of(work).problem()
    turn(load(peer)["classification"], square_layers(depth=1, width=4, batch=1))  # It loads what is loaded late.
    before, start = peak(), time.perf_counter()
    training = steps(**problem)
    for _ in range(3):
        next(training)
    return 1e3 * (time.perf_counter() - start), peak() - before


def memory(work, peers):
    """The `growth` of each peer, in a process of its own; none where the system does not tell."""
    command = [sys.executable, "-m", "tests.benchmarks.timing", work]
    return {peer: float(subprocess.check_output([*command, peer])) for peer in able(work, peers) if STATUS.exists()}


def beginnings(work, peers):
    """What `first` measures, for each peer, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.timing", work]
    run = {peer: subprocess.check_output([*command, peer, "first"], text=True) for peer in able(work, peers)}
    return {peer: [float(x) for x in text.split()] for peer, text in run.items()}


if __name__ == "__main__":
    work, peer, *rest = sys.argv[1:]
    print(*first(work, peer) if rest == ["first"] else [growth(work, peer)])
