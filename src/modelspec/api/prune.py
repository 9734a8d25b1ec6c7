"""`prune`: files of versions that nothing needs any more go; their lines in `retired` stay for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelspec.change import model as models
from modelspec.change.proposal import Declined, Proposal, Step
from modelspec.delta.tenure import Tenure, standings, tenures
from modelspec.spec.base import ref_name
from modelspec.spec.history import History
from modelspec.spec.instant import days, earlier
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, MODEL, PIN, VERSION, WAIVER, classify
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry


@dataclass(frozen=True, slots=True)
class _Kept:
    """What nothing may take away: (model, version) -> why."""

    reasons: dict[tuple[str, str], str]

    def keep(self, model: str, version: str, why: str) -> bool:
        """Note a reason; return whether it is the first one."""
        new = (model, version) not in self.reasons
        self.reasons.setdefault((model, version), why)
        return new


Served = Callable[[datetime], frozenset[str]]
"""From an instant to the digests of all that served since, by receipts: drift served what no pin said."""


def prune(
    registry: Registry,
    history: History,
    now: datetime,
    model: str | None = None,
    served: Served = lambda since: frozenset(),
) -> Proposal | Declined:
    """Return the deletion of every version file that was never pinned, or left all windows and the retention.

    Whatever was published, pinned or served within the retention stays, and so does what others refer to:
    pins, `needs`, waivers, `closes`, revalidations. A window is counted by its days alone, which keeps more.
    """
    settings = registry.settings
    if settings is None:
        return Declined("registry/modelspec.yaml can't be read", "modelspec check says why")
    kept_for = max([settings.retention.kept_for("versions"), *_windows(registry)])
    since = earlier(now, days(kept_for))
    kept = _Kept({})
    names = registry.names(VERSION, *([model] if model is not None else []))
    _keep_served(registry, history, kept, since, frozenset(name[0] for name in names))
    _keep_young(history, kept, since, names)
    _keep_observed(registry, kept, served(since), names)
    _keep_referred(registry, kept)
    gone = [name for name in names if (name[0], name[1]) not in kept.reasons]
    patch: dict[str, bytes | None] = {}
    steps: list[Step] = []
    for owner in sorted({name[0] for name in gone}):
        done = _lines(registry, owner, [name[1] for name in gone if name[0] == owner])
        if isinstance(done, Declined):
            return done
        patch |= done
    for name in gone:
        patch[VERSION.locate(*name)] = None
        steps.append(Step("prune", name[0], "", "", name[1]))
    said = () if steps else (f"nothing to prune: all is pinned, needed, or younger than {kept_for} days",)
    title = f"Prune {len(steps)} version file{'' if len(steps) == 1 else 's'}"
    return Proposal("prune", title, "prune", patch, tuple(steps), already=said)


def _windows(registry: Registry) -> Iterator[int]:
    for place in registry.entries(ENVIRONMENT):
        if place.value.window is not None:
            yield place.value.window.days


def _keep_served(
    registry: Registry, history: History, kept: _Kept, since: datetime, wanted: frozenset[str]
) -> None:
    for path in history.under("registry/environments"):
        found = classify(path)
        if found is None or found[0] is not PIN or found[1][1] not in wanted:
            continue
        environment, model = found[1]
        for tenure in tenures(standings(history, registry.reader, environment, model)):
            if _recent(tenure, since):
                kept.keep(model, ref_name(tenure.ref), f"served in {environment}")
    for pin in registry.entries(PIN):
        for _, _, ref in pin.value.slots():
            kept.keep(pin.value.model, ref_name(ref), f"pinned in {pin.value.environment}")


def _recent(tenure: Tenure, since: datetime) -> bool:
    return tenure.until is None or tenure.until.time >= since


def _keep_young(history: History, kept: _Kept, since: datetime, names: Sequence[tuple[str, ...]]) -> None:
    published = history.under("registry/models")
    for name in names:
        revisions = published.get(VERSION.locate(*name), ())
        # A file that no commit holds yet is the youngest of all.
        if not revisions or revisions[0].commit.time >= since:
            kept.keep(name[0], name[1], "published lately")


def _keep_observed(
    registry: Registry, kept: _Kept, served: frozenset[str], names: Sequence[tuple[str, ...]]
) -> None:
    for name in names if served else ():
        if (name[0], name[1]) not in kept.reasons:
            entry = registry.value(VERSION, *name)
            if entry is not None and entry.digest in served:
                kept.keep(name[0], name[1], "a receipt says that it served")


def _keep_referred(registry: Registry, kept: _Kept) -> None:
    """Keep what is named by pins, waivers and feature pins, and all that versions which stay need."""
    for pin in registry.entries(PIN):
        for lifted in pin.value.revalidated:
            kept.keep(pin.value.model, ref_name(lifted.version), "a revalidation names it")
    for served in registry.entries(FEATURE_PIN):
        for way in served.value.closes:
            kept.keep(way.model, ref_name(way.before), "a feature pin's `closes` names it")
    for waiver in registry.entries(WAIVER):
        found = classify(waiver.value.finding.path)
        if found is not None and found[0] is VERSION:
            kept.keep(found[1][0], found[1][1], "a waiver names it")
    waiting = list(kept.reasons)
    while waiting:
        entry = registry.value(VERSION, *waiting.pop())
        needs = entry.value.needs if entry is not None else ()
        waiting += [
            (need.model, ref_name(need.version))
            for need in needs
            if kept.keep(need.model, ref_name(need.version), "a version that stays needs it")
        ]


def _lines(registry: Registry, model: str, versions: Sequence[str]) -> dict[str, bytes | None] | Declined:
    """Return the model's file with a line in `retired` for each of these versions."""
    path = MODEL.locate(model)
    owner = registry.get(MODEL, model)
    if not isinstance(owner, Entry):
        return Declined(f"{path} can't be read", "modelspec check says why")
    source = owner.document.source
    known = {ref_name(one.version) for one in owner.value.retired}
    for version in versions:
        entry = registry.get(VERSION, model, version)
        if version in known:
            continue
        if not isinstance(entry, Entry):
            return Declined(f"{VERSION.locate(model, version)} can't be read", "modelspec check says why")
        ref = f"{version}@{entry.digest}"
        after = models.retired(source, owner.value, ref, "archived", "pruned: nothing needs it", None)
        if not isinstance(after, bytes):
            return Declined.of(path, after)
        source = after
    return {} if source == owner.document.source else {path: source}
