"""Every example runs, in a short form, and says what it promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"
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


def test_digits_cnn(tmp_path):
    output = run("digits_cnn.py", "--epochs", 3, "--out", tmp_path)
    assert float(re.findall(r"^ +3 .+ ([\d.]+)%$", output, re.M)[0]) >= 98
    assert re.search(r"^Sequential +\(1, 10\) +26,346 +105,384$", output, re.M)
    assert (tmp_path / "digits_cnn.png").stat().st_size > 10_000


def test_gpt(tmp_path):
    output = run("gpt.py", "--steps", 60, "--out", tmp_path)
    before, after = map(float, re.findall(r"before and after: ([\d.]+) ([\d.]+)$", output, re.M)[0])
    assert before > 6 and after < 5.3
    assert output.count(" ||") == 2
    assert (tmp_path / "gpt.png").stat().st_size > 10_000


def test_sine(tmp_path):
    output = run("sine.py", "--epochs", 250, "--out", tmp_path)
    found = re.findall(r"^(RNN|LSTM|GRU) +[\d.]+ +([\d.]+) +([\d.]+)$", output, re.M)
    assert [name for name, _, _ in found] == ["RNN", "LSTM", "GRU"]
    assert all(float(ahead) < 0.04 and float(alone) < 0.2 for _, ahead, alone in found)
    assert (tmp_path / "sine.png").stat().st_size > 10_000


def test_spiral(tmp_path):
    output = run("spiral.py", "--epochs", 100, "--out", tmp_path)
    book, better = map(float, re.findall(r"test +([\d.]+)%$", output, re.M))
    assert 50 < book < better and better >= 97
    assert (tmp_path / "spiral.png").stat().st_size > 10_000


def test_vae(tmp_path):
    output = run("vae.py", "--epochs", 20, "--out", tmp_path)
    reconstruction, kl = map(float, re.findall(r"reconstruction +([\d.]+)  KL +([\d.]+)$", output, re.M)[-1])
    before, after = map(float, re.findall(r"before and after: ([\d.]+) ([\d.]+)$", output, re.M)[0])
    assert before > 40 and 13.6 < after < 26 and kl > 1.5
    assert abs(reconstruction + kl - after) < 0.02
    assert (tmp_path / "vae_digits.png").stat().st_size > 10_000


def test_numpy_gallery():
    noise, variance, heights, kernel, below, middle = run("numpy_gallery.py").splitlines()
    assert abs(float(re.findall(r"noise of ([\d.]+)", noise)[0]) - 0.1) < 0.05
    assert re.findall(r"[\d.]+", variance)[1:] == ["0.0", "0.0"]
    assert abs(float(re.findall(r"[\d.]+", heights)[2]) - 1) < 0.1  # sin(π/2)
    assert kernel.endswith("0.20, 0.50, 0.30")
    assert below.split()[2] in ("89%", "90%", "91%")
    assert "moved by 9 of 99 points" in middle


@needs_mnist
def test_mnist(tmp_path):
    output = run("mnist.py", "--epochs", 1, "--examples", 6000, "--out", tmp_path)
    check(output, tmp_path, "mnist", at_least=85)


@needs_mnist
def test_mnist_parallel():
    output = run("mnist_parallel.py", "--epochs", 1, "--examples", 6000)
    check_last = re.findall(r"^epoch 1, processes: 1, loss [\d.]+, test ([\d.]+)%$", output, re.M)
    assert float(check_last[0]) >= 85


def test_every_example_is_run():
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py")]
    tested = set(re.findall(r'run\("(\w+\.py)"', "\n".join(texts)))
    examples = [path for path in EXAMPLES.glob("*.py") if "def main(" in path.read_text(encoding="utf-8")]
    assert tested == {path.name for path in examples}


def stopped(name, *args, **env):
    command = [sys.executable, str(EXAMPLES / name), *args]
    env = {key: value for key, value in os.environ.items() if key != "TINYGRAD_JP_DATA"} | env
    env["PYTHONPATH"] = str(EXAMPLES.parent)
    return subprocess.run(command, capture_output=True, text=True, env=env)


@pytest.mark.parametrize(
    ("name", "option"), [("digits.py", "--epochs"), ("gpt.py", "--steps"), ("sine.py", "--hidden")]
)
def test_a_number_that_makes_no_sense_is_one_line(name, option):
    done = stopped(name, option, "0")
    assert done.returncode == 2 and done.stderr.splitlines()[-1].endswith("expected a whole number above 0, got '0'")
    assert "Traceback" not in done.stderr


def test_no_data_and_no_network_is_one_line(tmp_path):
    (tmp_path / "nothing").write_text("")  # No folder can be made below it.
    done = stopped("mnist.py", "--epochs", "1", XDG_CACHE_HOME=str(tmp_path / "nothing"))
    assert done.returncode == 1 and done.stderr.startswith("mnist.py: ") and "Traceback" not in done.stderr


def test_a_reader_who_has_seen_enough_ends_it_quietly(tmp_path):
    command = f"'{sys.executable}' '{EXAMPLES / 'digits.py'}' --epochs 2 --out '{tmp_path}' | head -n 1"
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env)
    assert "epoch" in done.stdout and "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
