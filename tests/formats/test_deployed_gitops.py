"""What Argo CD and Flux show, read from their JSON: each field as they write it."""

from __future__ import annotations

from typing import Any

import pytest

from formats.deployed import (
    COMMIT,
    FIRST,
    LATER,
    SECOND,
    A,
    application,
    at,
    kustomization,
    only,
    read,
    reconciled,
    unclear,
)
from modelspec.tree.observed import Observation, Unclear


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
