"""The README's code runs as it stands, prints what it says, and the Japanese README keeps in step with the English."""

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A block of Python, and the block of text after it, if there is one: what it prints.
BLOCKS = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.S)
READMES = sorted(ROOT.glob("README*.md"))
INDEXES = sorted(ROOT.glob("examples/README*.md"))
# Every other page that there is in two languages.
FOLDERS = ("tests", "tests/benchmarks", "tinygrad_jp", "examples", "examples/course")
PAGES = [path for folder in (".", *FOLDERS) for path in sorted((ROOT / folder).glob("*.ja.md"))]
# A block of code, or else what stands between blank lines: a heading, a paragraph, a list, a table.
PARTS = re.compile(r"^```.*?^```$|^[^\n]+(?:\n[^\n]+)*", re.S | re.M)
# What is the same in both languages: code, links, pictures but for their alt, numbers such as 3.11, 60,000 and 2-10-1.
FACTS = re.compile(r"`[^`]+`|\]\([^)]*\)|<img.*(?=alt=)|\d+(?:[.,×-]\d+)+")


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_code_prints_what_the_readme_says(readme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = readme.read_text(encoding="utf-8")
    blocks = BLOCKS.findall(text)
    assert len(blocks) > 2
    assert sum(bool(expected) for _, expected in blocks) == text.count("```text")  # none is left unchecked
    names = {"__name__": "readme"}
    for code, expected in blocks:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, readme.name, "exec"), names)
        assert printed.getvalue() == expected


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_code_can_be_pasted_line_by_line(readme, tmp_path):
    """Into a plain Python, where a blank line ends a block, and nothing but a blank line does."""
    blocks = [code for code, _ in BLOCKS.findall(readme.read_text(encoding="utf-8"))]
    command = [sys.executable, "-i", "-q", "-c", ""]
    typed = "".join(f"{code}\n" for code in blocks)
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSTARTUP": "", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, cwd=tmp_path, env=env, encoding="utf-8", check=True
    )
    assert "Error" not in done.stderr, done.stderr
    printed = "".join(expected for _, expected in BLOCKS.findall(readme.read_text(encoding="utf-8")))
    assert [line for line in printed.splitlines() if line not in done.stdout] == []


def test_type_checkers_see_the_readmes_code():
    """In tests/typing/consumer.py, to which mypy and pyright are put by .ci/run."""
    consumer = without_blank_lines((ROOT / "tests/typing/consumer.py").read_text(encoding="utf-8"))
    for code, _ in BLOCKS.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        assert without_blank_lines(textwrap.indent(code, "    ")) in consumer


def without_blank_lines(text):
    return re.sub(r"\n\s*\n", "\n", text)


@pytest.mark.parametrize(
    "readme",
    [*sorted(ROOT.glob("*.md")), *(path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md")))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_links_lead_somewhere(readme):
    for target in re.findall(r"""(?:\]\(|src=")(?!https?:|#)([^)#"]+)""", readme.read_text(encoding="utf-8")):
        assert (readme.parent / target).exists(), target


def test_the_citation_is_of_the_last_release():
    version, date = re.search(
        r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    ).groups()
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\ndate-released: {date}\n" in citation


@pytest.mark.parametrize("index", INDEXES, ids=lambda path: path.name)
def test_the_index_has_every_example(index):
    row = re.compile(r"^\| (?:!\[.+\]\(images/(\w+)\.png\) )?\| \[`(\w+)\.py`\]\(\2\.py\): .+ \|$", re.M)
    rows = row.findall(index.read_text(encoding="utf-8"))
    examples = [path for path in index.parent.glob("*.py") if "def main(" in path.read_text(encoding="utf-8")]
    assert sorted(name for _, name in rows) == sorted(path.stem for path in examples)
    assert all(picture in ("", name) for picture, name in rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_two_languages_keep_in_step(page):
    english = page.with_name(page.name.replace(".ja.md", ".md")).read_text(encoding="utf-8")
    assert outline(other_language(page.read_text(encoding="utf-8"))) == outline(english)


# The pages that there are in both languages, as links name them.
NAMES = "|".join({path.name.removesuffix(".ja.md") for path in PAGES})


def other_language(text):
    """`text`, which may link to pages and steps in its language and set lang=, as the other language does it."""
    text = re.sub(r"\b(en|ja)(?=/step\d\d)|(?<=step\d\d\.)(en|ja)", lambda m: "ja" if m[0] == "en" else "en", text)
    text = re.sub(rf"({NAMES})(\.ja)?\.md", lambda m: f"{m[1]}.md" if m[2] else f"{m[1]}.ja.md", text)
    return re.sub(r'lang="(en|ja)"', lambda m: f'lang="{"ja" if m[1] == "en" else "en"}"', text)


def outline(text):
    """What no translation changes, part by part."""
    return [of_part(part) for part in PARTS.findall(text)]


def of_part(part):
    if part.startswith("```python"):
        return without_comments(part.removeprefix("```python\n").removesuffix("```"))
    if part.startswith("```"):
        return "```text" if part.startswith("```text") else part  # the test above compares the text
    if part.startswith("|"):
        return [[of_cell(cell) for cell in row.split("|")] for row in part.splitlines()]
    return re.findall("^#+ |^- ", part, re.M), facts(part)


def of_cell(cell):
    """A cell without a letter, such as 0.045 (2.61), is the same to the last sign."""
    return facts(cell) if re.search("[^\\W\\d_]", cell) else cell.strip()


def facts(text):
    return sorted(set(FACTS.findall(text)))


def without_comments(code):
    lines = code.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return lines
