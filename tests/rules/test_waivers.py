"""Waivers lift exactly one finding, while they are in force, and never what can't be vouched for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from modelspec.api.catalogue import CATALOGUE
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.rules.waivers import current, lift
from modelspec.spec.environment import Pin, Waiver
from modelspec.spec.instant import instant
from modelspec.spec.kinds import PIN, WAIVER
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.place import Mark, Place
from rules.cases import _RENDERER, edited

PATH = "registry/environments/staging/models/eta.yaml"
WAIVED = "registry/waivers/eta.yaml"


def at(text: str) -> datetime:
    found = instant(text)
    assert found is not None
    return found


def waiver(**changes: Any) -> str:
    keys = {
        "rule": "MS513",
        "finding": f"{{path: {PATH}, route: /stable/version, value: 1.2.0}}",
        "by": '"@ada"',
        "reason": "It is being rebuilt",
        "link": "https://tracker.example.com/1",
        "from": '"2026-11-01T00:00:00Z"',
        "until": '"2026-12-01T00:00:00Z"',
    } | changes
    lines = "".join(f"{key}: {value}\n" for key, value in keys.items())
    return f"apiVersion: modelspec/v1\nkind: Waiver\n{lines}"


def entry(**changes: Any) -> Entry[Waiver]:
    registry = Registry(edited([{"file": WAIVED, "content": waiver(**changes)}]).snapshot())
    found = registry.value(WAIVER, "eta")
    assert found is not None
    return found


def finding(**changes: Any) -> Finding:
    keys: dict[str, Any] = {
        "code": "MS513",
        "name": "view-served",
        "severity": "error",
        "place": Place(PATH, ("stable", "version")),
        "message": "…",
        "value": "1.2.0",
    }
    return Finding(**(keys | changes))


def lifted(one: Finding, now: datetime | None = None, **changes: Any) -> str | None:
    return lift([one], [entry(**changes)], now)[0].waived


def test_a_match_is_marked_and_no_longer_blocks() -> None:
    found = lift([finding()], [entry()])[0]
    assert found.waived == WAIVED
    assert not found.blocks
    assert finding().blocks


def test_the_name_of_the_rule_works_like_its_code() -> None:
    assert lifted(finding(), rule="view-served") == WAIVED


@pytest.mark.parametrize(
    "other",
    [
        finding(code="MS514", name="needs-served"),
        finding(place=Place("registry/environments/production/models/eta.yaml", ("stable", "version"))),
        finding(place=Place(PATH, ("canary", "version"))),
        finding(value="1.3.0"),
        finding(value=""),
    ],
)
def test_another_identity_is_not_lifted(other: Finding) -> None:
    assert lifted(other) is None


def test_the_line_does_not_count() -> None:
    assert lifted(finding(place=Place(PATH, ("stable", "version"), Mark(99, 1, 2), key=True))) == WAIVED


def test_no_value_is_the_value_of_a_map_or_a_missing_key() -> None:
    bare = {"finding": f"{{path: {PATH}, route: /stable/version}}"}
    assert lifted(finding(), **bare) is None
    assert lifted(finding(value=""), **bare) == WAIVED


@pytest.mark.parametrize("code", ["MS001", "MS012", "MS601"])
def test_reading_and_rendering_are_never_lifted(code: str) -> None:
    assert lifted(finding(code=code), rule=code) is None


@pytest.mark.parametrize(
    ("now", "in_force"),
    [
        ("2026-10-31T23:59:59Z", False),
        ("2026-11-01T00:00:00Z", True),
        ("2026-11-30T23:59:59.999Z", True),
        ("2026-12-01T00:00:00Z", False),
        ("2026-12-01T00:30:00+01:00", True),
    ],
)
def test_dates_count_when_there_is_an_instant(now: str, in_force: bool) -> None:
    assert current(entry().value, at(now)) is in_force
    assert (lifted(finding(), at(now)) == WAIVED) is in_force


def test_without_an_instant_dates_do_not_count() -> None:
    assert lifted(finding(), None) == WAIVED


BROKEN = [
    {"file": "registry/environments/staging/features/trips.yaml", "delete": True},
    {
        "file": WAIVED,
        "content": waiver(
            finding=f"{{path: {PATH}, route: /stable/version, "
            'value: "1.2.0@<digest registry/models/eta/versions/1.2.0.yaml>"}'
        ),
    },
]


def test_check_judges_expiry_and_compile_honours_the_waiver_whatever_its_date() -> None:
    registry = Registry(edited(BROKEN).snapshot())
    late = Scene(registry, _RENDERER, catalogue=CATALOGUE, now=at("2027-06-01T00:00:00Z"))
    checked = run(CATALOGUE, late)
    assert [(one.name, one.waived) for one in checked] == [("view-served", None), ("waiver-current", None)]

    pins: list[Entry[Pin]] = list(registry.entries(PIN, "staging"))
    scene = Scene(registry, _RENDERER, catalogue=CATALOGUE)
    compiled = run(CATALOGUE, scene, registry.closure(pins))
    assert [(one.name, one.waived) for one in compiled] == [("view-served", WAIVED)]


def test_a_waiver_in_force_lifts_in_a_check_and_stays_listed() -> None:
    registry = Registry(edited(BROKEN).snapshot())
    scene = Scene(registry, _RENDERER, catalogue=CATALOGUE, now=at("2026-11-24T00:00:00Z"))
    found = run(CATALOGUE, scene)
    assert [(one.name, one.waived, one.blocks) for one in found] == [("view-served", WAIVED, False)]
