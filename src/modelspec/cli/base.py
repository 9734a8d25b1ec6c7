"""The base of a change when nobody names it: what GitHub and GitLab say that a job runs for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_EVENT_LIMIT: Final = 32 * 1024 * 1024
_NOTHING: Final = frozenset({"", "0" * 40, "0" * 64})
"""What both write for the commit before the first one of a branch."""


def ci_base(ref: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the revision that a CI job's change is judged against, or None outside CI.

    A pull or merge request: its target branch as fetched. A merge queue: the commit below. A push: the
    commit that the branch was at. None when a revision is named, since that one has no job.

    Sources: GitHub's default environment variables and webhook payloads; GitLab's predefined variables.
    """
    if ref is not None:
        return None
    if environ.get("GITHUB_ACTIONS") == "true":
        return _github(environ)
    if environ.get("GITLAB_CI") == "true":
        return _gitlab(environ)
    return None


def _github(environ: Mapping[str, str]) -> str | None:
    target = environ.get("GITHUB_BASE_REF", "")
    if target:
        return f"refs/remotes/origin/{target}"
    event = _event(environ.get("GITHUB_EVENT_PATH", ""))
    group = event.get("merge_group")
    before = group.get("base_sha") if isinstance(group, dict) else event.get("before")
    return before if isinstance(before, str) and before not in _NOTHING else None


def _gitlab(environ: Mapping[str, str]) -> str | None:
    target = environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "")
    if target:
        return f"refs/remotes/origin/{target}"
    before = environ.get("CI_COMMIT_BEFORE_SHA", "")
    return None if before in _NOTHING else before


def _event(path: str) -> dict[str, Any]:
    """Return the payload of GitHub's event; empty where there is none that can be read."""
    try:
        with Path(path).open("rb") as file:
            data = json.loads(file.read(_EVENT_LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
