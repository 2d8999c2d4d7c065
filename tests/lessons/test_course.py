"""The course: every step runs, both languages keep in step, and what is built of the steps is up to date."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.lessons.test_japanese import COUNTED
from tinygrad_jp import Variable, course

plt = pytest.importorskip("matplotlib.pyplot")
Check = course.Check
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "ja")
spec = importlib.util.spec_from_file_location("build", ROOT / "examples/course/build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

by_step = pytest.mark.parametrize("step", build.STEPS)
by_language = pytest.mark.parametrize("lang", LANGUAGES)
# What is the same in both languages: code, numbers, formulas, and questions by their numbers. A count without a space,
# 2つ, is a word: two.
FACTS = {
    "en": re.compile(r"`[^`]+`|\d+(?:[.,×-]\d+)*"),
    "ja": re.compile(rf"`[^`]+`|\d+(?:[.,×-]\d+)*(?![\d,]*(?:{COUNTED}))"),
}


# What a reader works out with pencil and paper.
ANSWERS = {
    1: (6, 2000),
    2: ("Square", 0.25),
    3: (5.437, lambda gy, x: gy * 3 * x**2),
    4: (32, 8),
    5: (3, 0.5**10),
    6: ([5, 5, 3], lambda gy, a, b: (gy, -gy)),
    7: (7, 8),
    8: (4.4, 12),
    9: (3, 6),
    10: (1, 2),
    11: (1 / 8, "__rsub__"),
    12: (0.25, np.exp(2) / 4),
    13: (lambda gy, y, x: gy * (1 + y**2), lambda gy, y, x: gy / (2 * y)),
    14: (1 / 8, [[8, 12], [8, 12]]),
    15: ((4, 1), 5),
    16: (4_000_000, "float64"),
    17: ((32, 10), (10, 64)),
    18: (-0.841, 3),
    19: (3760, 0),
    20: (-0.19, -1),
    21: (2.303, -0.9),
    22: (5, 7),
    23: (1, 1),
    24: (4, "multiply"),
}


@pytest.fixture(autouse=True)
def _without_a_window(monkeypatch):
    monkeypatch.syspath_prepend(build.HERE)  # As for a script that lies there.
    plt.switch_backend("agg")
    yield
    plt.close("all")


@by_language
def test_there_are_twenty_four_steps(lang):
    assert list(range(1, 25)) == build.STEPS
    titles = [next(build.cells(step, lang))[1].partition("\n")[0] for step in build.STEPS]
    numbered = {"en": r"# Step (\d+)\. .+", "ja": r"# ステップ (\d+)：.+"}[lang]
    assert [int(re.fullmatch(numbered, title)[1]) for title in titles] == build.STEPS


@by_language
def test_the_index_has_every_step(lang):
    index = (build.HERE / {"en": "README.md", "ja": "README.ja.md"}[lang]).read_text(encoding="utf-8")
    row = re.compile(r"^\| \[(\d+)\]\((.+)\) \| \[(.+)\]\((.+)\) \| .+ \|$", re.M)
    for (number, file, title, path), step in zip(row.findall(index), build.STEPS, strict=True):
        assert (int(number), build.HERE / file) == (step, build.source(step, lang))
        assert path == f"{lang}/step{step:02}.ipynb" and (build.HERE / path).exists()
        assert next(build.cells(step, lang))[1].partition("\n")[0].endswith(title)


@by_step
@by_language
def test_a_step_is_short(step, lang):
    assert len(build.source(step, lang).read_text(encoding="utf-8").splitlines()) <= 120


def differences(english, japanese):
    """Where the cells of two texts of one step differ in more than their language."""
    if [kind for kind, _ in english] != [kind for kind, _ in japanese]:
        return ["kinds of cells"]
    return [a for (kind, a), (_, b) in zip(english, japanese, strict=True) if not alike(kind, a, b)]


def alike(kind, english, japanese):
    if kind != "markdown":
        return english.replace('lang="en"', 'lang="ja"') == japanese
    headings = [[line.split()[0] for line in text.splitlines() if line[:1] == "#"] for text in (english, japanese)]
    facts = [sorted(FACTS[lang].findall(text)) for lang, text in zip(LANGUAGES, (english, japanese), strict=True)]
    kana = [bool(re.search("[ぁ-ん]", text)) for text in (english, japanese)]
    return headings[0] == headings[1] and facts[0] == facts[1] and kana == [False, True]


@by_step
def test_both_languages_have_the_same_cells_code_and_numbers(step):
    assert differences(*(list(build.cells(step, lang)) for lang in LANGUAGES)) == []


@by_step
def test_a_difference_between_the_languages_is_noticed(step):
    """In each cell in turn: a changed number or heading, another line of code, a cell left out, untranslated text."""
    english, japanese = (list(build.cells(step, lang)) for lang in LANGUAGES)
    for i, (kind, text) in enumerate(japanese):
        changed = [text + " 7"] if kind != "markdown" else [text + " 7", text + "\n## ", english[i][1]]
        for other in changed:
            assert differences(english, [*japanese[:i], (kind, other), *japanese[i + 1 :]]) == [english[i][1]]
        assert differences(english, [*japanese[:i], *japanese[i + 1 :]])


@by_step
@by_language
def test_a_step_runs_as_a_script(step, lang, capsys, monkeypatch):
    """And asks its questions. Right answers are right, and wrong ones wrong."""
    asked = []

    class Recorded(Check):
        def __call__(self, question, yours, right, at=()):
            assert yours is ... and self.lang == lang
            asked.append((question, right, at))
            super().__call__(question, yours, right, at)

    monkeypatch.setattr(course, "Check", Recorded)
    path = build.source(step, lang)
    exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), {"__name__": "__main__"})
    capsys.readouterr()
    assert [question for question, *_ in asked] == [1, 2]
    check = Check(lang=lang)
    right_says, wrong_says = {"en": ("right", "not yet"), "ja": ("正解です", "まだ違います")}[lang]
    for question, right, at in asked:
        for answer in (right, ANSWERS[step][question - 1]):
            check(question, answer, right, at)
            assert right_says in capsys.readouterr().out
        for wrong in wrong_answers(right):
            check(question, wrong, right, at)
            assert wrong_says in capsys.readouterr().out, wrong


def wrong_answers(right):
    """Answers that are nearly right, and others."""
    if isinstance(right, str):
        return [right + "s", right.upper() if right.islower() else right.lower(), 1.0]
    if callable(right):
        twice = lambda *args: (  # noqa: E731
            tuple(2 * g + 1 for g in right(*args)) if isinstance(right(*args), tuple) else 2 * right(*args) + 1
        )
        return [twice, lambda *args: 1 / 0, 3.0]
    value = np.asarray(getattr(right, "data", right) if hasattr(right, "creator") else right, float)
    return [value + 0.01 * (1 + np.abs(value)), np.stack([value, value]), "a text"]


def test_the_engine_after_each_step_is_up_to_date():
    built = dict(build.engines())
    for path, text in built.items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is stale; run python examples/course/build.py"
    assert set((build.HERE / "engine").glob("*.py")) == {path for path in built if path.parent.name == "engine"}


@by_step
@by_language
def test_a_notebook_is_up_to_date(step, lang):
    """Its cells are those of the step, and running them gives its outputs."""
    path = build.HERE / lang / f"step{step:02}.ipynb"
    stale = f"{path} is stale; run python examples/course/build.py {step}"
    stored, built = json.loads(path.read_text(encoding="utf-8")), json.loads(build.notebook(step, lang))
    assert {key: stored[key] for key in stored if key != "cells"} == {
        key: built[key] for key in built if key != "cells"
    }
    assert len(stored["cells"]) == len(built["cells"]), stale
    for old, new in zip(stored["cells"], built["cells"], strict=True):
        assert {**old, "outputs": None} == {**new, "outputs": None} if "outputs" in old else old == new, stale
        assert [kinds(output) for output in old.get("outputs", [])] == [kinds(o) for o in new.get("outputs", [])], stale
        assert same_text(text_of(old), text_of(new)), stale


def kinds(output):
    return output["output_type"], sorted(output.get("data", []))


def text_of(cell):
    """What a cell prints. Of an error only its name, since messages change with versions."""
    outputs = cell.get("outputs", [])
    text = "".join("".join(o.get("text", o.get("data", {}).get("text/plain", []))) for o in outputs)
    return re.sub(r"^(\w+Error): [^\n]*(\n [^\n]*)*", r"\1", text, flags=re.M)


def same_text(a, b):
    """Whether two texts agree, and their decimals to three digits."""
    decimals = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?")
    numbers = [np.array(decimals.findall(text), float) for text in (a, b)]
    return decimals.sub("#", a).split() == decimals.sub("#", b).split() and np.allclose(*numbers, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "path", sorted(build.HERE.glob("*/*.ipynb")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_notebook_is_valid(path):
    """As nbformat 4.5 wants it; in it nothing failed, and the first cell of code installs the package."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch("[a-zA-Z0-9-_]{1,64}", name) for name in ids)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert "pip" in "".join(code[0]["source"])
    links = re.findall(r"\]\((.+?)\)", "".join(notebook["cells"][-1]["source"]))
    assert links and all((path.parent / link).exists() for link in links)
    for cell in code:
        assert {output["output_type"] for output in cell["outputs"]} <= {"stream", "execute_result", "display_data"}


def test_the_first_cell_installs_the_package_where_it_is_missing(monkeypatch, tmp_path):
    """From the clone that the notebook lies in, or that lies beside it; else it says what to do."""
    commands = []
    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append(command[1:]))
    exec(build.INSTALL, {})
    assert commands == []
    monkeypatch.setitem(sys.modules, "tinygrad_jp.course", None)  # As if it were not installed.
    (tmp_path / "beside").symlink_to(ROOT)
    for folder, clone in ((build.HERE / "en", ROOT), (build.HERE, ROOT), (tmp_path, tmp_path / "beside")):
        monkeypatch.chdir(folder)
        exec(build.INSTALL, {})
        assert commands.pop() == ["-m", "pip", "install", "--quiet", f"{clone}[examples]"]
    (tmp_path / "beside").unlink()
    with pytest.raises(AssertionError, match="git clone the repository of tinygrad_jp first"):
        exec(build.INSTALL, {})


def test_a_stale_step_is_noticed(monkeypatch):
    """The engine of a step is built from its cells, and from nothing else."""
    cells = build.cells

    def changed(step, lang="en"):
        for kind, text in cells(step, lang):
            yield kind, text.replace("gy * (1 - y * y)", "gy * (1 - y**2)") if kind == "engine" else text

    before = dict(build.engines())
    monkeypatch.setattr(build, "cells", changed)
    after = dict(build.engines())
    different = [path.stem for path in before if before[path] != after[path]]
    assert different == [f"step{step:02}" for step in range(13, 22)] + ["minitensor"]


@pytest.mark.parametrize("number", [None, 12, 13, 21], ids=str)
def test_a_picture_has_a_node_for_each_variable_and_function(number):
    """In the library's engine, and in those of the course; what is used twice has one node and two arrows."""
    names = {"Variable": Variable}
    if number:
        exec(build.engine(number), names)
    x = names["Variable"](3.0)
    drawn = course.picture(x * x + x)
    assert (len(drawn.nodes), drawn.dot.count("->")) == (5, 6)
    assert any(node is x for node in drawn.nodes.values()) and drawn.svg().count("<ellipse") == 2
