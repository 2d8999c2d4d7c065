"""Names that mean something to what shows or stores them: they are shown as text, and stored as they are."""

import json
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_jp as tg
from tinygrad_jp import Layer, Parameter, Variable, debug, draw, optimizers, summary, trace
from tinygrad_jp.graph.looks import in_colors
from tinygrad_jp.graph.rendering import rendered

HOSTILE = {
    "markup": '<script>alert("1")</script>',
    "an entity": "&lt;b&gt;&#x1b;",
    "an SVG's end": "]]></text></svg><svg onload='x()'>",
    "DOT's quote": '"]; evil [label="',
    "DOT's escapes": "\\N \\G \\l \\",
    "a record": "{a|b}<port>",
    "JSON's quote": '", "step": 7, "x": "\\u0000',
    "a format": "{0.__class__} %s %(name)s",
    "colour": "\x1b[31mred\x1b[0m",
    "the terminal's title": "\x1b]0;owned\x07",
    "a C1 control": "\x9b2J",
    "a new line": "two\nlines\r\x08\x85\u2028",
    "turned around": "\u202egnp.exe",
    "a path": "../../etc/passwd",
    "a root": "/etc/passwd",
    "a drive": "C:\\con",
    "a NUL": "end\0.png",
    "half a character": "\ud800",
    "blank": " ",
    "long": "n" * 5000,
}
STORED = {key: name for key, name in HOSTILE.items() if key not in ("a NUL", "half a character")}

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")


class Model(Layer):
    """A layer whose Parameter and inner layer have a hostile path."""

    def __init__(self, name, value=2.0):
        inner = Layer()
        inner.forward = lambda x: x * 1.0
        self.parts = {name: Parameter(np.full(2, value)), f"{name} ": inner}

    def forward(self, x):
        first, inner = self.parts.values()
        return inner(x * first)


def computed(name):
    model, x = Model(name), Variable([1.0, 1.0], name)
    return model, x, model(x).sum()


# ---- What is shown ---------------------------------------------------------------------------------------------------


def message(call, *args):
    with pytest.raises((ValueError, ArithmeticError)) as error:
        call(*args)
    return str(error.value)


def refused_state(name):
    return message(Layer().load_state, {name: 1.0})


def refused_shape(name):
    model = Model(name)
    return message(model.load_state, {path: np.ones(7) for path in model.named_params()})


def debugged(name):
    with debug():
        return message(np.log, Variable(-1.0, name))


TERMINAL = {
    "repr of a model": lambda name: repr(Model(name)),
    "summary": lambda name: summary(Model(name), [1.0, 1.0]),
    "explain": lambda name: trace(computed(name)[2]).explain(),
    "explain one": lambda name: trace((c := computed(name))[2]).explain(c[1]),
    "repr of a trace": lambda name: repr(trace(Variable(1.0, name))),
    "repr of a variable": lambda name: repr(Variable(1.0, name)),
    "a layer's error": refused_state,
    "a parameter's error": refused_shape,
    "debug's error": debugged,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("channel", TERMINAL)
def test_the_terminal_is_given_nothing_to_obey(channel, name):
    shown = TERMINAL[channel](HOSTILE[name])
    assert all(line.isprintable() for line in shown.split("\n"))
    usual = TERMINAL[channel]("x")
    assert shown.count("\n") == usual.count("\n")


UNKNOWN = {
    "weights": lambda path, name: np.savez(path, **{name: 1.0}) or Layer().load_weights(path),
    "an entry": lambda path, name: np.savez(path, **{name: 1j}) or Layer().load_weights(path),
    "a checkpoint": lambda path, name: add_to_checkpoint(path, name) or tg.load_checkpoint(path, Layer()),
}


def add_to_checkpoint(path, name):
    tg.save_checkpoint(path, Layer())
    np.savez(path, **dict(np.load(path)), **{name: 1.0})


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("fault", UNKNOWN)
def test_what_is_wrong_in_a_file_is_told_without_being_obeyed(fault, name, tmp_path):
    told = message(UNKNOWN[fault], tmp_path / "w.npz", HOSTILE[name])
    assert told.isprintable()
    assert fault == "an entry" or "not known: " in told


def test_what_can_be_shown_is_shown():
    assert "重み \\x1b[31m 😀" in repr(Model("重み \x1b[31m 😀 \ud800"))


@pytest.mark.parametrize("name", HOSTILE)
def test_dot_has_each_name_inside_its_quotes(name):
    _, _, y = computed(HOSTILE[name])
    usual = computed("x")
    pictures = [draw(y, names={HOSTILE[name]: y}), draw(usual[2], names={"x": usual[2]})]
    bare = [re.sub(r'"(?:[^"\\]|\\.)*"', '""', picture.dot, flags=re.S) for picture in pictures]
    assert bare[0] == bare[1]
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", pictures[0].dot)


@needs_dot
@pytest.mark.parametrize("name", HOSTILE)
def test_pictures_and_pages_are_well_formed_and_hold_no_more_than_usual(name):
    def tags(page):
        found, parser = [], HTMLParser()
        parser.handle_starttag = lambda tag, attributes: found.append((tag, sorted(key for key, _ in attributes)))
        parser.feed(page)
        return {(tag, *keys) for tag, keys in found}

    hostile, usual = (draw(computed(text)[2]) for text in (HOSTILE[name], "x"))
    ElementTree.fromstring(hostile.svg())
    assert tags(hostile.html()) <= tags(usual.html()) | {("text", "fill", "font-family", "font-size", "text-anchor")}


@needs_dot
@pytest.mark.parametrize("name", HOSTILE)
def test_pictures_in_colors_say_what_those_without_say(name):
    def texts(dot):
        found = ElementTree.fromstring(rendered(dot, "svg", {})).iter("{http://www.w3.org/2000/svg}text")
        return sorted("".join((x.text or "").replace("\xa0", " ").split(" ")) for x in found)

    graph = draw(computed(HOSTILE[name])[2])
    assert graph.png().startswith(b"\x89PNG")
    assert texts(in_colors(graph.dot, graph._roles)) == texts(graph.dot)


@pytest.mark.parametrize("name", HOSTILE)
def test_formulas_in_mathml_are_well_formed(name):
    steps = trace(computed(HOSTILE[name])[2])
    for f in steps.order:
        tree = ElementTree.fromstring(steps.computed(f).mathml())
        assert {element.tag for element in tree.iter()} <= {"math", "mrow", "mi", "mo", "mn", "munder", "mtext"}


# ---- What is stored --------------------------------------------------------------------------------------------------


def saved(model, path):
    model.save_weights(path)
    return lambda other: other.load_weights(path)


def checkpointed(model, path):
    optimizer = optimizers.Adam().setup(model)
    model([1.0, 1.0]).sum().backward()
    optimizer.update()
    tg.save_checkpoint(path, model, optimizer, step=3)

    def load(other):
        assert tg.load_checkpoint(path, other, again := optimizers.Adam().setup(other)) == 3
        assert repr(again.state()) == repr(optimizer.state())

    return load


FILES = {"weights": saved, "checkpoint": checkpointed}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", FILES)
def test_a_name_comes_back_from_a_file_or_is_refused(kind, name, tmp_path):
    """Nothing is written but the one file, whatever the names in it look like."""
    (folder := tmp_path / "a" / "b").mkdir(parents=True)
    path, model, other = folder / "w.npz", Model(HOSTILE[name]), Model(HOSTILE[name], value=0.0)
    path.write_bytes(b"old")
    if name in STORED:
        FILES[kind](model, path)(other)
        assert other.state().keys() == model.state().keys()
        assert all((other.state()[key] == model.state()[key]).all() for key in model.state())
    else:
        with pytest.raises(ValueError, match=r"names that a zip file can hold, got '.*\\x00|can't encode .*'\\ud800'"):
            FILES[kind](model, path)
        assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "b", "w.npz"]


def test_the_text_of_a_checkpoint_is_one_value_of_json(tmp_path):
    model = Model(HOSTILE["JSON's quote"])
    tg.save_checkpoint(tmp_path / "run.npz", model, step=1)
    with np.load(tmp_path / "run.npz") as file:
        text = json.loads(str(file["structure"]))
    assert text["step"] == 1 and list(text["model"]) == list(model.named_params())


SAME = [{"a.b": "one", "a": {"b": "other"}}, {1: "one", "1": "other"}, {"a": ["one"], "a.0": "other"}]


@pytest.mark.parametrize("parts", SAME, ids=str)
def test_two_parameters_with_one_path_are_refused(parts, tmp_path):
    def filled(node):
        if isinstance(node, str):
            return Parameter(np.ones(1), name=node)
        return {k: filled(v) for k, v in node.items()} if isinstance(node, dict) else [filled(v) for v in node]

    model = Layer()
    model.parts = filled(parts)
    assert len(model.params()) == 2
    for call in (model.named_params, model.state, lambda: model.save_weights(tmp_path / "w.npz")):
        with pytest.raises(ValueError, match=r"Layer: expected paths that differ, got 'parts\.\S+' twice; rename"):
            call()
    assert list(tmp_path.iterdir()) == []
