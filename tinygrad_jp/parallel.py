"""Training on several processes, or machines, at once, over MPI: each computes the gradients of its part of each batch.

Started by ``mpiexec -n 4 python train.py``, this script trains on four processes; started by ``python``, on one:

>>> from tinygrad_jp import DataLoader, datasets, functions as F, models, optimizers
>>> from tinygrad_jp.parallel import World
>>> world = World()
>>> model = models.MLP(32, 10)
>>> loader = DataLoader(datasets.Digits(), 500)
>>> y = model(loader.dataset[:1][0])  # The weights are made.
>>> optimizer = optimizers.SGD(0.1).setup(world.alike(model))  # All begin with the weights of process 0.
>>> optimizer = optimizer.add_hook(world.average)  # The first of all hooks.
>>> for x, t in world.parts(loader):  # The batches of one process, each in parts.
...     loss = F.softmax_cross_entropy(model(x), t)
...     model.cleargrads()
...     loss.backward()
...     optimizer.update()
...     mean = world.mean(loss)  # Over the whole batch.
>>> if world.rank == 0:  # One process saves, draws and prints.
...     print(mean < 3.0)
True

After each update all processes hold the same weights, those of one process that had seen the whole batch. What is
random in a layer, such as dropout, and the statistics of a batch, as in `BatchNorm`, are of each process's part; the
running means of `BatchNorm` are averaged. Each process draws its own random numbers: give it a seed of its own.

It needs the package mpi4py and an MPI: ``pip install "tinygrad_jp[mpi]"`` brings both, and on a cluster mpi4py takes
that cluster's own. If a process raises an error, leaves early or is killed, all of them end.

A model on a GPU is trained in the same way; first give each process its own, by
``cupy.cuda.Device(world.rank % n).use()`` on a machine of n. Gradients go from GPU to GPU where MPI says that it reads
their memory: the key "mpi_memory_alloc_kinds" of the communicator has "cuda" (MPI 4.1, 2023, section 12.4.3, and its
side document on kinds of memory), which some MPIs say if `mpiexec` is asked for it. Otherwise they go through NumPy's
memory.

How much faster it is can be reckoned before machines are rented: a step takes α₀ + β₀·(examples), an exchange of n
bytes between p processes 2·log₂p·α + 2·(p − 1)/p·β·n. ``python -m tests.benchmarks.scaling`` measures the first and
takes the second from typical figures of a network. For 100 examples a process and the MLP of MNIST (0.5 ms a step,
90,000 numbers) it says that 64 processes on 10 GbE do 35 % of the work that they would do without waiting, on
InfiniBand 82 %; for a small GPT with 16 texts a process (14 ms a step) 84 % and 89 %. One batch of 1,024 texts is 53
times as fast on 64 processes on 10 GbE as on one, and 335 times on 1,024; one batch of 1,024 digits is never more than
4 times as fast.

The manner is that of ChainerMN (Akiba, Fukuda and Suzuki, 2017) and Horovod (Sergeev and Del Balso, 2018).
"""

import atexit
import os
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import numpy as np

from tinygrad_jp.core import Array, Parameter, Variable
from tinygrad_jp.dataloaders import DataLoader
from tinygrad_jp.devices import beside, fetched, on_device, require_gpu
from tinygrad_jp.layers.layer import Buffer, Layer
from tinygrad_jp.progress import progress

__all__ = ["World"]

AnyLayer = TypeVar("AnyLayer", bound=Layer)
# The places where all processes meet. Each sends the number of its place, so that none waits for one that is elsewhere.
PLACES = ("the end of the program", "alike", "average", "parts", "mean")
NOWHERE = -(2**40)
LAUNCHERS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


class World:
    """All processes that `mpiexec` started: `size` of them, of which this one has the number `rank`.

    Without mpi4py, or if the program was not started by `mpiexec`, the world is this one process: `size` is 1, and all
    methods do what they do for one. `comm` is the communicator, MPI.COMM_WORLD unless another one is given.

    `weight` is how many examples the gradients of this process stand for. `parts` sets it; where you divide the data
    yourself, set it before each update.

    In all processes but number 0, `tinygrad_jp.progress` shows nothing.

    Raises RuntimeError if the program was started by `mpiexec`, but mpi4py does not see the other processes.

    >>> world = World()
    >>> world.rank, world.size
    (0, 1)
    """

    def __init__(self, comm: Any = None) -> None:
        self.comm = _communicator() if comm is None else comm
        self.rank: int = 0 if self.comm is None else self.comm.rank
        self.size: int = 1 if self.comm is None else self.comm.size
        self.weight = 1.0
        self._share: float | None = None  # This process's share of the batch in hand.
        self._models: list[dict[str, Parameter]] = []
        self._in_all = False  # Whether the next error is raised by all processes.
        if self.size > 1:
            self._mpi = sys.modules["mpi4py.MPI"]
            self._own = self.comm.Dup()
            self._reads_gpu = _reads_gpu(self.comm)
            self._hook, sys.excepthook = sys.excepthook, self._raised
            atexit.register(self._meet, PLACES[0])
        if self.rank:
            progress.hidden = True

    def __repr__(self) -> str:
        return f"World(process {self.rank} of {self.size})"

    # Weights and gradients

    def alike(self, model: AnyLayer) -> AnyLayer:
        """Give the model of each process the weights of process 0, and return it. All its Parameters need their data.

        Raises ValueError in all processes, with the number of one and the path, if the models differ in their layers,
        their order, shapes or dtypes, or if a Parameter waits for its data.
        """
        if self.size == 1:
            return model
        self._meet("alike")
        held = model._named_arrays()
        self._check_same("alike", "the model", _structure(model))
        for p in held.values():
            array = np.ascontiguousarray(fetched(p.data)).reshape(-1)
            self._own.Bcast(array.view(np.uint8))
            p.data = beside(array.reshape(p.shape), p.data)
        self._models = [known for known in self._models if _ids(known) != _ids(held)] + [held]
        return model

    def average(self, params: list[Parameter]) -> None:
        """The hook: replace each gradient by the mean over all examples of all processes, in one exchange.

        g ← Σ w·g / Σ w over the processes, with w = `weight`. Where a process has no gradient of a Parameter, that
        counts as zeros, if another one has. The running means of `BatchNorm` are averaged in the same way.

        Raises RuntimeError if `alike` was not given the model before.
        """
        if self.size == 1:
            return
        held = [*self._models[self._meet("average", self._place(params))].values()]
        held = [p for p in held if p.dtype.kind == "f"]
        parts = [_contribution(p) for p in held]
        parts += [beside(np.array([p.grad is not None for p in held] + [True]), *parts)]
        flat = np.concatenate(parts, dtype=_exchanged(held), casting="unsafe")
        flat *= self.weight
        flat = self._sum(flat)
        flat /= flat[-1:].copy()  # A GPU divides it, too, while it divides by it.
        start = 0
        for p, anywhere in zip(held, fetched(flat[-len(held) - 1 : -1]) > 0, strict=True):
            mean = flat[start : start + p.size].reshape(p.shape).astype(p.dtype)
            start += p.size
            if isinstance(p, Buffer):
                p.data = mean
            elif anywhere:
                p.grad = Variable(mean)

    def mean(self, x: Variable | float) -> float:
        """Return the mean of a number, such as the loss, over all examples of all processes: Σ w·x / Σ w."""
        value = float(np.asarray(fetched(x.data if isinstance(x, Variable) else x)).item())
        if self.size == 1:
            return value
        self._meet("mean")
        both = np.array([value * self.weight, self.weight])
        both = self._sum(both)
        return float(both[0] / both[1])

    # Data

    def parts(self, loader: DataLoader) -> Iterable[Any]:
        """Iterate over the batches of `loader`, in the order of process 0, and of each over this process's part.

        Process r of p has the examples r, r + p, r + 2p, ... of each batch. Where a batch has fewer examples than
        there are processes, some share one, and it counts once.

        Raises ValueError if the loaders of the processes differ in length, batch size or kind.
        """
        return loader if self.size == 1 else _Parts(self, loader)

    def _weigh(self, weight: float, total: int) -> None:
        """The part in hand is `weight` of `total` examples. Gradients of earlier parts keep the share they had."""
        before, self._share, self.weight = self._share, weight / total, weight
        if before is None or before == self._share:
            return
        for p in (p for held in self._models for p in held.values() if p.grad is not None):
            p.grad = Variable(p.grad.data * (before / self._share))

    # Meeting

    def _meet(self, place: str, detail: int | None = None) -> int:
        """Wait for all processes, and return the detail that those have who have one.

        If some are elsewhere, one process says so, and all end.
        """
        known = NOWHERE if detail is None else detail
        code = PLACES.index(place)
        mine = np.array([code, -code, known, NOWHERE if detail is None else -detail])
        self._own.Allreduce(self._mpi.IN_PLACE, mine, self._mpi.MAX)
        first, last, largest, smallest = mine.tolist()
        if first != -last or (largest != NOWHERE and largest != -smallest):
            self._part(place, detail)
        if place == "average" and largest == NOWHERE:
            self._in_all = True
            raise RuntimeError("average: no process has a gradient; call loss.backward() first")
        return int(largest)

    def _part(self, place: str, detail: int | None) -> None:
        """All processes are not at the same place: let one of those who wait say so."""
        found = self._own.allgather((place, detail))
        waiting = [rank for rank, (where, _) in enumerate(found) if where != PLACES[0]]
        if place == PLACES[0]:
            time.sleep(10)  # One that waits ends all.
            return
        if self.rank != waiting[0]:
            time.sleep(10)
        other = next(rank for rank, where in enumerate(found) if where != (place, detail))
        if found[other][0] == PLACES[0]:
            self._end(
                f"{place}: process {self.rank} waits here, but process {other} has left the program; "
                f"give all processes the same number of batches, as world.parts(loader) does"
            )
        where, which = found[other]
        at = f"at {where}" if where != place else f"here with model {which}, and this one with model {detail}"
        raise RuntimeError(
            f"{place}: process {self.rank} waits here, but process {other} is {at}; "
            f"all processes must make the same calls in the same order"
        )

    def _check_same(self, place: str, thing: str, mine: list[str]) -> None:
        """Raise ValueError in all processes unless `mine` is the same in all."""
        first = self._own.bcast(mine)
        width = max(len(first), len(mine))
        pairs = zip(*([*lines, *["nothing"] * (width - len(lines))] for lines in (first, mine)), strict=True)
        differs = next((f"{b}, where process 0 has {a}" for a, b in pairs if a != b), None)
        found = [(rank, text) for rank, text in enumerate(self._own.allgather(differs)) if text]
        waiting = [line for line in mine if line.endswith("no data")]
        self._in_all = bool(found or waiting)
        if found:
            rank, text = found[0]
            raise ValueError(f"{place}: expected {thing} to be the same in all processes; process {rank} has {text}")
        if waiting:
            raise ValueError(f"{place}: {waiting[0]} yet; call the model once on an example before, as in model(x[:1])")

    def _sum(self, flat: Array) -> Array:
        """The sum of `flat` over all processes, in its place. What is on a GPU goes through the host if it must."""
        there = flat
        if on_device(flat) and self._reads_gpu:
            require_gpu().cuda.get_current_stream().synchronize()  # MPI does not wait for what is still computed.
        else:
            flat = fetched(flat)
        self._own.Allreduce(self._mpi.IN_PLACE, flat)
        return beside(flat, there)

    def _place(self, params: list[Parameter]) -> int | None:
        """Which of the models has these, or None if there are none, and other processes must know."""
        if not self._models:
            raise RuntimeError("average: call world.alike(model) before the first update")
        if not params:
            return None
        found = next((i for i, held in enumerate(self._models) if {*map(id, params)} <= _ids(held)), None)
        if found is None:
            raise RuntimeError(
                "average: expected the Parameters of one model that world.alike was given; "
                "call world.alike(model) after the last change of its layers"
            )
        return found

    # Ends

    def _raised(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
        """The hook for errors that nobody catches: all processes end, as the others would wait for this one."""
        # Where all fail alike, the first one says so, and ends the rest.
        time.sleep(10 if self.rank and self._in_all else min(self.rank, 3))
        self._hook(kind, error, trace)
        self._end("")

    def _end(self, sentence: str) -> NoReturn:
        print(sentence, end="\n" if sentence else "", file=sys.stderr, flush=True)
        sys.stdout.flush()
        time.sleep(0.5)  # mpiexec does not read what was written last by a process that ends at once.
        self.comm.Abort(1)
        raise SystemExit(1)


class _Parts:
    """The parts of one process of the batches of a loader."""

    def __init__(self, world: World, loader: DataLoader) -> None:
        self.world, self.loader = world, loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        world, loader = self.world, self.loader
        world._meet("parts")
        world._check_same("parts", "the loader", [f"{loader!r} with {type(loader.rng).__name__}"])
        loader.rng.bit_generator.state = world._own.bcast(loader.rng.bit_generator.state)
        for batch in loader._orders():
            n = len(batch)
            part = batch[world.rank % n :: world.size]
            sharing = len(range(world.rank % n, world.size, n))  # How many processes have this part.
            world._weigh(len(part) / sharing, n)
            yield loader._batch(part)


def _communicator() -> Any:
    """MPI's communicator of all processes, or None where there is no MPI."""
    expected = max(int(os.environ.get(name, 1)) for name in LAUNCHERS)
    try:
        from mpi4py import MPI  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, and MPI is not.
        if expected == 1:
            return None
        raise RuntimeError(
            f"World: expected to be one of {expected} processes, but mpi4py cannot be imported ({error}); "
            f'pip install "tinygrad_jp[mpi]", or mpi4py for the MPI of this cluster'
        ) from error
    if expected > 1 and MPI.COMM_WORLD.size == 1:
        raise RuntimeError(
            f"World: expected to be one of {expected} processes, but mpi4py sees one: its MPI is not that of mpiexec; "
            f"start the program by the mpiexec that belongs to {MPI.Get_library_version().split(',')[0].strip()}"
        )
    return MPI.COMM_WORLD


def _reads_gpu(comm: Any) -> bool:
    """Whether MPI says that it reads the memory of CUDA's devices: a list of kinds, each followed by its limits."""
    kinds = [kind.strip().split(":") for kind in (comm.Get_info().get("mpi_memory_alloc_kinds") or "").split(",")]
    return any(kind == "cuda" and (not limits or "device" in limits) for kind, *limits in kinds)


def _structure(model: Layer) -> list[str]:
    """The layers of a model and its arrays, a line each."""
    layers = [f"{path or 'the model'} {layer._signature()}" for path, layer in model.layers_by_path()]
    return layers + [
        f"{path} with no data" if p.data is None else f"{path} {p.shape} {p.dtype}"
        for path, p in model._named_arrays().items()
    ]


def _contribution(p: Parameter) -> Array:
    """What p adds to the exchange, flat: its gradient, or zeros, or the array of a Buffer."""
    if isinstance(p, Buffer):
        return np.ravel(p.data)
    return np.ravel(np.zeros_like(p.data) if p.grad is None else p.grad.data)


def _ids(held: dict[str, Parameter]) -> set[int]:
    return {*map(id, held.values())}


def _exchanged(held: list[Parameter]) -> Any:
    """The dtype of the exchange: float32, or float64 if one of the arrays is."""
    return np.result_type(np.float32, *(p.dtype for p in held))
