"""The program in the player: the lines of `source`, and the steps that each stands for."""

import json
import re

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
from tests.cases import CASES
from tests.seeing.test_player import broadcast, large_arrays, mlp, not_finite, scalar, several, thousand
from tinygrad_jp import Film, Function, Parameter, Variable, models, player, source, trace
from tinygrad_jp.core import key_of
from tinygrad_jp.formatting import LANGUAGES
from tinygrad_jp.player.program import program
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.randomness import generator


def told(steps):
    page = player.page(steps)
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def text_of(lines, lang):
    return "\n".join(line["code"] if isinstance(line["code"], str) else line["code"][lang] for line in lines)


def assert_is_source(steps, lines):
    """The lines are those of `source`, and each step stands at its own, or where the next step stands."""
    names = {steps.labels[key_of(x)]: x for f in steps.order for x in (steps.y, *f.variables)}
    names |= {steps.constants[id(a)]: a for f in steps.order for a in f.args if id(a) in steps.constants}
    with np.errstate(all="ignore"):
        texts = [source(steps.y, names=names, lang=lang) for lang in LANGUAGES]
    assert [text_of(lines, i) for i in range(2)] == texts
    assert "\n".join(line.text for line in texts[0].lines) == texts[0]
    at = {row: i for i, line in enumerate(lines) for row in line["rows"]}
    assert sorted(at) == list(range(len(steps))) and sum(len(line["rows"]) for line in lines) == len(at)
    places = [[(phase, id(f), id(target)) for phase, f, target in line.places] for line in texts[0].lines]
    for row, event in enumerate(steps):
        place = "forward" if event.kind == "forward" else "backward", id(event.f), id(event.target)
        own = [i for i, found in enumerate(places) if place in found]
        assert at[row] == (own[-1] if own else at.get(row + 1, at[row]))
        assert own or row + 1 in at or lines[at[row]]["code"].startswith("    return ")


@pytest.mark.parametrize("make", [scalar, mlp, broadcast, large_arrays, several, not_finite])
def test_the_lines_are_those_of_source(make):
    steps = make()
    assert_is_source(steps, program(steps))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_rule_has_its_line(case):
    xs = [Variable(x, f"x{i}") for i, x in enumerate(case.inputs(np.random.default_rng(1)))]
    steps = trace(np.sum(case.f(*xs)), lang="en")
    try:
        source(steps.y)
    except NotWritten:
        assert program(steps) == []
    else:
        assert_is_source(steps, program(steps))


def test_results_stand_at_their_lines():
    steps = mlp()
    found = {
        line["code"].split(" = ")[0].strip(): line["value"] for line in program(steps) if isinstance(line["code"], str)
    }
    for name in ("X", "W1", "b1", "W2", "b2"):
        key = next(key for key, label in steps.labels.items() if label == name)
        np.testing.assert_allclose(found[f"g{name}"], steps.grads[key])
    np.testing.assert_allclose(found["loss"], steps.y.data)


@pytest.fixture(autouse=True)
def _numpys_global_state():
    yield
    tg.seed(None)


class Drawing(Function):
    """A function that draws random numbers whenever it is computed."""

    def forward(self, x):
        return x * generator().random(x.shape).astype(x.dtype)

    def backward(self, gy):
        return gy


def changed_in_place():
    W = Parameter([1.0, 2.0], "W")
    y = np.sum(W * W)
    W.data -= 1
    return trace(y, lang="en")


def random():
    return trace(np.sum(Drawing()(Variable([1.0, 2.0], "x"))), lang="en")


def refused():
    x = Variable([[2.0, 1.0], [1.0, 3.0]], "x")
    return trace(np.sum(np.linalg.eig(x)[0]), lang="en")


@pytest.mark.parametrize("make", [thousand, changed_in_place, random, refused, lambda: trace(Variable(1.0), lang="en")])
def test_where_there_is_no_program_the_page_has_lines_of_its_own(make):
    assert told(make())["program"] == []


@pytest.mark.parametrize("seed", [np.random.seed, tg.seed])
def test_a_film_draws_no_random_numbers(seed):
    drawn = []
    for filmed in (False, True):
        seed(0)
        model = models.MLP(3, 1, activation=Drawing())
        film, x = Film(model), np.ones((4, 2), np.float32)
        for _ in range(2):
            loss = F.mean_squared_error(model(x), np.ones((4, 1), np.float32))
            model.cleargrads()
            loss.backward()
            film.step(loss) if filmed else None
        drawn.append(generator().random())
    assert drawn[0] == drawn[1]
