"""A pin resolved: slots in fixed order, weights that sum to 100, and what templates may name."""

from __future__ import annotations

import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compile.registries import FRAUD, pin, scene
from modelspec.compile.context import NAMES, Contexts, slots_of
from modelspec.compile.deployment import Deployment, deployment
from modelspec.rules.rule import Scene
from modelspec.spec.kinds import PIN, TARGET

ALL = (
    "variants.b: 1.0.0, weight: 20",
    "variants.a: 1.2.0, weight: 5",
    "shadow: 1.0.0",
    "standby: 1.1.0",
    "canary: 1.2.0, weight: 10",
    "stable: 1.1.0",
)


def resolve(where: Scene) -> Deployment | None:
    entry = where.registry.value(PIN, "production", "fraud")
    assert entry is not None
    return deployment(entry, where.registry)


def deployed(*slots: str) -> tuple[Scene, Deployment]:
    where = scene({FRAUD: pin(*slots)})
    made = resolve(where)
    assert made is not None
    return where, made


def context(
    where: Scene, made: Deployment, target: str, folder: str, slot: int | None = None
) -> dict[str, Any]:
    entry = where.registry.value(TARGET, target)
    assert entry is not None
    return Contexts(made, entry.value, {"a": 1}).at(folder, slot)


def test_slots_are_in_fixed_order_and_stable_gets_the_rest() -> None:
    _, made = deployed(*ALL)
    assert [(slot.name, slot.kind, slot.answers, slot.weight) for slot in made.slots] == [
        ("stable", "stable", True, 65),
        ("canary", "canary", True, 10),
        ("a", "variant", True, 5),
        ("b", "variant", True, 20),
        ("standby", "standby", False, 0),
        ("shadow", "shadow", False, 0),
    ]


@given(st.integers(1, 49), st.integers(1, 49))
def test_answering_slots_sum_to_a_hundred(canary: int, variant: int) -> None:
    _, made = deployed(
        f"variants.b: 1.0.0, weight: {variant}",
        "standby: 1.0.0",
        f"canary: 1.2.0, weight: {canary}",
        "stable: 1.1.0",
    )
    assert sum(slot.weight for slot in made.slots if slot.answers) == 100
    assert all(slot.weight == 0 for slot in made.slots if not slot.answers)


def test_the_stamp_is_the_digest_that_the_pin_holds() -> None:
    _, made = deployed("stable: 1.1.0")
    (slot,) = made.slots
    digest = slot.version.digest.removeprefix("sha256:")
    assert (slot.stamp, slot.short) == (f"sha256-{digest}", digest[:32])


@pytest.mark.parametrize(
    "gone",
    [
        "registry/models/fraud/versions/1.1.0.yaml",
        "registry/environments/production/environment.yaml",
    ],
)
def test_what_can_not_be_resolved_is_no_deployment(gone: str) -> None:
    assert resolve(scene({FRAUD: pin("stable: 1.1.0"), gone: None})) is None


def test_templates_find_slots_by_list_and_by_name() -> None:
    where, made = deployed(*ALL)
    data = context(where, made, "kserve", "compiled/production/models/fraud/kserve")
    assert set(data) == NAMES
    assert [slot["name"] for slot in data["slots"]] == ["stable", "canary", "a", "b", "standby", "shadow"]
    assert [slot["name"] for slot in data["answering"]] == ["stable", "canary", "a", "b"]
    assert [slot["name"] for slot in data["variants"]] == ["a", "b"]
    assert data["canary"] is data["slots"][1] and data["shadow"] is data["slots"][5]
    assert data["params"] == {"a": 1}
    assert (data["environment"], data["stage"], data["model"]) == ("production", "production", "fraud")
    assert data["tables"]["model_format"]["onnx"] == "onnx"


def test_a_slot_that_the_pin_has_not_is_none() -> None:
    where, made = deployed("stable: 1.1.0")
    data = context(where, made, "kserve", "compiled/x")
    assert (data["canary"], data["standby"], data["shadow"], data["variants"]) == (None, None, None, [])


def test_a_slot_holds_all_that_its_version_says() -> None:
    where, made = deployed("canary: 1.2.0, weight: 10", "stable: 1.1.0")
    slot = context(where, made, "kserve", "compiled/x", 1)["slot"]
    version = made.slots[1].version
    raw = version.document.data
    assert isinstance(raw, dict)
    assert slot["version"] == "1.2.0" and slot["digest"] == version.digest
    assert slot["image"] == raw["runtime"]["image"]  # type: ignore[index,call-overload]
    assert slot["threads"] == 1 and slot["python"] == "3.11"
    assert slot["integer"] == 1_002_000_999
    assert slot["object"] == "fraud-canary"
    assert slot["texts"]["service"] == "fraud-canary-predictor"
    assert slot["texts"]["path"] == "/v2/models/fraud"
    assert slot["inputs"] == [{"name": "features", "dtype": "float32", "shape": [-1, 5]}]
    assert slot["outputs"] == [{"name": "probability", "dtype": "float32", "shape": [-1, 1]}]
    assert slot["features"] == [
        {
            "view": "payment_features",
            "number": 1,
            "digest": version.value.feature_refs[0].schema_.partition("@")[2],
        }
    ]
    assert slot["artifact"]["files"][0].keys() == {"path", "size", "digest"}


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("compiled/production/models/fraud/mlserver", "../../../../../store"),
        ("compiled/production/models/fraud/mlserver/stable", "../../../../../../store"),
    ],
)
def test_an_artifact_is_reached_from_the_folder_of_the_output(folder: str, path: str) -> None:
    where, made = deployed("stable: 1.1.0")
    artifact = context(where, made, "mlserver", folder)["stable"]["artifact"]
    tree = artifact["digest"].replace(":", "-")
    assert artifact["path"] == f"{path}/{tree}"
    assert posixpath.normpath(f"{folder}/{artifact['path']}") == f"store/{tree}"
    assert artifact["uri"] == f"s3://example-models/store/{tree}"


def test_every_way_to_a_slot_leads_to_it() -> None:
    where, made = deployed(*ALL)
    data = context(where, made, "kserve", "compiled/x", 3)
    for source in [
        ("slots", 3, "stamp"), ("answering", 3, "stamp"), ("variants", 1, "stamp"), ("slot", "stamp"),
    ]:  # fmt: skip
        assert list(slots_of(source, made, 3)) == [(3, ("stamp",))]
    for index, name in ((0, "stable"), (1, "canary"), (4, "standby"), (5, "shadow")):
        assert list(slots_of((name, "stamp"), made, None)) == [(index, ("stamp",))]
        assert data[name] is data["slots"][index]
    assert list(slots_of(("answering",), made, None)) == [(index, ()) for index in range(4)]
    assert list(slots_of(("variants",), made, None)) == [(2, ()), (3, ())]
    for source in ((), ("params", "stamp"), ("slot", "stamp"), ("slots", 9), ("slots", "name")):
        assert list(slots_of(source, made, None)) == []
