"""Which version answered a request: what the evidence says, and what it does not. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from modelspec.spec.instant import earlier, later
from modelspec.spec.receipt import ReceiptSlot
from modelspec.trace.declared import Declaration, declared_at
from modelspec.trace.receipts import Stretch, answering
from modelspec.trace.served import SLACK, Then
from modelspec.tree.digest import short
from modelspec.tree.text import plural

Grade = Literal["stamp", "receipt", "declared", "witness"]
GRADES: Final[dict[Grade, str]] = {
    "stamp": "the record carries its stamp",
    "receipt": "receipts of that instant say that it served, and nothing else did",
    "declared": "git declared it then; no receipt proves that it was live",
    "witness": "of all that may have answered, it alone gives this answer again",
}
"""How a version is known, from the best evidence to the least."""
LAG: Final = timedelta(hours=1)
"""How long after a merge an environment may still serve what was declared before, where no receipt tells."""
LEAST_STAMP: Final = 12
"""The fewest hex digits by which a stamp names a version."""
IDLE: Final = frozenset({"shadow", "standby"})
Agreement = Literal["agrees", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class Place:
    """One environment at the time of the request: what may have served by receipts, and what git declared.

    `lines` are the stretches that receipts tell, of each cluster.
    """

    environment: str
    then: Then
    declared: tuple[Declaration, ...] = ()
    lines: tuple[Sequence[Stretch], ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about who answered one request.

    `stamped` are the digests that the record's stamp may stand for: None without a stamp, empty when no
    version has it. `slot` is what the record says of it. `places` are the environments in question.
    """

    time: datetime | None
    stamped: tuple[str, ...] | None = None
    slot: str | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspect:
    """A version that may have answered: where and in which slot (`production canary`), and what says so."""

    digest: str
    where: tuple[str, ...]
    evidence: tuple[str, ...]
    agreement: Agreement | None = None
    """What its replay said; None where it was not asked."""
    note: str = ""
    """What its replay says in words, or why there is none."""


@dataclass(frozen=True, slots=True)
class Identified:
    """The answer: the version's digest with the grade of its evidence, or None with the candidates.

    `why` are whole sentences: what the grade alone does not say.
    """

    digest: str | None
    grade: Grade | None
    candidates: tuple[Suspect, ...]
    why: tuple[str, ...]

    @property
    def askable(self) -> bool:
        """Whether a replay of the candidates could tell more."""
        return bool(self.candidates) and self.grade != "stamp"


def named_by(stamp: str, digests: Iterable[str]) -> tuple[str, ...]:
    """Return the digests that a stamp stands for: `sha256-<hex>`, its end perhaps cut off; sorted."""
    wanted = stamp.removeprefix("sha256-").removeprefix("sha256:").lower()
    if len(wanted) < LEAST_STAMP or not set(wanted) <= set("0123456789abcdef"):
        return ()
    return tuple(sorted({digest for digest in digests if digest.removeprefix("sha256:").startswith(wanted)}))


def identify(evidence: Evidence) -> Identified:
    """Return who answered: by stamp, else by receipts, else by what git declared."""
    found = [one for place in evidence.places for one in _suspected(place, evidence)]
    if evidence.stamped is not None:
        return _by_stamp(evidence, evidence.stamped, found)
    if evidence.time is None:
        why = "The record has neither a stamp nor a time, and its id tells none: say when, with --around."
        return Identified(None, None, (), (why,))
    unseen = [(place, one) for place in evidence.places for one in _unseen(place, evidence.time)]
    found += [suspect for place, one in unseen for suspect in _by_git(place, one)]
    suspects = _merged(found)
    said = [_sentence(doubt) for place in evidence.places for doubt in place.then.doubts]
    said += [
        _sentence(f"no receipt says when what {one.commit.short} declares was live") for _, one in unseen
    ]
    doubts = tuple(dict.fromkeys(said))
    reached = all(place.then.reached for place in evidence.places)
    if not suspects:
        return Identified(None, None, (), (*doubts, "Nothing was declared or seen that answers then."))
    if len(suspects) == 1 and not doubts:
        return Identified(suspects[0].digest, "receipt", suspects, ())
    if len(suspects) == 1 and not reached:
        return Identified(suspects[0].digest, "declared", suspects, doubts)
    count = f"{plural(len(suspects), 'version')} may have answered."
    return Identified(None, None, suspects, (*doubts, count))


def _by_stamp(evidence: Evidence, stamped: Sequence[str], found: Sequence[Suspect]) -> Identified:
    if not stamped:
        why = "No version has the record's stamp: not in the files, the retired lines or the history here."
        return Identified(None, None, (), (why,))
    known = {one.digest: one for one in _merged(found)}
    suspects = tuple(known.get(digest, Suspect(digest, (), ())) for digest in stamped)
    if len(stamped) > 1:
        why = f"The stamp is cut so short that {len(stamped)} versions have it."
        return Identified(None, None, suspects, (why,))
    unexpected = evidence.time is not None and evidence.places and stamped[0] not in known
    why = "Neither a receipt nor a pin has it there at that time: an observation is missing, or a clock lies."
    return Identified(stamped[0], "stamp", suspects, (why,) if unexpected else ())


def _unseen(place: Place, time: datetime) -> Iterable[Declaration]:
    """Yield the declarations of about that time whose deployment no receipt tells: they may have been live.

    One is accounted for where receipts show it as live and gone, or as live later; and where what receipts
    show for the instant is the deployment of a later declaration. Receipts of one state that follow one
    another prove nothing about the time between them: what came and went there may be lost.
    """
    for line in place.lines:
        now = next((at for at in range(len(line) - 1, -1, -1) if line[at].since <= time), None)
        if now is None:
            continue
        window = list(_about(place.declared, time))
        for one in window:
            live = answering(one.slots or ())
            if not live or live == line[now].answering or _is_accounted(line, now, one, live, time):
                continue
            # Near its beginning what was before it may still have answered.
            firm = line[now].since <= earlier(time, SLACK)
            later_ones = [other for other in place.declared if other.since > one.since]
            if firm and any(_deploys(line[now], other) for other in later_ones):
                continue
            yield one


def _about(declared: Sequence[Declaration], time: datetime) -> Iterable[Declaration]:
    """Yield what was declared at some instant between a lag before and a slack after."""
    first, last = declared_at(declared, earlier(time, LAG)), later(time, SLACK)
    for one in declared:
        if one is first or earlier(time, LAG) < one.since <= last:
            yield one


def _deploys(stretch: Stretch, one: Declaration) -> bool:
    """Whether a stretch began as the deployment of a declaration: the same state, not long after it."""
    begins = earlier(one.since, SLACK)
    return stretch.answering == answering(one.slots or ()) and begins <= stretch.since <= later(
        one.since, LAG
    )


def _is_accounted(
    line: Sequence[Stretch], now: int, one: Declaration, live: frozenset[str], time: datetime
) -> bool:
    for index, stretch in enumerate(line):
        if stretch.answering != live or not _deploys(stretch, one):
            continue
        if index > now:
            return True
        ended = line[index + 1].since
        if ended <= earlier(time, SLACK):
            return True
    return False


def _by_git(place: Place, one: Declaration) -> Iterable[Suspect]:
    words = f"declared by {one.commit.short} of {one.since:%Y-%m-%dT%H:%M:%SZ}; no receipt of it"
    for slot in one.slots or ():
        if slot.share > 0:
            yield Suspect(slot.digest, (f"{place.environment} {slot.slot}",), (words,))


def _is_steady(place: Place, time: datetime) -> bool:
    """Whether nothing changed about that time, so that the slot on a record says which version it was."""
    lines = [line for line in place.lines if line]
    if any(abs(one.since - time) <= SLACK for line in lines for one in line):
        return False
    return all(not earlier(time, LAG) < one.since <= later(time, SLACK) for one in place.declared)


def _suspected(place: Place, evidence: Evidence) -> Iterable[Suspect]:
    """Yield what may have answered in one environment; the slot that the record names narrows it down."""
    told = [(one.digest, one.slot, one.share, one.evidence) for one in place.then.candidates]
    if not place.then.reached and evidence.time is not None:
        told += _lagging(place, evidence.time)
    mine = [row for row in told if evidence.slot is not None and row[1] in (evidence.slot, "unknown")]
    sharing = [row for row in told if row[2] > 0 and row[1] not in IDLE]
    # Versions change their slots in a rollout: then a slot names nobody.
    steady = evidence.time is None or _is_steady(place, evidence.time)
    chosen = (mine if steady else [*mine, *sharing]) or sharing
    for digest, slot, _, words in chosen:
        yield Suspect(digest, (f"{place.environment} {slot}",), (words,))


def _lagging(place: Place, time: datetime) -> Iterable[tuple[str, str, float, str]]:
    """Yield what was declared a little earlier or later: a merge is not live at once, and clocks differ."""
    for one in _about(place.declared, time):
        words = f"declared by {one.commit.short} of {one.since:%Y-%m-%dT%H:%M:%SZ}; no receipt of it"
        slots: tuple[ReceiptSlot, ...] = one.slots or ()
        yield from ((slot.digest, slot.slot, slot.share, words) for slot in slots)


def _merged(found: Iterable[Suspect]) -> tuple[Suspect, ...]:
    kept: dict[str, Suspect] = {}
    for one in found:
        other = kept.get(one.digest)
        if other is not None:
            where = tuple(dict.fromkeys((*other.where, *one.where)))
            one = Suspect(one.digest, where, tuple(dict.fromkeys((*other.evidence, *one.evidence))))
        kept[one.digest] = one
    return tuple(kept[digest] for digest in sorted(kept))


def witnessed(
    found: Identified, replays: Mapping[str, tuple[Agreement, str]], artifacts: Mapping[str, str | None]
) -> Identified:
    """Return the answer after the candidates were asked again.

    `replays` says of a digest whether its replay gives the logged answer and what that was, `artifacts` which
    artifact it runs. The one that agrees is named only when every other one was asked as well and differs. A
    version that was named by receipts or by git, and whose own replay differs, is named no more.
    """
    silent: tuple[Agreement, str] = ("unknown", "not asked")
    said = {one.digest: replays.get(one.digest, silent) for one in found.candidates}
    candidates = tuple(
        replace(one, agreement=said[one.digest][0], note=said[one.digest][1]) for one in found.candidates
    )
    agree = [one.digest for one in candidates if one.agreement == "agrees"]
    unasked = [one.digest for one in candidates if one.agreement == "unknown"]
    found = replace(found, candidates=candidates)
    if found.digest is not None:
        if agree or unasked:
            why = ("Its replay gives the logged answer.",) if agree else ()
            return replace(found, why=(*found.why, *why))
        why = (
            f"The replay of {short(found.digest)} gives another answer than the logged one: it is not named.",
        )
        return replace(found, digest=None, grade=None, why=(*found.why, *why))
    if len(agree) == 1 and not unasked:
        why = (f"{plural(len(candidates) - 1, 'other')} asked as well: none gives that answer.",)
        return replace(found, digest=agree[0], grade="witness", why=(*found.why, *why))
    return replace(found, why=(*found.why, *_undecided(candidates, agree, unasked, artifacts)))


def _undecided(
    candidates: Sequence[Suspect],
    agree: Sequence[str],
    unasked: Sequence[str],
    artifacts: Mapping[str, str | None],
) -> Iterable[str]:
    if len(agree) > 1:
        same = len({artifacts.get(digest) for digest in agree}) == 1
        told = "they share their artifact, and no replay tells them apart" if same else "all of them give it"
        yield f"{len(agree)} candidates give the logged answer: {told}."
    elif len(agree) == 1:
        yield f"{short(agree[0])} gives the logged answer, but not every other candidate could be asked."
    elif unasked:
        yield "Not every candidate could be asked again."
    elif candidates:
        yield "No candidate gives the logged answer: another version answered, or the log is not exact."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
