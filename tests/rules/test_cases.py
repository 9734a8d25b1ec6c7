"""Every rule fires where its cases say, with those words, and is silent on legal look-alikes."""

from __future__ import annotations

from typing import Any

import pytest

from modelspec.api.catalogue import CATALOGUE
from modelspec.spec.reader import Entry
from rules.cases import agrees, cases, codes, findings, printed, printed_related

ALL = [(code, case) for code in codes() for case in cases(code)]


@pytest.mark.parametrize(("code", "case"), ALL, ids=[f"{code} {case['name']}" for code, case in ALL])
def test_case(code: str, case: dict[str, Any]) -> None:
    registry, found = findings(case)
    own = [printed(registry, one) for one in found if one.code == code]
    wanted = case["finds"]
    assert len(own) == len(wanted) and all(map(agrees, wanted, own)), "\n".join(["found:", *own])
    related = [line for one in found if one.code == code for line in printed_related(registry, one)]
    assert related == case.get("related", related)
    others = {one.code for one in found} - {code}
    assert others == set(case.get("also", [])), [printed(registry, one) for one in found]


@pytest.mark.parametrize(("code", "case"), ALL, ids=[f"{code} {case['name']}" for code, case in ALL])
def test_places_are_there(code: str, case: dict[str, Any]) -> None:
    registry, found = findings(case)
    for one in found:
        for place in (one.place, *(related.place for related in one.related)):
            assert registry.snapshot.get(place.path) is not None or one.name == "settings-present"
            entry = registry.at(place.path)
            if isinstance(entry, Entry) and place.route:
                # What is missing is reported at the key that it would have.
                node = entry.document.value(place.route)
                assert node is not None or place.key, (one, place)


def test_a_version_that_says_nothing_lacks_each_component_and_no_rule_stumbles() -> None:
    path = "registry/models/eta/versions/1.3.0.yaml"
    bare = "apiVersion: modelspec/v1\nkind: ModelVersion\nmodel: eta\nversion: 1.3.0\n"
    _, found = findings({"edits": [{"file": path, "content": bare}]})
    assert [one.name for one in found] == [
        "artifact-complete",
        "code-complete",
        "config-complete",
        "dataset-complete",
        "features-complete",
        "runtime-complete",
        "signature-complete",
    ]


def test_the_ground_is_clean() -> None:
    registry, found = findings({"edits": []})
    assert [printed(registry, one) for one in found] == []


@pytest.mark.parametrize("code", [one.code for one in CATALOGUE])
def test_every_rule_has_a_firing_and_a_silent_case(code: str) -> None:
    assert code in codes(), f"tests/rules/{code}.yaml is missing"
    assert any(case["finds"] for case in cases(code)), "no case fires"
    assert any(not case["finds"] for case in cases(code)), "no case is silent"


@pytest.mark.parametrize("code", codes())
def test_every_case_is_of_a_rule_and_has_a_name_of_its_own(code: str) -> None:
    assert code in {one.code for one in CATALOGUE}
    names = [case["name"] for case in cases(code)]
    assert len(set(names)) == len(names)
    known = {"name", "history", "rewrites", "edits", "now", "finds", "related", "also"}
    assert all(set(case) <= known and case["edits"] for case in cases(code))
