"""The pages of mistakes show what is said today, and what they recommend works."""

import re

import pytest

from tests.lessons.mistakes import EXAMPLES, MISTAKES, PAGES, page, said


@pytest.mark.parametrize("lang", PAGES)
def test_the_pages_are_up_to_date(lang):
    written = (EXAMPLES / PAGES[lang][0]).read_text(encoding="utf-8")
    assert written == page(lang), "run python -m tests.lessons.mistakes"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title[0])
def test_what_is_written_instead_works(mistake):
    setting = mistake.wrong if mistake.wrong.startswith(("w =", "a, b", "y =", "v =", "p =")) else ""
    first = setting.splitlines()[0] + "\n" if setting else ""
    assert said(first + mistake.right) == ""


def test_a_message_for_each_and_the_same_in_both_languages():
    assert len(MISTAKES) == 15
    messages = [said(mistake.wrong) for mistake in MISTAKES]
    assert messages[0].splitlines() == ["variable(3.0)", "variable(6.0)", "variable(9.0)"]
    assert all(re.match(r"\w+(Error|Warning): ", message) for message in messages[1:])
    english, japanese = (re.findall(r"```.*?```", page(lang), re.S) for lang in PAGES)
    assert english == japanese
