"""The runner: whom it asks, what it may not swallow, and the order of what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from modelspec.api.catalogue import CATALOGUE
from modelspec.rules.rule import FILE, REGISTRY, Scene, rule
from modelspec.rules.run import run
from modelspec.spec.environment import Pin
from modelspec.spec.kinds import MODEL, PIN, VERSION, VIEW
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry, Scope
from modelspec.tree.finding import Problem
from modelspec.tree.place import Place
from modelspec.tree.snapshot import DictSnapshot
from rules.cases import _RENDERER, edited, ground

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def scene(registry: Registry, now: datetime | None = NOW) -> Scene:
    return Scene(registry, _RENDERER, catalogue=CATALOGUE, now=now)


def clean() -> Registry:
    return Registry(DictSnapshot(dict(ground())))


def staging(registry: Registry) -> Scope:
    pins: list[Entry[Pin]] = list(registry.entries(PIN, "staging"))
    return registry.closure(pins)


def test_a_rule_that_raises_is_a_bug_and_never_a_pass() -> None:
    @rule("MS999", "always-wrong", of=MODEL)
    def raises(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
        """Raises."""
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run([raises], scene(clean()))


def asked(*subjects: Any, scope: bool) -> list[str]:
    """Return the paths, or the kinds of subjects, that a rule is asked about."""
    seen: list[str] = []

    @rule("MS999", "only-looks", of=subjects if len(subjects) > 1 else subjects[0])
    def looks(subject: Any, scene: Scene) -> Iterator[Problem]:
        """Look."""
        seen.append(getattr(subject, "path", type(subject).__name__))
        return iter(())

    registry = Registry(edited([{"file": "registry/models/road/model.yaml", "content": "x"}]).snapshot())
    run([looks], scene(registry), staging(registry) if scope else None)
    return seen


def test_each_subject_once() -> None:
    assert asked(MODEL, scope=False) == ["registry/models/eta/model.yaml"]
    assert asked(MODEL, VIEW, scope=False) == [
        "registry/models/eta/model.yaml",
        "registry/features/trips/view.yaml",
    ]
    assert len(asked(VERSION, scope=False)) == 5
    assert asked(FILE, scope=False) == ["registry/models/road/model.yaml"]
    assert asked(REGISTRY, scope=False) == ["Registry"]


def test_a_scope_holds_only_what_its_pins_reach() -> None:
    assert asked(VERSION, scope=True) == [
        "registry/models/eta/versions/1.2.0.yaml",
        "registry/models/road/versions/1.0.0.yaml",
    ]
    assert asked(PIN, scope=True) == [
        "registry/environments/staging/models/eta.yaml",
        "registry/environments/staging/models/road.yaml",
    ]
    assert asked(FILE, scope=True) == ["registry/models/road/model.yaml"]
    assert asked(REGISTRY, scope=True) == []


def test_rules_on_waivers_run_last_and_only_over_the_whole_registry_at_an_instant() -> None:
    @rule("MS998", "asks-last", of=REGISTRY, last=True)
    def last(registry: Registry, scene: Scene) -> Iterator[Problem]:
        """Report what the others found."""
        yield Problem(Place("z"), " ".join(one.code for one in scene.found))

    @rule("MS999", "finds-one", of=REGISTRY)
    def first(registry: Registry, scene: Scene) -> Iterator[Problem]:
        """Find one."""
        yield Problem(Place("a"), "one")

    registry = clean()
    assert [one.message for one in run([last, first], scene(registry))] == ["one", "MS999"]
    assert [one.message for one in run([last, first], scene(registry, None))] == ["one"]
    assert run([last], scene(registry), staging(registry)) == ()


@pytest.mark.parametrize(
    ("severities", "severity"),
    [
        ("{}", "error"),
        ("{MS217: warn}", "warn"),
        ("{features-read: warn}", "warn"),
        ("{MS216: warn}", "error"),
    ],
)
def test_settings_lower_a_rule_by_code_or_name(severities: str, severity: str) -> None:
    edits = [
        {"file": "registry/modelspec.yaml", "old": "stores:", "new": f"severities: {severities}\nstores:"},
        {"file": "registry/models/eta/versions/1.3.0.yaml", "old": "request.rain]", "new": "trips.city]"},
    ]
    found = run(CATALOGUE, scene(Registry(edited(edits).snapshot())))
    assert [(one.code, one.severity) for one in found] == [("MS217", severity)]


def test_what_may_not_be_lowered_stays_an_error() -> None:
    edits = [
        {"file": "registry/modelspec.yaml", "old": "stores:", "new": "severities: {MS103: warn}\nstores:"},
        {"file": "registry/models/eta/versions/1.3.0.yaml", "old": "tolerance: 0\n",
         "new": f"tolerance: 0\nlineage: {{parent: 1.0.0@sha256:{'a' * 64}}}\n"},
    ]  # fmt: skip
    found = run(CATALOGUE, scene(Registry(edited(edits).snapshot())))
    assert {(one.code, one.severity) for one in found} == {("MS014", "error"), ("MS103", "error")}


def test_what_a_pin_does_not_serve_stops_no_compile() -> None:
    """A damaged parent is a finding, and yet the version that descends from it can be rolled back to."""
    parent = "registry/models/eta/versions/1.1.0.yaml"
    edits = [{"file": parent, "old": "More trips", "new": "Fewer trips"},
             {"file": "registry/environments/production/models/eta.yaml", "delete": True}]  # fmt: skip
    registry = Registry(edited(edits).snapshot())
    assert [one.code for one in run(CATALOGUE, scene(registry)) if one.blocks] == ["MS103"]
    assert run(CATALOGUE, scene(registry, None), staging(registry)) == ()


def test_findings_are_sorted_by_path_and_place_whatever_the_order_of_rules() -> None:
    edits = [
        {"file": "registry/environments/staging/features/trips.yaml", "delete": True},
        {"file": "registry/models/road/model.yaml", "delete": True},
    ]
    registry = Registry(edited(edits).snapshot())
    found = run(CATALOGUE, scene(registry))
    assert [one.place.path for one in found] == sorted(one.place.path for one in found)
    assert run(reversed(CATALOGUE), scene(registry)) == found


def test_a_file_is_opened_only_when_a_pin_reaches_it() -> None:
    """Work is proportional to what is pinned: other versions are not even read."""
    registry = clean()
    run(CATALOGUE, scene(registry, None), staging(registry))
    opened = {path for path in registry._seen if "/versions/" in path}
    assert opened == {
        "registry/models/eta/versions/1.2.0.yaml",
        "registry/models/road/versions/1.0.0.yaml",
    }
