"""Phrases: the same in both languages, with the same gaps, and in words that stay."""

import re
from string import Formatter

import numpy as np
import pytest

import tests.seeing.test_player as player_tests
import tinygrad_jp.graph.phrases as graph
import tinygrad_jp.player.phrases as player
import tinygrad_jp.tracing.phrases as tracing
from tests.cases import CASES
from tinygrad_jp import Variable, layers, trace
from tinygrad_jp.formatting import LANGUAGES, language, phrase
from tinygrad_jp.player import page as japanese_page

TABLES = {
    "graph": graph.PHRASES,
    "player": player.PHRASES,
    "tracing": tracing.PHRASES,
    "rules": tracing.RULES,
    "rules by name": tracing.NAMED,
}
JAPANESE = {
    f"{room} {getattr(key, '__name__', key)}": texts[1]
    for room, table in TABLES.items()
    for key, texts in table.items()
}
JAPANESE |= {f"rules in Japanese {key}": text for key, text in tracing.JAPANESE.items()}


def normalizing():
    return trace(np.sum(layers.BatchNorm()(np.ones((2, 30, 4, 4), np.float32)) ** 2))


def gaps(text):
    """The gaps of a phrase, as the indices of the parts that fill them."""
    fields = [(name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None]
    return {(name or str(i), spec) for i, (name, spec) in enumerate(fields)}


@pytest.mark.parametrize("room", TABLES)
def test_both_languages_say_the_same_with_the_same_parts(room):
    for key, texts in TABLES[room].items():
        assert len(texts) == len(LANGUAGES) and all(texts), key
        assert gaps(texts[0]) == gaps(texts[1]), key
        assert not re.search("[ぁ-んァ-ヶ一-龠]", texts[0]), key


@pytest.mark.parametrize("key", JAPANESE)
def test_japanese_counts_in_digits_and_uses_the_fields_terms(key):
    assert not re.search("[一二三四五六七八九十](つ|個|回|次|階|本|歩)", JAPANESE[key])
    assert not re.search("次の微分|随伴|についての勾配|に関する勾配|直列|惜しい", JAPANESE[key])


@pytest.mark.parametrize("make", [player_tests.large_arrays, player_tests.mlp, player_tests.several, normalizing])
def test_no_english_summary_stands_in_japanese(make):
    steps = make()
    japanese = trace(steps.y, lang="ja")
    text = re.search("<noscript>.*</noscript>", japanese_page(japanese), re.S)[0] + japanese.explain()
    assert not re.search(r" of \S+ ± |released|gradient|through ", text)
    assert "± " not in text or "平均" in text


# Letters that a rule is written with, and no screen: `a` is an article, too.
FIXED = r"(?<!\w)(gy|gx|[xyzb]|d[xyab])(?!\w)|(?<!\w)a(?= ?[·=×/ᵀ⁻\[(])"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_in_words_has_the_names_on_the_screen(case):
    xs = [Variable(x, f"x{i}") for i, x in enumerate(case.inputs(np.random.default_rng(1)))]
    steps = trace(np.sum(case.f(*xs)))
    sentences = {steps.sentence(e, lang) for e in steps for lang in LANGUAGES if e.kind == "accumulate"}
    assert {s for s in sentences if re.search(FIXED, re.sub(r"\{\d\}", "□", s))} == set()


def test_letters_that_are_fixed_are_found():
    for wrong in ("From x·y = 1", "gy × a", "dy = −y", "−yᵀ·gy·yᵀ", "for all x", "z over |z|"):
        assert re.search(FIXED, wrong)
    for right in ("A sum with a sign", "an element", "1/(2√□)", "p = uᵀ·d□·v"):
        assert not re.search(FIXED, right)


def test_parts_stand_in_their_gaps():
    assert phrase({"x": ("{} of {}", "{1} の {0}")}, "ja", "x", 1, 2) == "2 の 1"
    with pytest.raises(ValueError, match='expected lang="en", lang="ja" or None'):
        language("fr")
