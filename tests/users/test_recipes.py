"""The page of recipes: its code runs as it stands, does what it says, and is the same in both languages."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_jp
from tinygrad_jp import fit
from tinygrad_jp import functions as F

PAGE = Path(__file__).parents[2] / "examples" / "recipes.md"
START, *SECTIONS = re.split(r"^## \d+\. ", PAGE.read_text("utf-8"), flags=re.M)
TITLES = [section.partition("\n")[0] for section in SECTIONS]


def code(text):
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    return block


def accuracy(n):
    with tinygrad_jp.test_mode(), tinygrad_jp.no_grad():
        return F.accuracy(n["model"](n["X"]), n["T"]).item()


def alike(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.state().values(), b.state().values(), strict=True))


def resumed(n):
    """An undisturbed run gives the same weights, bit for bit."""
    other = {}
    exec(code(START), other)
    fit(other["model"], F.softmax_cross_entropy, other["loader"], other["optimizer"], 5, show=False)
    return alike(n["model"], other["model"]) and n["optimizer"].t == 35


def torch_agrees(n):
    import torch

    with torch.no_grad():
        y = n["theirs"](torch.tensor(n["X"], dtype=torch.float32)).numpy()
    return np.allclose(y, n["ours"](n["X"]).data, atol=1e-5)


def clipped(n):
    params = n["model"].params()
    for p in params:
        p.grad.data *= 100
    n["optimizer"].update()
    return np.isclose(sum((p.grad.data**2).sum() for p in params), 1)


def slower(n):
    before = n["model"].state()
    n["optimizer"].update()
    moved = {name: np.abs(a - before[name]).max() for name, a in n["model"].state().items()}
    return moved["l0.W"] < 0.0002 < 0.001 < moved["l1.W"]


# What must be true after each recipe.
CHECKS = {
    "A CSV file": lambda n: n["loader"].data_size == 40 and n["optimizer"].t == 6,
    "A table of pandas": lambda n: n["loader"].data_size == 40 and n["optimizer"].t == 6,
    "A part for validation": lambda n: (len(n["train"]), len(n["valid"]), len(n["history"])) == (160, 40, 3),
    "Early stopping": lambda n: len(n["history"]) < 100 and max(n["history"]["validation accuracy"]) > 0.7,
    "Save and load weights": lambda n: alike(n["model"], n["other"]),
    "Stop and resume": resumed,
    "A learning rate that changes": lambda n: (
        n["optimizer"].t == 70 and n["optimizer"].rate < 1e-4 and [n["halved"](t) for t in (21, 22)] == [0.01, 0.005]
    ),
    "A confusion matrix": lambda n: n["matrix"].counts.sum() == 200 and "svg" in Path("confusion.svg").read_text(),
    "One example": lambda n: n["probabilities"].shape == (2,) and abs(n["probabilities"].sum() - 1) < 1e-6,
    "Predict in another process": lambda n: np.array_equal(n["y"], n["elsewhere"]),
    "A summary of the model": lambda n: True,
    "Freeze a layer": lambda n: n["optimizer"].t == 21 and {*n["optimizer"].state()["steps"]} == {"l1.W", "l1.b"},
    "A loss of your own": lambda n: n["log_cosh"](n["X"], n["X"]) == 0 and n["optimizer"].t == 21,
    "A layer of your own": lambda n: (n["model"][0].gain.data != 1).all() and accuracy(n) > 0.7,
    "Clip gradients": clipped,
    "Tie weights": lambda n: (
        len(n["model"].params()) == 1 and n["model"](n["ids"]).data.argmax(1).tolist() == [*range(10)]
    ),
    "Rates by layer": slower,
    "L1 regularization": lambda n: n["optimizer"].t == 21 and n["loss"].item() > 0.05,
    "Classes of unequal weight": lambda n: n["model"](n["X"]).data.argmax(1).mean() > n["T"].mean(),
    "Labels to be ignored": lambda n: (
        n["accuracy"].item() == F.accuracy(n["model"](n["X"][n["T"] >= 0]), n["T"][n["T"] >= 0]).item()
        and np.isclose(
            n["loss"].item(), F.softmax_cross_entropy(n["model"](n["X"][n["T"] >= 0]), n["T"][n["T"] >= 0]).item()
        )
    ),
    "Mixed dtypes": lambda n: [n[key].dtype.name for key in ("y", "same", "precise")] == ["float32"] * 2 + ["float64"],
    "Two inputs": lambda n: n["optimizer"].t == 21 and n["model"].a.W.shape == (2, 8),
    "A GAN": lambda n: abs(n["fake"].data.mean() - 3) < 1,
    "Truncated backpropagation through time": lambda n: n["last"] < 0.1 and n["model"][0].h.creator is None,
    "From PyTorch, and back": torch_agrees,
}
# Packages that a recipe is about.
NEEDS = {"A table of pandas": "pandas", "From PyTorch, and back": "torch"}


def test_every_recipe_is_checked():
    assert list(CHECKS) == TITLES
    assert len(TITLES) == 25


@pytest.mark.parametrize(("title", "section"), [*zip(TITLES, SECTIONS, strict=True)], ids=TITLES)
def test_it_does_what_it_says(title, section, tmp_path, monkeypatch, capfd):
    if title in NEEDS:
        pytest.importorskip(NEEDS[title])
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=(40, 4)).round(3), rng.integers(0, 2, 40)])
    np.savetxt("data.csv", rows, delimiter=",", header="a,b,c,d,class", comments="", fmt=["%.3f"] * 4 + ["%d"])
    names = {"__name__": "__main__"}
    exec(compile(code(START), str(PAGE), "exec"), names)
    exec(compile(code(section), f"{PAGE}: {title}", "exec"), names)
    assert CHECKS[title](names)
    if title == "A summary of the model":
        assert "226" in capfd.readouterr().out


def test_both_languages_have_the_same_code():
    japanese = PAGE.with_suffix(".ja.md").read_text("utf-8")
    assert re.findall(r"^```python\n.*?^```$", japanese, re.M | re.S) == re.findall(
        r"^```python\n.*?^```$", PAGE.read_text("utf-8"), re.M | re.S
    )
    assert [int(n) for n in re.findall(r"^## (\d+)\. ", japanese, re.M)] == list(range(1, 26))
