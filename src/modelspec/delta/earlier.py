"""What a pin said before: the state to go back to, by history and never by version arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from modelspec.delta.tenure import Standing, first_tenure
from modelspec.spec.base import ref_name
from modelspec.spec.pinned import Declared


def previous(log: Sequence[Standing], pin: Declared, withdrawn: Collection[str]) -> Standing | None:
    """Return the state to go back to, or None when there is none.

    It is the last one in which every version that answered had done so before the newest version that
    answers now ever did. So a canary that is turned off, a promotion and a rollback are all left for what
    answered before them, and going back twice never goes forward. States with a version in `withdrawn`
    (by reference) are skipped.
    """
    since = {ref: _answered(log, ref) for ref in answering(pin)}
    newest = max((len(log) if at is None else at for at in since.values()), default=0)
    for standing in reversed(log):
        if standing.pin is None or any(ref in withdrawn for _, _, ref in standing.pin.slots()):
            continue
        first = [_answered(log, ref) for ref in answering(standing.pin)]
        if all(at is not None and at < newest for at in first):
            return standing
    return None


def last_with(log: Sequence[Standing], version: str) -> Standing | None:
    """Return the last state in which a version was stable; one in which it answered alone comes first."""
    found = [one for one in log if one.pin is not None and ref_name(one.pin.stable.version) == version]
    alone = [one for one in found if one.pin is not None and len(answering(one.pin)) == 1]
    chosen = alone or found
    return chosen[-1] if chosen else None


def goes_back(log: Sequence[Standing], was: str, now: str) -> bool:
    """Whether a stable version that follows another one held the slot before it did."""
    mine, theirs = first_tenure(log, "stable", now), first_tenure(log, "stable", was)
    return mine is not None and (theirs is None or mine <= theirs)


def answering(pin: Declared) -> frozenset[str]:
    """Return the versions that answer: stable, canary and variants."""
    return frozenset(ref for slot, _, ref in pin.slots() if slot not in ("standby", "shadow"))


def _answered(log: Sequence[Standing], ref: str) -> int | None:
    return next((at for at, one in enumerate(log) if one.pin is not None and ref in answering(one.pin)), None)
