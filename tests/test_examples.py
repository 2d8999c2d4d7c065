"""Every example runs, in a short form, and says what it promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
needs_mnist = pytest.mark.skipif("TINYGRAD_JP_DATA" not in os.environ, reason="TINYGRAD_JP_DATA names no directory")


def run(name, *args):
    command = [sys.executable, str(EXAMPLES / name), *map(str, args)]
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout


def check(output, out, name, at_least):
    assert float(re.findall(r"([\d.]+)%", output)[-1]) >= at_least
    for written in re.findall(r": +(\S+)$", output, re.M):
        assert Path(written).stat().st_size > 1000
    assert {path.name for path in out.iterdir()} == {f"{name}_graph.svg", f"{name}_curves.png"}


def test_digits(tmp_path):
    check(run("digits.py", "--epochs", 10, "--out", tmp_path), tmp_path, "digits", at_least=93)


@needs_mnist
def test_mnist(tmp_path):
    output = run("mnist.py", "--epochs", 1, "--examples", 6000, "--out", tmp_path)
    check(output, tmp_path, "mnist", at_least=85)


def test_every_example_is_run():
    tested = set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    assert tested == {path.name for path in EXAMPLES.glob("*.py")}
