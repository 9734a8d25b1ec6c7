"""Judges a proposal before it is written: the whole patched tree against its base, and the compile of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from modelspec.api.catalogue import CATALOGUE
from modelspec.api.scoped import judged_change
from modelspec.change.impact import reach
from modelspec.change.proposal import Proposal
from modelspec.compat.pinned import needing_too
from modelspec.compile.outputs import outputs_for
from modelspec.compile.target import MANIFEST
from modelspec.delta.pairs import against
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.rules.waivers import lift
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.history import History
from modelspec.spec.kinds import FEATURE_PIN, PIN, WAIVER, classify
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.protocols import Renderer
from modelspec.tree.snapshot import Patched, Snapshot


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposal with what rules say of it; `patch` holds the compiled outputs too where those are kept."""

    proposal: Proposal
    registry: Registry
    """The tree as the patch leaves it."""
    findings: tuple[Finding, ...]
    """What concerns the change: findings of the files that it touches, and new ones elsewhere."""
    patch: Mapping[str, bytes | None]

    @property
    def blocked(self) -> bool:
        """Whether an error stands in the way."""
        return any(finding.blocks for finding in self.findings)


def judge(
    base: Registry,
    proposal: Proposal,
    *,
    history: History,
    now: datetime,
    renderer: Renderer,
    trusted: frozenset[str],
) -> Judged:
    """Judge what a proposal makes of a tree; `history` is the base's.

    What changes is compiled, where the base keeps its compiled configs in the repository. A change that
    restores is not stopped by a waiver that time has ended: that is for people to mend by day.
    """
    head = Registry(Patched(base.snapshot, proposal.patch), base.reader)
    changed = against(base, head, history)
    moved = [one.name for one in changed.changes if one.kind is PIN]
    for environment, _ in moved:
        needing_too(head, base, environment, [model for _, model in moved])
    scene = Scene(head, renderer, CATALOGUE, now, changed, trusted)
    found = judged_change(scene, reach(changed, head))
    findings = tuple(one for one in found if not one.existing)
    if proposal.restores:
        findings = tuple(_undated(head, findings))
    pins, served, broken = _touched(head, proposal)
    scope = head.closure(pins, served)
    timeless = replace(scene, now=None, against=None, memo={})
    known = {one.identity for one in findings}
    compiling = [one for one in run(CATALOGUE, timeless, scope) if one.identity not in known]
    findings = (*findings, *(one for one in compiling if one.blocks))
    blocked = broken or any(one.blocks for one in findings)
    outputs = {} if blocked else outputs_for(timeless, pins, served)
    whole = {**proposal.patch, **(_compiled(base.snapshot, proposal, outputs) if not blocked else {})}
    return Judged(proposal, head, findings, _differing(base.snapshot, whole))


def _differing(base: Snapshot, patch: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Leave out what the base says already."""
    found: dict[str, bytes | None] = {}
    for path, data in sorted(patch.items()):
        blob = base.get(path)
        if (None if blob is None else blob.read()) != data:
            found[path] = data
    return found


def _undated(head: Registry, findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """Lift what a waiver lifts, whatever its dates say."""
    yield from lift(list(findings), head.entries(WAIVER), None)


def _touched(head: Registry, proposal: Proposal) -> tuple[list[Entry[Pin]], list[Entry[FeaturePin]], bool]:
    pins: list[Entry[Pin]] = []
    served: list[Entry[FeaturePin]] = []
    broken = False
    for path in proposal.patch:
        found: Any = head.at(path) if classify(path) is not None else None
        broken = broken or isinstance(found, Broken)
        if isinstance(found, Entry) and found.kind is PIN:
            pins.append(found)
        elif isinstance(found, Entry) and found.kind is FEATURE_PIN:
            served.append(found)
    return pins, served, broken


def _compiled(base: Snapshot, proposal: Proposal, outputs: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Return what differs below compiled/, where that is kept; files that no compile wrote stay."""
    if ("compiled", True) not in base.ls(""):
        return {}
    patch: dict[str, bytes | None] = {}
    for path in proposal.patch:
        folder = _folder(path)
        for gone in _listed(base, folder) if folder else ():
            if gone not in outputs:
                patch[gone] = None
    return {**patch, **outputs}


def _folder(path: str) -> str | None:
    """Return the folder that a pin, or a feature pin, compiles to."""
    found = classify(path)
    if found is None or found[0] not in (PIN, FEATURE_PIN):
        return None
    environment, name = found[1]
    return f"compiled/{environment}/{'models' if found[0] is PIN else 'features'}/{name}"


def _listed(base: Snapshot, folder: str) -> Iterator[str]:
    """Yield the files of a folder that its manifest lists, and the manifest."""
    blob = base.get(f"{folder}/{MANIFEST}")
    data = blob.read() if blob is not None else b""
    try:
        outputs = json.loads(data)["outputs"] if isinstance(data, bytes) else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        outputs = {}
    for path, _ in base.walk(folder):
        inside = path.removeprefix(folder + "/")
        if inside == MANIFEST or (isinstance(outputs, dict) and inside in outputs):
            yield path
