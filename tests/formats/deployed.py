"""What a system shows, read, for the tests beside this file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from modelspec.formats.deployed import deployed
from modelspec.tree.observed import Observation, Unclear

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
