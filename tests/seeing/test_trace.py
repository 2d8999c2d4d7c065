"""The trace: every step of the very pass that `backward()` makes, each rule as the formula that it computes."""

import operator
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
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
from tinygrad_jp.calculus import decompositions, elements, linear_algebra, norms, products, reductions, shapes
from tinygrad_jp.core import PULLBACKS, Outputs, arrays
from tinygrad_jp.core.errors import plain_name
from tinygrad_jp.formatting import LANGUAGES
from tinygrad_jp.functions import activations, attention, basics, convolution, losses, normalization
from tinygrad_jp.symbols import Symbol
from tinygrad_jp.tracing.phrases import JAPANESE, NAMED, rule_in_words

MODULES = (
    arrays,
    decompositions,
    elements,
    linear_algebra,
    norms,
    products,
    reductions,
    shapes,
    activations,
    attention,
    basics,
    convolution,
    losses,
    normalization,
)
WORDS_OF_FORMULAS = {
    "array": np.array,
    "ones": np.ones,
    "nan": np.nan,
    "slice": slice,
    "astype": arrays.astype,
    "np": np,
    "inf": np.inf,
}
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
            values[x.name] = x.data
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
            np.testing.assert_allclose(evaluate(formula), formula.data, rtol=1e-12, err_msg=text)
        for numbers in (False, True):
            ElementTree.fromstring(formula.mathml(numbers).replace("&nbsp;", " "))


def test_most_rules_print_themselves():
    printed, silent = set(), set()
    for case in CASES:
        steps = traced(case)[2]
        for event in steps:
            if event.kind == "accumulate" and not isinstance(event.f.y, Outputs):
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
        (lambda a, b: (a < b) & (b < a) | (a > b), "(a < b) & (b < a) | (a > b)", "(2 < 3) & (3 < 2) | (2 > 3)"),
        (lambda a, b: ~((a < b) | (b < a)), "~((a < b) | (b < a))", "~((2 < 3) | (3 < 2))"),
        (lambda a, b: a * ~(a < b), "a * ~(a < b)", "2 * ~(2 < 3)"),
    ],
)
def test_brackets_stand_where_they_are_needed_and_nowhere_else(expression, text, numbers):
    formula = expression(Symbol(2.0, "a"), Symbol(3.0, "b"))
    assert (formula.text(), formula.text(numbers=True)) == (text, numbers)
    assert evaluate(formula) == formula.data == expression(np.float64(2), np.float64(3))


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
        "The gradient reaches a along 2 path(s):\n"
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
    assert "reaches x along more than 20 paths" in text
    assert len(text.splitlines()) < 1000


LACKS, DIFFER = "Yours lacks the share that a gets in the backward step of", "They first differ at"


@pytest.mark.parametrize(
    ("mine", "verdict", "last"),
    [
        ({"a": 4.0}, "a: equal: yours 4, the engine's 4; numerically 4", None),
        ({"a": 4.000001}, "a: close: yours 4, the engine's 4, largest difference 1e-06; numerically 4", None),
        ({"a": 3.0}, "a: different: yours 3, the engine's 4", f"{LACKS} y"),
        ({"a": 1.0}, "a: different: yours 1, the engine's 4", f"{LACKS} v"),
        ({"b": 9.0}, "b: different: yours 9, the engine's 2", f"{DIFFER} b, in the backward step of v1 = a * b:"),
        ({"b": 9.0, "v1": 7.0}, "b: different", f"{DIFFER} v1, in the backward step of y = v1 + a: gy = 1"),
        ({"b": [1.0, 2.0]}, "b: expected a gradient of shape (), got (2,)", None),
    ],
)
def test_check_a_gradient_derived_by_hand(mine, verdict, last):
    a, b = Variable(2.0), Variable(3.0)
    lines = trace(a * b + a, names=locals(), lang="en").check(**mine).splitlines()
    assert lines[0].startswith(verdict)
    assert last is None or lines[-1].startswith(last)


GUESSES = {
    "right": lambda g: g,
    "wrong": lambda g: g + 1 + np.arange(g.size).reshape(g.shape),
    "half of it": lambda g: g / 2,
    "a Variable": lambda g: Variable(g + 1) if g.dtype.kind == "f" else g + 1,  # A leaf is real.
    "with an axis too many": lambda g: np.ones((7, *g.shape)),
    "with longer axes": lambda g: np.ones([n + 1 for n in g.shape]),
    "a number": lambda g: 1.0,
    "a list": lambda g: g.tolist(),
}


@EVERY_CASE
def test_any_guess_at_any_gradient_of_any_function_gets_its_verdict(case):
    steps = traced(case)[2]
    steps.numerical = lambda key: np.nan  # Slow, and tested below.
    engines = {steps.labels[key]: g for key, g in steps.grads.items() if not isinstance(g, tuple)}
    for guess in GUESSES.values():
        guesses = {name: guess(g) for name, g in engines.items()}
        lines, wrong = steps.check(**guesses).splitlines(), set()
        for (name, mine), line in zip(guesses.items(), lines, strict=False):
            mine, g = np.asarray(mine.data if isinstance(mine, Variable) else mine), engines[name]
            if mine.shape != g.shape:
                verdict = "expected a gradient of shape"
            elif not np.allclose(mine, g, 1e-5):
                verdict = "different"
            else:
                verdict = "equal" if np.array_equal(mine, g) else "close"
            assert line.startswith(f"{name}: {verdict}")
            wrong |= {name} if verdict[0] in "ed" and verdict != "equal" else set()
        told = any(event.kind == "accumulate" and steps.labels[event.target] in wrong for event in steps)
        assert len(lines) == len(guesses) + told


def test_the_outputs_of_a_function_together_are_no_variable_to_check():
    a, b = Twice()(Variable([1.0, 2.0], "x"))
    with pytest.raises(ValueError, match="no Variable is called v1; the names are: v2, v3, v4, y, x"):
        trace((a * b).sum(), lang="en").check(v1=[1.0, 2.0])


def test_no_line_says_the_same_twice():
    """A formula with numbers in it is left out where the arrays are too large to show."""
    for case in CASES:
        for line in traced(case)[2].explain().splitlines():
            parts = line.strip().split(" = ")
            assert all(a != b for a, b in pairwise(parts)), line


def short_explanation(steps):
    """Whether a trace takes two lines for each operation and each of its shares, and none of them is long."""
    lines = steps.explain().splitlines()
    assert len(lines) <= 2 + sum(2 + 2 * len(f.variables) for f in steps.order)
    assert max(map(len, lines)) < 300
    assert not re.search("0x[0-9a-f]{6}| object at ", "".join(lines))


@EVERY_CASE
def test_every_function_is_explained_in_short_lines(case):
    short_explanation(traced(case)[2])


@pytest.mark.parametrize(
    "layer", [L.BatchNorm, L.LayerNorm, lambda: L.Conv2d(20, 3), lambda: L.LSTM(20), lambda: L.Linear(20)]
)
def test_layers_of_many_channels_are_explained_in_short_lines(layer):
    layer = layer()
    x = np.ones((2, 30, 12, 12) if isinstance(layer, L.BatchNorm | L.Conv2d) else (2, 30, 40), np.float32)
    short_explanation(trace(np.sum(layer(Variable(x)))))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.arange(1000.0), "(1000,) of 499.5 ± 288.7"),
        (np.array([1.0, 2.5]), "[1, 2.5]"),
        ((np.ones((50, 50)), 2), "((50, 50) of 1 ± 0, 2)"),
        ({"a": np.zeros(20)}, "{'a': (20,) of 0 ± 0}"),
        (list(range(1000)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, ...]"),
        ("x" * 5000, "'" + "x" * 37 + "..." + "x" * 38 + "'"),
        (0, "0"),
        (1e-5, "1e-05"),
        ((0, -1), "(0, -1)"),
        (np.add, "add"),
        (np.float32, "float32"),
        (np.dtype("int8"), "int8"),
        (np.float32(0.1), "0.1"),
        (Symbol(2.0, "a") * 3, "a * 3"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_settings_of_any_kind_are_short(value, text):
    formula = Symbol(1.0, "y", np.negative, (Symbol(1.0, "x"),), {"setting": value})
    formula.func = np.tanh
    assert formula.text() == f"tanh(x, setting={text})"


def test_a_long_index_is_not_spelled_out():
    x = Variable(np.ones((50, 2)), "x")
    for index, text in (
        (list(range(40)), "array(...)"),
        (np.arange(40), "x[c1]"),
        ((list(range(40)), slice(None)), ":"),
    ):
        assert text in trace(np.sum(x[index]), lang="en").explain()
        assert "39" not in trace(np.sum(x[index]), lang="en").explain()


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


def test_japanese():
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
            assert "of its own" not in english and "定義された" not in japanese


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
        (lambda: trace(Variable([True, False])), TypeError, "expected a Variable of numbers"),
        (lambda: trace(Variable(1.0), lang="fr"), ValueError, "fr"),
        (no_graph, RuntimeError, "no graph leads to this Variable"),
        (lambda: trace(Variable(1.0), lang="en").explain(Variable(2.0)), ValueError, "not part of this computation"),
        (
            lambda: trace(Variable(1.0, "x"), lang="en").check(W=1),
            ValueError,
            "no Variable is called W; the names are: x",
        ),
    ],
)
def test_mistakes(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()


@pytest.mark.slow
def test_a_long_chain_is_no_problem():
    x = Variable(1.0, "x")
    y = x
    for _ in range(5000):
        y = y * 0.999 + x
    steps = trace(y, lang="en")
    assert len(steps) == 10_000 + 1 + 10_000 + 15_000
    assert operator.length_hint(steps.explain().splitlines()) > 20_000
