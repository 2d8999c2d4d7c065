"""Training over MPI: equal to one process, and ended by the failure of any process. Each test starts `mpiexec`."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_jp as tg
from tinygrad_jp import DataLoader, layers, optimizers, parallel
from tinygrad_jp.parallel import World

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
needs_mpi = pytest.mark.skipif(
    not (MPIEXEC and find_spec("mpi4py")), reason="no MPI: pip install mpi4py mpich runs these tests"
)
pytestmark = pytest.mark.slow

PREAMBLE = """
import json, os, signal, sys
import numpy as np
import tinygrad_jp as tg
from tinygrad_jp import DataLoader, SeqDataLoader, Model, functions as F, layers as L, models, optimizers, parallel
world = parallel.World()

class Net(Model):
    def __init__(self, dtype=np.float64, norm=False):
        self.l1, self.l2 = (L.Linear(n, in_size=m, dtype=dtype, rng=m) for m, n in ((5, 7), (7, 3)))
        self.rare = L.Linear(3, in_size=7, dtype=dtype, rng=2)
        self.norm = L.BatchNorm() if norm else lambda x: x
    def forward(self, x, rare=False):
        h = np.tanh(self.norm(self.l1(x)))
        return self.l2(h) + (self.rare(h) if rare else 0)

rng = np.random.default_rng(0)
X, T = rng.standard_normal((37, 5)), rng.integers(0, 3, 37)

def step(model, x, t, *optimizers, rare=False):
    loss = F.softmax_cross_entropy(model(x, rare), t)
    model.cleargrads(); loss.backward()
    for optimizer in optimizers:
        optimizer.update()
    return loss

def report(model, **found):
    states = world.comm.gather(b"".join(p.tobytes() for p in model.state().values())) if world.comm else [b""]
    if world.rank == 0:
        found["weights"] = {path: a.tolist() for path, a in model.state().items()}
        print(json.dumps(found | {"alike": len(set(states)) == 1, "size": world.size}))
"""


def start(n, text, *, limit=60, **env):
    """The outcome of a program in n processes."""
    text = PREAMBLE + textwrap.dedent(text)
    launcher = [MPIEXEC, "-n", str(n)] if n else []
    root = str(Path(tg.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", **env}
    return subprocess.run(
        [*launcher, sys.executable, "-c", text], capture_output=True, text=True, timeout=limit, env=env, check=False
    )


@functools.cache
def outcome(n, text, **env):
    done = start(n, text, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def same(found, alone, atol):
    assert found["alike"]
    np.testing.assert_allclose(found["losses"], alone["losses"], rtol=0, atol=atol)
    for path, array in alone["weights"].items():
        np.testing.assert_allclose(found["weights"][path], array, rtol=0, atol=atol, err_msg=path)


# Every training gives the same losses and weights as in one process.
TRAININGS = {
    "hooks, in the order that counts": """
        model = world.alike(Net())
        optimizer = optimizers.Adam(0.01).setup(model).add_hook(world.average)
        optimizer.add_hook(optimizers.ClipGrad(0.1)).add_hook(optimizers.WeightDecay(0.01))
        epochs = -(-200 // len(loader))  # Of 200 steps or a few more.
        losses = [world.mean(step(model, x, t, optimizer)) for _ in range(epochs) for x, t in world.parts(loader)]
    """,
    "different weights at first": """
        model = Net()
        for p in model.params():
            p.data = p.data + world.rank
        world.alike(model)
        optimizer = optimizers.SGD(0.1).setup(model).add_hook(world.average)
        losses = [world.mean(step(model, x, t, optimizer)) for x, t in world.parts(loader)]
    """,
    "gradients of every second batch for some Parameters": """
        model = world.alike(Net())
        optimizer = optimizers.MomentumSGD(0.1).setup(model).add_hook(world.average)
        losses = [
            world.mean(step(model, x, t, optimizer, rare=i % 2))
            for _ in range(3) for i, (x, t) in enumerate(world.parts(loader))
        ]
    """,
    "two models, with an optimizer each": """
        model, other = world.alike(Net()), world.alike(Net())
        first = optimizers.SGD(0.1).setup(model).add_hook(world.average)
        second = optimizers.Adam(0.1).setup(other).add_hook(world.average)
        losses = [
            world.mean(step(m, x, t, o)) for x, t in world.parts(loader) for m, o in ((model, first), (other, second))
        ]
        losses += [world.mean(np.sum(other.l1.W))]
    """,
    "three batches to an update, of different sizes": """
        model = world.alike(Net())
        optimizer, losses = optimizers.SGD(0.1).setup(model).add_hook(world.average), []
        for i in range(6):
            for x, t in world.parts(loader):
                loss = F.softmax_cross_entropy(model(x), t)
                loss.backward()
                losses.append(world.mean(loss))
            optimizer.update()
            model.cleargrads()
    """,
    "a sequence at several places": """
        model = world.alike(Net())
        optimizer = optimizers.SGD(0.1).setup(model).add_hook(world.average)
        places = SeqDataLoader((X, T), 7)
        losses = [world.mean(step(model, x, t, optimizer)) for x, t in world.parts(places)]
    """,
}


@needs_mpi
@pytest.mark.parametrize(("n", "batch_size"), [(1, 10), (2, 10), (3, 2), (3, 36)])  # The last batch: 7, 1 or 1.
@pytest.mark.parametrize("training", TRAININGS)
def test_equal_to_one_process(training, batch_size, n):
    found, alone = (trainings(size, batch_size)[training] for size in (n, 0))
    assert found["size"] == n
    same(found, alone, 1e-12)


@functools.cache
def trainings(n, batch_size):
    """The outcome of each training, all of them in one start of n processes."""
    text = ""
    for training in TRAININGS.values():
        text += f"loader = DataLoader((X, T), {batch_size}, rng=3)\n{textwrap.dedent(training)}"
        text += "report(model, losses=losses)\n"
    done = start(n, text)
    assert done.returncode == 0, done.stderr
    return dict(zip(TRAININGS, map(json.loads, done.stdout.splitlines()), strict=True))


@needs_mpi
def test_float32_as_far_as_rounding_goes():
    text = """
    model = world.alike(Net(np.float32))
    optimizer = optimizers.SGD(0.1).setup(model).add_hook(world.average)
    loader = DataLoader((X, T), 8, rng=3)
    losses = [world.mean(step(model, x, t, optimizer)) for _ in range(20) for x, t in world.parts(loader)]
    report(model, losses=losses, dtype=str(model.l1.W.dtype), grad=str(model.l1.W.grad.dtype))
    """
    found = outcome(3, text)
    same(found, outcome(0, text), 1e-5)
    assert found["dtype"] == found["grad"] == "float32"


@needs_mpi
def test_gradients_of_one_process_only():
    text = """
    model = world.alike(Net())
    optimizer = optimizers.SGD(1.0).setup(model).add_hook(world.average)
    before = model.l2.b.data.copy()
    if world.rank == 1:
        np.sum(model.l2.b * np.arange(3.0)).backward()
    optimizer.update()
    grads = [path for path, p in model.named_params().items() if p.grad is not None]
    report(model, moved=(before - model.l2.b.data).tolist(), grads=grads)
    """
    found = outcome(2, text)
    assert found["alike"] and found["moved"] == [0, 0.5, 1] and found["grads"] == ["l2.b"]


@needs_mpi
def test_examples_of_ones_own_are_weighed():
    text = """
    model = world.alike(Net())
    optimizer = optimizers.SGD(1.0).setup(model).add_hook(world.average)
    mine = slice(0, 9) if world.rank else slice(9, 37)
    world.weight = 9 if world.rank else 28
    loss = step(model, X[mine], T[mine], optimizer)
    report(model, losses=[world.mean(loss)])
    """
    alone = """
    model = Net()
    report(model, losses=[step(model, X, T, optimizers.SGD(1.0).setup(model)).item()]) if world.rank == 0 else None
    """
    same(outcome(2, text), outcome(0, alone), 1e-12)


@needs_mpi
def test_running_means_are_averaged_by_examples():
    text = """
    model = Net(norm=True)
    model(X)
    world.alike(model)
    optimizer = optimizers.SGD(0.1).setup(model).add_hook(world.average)
    before = model.norm.avg_mean.data.copy()
    x, t = next(iter(world.parts(DataLoader((X, T), 37, shuffle=False))))
    step(model, x, t, optimizer)
    momentum = (model.norm.avg_mean.data - before)
    report(model, moved=momentum.tolist())
    """
    found, alone = outcome(2, text), outcome(0, text)
    assert found["alike"]
    np.testing.assert_allclose(found["moved"], alone["moved"], atol=1e-6)


# ---- On a device ----------------------------------------------------------------------------------------------------

ON_A_DEVICE = """
model = Net(norm=True)
model(X)
loader, counts = DataLoader((X, T), 10, rng=3), set()
if PLACE != "host":
    from tests import device
    sys.modules["cupy"] = device.cupy
    model.to_gpu(); loader.to_gpu()
if PLACE == "MPI that reads it":
    class Comm:
        def __getattr__(self, name): return getattr(world_of_hosts.comm, name)
        def Get_info(self): return {"mpi_memory_alloc_kinds": "mpi,system,cuda:device"}
    device.MPI_READS_IT, world_of_hosts = True, world
    world = parallel.World(Comm())

for p in model.params():
    p.data = p.data + float(world.rank)
world.alike(model)

def counted(params):
    before = dict(device.COUNTS)
    world.average(params)
    counts.add(tuple(device.COUNTS[kind] - before[kind] for kind in ("waits", "uploads")))

optimizer = optimizers.MomentumSGD(0.1).setup(model).add_hook(world.average if PLACE == "host" else counted)
losses = [
    world.mean(step(model, x, t, optimizer, rare=(i + world.rank) % 2))
    for _ in range(3) for i, (x, t) in enumerate(world.parts(loader))
]
where = sorted({type(a).__name__ for p in model.params() for a in (p.data, p.grad.data)})
report(model, losses=losses, where=where, counts=sorted(counts))
"""


@needs_mpi
@pytest.mark.parametrize(("place", "counts"), [("MPI that does not", [[2, 2]]), ("MPI that reads it", [[2, 1]])])
def test_on_a_device_as_on_the_host(place, counts):
    found = outcome(2, f"PLACE = {place!r}" + ON_A_DEVICE)
    same(found, outcome(2, "PLACE = 'host'" + ON_A_DEVICE), 1e-12)
    assert found["where"] == ["DeviceArray"] and found["counts"] == counts


@pytest.mark.parametrize(
    ("kinds", "reads"),
    [
        ("mpi,system,cuda:device", True),
        ("system, cuda", True),
        ("cuda:host:device", True),
        ("mpi,system,cuda:managed", False),
        ("rocm:device,notcuda", False),
        ("", False),
        (None, False),
    ],
)
def test_mpi_says_whether_it_reads_the_memory_of_a_gpu(kinds, reads):
    info = {} if kinds is None else {"mpi_memory_alloc_kinds": kinds}
    assert parallel._reads_gpu(SimpleNamespace(Get_info=lambda: info)) is reads


@needs_mpi
def test_a_run_is_resumed_on_another_number_of_processes(tmp_path):
    text = """
    model = world.alike(Net())
    optimizer = optimizers.Adam(0.01).setup(model).add_hook(world.average)
    loader = DataLoader((X, T), 10, rng=world.rank)
    path, epochs = os.environ["RUN"], int(os.environ["EPOCHS"])
    if os.path.exists(path):
        tg.load_checkpoint(path, model, optimizer, generators={"loader": loader.rng})
    losses = [world.mean(step(model, x, t, optimizer)) for _ in range(epochs) for x, t in world.parts(loader)]
    if world.rank == 0:
        tg.save_checkpoint(path, model, optimizer, generators={"loader": loader.rng})
    report(model, losses=losses)
    """
    outcome(3, text, RUN=str(tmp_path / "a.npz"), EPOCHS="2")
    resumed = outcome(2, text, RUN=str(tmp_path / "a.npz"), EPOCHS="2")
    whole = outcome(0, text, RUN=str(tmp_path / "b.npz"), EPOCHS="4")
    same(resumed, whole | {"losses": whole["losses"][len(whole["losses"]) // 2 :]}, 1e-12)


@needs_mpi
def test_numpys_global_state_gives_one_order():
    text = """
    np.random.seed(world.rank)
    loader, seen = DataLoader((X, T), 10), []
    for _ in range(3):
        for x, t in world.parts(loader):
            seen.append(sorted(sum((world.comm.allgather(x.tolist()) if world.comm else [x.tolist()]), [])))
    report(Net(), seen=seen)
    """
    assert outcome(3, text)["seen"] == outcome(0, text)["seen"]


@needs_mpi
def test_one_process_shows_progress():
    text = """
    import time
    for _ in tg.progress(range(3), desc=f"from {world.rank}"):
        pass
    """
    done = start(3, text)
    assert done.returncode == 0 and "from 0" in done.stderr
    assert not re.search("from [12]", done.stderr)


# ---- Failures: nobody waits for ever --------------------------------------------------------------------------------

LOOP = """
model, other = world.alike(Net()), world.alike(Net())
np.sum(other.l1.b).backward()
optimizer = optimizers.SGD(0.1).setup(model).add_hook(world.average)
for i in range(6):
    loss = F.softmax_cross_entropy(model(X), T)
    model.cleargrads(); loss.backward()
    if i == 2 and world.rank == BAD:
        FAULT
    optimizer.update()
    world.mean(loss)
"""
FAULTS = {  # What happens in one process: what is said.
    "raise KeyError('a fault of its own')": "KeyError: 'a fault of its own'",
    "sys.exit(3)": "has left the program; give all processes the same number of batches",
    "raise SystemExit(0)": "has left the program",
    "break": "has left the program",
    "continue": "has left the program",
    "os.kill(os.getpid(), signal.SIGKILL)": "",
    "os._exit(3)": "",
    "world.mean(loss)": "waits here, but process",
    "optimizers.SGD().setup(other).add_hook(world.average).update()": "waits here, but process",
    "optimizer.setup(Net()); optimizer.target.l1.b.grad = np.ones(7)": "expected the Parameters of one model that",
}


@needs_mpi
@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_ends_all(fault, bad):
    done = start(3, LOOP.replace("BAD", str(bad)).replace("FAULT", fault), limit=30)
    assert done.returncode != 0
    assert FAULTS[fault] in done.stderr
    assert done.stderr.count("Traceback") == (0 if "left" in FAULTS[fault] or not FAULTS[fault] else 1)


@needs_mpi
def test_an_error_in_all_is_said_once():
    done = start(3, "world.alike(Net())\nraise KeyError('everywhere')")
    assert done.returncode != 0 and done.stderr.count("everywhere") == 1


DIFFERENCES = {
    "model.l1 = L.Linear(8, in_size=5)": "process 1 has l1 Linear(5, 8), where process 0 has l1 Linear(5, 7)",
    "model.l1 = L.Linear(7)": "process 1 has l1 Linear(",
    "model.extra = L.Linear(7, in_size=5)": "process 1 has extra Linear(5, 7), where process 0 has l1.W",
    "model.l1.b = None": "process 1 has",
    "model = Net(np.float32)": "process 1 has l1.W (5, 7) float32, where process 0 has l1.W (5, 7) float64",
    "model.l1, model.l2 = model.l2, model.l1": "process 1 has",
    "l1 = model.l1; del model.l1; model.l1 = l1": "process 1 has l2 Linear(7, 3), where process 0 has l1 Linear(5, 7)",
}


@functools.cache
def errors(n, programs):
    """What each of some programs raises in each of n processes, all of them in one start."""
    text = f"""
for program in {programs}:
    names = dict(globals(), world=parallel.World())
    try:
        exec(program, names)
        found = "nothing"
    except Exception as error:
        found = f"{{type(error).__name__}}: {{error}}"
    found = world.comm.gather(found)
    if world.rank == 0:
        print(json.dumps(found))
"""
    done = start(n, text)
    assert done.returncode == 0, done.stderr
    return dict(zip(programs, map(json.loads, done.stdout.splitlines()), strict=True))


DIFFERENT = {d: f"model = Net()\nif world.rank == 1:\n    {d}\nworld.alike(model)" for d in DIFFERENCES}


@needs_mpi
@pytest.mark.parametrize("difference", DIFFERENCES)
def test_models_that_differ_are_refused(difference):
    for error in errors(3, tuple(DIFFERENT.values()))[DIFFERENT[difference]]:
        assert error.startswith("ValueError: alike: expected the model to be the same in all processes; ")
        assert DIFFERENCES[difference] in error


@needs_mpi
@pytest.mark.parametrize("difference", [*DIFFERENCES][:1])
def test_one_process_says_that_models_differ_and_all_end(difference):
    done = start(3, DIFFERENT[difference])
    assert done.returncode != 0 and DIFFERENCES[difference] in done.stderr and done.stderr.count("Traceback") == 1


UPDATE = "o = optimizers.SGD().setup(MODEL).add_hook(world.average)\no.update()"
MISTAKES = {
    "world.alike(models.MLP(3))": "l0.W with no data yet; call the model once on an example before",
    "[*world.parts(DataLoader((X, T), 4 + world.rank))]": "parts: expected the loader to be the same",
    "[*world.parts(DataLoader((X[world.rank:], T[world.rank:]), 4))]": "parts: expected the loader to be the same",
    UPDATE.replace("MODEL", "Net()"): "call world.alike(model) before the first update",
    UPDATE.replace("MODEL", "world.alike(Net())"): "no process has a gradient",
}


@needs_mpi
@pytest.mark.parametrize("program", MISTAKES)
def test_mistakes_in_all_processes(program):
    for error in errors(2, tuple(MISTAKES))[program]:
        assert MISTAKES[program] in error


# ---- One process, without MPI ---------------------------------------------------------------------------------------


def test_one_process_is_a_world(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    world = World()
    assert repr(world) == "World(process 0 of 1)"
    loader = DataLoader((np.ones((5, 2)), np.zeros(5)), 2)
    model = layers.Linear(1, in_size=2)
    assert world.alike(model) is model and world.parts(loader) is loader
    assert world.mean(3) == world.mean(tg.Variable(3.0)) == world.mean(np.float32(3)) == 3
    optimizer = optimizers.SGD().setup(model).add_hook(world.average)
    np.sum(model(np.ones((1, 2)))).backward()
    before = model.W.grad.data.copy()
    optimizer.update()
    assert np.array_equal(model.W.grad.data, before)


def test_no_gradient_is_an_error_still():
    optimizer = optimizers.SGD().setup(layers.Linear(1, in_size=2)).add_hook(World().average)
    with pytest.raises(RuntimeError, match="no parameter has a gradient"):
        optimizer.update()


@pytest.mark.parametrize("name", parallel.LAUNCHERS)
def test_a_world_that_cannot_be_seen_is_an_error(name, monkeypatch):
    monkeypatch.setenv(name, "4")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(RuntimeError, match="one of 4 processes, but mpi4py cannot be imported"):
        World()


def test_nothing_of_it_is_loaded_unasked():
    code = "import sys, tinygrad_jp; print([m for m in sys.modules if 'parallel' in m or 'mpi4py' in m])"
    env = {**os.environ, "PYTHONPATH": str(Path(tg.__file__).parents[1])}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=env) == "[]\n"
