"""The lessons give the numbers that the lessons gave, in both languages, and say in one line what they cannot use."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_jp import PULLBACKS, optimizers

mpl = pytest.importorskip("matplotlib")
pytest.importorskip("matplotlib.font_manager")  # Its first import may take long, and say so on stderr.
ROOT = Path(__file__).parent.parent
both = pytest.mark.parametrize("lang", ["en", "ja"])


@pytest.fixture
def load(monkeypatch):
    """Import a file of examples/ afresh; what it changes is undone after the test."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    rules = set(PULLBACKS)

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    with mpl.rc_context():
        yield load
    for func in set(PULLBACKS) - rules:
        del PULLBACKS[func]


@pytest.fixture
def run(load, capsys, tmp_path):
    """Run an example: what it returns, the lines it prints, and where its pictures are."""

    def run(name, *args):
        found = load(Path(name).stem).main([*map(str, args), "--out", str(tmp_path / "new" / "pictures")])
        printed = capsys.readouterr()
        assert printed.err == ""
        for line in printed.out.splitlines():
            if line.startswith(("picture: ", "図: ")):
                assert Path(line.split(": ")[1]).stat().st_size > 20_000
        return found, printed.out.splitlines(), tmp_path / "new" / "pictures"

    return run


# Which path, how many rows, the first and the last of them: gradient, step, x.
ROWS = [
    ("square", 228, ("10.000", "-0.100", "4.900"), (" 0.102", "-0.001", "0.050")),
    ("right", 45, ("288.000", "-2.880", "1.120"), (" 0.101", "-0.001", "0.708")),
    ("left", 30, ("-192.000", "1.920", "-2.080"), ("-0.103", "0.001", "-1.450")),
]


@both
def test_gradient_descent(run, lang):
    found, lines, out = run("gradient_descent.py", "--lang", lang)
    assert [path.name for path in out.iterdir()] == ["gradient_descent.png"]
    row = {"en": "{:04}: gradient={}  step={}  x={}", "ja": "{:04}: 傾き={}  移動量={}  x={}"}[lang]
    at = 0
    for key, n, first, last in ROWS:
        at = lines.index(row.format(0, *first), at)
        assert lines[at + n - 1] == row.format(n - 1, *last)
        assert len(found[key]) == n and lines[at + n] == ""
    np.testing.assert_allclose([x for _, _, x in found["square"]], 5 * 0.98 ** np.arange(1, 229))
    assert [len(path) for path in found["rates"].values()] == [228, 21, 1, 21, 500, 17]
    assert [round(path[-1][2], 3) for path in found["leaps"].values()] == [0.708, -1.45, 113.658]
    assert len(found["newton"]) == 5
    minimum, maximum = (-3 - 73**0.5) / 8, 0
    assert found["newton"][-1][2] == pytest.approx(minimum, abs=0.003)
    assert found["hill"][-1][2] == pytest.approx(maximum, abs=1e-9)


@both
def test_numerical_gradient(run, lang):
    found, lines, out = run("numerical_gradient.py", "--lang", lang, "--largest", 16)
    assert [path.name for path in out.iterdir()] == ["numerical_gradient.png"]
    assert lines[1] == {"en": "central difference", "ja": "数値微分（中心差分）"}[lang] + " 300.00000000939053"
    assert (found["exact"], found["third"]) == (300, 6)
    errors = found["errors"]
    assert [errors[h] for h in (1e-1, 1e-2, 1e-3)] == pytest.approx([1e-2, 1e-4, 1e-6], rel=1e-3)  # h²·6/6
    assert min(errors, key=errors.get) in (1e-4, 1e-5) and errors[1e-15] > 1
    assert found["best"] == pytest.approx(4.8e-5, rel=0.01)
    for by_differences, by_backward, _ in found["rows"]:
        np.testing.assert_allclose(by_differences, by_backward, atol=1e-9)
    assert len(found["rows"]) == 20
    np.testing.assert_allclose(found["rows"][-1][2], [1 - 4 * 0.8**20, 2 + 2 * 0.8**20])
    assert found["n"] == [1, 4, 16] and min(found["slow"] + found["fast"]) > 0


def test_both_gradients_agree(load):
    example, x = load("numerical_gradient"), np.linspace(-1, 1, 7)
    exact = 2 * np.tanh(x) * (1 - np.tanh(x) ** 2)
    np.testing.assert_allclose(example.by_backward(example.wave, x), exact)
    np.testing.assert_allclose(example.by_differences(example.wave, x), exact, rtol=1e-7, atol=1e-9)


@both
def test_backprop_by_hand(run, lang):
    found, lines, out = run("backprop_by_hand.py", "--lang", lang, "--steps", 200)
    assert {path.name for path in out.iterdir()} == {"backprop_by_hand.png", "backprop_by_hand_graph.svg"}
    assert "W" in (out / "backprop_by_hand_graph.svg").read_text(encoding="utf-8")
    row = {"en": "    0 by hand=4.739338574017", "ja": "    0 手書き=4.739338574017"}[lang]
    assert sum(line.startswith(row) for line in lines) == 1
    for name, by_hand, by_engine in found["alone"] + found["network"]:
        np.testing.assert_allclose(by_engine, by_hand, rtol=1e-12, err_msg=name)
        if name in ("Dense out", "Dense dx", "Dense dW", "lesson out", "lesson dx"):
            np.testing.assert_array_equal(by_engine, by_hand, err_msg=name)
            assert any(
                line.startswith(name) and line.endswith(f"{by_hand.size}/{by_hand.size}     0") for line in lines
            )
    assert len(found["alone"] + found["network"]) == 12
    np.testing.assert_allclose(found["engine"], found["hand"], rtol=1e-9)
    assert max(found["apart"]) < 1e-12
    np.testing.assert_allclose(found["answers"], [0, 1, 1, 0], atol=0.01)


BAD = [
    (["--lang", "fr"], "invalid choice: 'fr'"),
    (["--out", "{file}"], "cannot write into a directory"),
    (["--out", "{file}/deeper"], "cannot write into a directory"),
    (["--steps", "0"], "expected a whole number above 0, got '0'"),
    (["--steps", "many"], "expected a whole number above 0, got 'many'"),
    (["--data", "{file}/none"], "to read data from"),
    (["--optimizer", "Optimizer"], "unknown optimizer 'Optimizer' (choose from"),
    (["--optimizer", "sgd"], "SGD"),
    (["--colour", "red"], "unrecognized arguments"),
]


@pytest.mark.parametrize(("args", "message"), BAD)
def test_bad_input_is_one_line(load, capsys, tmp_path, args, message):
    lessons, file = load("lessons"), tmp_path / "file"
    file.write_text("")
    parser = lessons.Parser("a lesson")
    parser.add_argument("--steps", type=lessons.count)
    parser.add_argument("--data", type=lessons.data_directory)
    parser.add_argument("--optimizer", type=lessons.optimizer)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args([arg.format(file=file) for arg in ("--out", str(tmp_path), *args)])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err and "error: " in err


def test_what_is_given_is_used(load, tmp_path):
    lessons = load("lessons")
    parser = lessons.Parser("a lesson")
    parser.add_argument("--optimizer", type=lessons.optimizer)
    args = parser.parse_args(["--lang", "ja", "--out", str(tmp_path / "a" / "b"), "--optimizer", "Adam"])
    assert (args.lang, args.out, args.optimizer) == ("ja", tmp_path / "a" / "b", optimizers.Adam)
    assert args.out.is_dir() and not list(args.out.iterdir())
    assert (lessons.data_directory(str(tmp_path)), lessons.count("12")) == (tmp_path, 12)


@pytest.mark.parametrize(
    ("name", "lang"), [("ja_JP.UTF-8", "ja"), ("ja", "ja"), ("Japanese_Japan.932", "ja"), ("jav", "en"), ("C", "en")]
)
def test_the_language_is_that_of_the_locale(load, monkeypatch, name, lang):
    monkeypatch.setenv("LC_ALL", name)
    assert load("lessons").language() == lang


def test_without_a_japanese_font_pictures_are_in_english(load, monkeypatch, capsys):
    lessons = load("lessons")
    monkeypatch.setattr(lessons, "FONTS", [])
    say, label = lessons.texts({"step": ("step {}", "{} 歩")}, "ja")
    assert (say("step", 3), label("step", 3)) == ("3 歩", "step 3")
    assert "日本語フォント" in capsys.readouterr().out
    say, label = lessons.texts({"step": ("step {}", "{} 歩")}, "en")
    assert say("step", 3) == label("step", 3) == "step 3"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("args", "status"), [(["--lang", "ja"], 0), (["--lang", "xx"], 2)])
def test_as_a_program_on_a_console_that_knows_no_japanese(tmp_path, args, status):
    command = [sys.executable, "examples/gradient_descent.py", "--out", str(tmp_path), *args]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.returncode == status
    assert ("gradient_descent.py: error: argument --lang: " in done.stderr) == (status == 2)
    assert "Traceback" not in done.stderr
    assert ("0227: ??= 0.102  ???=-0.001  x=0.050" in done.stdout) == (status == 0)
