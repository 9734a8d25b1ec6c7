"""MS4: every request within the retention can be traced and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from modelspec.delta.pairs import Change
from modelspec.delta.tenure import standings, tenures
from modelspec.rules.rule import Scene, change_rule
from modelspec.spec.base import ref_name
from modelspec.spec.instant import days, earlier
from modelspec.spec.kinds import ENVIRONMENT, MODEL, SETTINGS, VERSION
from modelspec.spec.settings import Kept, Retention, Settings
from modelspec.tree.finding import Problem
from modelspec.tree.text import plural

_NEEDED: Final[dict[Kept, str]] = {
    "receipts": "which version answered could not be told",
    "versions": "what the version was made of could not be told",
    "artifacts": "they could not be replayed",
}
"""What is lost of a record that is older than the rest."""


@change_rule("MS408", "retention-kept", of=(SETTINGS, VERSION))
def retention_kept(change: Change[Any], scene: Scene) -> Iterator[Problem]:
    """Receipts, versions and artifacts are kept at least as long as the records, and no version goes before.

    `retention` in `modelspec.yaml` says for how many days each kind is kept. A change of it may not leave
    `receipts`, `versions` or `artifacts` below `records`. A version that was in any slot of any environment
    within the retention of versions is not deleted, not even with its line in `retired`; the base's retention
    counts, and the head's where it is longer.

    *Why:* somebody complains about an answer of three weeks ago. The record is there, and what would explain
    it is gone.

    *Fix:* keep the other kinds as long, or lower `records` too, and delete the logs. Let `modelspec prune`
    choose which files go.
    """
    if change.kind is SETTINGS:
        yield from _ordered(change)
    elif change.now is None and change.was is not None and scene.now is not None:
        yield from _deleted(change, scene, scene.now)


def _ordered(change: Change[Settings]) -> Iterator[Problem]:
    now, was = change.after, change.before
    if now is None:
        return
    retention = now.value.retention
    before = was.value.retention if was is not None else None
    records = retention.says("records")
    for kind, lost in _NEEDED.items():
        kept = retention.says(kind)
        if kept >= records or (before is not None and _breach(before, kind) == (kept, records)):
            continue
        named = kind if getattr(retention, kind) is not None else "records"
        yield Problem(
            now.place("retention", named),
            f"records are kept for {plural(records, 'day')} and {kind} for {kept}: of the oldest, {lost}",
            fix=f"keep {kind} for {records} days too, or records for {kept}",
        )


def _breach(retention: Retention, kind: Kept) -> tuple[int, int]:
    return (retention.says(kind), retention.says("records"))


def _deleted(change: Change[Any], scene: Scene, now: datetime) -> Iterator[Problem]:
    model, version = change.name
    owner = scene.registry.value(MODEL, model)
    lines = owner.value.retired if owner is not None else ()
    index = next((at for at, one in enumerate(lines) if ref_name(one.version) == version), None)
    # Without its line it is no pruning at all: published-kept says so.
    if owner is None or index is None or scene.against is None:
        return
    kept = _kept_for(scene)
    since = earlier(now, days(kept))
    last = _last_tenure(change, scene, now)
    if last is None or last[0] < since:
        return
    ended, environment = last
    again = days(kept) - (now - ended)
    yield Problem(
        owner.place("retired", index, "version"),
        f"{model} {version} served in {environment} until {ended:%Y-%m-%d}, less than {kept} days ago, "
        "and is deleted: its requests could not be explained",
        fix=f"restore {change.path}, and prune it in {again.days + 1} days",
    )


def _kept_for(scene: Scene) -> int:
    """Return the longer retention of versions, of the base and of the head."""
    sides = [scene.registry.settings, scene.against.base.settings if scene.against is not None else None]
    return max((one.retention if one is not None else Retention()).kept_for("versions") for one in sides)


def _last_tenure(change: Change[Any], scene: Scene, now: datetime) -> tuple[datetime, str] | None:
    """Return when a version left its last slot (now, where the base has it), and in which environment."""
    assert scene.against is not None
    model, version = change.name
    base, history = scene.against.base, scene.against.history
    found = [
        (tenure.until.time if tenure.until is not None else now, environment)
        for (environment,) in base.names(ENVIRONMENT)
        for tenure in tenures(standings(history, base.reader, environment, model))
        if ref_name(tenure.ref) == version
    ]
    return max(found, default=None)
