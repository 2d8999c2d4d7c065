"""The README's code runs as it stands, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from tinygrad_jp import PULLBACKS

ROOT = Path(__file__).parent.parent
# A block of Python, and the block of text after it, if there is one: what it prints.
BLOCKS = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.S)
READMES = sorted(ROOT.glob("README*.md"))


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_code_prints_what_the_readme_says(readme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for func, pulls in PULLBACKS.items():
        monkeypatch.setitem(PULLBACKS, func, pulls)  # what the README enters is taken back
    blocks = BLOCKS.findall(readme.read_text(encoding="utf-8"))
    assert len(blocks) > 2
    names = {"__name__": "readme"}
    for code, expected in blocks:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, readme.name, "exec"), names)
        assert printed.getvalue() == expected


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_links_lead_somewhere(readme):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", readme.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
