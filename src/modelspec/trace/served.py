"""What served at an instant, as far as receipts can tell: the candidates, and whether there is a doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from modelspec.spec.instant import earlier, later
from modelspec.spec.receipt import Receipt, ReceiptSlot
from modelspec.spec.receipt import at as parsed
from modelspec.trace.declared import Declaration, declared_at
from modelspec.trace.receipts import Stretch, Stretches, answering

SLACK: Final = timedelta(minutes=5)
"""How far the clocks of clusters, observers and git are believed to lie apart, and a rollout to take where
nothing says how long it took."""

LAG: Final = timedelta(hours=1)
"""How long after a merge an environment may still have served what was declared before."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One version that may have answered, in which slot, and its share of the requests in percent.

    `by` says what speaks for it: a receipt, or only the pin that git declared. `evidence` is that in words.
    """

    digest: str
    slot: str
    share: float
    evidence: str
    by: Literal["receipt", "declared"]
    cluster: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Then:
    """What may have served at an instant.

    `certain`: in each cluster one state alone comes into question; it may have several slots still. `doubts`
    say why not. `reached` is False when no receipt is as old as the instant, and `first` is the oldest one.
    """

    candidates: tuple[Candidate, ...]
    certain: bool
    doubts: tuple[str, ...] = ()
    reached: bool = True
    first: datetime | None = None

    @property
    def answering(self) -> frozenset[str]:
        """The digests that may have answered a request: those with a share."""
        return frozenset(one.digest for one in self.candidates if one.share > 0)


def served_then(
    stretches: Iterable[Sequence[Stretch]],
    at: datetime,
    declared: Sequence[Declaration] = (),
    slack: timedelta = SLACK,
) -> Then:
    """Return what may have served one model in one environment at an instant.

    `stretches` are those of each of its clusters (`of_pin`), `declared` what git said, oldest first. The
    states that come into question are the one that receipts tell for the instant; those of stretches that
    begin or end within `slack` of it; the next one, from the time on at which nothing proves the present
    one any more, since a switch that was merely seen happened before that; and what git declared since an
    hour before the last receipt, for a switch that nobody saw.
    """
    lines = [line for line in stretches if line]
    found: list[Candidate] = []
    doubts: list[str] = []
    reached = False
    for line in lines:
        states = list(_states(line, at, declared, slack))
        reached = reached or line[0].since <= at
        for slots, candidate, doubt in states:
            found += [candidate(slot) for slot in slots]
            doubts += [doubt] if doubt else []
    first = min((line[0].since for line in lines), default=None)
    if not reached:
        found += _declared_alone(declared, at)
        doubts.append(
            "there is no receipt of it" if first is None else f"no receipt before {first:%Y-%m-%dT%H:%M:%SZ}"
        )
    return Then(_once(found), not doubts, tuple(dict.fromkeys(doubts)), reached, first)


def of_pin(stretches: Stretches, environment: str, model: str) -> list[Sequence[Stretch]]:
    """Return the stretches of one model in one environment, a list for each cluster."""
    return [line for place, line in stretches.items() if place[:2] == (environment, model)]


_Made = Callable[[ReceiptSlot], Candidate]
_State = tuple[tuple[ReceiptSlot, ...], _Made, str]
"""The slots of a state, what makes candidates of them, and the doubt that it throws on the others."""


def _states(
    line: Sequence[Stretch], at: datetime, declared: Sequence[Declaration], slack: timedelta
) -> Iterator[_State]:
    """Yield the states that come into question; the first one, that of the receipts, throws no doubt."""
    now = next((index for index in range(len(line) - 1, -1, -1) if line[index].since <= at), None)
    others: list[_State] = []
    if now is not None:
        for index in range(now - 1, -1, -1):
            if at > later(line[index + 1].since, slack):
                break
            others.append((line[index].slots, _by_receipt(line[index]), _near(line[index + 1], at)))
    following = 0 if now is None else now + 1
    for index in range(following, len(line)):
        if at < _begins(line, index, declared, slack):
            break
        others.append((line[index].slots, _by_receipt(line[index]), _near(line[index], at)))
    if now is None:
        yield from others
        return
    yield line[now].slots, _by_receipt(line[now]), ""
    others += _unseen(line[now], line[following] if following < len(line) else None, at, declared, slack)
    for slots, made, doubt in others:
        # Another share, or something else that stands by, leaves the question of who answered as it is.
        if answering(slots) != line[now].answering:
            yield slots, made, doubt


def _begins(
    line: Sequence[Stretch], index: int, declared: Sequence[Declaration], slack: timedelta
) -> datetime:
    """Return the earliest instant at which a stretch can have begun.

    Where the source told, that is what it told, less the slack. What was merely seen began after the state
    before it was seen last and, if git declared it, after that was merged.
    """
    stretch = line[index]
    if stretch.exact:
        return earlier(stretch.since, slack)
    bounds = [line[index - 1].seen] if index > 0 else []
    merged = _merged(declared, stretch.answering, later(stretch.since, slack))
    bounds += [merged] if merged is not None else []
    return earlier(max(bounds, default=stretch.since), slack)


def _merged(declared: Sequence[Declaration], digests: frozenset[str], until: datetime) -> datetime | None:
    """Return when exactly these digests were declared to answer for the last time, up to an instant."""
    start, found = None, None
    for one in declared:
        if one.since > until:
            break
        start = (start or one.since) if answering(one.slots or ()) == digests else None
        found = start or found
    return found


def _unseen(
    stretch: Stretch,
    following: Stretch | None,
    at: datetime,
    declared: Sequence[Declaration],
    slack: timedelta,
) -> Iterator[_State]:
    """Yield what git declared around the last receipt or after it: a switch that nobody may have seen.

    It may have been live from its merge until an hour after another one followed it. It is no doubt where it
    was over when the stretch began and that is some time ago, or where the next receipt is the switch to it:
    then it came later.
    """
    settled, proven = later(stretch.since, slack), _proven(stretch, earlier(at, slack))
    for one, until in _in_force(declared):
        if one.since > later(at, slack):
            break
        over = until is not None and ((until <= settled and at > settled) or until < earlier(at, LAG))
        if over or one.slots is None or (proven is not None and one.since <= earlier(proven, LAG)):
            continue
        if answering(one.slots) == stretch.answering:
            continue
        if (
            following is not None
            and following.answering == answering(one.slots)
            and declared_at(declared, later(following.since, slack)) is one
        ):
            continue
        said = f"git declared another state by {one.commit.short}, and no receipt says whether it was live"
        yield one.slots, _by_git(one), said


def _proven(stretch: Stretch, until: datetime) -> datetime | None:
    """Return when a state was seen last by receipts that begin no later than an instant; None by none.

    A later receipt of the same state proves nothing about the time before it: what came and went there may
    be a switch whose receipt is lost.
    """
    told = [observed for since, observed in map(_times, stretch.receipts) if since <= until]
    return max(told, default=None)


def _times(receipt: Receipt) -> tuple[datetime, datetime]:
    return parsed(receipt.since), parsed(receipt.observed)


def _in_force(declared: Sequence[Declaration]) -> Iterator[tuple[Declaration, datetime | None]]:
    """Yield each declaration with the instant at which the next one followed it."""
    for index, one in enumerate(declared):
        yield one, declared[index + 1].since if index + 1 < len(declared) else None


def _declared_alone(declared: Sequence[Declaration], at: datetime) -> list[Candidate]:
    one = declared_at(declared, at)
    return [_by_git(one)(slot) for slot in (one.slots or ())] if one is not None else []


def _by_receipt(stretch: Stretch) -> Callable[[ReceiptSlot], Candidate]:
    first = stretch.receipts[0]
    when = "since" if stretch.exact else "seen since"
    where = f" in {stretch.cluster}" if stretch.cluster else ""
    evidence = f"receipt of {first.source}{where}, {when} {first.since}: {first.evidence}"

    def candidate(slot: ReceiptSlot) -> Candidate:
        return Candidate(
            slot.digest, slot.slot, slot.share, evidence, "receipt", stretch.cluster, stretch.since
        )

    return candidate


def _by_git(one: Declaration) -> Callable[[ReceiptSlot], Candidate]:
    evidence = f"declared by {one.commit.short} of {one.since:%Y-%m-%dT%H:%M:%SZ}; no receipt of it"

    def candidate(slot: ReceiptSlot) -> Candidate:
        return Candidate(slot.digest, slot.slot, slot.share, evidence, "declared", None, one.since)

    return candidate


def _near(stretch: Stretch, at: datetime) -> str:
    said = "began" if stretch.exact else "was first seen"
    seconds = int((stretch.since - at).total_seconds())
    gap = f"{abs(seconds):,} s {'later' if seconds > 0 else 'before'}"
    return f"another state {said} at {stretch.since:%Y-%m-%dT%H:%M:%SZ}, {gap}"


def _once(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates without those that say again what a better one says: receipts come first."""
    kept: dict[tuple[str, str, str | None], Candidate] = {}
    for one in sorted(found, key=lambda one: one.by != "receipt"):
        kept.setdefault((one.digest, one.slot, one.cluster), one)
    return tuple(kept.values())
