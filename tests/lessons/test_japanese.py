"""The Japanese of examples, lessons and READMEs: one term for one thing, and numerals in digits."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [ROOT / room for room in ("examples", "tests", "tinygrad_jp")]
TEXTS = {
    ROOT / "README.ja.md",
    *(path for room in ROOMS for pattern in ("*.ja.md", "*.ja.py", "phrases.py") for path in room.rglob(pattern)),
    *(ROOT / "examples").glob("*.py"),
    *(ROOT / "examples/class").rglob("*.py"),
}
COUNTED = "つ|個|回|次|階|本|倍|行|種|乗|枚|点|列|層|人|画素|桁"


@pytest.mark.parametrize("path", sorted(TEXTS), ids=lambda path: str(path.relative_to(ROOT)))
def test_numerals_are_digits_and_terms_are_the_fields(path):
    text = path.read_text(encoding="utf-8")
    found = re.findall(f"(?<![数何])[一二三四五六七八九十](?:{COUNTED})", text.replace("一つひとつ", ""))
    assert found == []
    terms = r"次の微分|(?<!\*)随伴|についての勾配|に関する勾配|惜しい|行についての和|訓練する(?:とき|と|に)"
    assert re.findall(terms, text) == []  # Only the course explains what *随伴* means.
