"""One thing is not called things: in errors, warnings and descriptions, wherever a number stands before a noun."""

import ast
import functools
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_jp
from tinygrad_jp import DataLoader, Film, Function, Variable, datasets, draw, grad, models, optimizers
from tinygrad_jp import functions as F
from tinygrad_jp import layers as L

MODULES = sorted(Path(tinygrad_jp.__file__).parent.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


@functools.cache
def nouns():
    """The plural of every noun that the package counts."""
    calls = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [call.args[1:] for call in calls if getattr(call.func, "id", "") == "counted"]
    texts = [[ast.literal_eval(arg) for arg in args] for args in given]
    return {words[1] if words[1:] else words[0] + "s" for words in texts}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_number_before_a_noun_is_counted(path):
    plural = re.compile(rf"^ (?:{'|'.join(sorted(nouns()))})\b")
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.JoinedStr):
            for number, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant):
                    assert not plural.search(text.value), f"line {node.lineno}: write counted(n, noun)"


def test_many_nouns_are_counted():
    assert {"channels", "axes", "batches", "steps", "examples"} <= nouns()


class TwoGradients(Function):
    def forward(self, x):
        return x

    def backward(self, gy):
        return gy, gy


class Pair(L.Layer):
    def __init__(self):
        self.W = L.Parameter(np.ones(1))


def one_step():
    film = Film(model := models.MLP(1))
    loss = F.mean_squared_error(model(np.ones((1, 1), np.float32)), np.ones((1, 1), np.float32))
    loss.backward()
    film.step(loss)
    return film


def one_update():
    model = L.Linear(1, in_size=1)
    np.sum(model(np.ones((1, 1), np.float32))).backward()
    optimizer = optimizers.SGD().setup(model)
    optimizer.update()
    return optimizer


X = Variable([1.0])
ONE = datasets.ArrayDataset(np.ones((1, 2)), [0])
WITHOUT_LABEL = datasets.ArrayDataset.__new__(datasets.ArrayDataset)
WITHOUT_LABEL.data, WITHOUT_LABEL.label = [1.0], [1, 2]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: TwoGradients()(X).backward(), "1 gradient, one per input"),
        (lambda: grad(np.sin, 1)(1.0), "1 argument by"),
        (lambda: np.einsum("i", X, X), "1 operand for"),
        (lambda: np.einsum("i", Variable(1.0)), "1 axis for"),
        (lambda: np.gradient(X, [1.0, 2.0]), "1 position for"),
        (lambda: np.piecewise(X, [True], [0, 1, 2]), "1 condition,"),
        (lambda: np.linalg.norm(X, "fro"), "1 axis;"),
        (lambda: F.confusion_matrix(np.ones((1, 1)), [0], names=["a", "b"]), "1 name,"),
        (lambda: len(WITHOUT_LABEL), "1 example and 2 labels"),
        (lambda: L.Conv2d(1, 32, 3), "has 1 channel as output"),
    ],
)
def test_what_is_said_of_one(call, text):
    with pytest.raises((ValueError, IndexError, TypeError, UserWarning)) as info:
        call()
    assert text in str(info.value)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (ONE, "1 example,"),
        (DataLoader(ONE, 1), "of 1 example, batch_size=1, shuffle=True): 1 batch"),
        (one_step(), "1 step, 1 frame)"),
        (one_update(), "of Linear: 1 update"),
        (draw(X), "Graph(1 node)"),
        (Pair(), "Pair: 1 parameter"),
    ],
)
def test_how_one_is_described(thing, text):
    assert text in repr(thing) and not re.search(r"\b1 \w+s\b", repr(thing))
