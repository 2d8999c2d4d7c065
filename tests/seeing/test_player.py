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
from tests.cases import CASES
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


def ab():
    a, b = Variable(2.0), Variable(3.0)
    return trace(a * b + a, names=locals(), lang="en")


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
    more = f"… more lines: {len(steps.explain().splitlines()) - 3000}"
    assert more in player.page(steps) and more not in player.page(scalar())


def test_arrays_are_told_in_full_up_to_nine_elements():
    data = told(player.page(large_arrays()))
    heat = next(a for a in data["arrays"] if isinstance(a, dict) and a["shape"] == "(20, 16)")["heat"]
    assert [len(heat), *{len(row) for row in heat}] == [16, 16] and set("".join(heat)) <= set("0123456789abcdefghi")
    arrays = told(player.page(trace(np.sum(Variable(np.arange(9.0).reshape(3, 3))), lang="en")))["arrays"]
    assert [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"]] in arrays
    arrays = told(player.page(trace(np.sum(Variable(np.arange(10.0))), lang="en")))["arrays"]
    ten = {"shape": "(10,)", "mean": "4.5", "deviation": "2.872", "heat": ["9abcdefghi"], "most": "9"}
    assert ten | {"rows": [[str(i) for i in range(10)]]} in arrays
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
    names = ("page.html", *player.player.SCRIPTS, "player.py", "page_data.py")
    text = "".join(Path(page_data.__file__).with_name(name).read_text(encoding="utf-8") for name in names)
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", ja) or not re.search("[a-z]", en) for en, ja in PHRASES.values())
    used = set(re.findall(r"""(?:phrase=|phrase\(|say\(lang, |say\(\w+\.lang, )["']([a-zA-Z][\w ]*)["']""", text))
    used |= set(re.findall(r'data-name="([\w ]+)"', text))
    assert used <= set(PHRASES)
    numbered = {key for key in PHRASES if re.fullmatch(r"(say|beat|about) \d", key)}
    chosen = {key for key in PHRASES if f'"{key}"' in text}
    kinds = {"overview", "forward", "seed", "backward", "end", "gap", "seed 2", "backward 2", "forward 2"}
    assert set(PHRASES) - used - chosen <= numbered | kinds


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
        "[9, 3]",
        "[3, −6]",
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


def choose(page, right):
    """Press the right or a wrong one of the choices."""
    return page.run(
        "(() => { const found = options(frames[state.at]); const i = found.findIndex((o) => Boolean(o.right) === "
        f"{json.dumps(right)}); document.querySelectorAll('.choice')[i].click(); return found.length }})()"
    )


def test_predicting(opened):
    page = opened(scalar())
    page.run("$('predict').click()")
    secret = "[...document.querySelectorAll('.secret')].length"
    assert page.run(secret) == 2 and page.run("document.querySelectorAll('.known').length") == 0
    for frame, right in {6: True, 8: True, 12: False}.items():
        page.run(f"({GO})({frame})")
        assert not page.run("Boolean($('beats').querySelector('.beat.now .array'))")
        assert choose(page, right) >= 3
        assert page.run("Boolean($('beats').querySelector('.right'))") is right
        assert page.run("Boolean($('beats').querySelector('.wrong'))") is not right
        guess, correct = {6: ("２.０1", True), 8: ("−1/1", True), 12: ("much", None)}[frame]
        page.press("ArrowRight")
        assert page.run("document.activeElement.id") == "guess", frame
        page.call("Input.insertText", text=guess)
        page.press("Enter")
        assert page.run("Boolean($('guess'))") is (correct is None)
    assert page.run("score.textContent") == "4 of 5 right"
    page.run("$('last').click()")
    assert page.run("parseFloat(getComputedStyle($('beats')).fontSize)") >= 14
    assert page.run("score.textContent") == "4 of 8 right"  # What was passed over counts as well.
    assert page.run(secret) == 0
    assert page.run("[...$('beats').querySelectorAll('tbody tr')].map((tr) => tr.cells[0].textContent).join('')") == (
        "✓✓✓✓✗✗✗✗"
    )


@pytest.mark.parametrize("make", [ab, mlp, broadcast])
def test_the_program_tells_no_answer_before_it_is_asked_for(opened, make):
    """What is read in the program, but for lines that have been gone through and names of arguments."""
    page = opened(make(), width=1280, height=720)
    page.run("predict()")
    shown = "program.filter((_, i) => getComputedStyle($('program').children[i]).visibility === 'visible')"
    for i in range(page.run("frames.length") - 1):
        page.run(f"({GO})({i})")
        row, asks = page.run("[frames[state.at].row, asking(frames[state.at])]")
        rows = page.run(f"{shown}.flatMap(({{ rows }}) => rows)")
        assert max(rows, default=-1) <= (row - 1 if asks else row), i
        codes = page.run(f"{shown}.map(({{ code }}) => Array.isArray(code) ? code[0] : code)")
        assert not any("return" in code for code in codes)
        helpers = [code for code in codes if code.startswith("    h")]
        assert not helpers or row >= 5  # What has no step of its own comes with the line that it is for.
    page.run("$('last').click()")
    assert page.run(f"{shown}.length === program.length")


def three_layers():
    model = tg.models.MLP((12, 11, 10), activation=F.relu, rng=0)
    x = np.random.default_rng(0).normal(size=(8, 20)).astype(np.float32)
    return trace(F.softmax_cross_entropy(model(x), np.arange(8) % 10), lang="en")


@pytest.mark.parametrize("make", [three_layers, large_arrays, mlp, scalar, broadcast, several])
def test_every_share_is_asked_for_and_only_numbers_that_can_be_told(opened, make):
    page = opened(make())
    page.run("speak('en'); $('predict').click()")
    page.run("$('last').click()")
    shares = sum(event.kind == "accumulate" for event in make())
    asked = page.run("[...state.answers.keys()].map((f) => [f.beat, questionAt(f).kind, f.event.answerable])")
    assert sum(beat == 3 for beat, *_ in asked) == shares > 0
    assert all(answerable for beat, kind, answerable in asked if kind == "number")
    assert page.run("score.textContent") == f"0 of {len(asked)} right"
    assert page.run("$('beats').querySelectorAll('tbody tr').length") == len(asked)
    options = page.run(
        "[...state.answers.keys()].filter((f) => f.beat === 3).map((f) => options(f).map((o) => o.words))"
    )
    assert all(len(set(words)) == len(words) >= 2 for words in options)


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


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES[::40], ids=lambda case: case.name)
def test_any_function_is_played_without_a_cut(opened, case):
    xs = [Variable(x, name=f"x{i}") for i, x in enumerate(case.inputs(np.random.default_rng(1)))]
    page = opened(trace(np.sum(case.f(*xs)), lang="en"), width=1280, height=720)
    cut = f"[...frames.keys()].flatMap((i) => (({GO})(i), [...{CUT}, ...{SPILLED}].map((e) => [i, e])))"
    assert page.run(cut) == []
    page.run("(predict(), go(0), go(frames.length - 1))")


def test_a_thousand_nodes(opened):
    page = opened(thousand())
    n = page.run("frames.length")
    seen = [page.run(f"({GO})({i})")[0] for i in range(0, n, 97)]
    assert seen == [f"{i} / {n - 1}" for i in range(0, n, 97)]


# ---------------------------------------------------------------------------------------------------------------------
# One screen, in which nothing is cut

SCREENS = [(1280, 720), (760, 720), (375, 667)]
SCREENS += [pytest.param(size, marks=pytest.mark.slow) for size in [(1366, 768), (1280, 800)]]
TEXT_ELEMENTS = (
    "button, h2, h3, p, label, mtd, mn, mi, mo, mtext, .array, .row, .ways, .shape, th, #phase, #say, dt, dd"
)
CUT = f"""[...document.querySelectorAll('{TEXT_ELEMENTS}')]
    .filter((e) => e.clientWidth && getComputedStyle(e).display !== 'inline'
        && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 2)
        && getComputedStyle(e).overflowX !== 'visible')
    .map((e) => e.outerHTML.slice(0, 200))"""
INSIDE = """(() => {
    const now = $('beats').querySelector('.now')?.getBoundingClientRect();
    const box = $('beats').getBoundingClientRect();
    return !now || (now.top >= box.top - 1 && now.bottom <= box.bottom + 1 && now.left >= 0
        && now.right <= innerWidth + 1 && box.bottom <= innerHeight);
})()"""
SCROLLS = "document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth"
SPILLED = """[...$('beats').querySelectorAll('.row > *, .array > *')].filter((e) =>
    e.getBoundingClientRect().right > $('beats').getBoundingClientRect().right + 1).map((e) => e.textContent)"""


@pytest.mark.parametrize("screen", SCREENS, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("make", [scalar, mlp, broadcast, large_arrays, several])
def test_one_screen_shows_the_whole_step(opened, make, screen):
    page = opened(make(), width=screen[0], height=screen[1])
    wrong = f"[[...frames.keys()].map({GO}).length, ...[...frames.keys()].filter((i) => (({GO})(i), !{INSIDE}))]"
    cut = f"[...frames.keys()].flatMap((i) => (({GO})(i), [...{CUT}, ...{SPILLED}].map((e) => [i, e])))"
    for lang in ("ja", "en"):
        page.run(f"speak('{lang}')")
        assert page.run(wrong) == [page.run("frames.length")]
        assert page.run(cut) == []
        assert not page.run(SCROLLS)


@pytest.mark.parametrize("screen", SCREENS, ids=lambda s: f"{s[0]}x{s[1]}")
def test_the_graph_shows_the_operation_at_work(opened, screen):
    page = opened(mlp(), width=screen[0], height=screen[1])
    seen = """[...graph().querySelectorAll('.now')].every((e) => {
        const [own, view] = [e.getBoundingClientRect(), $('camera').getBoundingClientRect()];
        return own.left >= view.left - 1 && own.right <= view.right + 1 && own.top >= view.top - 1
            && own.bottom <= view.bottom + 1 && own.width > 5;
    })"""
    for i in range(page.run("frames.length")):
        page.run(f"({GO})({i})")
        assert page.run(seen), i


CONTRASTS = """(() => {
    const linear = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const rgb = (s) => s.match(/[0-9.]+/g).map(Number);
    const ground = (e) => {
        for (; e; e = e.parentElement) {
            const c = rgb(getComputedStyle(e).backgroundColor);
            if (c.length < 4 || c[3] === 1) return c;
        }
        return [255, 255, 255];
    };
    const shown = (e) => e.getClientRects().length && !e.closest('svg, canvas, option');
    return [...document.querySelectorAll('body *')].filter((e) => shown(e)
        && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && !e.disabled).map((e) => {
        const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 100)];
    }).filter(([ratio]) => ratio < 4.5);
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(opened, scheme):
    page = opened(mlp(), width=1280, height=720, prefers_color_scheme=scheme)
    for predicting in (False, True):
        for tab in ("program", "gradients", "move"):
            page.run(f"open('{tab}')")
            for i in (0, 3, 12, 14, 20, 40):
                page.run(f"({GO})({i})")
                assert page.run(CONTRASTS) == [], (tab, i)
        page.run("predict()") if not predicting else None
        page.run(f"({GO})(0)")


def test_no_markup_is_read_and_every_number_is_the_engines(opened):
    x, A = Variable(np.arange(6.0).reshape(2, 3) / 3, "x"), np.array([[1.0, -2.0, 3.0]])
    steps = trace(np.sum((x * A)[:, 1] * x[0, 1] + np.tanh(x)[..., 0]), names={"A": A}, lang="en")
    page = opened(steps)
    for i in range(page.run("frames.length")):
        page.run(f"({GO})({i})")
        text = page.run("[...document.querySelectorAll('header, figure, #card')].map((e) => e.innerText).join()")
        assert not re.search(r"</?m\w+>|slice\(|array\(|&lt;", text), i
        event = page.run("frames[state.at].event ? frames[state.at].row : -1")
        if event >= 0 and steps[event].kind == "accumulate" and page.run("frames[state.at].beat") == 4:
            shown = page.run("$('beats').querySelector('.after')?.ariaLabel")
            np.testing.assert_allclose(parsed(shown), steps[event].after, rtol=1e-3)


# ---------------------------------------------------------------------------------------------------------------------
# The chain rule, three views in step, and what moves


def test_the_chain_rule_is_written_out(opened):
    page = opened(ab())
    frame = page.run("frames.findIndex(({ event, beat }) => beat === 4 && event.to === 'a' && event.before !== null)")
    page.run(f"({GO})({frame})")
    text = page.run("$('beats').textContent.replace(/\\s/g, '')")
    for piece in ("∂y∂a←∂y∂v1×∂v1∂a", "3=1×3", "∂v1∂a=b=3", "directly1,bywayofv13,together4", "∂y∂a=1+3=4"):
        assert piece in text, piece
    assert "gy" not in text
    assert "ga = 1.0 + b" in page.run("$('program').textContent")
    edges = page.run(
        "[...graph().querySelectorAll('.edge')].map((e) => [...e.querySelectorAll('.local')].map((t) => t.textContent))"
    )
    assert sorted(" ".join(lines) for lines in edges if lines) == [
        *("∂v1/∂a = b = 3", "∂v1/∂b = a = 2", "∂y/∂a = 1", "∂y/∂v1 = 1")
    ]
    assert page.run("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == page.run(
        "document.querySelectorAll('[id]').length"
    )
    assert page.run("document.querySelector('.backwards path').getAttribute('marker-start')") == "url(#backwards-0)"
    spoken = page.run("$('spoken').textContent")
    assert "∂v1/∂a = 3" in spoken and "1 × 3 = 3" in spoken and "together 4" in spoken


def local_derivatives(steps):
    for event in steps:
        if event.kind == "accumulate" and (factor := steps.local(event)) is not None:
            yield event, getattr(factor, "data", factor)


@pytest.mark.parametrize("make", PLAYED + [ab, three_layers])
def test_a_share_is_the_gradient_times_the_local_derivative(make):
    steps = make()
    for event, factor in local_derivatives(steps):
        formula = steps.formula(event)
        np.testing.assert_allclose(steps.grads[event.f] * factor, formula.data, rtol=1e-5, equal_nan=True)


def test_an_element_shows_the_sum_that_it_is(opened):
    page = opened(mlp())
    frame = page.run("frames.findIndex(({ event, beat }) => beat === 4 && event.to === 'W1')")
    page.run(f"({GO})({frame})")
    page.run("$('beats').querySelector('.now mtd.pick').dispatchEvent(new MouseEvent('click'))")
    text = page.run("$('beats').querySelector('.picked').textContent").replace("−", "-")
    name, terms, total = re.fullmatch(r"(.+\[0, 0\]) = (.+) = (.+)", text).groups()
    assert name == "∂loss/∂W1[0, 0]"
    assert eval(terms.replace("·", "*")) == pytest.approx(float(total), rel=1e-3)


def test_three_views_go_together(opened):
    page = opened(mlp())
    lines = page.run("program.map(({ rows }, i) => [i, rows]).filter(([, rows]) => rows.length)")
    for i, rows in lines:
        page.run(f"$('program').children[{i}].click()")
        assert page.run("frames[state.at].row") == rows[-1]
        assert page.run("[...$('program').children].indexOf($('program').querySelector('[aria-current]'))") == i
    page.run("goTo(data.operations[0].id)")
    assert page.run("frames[state.at].kind") == "backward"
    page.run("$('beats').querySelector('.beat:last-child').click()")
    assert page.run("[frames[state.at].kind, frames[state.at].beat]") == ["accumulate", 4]
    page.run("$('beats').querySelector('.beat').click()")
    assert page.run("[frames[state.at].beat, operationOf(frames[state.at].event).id === data.operations[0].id]") == [
        1,
        True,
    ]
    places = {
        "within(data.operations[1].id).getBoundingClientRect()": "operationOf(frames[state.at].event).out",
        "within(data.events.at(-1).edge).querySelector('path').getBoundingClientRect()": "frames[state.at].event.to",
    }
    for place, told in places.items():
        box = page.run(f"fit(), {place}.toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        assert page.run(told) == ("W1" if "event.to" in told else "v2")


def test_move_it_and_see(opened):
    page = opened(ab())
    page.run("open('move')")
    told = page.run("document.querySelector('.told').textContent")
    assert "a 2 → 2.1" in told and "y 8 → 8.4" in told and "4 × 0.1 = 0.4" in told
    moves = page.run("data.moves")
    assert [move["label"] for move in moves] == ["a", "b"]
    for move in moves:
        for x, y in zip(move["xs"], move["ys"], strict=True):
            a, b = (x, 3.0) if move["label"] == "a" else (2.0, x)
            assert y == pytest.approx(a * b + a)
    page.run("mover.value = 20; mover.dispatchEvent(new Event('input'))")
    assert "a 2 → 3" in page.run("document.querySelector('.told').textContent")


@pytest.mark.parametrize("make", [large_arrays, not_finite, several, thousand])
def test_what_cannot_be_moved_is_said(make):
    moves = told(player.page(make()))["moves"]
    assert all(np.isfinite([*move["xs"], *move["ys"], move["gradient"]]).all() for move in moves)


def test_keys(opened):
    page = opened(mlp(), width=1280, height=720)
    page.run("document.activeElement.blur()")
    page.press("+")
    assert page.run("state.zoomed") > page.run("fitScale()")
    before = page.run("state.view.factor")
    page.press("-")
    assert page.run("state.view.factor") < before
    page.press("0")
    assert page.run("state.view.factor") == pytest.approx(1)
    page.press("f")
    assert page.run("state.view.factor") == page.run("fitScale()") and page.run("state.zoomed") is None
    page.press("?")
    assert page.run("help.open") and page.run("$('keys').children.length") >= 14
    page.run("help.close()")
    page.press("p")
    assert page.run("state.predicting")


def test_steps_by_operation_and_by_layer(opened):
    page = opened(three_layers())
    n = page.run("frames.length")
    counts = {}
    for stride in ("beat", "operation", "layer"):
        page.run(f"({GO})(0); stride.value = '{stride}'")
        counts[stride] = 0
        while page.run("state.at") < n - 1:
            page.run("$('next').click()")
            counts[stride] += 1
        page.run("$('back').click()")
        assert page.run("state.at") < n - 1
    operations = len(three_layers().order)
    assert counts["beat"] == n - 1 > counts["operation"] == 2 + 2 * operations
    page = opened(trace(np.sum(tg.layers.BatchNorm()(np.eye(4, dtype=np.float32))), lang="en"))
    stops = [page.run(f"stops('{stride}').length") for stride in ("beat", "operation", "layer")]
    assert stops[0] > stops[1] > stops[2] >= 4


def test_an_address_leads_to_a_step(browser, tmp_path):
    path = scalar().save(tmp_path / "backprop.html")
    browser.open(path)
    browser.run("location.hash = '#b6'")
    assert browser.run("new Promise((done) => setTimeout(() => done(state.at), 200))") == 6
    browser.run("step(1)")
    assert browser.run("new Promise((done) => setTimeout(() => done(location.hash), 800))") == "#b7"


def test_layers_open_and_close(opened):
    page = opened(three_layers(), width=1280, height=720)
    n = page.run("data.steps")
    assert n >= 2 and page.run("state.level") == n - 1
    sizes, frames = [], page.run("frames.length")
    marked = "graph().querySelectorAll('.now').length"
    own = "graph().querySelector(e.getAttribute('marker-start').slice(4, -1))"
    arrows = f"[...document.querySelectorAll('[marker-start]')].every((e) => Boolean({own}))"
    for _ in range(n):
        sizes.append(page.run("graph().querySelectorAll('.node').length"))
        assert page.run("[...document.querySelectorAll('#camera > .graph')].filter((e) => !e.hidden).length") == 1
        for i in range(1, frames - 1):
            if page.run(f"({GO})({i}); ['forward', 'backward'].includes(frames[state.at].kind)"):
                assert page.run(marked) == 1, i
                assert page.run(arrows), i  # In this very drawing: in a hidden one they would not be seen.
        page.run(f"({GO})(0)")
        page.press("[")
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == n
    assert page.run("state.level") == 0 and page.run("$('close-layers').disabled")
    box = page.run("graph().querySelector('.node.layer').getBoundingClientRect().toJSON()")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    assert page.run("state.level") == 1
    page.run("$('open-layers').click()") if n > 2 else None
    assert told(player.page(ab()))["levels"] == []


def deep():
    """So many operations that repetitions are drawn once."""
    model = tg.models.MLP((8,) * 16 + (4,), activation=np.tanh, rng=0)
    return trace(np.sum(model(np.ones((5, 6), np.float32))), lang="en")


def nested():
    """Two layers in each of two, in one."""
    pair = lambda: tg.models.Sequential(tg.layers.Linear(3), tg.layers.Linear(2))  # noqa: E731
    return trace(np.sum(tg.models.Sequential(pair(), pair())(np.ones((2, 3), np.float32))), lang="en")


@pytest.mark.parametrize("make", [three_layers, large_arrays, nested, deep])
def test_each_layer_opens_and_closes_by_itself(opened, make):
    page = opened(make(), width=1280, height=720)
    around, pictures = page.run("data.outer"), page.run("data.levels.map(({ open }) => open)")
    assert len({*map(str, pictures)}) == len(pictures) <= page_data.MOST_PICTURES
    for level, shown in enumerate(pictures):
        ids = page.run(f"showPicture({level}), data.levels[{level}].scopes")
        drawn = {*page.run("[...graph().querySelectorAll('.node.layer, .cluster')].map((e) => e.id)")}
        assert drawn == {*ids} or (make is deep and drawn > {*ids})  # A repetition has a frame, too.
        for name, scope in ids.items():
            assert (scope in shown) == name.startswith("cluster")
            page.run(f"showPicture({level}), pressLayer('{name}')")
            inside = {i for i in shown if scope in ancestors(i, around)}
            expected = sorted({*shown} - inside if scope in shown else {*shown, scope})
            now = page.run("data.levels[state.level].open")
            assert now == expected if expected in pictures else len(now) != len(shown)
            assert page.run("graph().querySelectorAll('.node').length") > 0
    page.run(f"({GO})(1)")
    assert page.run("graph().querySelectorAll('.now').length") == 1


def ancestors(i, around):
    return {i} | (ancestors(around[i], around) if around[i] else set())


def second_order():
    x = Variable(0.5, "x")
    np.tanh(x).backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    return trace(gx, names={"gx": gx}, lang="en")


def test_a_second_derivative_is_told_from_a_first(opened):
    steps = second_order()
    page = opened(steps)
    assert page.run("data.order") == 2 and "itself a derivative" in page.run("say.textContent")
    phases = [page.run(f"({GO})({i})")[1] for i in range(page.run("frames.length"))]
    assert {"Forward", "Forward: the first derivative", "Backward, second order"} <= set(phases)
    assert page.run("graph().querySelectorAll('.derived').length") == sum(
        f.sequence >= steps.derivative_from for f in steps.order
    )
    assert told(player.page(ab()))["order"] == 1


@pytest.mark.parametrize("hidden", ["main.style.display = 'none'", "main.style.width = '0'", "main.style.height = '0'"])
def test_a_frame_that_shrinks_to_nothing_comes_back(opened, hidden):
    page = opened(three_layers(), width=1280, height=720)
    wait = "new Promise((done) => setTimeout(done, 100))"
    page.run(f"main = document.querySelector('main'); {hidden}; {wait}")
    for action in ("step(1)", "fit()", "state.view = null; zoom(1.25)", "openLayers(-1)", f"({GO})(9)", "fit()", wait):
        page.run(action)
    page.run(f"main.removeAttribute('style'); {wait}")
    box = page.run("drawing().getAttribute('viewBox').split(' ').map(Number)")
    assert len(box) == 4 and min(box[2:]) > 0 and page.run(INSIDE)


def test_a_step_of_a_thousand_nodes_shows_no_more_than_it_must(opened):
    page = opened(thousand(), width=1280, height=720)
    for i in (0, 700, 1500, 2300):
        page.run(f"({GO})({i})")
        assert page.run(INSIDE) and not page.run(SCROLLS)


def test_a_list_of_operations_is_played_too(opened, monkeypatch):
    def fail(*args):
        raise RuntimeError("no renderer")

    monkeypatch.setattr(page_data, "rendered", fail)
    page = opened(scalar())
    page.run(f"({GO})(7)")
    assert page.run("[...document.querySelectorAll('.now.node')].map((e) => e.textContent)") == ["z = v1 * x"]
