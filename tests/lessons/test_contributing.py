"""An operation is added as CONTRIBUTING.md says, step by step, to a copy; a wrong rule is found there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Where a block of code goes: at the end of a file, or after one of its lines.
STEP = re.compile(
    r"(?:At the end of|In)\s+\[`(\S+)`\]\(\1\)(?:, after\s+the line `(.+?)`)?[^\[]*?:\n\n```python\n(.*?)```", re.S
)
COPIED = ("tinygrad_jp", "tests", "examples", "pyproject.toml", *(path.name for path in ROOT.glob("*.md")))


def add(root, name, line, code):
    """Put `code` into the file `name`, below `line` or at the end; if it has a public name, also into `__all__`."""
    path = root / name
    text = path.read_text(encoding="utf-8")
    if line:
        (found,) = re.findall(rf"^ *{re.escape(line)}\n", text, re.M)
        text = text.replace(found, found + code)
    else:
        text += "\n\n" + code
        text = text.replace("__all__ = [", f'__all__ = ["{re.search(r"def ([a-z]+)", code)[1]}", ')
    path.write_text(text, encoding="utf-8")


def run(root, *args):
    """What pytest prints in the copy, by itself and with one process."""
    command = [sys.executable, "-m", "pytest", "-n0", "-v", "-p", "no:cacheprovider", *args]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.slow
def test_an_operation_in_five_minutes(tmp_path):
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    steps = STEP.findall(TEXT)
    assert len(steps) == TEXT.count("```python") == 3
    for step in steps:
        add(tmp_path, *step)
    (command,) = re.findall(r"^```sh\n(pytest -k .+)\n```", TEXT, re.M)

    right = run(tmp_path, *command.split()[1:])
    assert right.returncode == 0, right.stdout
    for found in (
        "activations.py::tinygrad_jp.functions.activations.softsign",
        "test_rules.py::test_value[softsign]",
        "test_numerical_gradients.py::test_float64_against_differences_to_second_order[softsign]",
        "test_trace.py::",
        "test_phrases.py::",
    ):
        assert re.search(re.escape(found) + ".* PASSED", right.stdout), found

    path = tmp_path / steps[0][0]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("np.absolute(x)) ** 2", "np.absolute(x))"), encoding="utf-8")
    wrong = run(tmp_path, "tests/rules/test_numerical_gradients.py", *command.split()[1:])
    assert wrong.returncode == 1
    assert "test_float64_against_differences_to_second_order[softsign] FAILED" in wrong.stdout
    assert "input 0 is wrong at" in wrong.stdout
