"""Who was in which slot when: the revisions of one pin, and the tenures that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from modelspec.spec.history import Commit, History
from modelspec.spec.kinds import PIN
from modelspec.spec.pinned import Declared

if TYPE_CHECKING:
    from modelspec.spec.reader import Reader


@dataclass(frozen=True, slots=True)
class Standing:
    """What a pin said from a commit on: `pin` is None where it was gone or could not be read."""

    commit: Commit
    pin: Declared | None


@dataclass(frozen=True, slots=True)
class Tenure:
    """A stretch in which one version held one slot without a break; `until` is None while it lasts."""

    slot: str
    ref: str
    since: Commit
    until: Commit | None

    def lasted(self, now: datetime) -> float:
        """Return its length in seconds, up to `now` while it lasts."""
        end = self.until.time if self.until is not None else now
        return max(0.0, (end - self.since.time).total_seconds())


def standings(history: History, reader: Reader, environment: str, model: str) -> tuple[Standing, ...]:
    """Return every revision of one pin, oldest first."""
    found = []
    for revision in history.of(PIN.locate(environment, model)):
        blob = revision.blob
        found.append(
            Standing(revision.commit, None if blob is None else reader.declared(environment, model, blob))
        )
    return tuple(found)


def held(pin: Declared | None) -> dict[str, str]:
    """Return slot -> version reference of a pin; empty for none."""
    return {} if pin is None else {slot: ref for slot, _, ref in pin.slots()}


def tenures(log: Sequence[Standing]) -> Iterator[Tenure]:
    """Yield the tenures in the order in which they began."""
    open_since: dict[str, tuple[str, Commit]] = {}
    ended: list[Tenure] = []
    for standing in log:
        now = held(standing.pin)
        for slot, (ref, since) in list(open_since.items()):
            if now.get(slot) != ref:
                ended.append(Tenure(slot, ref, since, standing.commit))
                del open_since[slot]
        for slot, ref in now.items():
            open_since.setdefault(slot, (ref, standing.commit))
    ended += [Tenure(slot, ref, since, None) for slot, (ref, since) in open_since.items()]
    order = {standing.commit.id: index for index, standing in enumerate(log)}
    yield from sorted(ended, key=lambda tenure: (order[tenure.since.id], tenure.slot))


def last_said(log: Sequence[Standing]) -> Declared | None:
    """Return what a pin said last, also when it is gone; None when it never said anything."""
    return next((standing.pin for standing in reversed(log) if standing.pin is not None), None)


def first_tenure(log: Sequence[Standing], slot: str, ref: str) -> int | None:
    """Return the index of the revision in which a version first held a slot, or None when it never did."""
    return next((index for index, standing in enumerate(log) if held(standing.pin).get(slot) == ref), None)


def is_restore(log: Sequence[Standing], slot: str, was: str, now: str) -> bool:
    """Whether giving `slot` to `now` instead of `was` goes back.

    It does when the first tenure of `now` in that slot began before that of `was`. Told by state and by
    the base's history alone, so that `git revert`, `rollback` and an edit by hand are the same; a revert
    of a revert is a promotion.
    """
    mine, theirs = first_tenure(log, slot, now), first_tenure(log, slot, was)
    return mine is not None and (theirs is None or mine < theirs)
