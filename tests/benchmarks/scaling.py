"""What more processes would bring, by calculation.

    python -m tests.benchmarks.scaling

A step costs α₀ + β₀·(examples), an exchange between p processes 2·log₂p·α + 2·(p − 1)/p·β·(bytes). The first two
numbers are measured, as are those of the exchange between two processes of this machine. Those of the two networks are
typical figures, not measurements. p processes wait for the slowest of them: times are drawn from a normal distribution
with a standard deviation of 5 %. Two cores that MPI's waiting shares with the computation show no speed-up worth a
number, so none is measured.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import tinygrad_jp.functions as F
from tinygrad_jp import models, optimizers, seed

SLOWEST_OF, SPREAD = (2, 8, 64, 256, 1024), 0.05
NETWORKS = {  # α in seconds, β in seconds a byte.
    "10 GbE": (25e-6, 1 / 1.25e9),
    "InfiniBand HDR": (1.5e-6, 1 / 20e9),
}
EXCHANGE = """
import time, numpy as np
from mpi4py import MPI
for n in (1, 1_000_000):
    x, times = np.ones(n, np.float32), []
    for _ in range(200):
        MPI.COMM_WORLD.Barrier()
        start = time.perf_counter()
        MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, x)
        times.append(time.perf_counter() - start)
        x[:] = 1
    if MPI.COMM_WORLD.rank == 0:
        print(np.median(times))
"""


def mlp(n):
    rng = np.random.default_rng(0)
    model = models.MLP((100, 100, 10), activation=F.relu)
    return model, rng.random((n, 784), np.float32), rng.integers(0, 10, n)


def gpt(n):
    rng = np.random.default_rng(0)
    model = models.GPT(65, n_layers=2, width=64, n_heads=4, context=64)
    return model, rng.integers(0, 65, (n, 64)), rng.integers(0, 65, n * 64)


WORKS = {"MNIST MLP, 100 examples a process": (mlp, 100), "small GPT, 16 texts a process": (gpt, 16)}


def seconds_a_step(make, n):
    """The median, and how many numbers the gradients are."""
    seed(0)
    model, x, t = make(n)
    optimizer, times = optimizers.SGD(0.01).setup(model), []
    for _ in range(25):
        start = time.perf_counter()
        loss = F.softmax_cross_entropy(model(x).reshape(len(t), -1), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        times.append(time.perf_counter() - start)
    return np.median(times[5:]), sum(p.size for p in model.params())


def shared_memory():
    """α and β of an exchange between two processes of this machine, or None where there is no MPI."""
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    command = [mpiexec or "mpiexec", "-n", "2", sys.executable, "-c", EXCHANGE]
    try:
        small, large = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    except (OSError, subprocess.CalledProcessError):
        return None
    return small / 2, (large - small) / 4e6


def exchange(p, numbers, alpha, beta):
    """Seconds of an Allreduce of float32 by recursive halving and doubling."""
    return 0.0 if p == 1 else 2 * np.log2(p) * alpha + 2 * (p - 1) / p * beta * 4 * numbers


def slowest(p):
    """How much longer the slowest of p takes than the mean."""
    return 1.0 if p == 1 else float(np.random.default_rng(0).normal(1, SPREAD, (400, p)).max(1).mean())


def main():
    networks = dict(NETWORKS)
    if found := shared_memory():
        print(f"two processes of this machine: α {found[0] * 1e6:.1f} µs, {1e-9 / found[1]:.1f} GB/s")
    for name, (make, n) in WORKS.items():
        (small, numbers), (large, _) = (seconds_a_step(make, k) for k in (n, 4 * n))
        beta = (large - small) / (3 * n)
        step = lambda k, alpha=small - n * beta, beta=beta: alpha + beta * k  # noqa: E731
        print(f"\n{name}: {numbers:,} numbers; a step takes {1e3 * step(0):.2f} ms + {1e6 * beta:.2f} µs an example")
        print(f"{'processes':28}" + "".join(f"{p:>9,}" for p in SLOWEST_OF))
        for network, (a, b) in networks.items():
            weak = [step(n) / (step(n) * slowest(p) + exchange(p, numbers, a, b)) for p in SLOWEST_OF]
            print(f"{network + ', weak':28}" + "".join(f"{f:>9.0%}" for f in weak))
            whole = 1024
            strong = [step(whole) / (step(whole / p) * slowest(p) + exchange(p, numbers, a, b)) for p in SLOWEST_OF]
            print(f"{network + f', strong, {whole:,}':28}" + "".join(f"{f:>8.1f}x" for f in strong))


if __name__ == "__main__":
    main()
