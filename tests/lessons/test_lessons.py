"""The lessons give the numbers that the lessons gave, in both languages, and say in one line what they cannot use."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_jp import Optimizer, optimizers

mpl = pytest.importorskip("matplotlib")
pytest.importorskip("matplotlib.animation")
pytest.importorskip("matplotlib.font_manager")  # Its first import may take long, and say so on stderr.
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "ja")


@pytest.fixture
def load(monkeypatch):
    """Import a file of examples/ afresh."""
    monkeypatch.syspath_prepend(ROOT / "examples")

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    with mpl.rc_context():
        yield load


@pytest.fixture
def run(load, monkeypatch, capsys, tmp_path):
    """Run a lesson once, for both languages.

    Returns what it returns, the lines it prints in each language, and where its pictures are. It draws in Japanese, and
    prints a mark for each text, in the place of which both languages are put.
    """
    lessons, said = load("lessons"), []

    def marked(english, japanese):
        said.append({"en": english, "ja": japanese})
        return f"⟦{len(said) - 1}⟧"

    def run(name, *args):
        monkeypatch.setattr(lessons, "say", marked)
        out = tmp_path / "new" / "pictures"
        found = load(Path(name).stem).main([*map(str, args), "--lang", "ja", "--out", str(out)])
        printed = capsys.readouterr()
        assert all(re.search(r"%\|#*\d* *\| \d+/\d+ \[", bar) for bar in printed.err.splitlines())  # Of progress.
        lines = {}
        for lang in LANGUAGES:
            text = re.sub(r"⟦(\d+)⟧", lambda m, lang=lang: said[int(m[1])][lang], printed.out)
            # Where no Japanese font is installed, a line says so: it has a test of its own.
            lines[lang] = [line for line in text.splitlines() if not line.startswith("日本語フォント")]
        for picture in re.findall("^図: (.+)$", "\n".join(lines["ja"]), re.M):
            assert Path(picture).stat().st_size > 20_000
        return found, lines, out

    return run


# Which path, how many rows, the first and the last of them: gradient, step, x.
ROWS = [
    ("square", 228, ("10.000", "-0.100", "4.900"), (" 0.102", "-0.001", "0.050")),
    ("right", 45, ("288.000", "-2.880", "1.120"), (" 0.101", "-0.001", "0.708")),
    ("left", 30, ("-192.000", "1.920", "-2.080"), ("-0.103", "0.001", "-1.450")),
]


def test_gradient_descent(run):
    found, lines, out = run("gradient_descent.py")
    assert [path.name for path in out.iterdir()] == ["gradient_descent.png"]
    for lang, row in {"en": "{:04}: gradient={}  step={}  x={}", "ja": "{:04}: 傾き={}  移動量={}  x={}"}.items():
        at = 0
        for key, n, first, last in ROWS:
            at = lines[lang].index(row.format(0, *first), at)
            assert lines[lang][at + n - 1] == row.format(n - 1, *last)
            assert len(found[key]) == n and lines[lang][at + n] == ""
    np.testing.assert_allclose([x for _, _, x in found["square"]], 5 * 0.98 ** np.arange(1, 229))
    assert [len(path) for path in found["rates"].values()] == [228, 21, 1, 21, 500, 17]
    assert [round(path[-1][2], 3) for path in found["leaps"].values()] == [0.708, -1.45, 113.658]
    assert len(found["newton"]) == 5
    minimum, maximum = (-3 - 73**0.5) / 8, 0
    assert found["newton"][-1][2] == pytest.approx(minimum, abs=0.003)
    assert found["hill"][-1][2] == pytest.approx(maximum, abs=1e-9)


def test_numerical_gradient(run):
    found, lines, out = run("numerical_gradient.py", "--largest", 16)
    assert [path.name for path in out.iterdir()] == ["numerical_gradient.png"]
    for lang, name in {"en": "central difference", "ja": "数値微分（中心差分）"}.items():
        assert lines[lang][1] == name + " 300.00000000939053"
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


def test_backprop_by_hand(run):
    found, lines, out = run("backprop_by_hand.py", "--steps", 200)
    assert {path.name for path in out.iterdir()} == {"backprop_by_hand.png", "backprop_by_hand_graph.svg"}
    assert "W" in (out / "backprop_by_hand_graph.svg").read_text(encoding="utf-8")
    for lang, row in {"en": "    0 by hand=4.739338574017", "ja": "    0 手書き=4.739338574017"}.items():
        assert sum(line.startswith(row) for line in lines[lang]) == 1
    for name, by_hand, by_engine in found["alone"] + found["network"]:
        np.testing.assert_allclose(by_engine, by_hand, rtol=1e-12, err_msg=name)
        if name in ("Dense out", "Dense dx", "Dense dW", "lesson out", "lesson dx"):
            np.testing.assert_array_equal(by_engine, by_hand, err_msg=name)
            same = [line for line in lines["en"] if line.startswith(name)]
            assert any(line.endswith(f"{by_hand.size}/{by_hand.size}     0") for line in same)
    assert len(found["alone"] + found["network"]) == 12
    np.testing.assert_allclose(found["engine"], found["hand"], rtol=1e-9)
    assert max(found["apart"]) < 1e-12
    np.testing.assert_allclose(found["answers"], [0, 1, 1, 0], atol=0.01)


def test_see_it(run):
    found, lines, out = run("see_it.py")
    assert {path.name for path in out.iterdir()} == {
        *("see_it.png", "see_it_graph.svg", "see_it_player.html", "see_it_film.html")
    }
    y, steps, wrong = found["y"], found["steps"], found["wrong"]
    assert y.item() == 8 and {steps.labels[x]: g for x, g in steps.grads.items()} == {
        **{"y": 1, "v1": 1, "a": 4, "b": 2}
    }
    assert re.findall(r"\d+", wrong.splitlines()[0]) == ["3", "4", "1", "4"] and "v1 + a" in wrong.splitlines()[1]
    assert {*steps.explain().splitlines(), *wrong.splitlines()} < {*lines["en"]} & {*lines["ja"]}
    learns, stuck = (film.losses for film in found["films"].values())
    assert learns[0] == pytest.approx(0.6522, abs=1e-3) and learns[-1] == pytest.approx(0.07, rel=0.05)
    assert stuck == pytest.approx([np.log(2)] * 80)
    for lang, word in {"en": "loss", "ja": "損失"}.items():
        assert sum(line.startswith(f"{word} 0.6931 -> 0.6931  ") for line in lines[lang]) == 1
    for name in ("see_it_player.html", "see_it_film.html"):
        assert '<html lang="ja"' in (out / name).read_text(encoding="utf-8")


def test_by_hand(run):
    found, lines, out = run("by_hand.py", "--steps", 200)
    assert {path.name for path in out.iterdir()} == {"by_hand.png", "by_hand_step.py"}
    text = (out / "by_hand_step.py").read_text(encoding="utf-8")
    assert text.startswith(found["program"]) and "tinygrad" not in text
    assert "    # l1: linear の逆伝播" in found["program"].splitlines()
    np.testing.assert_allclose(found["file"], found["engine"], rtol=1e-9)
    np.testing.assert_array_equal(found["compiled"], found["engine"])
    assert found["file"][-1] < 0.2 < 1 < found["file"][0] and found["apart"] < 1e-12
    for lang in LANGUAGES:
        first = "   ".join(f"{found[key][0]:.15f}" for key in ("file", "engine", "compiled"))
        assert sum(line == f"   0   {first}" for line in lines[lang]) == 1


def test_sgd_vs_minibatch(run):
    found, lines, out = run("sgd_vs_minibatch.py")
    assert [path.name for path in out.iterdir()] == ["sgd_vs_minibatch.png"]
    assert [losses.shape for losses in found] == [(500, 2), (50, 2), (50, 2)]
    assert [losses[0, 1] for losses in found] == pytest.approx([44.104] * 3, rel=1e-4)
    assert [losses[-1, 1] for losses in found] == pytest.approx([0.0016, 0.107, 0.0198], rel=0.03)
    np.testing.assert_array_equal(*found[2].T)
    assert sum("steps= 50  rows=50,000  loss 44.104 -> 0.0198" in line for line in lines["en"]) == 1


def test_online_learning(run):
    errors, _, out = run("online_learning.py")
    assert [path.name for path in out.iterdir()] == ["online_learning.png"]
    before, after, end = (errors[i : i + 200].mean(axis=0) for i in (800, 1000, 2800))
    assert before[0] == before[1] < 0.01 and after[0] < 0.5 and end[0] < 0.002 and min(after[1], end[1]) > 4


# A gradient → how far it is from the right one, its cosine with that, and the error of its mean over many batches.
WRONG = {
    "right": (0, 1, 0.01366),
    "alone": (0.54357, 0.7685, 0.0699),
    "mixed": (0.5336, 0.7685, 0.64558),
    "output": (0.64578, 0.65401, 0.7216),
    "input": (0.54092, 0.81564, 0.57938),
    "point": (0.15528, 0.9954, 0.19961),
    "stale": (4.025, -0.72627, 6.68392),
}


def test_wrong_gradients(run):
    found, lines, out = run("wrong_gradients.py", "--steps", 100)
    assert [path.name for path in out.iterdir()] == ["wrong_gradients.png"]
    assert found["wrong"].keys() == found["training"].keys() == WRONG.keys()
    for key, (apart, cosine, bias) in WRONG.items():
        off, cos, numeric, error = found["wrong"][key]
        assert (off, cos, error) == pytest.approx((apart, cosine, bias), rel=2e-3, abs=1e-4), key
        assert numeric == pytest.approx(off, abs=1e-8), key
    ends = {key: losses[-1] for key, losses in found["training"].items()}
    assert max(ends["right"], ends["point"]) < 0.03 < 0.1 < ends["alone"] < ends["mixed"] < 1 < ends["stale"]
    assert ends["output"] > 1e6 and len(found["training"]["output"]) < 100
    for lang in LANGUAGES:
        assert sum("-0.7263" in line for line in lines[lang]) == 1


# An optimizer → loss and accuracy on the digits after 30 steps.
RACE = {
    "SGD": (2.109, 0.290),
    "MomentumSGD": (1.216, 0.791),
    "AdaGrad": (0.219, 0.961),
    "RMSprop": (0.151, 0.951),
    "AdaDelta": (0.466, 0.924),
    "Adam": (0.036, 0.994),
}


def test_optimizer_race(run):
    found, lines, out = run("optimizer_race.py", "--data", "digits", "--steps", 30)
    assert [path.name for path in out.iterdir()] == ["optimizer_race.png"]
    assert found.keys() == RACE.keys()
    for name, (loss, accuracy) in RACE.items():
        history, tested = found[name]
        assert tuple(history[0]) == pytest.approx((2.451, 0.128), abs=1e-3)
        assert tuple(history[-1]) == pytest.approx((loss, accuracy), abs=0.02), name
        assert tested == pytest.approx(accuracy, abs=0.08), name
    order = "SGD < MomentumSGD < AdaDelta < RMSprop < AdaGrad < Adam"
    assert f"found: {order}" in lines["en"] and f"結果: {order}" in lines["ja"]


@pytest.mark.skipif("TINYGRAD_JP_DATA" not in os.environ, reason="TINYGRAD_JP_DATA names no directory")
def test_optimizers_on_mnist(run):
    found, lines, _ = run("optimizer_race.py", "--optimizers", "Adam", "--steps", 2)
    assert lines["en"][0] == "The race: 60,000 digits, 2 steps, weights: he"
    assert tuple(found["Adam"][0][0]) == pytest.approx((2.386, 0.1365), abs=1e-3)


# An optimizer → the first step with f < 0.01 in the ravine, and with |y| > 1 off the saddle; never is "-".
STEPS = {
    "SGD": ("-", "40"),
    "MomentumSGD": ("22", "19"),
    "AdaGrad": ("-", "19"),
    "RMSprop": ("39", "4"),
    "AdaDelta": ("-", "41"),
    "Adam": ("48", "11"),
    "Nesterov": ("21", "16"),
    "AdamW": ("47", "11"),
    "AdaMax": ("67", "15"),
    "Nadam": ("57", "10"),
    "Ftrl": ("-", "33"),
}


def test_optimizer_walk(run):
    found, lines, out = run("optimizer_walk.py", "--frames", 3)
    assert {path.name for path in out.iterdir()} == {"optimizer_walk.png", "optimizer_walk.gif"}
    assert (out / "optimizer_walk.gif").read_bytes()[:6] == b"GIF89a"
    assert found["ravine"].keys() == found["saddle"].keys() == STEPS.keys()
    for lang in LANGUAGES:
        rows = [line.split() for line in lines[lang]]
        assert {row[0]: tuple(row[1:3]) for row in rows if len(row) == 4 and row[0] in STEPS} == STEPS


def test_adam_correction(run):
    found, _, out = run("adam_correction.py")
    assert [path.name for path in out.iterdir()] == ["adam_correction.png"]
    t = np.arange(1, 11)
    m, v = (1 - 0.9**t) / 0.1, (1 - 0.999**t) / 0.001
    for column, g in ((0, 1), (2, 1e-4)):
        np.testing.assert_allclose(found[:, column], g / (g + 1e-7))
        np.testing.assert_allclose(found[:, column + 1], g * m / np.sqrt(g**2 * v + 1e-7))


def test_optimizers_may_be_chosen(run, load, monkeypatch):
    monkeypatch.setattr(mpl.animation.writers, "is_available", lambda name: name != "pillow")
    found, *_ = run(
        "optimizer_race.py", "--data", "digits", "--steps", 2, "--optimizers", "Ftrl, SGD", "--init", "normal"
    )
    assert [*found] == ["Ftrl", "SGD"]
    found, _, out = run("optimizer_walk.py", "--frames", 1, "--optimizers", "Ftrl,SGD")
    assert [*found["ravine"]] == [*found["saddle"]] == ["Ftrl", "SGD"]
    assert "<img" in (out / "optimizer_walk.html").read_text(encoding="utf-8")
    every = {kind for kind in vars(optimizers).values() if isinstance(kind, type) and issubclass(kind, Optimizer)}
    assert set(load("lessons").several("all")) == {kind.__name__ for kind in every - {Optimizer}}


# An optimizer → its losses in epochs 2, 10 and 20, as PyTorch 2.13 has them.
LOSSES = {
    "SGD": (1.150394, 0.031416, 0.000444),
    "SGD momentum": (1.150394, 0.119547, 0.193221),
    "Adadelta": (1.66679, 0.847468, 0.368541),
    "Adagrad": (1.776767, 1.660885, 1.58137),
    "Adam": (1.500077, 0.207917, 0.040234),
    "RMSprop": (1.500077, 0.724012, 0.40157),
}


def test_framework_comparison(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # As if it were not installed.
    found, lines, out = run("framework_comparison.py")
    assert [path.name for path in out.iterdir()] == ["framework_comparison.png"]
    assert found.keys() == {"engine"} and sum("pip install torch" in line for line in lines["en"]) == 1
    for name, losses in LOSSES.items():
        assert [found["engine"][name][epoch - 1] for epoch in (1, 2, 10, 20)] == pytest.approx(
            (1.809237, *losses), abs=1e-6
        )
    words = (
        f"    {'    optimizer.zero_grad()':54}    model.cleargrads()",
        f"    {'RMSprop()':54}RMSprop(lr=0.01, rho=0.99, eps=1e-08)",
    )
    assert {*words} < {*lines["en"]}


def test_framework_comparison_with_pytorch(run):
    pytest.importorskip("torch")
    found, lines, _ = run("framework_comparison.py")
    assert found["engine"].keys() == found["pytorch"].keys() == LOSSES.keys()
    for name in LOSSES:
        np.testing.assert_allclose(found["engine"][name], found["pytorch"][name], rtol=0, atol=1e-12, err_msg=name)
    assert found["apart"] < 1e-12
    assert sum(line.startswith("The largest difference from PyTorch: ") for line in lines["en"]) == 1


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


BAD_LESSONS = [
    ("optimizer_race", ["--optimizers", "Adam,Sgd"], "unknown optimizer 'Sgd' (choose from AdaDelta, "),
    ("optimizer_race", ["--optimizers", ""], "unknown optimizer ''"),
    ("optimizer_race", ["--lang", "fr"], "invalid choice: 'fr'"),
    ("optimizer_race", ["--data", "letters"], "invalid choice: 'letters'"),
    ("optimizer_race", ["--data-dir", "{out}/none"], "to read data from"),
    ("optimizer_race", ["--data-dir", "{out}"], "MNIST: expected train-images-idx3-ubyte"),
    ("sgd_vs_minibatch", ["--lang", "fr"], "invalid choice: 'fr'"),
    ("wrong_gradients", ["--steps", "0"], "expected a whole number above 0, got '0'"),
    ("framework_comparison", ["--lang", "fr"], "invalid choice: 'fr'"),
    ("framework_comparison", ["--out", "{out}/file/deeper"], "cannot write into a directory"),
]


@pytest.mark.parametrize(("name", "args", "message"), BAD_LESSONS)
def test_bad_input_to_a_lesson_is_one_line(load, monkeypatch, capsys, tmp_path, name, args, message):
    monkeypatch.setenv("TINYGRAD_JP_DATA", "unused")  # Set by the lesson, put back after the test.
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        load(name).main(["--out", str(tmp_path), *(arg.format(out=tmp_path) for arg in args)])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


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
    lessons.choose("ja")
    assert (lessons.say("step", "歩数"), lessons.label("step", "歩数")) == ("歩数", "step")
    assert "日本語フォント" in capsys.readouterr().out
    lessons.choose("en")
    assert lessons.say("step", "歩数") == lessons.label("step", "歩数") == "step"
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
