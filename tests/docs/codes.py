"""The list of rules in CHANGELOG.md: those of the release that is being made, by family."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from modelspec.api.catalogue import CATALOGUE
from modelspec.rules.manual import FAMILIES

_LIST: Final = re.compile(r"(<!-- rules -->\n).*?(<!-- end -->\n)", re.DOTALL)


def listed(text: str) -> str:
    """Return the changelog with the rules that are in no earlier release between its marks."""
    inside = _LIST.search(text)
    assert inside is not None, "CHANGELOG.md has no place for rules: <!-- rules --> and <!-- end -->"
    released = set(re.findall(r"\bMS\d{3}\b", text[inside.end() :].partition("\n## ")[2]))
    lines = []
    for family, rules in groupby(CATALOGUE, key=lambda one: one.family):
        new = [f"{one.code} {one.name}" for one in rules if one.code not in released]
        if new:
            lines.append(f"- {family}, {FAMILIES[family]}: {', '.join(new)}.\n")
    return _LIST.sub(lambda match: f"{match[1]}{''.join(lines)}{match[2]}", text)
