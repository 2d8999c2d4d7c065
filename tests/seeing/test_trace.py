"""The trace: every step of the very pass that `backward()` makes, each rule as the formula that it computes."""

import operator
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_jp.functions as F
from tests.cases import CASES
from tests.cases import RULES as TABLE
from tinygrad_jp import (
    Function,
    Parameter,
    Variable,
    models,
    no_grad,
    primitive,
    trace,
)
from tinygrad_jp.calculus import elements, linear_algebra, reductions, shapes
from tinygrad_jp.core import PULLBACKS, arrays
from tinygrad_jp.core.errors import plain_name
from tinygrad_jp.functions import activations, attention, basics, convolution, losses, normalization
from tinygrad_jp.symbols import Symbol
from tinygrad_jp.tracing.words import JAPANESE, LANGUAGES, NAMED, RULES, WORDS, rule_in_words

MODULES = (
    arrays,
    elements,
    linear_algebra,
    reductions,
    shapes,
    activations,
    attention,
    basics,
    convolution,
    losses,
    normalization,
)
WORDS_OF_FORMULAS = {"array": np.array, "ones": np.ones, "slice": slice, "astype": arrays.astype, "np": np}
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


class Twice(Function):
    """An operation of a user's own, with two results."""

    def forward(self, x):
        return 2 * x, 3 * x

    def backward(self, gy0, gy1):
        return 2 * gy0 + 3 * gy1


def traced(case):
    xs = [Variable(x, name=f"x{i}") for i, x in enumerate(case.inputs(np.random.default_rng(1)))]
    y = case.f(*xs)
    y.grad = np.random.default_rng(2).standard_normal(y.shape)
    return y, xs, trace(y, lang="en")


def evaluate(formula):
    """What the printed formula says, computed by Python from its text and the values of the names in it."""
    values, functions, stack = {}, {}, [formula]
    while stack:
        x = stack.pop()
        if isinstance(x, Symbol) and x.func is None:
            values[x.name] = x._data
        elif isinstance(x, Symbol):
            functions[x.func.__name__.lstrip("_")] = x.func
        if isinstance(x, Symbol | list | tuple):
            stack += x.args if isinstance(x, Symbol) else x
    return eval(formula.text(), WORDS_OF_FORMULAS | functions | values)


@EVERY_CASE
def test_the_gradients_are_those_of_backward(case):
    y, xs, steps = traced(case)
    traces = [steps.grad(x) for x in xs]
    assert all(x.grad is None for x in xs)
    y.backward()
    for x, g in zip(xs, traces, strict=True):
        np.testing.assert_array_equal(np.zeros(x.shape) if g is None else g, x.grad.data if x.grad is not None else 0)


@EVERY_CASE
def test_before_and_share_make_after(case):
    _, _, steps = traced(case)
    last = {}
    for event in steps:
        if event.kind == "accumulate":
            assert event.before is last.get(event.target)
            expected = event.value if event.before is None else event.before + event.value
            for a, b in zip(*(e if isinstance(e, tuple) else (e,) for e in (expected, event.after)), strict=True):
                np.testing.assert_array_equal(a, b)
            last[event.target] = event.after
    assert all(steps.grads[key] is after for key, after in last.items())


@EVERY_CASE
def test_a_printed_formula_computes_what_the_rule_returned(case):
    _, _, steps = traced(case)
    for event in (event for event in steps if event.kind == "accumulate"):
        formula = steps.formula(event)
        if formula is None:
            assert steps.words(event)
            continue
        text = formula.text()
        if "array(" not in text:  # Numbers inside are cut to four digits.
            np.testing.assert_allclose(evaluate(formula), formula._data, rtol=1e-12, err_msg=text)
        for numbers in (False, True):
            ElementTree.fromstring(formula.mathml(numbers).replace("&nbsp;", " "))


def test_most_rules_print_themselves():
    printed, silent = set(), set()
    for case in CASES:
        steps = traced(case)[2]
        for event in steps:
            if event.kind == "accumulate":
                (silent if steps.formula(event) is None else printed).add(event.f.name)
    assert {"add", "matmul", "tanh", "linear", "relu", "sum", "getitem", "power", "mean_squared_error"} <= printed
    assert len(printed) > 5 * len(silent), sorted(silent)


@pytest.mark.parametrize(
    ("expression", "text", "numbers"),
    [
        (lambda a, b: a - (b - a), "a - (b - a)", "2 - (3 - 2)"),
        (lambda a, b: (a - b) - a, "a - b - a", "2 - 3 - 2"),
        (lambda a, b: -(a**b), "-a ** b", "-2 ** 3"),
        (lambda a, b: (-a) ** b, "(-a) ** b", "(-2) ** 3"),
        (lambda a, b: (a**b) ** a, "(a ** b) ** a", "(2 ** 3) ** 2"),
        (lambda a, b: a / (b * a), "a / (b * a)", "2 / (3 * 2)"),
        (lambda a, b: a * (b > a), "a * (b > a)", "2 * (3 > 2)"),
        (lambda a, b: np.tanh(a + 1.5), "tanh(a + 1.5)", "tanh(2 + 1.5)"),
        (lambda a, b: 2 - a, "2 - a", "2 - 2"),
        (lambda a, b: a < b, "a < b", "2 < 3"),
    ],
)
def test_brackets_stand_where_they_are_needed_and_nowhere_else(expression, text, numbers):
    formula = expression(Symbol(2.0, "a"), Symbol(3.0, "b"))
    assert (formula.text(), formula.text(numbers=True)) == (text, numbers)
    assert evaluate(formula) == formula._data == expression(2.0, 3.0)


def test_mathematics():
    x, W = Symbol(np.ones((4, 5)), "x"), Symbol(np.ones((5, 4)), "W")
    assert "<msup><mrow><mi>W</mi></mrow><mi>T</mi></msup>" in (x.dot(W).T + W.T.dot(x.T)).mathml()
    assert "<mi>x</mi><mo>⊙</mo><mi>x</mi>" in (x * Symbol(np.ones((4, 5)), "x")).mathml()
    assert "<msup><mrow><mi>x</mi></mrow><mrow><mn>2</mn></mrow></msup>" in (x * x).mathml()
    assert "<munder><mo>∑</mo><mrow><mtext>axis=0</mtext></mrow></munder>" in x.sum(axis=0).mathml()
    assert "<mi>&lt;b&gt;</mi>" in Symbol(1.0, "<b>").mathml()
    assert "<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mrow><mo>−</mo><mn>2</mn></mrow></mtd></mtr></mtable>" in Symbol(
        np.array([1.0, -2.0]), "v"
    ).mathml(numbers=True)


def test_explain_one_variable_path_by_path():
    a, b = Variable(2.0), Variable(3.0)
    steps = trace(a * b + a, names=locals(), lang="en")
    assert steps.explain(a) == (
        "The gradient of a comes along 2 path(s):\n"
        "  1  y → v1 → a\n"
        "       through y = v1 + a to v1: 1\n"
        "       through v1 = a * b to a: 3\n"
        "  2  y → a\n"
        "       through y = v1 + a to a: 1\n"
        "     a's gradient: 4"
    )


def test_many_paths_are_cut_short():
    x = Variable(1.0, "x")
    y = x
    for _ in range(30):
        y = y + y
    text = trace(y, lang="en").explain(x)
    assert "comes along more than 20 paths" in text
    assert len(text.splitlines()) < 1000


@pytest.mark.parametrize(
    ("mine", "verdict", "last"),
    [
        ({"a": 4.0}, "a: equal: yours 4, the engine's 4; numerically 4", None),
        ({"a": 4.000001}, "a: close: yours 4, the engine's 4, largest difference 1e-06; numerically 4", None),
        ({"a": 3.0}, "a: different: yours 3, the engine's 4", "Yours lacks what comes to a in the backward step of y"),
        ({"a": 1.0}, "a: different: yours 1, the engine's 4", "Yours lacks what comes to a in the backward step of v"),
        ({"b": 9.0}, "b: different: yours 9, the engine's 2", "The two part at b, in the backward step of v1 = a * b:"),
        ({"b": 9.0, "v1": 7.0}, "b: different", "The two part at v1, in the backward step of y = v1 + a: gy = 1"),
        ({"b": [1.0, 2.0]}, "b: expected a gradient of shape (), got (2,)", None),
    ],
)  # fmt: skip
def test_check_a_gradient_derived_by_hand(mine, verdict, last):
    a, b = Variable(2.0), Variable(3.0)
    lines = trace(a * b + a, names=locals(), lang="en").check(**mine).splitlines()
    assert lines[0].startswith(verdict)
    assert last is None or lines[-1].startswith(last)


def test_numerical_gradients_by_running_the_graph_again():
    rng = np.random.default_rng(0)
    model = models.MLP((3, 2), activation=F.relu, rng=0)
    loss = F.softmax_cross_entropy(model(rng.random((4, 5), np.float32)), [0, 1, 1, 0])
    steps = trace(loss, lang="en")
    for p in model.params():
        np.testing.assert_allclose(steps.numerical(p), steps.grad(p), rtol=1e-3, atol=1e-6)


def test_names():
    model = models.MLP((3, 2), activation=F.relu)
    h = model(np.ones((1, 2), np.float32))
    loss = (h * h).sum()
    assert list(trace(loss, names={"h": h}).labels.values()) == [
        *("v1", "v2", "h", "v3", "y", "l0.W", "l0.b", "l1.W", "l1.b")
    ]
    x = Variable(1.0, "x")
    assert list(trace(x * Variable(2.0, "x")).labels.values()) == ["y", "x", "x2"]


def test_an_operation_of_ones_own_and_several_results():
    x = Variable([1.0, 2.0], "x")
    a, b = Twice()(x)
    steps = trace((a * b).sum(), lang="en")
    np.testing.assert_array_equal(steps.grad(x), 12 * x.data)
    assert "Twice" in steps.explain() and "Twice" in steps.explain(x)
    assert trace(x, lang="en").grad(x).tolist() == [1.0, 1.0]


def test_both_languages_are_whole():
    assert all(
        len(words) == len(LANGUAGES) and all(words) for words in [*WORDS.values(), *RULES.values(), *NAMED.values()]
    )
    assert all(en.count("{") == ja.count("{") for en, ja in WORDS.values())
    text = trace(Variable(2.0, "x") ** 2, lang="ja").explain()
    assert text.splitlines()[0] == "順伝播"
    assert "逆伝播" in text and "勾配" in text


@EVERY_CASE
def test_every_rule_is_told_in_both_languages(case, rng):
    steps = trace(np.sum(case.f(*[Variable(x) for x in case.inputs(rng)])))
    for event in steps.events:
        if event.kind == "accumulate":
            english, japanese = (steps.words(event, lang) for lang in LANGUAGES)
            assert not any("぀" <= c <= "鿿" for c in english)
            assert any("぀" <= c <= "鿿" for c in japanese)
            assert "of its own" not in english and "独自" not in japanese


def test_the_words_of_every_function_are_known():
    functions = {plain_name(func) for func in TABLE}
    assert {*NAMED, *JAPANESE} - {"amax", "amin", "max", "min"} <= functions
    assert [func for func in TABLE if not rule_in_words(func, "ja")] == []


def test_a_rule_of_a_users_own_is_not_mistaken_for_the_librarys(monkeypatch):
    @primitive
    def relu(x):
        return np.minimum(x, 0)

    monkeypatch.setitem(PULLBACKS, relu.primitive, lambda gy, y, x: gy * (y < 0))
    steps = trace(relu(Variable([-1.0, 2.0], "x")).sum())
    event = next(e for e in steps.events if e.kind == "accumulate" and e.f.name == "relu")
    assert steps.words(event, "en") == "relu has a derivative of its own"


def test_a_parameter_with_no_layer_keeps_its_name():
    p = Parameter(np.ones(2), name="W")
    assert set(trace((p * 2).sum()).labels.values()) == {"v1", "y", "W"}


def no_graph():
    with no_grad():
        y = Variable(1.0) * 2
    trace(y)


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: trace(3.0), TypeError, "trace: expected a Variable, got float"),
        (lambda: trace(Variable([1, 2])), TypeError, "expected a Variable of floats"),
        (lambda: trace(Variable(1.0), lang="fr"), ValueError, "fr"),
        (no_graph, RuntimeError, "no graph leads to this Variable"),
        (lambda: trace(Variable(1.0), lang="en").explain(Variable(2.0)), ValueError, "no part of this computation"),
        (lambda: trace(Variable(1.0, "x"), lang="en").check(W=1), ValueError, "no Variable is called W; there are: x"),
    ],
)
def test_mistakes(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()


def test_a_long_chain_is_no_problem():
    x = Variable(1.0, "x")
    y = x
    for _ in range(5000):
        y = y * 0.999 + x
    steps = trace(y, lang="en")
    assert len(steps) == 10_000 + 1 + 10_000 + 15_000
    assert operator.length_hint(steps.explain().splitlines()) > 20_000
