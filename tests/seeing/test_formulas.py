"""Formulas as they are shown: indices, constants and settings in words that a reader knows, and no markup as text."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_jp.functions as F
from tests.cases import CASES
from tinygrad_jp import Variable, models, trace

INDICES = {
    "0": 0,
    "-1": -1,
    "0, 1": (0, 1),
    ":, 1": np.s_[:, 1],
    "1:": np.s_[1:],
    "::2": np.s_[::2],
    "..., 0": (..., 0),
    ":, None": np.s_[:, None],
    "[0, 2], 1": ([0, 2], 1),
    "where": np.array([True, False, True]),
}


@pytest.mark.parametrize("written", INDICES)
def test_an_index_is_written_as_a_user_writes_it(written):
    x, where = Variable(np.arange(9.0).reshape(3, 3), "x"), np.array([True, False, True])
    index = where if written == "where" else INDICES[written]
    steps = trace(np.sum(x[index]), names={"where": where}, lang="en")
    assert steps.computed(steps.order[0]).text() == f"x[{written}]"
    shown = "".join(ElementTree.fromstring(steps.computed(steps.order[0]).mathml()).itertext())
    assert shown == f"x[{written}]".replace(" ", "").replace("-", "−").replace("...", "…")
    if written != "where":
        assert eval(f"x.data[{written}]").tolist() == x.data[index].tolist()


BAD = r"<m|<class|&lt|np\.float|dtype\(|slice\(|Ellipsis|array\(\["


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_markup_stands_as_text_and_no_array_is_spelled_out(case):
    xs = [Variable(x, name=f"x{i}") for i, x in enumerate(case.inputs(np.random.default_rng(1)))]
    steps = trace(np.sum(case.f(*xs)), lang="en")
    formulas = [steps.computed(f) for f in steps.order]
    formulas += [steps.formula(event) for event in steps if event.kind == "accumulate"]
    for formula in (formula for formula in formulas if formula is not None):
        for numbers in (False, True):
            text = "".join(ElementTree.fromstring(formula.mathml(numbers)).itertext())
            assert not re.search(
                r"<m|<class|&lt|np\.float|dtype\(|slice\(|Ellipsis|array\(\[", text + formula.text(numbers=True)
            ), text
    arrays = {id(a) for f in steps.order for a, x in zip(f.args, f.xs, strict=True) if x is None and np.ndim(a)}
    assert {i for i in arrays if i not in steps.constants} <= {
        id(a) for f in steps.order for a in f.args if not isinstance(a, np.ndarray)
    }


def test_an_array_of_the_users_has_one_name_everywhere():
    x, A, t = Variable([[1.0, 2.0]], "x"), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([1])
    text = trace(F.softmax_cross_entropy((x * 2) @ A, t), names={"A": A, "t": t}, lang="en").explain()
    assert "v2 = v1 @ A = [[2, 4]] @ [[3, 4], [5, 6]] = [[26, 32]]" in text and "gy @ A.T" in text
    assert "softmax_cross_entropy(v2, t)" in text
    unnamed = trace(np.sum(x * np.array([[3.0, 4.0]]) + np.array([1.0, 1.0])), lang="en")
    assert list(unnamed.constants.values()) == ["c1", "c2"]
    assert "x * c1" in unnamed.explain() and "gy * c1" in unnamed.explain() and " a" not in unnamed.explain()[9:]


def test_names_of_arrays_and_of_variables_do_not_meet():
    x = Variable([1.0, 2.0], "c1")
    A = np.array([3.0, 4.0])
    steps = trace(np.sum(x * A * np.array([1.0, 5.0])), names={"A": A}, lang="en")
    assert set(steps.constants.values()) == {"A", "c2"}
    steps = trace(np.sum(Variable([1.0, 2.0], "A") * A), names={"A": A}, lang="en")
    assert list(steps.constants.values()) == ["c1"]


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_deep_model_is_explained_in_short_lines(lang):
    loss = F.softmax_cross_entropy(models.ResNet18()(np.ones((1, 3, 32, 32), np.float32)), np.array([1]))
    lines = trace(loss, lang=lang).explain().splitlines()
    assert max(map(len, lines)) < 300 and not any("array([" in line or ". =" in line for line in lines)
    assert len(lines) < 1000


def test_a_setting_at_its_default_is_left_out():
    steps = trace(np.sum(Variable(np.ones((2, 3)), "x"), keepdims=False), lang="en")
    assert steps.computed(steps.order[0]).text() == "sum(x)"
