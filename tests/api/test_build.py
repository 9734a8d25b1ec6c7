"""`check` and `build` as values: what is judged, what is compiled, and what blocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from modelspec.api.build import Built, build
from modelspec.api.check import Checked, check
from modelspec.compile.render import HoleRenderer
from modelspec.spec.registry import Registry
from rules.cases import edited, ground

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PIN = "registry/environments/production/models/eta.yaml"


def checked(*edits: dict[str, Any]) -> Checked:
    registry = Registry(edited(list(edits)).snapshot())
    return check(registry, now=NOW, renderer=HoleRenderer(), trusted=frozenset())


def built(*edits: dict[str, Any], **choice: str) -> Built:
    registry = Registry(edited(list(edits)).snapshot())
    return build(registry, renderer=HoleRenderer(), trusted=frozenset(), **choice)


BROKEN_PIN = {"file": PIN, "content": "a: ["}
WRONG_PIN = {"file": PIN, "old": "1.1.0@sha256:f", "new": "1.1.0@sha256:0"}
BROKEN_VERSION = {"file": "registry/models/eta/versions/1.3.0.yaml", "content": "a: ["}


def test_a_clean_registry_is_clean_and_counts_its_files() -> None:
    found = checked()
    assert (found.findings, found.blocked) == ((), False)
    assert found.files == sum(path.startswith("registry/") for path in ground())


def test_a_warning_does_not_block_and_an_error_does() -> None:
    assert checked(WRONG_PIN).blocked
    severities = {"file": "registry/modelspec.yaml", "content": "apiVersion: modelspec/v1\nkind: Settings\n"
                  "stores: {main: {path: store}}\nseverities: {view-served: warn}\n"}  # fmt: skip
    gone = {"file": "registry/environments/production/features/trips.yaml", "delete": True}
    strict, lax = checked(gone), checked(gone, severities)
    served = {one.severity for one in strict.findings if one.name == "view-served"}
    assert served == {"error"} and strict.blocked
    assert {one.severity for one in lax.findings if one.name == "view-served"} == {"warn"}


def test_scope_and_outputs_follow_the_choice() -> None:
    whole = built()
    assert whole.scope == ("compiled",) and not whole.blocked
    one = built(environment="production")
    assert one.scope == ("compiled/production",)
    assert one.outputs == {
        path: data for path, data in whole.outputs.items() if path.startswith("compiled/production/")
    }
    model = built(model="eta")
    assert model.scope == ("compiled/production/models/eta", "compiled/staging/models/eta")
    assert all("/models/eta/" in path for path in model.outputs)
    both = built(environment="production", model="eta")
    assert both.scope == ("compiled/production/models/eta",)
    assert both.outputs == {path: data for path, data in model.outputs.items() if "/production/" in path}
    assert (both.pins, model.pins) == (1, 2)
    for found in (whole, one, model, both):
        assert all(any(path.startswith(f"{folder}/") for folder in found.scope) for path in found.outputs)


def test_no_pin_no_outputs_but_its_folder_is_emptied() -> None:
    found = built({"file": PIN, "delete": True}, environment="production", model="eta")
    assert (found.outputs, found.pins, found.scope) == ({}, 0, ("compiled/production/models/eta",))


def test_an_error_in_what_is_reached_leaves_no_output() -> None:
    for edit in (WRONG_PIN, BROKEN_PIN):
        found = built(edit)
        assert found.blocked and found.outputs == {}
        assert built(edit, environment="production").blocked
        assert built(edit, environment="production", model="eta").blocked


def test_an_error_elsewhere_stops_no_rollback() -> None:
    assert checked(BROKEN_VERSION).blocked
    assert not built(BROKEN_VERSION, environment="production").blocked
    assert not built(WRONG_PIN, environment="staging").blocked
    assert not built(WRONG_PIN, model="road").blocked
    assert not built(BROKEN_PIN, environment="staging").blocked
