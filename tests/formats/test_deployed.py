"""What serving systems show, read from their JSON: each field as the system writes it, and hostile ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.formats.deployed import deployed, shown
from modelspec.formats.foreign import Unreadable
from modelspec.tree.observed import Observation, Shown, Unclear

A, B = "a" * 64, "b" * 64
COMMIT, LATER = "1" * 40, "2" * 40


def read(data: Any) -> list[Any]:
    return deployed(json.dumps(data).encode(), "saved.json")


def only(data: Any) -> Observation:
    (found,) = read(data)
    assert isinstance(found, Observation), found
    return found


def unclear(data: Any) -> Unclear:
    (found,) = read(data)
    assert isinstance(found, Unclear), found
    return found


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def application(*history: dict[str, Any], health: str = "Healthy", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "production", "namespace": "argocd"},
        "spec": {"source": {"path": "compiled/production"}, **spec},
        "status": {"history": list(history), "health": {"status": health}, "sync": {"revision": LATER}},
    }


def entry(number: int, revision: str, deployed_at: str) -> dict[str, Any]:
    return {"id": number, "revision": revision, "deployedAt": deployed_at, "deployStartedAt": deployed_at,
            "source": {"path": "compiled/production", "repoURL": "https://git.example.com/registry"}}  # fmt: skip


FIRST = entry(7, COMMIT, "2026-10-01T10:00:00Z")
SECOND = entry(8, LATER, "2026-10-02T10:00:00Z")


def test_argo_tells_every_revision_that_it_applied() -> None:
    found = read(application(FIRST, SECOND))
    assert [(one.since, one.revisions, one.path) for one in found] == [
        (at("2026-10-01T10:00:00Z"), (COMMIT,), "compiled/production"),
        (at("2026-10-02T10:00:00Z"), (LATER,), "compiled/production"),
    ]
    assert found[0].evidence == "Application argocd/production, history 7: revision 111111111111"


@pytest.mark.parametrize("health", ["Progressing", "Degraded", "Missing"])
def test_argo_proves_nothing_until_it_is_healthy(health: str) -> None:
    one, other = read(application(FIRST, SECOND, health=health))
    assert isinstance(one, Observation), "what came before was healthy when it was followed"
    assert isinstance(other, Unclear)
    assert not other.wrong
    assert health in other.message


def test_argo_with_several_sources_names_all_revisions() -> None:
    several = {"id": 1, "revisions": ["3" * 40, COMMIT], "deployedAt": "2026-10-01T10:00:00Z",
               "sources": [{"path": "charts"}, {"path": "compiled/production"}]}  # fmt: skip
    found = only(application(several, source=None))
    assert (found.revisions, found.path) == (("3" * 40, COMMIT), None)


@pytest.mark.parametrize(
    "history", [[{"id": 1, "revision": COMMIT}], [{"id": 1, "deployedAt": "2026-10-01T10:00:00Z"}],
                [{"id": 1, "revision": COMMIT, "deployedAt": "yesterday"}]],
)  # fmt: skip
def test_argo_with_half_an_entry_is_wrong(history: list[dict[str, Any]]) -> None:
    assert unclear(application(*history)).wrong


def kustomization(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "production", "namespace": "flux-system", "generation": 3},
        "spec": {"path": "./compiled/production"},
        "status": {
            "observedGeneration": 3,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-10-01T10:01:00Z"}],
            **status,
        },
    }


def reconciled(
    revision: str, first: str, status: str = "ReconciliationSucceeded", last: str | None = None
) -> dict[str, Any]:
    return {"digest": f"sha256:{A}", "firstReconciled": first, "lastReconciled": last or first,
            "lastReconciledStatus": status, "totalReconciliations": 9, "metadata": {"revision": revision}}  # fmt: skip


def test_flux_tells_what_it_applied_and_when_first() -> None:
    history = [
        reconciled(f"main@sha1:{LATER}", "2026-10-02T10:00:00Z"),
        reconciled(f"main@sha1:{'3' * 40}", "2026-10-01T12:00:00Z", "HealthCheckFailed"),
        reconciled(f"main@sha1:{COMMIT}", "2026-10-01T10:00:00Z"),
    ]
    found = read(kustomization(lastAppliedRevision=f"main@sha1:{LATER}", history=history))
    assert [(one.since, one.revisions) for one in found] == [
        (at("2026-10-01T10:00:00Z"), (COMMIT,)),
        (at("2026-10-02T10:00:00Z"), (LATER,)),
    ]


def test_flux_renames_the_entry_of_a_state_that_comes_back() -> None:
    """As Flux 2.7 wrote it after a revert: one entry, from before the promotion, with the commit of the revert."""
    history = [
        reconciled(f"main@sha1:{LATER}", "2026-10-01T10:00:00Z", last="2026-10-03T10:00:00Z"),
        reconciled(f"main@sha1:{COMMIT}", "2026-10-02T10:00:00Z", last="2026-10-02T11:00:00Z"),
    ]
    found = read(kustomization(lastAppliedRevision=f"main@sha1:{LATER}", history=history))
    assert [(one.since, one.revisions) for one in found] == [
        (at("2026-10-02T10:00:00Z"), (COMMIT,)),
        (None, (LATER,)),
    ]
    assert all(one.renamed for one in found)


def test_flux_that_came_back_and_went_again_tells_nothing_of_it() -> None:
    history = [
        reconciled(f"main@sha1:{'3' * 40}", "2026-10-04T10:00:00Z"),
        reconciled(f"main@sha1:{LATER}", "2026-10-01T10:00:00Z", last="2026-10-03T10:00:00Z"),
        reconciled(f"main@sha1:{COMMIT}", "2026-10-02T10:00:00Z", last="2026-10-02T11:00:00Z"),
    ]
    found = read(kustomization(lastAppliedRevision=f"main@sha1:{'3' * 40}", history=history))
    assert [one.revisions for one in found] == [(COMMIT,), ("3" * 40,)]


def test_flux_without_a_history_was_merely_seen() -> None:
    found = only(kustomization(lastAppliedRevision=f"main@sha1:{COMMIT}"))
    assert (found.since, found.revisions, found.path) == (None, (COMMIT,), "./compiled/production")


def test_flux_that_is_not_ready_proves_nothing() -> None:
    data = kustomization(lastAppliedRevision=f"main@sha1:{COMMIT}")
    data["status"]["conditions"][0]["status"] = "Unknown"
    assert not unclear(data).wrong


@pytest.mark.parametrize("revision", [f"latest@sha256:{A}0", "6.7.0", "", f"main@sha1:{COMMIT}\n"])
def test_flux_of_something_else_than_git_is_wrong(revision: str) -> None:
    assert unclear(kustomization(lastAppliedRevision=revision)).wrong


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
