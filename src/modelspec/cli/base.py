"""The base of a change when nobody names it: what GitHub and GitLab say that a job runs for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_EVENT_LIMIT: Final = 32 * 1024 * 1024
_FULL: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CiJob:
    """What a CI job's change is judged against. `base`: a revision. `tip`: where a pushed branch was before.

    `tag`: the full name of a tag that a push moved, and the commits that it was and is at.
    """

    base: str | None = None
    tip: str | None = None
    tag: tuple[str, str, str] | None = None


def ci_job(environ: Mapping[str, str] = os.environ) -> CiJob:
    """Return what the environment of GitHub's and GitLab's jobs says; nothing outside them.

    A pull or merge request: its target branch as fetched. A merge queue: the commit below. A push: the
    commit that the branch was at, which must still be in its history. A run that somebody dispatched on
    GitHub: the default branch, since that is how the pull request of a restore is checked.

    Sources: GitHub's default environment variables and webhook payloads; GitLab's predefined variables.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        return _github(environ)
    if environ.get("GITLAB_CI") == "true":
        return _gitlab(environ)
    return CiJob()


def _github(environ: Mapping[str, str]) -> CiJob:
    target = environ.get("GITHUB_BASE_REF", "")
    if target:
        return CiJob(base=f"refs/remotes/origin/{target}")
    event = _event(environ.get("GITHUB_EVENT_PATH", ""))
    group = event.get("merge_group")
    if isinstance(group, dict):
        return CiJob(base=_commit(group.get("base_sha")))
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch":
        return CiJob(base=_default_branch(event))
    before, after, ref = _commit(event.get("before")), _commit(event.get("after")), event.get("ref")
    if isinstance(ref, str) and ref.startswith("refs/tags/"):
        return CiJob(tag=(ref, before, after) if before and after and before != after else None)
    return CiJob(tip=before)


def _default_branch(event: dict[str, Any]) -> str | None:
    repository = event.get("repository")
    name = repository.get("default_branch") if isinstance(repository, dict) else None
    return f"refs/remotes/origin/{name}" if isinstance(name, str) and name else None


def _gitlab(environ: Mapping[str, str]) -> CiJob:
    target = environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "")
    if target:
        return CiJob(base=f"refs/remotes/origin/{target}")
    return CiJob(tip=_commit(environ.get("CI_COMMIT_BEFORE_SHA")))


def _commit(text: object) -> str | None:
    """Return a full commit id; None for anything else, and for the zeros that stand for no commit."""
    if not isinstance(text, str) or not _FULL.fullmatch(text) or not text.strip("0"):
        return None
    return text


def _event(path: str) -> dict[str, Any]:
    """Return the payload of GitHub's event; empty where there is none that can be read."""
    try:
        with Path(path).open("rb") as file:
            data = json.loads(file.read(_EVENT_LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
