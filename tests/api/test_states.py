"""States are read from pins and models, never stored; and what `list` and `show` make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelspec.api.show import show_model, show_version
from modelspec.api.states import State, listed, states
from modelspec.spec.registry import Registry
from modelspec.tree.digest import spec_digest
from modelspec.tree.yaml import read
from rules.cases import edited, ground

ETA = "registry/models/eta/versions/{}.yaml"
PRODUCTION = "registry/environments/production/models/eta.yaml"
STAGING = "registry/environments/staging/models/eta.yaml"


def registry(*edits: dict[str, Any]) -> Registry:
    return Registry(edited(list(edits)).snapshot())


def ref(version: str) -> str:
    return f"{version}@<digest {ETA.format(version)}>"


def pin(environment: str, slots: str) -> dict[str, Any]:
    head = f"apiVersion: modelspec/v1\nkind: Pin\nenvironment: {environment}\nmodel: eta\n"
    return {"file": f"registry/environments/{environment}/models/eta.yaml", "content": head + slots}


def said(where: Registry, version: str) -> list[str]:
    return [str(state) for state in states(where).get(("eta", version), ())]


def test_every_state_that_there_is() -> None:
    where = registry(
        pin("production", f"shadow: {{version: {ref('1.3.0')}}}\nstandby: {{version: {ref('1.0.0')}}}\n"
            f"canary: {{version: {ref('1.2.0')}, weight: 10}}\nstable: {{version: {ref('1.1.0')}}}\n"),
        pin("staging", f"stable: {{version: {ref('1.2.0')}}}\n"),
        {"file": "registry/environments/lab/environment.yaml",
         "content": "apiVersion: modelspec/v1\nkind: Environment\nenvironment: lab\nstage: development\n"},
        pin("lab", f"variants:\n  b: {{version: {ref('1.3.0')}, weight: 40}}\nstable: {{version: {ref('1.2.0')}}}\n"),
        {"file": "registry/models/eta/model.yaml", "old": 'owner: "@routing"',
         "new": f'owner: "@routing"\nretired:\n  - {{version: {ref("1.0.0")}, state: archived, reason: Old}}\n'
                f'  - {{version: {ref("1.3.0")}, state: withdrawn, reason: Bad}}'},
        {"file": ETA.format("1.4.0"), "content": ground()[ETA.format("1.3.0")].decode().replace("1.3.0", "1.4.0")},
    )  # fmt: skip
    assert said(where, "1.0.0") == ["Standby (production)", "Archived"]
    assert said(where, "1.1.0") == ["Production (production)"]
    assert said(where, "1.2.0") == ["Development (lab)", "Canary 10% (production)", "Staging (staging)"]
    assert said(where, "1.3.0") == ["Variant 40% (lab)", "Shadow (production)", "Withdrawn"]
    assert said(where, "1.4.0") == [], "published, and pinned nowhere"


def test_a_weight_belongs_to_the_slots_that_share_the_answers() -> None:
    found = states(registry())["eta", "1.2.0"]
    assert State("Canary", "production", 10) in found
    assert State("Standby", "production") in states(registry())["eta", "1.0.0"]


def test_a_broken_pin_or_environment_hides_no_other() -> None:
    where = registry({"file": PRODUCTION, "content": "a: ["})
    assert said(where, "1.1.0") == [text for text in said(registry(), "1.1.0") if "production" not in text]
    assert said(where, "1.2.0") == [text for text in said(registry(), "1.2.0") if "production" not in text]
    where = registry({"file": "registry/environments/production/environment.yaml", "content": "a: ["})
    assert "Stable (production)" in said(where, "1.1.0")


def test_states_of_one_model_read_no_other() -> None:
    where = registry()
    assert {model for model, _ in states(where, "eta")} == {"eta"}
    assert {model for model, _ in states(where)} == {"eta", "road"}


def test_versions_are_listed_highest_first_and_by_semver() -> None:
    body = ground()[ETA.format("1.3.0")].decode()
    more = ["1.10.0", "1.3.0-rc.2", "1.3.0-rc.10", "0.9.0"]
    where = registry(*({"file": ETA.format(one), "content": body.replace("1.3.0", one)} for one in more))
    assert [row.version for row in listed(where, "eta")] == [
        "1.10.0", "1.3.0", "1.3.0-rc.10", "1.3.0-rc.2", "1.2.0", "1.1.0", "1.0.0", "0.9.0",
    ]  # fmt: skip
    assert [(row.model, row.version) for row in listed(where)][-1] == ("road", "1.0.0")
    assert {row.version for row in listed(where, "eta", "production")} == {"1.0.0", "1.1.0", "1.2.0"}
    assert listed(where, "none") == []


@pytest.mark.parametrize("component", ["artifact", "code", "dataset", "runtime", "config"])
def test_a_component_that_is_unknown_or_missing_is_shown_as_that(component: str) -> None:
    data, _ = read(ground()[ETA.format("1.3.0")])
    assert isinstance(data, dict)
    where = registry()
    shown = show_version(where, "eta", "1.3.0")
    assert shown is not None and {one.level for one in shown.components} == {"recorded"}
    assert shown.digest == spec_digest(data)
    assert [one.name for one in shown.components] == [
        "artifact",
        "code",
        "features",
        "dataset",
        "runtime",
        "config",
    ]
    lost = {**data, component: {"unknown": {"reason": "The disk was wiped"}}}
    where = registry({"file": ETA.format("1.3.0"), "content": json.dumps(lost)})
    shown = show_version(where, "eta", "1.3.0")
    assert shown is not None
    (found,) = [one for one in shown.components if one.name == component]
    assert (found.level, found.facts) == ("unknown", (("reason", "The disk was wiped"),))
    del lost[component]
    where = registry({"file": ETA.format("1.3.0"), "content": json.dumps(lost)})
    shown = show_version(where, "eta", "1.3.0")
    assert shown is not None
    assert [one.level for one in shown.components if one.name == component] == ["missing"]


def test_what_can_not_be_read_is_not_made_up() -> None:
    where = registry(
        {"file": ETA.format("1.3.0"), "content": "a: ["},
        {"file": "registry/models/eta/model.yaml", "content": "["},
    )
    assert show_version(where, "eta", "1.3.0") is show_version(where, "eta", "9.9.9") is None
    model = show_model(where, "eta")
    assert (model.owner, model.description) == ("", "")
    assert model.versions[0].version == "1.3.0"
