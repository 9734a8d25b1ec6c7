"""The manual of the rules, made from their docstrings: docs/rules.md, and what `explain` prints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from modelspec.rules.rule import Rule
from modelspec.spec.kinds import Kind
from modelspec.tree.text import did_you_mean

FAMILIES: Final = {
    "MS0": "reading",
    "MS1": "hashes",
    "MS2": "completeness",
    "MS3": "compatibility",
    "MS4": "immutability and history",
    "MS5": "environments, pins and waivers",
    "MS6": "rendering",
    "MS7": "safety of artifacts and templates",
}
_CODE: Final = re.compile(r"MS[0-9]*", re.IGNORECASE | re.ASCII)
_INTRO: Final = """\
# Rules

What `modelspec check` judges, and `modelspec compile` before it writes. A code or a name works wherever
a rule is named: `modelspec explain MS101`, `severities` in `registry/modelspec.yaml`, `rule` in a waiver.
This page is generated from the rules themselves.
"""


def manual(rules: Iterable[Rule]) -> str:
    """Return all rules as one Markdown page, by family and code."""
    ordered = sorted(rules, key=lambda one: one.code)
    sections = [_INTRO]
    for family, members in groupby(ordered, key=lambda one: one.family):
        found = list(members)
        rows = "\n".join(f"| [{one.code}](#{anchor(one)}) | {one.name} | {law(one)} |" for one in found)
        sections.append(
            f"## {family}: {FAMILIES[family]}\n\n| code | name | demands |\n|---|---|---|\n{rows}\n"
        )
        sections += [explained(one, level=3) for one in found]
    return "\n".join(sections)


def explained(one: Rule, *, level: int = 1) -> str:
    """Return one rule as Markdown: heading, what it judges and how strictly, its docstring."""
    return f"{'#' * level} {one.code} {one.name}\n\n{_terms(one)}\n\n{one.doc}\n"


def law(one: Rule) -> str:
    """Return what a rule demands, on one line: the first paragraph of its docstring."""
    return " ".join(one.doc.split("\n\n")[0].split())


def anchor(one: Rule) -> str:
    """Return the anchor that forges give to a rule's heading."""
    return f"{one.code} {one.name}".lower().replace(" ", "-")


def meant(word: str, rules: Iterable[Rule]) -> str | None:
    """Say which rule a word may have meant: a name by its letters, a code by what its family holds.

    Codes are all alike, so that one that is near in letters says nothing.
    """
    known = list(rules)
    if _CODE.fullmatch(word) is None:
        return did_you_mean(word, [one.name for one in known])
    family = word[:3].upper()
    codes = sorted(one.code for one in known if one.family == family)
    if not codes:
        return f"known: {', '.join(f'{code} {what}' for code, what in FAMILIES.items())}"
    return f"known: {', '.join(codes)}"


def _terms(one: Rule) -> str:
    able = [
        "may be lowered to a warning" if one.lowerable and one.severity == "error" else "",
        "may be waived" if one.waivable else "",
    ]
    able = [word for word in able if word]
    severity = {"error": "An error", "warn": "A warning"}[one.severity]
    terms = "; ".join([severity, *able]) if able else f"{severity}, always"
    when = " Judged by `check` alone." if one.whole or one.last or one.subject == "registry" else ""
    return f"Judges {_subject(one)}. {terms}.{when}"


def _subject(one: Rule) -> str:
    subject = one.subject
    if subject == "registry":
        return "the registry as a whole"
    if subject == "file":
        return "a file that can't be read"
    kinds = (subject,) if isinstance(subject, Kind) else subject
    words = [kind.doc for kind in kinds if isinstance(kind, Kind)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
