"""What serving systems show, read from their JSON: KServe, pods, MLServer, SageMaker; and hostile ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.deployed import (
    COMMIT,
    FIRST,
    SECOND,
    A,
    B,
    application,
    at,
    kustomization,
    only,
    read,
    reconciled,
    unclear,
)
from modelspec.formats.deployed import deployed, shown
from modelspec.formats.foreign import Unreadable
from modelspec.tree.observed import Observation, Shown, Unclear


def labels(slot: str, stamp: str) -> dict[str, Any]:
    return {
        "labels": {"modelspec/slot": slot, "modelspec/stamp": stamp[:32]},
        "annotations": {"modelspec/stamp": f"sha256-{stamp}"},
    }


def service(name: str = "eta", slot: str = "stable", stamp: str = A, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": "serving",
            "generation": 4,
            "labels": {"modelspec/environment": "production", "modelspec/model": "eta"},
        },
        "spec": {"predictor": labels(slot, stamp), **more},
        "status": {
            "observedGeneration": 4,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-09-01T00:00:00Z"}],
            "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "Loaded"}},
            "components": {"predictor": {"latestReadyRevision": "eta-00004"}},
        },
    }


def listed(*objects: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def test_kserve_shows_its_stamp_and_not_since_when() -> None:
    found = only(service())
    assert (found.environment, found.model, found.since) == ("production", "eta", None)
    assert found.slots == (Shown("stable", f"sha256-{A}", 100.0),)


def test_kserve_with_a_canary_and_what_stands_beside_it() -> None:
    canary = {"trafficPercent": 10, "predictor": {"name": "canary", **labels("canary", B)}}
    standby = service("eta-standby", "standby", B)
    found = only(listed(service(canary=[canary]), standby))
    assert [(one.slot, one.share) for one in found.slots] == [
        ("canary", 10.0),
        ("stable", 90.0),
        ("standby", 0.0),
    ]


def test_kserve_with_its_pods_knows_since_when() -> None:
    found = only(
        listed(service(), pod("one", A, "2026-10-01T09:00:00Z"), pod("two", A, "2026-10-01T11:00:00Z"))
    )
    assert (found.source, found.since) == ("kserve", at("2026-10-01T09:00:00Z"))


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"observedGeneration": 3}, False),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ({"modelStatus": {"transitionStatus": "InProgress"}}, False),
        ({"components": {"predictor": {"traffic": [{"percent": 90}, {"percent": 10}]}}}, True),
    ],
)
def test_kserve_in_transition_is_not_counted(change: dict[str, Any], wrong: bool) -> None:
    data = service()
    data["status"].update(change)
    assert unclear(data).wrong is wrong


def test_kserve_of_others_is_left_out() -> None:
    data = service()
    del data["metadata"]["labels"]
    assert "names no model" in unclear(data).message
    assert "no stamp" in unclear({**service(), "spec": {"predictor": {}}}).message


def pod(
    name: str,
    stamp: str,
    ready: str,
    *,
    slot: str = "stable",
    started: str | None = None,
    status: str = "True",
) -> dict[str, Any]:
    known = labels(slot, stamp)
    known["labels"] |= {"modelspec/environment": "production", "modelspec/model": "eta"}
    image = {"imageID": f"registry.example.com/serve@sha256:{B}"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "serving", **known},
        "status": {
            "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": ready}],
            "containerStatuses": [
                {"name": "main", "state": {"running": {"startedAt": started or ready}}, **image}
            ],
        },
    }


def deployment(stamp: str, replicas: int = 2, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "eta", "namespace": "serving", "generation": 2,
            "labels": {"modelspec/environment": "production", "modelspec/model": "eta"},
        },
        "spec": {"replicas": replicas, "template": {"metadata": labels("stable", stamp)}},
        "status": {
            "observedGeneration": 2, "replicas": replicas, "updatedReplicas": replicas,
            "availableReplicas": replicas,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                            "lastUpdateTime": "2026-10-01T10:00:30Z"}],
            **status,
        },
    }  # fmt: skip


def test_pods_in_a_rollout_share_by_their_number() -> None:
    found = only(
        listed(
            deployment(B),
            pod("one", A, "2026-10-01T09:00:00Z"),
            pod("two", B, "2026-10-01T10:00:00Z"),
            pod("three", B, "2026-10-01T10:02:00Z"),
            pod("four", B, "2026-10-01T10:03:00Z", status="False"),
        )
    )
    assert [(one.stamp[-1], one.share) for one in found.slots] == [("a", 33.33), ("b", 66.67)]
    assert found.since == at("2026-10-01T10:00:00Z"), "when the second one began"
    assert f"sha256:{B}" in found.evidence


def test_a_pod_whose_readiness_came_and_went_counts_from_its_start() -> None:
    flapped = pod("one", A, "2026-10-05T00:00:00Z", started="2026-10-01T09:00:00Z")
    assert only(listed(flapped)).since == at("2026-10-01T09:00:00Z")
    slow = pod("one", A, "2026-10-01T09:08:00Z", started="2026-10-01T09:00:00Z")
    assert only(listed(slow)).since == at("2026-10-01T09:08:00Z")


def test_pods_of_a_shadow_take_no_share() -> None:
    found = only(
        listed(pod("one", A, "2026-10-01T09:00:00Z"), pod("two", B, "2026-10-01T09:00:00Z", slot="shadow"))
    )
    assert [(one.slot, one.share) for one in found.slots] == [("shadow", 0.0), ("stable", 100.0)]


def test_a_deployment_alone_counts_once_it_is_rolled_out() -> None:
    assert only(deployment(A)).since == at("2026-10-01T10:00:30Z")
    assert "rolling out" in unclear(deployment(A, updatedReplicas=1)).message
    assert "rolling out" in unclear(deployment(A, observedGeneration=1)).message


def test_a_deployment_that_is_scaled_to_nothing_serves_nothing() -> None:
    found = only(deployment(A, 0))
    assert (found.slots, found.model) == ((), "eta")


def metadata(**parameters: Any) -> dict[str, Any]:
    return {"name": "eta", "versions": ["2.3.1"], "platform": "onnx", "inputs": [], "outputs": [],
            "parameters": parameters}  # fmt: skip


def test_an_endpoint_says_who_it_is() -> None:
    found = only(
        metadata(digest=f"sha256:{A}", model="eta", slot="stable", environment="production", version="2.3.1")
    )
    assert found.slots == (Shown("stable", f"sha256:{A}", 100.0),)
    assert (found.model, found.environment, found.since) == ("eta", "production", None)


def test_an_endpoint_that_does_not_say_who_it_is() -> None:
    assert "names no stamp" in unclear(metadata()).message
    assert "2 versions" in unclear({**metadata(), "versions": ["1", "2"]}).message


def endpoint(*variants: dict[str, Any], status: str = "InService", **more: Any) -> dict[str, Any]:
    return {
        "EndpointName": "eta", "EndpointConfigName": "eta-7", "EndpointStatus": status,
        "ProductionVariants": list(variants), "LastModifiedTime": "2026-10-01T10:00:00.123000+02:00", **more,
    }  # fmt: skip


def test_sagemaker_names_stamps_and_weights() -> None:
    stable = {"VariantName": f"stable-{A[:32]}", "CurrentWeight": 3.0, "DesiredWeight": 3.0}
    canary = {"VariantName": f"canary-{B[:32]}", "CurrentWeight": 1.0}
    shadow = {"VariantName": f"shadow-{B[:32]}", "CurrentWeight": 1.0}
    found = only(endpoint(stable, canary, ShadowProductionVariants=[shadow]))
    assert {(one.slot, one.share) for one in found.slots} == {
        ("stable", 75.0),
        ("canary", 25.0),
        ("shadow", 0.0),
    }
    assert found.since == at("2026-10-01T10:00:00.123+02:00")
    assert only(endpoint(stable, LastModifiedTime=1790848800.5)).since == at("2026-10-01T10:00:00Z")
    bare = only(endpoint({"VariantName": f"sha256-{A[:40]}", "CurrentWeight": 1}))
    assert bare.slots == (Shown("unknown", A[:40], 100.0),)


def test_sagemaker_that_changes_or_names_nobody() -> None:
    assert not unclear(endpoint(status="Updating")).wrong
    assert unclear(endpoint({"VariantName": "AllTraffic", "CurrentWeight": 1.0})).wrong


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"", "column 1"),
        (b"{", "column 2"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"kind": "List", "kind": "Pod"}', "stands twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "double"),
        (b"\xff", "UTF-8"),
        (b"[]", "no system that is known"),
        (b'{"apiVersion": "v1", "kind": "ConfigMap"}', "ConfigMap"),
        (b" " * (8 * 1024 * 1024 + 1), "more than"),
    ],
)
def test_hostile_json_is_refused_in_words(source: bytes, says: str) -> None:
    with pytest.raises(Unreadable) as error:
        deployed(source, "saved.json")
    assert says in error.value.message


def test_an_empty_list_shows_nothing() -> None:
    assert read(listed()) == []


def test_too_many_objects_are_refused() -> None:
    with pytest.raises(Unreadable, match="objects"):
        shown(listed(*[{"apiVersion": "v1", "kind": "Pod"}] * 20_001), "saved.json")


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            "",
            "True",
            "Healthy",
            COMMIT,
            f"main@sha1:{COMMIT}",
            f"sha256-{A}",
            "2026-10-01T10:00:00Z",
            "../x",
            "\x1b[2J",
        ]
    )
)


GOOD = [
    application(FIRST, SECOND),
    kustomization(
        lastAppliedRevision=f"main@sha1:{COMMIT}",
        history=[reconciled(f"main@sha1:{COMMIT}", "2026-10-01T10:00:00Z")],
    ),
    service(canary=[{"trafficPercent": 10, "predictor": labels("canary", B)}]),
    listed(deployment(A), pod("one", A, "2026-10-01T09:00:00Z")),
    metadata(digest=f"sha256:{A}"),
    endpoint({"VariantName": f"stable-{A[:32]}", "CurrentWeight": 1.0}),
]


@given(st.data())
def test_whatever_stands_in_a_field_there_is_an_answer(data: st.DataObject) -> None:
    document = json.loads(json.dumps(data.draw(st.sampled_from(GOOD))))
    for _ in range(data.draw(st.integers(1, 3))):
        node = document
        while isinstance(node, dict | list) and node:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(node[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
                node[key] = data.draw(scalars | st.just([]) | st.just({}) | st.just([[]]) | st.just([{}]))
                break
            node = node[key]
    try:
        found = deployed(json.dumps(document).encode(), "saved.json")
    except Unreadable as error:
        assert error.message
    else:
        for one in found:
            assert isinstance(one, Observation | Unclear)
            if isinstance(one, Observation):
                assert all(0 <= slot.share <= 100 for slot in one.slots)
