"""The reference is the docstrings: every public name has one, with an example that the doctests run."""

import importlib
import inspect

import pytest

ROOMS = (
    *("", ".functions", ".layers", ".layers.initializers", ".models", ".optimizers", ".optimizers.schedules"),
    *(".datasets", ".transforms", ".dataloaders", ".derivatives", ".testing", ".debugging", ".fitting", ".film"),
    *(".parallel", ".tracing"),
)
# Names whose example is that of another one, which the reader finds there.
SHOWN_AT = {
    "as_variable": "Variable", "Parameter": "Layer", "primitive": "pullback", "Config": "using_config",
    "load_checkpoint": "save_checkpoint", "Trace": "trace", "Event": "trace", "Source": "source",
    "INITIALIZERS": "initialize",
    "PULLBACKS": "pullback",
    "ResNet18": "ResNet", "ResNet50": "ResNet", "ResNet101": "ResNet", "ResNet152": "ResNet",
}  # fmt: skip
KINDS = {"Initializer"}  # Kinds of arguments: a line says what they are.


def public():
    """Every public function and class once, by its name."""
    found = {}
    for room in ROOMS:
        module = importlib.import_module(f"tinygrad_jp{room}")
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not inspect.ismodule(thing):
                found.setdefault(name, thing)
    return found


PUBLIC = public()


def test_there_is_much_to_look_up():
    assert len(PUBLIC) > 150


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert name in KINDS or text.strip()
    if name not in KINDS and name not in SHOWN_AT:
        assert ">>> " in text, f"{name} has no example"
    if name in SHOWN_AT:
        assert ">>> " in inspect.getdoc(PUBLIC[SHOWN_AT[name]])


# Function's members are what its own docstring and that of `core` describe.
@pytest.mark.parametrize("name", [name for name, x in PUBLIC.items() if inspect.isclass(x) and name != "Function"])
def test_every_public_member_is_documented(name):
    cls = PUBLIC[name]
    for member, thing in vars(cls).items():
        is_code = inspect.isfunction(thing) or isinstance(thing, property | classmethod | staticmethod)
        if is_code and not member.startswith("_"):
            assert inspect.getdoc(getattr(cls, member)), f"{name}.{member} has no docstring"
