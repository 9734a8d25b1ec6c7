"""A change judged by what it reaches: the findings are those of the whole registry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from modelspec.api.catalogue import CATALOGUE
from modelspec.api.scoped import judged_change
from modelspec.change.impact import reach
from modelspec.compile.render import HoleRenderer
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.instant import instant
from modelspec.tree.finding import Finding
from modelspec.tree.snapshot import DictSnapshot, read
from rules.cases import NOW, cases, codes, opened


@pytest.fixture
def searching(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[str]]]:
    """Let trees be searched, however few pins there are, as those of a large registry in git are."""
    asked: list[tuple[str, Sequence[str]]] = []

    def search(self: DictSnapshot, folder: str, words: Sequence[str]) -> frozenset[str]:
        asked.append((folder, words))
        held = {path: blob.read() for path, blob in self.walk(folder)}
        wanted = [word.encode() for word in words]
        return frozenset(
            path
            for path, data in held.items()
            if isinstance(data, bytes) and any(one in data for one in wanted)
        )

    def look(self: DictSnapshot, paths: Sequence[str]) -> list[bytes | None]:
        return [read(self.get(path)) for path in paths]

    for name, method in (("search", search), ("look", look), ("ahead", None), ("search_ahead", None)):
        monkeypatch.setattr(DictSnapshot, name, method or (lambda *_: None), raising=False)
    monkeypatch.setattr("modelspec.compat.search.FEW", -1)
    monkeypatch.setattr("modelspec.compat.pinned.FEW", -1)
    return asked


ELSEWHERE = {"MS522", "MS592"}
"""Warnings on what a pin leaves unused elsewhere; the next check of the whole registry has them."""


def both(case: dict[str, Any]) -> tuple[bool, list[Finding], list[Finding]]:
    """Whether the change is judged whole anyhow, and what is new, judged whole and by what it reaches."""
    head, against = opened({"history": [], **case})
    assert against is not None
    now: datetime | None = instant(case.get("now", NOW))

    def scene() -> Scene:
        return Scene(head, HoleRenderer(), CATALOGUE, now, against)

    reached = reach(against, head)
    whole = [one for one in run(CATALOGUE, scene()) if not one.existing and one.code not in ELSEWHERE]
    scoped = [one for one in judged_change(scene(), reached) if not one.existing]
    return reached.whole, whole, [one for one in scoped if one.code not in ELSEWHERE]


@pytest.mark.parametrize("code", [code for code in codes() if not code.startswith("MS0")])
def test_what_is_found_is_what_the_whole_registry_gives(code: str) -> None:
    for case in cases(code):
        _, whole, scoped = both(case)
        assert scoped == whole, case["name"]


def test_what_is_found_is_the_same_where_trees_are_searched(
    searching: list[tuple[str, Sequence[str]]],
) -> None:
    for code in ("MS301", "MS311", "MS312", "MS501", "MS510", "MS514"):
        for case in cases(code):
            _, whole, scoped = both(case)
            assert scoped == whole, case["name"]
    assert {folder for folder, _ in searching} == {"registry/models"}
    assert {words for _, words in searching} > {("\\", "needs")}, "and for the views that move"


PIN = "registry/environments/production/models/{}.yaml"


def test_who_needs_a_version_that_moves_is_reached() -> None:
    """The index needs the embedder of its own: that it was left alone is found at a pin nobody touched."""
    [needs] = [
        case
        for case in cases("MS514")
        if case["finds"] and len(case["edits"]) >= 1 and not both(case)[0] and both(case)[1]
    ][:1]
    _, whole, scoped = both(needs)
    assert [one.code for one in scoped] == [one.code for one in whole] != []


def test_a_version_that_is_retired_reaches_the_pins_of_its_model_and_no_more() -> None:
    """And a line that is taken back, or any other edit of a model, is judged with everything."""
    withdrawn = [case for case in cases("MS510") if case["finds"] and not both(case)[0]]
    assert withdrawn, "the rule on withdrawn versions in pins has a case that only retires one"
    _, whole, scoped = both(withdrawn[0])
    assert scoped == whole
    assert "MS510" in [one.code for one in scoped]
    taken_back = [case for case in cases("MS405") if case["finds"]]
    assert taken_back and all(both(case)[0] for case in taken_back)
