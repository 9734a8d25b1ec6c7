"""Flux's Kustomization: which revision it applied when (it keeps five)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from modelspec.formats.manifests import Manifest, items, moment, text
from modelspec.tree.observed import Observation, Seen, Unclear
from modelspec.tree.text import visible

GROUP: Final = "kustomize.toolkit.fluxcd.io"
KIND: Final = "Kustomization"
SOURCE: Final = "flux"
_REVISION: Final = re.compile(r"(?:[^@]*@)?sha(?:1|256):([0-9a-f]{40}(?:[0-9a-f]{24})?)")
_SHORT: Final = re.compile(r"(?:.*/)?([0-9a-f]{7,64})")
"""What versions of Flux before 2.0 wrote: `main/1a2b3c4...`."""


def applied(one: Manifest) -> Iterator[Seen]:
    """Yield an observation for each successful entry of the history, oldest first, and for what is applied.

    What is applied now and is in no entry was merely seen: the condition's time is no proof of when.
    """
    path = text(one.data, "spec", "path")
    told = set()
    entries = items(one.data, "status", "history")
    for entry in sorted(entries, key=lambda entry: text(entry, "firstReconciled") or ""):
        if "succeeded" not in (text(entry, "lastReconciledStatus") or "").lower():
            continue
        named, since = text(entry, "metadata", "revision"), moment(entry, "firstReconciled")
        commit = _commit(named)
        if commit is None or since is None:
            yield _unclear(one, named)
            continue
        told.add(commit)
        yield _observation(one, commit, since, path)
    named = text(one.data, "status", "lastAppliedRevision")
    commit = _commit(named)
    if commit in told:
        return
    if one.condition("Ready").get("status") != "True" or not one.settled:
        yield Unclear(one.place, f"{visible(named or 'nothing')} is applied and not Ready: not counted")
    elif commit is None:
        yield _unclear(one, named)
    else:
        yield _observation(one, commit, None, path)


def _observation(one: Manifest, commit: str, since: datetime | None, path: str | None) -> Observation:
    evidence = f"{one.place}: revision {commit[:12]}"
    return Observation(SOURCE, one.place, evidence, since, revisions=(commit,), path=path)


def _commit(named: str | None) -> str | None:
    found = _REVISION.fullmatch(named or "") or _SHORT.fullmatch(named or "")
    return found[1] if found is not None else None


def _unclear(one: Manifest, named: str | None) -> Unclear:
    return Unclear(
        one.place,
        f"its revision {visible(named or 'nothing')} is no commit of a git repository",
        "observe what it deploys instead: kubectl get inferenceservices,deployments,pods -o json",
        wrong=True,
    )
