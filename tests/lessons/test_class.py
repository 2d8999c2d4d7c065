"""The class: every number on its pages is the engine's, both languages say the same, and a browser shows it whole."""

import base64
import contextlib
import importlib
import re
import sys
import time
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

CLASS = Path(__file__).parents[2] / "examples" / "class"
LANGUAGES = ("en", "ja")
KINDS = ("screen", "learner", "worksheet", "answers")
NUMBERS = range(1, 7)
NAMES = ["index.html", *(f"{n}-{kind}.html" for n in NUMBERS for kind in KINDS)]
BLOCKS = ("text", "formula", "code", "picture", "page", "arrays", "table")
MODULES = ("build", "pages", "results", "figures", "parts")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def modules():
    """The modules of examples/class, which are not left behind for others."""
    sys.path.insert(0, str(CLASS))
    yield {name: importlib.import_module(name) for name in MODULES}
    sys.path.remove(str(CLASS))
    for name in [name for name in sys.modules if name.split(".")[0] in MODULES]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def built(modules, tmp_path_factory):
    """The class in both languages: its folder, and what was computed for each page."""
    out = tmp_path_factory.mktemp("class")
    return out, {lang: modules["build"].build(lang, out / lang) for lang in LANGUAGES}


def read(out, lang, name):
    return (out / lang / name).read_text(encoding="utf-8")


def pairs(value):
    """Every text in both languages in a part's tables."""
    if isinstance(value, list | tuple) and value and value[0] in BLOCKS:
        value = [value[1:]] if value[0] == "text" else [item for item in value[1:] if not isinstance(item, str)]
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(text, str) for text in value):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from pairs(item)


def texts(part):
    for table in ("TITLE", "AIM", "SCREEN", "LEARNER", "QUESTIONS", "GIVEN", "SOLVED", "NOTES"):
        yield from pairs(getattr(part, table))


# ---- What is said ----------------------------------------------------------------------------------------------------


def test_there_are_ninety_minutes_in_six_parts(modules):
    parts = modules["parts"].PARTS
    assert len(parts) == 6 and sum(part.MINUTES for part in parts) == 90
    assert all(4 <= len(part.QUESTIONS) <= 6 and len(part.SCREEN) >= 4 for part in parts)


def test_both_languages_have_the_same_numbers_and_code(modules):
    for part in modules["parts"].PARTS:
        for english, japanese in texts(part):
            for pattern in (r"{(\w+)}", r"`([^`]+)`"):
                found = Counter(re.findall(pattern, english)), Counter(re.findall(pattern, japanese))
                assert found[0] == found[1], (english, japanese)
            assert english.count("**") == japanese.count("**"), (english, japanese)
            wordy = re.search("[a-z]{3}", re.sub(r"{\w+}|`.+?`", "", english))
            assert not wordy or re.search("[ぁ-ん一-龥ァ-ヶ]", japanese), (english, japanese)


@pytest.mark.parametrize("language", [0, 1])
def test_no_number_is_typed(modules, language):
    """Numbers in texts are the engine's; only names (v1, 2x, W11) and Japanese counting words are written."""
    counted = r"\d+(?= ?(?:つ|回|本|行|列|歩|人|乗|次|階|ステップ|通り|分の))"
    allowed = rf"`[^`]*`|{{\w+}}|ln 2|\b\d?[A-Za-z]\w*|{counted}|^\d\. |\b[01]\b"
    for part in modules["parts"].PARTS:
        for pair in texts(part):
            assert not re.search(r"\d", re.sub(allowed, "", pair[language])), pair[language]


class Numbers(HTMLParser):
    """What stands on a page as a number of the engine's, or as a matrix of them: names and texts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.name = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if name := dict(attrs).get("data-fact"):
            self.name, self.end = name, tag
            self.found.append([name, ""])
        elif self.name and tag in ("td", "tr"):
            self.found[-1][1] += {"td": " ", "tr": ";"}[tag]

    def handle_endtag(self, tag):
        if self.name and tag == self.end:
            self.name = None

    def handle_data(self, data):
        if self.name is not None:
            self.found[-1][1] += data


def value(text):
    """A number as it stands on the page, or a matrix, whose rows follow its name and its shape."""
    text = text.replace("−", "-")
    if ";" in text:
        title, *rows = text.split(";")
        matrix = np.array([row.split() for row in rows], float)
        return matrix.reshape(eval(title[title.index("(") :], {}))
    if match := re.fullmatch(r"([\d.-]+)·10(-\d+)", text):
        return float(match[1]) * 10 ** int(match[2])
    return eval(text, {})


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_number_on_the_pages_is_the_engines(built, lang):
    out, found = built
    notes = {name for name, _ in Numbers(read(out, lang, "index.html")).found}
    for results in found[lang]:
        shown = {*notes}
        for kind in KINDS:
            for name, text in Numbers(read(out, lang, f"{results.number}-{kind}.html")).found:
                shown.add(name)
                np.testing.assert_allclose(value(text), results.facts[name], rtol=5e-4, atol=1e-12, err_msg=name)
        # What is on no page is a step on the way to what is.
        used = " ".join(how[0] for how in results.part.FACTS.values() if isinstance(how, list))
        idle = [name for name in results.facts if name not in shown and not re.search(rf"\b{name}\b", used)]
        assert idle == []


def test_both_languages_show_the_same(built):
    """Numbers, pictures, code without its language, questions, pages: in the same order on both."""
    out, _ = built
    for name in NAMES:
        shown = []
        for lang in LANGUAGES:
            page = re.sub('data-page="[^"]*"', 'data-page=""', read(out, lang, name))
            tags = re.findall(r"<(section|figure|svg|iframe|table|li|h1|h2|pre|tr|td|th)\b", page)
            code = [unescape(text) for text in re.findall("<pre><code>(.*?)</code>", page, re.S)]
            numbers = sorted(map(tuple, Numbers(page).found))
            shown.append((tags, [text.replace('"ja"', '"en"') for text in code], numbers))
        assert shown[0] == shown[1], name


def test_what_is_printed_is_what_the_code_on_the_page_prints(built, modules, capsys):
    out, _ = built
    for n, part in zip(NUMBERS, modules["parts"].PARTS, strict=True):
        page, names = read(out, "en", f"{n}-learner.html"), {}
        for code, output in re.findall(r"<pre><code>(.*?)</code></pre>(?:<pre [^>]*>(.*?)</pre>)?", page, re.S):
            exec(unescape(code), names)
            assert capsys.readouterr().out.rstrip() == unescape(output), (part.__name__, code)


def test_the_same_class_is_built_again(built, modules, tmp_path):
    out, _ = built
    modules["build"].build("ja", tmp_path)
    for name in NAMES:
        assert (tmp_path / name).read_text(encoding="utf-8") == read(out, "ja", name), name


def test_a_number_that_is_not_the_one_found_by_hand_is_refused(modules, tmp_path, monkeypatch):
    part = modules["parts"].PARTS[3]
    monkeypatch.setitem(part.FACTS, "ga", ["a.grad.item()", 3.0])
    with pytest.raises(AssertionError, match=r"part 4, ga: by hand 3\.0, by the engine 4\.0"):
        modules["build"].build("en", tmp_path)


def test_the_teachers_page_leads_to_every_page(built):
    out, _ = built
    for lang in LANGUAGES:
        found = {path.name for path in (out / lang).iterdir()}
        for name in NAMES:
            links = set(re.findall(r'href="([^"#:]+\.html)"', read(out, lang, name)))
            assert links <= found, name
        index = read(out, lang, "index.html")
        assert set(re.findall(r'href="([^"]+)"', index)) - {"data:,"} == {*NAMES} - {"index.html"}
        times = [*map(int, re.findall(r"<td>\d+–(\d+) ", index))]
        assert times == sorted(times) and times[-1] == 90


def test_one_command_builds_one_language_or_both(modules, tmp_path, capsys):
    modules["build"].main(["--lang", "ja", "--out", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["ja"]
    assert capsys.readouterr().out == f"{tmp_path / 'ja' / 'index.html'}\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        modules["build"].main(["--out", str(tmp_path / "file" / "deeper")])
    assert stop.value.code == 2 and "error: cannot write into" in capsys.readouterr().err


# ---- In a browser ----------------------------------------------------------------------------------------------------

# What is cut, or wider than the window: in the window's own measure, without what has a scale of its own.
CUT = """[...document.querySelectorAll("body *")].filter((e) => {
  if (e.closest("svg, iframe, .scroll") || !e.getClientRects().length) return false;
  const box = e.getBoundingClientRect(), wide = e.scrollWidth > e.clientWidth + 1;
  const high = e.scrollHeight > e.clientHeight + 3 && getComputedStyle(e).overflowY !== "visible";
  return e.clientWidth && (wide || high) || box.right > innerWidth + 1 || box.left < -1;
}).map((e) => `${e.tagName} ${e.className}: ${e.textContent.slice(0, 40)}`)"""
# Texts of a picture that reach out of the window.
OUT = """[...document.querySelectorAll("svg text")].filter((e) => {
  const box = e.getBoundingClientRect();
  return e.getClientRects().length && (box.right > innerWidth + 1 || box.left < 0);
}).map((e) => e.textContent)"""
SLIDES = "document.querySelectorAll('section').length"
FIT = "[document.documentElement.scrollWidth <= innerWidth, document.documentElement.scrollHeight <= innerHeight]"
SMALL = """[...document.querySelectorAll("section:not([hidden]) :is(p, td, th, pre, h2)")].filter((e) =>
  !e.closest("iframe, .alone, svg") && parseFloat(getComputedStyle(e).fontSize) < %d).map((e) => e.textContent)"""
CONTRAST = """(() => {
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const clear = (e) => getComputedStyle(e).backgroundColor.endsWith(", 0)");
  const ground = (e) => e && clear(e) ? ground(e.parentElement) : getComputedStyle(e).backgroundColor;
  const said = (e) => e.getClientRects().length && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const all = [...document.querySelectorAll("body *:not(svg *, button:disabled)")].filter(said);
  return Math.min(...all.map((e) => {
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((p, q) => q - p);
    return (a + 0.05) / (b + 0.05);
  }));
})()"""


def asked(browser):
    return [url for url in browser.requests if not url.startswith(("data:", "about:"))]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_slide_is_one_screen_of_the_projector(built, browser, lang):
    out, _ = built
    for n in NUMBERS:
        path = out / lang / f"{n}-screen.html"
        browser.open(path, width=1280, height=720)
        for i in range(browser.run(SLIDES)):
            here = (lang, n, i + 1)
            assert browser.run("location.hash") == f"#{i + 1}", here
            assert browser.run(FIT) == [True, True], here
            assert browser.run(CUT) == [] and browser.run(OUT) == [], here
            assert browser.run(SMALL % 24) == [], here
            browser.press("ArrowRight")
        assert browser.run("document.querySelectorAll('iframe[data-page]').length") == 0, "every page was seen"
        assert browser.errors == [] and asked(browser) == [path.as_uri()], (lang, n)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_is_cut_on_a_laptop_or_a_phone(built, browser, lang):
    out, _ = built
    for name in NAMES:
        for width, height in ((1280, 720), (375, 700)):
            browser.open(out / lang / name, width=width, height=height)
            for _ in range(browser.run(SLIDES) or 1):
                assert browser.run(FIT)[0] and browser.run(CUT) == [] and browser.run(OUT) == [], (lang, name, width)
                browser.press("ArrowRight")
            assert browser.errors == [] and asked(browser) == [(out / lang / name).as_uri()], (lang, name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(built, browser, scheme):
    out, _ = built
    for name in NAMES:
        browser.open(out / "ja" / name, width=1280, height=720, prefers_color_scheme=scheme)
        for _ in range(browser.run(SLIDES) or 1):
            assert browser.run(CONTRAST) >= 4.5, name
            browser.press("ArrowRight")
        dark = browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
        assert dark == (scheme == "dark")


def test_keys_lead_through_the_slides(built, browser):
    out, _ = built
    browser.open(out / "en" / "2-screen.html", width=1280, height=720)
    last = browser.run(SLIDES)
    for key, at in [("ArrowRight", 2), (" ", 3), ("ArrowLeft", 2), ("End", last), ("ArrowRight", last), ("Home", 1)]:
        browser.press(key)
        assert browser.run("location.hash") == f"#{at}", key
        assert browser.run("[...document.querySelectorAll('section')].filter((s) => !s.hidden).length") == 1
    browser.run("document.getElementById('after').click()")
    assert browser.run("document.getElementById('at').textContent") == f"2 / {last}"


def test_without_scripts_everything_is_there(built, browser):
    out, _ = built
    browser.open(out / "ja" / "4-screen.html", width=1280, height=720, scripts=False)
    assert browser.call("Page.getLayoutMetrics")["cssContentSize"]["height"] > 3000


def bodies(browser):
    """The texts of all documents in the tab, frames too, that have controls."""
    look = {"expression": "document.querySelectorAll('button').length > 2 ? document.body.innerText : ''"}
    for context in [*browser.contexts]:
        with contextlib.suppress(AssertionError):  # A frame that has gone.
            yield browser.call("Runtime.evaluate", contextId=context, returnByValue=True, **look)["result"]["value"]


@pytest.mark.parametrize(("name", "inside"), [("4-learner", "v1"), ("6-learner", "no cleargrads")])
def test_players_and_films_run_inside_the_pages(built, browser, name, inside):
    out, _ = built
    browser.open(out / "en" / f"{name}.html", width=1280, height=720)
    end = time.monotonic() + 30
    while not any(inside in body for body in bodies(browser)):
        assert time.monotonic() < end, "no player and no film has started"
        time.sleep(0.05)
    assert browser.errors == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_worksheet_and_its_answers_are_a_sheet_of_a4_each(built, browser, lang):
    out, _ = built
    for n in NUMBERS:
        for kind in ("worksheet", "answers"):
            browser.open(out / lang / f"{n}-{kind}.html", width=1280, height=720, prefers_color_scheme="dark")
            pdf = base64.b64decode(
                browser.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"]
            )
            assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1, (lang, n, kind)
            width, height = map(float, re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf).groups())
            assert (round(width), round(height)) == (595, 842)
            solved = browser.run("document.querySelectorAll('.answer').length")
            lines = browser.run("document.querySelectorAll('.lines').length")
            asked = browser.run("document.querySelectorAll('li').length")
            assert (lines, solved) == ((asked, 0) if kind == "worksheet" else (0, asked))
