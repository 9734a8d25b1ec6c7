"""Which version answered a request: what the evidence says, and what it does not. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from modelspec.spec.instant import earlier, later
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import Stretch, answering
from modelspec.trace.served import LAG, SLACK, Then
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
    suspects = _merged(found)
    doubts = tuple(
        dict.fromkeys(_sentence(doubt) for place in evidence.places for doubt in place.then.doubts)
    )
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


def _is_steady(place: Place, time: datetime) -> bool:
    """Whether one state alone comes into question, so that the slot on a record says which version it was.

    Versions that change places in the same slots are no doubt of who answered, but of which slot they had.
    """
    lines = [line for line in place.lines if line]
    if not place.then.certain or any(abs(one.since - time) <= SLACK for line in lines for one in line):
        return False
    known = {(one.slot, one.digest) for one in place.then.candidates if one.share > 0}
    return all(
        {(slot.slot, slot.digest) for slot in one.slots or () if slot.share > 0} <= known
        for one in place.declared
        if earlier(time, LAG) < one.since <= later(time, SLACK)
        and answering(one.slots or ()) <= place.then.answering
    )


def _suspected(place: Place, evidence: Evidence) -> Iterable[Suspect]:
    """Yield what may have answered in one environment; the slot that the record names narrows it down."""
    told = [(one.digest, one.slot, one.share, one.evidence) for one in place.then.candidates]
    mine = [row for row in told if evidence.slot is not None and row[1] in (evidence.slot, "unknown")]
    sharing = [row for row in told if row[2] > 0 and row[1] not in IDLE]
    # Versions change their slots in a rollout: then a slot names nobody.
    steady = evidence.time is None or _is_steady(place, evidence.time)
    chosen = (mine if steady else [*mine, *sharing]) or sharing
    for digest, slot, _, words in chosen:
        yield Suspect(digest, (f"{place.environment} {slot}",), (words,))


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
