"""Flux's Kustomization: which revision it applied when (it keeps five)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelspec.formats.manifests import Manifest, items, moment, text
from modelspec.tree.data import Data
from modelspec.tree.observed import Observation, Seen, Unclear
from modelspec.tree.text import visible

GROUP: Final = "kustomize.toolkit.fluxcd.io"
KIND: Final = "Kustomization"
SOURCE: Final = "flux"
_REVISION: Final = re.compile(r"(?:[^@]*@)?sha(?:1|256):([0-9a-f]{40}(?:[0-9a-f]{24})?)")
_SHORT: Final = re.compile(r"(?:.*/)?([0-9a-f]{7,64})")
"""What versions of Flux before 2.0 wrote: `main/1a2b3c4...`."""


def applied(one: Manifest) -> Iterator[Seen]:
    """Yield an observation for each state that the history tells the beginning of, and for what is applied.

    An entry stands for what was rendered and not for a revision: it is renamed to the last commit that gives
    the same, and a state that comes back (a revert) is its old entry again, whose `firstReconciled` is that
    of long ago (History.Upsert of fluxcd/pkg/apis/meta). When that came back nobody says: it was merely seen.
    """
    path = text(one.data, "spec", "path")
    named = text(one.data, "status", "lastAppliedRevision")
    current, told = _commit(named), False
    history = [_entry(data) for data in items(one.data, "status", "history")]
    for entry in sorted(history, key=lambda entry: entry.first.timestamp() if entry.first else 0):
        if not entry.succeeded:
            continue
        commit = _commit(entry.revision)
        if commit is None or entry.first is None:
            yield _unclear(one, entry.revision)
        elif not any(entry.left_for(other) for other in history):
            told = told or commit == current
            yield _observation(one, commit, entry.first, path)
    if told:
        return
    if one.condition("Ready").get("status") != "True" or not one.settled:
        yield Unclear(one.place, f"{visible(named or 'nothing')} is applied and not Ready: not counted")
    elif current is None:
        yield _unclear(one, named)
    else:
        yield _observation(one, current, None, path)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of the history: what was rendered, and when it was applied first and last."""

    revision: str | None
    first: datetime | None
    last: datetime | None
    succeeded: bool

    def left_for(self, other: _Entry) -> bool:
        """Whether something else was applied between this one's first time and its last."""
        if self.first is None or self.last is None or other.first is None:
            return False
        return self.first < other.first and (other.last or other.first) < self.last


def _entry(data: Data) -> _Entry:
    return _Entry(
        text(data, "metadata", "revision"),
        moment(data, "firstReconciled"),
        moment(data, "lastReconciled"),
        "succeeded" in (text(data, "lastReconciledStatus") or "").lower(),
    )


def _observation(one: Manifest, commit: str, since: datetime | None, path: str | None) -> Observation:
    evidence = f"{one.place}: revision {commit[:12]}"
    return Observation(SOURCE, one.place, evidence, since, revisions=(commit,), path=path, renamed=True)


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
