"""All modules outside the engine use only the public names of a Variable and a Function."""

import ast
from pathlib import Path

import pytest

import tinygrad_jp
from tinygrad_jp.core import Function, Parameter, Variable

PACKAGE = Path(tinygrad_jp.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] != "core"
}
# The engine's own business, though it has no underscore: how a joint rule runs.
PRIVATE = {"joint_pullback"} | {
    name
    for kind in (Variable, Parameter, Function)
    for name in dir(kind)
    if name.startswith("_") and not name.startswith("__")
}
OPERANDS = {"a", "b"}  # Where an operator keeps its two arguments: private of a Function, which is called f everywhere.
# Rooms that use private names: optimizers read the arrays of all parameters twice in a step, which properties would
# make a tenth slower in a small network. Programs put recorded arrays in the place of all others for one call, and are
# written out where the engine is.
LEFT = {"optimizers", "programs"}


def private_names(tree):
    """Every private name of the engine that is used of anything but self: (line, name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = getattr(node.value, "id", None)
            if (node.attr in PRIVATE and owner not in ("self", "cls")) or (node.attr in OPERANDS and owner == "f"):
                yield node.lineno, node.attr


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_uses_public_names_only(name):
    found = list(private_names(ast.parse(MODULES[name].read_text(encoding="utf-8"))))
    assert found == [] or name.partition(".")[0] in LEFT


def test_a_room_that_uses_public_names_only_is_taken_off_the_list():
    using = {
        name.partition(".")[0]
        for name, path in MODULES.items()
        if any(private_names(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert using == LEFT


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x._array", ["_array"]),
        ("x.grad._array", ["_array"]),
        ("f.args", []),
        ("self._array = 1", []),
        ("self.W._array", ["_array"]),
        ("p._grad = f._args", ["_grad", "_args"]),
        ("Variable.record(f, x, y)", []),
        ("f.joint_pullback()", ["joint_pullback"]),
        ("f.a * f.b", ["a", "b"]),
        ("pairs.a", []),
    ],
)
def test_private_names_are_found(text, found):
    assert sorted(name for _, name in private_names(ast.parse(text))) == sorted(found)


def test_the_engines_names_are_among_the_private_ones():
    assert {"_array", "_grad", "_args", "_seed", "_accumulate_grad"} <= PRIVATE
    assert not {"data", "grad", "args", "kwargs", "xs", "y", "creator", "sequence", "layer", "edges"} & PRIVATE
