"""A GPU: the tests of devices on it, and training steps beside NumPy's and PyTorch's on the same card.

    python -m tests.benchmarks --gpu             # every part: at most ten minutes
    python -m tests.benchmarks --gpu tests mlp   # only these

Each part runs in a process of its own, under a limit of time, and prints line by line; where the environment names a
folder OUT, it is written to OUT/PART.txt as it comes. `facts` says what machine and libraries there are, `tests` runs
tests/devices with CuPy, and the others time training steps of growing width in float32 (forward, loss, backward, Adam).

A line of a table: the width; ms a step on the GPU; on this machine's processor by NumPy; by PyTorch on the same GPU,
eager, without TF32; and the relative difference of the losses after four steps from the same weights, ours to
PyTorch's. Every number is the median of five turns, each of as many steps as fill 0.2 s, with the GPU idle before and
after. A `-` is what is missing here, or would take longer than two seconds a step.
"""

import importlib
import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import cuda, models, optimizers

LIMITS = {"facts": 60, "tests": 200, "mlp": 90, "cnn": 90, "gpt": 120}  # seconds
TURNS, TURN, LONGEST = 5, 0.2, 2.0


# ---- The models, here and in PyTorch --------------------------------------------------------------------------------


def mlp(width):
    """784, three hidden layers of that width, 10; a batch of 256."""
    rng = np.random.default_rng(0)
    sizes = (784, width, width, width, 10)
    layers = [part for n, m in pairwise(sizes) for part in (L.Linear(m, in_size=n), F.relu)][:-1]
    x, t = rng.standard_normal((256, 784), np.float32), rng.integers(0, 10, 256)
    return models.Sequential(*layers), x, t


def torch_mlp(nn, width):
    sizes = (784, width, width, width, 10)
    layers = [part for n, m in pairwise(sizes) for part in (nn.Linear(n, m), nn.ReLU())][:-1]
    return nn.Sequential(*layers)


def cnn(width):
    """Two convolutions 3×3 of that many channels and twice as many, each pooled, 100, 10; 64 images of 28×28."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((64, 1, 28, 28), np.float32), rng.integers(0, 10, 64)
    first, second = (L.Conv2d(n, 3, pad=1, in_channels=m) for n, m in ((width, 1), (2 * width, width)))
    layers = [first, F.relu, _halved, second, F.relu, _halved, F.flatten]
    return models.Sequential(*layers, L.Linear(100, in_size=98 * width), F.relu, L.Linear(10, in_size=100)), x, t


def _halved(x):
    return F.pooling(x, 2, 2)


def torch_cnn(nn, width):
    first, second = (nn.Conv2d(m, n, 3, padding=1) for n, m in ((width, 1), (2 * width, width)))
    layers = [first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(98 * width, 100), nn.ReLU(), nn.Linear(100, 10))


def gpt(width):
    """Four blocks of that width, four heads, 65 characters; 16 texts of 256."""
    rng = np.random.default_rng(0)
    x, t = rng.integers(0, 65, (2, 16, 256))
    return models.GPT(65, n_layers=4, width=width, n_heads=4, context=256), x, t


def torch_gpt(nn, width):
    import torch

    def gelu(x):
        return nn.functional.gelu(x, approximate="tanh")

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(65, width), nn.Embedding(256, width)
            settings = {"dropout": 0.0, "activation": gelu, "batch_first": True, "norm_first": True}
            self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(width, 4, 4 * width, **settings) for _ in range(4))
            self.norm = nn.LayerNorm(width)

        def forward(self, ids):
            n = ids.shape[1]
            mask = torch.triu(torch.full((n, n), -torch.inf, device=ids.device), diagonal=1)
            x = self.token(ids) + self.position.weight[:n]
            for block in self.blocks:
                x = block(x, src_mask=mask, is_causal=True)
            return self.norm(x) @ self.token.weight.T

    return GPT()


WORKS = {
    "mlp": (mlp, torch_mlp, (128, 512, 2048, 8192)),
    "cnn": (cnn, torch_cnn, (16, 64, 256)),
    "gpt": (gpt, torch_gpt, (64, 256, 1024)),
}


# ---- Steps ----------------------------------------------------------------------------------------------------------


def steps(model, x, t):
    optimizer = optimizers.Adam(0.001).setup(model)

    def step():
        model.cleargrads()
        loss = F.softmax_cross_entropy(model(x), t)
        loss.backward()
        optimizer.update()
        return loss

    return step


def torch_steps(torch, model, x, t):
    optimizer = torch.optim.Adam(model.parameters(), 0.001)

    def step():
        optimizer.zero_grad()
        y = model(x)
        loss = torch.nn.functional.cross_entropy(y.reshape(-1, y.shape[-1]), t.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def milliseconds(step, wait):
    """The median time of a step; None where one takes too long."""
    start = time.perf_counter()
    step(), wait()
    first = time.perf_counter()
    step(), wait()
    once = time.perf_counter() - first
    if once > LONGEST or first - start > 10 * LONGEST:
        return None
    repeats, turns = max(1, round(TURN / once)), []
    for _ in range(TURNS):
        start = time.perf_counter()
        for _ in range(repeats):
            step()
        wait()
        turns.append((time.perf_counter() - start) / repeats)
    return 1e3 * median(turns)


def _torch():
    """PyTorch, computing in full float32, and the device to use; None where it is missing or has no GPU."""
    with suppress(ImportError):
        import torch

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        if torch.cuda.is_available() or os.environ.get("GPU_REHEARSAL"):
            return torch, "cuda" if torch.cuda.is_available() else "cpu"
    return None, None


def timed(name):
    """A line for each width."""
    make, make_torch, widths = WORKS[name]
    cupy, (torch, where) = cuda.cupy, _torch()
    wait = getattr(cupy.cuda, "Device", lambda: None)
    idle = (lambda: wait().synchronize()) if wait() else (lambda: None)
    yield f"{name}: {make.__doc__}"
    yield f"{'width':>8}{'GPU, ms':>12}{'CPU, ms':>12}{'torch, ms':>12}{'GPU / torch':>13}{'loss differs by':>17}"
    slow = False
    for width in widths[: 1 if os.environ.get("GPU_REHEARSAL") else None]:
        model, x, t = make(width)
        other = differs = None
        if torch:
            peer = make_torch(torch.nn, width)
            state = {key: value.detach().numpy().copy() for key, value in peer.state_dict().items()}
            model.load_state(state, layout="torch")
            peer.to(where)
            theirs = torch_steps(torch, peer, *(torch.from_numpy(a).to(where) for a in (x, t)))
            losses = [theirs().item() for _ in range(4)]
        here = None
        if not slow:
            twin, _, _ = make(width)
            twin.load_state(model.state())
            here = milliseconds(steps(twin, x, t), lambda: None)
            slow = here is None
        model.to_gpu()
        step = steps(model, cuda.as_cupy(x), cuda.as_cupy(t))
        if torch:
            ours = [step().item() for _ in range(4)]
            differs = abs(ours[-1] - losses[-1]) / abs(losses[-1])
        there = milliseconds(step, idle)
        if torch:
            other = milliseconds(theirs, torch.cuda.synchronize if where == "cuda" else lambda: None)
        cells = [there, here, other, there and other and there / other]
        line = f"{width:>8}" + "".join(
            f"{'-' if c is None else format(c, '.3g'):>{12 + i // 3}}" for i, c in enumerate(cells)
        )
        yield line + f"{'-' if differs is None else format(differs, '.0e'):>17}"


def facts():
    """What machine and what libraries there are."""
    yield f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"
    for name in ("cupy", "torch", "scipy", "hypothesis", "pytest", "xdist"):
        try:
            yield f"{name} {importlib.import_module(name).__version__}"
        except Exception as error:
            yield f"{name}: {type(error).__name__}: {error}"
    yield f"cuda.gpu_enable: {cuda.gpu_enable}"
    if cuda.gpu_enable and hasattr(cuda.cupy, "show_config"):
        import io
        from contextlib import redirect_stdout

        with redirect_stdout(io.StringIO()) as text:
            cuda.cupy.show_config()
        yield text.getvalue()
    with suppress(OSError):
        yield subprocess.run(["nvidia-smi"], capture_output=True, text=True, check=False).stdout


def part(name):
    if name == "tests":
        files = Path(__file__).parents[1] / "devices"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(min(12, os.cpu_count() or 1)), "--maxprocesses=12"]
        command += ["-k", "CuPy", "-m", "not slow", "-W", "default", "--tb=short", "-rfE", str(files)]
        sys.exit(subprocess.call(command, env={**os.environ, "TINYGRAD_JP_GPU": "1"}))
    for line in facts() if name == "facts" else timed(name):
        print(line, flush=True)


def main(names=()):
    """Run the parts one after the other, each under its limit."""
    out = os.environ.get("OUT")
    for name in names or LIMITS:
        print(f"==== {name}, at most {LIMITS[name]} s", flush=True)
        command = f"{sys.executable} -u -m tests.benchmarks.gpu {name} 2>&1"
        command += f" | tee {Path(out) / f'{name}.txt'}" if out else ""
        start = time.perf_counter()
        process = subprocess.Popen(["bash", "-c", command], start_new_session=True)
        try:
            process.wait(LIMITS[name])
        except subprocess.TimeoutExpired:
            print("stopped: its time is up", flush=True)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
        print(f"==== {name} took {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    part(sys.argv[1])
