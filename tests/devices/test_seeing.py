"""Pictures, traces, the player and the debugger of a computation on a device: they fetch what they show."""

import re

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tests import device
from tests.cases import CASES
from tests.devices.test_rules import lacking
from tinygrad_jp import Film, Variable, debug, draw, get_dot_graph, models, optimizers, summary, trace
from tinygrad_jp.devices import NotOnDevice
from tinygrad_jp.player import page_data
from tinygrad_jp.player.program import program

X = np.array([[1.0, -2.0], [0.5, 3.0]])


@pytest.fixture
def alike(cupy):
    """Whether two texts are the same: on a GPU, where numbers are rounded otherwise, apart from the numbers."""

    def check(there, here):
        if cupy is not device.cupy:
            there, here = (re.sub(r"[-−]?\d+(\.\d*)?(e[-+]\d+)?", "#", text) for text in (there, here))
        assert there == here

    return check


def loss(place):
    model = models.Sequential(L.Linear(3, dtype=np.float64, in_size=2, rng=0), np.tanh, L.LayerNorm(dtype=np.float64))
    if place is not np.asarray:
        model.to_gpu()
    x = Variable(place(X), "x")
    h = F.split_heads(model(x).reshape(1, 2, 3), 1)[0]
    return x, np.sum(h * h + np.where(x[:, :1] > 0, 1.0, 2.0)) + x.mean()


def test_pictures(cupy, alike):
    (_, here), (_, there) = loss(np.asarray), loss(cupy.asarray)
    for y in (here, there):
        y.backward(retain_grad=True)
    alike(_text(there), _text(here))
    alike(str(draw(there)), str(draw(here)))


def _text(y):
    return re.sub(r"\d{6,}", "id", get_dot_graph(y, verbose=True))


def test_traces_say_the_same(cupy, alike):
    (a, here), (b, there) = loss(np.asarray), loss(cupy.asarray)
    traces = [trace(y, names={"x": x}, lang="en") for x, y in ((a, here), (b, there))]
    alike(traces[1].explain(), traces[0].explain())
    alike(traces[1].explain(b), traces[0].explain(a))
    wrong = np.zeros((2, 2))
    alike(traces[1].check(x=wrong), traces[0].check(x=wrong))
    assert "equal" in traces[1].check(x=Variable(cupy.asarray(traces[1].grad(b))))


@pytest.fixture
def own_lines(monkeypatch):
    """`source` writes programs of NumPy's arrays: of those on a device the player has lines of its own."""
    monkeypatch.setattr(page_data, "program", lambda steps: [])


def test_the_player_has_lines_of_its_own(cupy):
    assert program(trace(loss(np.asarray)[1])) and program(trace(loss(cupy.asarray)[1])) == []


@pytest.mark.usefixtures("own_lines")
def test_the_player(cupy, tmp_path):
    pages = [trace(loss(place)[1], lang="en") for place in (np.asarray, cupy.asarray)]
    texts = [page.save(tmp_path / f"{i}.html").read_text(encoding="utf-8") for i, page in enumerate(pages)]
    assert abs(len(texts[0]) - len(texts[1])) < 99


@pytest.mark.parametrize("case", CASES[::5], ids=lambda case: case.name)
def test_a_trace_of_any_function(case, cupy, constants_there, alike):
    expected = explained(case, np.asarray)
    constants_there()
    try:
        there = explained(case, cupy.asarray)
    except NotOnDevice as error:
        assert lacking(case)
        pytest.skip(str(error))
    alike(there, expected)


def explained(case, place):
    xs = [Variable(place(x), f"x{i}") for i, x in enumerate(case.inputs(np.random.default_rng(0)))]
    text = trace(np.sum(case.f(*xs)), lang="en").explain().replace("tests.devices.conftest.", "numpy.")  # The stand-in.
    return re.sub(r"-?\d(\.\d+)?e-1[5-9]|-0(?![.\d])", "0", text)  # What rounding alone makes.


@pytest.mark.usefixtures("own_lines")
def test_a_film(cupy, tmp_path):
    """Two inputs, so that it shows the plane; an attention, so that it shows that."""
    texts = []
    for place in (np.asarray, cupy.asarray):
        model = models.MLP(4, 2, rng=0, activation=np.tanh)
        model(X.astype(np.float32))
        if place is not np.asarray:
            model.to_gpu()
        film, optimizer = Film(model, lang="en"), optimizers.SGD(0.1).setup(model)
        for _ in range(5):
            loss = F.softmax_cross_entropy(
                model(place(np.float32([[1, 0], [0, 1], [1, 1]]))), place(np.array([0, 1, 1]))
            )
            model.cleargrads()
            loss.backward()
            film.step(loss)
            optimizer.update()
        film.save(tmp_path / "film.html")
        texts.append((tmp_path / "film.html").read_text(encoding="utf-8"))
        assert film.field
    assert abs(len(texts[0]) - len(texts[1])) < 99


def test_summary(cupy):
    model = models.MLP(3, 1)
    model.to_gpu()
    assert "Linear(2, 3)" in summary(model, cupy.asarray(X.astype(np.float32)))


def test_the_debugger_finds_the_first_nan(cupy):
    x = Variable(cupy.asarray(np.array([-1.0, 2.0])), "x")
    message = r"log returned nan \(1 of 2 elements\), from x \(2,\) from -1 to 2"
    with pytest.raises(FloatingPointError, match=message), np.errstate(all="ignore"), debug():
        np.log(x)


def test_the_debugger_sees_data_that_change(cupy):
    x = Variable(cupy.asarray(X), "x")
    with debug():
        y = np.sum(np.sin(x))
        x.data[0, 0] = 9.0
        with pytest.raises(RuntimeError, match="was changed after it had been used"):
            y.backward()


def test_texts(cupy):
    assert str(Variable(cupy.asarray(X))) == str(Variable(X))
    assert repr(Variable(cupy.asarray(X)).sum()) == repr(Variable(X).sum())
