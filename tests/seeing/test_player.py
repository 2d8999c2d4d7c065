"""The player of a backward pass: the file that it is, and what a browser makes of it."""

import html
import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
from tests.seeing.browser import PATH, Browser
from tinygrad_jp import Function, Parameter, Variable, player, trace
from tinygrad_jp.formatting import LANGUAGES
from tinygrad_jp.player import page_data
from tinygrad_jp.player.phrases import PHRASES

NAMES = [
    *("</script>", "<b>bold</b>", "C:\\N", "\"double\" and 'single'", "{{data}}", "重み", "$&", "&lt;", "<!--"),
    *("x" * 4000, "a\tb"),
]


def scalar():
    x, y = Variable(2.0), Variable(-3.0)
    z = (x + y) * x
    return trace(z, names=locals(), lang="en")


def mlp():
    """Two inputs, two units, one output; two rows."""
    X = Variable([[1.0, -1.0], [0.5, 2.0]])
    W1, b1 = Parameter([[0.5, -1.0], [0.25, 1.5]], "W1"), Parameter([0.1, 0.0], "b1")
    W2, b2 = Parameter([[1.0], [-0.5]], "W2"), Parameter([0.2], "b2")
    loss = F.mean_squared_error(F.relu(X @ W1 + b1) @ W2 + b2, np.array([[1.0], [0.0]]))
    return trace(loss, names=locals(), lang="ja")


def broadcast():
    x, W = Variable([1.0, -2.0]), Variable(np.arange(6.0).reshape(3, 2))
    y = np.sum((x + W) * x)
    return trace(y, names=locals(), lang="en")


def hostile():
    xs = [Variable(1.0 + i / 8, name) for i, name in enumerate(NAMES)]
    return trace(np.prod(np.stack(xs)), lang="en")


def thousand():
    """1,000 nodes: 250 Parameters, 125 of them matrices of 400 numbers, 375 Functions and what they return."""
    rng = np.random.default_rng(0)
    y = Variable(rng.normal(size=(2, 20)), "x")
    for _ in range(125):
        y = np.tanh(y @ Parameter(rng.normal(size=(20, 20)) / 5)) + Parameter(rng.normal(size=20))
    return trace(np.sum(y), lang="en")


def large_arrays():
    model = tg.models.MLP((16, 10), activation=F.relu, rng=0)
    x = np.random.default_rng(0).normal(size=(8, 20))
    return trace(F.softmax_cross_entropy(model(x), np.arange(8) % 10), lang="en")


class Twice(Function):
    """An operation of a user's own, with two results."""

    def forward(self, x):
        return 2 * x, 3 * x

    def backward(self, gy0, gy1):
        return 2 * gy0 + 3 * gy1


def several():
    a, b = Twice()(Variable([1.0, 2.0], "x"))
    return trace((a * b).sum(), lang="en")


def not_finite():
    with np.errstate(all="ignore"):
        return trace(np.sum(Variable([np.inf, np.nan, 0.0, *range(9)], "x") * 0.0), lang="en")


PLAYED = [scalar, mlp, broadcast, hostile, large_arrays, several, not_finite]


def labels_of_inputs(steps):
    return [label for key, label in steps.labels.items() if isinstance(key, Variable)]


def told(page):
    """The data inside a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


# ---------------------------------------------------------------------------------------------------------------------
# The file


@pytest.mark.parametrize("make", PLAYED)
def test_the_page_needs_nothing_else_and_runs_only_its_own_script(make):
    page = player.page(make())
    assert page == player.page(make())
    markup = re.sub(r"<script.*?</script>|<pre>.*?</pre>", "", page, flags=re.S)
    addresses = re.findall(r"""(?:src|href|action)=["']?([^"'\s>]*)""", markup)
    assert addresses == ["data:,"] and "url(" not in markup and "@import" not in markup
    style, script = re.search(r"<style>(.*?)</style>", page, re.S)[1], re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(script) == 1 and page.count("</script>") == 2
    for kind, text in ("style", style), ("script", script[0]):
        assert f"{kind}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in page


def test_names_stand_in_the_data_as_they_are():
    steps = hostile()
    assert [x["label"] for x in told(player.page(steps))["inputs"]] == labels_of_inputs(steps)
    assert set(NAMES[:-1]) < set(labels_of_inputs(steps))
    assert "<b>bold" not in player.page(steps)


def test_a_thousand_nodes_take_less_than_a_megabyte():
    steps = thousand()
    page = player.page(steps)
    assert len(page.encode()) < 1_000_000
    assert len(told(page)["events"]) == len(steps)


def test_of_a_long_pass_the_middle_is_left_out():
    y = x = Variable(1.0, "x")
    for _ in range(600):
        y = y * 0.999 + x
    steps = trace(y, lang="en")
    events = told(player.page(steps))["events"]
    assert len(events) == page_data.MOST_EVENTS + 1
    assert events[page_data.MOST_EVENTS // 2] == {"kind": "gap", "count": len(steps) - page_data.MOST_EVENTS}
    assert f"… {len(steps.explain().splitlines()) - 3000} more lines" not in player.page(scalar())


def test_arrays_are_told_in_full_up_to_nine_elements():
    data = told(player.page(large_arrays()))
    heat = next(a for a in data["arrays"] if isinstance(a, dict) and a["shape"] == "(20, 16)")["heat"]
    assert [len(heat), *{len(row) for row in heat}] == [16, 16] and set("".join(heat)) <= set("0123456789abcdefghi")
    arrays = told(player.page(trace(np.sum(Variable(np.arange(9.0).reshape(3, 3))), lang="en")))["arrays"]
    assert [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"]] in arrays
    arrays = told(player.page(trace(np.sum(Variable(np.arange(10.0))), lang="en")))["arrays"]
    assert {"shape": "(10,)", "mean": "4.5", "deviation": "2.872", "heat": ["9abcdefghi"]} in arrays
    assert any("x" in "".join(a["heat"]) for a in told(player.page(not_finite()))["arrays"] if isinstance(a, dict))


def test_where_nothing_draws_the_operations_are_a_list(monkeypatch):
    def fail(*args):
        raise RuntimeError("no renderer")

    monkeypatch.setattr(page_data, "rendered", fail)
    page = player.page(broadcast())
    assert "<svg" not in page
    assert re.findall(r'<li class="node" id="(\w+)">(.*?)</li>', page) == [
        *(("f2", "v1 = x + W"), ("f4", "v2 = v1 * x"), ("f6", "y = sum(v2)"))
    ]


def test_every_phrase_is_used():
    names = ("page.html", "player.js", "parts.js", "player.py", "page_data.py")
    text = "".join(Path(page_data.__file__).with_name(name).read_text(encoding="utf-8") for name in names)
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", ja) or not re.search("[a-z]", en) for en, ja in PHRASES.values())
    used = set(re.findall(r"""(?:phrase=|phrase\(|say\(lang, |say\(\w+\.lang, )["']([a-zA-Z][\w ]*)["']""", text))
    used |= set(re.findall(r'data-name="([\w ]+)"', text))
    assert used <= set(PHRASES)
    numbered = {key for key in PHRASES if re.fullmatch(r"(say|beat|about) \d", key)}
    named = {"name", "value", "gradient", "play", "pause", "right", "wrong"}  # Chosen among by the page.
    kinds = {"overview", "forward", "seed", "backward", "end", "gap"}
    assert set(PHRASES) - used <= numbered | named | kinds


def luminance(color):
    channels = [
        int(c, 16) / 255 for c in re.findall("..", color[1:] if len(color) == 7 else re.sub("(.)", r"\1\1", color[1:]))
    ]
    return np.dot(
        [0.2126, 0.7152, 0.0722], [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    )


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_stand_out(scheme):
    style = re.search(r"<style>(.*?)</style>", player.page(scalar()), re.S)[1]
    color = dict(re.findall(r"--([\w-]+): (#\w+);", re.findall(r":root \{(.*?)\}", style, re.S)[scheme]))
    for ink in ("ink", "soft", "value", "gradient"):
        for paper in ("paper", "panel", "now", *([f"{ink}-soft"] if f"{ink}-soft" in color else [])):
            light, dark = sorted([luminance(color[ink]), luminance(color[paper])], reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def test_save(tmp_path):
    path = tmp_path / "backprop.html"
    assert scalar().save(str(path)) == path
    assert path.read_text(encoding="utf-8") == player.page(scalar())
    for name, error, message in [
        ("a.txt", ValueError, r"a path that ends in \.html, got .*a\.txt"),
        ("a", ValueError, r"a path that ends in \.html"),
        ("missing/a.html", OSError, r"missing/a\.html"),
    ]:
        with pytest.raises(error, match=message):
            scalar().save(tmp_path / name)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OSError, match=r"folder\.html"):
        scalar().save(tmp_path / "folder.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backprop.html", "folder.html"]


def test_a_notebook_shows_it_in_a_frame_of_its_own():
    frame = scalar()._repr_html_()
    assert 'sandbox="allow-scripts"' in frame
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]) == player.page(scalar())


def test_a_leaf_alone():
    data = told(player.page(trace(Variable(2.0, "x"), lang="en")))
    assert [e["kind"] for e in data["events"]] == ["seed"] and data["inputs"][0]["label"] == "x"


# ---------------------------------------------------------------------------------------------------------------------
# In a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PATH is None:
        pytest.skip("no Chromium is installed: apt install chromium")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens the page of a trace; in the end, nothing must have gone wrong, and nothing else been asked for."""

    def open_page(steps, **how):
        path = steps.save(tmp_path / "backprop.html")
        browser.open(path, **how)
        opened.append(path)
        return browser

    opened = []
    yield open_page
    assert browser.errors == []
    assert [url.partition(",")[0] for url in browser.requests if not url.startswith("data:")] == [
        p.as_uri() for p in opened[-1:]
    ]


SEEN = "[count.textContent, phase.textContent, say.textContent, $('beats').textContent]"
GO = f"(i) => {{ slider.value = i; slider.dispatchEvent(new Event('input')); return {SEEN} }}"


TABLE = """[...inputs.tBodies[0].rows].map((tr) =>
    [...tr.cells].map((td) => [td.textContent, td.querySelector('[aria-label]')?.ariaLabel]))"""


def parsed(text):
    return np.array(json.loads(text.replace("−", "-")))


@pytest.mark.parametrize("make", PLAYED)
def test_every_step_by_key_and_by_slider(opened, make):
    page = opened(make())
    n = page.run("frames.length")
    assert n == 2 + sum({"backward": 2, "accumulate": 2}.get(event.kind, 1) for event in make())
    by_slider = [page.run(f"({GO})({i})") for i in range(n)]
    page.press("Home")
    by_key = [page.run(SEEN)]
    for _ in range(n - 1):
        page.press("ArrowRight")
        by_key.append(page.run(SEEN))
    assert by_key == by_slider and len({count for count, *_ in by_key}) == n
    page.press("ArrowLeft")
    assert page.run(SEEN) == by_key[-2]
    page.press("End")
    assert page.run(SEEN) == by_key[-1]
    page.press("ArrowRight")
    assert page.run(SEEN) == by_key[-1]


@pytest.mark.parametrize("make", [scalar, mlp, broadcast])
def test_the_gradients_are_numpys_and_add_up(opened, make):
    steps = make()
    page = opened(steps)
    rows = page.run(TABLE)
    assert len(rows) == sum(isinstance(key, Variable) for key in steps.labels)
    for (label, _), (_, value), (_, gradient) in rows:
        key = next(key for key, name in steps.labels.items() if name == label)
        np.testing.assert_allclose(parsed(value), key.data, rtol=1e-3)
        np.testing.assert_allclose(parsed(gradient), steps.grad(key), rtol=1e-3)
        np.testing.assert_allclose(parsed(gradient), steps.numerical(key), rtol=1e-3)
    read = "['before', 'share', 'after'].map((name) => $('beats').querySelector('.' + name)?.ariaLabel ?? null)"
    sums = [page.run(f"(({GO})({i}), {read})") for i in range(page.run("frames.length"))]
    sums = [[parsed(x) for x in three] for three in sums if None not in three]
    assert len(sums) == sum(event.before is not None for event in steps)
    for before, share, after in sums:
        np.testing.assert_allclose(before + share, after, rtol=2e-3)


def test_the_sum_that_undoes_broadcasting_has_a_line_of_its_own(opened):
    page = opened(broadcast())
    summed = [page.run(f"(({GO})({i}), $('beats').textContent.includes('Broadcasting'))") for i in range(22)]
    assert [i for i, shown in enumerate(summed) if shown] == [13, 14, 17, 18]  # x in the product, x in the sum.
    page.run(f"({GO})(18)")
    assert page.run("[...$('beats').querySelectorAll('.sum .array')].map((e) => e.ariaLabel)") == [
        "[3, −6]",
        "[9, 3]",
        "[12, −3]",
    ]
    assert page.run("[...document.querySelectorAll('.now.node, .reached, .backwards')].map((e) => e.id)") == [
        "v0",
        "f2",
        "v0-f2",
    ]


OVERFLOWING = """[...document.querySelectorAll('h1, h2, h3, p, button, label, td, th, figcaption, #phase, #say, .beat')]
    .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML.slice(0, 200))"""
MISSED = """[...document.querySelectorAll('[data-phrase]')].filter((e) => e.textContent !== phrase(e.dataset.phrase))
    .concat([...document.querySelectorAll('[data-name]')].filter((e) => e.ariaLabel !== phrase(e.dataset.name)))
    .length"""


@pytest.mark.parametrize("width", [1200, 375])
def test_both_languages_fit_their_boxes(opened, width):
    page = opened(mlp(), width=width)
    said = {}
    for lang in ("en", "ja"):
        page.run(f"document.querySelector('[data-lang={lang}]').click()")
        assert page.run("[document.documentElement.lang, document.title]") == [
            lang,
            PHRASES["title"][LANGUAGES.index(lang)],
        ]
        assert page.run(MISSED) == 0
        said[lang] = [page.run(f"({GO})({i})") for i in range(page.run("frames.length"))]
        for i in range(0, len(said[lang]), 5):
            page.run(f"({GO})({i})")
            assert page.run(OVERFLOWING) == []
        assert page.run("document.documentElement.scrollWidth") <= width
    for (_, *english), (_, *japanese) in zip(*said.values(), strict=True):
        assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", text) for text in japanese[:2])
        assert not re.search(r"[ぁ-んァ-ヶ一-龠]", "".join(english))


def test_names_are_text(opened):
    page, labels = opened(hostile()), labels_of_inputs(hostile())
    assert page.run("[...inputs.tBodies[0].rows].map((tr) => tr.cells[0].textContent)") == labels
    assert page.run("document.querySelectorAll('b, main script').length") == 0
    assert page.run("document.documentElement.scrollWidth") <= 1200
    page.run(f"({GO})(1)")
    assert all(label in page.run("$('beats').textContent") for label in labels)


def test_without_scripts_the_page_tells_the_same(opened):
    page = opened(broadcast(), scripts=False)
    text = page.run("document.body.innerText")
    assert "x\t[1, -2]\t[12, -3]" in text
    assert "v2 = v1 * x" in text and "x's gradient: [9, 3] + [3, -6] = [12, -3]" in text
    assert page.run("[...document.querySelectorAll('svg')].some((e) => e.clientWidth > 0)")
    assert page.run("[...document.querySelectorAll('.scripted')].every((e) => !e.offsetParent)")


def test_in_a_sandboxed_frame(browser, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{scalar()._repr_html_()}", encoding="utf-8")
    browser.open(path)
    assert browser.run("document.querySelector('iframe').contentDocument") is None
    browser.run("$('last').click()", innermost=True)
    assert browser.run("[count.textContent, origin]", innermost=True) == ["16 / 16", "null"]
    assert browser.errors == []


def test_predicting(opened):
    page = opened(scalar())
    page.run("$('predict').click()")
    secret = "[...document.querySelectorAll('.secret')].length"
    assert page.run(secret) == 2 and page.run("document.querySelectorAll('.known').length") == 0
    guesses = {6: ("２.０1", True), 8: ("−1/1", True), 12: ("7", False), 14: ("much", None)}
    for frame, (guess, right) in guesses.items():
        page.run(f"({GO})({frame})")
        assert page.run("document.activeElement.id") == "guess", frame
        assert not page.run("$('beats').querySelector('.beat.now .array')")
        page.call("Input.insertText", text=guess)
        page.press("Enter")
        assert page.run("Boolean($('beats').querySelector('.right'))") is (right is True)
        assert page.run("Boolean($('beats').querySelector('.wrong'))") is (right is False)
    assert page.run("score.textContent") == "2 of 3 right"
    page.run("$('last').click()")
    assert page.run(secret) == 0


def test_playing_and_motion(opened):
    page = opened(scalar())
    page.run("speed.value = 4")
    page.press(" ")
    assert page.run("new Promise((done) => setTimeout(() => done(state.at), 1500))") >= 2
    page.press(" ")
    at = page.run("state.at")
    assert page.run("new Promise((done) => setTimeout(() => done(state.at), 700))") == at
    page.run(f"({GO})(7)")
    assert page.run("document.getAnimations().length") > 0
    page = opened(scalar(), prefers_reduced_motion="reduce", prefers_color_scheme="dark")
    page.run(f"({GO})(7)")
    assert page.run("document.getAnimations().length") == 0
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"


def test_a_thousand_nodes(opened):
    page = opened(thousand())
    n = page.run("frames.length")
    seen = [page.run(f"({GO})({i})")[0] for i in range(0, n, 97)]
    assert seen == [f"{i} / {n - 1}" for i in range(0, n, 97)]


def test_a_list_of_operations_is_played_too(opened, monkeypatch):
    def fail(*args):
        raise RuntimeError("no renderer")

    monkeypatch.setattr(page_data, "rendered", fail)
    page = opened(scalar())
    page.run(f"({GO})(7)")
    assert page.run("[...document.querySelectorAll('.now.node')].map((e) => e.textContent)") == ["z = v1 * x"]
