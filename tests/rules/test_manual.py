"""The manual: every rule explains itself, and the page in docs/ is what the rules say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelspec.api.catalogue import CATALOGUE
from modelspec.rules.manual import FAMILIES, explained, law, manual
from modelspec.rules.rule import Rule

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


@pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: one.code)
def test_a_rule_says_what_it_demands_why_and_how_to_mend_it(one: Rule) -> None:
    paragraphs = one.doc.split("\n\n")
    assert [text.split(":*")[0] for text in paragraphs[-2:]] == ["*Why", "*Fix"]
    assert law(one).endswith("."), "the first paragraph is a sentence"
    assert one.code[:3] in FAMILIES
    assert re.fullmatch(r"MS[0-7][0-9]{2}", one.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", one.name)


def test_codes_and_names_are_unique() -> None:
    codes = [one.code for one in CATALOGUE]
    names = [one.name for one in CATALOGUE]
    assert len(set(codes)) == len(codes)
    assert len(set(names)) == len(names)
    assert codes == sorted(codes)


def test_a_page_has_the_rule_and_its_terms() -> None:
    one = next(one for one in CATALOGUE if one.code == "MS101")
    text = explained(one)
    assert text.startswith("# MS101 pin-digest\n\nJudges a pin. An error; may be waived.\n")
    assert one.doc in text


def test_docs_are_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == manual(CATALOGUE), "write it again: make pages"
