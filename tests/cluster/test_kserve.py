"""What the kserve target writes, given to KServe: taken by the API server, and made what docs/targets.md says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster.cluster import Cluster, until
from conftest import ROOT

pytestmark = pytest.mark.cluster
HERE = ROOT / "tests" / "targets" / "kserve"
CASES = sorted(path.parent.name for path in HERE.glob("*/expected"))
Objects = list[dict[str, Any]]


@pytest.fixture(params=CASES)
def applied(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[tuple[str, Objects]]:
    """Apply a golden case as it is, and yield (namespace, objects)."""
    files = sorted((HERE / str(request.param) / "expected").glob("*.yaml"))
    objects = [yaml.safe_load(path.read_bytes()) for path in files]
    named = (one["metadata"]["namespace"] for one in objects if "namespace" in one["metadata"])
    namespace = next(named, str(request.param))
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    cluster.apply(*files, namespace=namespace)
    yield namespace, objects
    for path in files:
        cluster.kubectl("delete", "--filename", str(path), f"--namespace={namespace}", "--wait=true")
    until(lambda: not cluster.get("pods", namespace=namespace)["items"], "its pods are gone")


def test_it_is_taken_whole_and_runs_as_the_pages_say(applied: tuple[str, Objects], cluster: Cluster) -> None:
    namespace, objects = applied
    for wanted in objects:
        found = cluster.get(_resource(wanted), wanted["metadata"]["name"], namespace=namespace)
        assert _within(wanted["spec"], found["spec"]), "the server left something out"
    services = [one for one in objects if one["kind"] == "InferenceService"]
    for service in services:
        until(lambda one=service: _ready(cluster, one, namespace), f"{service['metadata']['name']} is ready")

    slots = {slot[0]: slot for service in services for slot in _slots(service)}
    pods = cluster.get("pods", namespace=namespace)["items"]
    by_service = {_service_of(cluster, pod, namespace): pod for pod in pods}
    assert by_service.keys() == slots.keys(), (
        "each slot has pods of its own, and a service that finds only them"
    )
    for name, predictor, model in slots.values():
        pod = by_service[name]
        for kind in ("labels", "annotations"):
            assert predictor[kind].items() <= pod["metadata"][kind].items(), "the stamp is on every pod"
        assert pod["metadata"]["labels"]["modelspec/model"] == model
        assert pod["metadata"]["labels"]["modelspec/environment"] == "production"
        containers = {one["name"]: one for one in pod["spec"]["containers"]}
        server = containers["kserve-container"]
        assert server["image"] == predictor["model"]["image"], "the image of the version, not of the runtime"
        names = [one for one in server["args"] if one.startswith("--model_name=")]
        assert names[-1] == f"--model_name={model}", "it answers under the model's name"
        assert _artifact(pod) == _address(predictor)
        stamp = predictor["annotations"]["modelspec/stamp"]
        assert ("logger" in predictor) == (
            f"modelspec/stamp={stamp}" in containers.get("agent", {}).get("args", ())
        )
    for route in objects:
        if route["kind"] == "HTTPRoute":
            (rule,) = route["spec"]["rules"]
            mirrors = [one["requestMirror"]["backendRef"]["name"] for one in rule["filters"]]
            assert {one["name"] for one in rule["backendRefs"]} | set(mirrors) <= slots.keys(), (
                "each is a service"
            )
            assert sum(one["weight"] for one in rule["backendRefs"]) == 100


def _ready(cluster: Cluster, wanted: dict[str, Any], namespace: str) -> bool:
    cluster.accept_routes()
    status = cluster.get(_resource(wanted), wanted["metadata"]["name"], namespace=namespace).get("status", {})
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    canaries = all(one["ready"] for one in status.get("canaryStatuses", ()))
    return conditions.get("Ready") == "True" and canaries


def _slots(service: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield (name of the Service, predictor, model) of each slot."""
    metadata, spec = service["metadata"], service["spec"]
    yield f"{metadata['name']}-predictor", spec["predictor"], metadata["labels"]["modelspec/model"]
    for canary in spec.get("canary", ()):
        predictor = canary["predictor"]
        name = f"{metadata['name']}-{predictor['name']}-predictor"
        yield name, predictor, metadata["labels"]["modelspec/model"]


def _service_of(cluster: Cluster, pod: dict[str, Any], namespace: str) -> str:
    """Return the one service of port 80 whose selector finds a pod."""
    labels = pod["metadata"]["labels"].items()
    (found,) = [
        one["metadata"]["name"]
        for one in cluster.get("services", namespace=namespace)["items"]
        if one["spec"]["selector"].items() <= labels and one["spec"]["ports"][0]["port"] == 80
    ]
    return str(found)


def _artifact(pod: dict[str, Any]) -> str:
    """Return the address that a pod's first container fetches from."""
    first = pod["spec"]["initContainers"][0]
    words = [*first.get("command", ()), *first.get("args", ())]
    return str(next(word for word in words if "://" in word))


def _address(predictor: dict[str, Any]) -> str:
    if "storageUri" in predictor["model"]:
        return str(predictor["model"]["storageUri"])
    return str(predictor["initContainers"][0]["command"][2])


def _resource(wanted: dict[str, Any]) -> str:
    return f"{wanted['kind'].lower()}s.{wanted['apiVersion'].partition('/')[0]}"


def _within(wanted: Any, found: Any) -> bool:
    """Whether all that was written is there; defaults may have been added."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and _within(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_within, wanted, found))
    return bool(wanted == found)
