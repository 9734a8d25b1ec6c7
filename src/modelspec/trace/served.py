"""What served at an instant, as far as receipts can tell: the candidates, and whether there is a doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from modelspec.spec.instant import earlier, later
from modelspec.spec.receipt import ReceiptSlot
from modelspec.trace.declared import Declaration, declared_at
from modelspec.trace.receipts import Stretch, Stretches, answering

SLACK: Final = timedelta(minutes=15)
"""How far clocks (of clusters, observers, servers, git) are believed to lie apart, and a rollout to last,
both together: old pods answer for minutes after a source says that the new state began."""
LAG: Final = timedelta(hours=6)
"""How long after a merge an environment may still serve what was declared before: a sync that is stuck."""
PARTIAL: Final = frozenset({"open-inference"})
"""Sources that show what one pod answers, and not what answers beside it."""


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
    one any more, since a switch that was merely seen happened before that; and what git declared after the
    last receipt that is not later, for a switch that nobody saw.
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
        found += _declared_alone(declared, at, slack)
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
            # What nobody saw between the two may be on its way out as well.
            others += _unseen(line, index, at, declared, slack)
    following = 0 if now is None else now + 1
    for index in range(following, len(line)):
        if at < _begins(line, index, declared, slack):
            break
        others.append((line[index].slots, _by_receipt(line[index]), _near(line[index], at)))
    if now is None:
        yield from others
        return
    if now == 0 and at <= later(line[0].since, slack):
        others += [(one.slots or (), _by_git(one), _near(line[0], at)) for one in _about(declared, at, slack)]
    yield line[now].slots, _by_receipt(line[now]), ""
    others += _unseen(line, now, at, declared, slack)
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
    line: Sequence[Stretch], now: int, at: datetime, declared: Sequence[Declaration], slack: timedelta
) -> Iterator[_State]:
    """Yield what git declared, for which there is no receipt: a switch that nobody may have seen.

    That is all that was declared after what the receipts tell, until what followed it in git was a `LAG` old:
    a merge is not live at once, and to have seen the state before it says nothing of the time after.
    """
    stretch = line[now]
    # A later receipt of the same state proves nothing about the time before it.
    seen = later(min(stretch.seen, at), slack)
    told = _first_shown(declared, stretch, seen)
    for index, one in enumerate(declared):
        if one.slots is None or one.since > later(at, slack):
            continue
        if not _holds(stretch, one, seen):
            following = declared[index + 1].since if index + 1 < len(declared) else None
            over = following is not None and following <= earlier(at, LAG)
            if index <= told or over or _left(line, now, declared, index, slack):
                continue
            if _came_later(line, now, declared, index, slack):
                continue
        said = f"git declares another state since {one.commit.short}, and no receipt says whether it was live"
        yield one.slots, _by_git(one), said


def _first_shown(declared: Sequence[Declaration], stretch: Stretch, seen: datetime) -> int:
    """Return the index of the first declaration that a stretch may show.

    Where nobody declared it, it is the one before that which stood when it was seen last. What one pod
    shows, any declaration may have let it.
    """
    if _partial(stretch):
        return -1
    found = standing = -1
    for index, one in enumerate(declared):
        if one.since > seen:
            break
        standing = index
        if answering(one.slots or ()) == stretch.answering:
            before = found if found >= 0 and declared[found + 1].since > earlier(stretch.since, LAG) else -1
            found = before if before >= 0 else index
    return found if found >= 0 else standing - 1


def _left(
    line: Sequence[Stretch], now: int, declared: Sequence[Declaration], index: int, slack: timedelta
) -> bool:
    """Whether a declaration was seen live already, and left for the present state, or given up long ago.

    What was declared again at about that time may have been seen for the other one. A source that sees one
    pod at a time does not say that the others are gone.
    """
    stretch, one = line[now], declared[index]
    if _partial(stretch):
        return False
    if stretch.since > later(one.since, LAG):
        return True
    mine, first = answering(one.slots or ()), earlier(one.since, slack)
    again = any(
        answering(other.slots or ()) == mine
        and other.since <= later(stretch.since, slack)
        and declared[at + 1].since >= earlier(first, slack)
        for at, other in enumerate(declared[:-1])
        if at != index
    ) or (index != len(declared) - 1 and answering(declared[-1].slots or ()) == mine)
    return not again and any(
        # By clocks that lie, what is told minutes apart may have come the other way round.
        other.answering == mine and first <= other.since <= earlier(stretch.since, slack)
        for other in line[:now]
    )


def _partial(stretch: Stretch) -> bool:
    """Whether the source shows what one pod answers with, and not what answers beside it."""
    return any(one.source in PARTIAL for one in stretch.receipts)


def _holds(stretch: Stretch, one: Declaration, seen: datetime) -> bool:
    """Whether the pod that was seen is one of a declaration that has others beside it."""
    shown = {(slot.slot, slot.digest) for slot in stretch.slots if slot.share > 0}
    return (
        _partial(stretch)
        and one.since <= seen
        and shown <= {(slot.slot, slot.digest) for slot in one.slots or () if slot.share > 0}
    )


def _came_later(
    line: Sequence[Stretch], now: int, declared: Sequence[Declaration], index: int, slack: timedelta
) -> bool:
    """Whether the next receipt is the switch to this very declaration, by a source that tells when it was."""
    if now + 1 >= len(line) or not line[now + 1].exact or _partial(line[now]):
        return False
    following, one = line[now + 1], declared[index]
    return (
        following.answering == answering(one.slots or ())
        and one.since <= later(following.since, slack)
        and declared_at(declared, later(following.since, slack)) is one
    )


def _declared_alone(declared: Sequence[Declaration], at: datetime, slack: timedelta) -> list[Candidate]:
    """Return what git declared, where no receipt reaches back."""
    return [_by_git(one)(slot) for one in _about(declared, at, slack) for slot in one.slots or ()]


def _about(declared: Sequence[Declaration], at: datetime, slack: timedelta) -> Iterator[Declaration]:
    """Yield what was declared at some instant between a `LAG` before and the slack after."""
    first = declared_at(declared, earlier(at, LAG))
    for one in declared:
        if one is first or earlier(at, LAG) < one.since <= later(at, slack):
            yield one


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
