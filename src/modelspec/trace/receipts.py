"""Receipts folded to stretches: what a place served from when to when; and which receipts say something new.

Several observers tell the same change, each with its own clock and its own field of view. Receipts of one
state that follow one another are one stretch, which begins at the earliest `since`.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from modelspec.spec.instant import later
from modelspec.spec.receipt import Receipt, ReceiptSlot, at, parse_receipt
from modelspec.tree.text import visible

Key = tuple[str, str, str]
"""Environment, model, and the cluster ("" for the only one)."""
SHARE: Final = 0.01
"""Percent by which two shares may differ and be the same: 66.67 and two thirds."""
ANY_SLOT: Final = "unknown"
PODS: Final = frozenset({"kubernetes", "kserve"})
"""Sources that tell since when the pods of today are up: a state is older than the last of its restarts."""
AHEAD: Final = timedelta(minutes=5)
"""How far another clock may be ahead of ours; what is further ahead is no time of a deployment."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A receipt with its two times read."""

    since: datetime
    observed: datetime
    receipt: Receipt

    @property
    def exact(self) -> bool:
        """Whether the source said when; else it began at `since` at the latest."""
        return self.since < self.observed and self.receipt.source not in PODS

    @property
    def order(self) -> tuple[datetime, datetime]:
        """What sorts receipts: by the beginning of what they tell."""
        return (self.since, self.observed)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time without a change, as receipts tell it. `until` is when the next one begins, None while it lasts.

    `exact`: some source said when it began; else `since` is when it was first seen. `seen` is the last
    observation of it that was written down. No slots: nothing was served.
    """

    environment: str
    model: str
    cluster: str | None
    slots: tuple[ReceiptSlot, ...]
    since: datetime
    seen: datetime
    exact: bool
    commit: str | None
    receipts: tuple[Receipt, ...]
    until: datetime | None = None

    @property
    def answering(self) -> frozenset[str]:
        """The digests that took a share of the requests."""
        return answering(self.slots)


def answering(slots: Iterable[ReceiptSlot]) -> frozenset[str]:
    """Return the digests that take a share of the requests."""
    return frozenset(slot.digest for slot in slots if slot.share > 0)


Stretches = Mapping[Key, Sequence[Stretch]]


def dated(receipt: Receipt) -> Dated:
    """Return a receipt with its times."""
    return Dated(at(receipt.since), at(receipt.observed), receipt)


def key(receipt: Receipt) -> Key:
    """Return what a receipt is about."""
    return (receipt.environment, receipt.model, receipt.cluster or "")


def fold(receipts: Iterable[Receipt]) -> Stretches:
    """Return the stretches of each place, oldest first."""
    lines: dict[Key, list[Dated]] = {}
    for receipt in receipts:
        lines.setdefault(key(receipt), []).append(dated(receipt))
    return {place: _stretches(sorted(line, key=attrgetter("order"))) for place, line in sorted(lines.items())}


def news(known: Iterable[Receipt], seen: Iterable[Receipt]) -> list[Receipt]:
    """Return those of `seen` that say something that `known` does not: a change, or an earlier beginning, or
    the commit of a stretch whose commit nobody told.

    Receipts that are in neither sense new are left out, also those that repeat one another.
    """
    lines: dict[Key, list[Dated]] = {}
    for receipt in known:
        lines.setdefault(key(receipt), []).append(dated(receipt))
    for line in lines.values():
        line.sort(key=attrgetter("order"))
    found = []
    for one in sorted(map(dated, seen), key=attrgetter("order")):
        line = lines.setdefault(key(one.receipt), [])
        if not _known(line, one):
            found.append(one.receipt)
            insort(line, one, key=attrgetter("order"))
    return found


def judged(
    saved: Iterable[tuple[str, bytes]], now: datetime, environments: Iterable[str]
) -> tuple[list[Receipt], list[tuple[str, str]]]:
    """Return the receipts that others saved, by (place, JSON), and what is none: (place, why)."""
    known = frozenset(environments)
    receipts: list[Receipt] = []
    bad: list[tuple[str, str]] = []
    for place, data in saved:
        found = parse_receipt(data)
        if isinstance(found, str):
            bad.append((place, found))
        elif found.environment not in known:
            bad.append((place, f"this registry has no environment {visible(found.environment)}"))
        elif at(found.observed) > later(now, AHEAD):
            bad.append((place, f"it says that it was seen at {found.observed}, which is yet to come"))
        else:
            receipts.append(found)
    return receipts, bad


def kept(receipts: Iterable[Receipt], horizon: datetime) -> list[Receipt]:
    """Return the receipts that a horizon keeps: those of every stretch that lasts beyond it.

    So what was served at any instant from the horizon on is told as before.
    """
    return [
        receipt
        for line in fold(receipts).values()
        for stretch in line
        if stretch.until is None or stretch.until > horizon
        for receipt in stretch.receipts
    ]


def _known(line: Sequence[Dated], one: Dated) -> bool:
    """Whether a sorted line of receipts says already what another one says."""
    before = line[: bisect_right(line, one.since, key=attrgetter("since"))]
    at_once = list(_at_once(before, one.since))
    if len(at_once) == len(before) and not one.receipt.slots:
        # Before the first state there was nothing.
        return True
    if any(_repeats(one, other) for other in at_once):
        return True
    # Of two states at one instant, the one that was there before is not new.
    earlier_ones = _last_group(before[: len(before) - len(at_once)])
    for group in (_last_group(before), earlier_ones, *([other] for other in at_once)):
        if group and _same(group, one):
            return one.receipt.commit is None or any(other.receipt.commit for other in group)
    return False


def _stretches(line: Sequence[Dated]) -> tuple[Stretch, ...]:
    groups: list[list[Dated]] = []
    for one in line:
        if groups and _same(groups[-1], one):
            groups[-1].append(one)
        else:
            groups.append([one])
    found = [_stretch(group) for group in groups]
    after = [stretch.since for stretch in found[1:]]
    return tuple(replace(stretch, until=until) for stretch, until in zip(found, [*after, None], strict=True))


def _stretch(group: Sequence[Dated]) -> Stretch:
    first = group[0]
    fullest = max(group, key=lambda one: len(one.receipt.slots))
    return Stretch(
        environment=first.receipt.environment,
        model=first.receipt.model,
        cluster=first.receipt.cluster,
        slots=tuple(sorted(fullest.receipt.slots, key=attrgetter("slot", "digest"))),
        since=first.since,
        seen=max(one.observed for one in group),
        exact=first.exact,
        commit=next((one.receipt.commit for one in group if one.receipt.commit), None),
        receipts=tuple(one.receipt for one in group),
    )


def _last_group(line: Sequence[Dated]) -> Sequence[Dated]:
    """Return the receipts at the end of a line that tell one state."""
    start = max(len(line) - 1, 0)
    while start > 0 and _same([line[start - 1]], line[start]):
        start -= 1
    return line[start:]


def _at_once(line: Sequence[Dated], since: datetime) -> Iterator[Dated]:
    """Yield the receipts at the end of a line that begin at an instant."""
    for other in reversed(line):
        if other.since != since:
            return
        yield other


def _repeats(one: Dated, other: Dated) -> bool:
    """Whether one source says again what it said of the same instant."""
    mine, theirs = one.receipt, other.receipt
    return mine.source == theirs.source and _equal(mine.slots, theirs.slots)


def _same(group: Sequence[Dated], one: Dated) -> bool:
    """Whether a receipt tells the state that the receipts of a group tell.

    A source knows its own field of view, so what it told before counts to the last slot. Another source
    may see less (an endpoint does not show what stands by): then what answers has to be the same, and what
    takes no share where both name it.
    """
    own = [other for other in group if other.receipt.source == one.receipt.source]
    if own:
        return _equal(own[-1].receipt.slots, one.receipt.slots)
    return _agree(max((other.receipt.slots for other in group), key=len), one.receipt.slots)


def _equal(some: Sequence[ReceiptSlot], others: Sequence[ReceiptSlot]) -> bool:
    mine, theirs = _sorted(some), _sorted(others)
    return len(mine) == len(theirs) and all(map(_alike, mine, theirs))


def _agree(some: Sequence[ReceiptSlot], others: Sequence[ReceiptSlot]) -> bool:
    mine, theirs = _answering(some), _answering(others)
    if len(mine) != len(theirs):
        return False
    if ANY_SLOT in {slot.slot for slot in (*mine, *theirs)}:
        if sorted(slot.digest for slot in mine) != sorted(slot.digest for slot in theirs):
            return False
    elif not all(map(_alike, mine, theirs)):
        return False
    idle = {slot.slot: slot.digest for slot in some if slot.share == 0}
    return all(idle.get(slot.slot, slot.digest) == slot.digest for slot in others if slot.share == 0)


def _alike(one: ReceiptSlot, other: ReceiptSlot) -> bool:
    return one.slot == other.slot and one.digest == other.digest and abs(one.share - other.share) <= SHARE


def _answering(slots: Sequence[ReceiptSlot]) -> list[ReceiptSlot]:
    return _sorted([slot for slot in slots if slot.share > 0])


def _sorted(slots: Sequence[ReceiptSlot]) -> list[ReceiptSlot]:
    return sorted(slots, key=attrgetter("slot", "digest"))
