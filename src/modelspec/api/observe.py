"""`observe`: from what a serving system shows to receipts, and to what somebody has to mend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Final

from modelspec.api.at import DeclaredPin
from modelspec.spec.instant import later
from modelspec.spec.receipt import Receipt, ReceiptSlot, written
from modelspec.trace.declared import slots_of
from modelspec.trace.receipts import AHEAD
from modelspec.trace.stamps import LEAST, Versions
from modelspec.tree.observed import Observation, Seen, Unclear
from modelspec.tree.paths import NAME
from modelspec.tree.text import visible

EVIDENCE: Final = 300
"""The most characters of a receipt's evidence."""
_FOLDER: Final = re.compile(rf"(?:.*/)?compiled/({NAME})(?:/models/({NAME})(?:/.*)?)?/?")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Applied:
    """A commit that was applied: its id, when it was made by its own word, and the pins of an environment."""

    commit: str
    made: datetime
    pins: Sequence[DeclaredPin]


PinsAt = Callable[[str], Applied | None]
"""From an id of a commit, perhaps shortened, to what it says; None when it is none of this repository."""


@dataclass(slots=True)
class Observed:
    """What came of a look: receipts, what is to be mended (`wrong`), and what was left out and why."""

    receipts: list[Receipt] = field(default_factory=list)
    wrong: list[Unclear] = field(default_factory=list)
    notes: list[Unclear] = field(default_factory=list)


def observed(
    seen: Iterable[Seen],
    environment: str,
    now: datetime,
    versions: Versions,
    pins_at: PinsAt,
    cluster: str | None = None,
) -> Observed:
    """Return the receipts of what was seen in an environment, at an instant of our own clock."""
    found = Observed()
    applied: dict[tuple[str, str | None], list[tuple[datetime, Receipt]]] = {}
    states = list(seen)
    newest = {one.place: one for one in states if isinstance(one, Observation)}
    for one in states:
        if isinstance(one, Unclear):
            (found.wrong if one.wrong else found.notes).append(one)
            continue
        if one.environment not in (None, environment):
            said = f"it serves {visible(one.environment or '')}, not {environment}: left out"
            found.notes.append(Unclear(one.place, said))
            continue
        since = _since(one, now, found)
        if since is None:
            continue
        made = _Making(one, environment, since, now, cluster, found, newest[one.place] is one)
        if one.revisions:
            applied.setdefault((one.place, one.path), []).extend(made.of_revision(pins_at))
        else:
            found.receipts += made.of_stamps(versions)
    for line in applied.values():
        found.receipts += _with_removals(line)
    return found


def _since(one: Observation, now: datetime, found: Observed) -> datetime | None:
    """Return when it began, at the latest now; None, and a finding, for a time that is yet to come."""
    if one.since is None or one.since <= now:
        return one.since or now
    if one.since <= later(now, AHEAD):
        return now
    found.wrong.append(
        Unclear(
            one.place,
            f"it says that it began at {written(one.since)}, and now is {written(now)}: a clock lies",
            "set the clocks right, the source's or this machine's, and observe again",
            wrong=True,
        )
    )
    return None


@dataclass(frozen=True, slots=True)
class _Making:
    """Makes the receipts of one observation."""

    one: Observation
    environment: str
    since: datetime
    now: datetime
    cluster: str | None
    found: Observed
    newest: bool

    def of_stamps(self, versions: Versions) -> Iterator[Receipt]:
        """Yield the receipt of a state that was told by stamps; none, and findings, for stamps of nobody."""
        slots: list[ReceiptSlot] = []
        model = self.one.model
        for shown in self.one.slots:
            hits = versions.by_stamp(shown.stamp, self.one.model)
            if len(hits) != 1:
                self.found.wrong.append(self._unknown(shown.stamp, len(hits)))
                return
            if model not in (None, hits[0].model):
                said = f"it serves versions of two models: {visible(model or '')} and {hits[0].model}"
                self.found.wrong.append(Unclear(self.one.place, said, wrong=True))
                return
            model = hits[0].model
            slots.append(ReceiptSlot(slot=_slot(shown.slot), digest=hits[0].digest, share=shown.share))
        if model is not None and re.fullmatch(NAME, model):
            yield self._receipt(model, slots, None, self.since)

    def of_revision(self, pins_at: PinsAt) -> Iterator[tuple[datetime, Receipt]]:
        """Yield (since, receipt) for each model that is pinned at the commit that was applied."""
        folder = _FOLDER.fullmatch(self.one.path or "")
        if folder is not None and folder[1] != self.environment:
            said = f"it applies {visible(self.one.path or '')}, not {self.environment}: left out"
            self.found.notes.append(Unclear(self.one.place, said))
            return
        known = next(
            filter(None, (pins_at(one) for one in self.one.revisions if _COMMIT.fullmatch(one))), None
        )
        if known is None:
            self.found.wrong.append(
                Unclear(
                    self.one.place,
                    f"it applied {visible(self.one.revisions[0][:40])}, which is no commit here",
                    "git fetch; and if it deploys from another one, observe what it deploys, by its stamps",
                    wrong=True,
                )
            )
            return
        since = self.since
        if self.one.renamed and since < known.made:
            # What gave the same before this commit may be another pin's doing, or what a revert came back to.
            if not self.newest:
                return
            since = self.now
        for pin in known.pins:
            if folder is not None and folder[2] not in (None, pin.model):
                continue
            if pin.pin is None:
                said = f"{pin.path} can't be read at {known.commit[:12]}, which it applied"
                self.found.wrong.append(Unclear(self.one.place, said, wrong=True))
                continue
            yield since, self._receipt(pin.model, slots_of(pin.pin), known.commit, since)

    def _receipt(
        self, model: str, slots: Sequence[ReceiptSlot], commit: str | None, since: datetime
    ) -> Receipt:
        return Receipt(
            environment=self.environment,
            model=model,
            slots=tuple(sorted(slots, key=attrgetter("slot", "digest"))),
            since=written(since),
            observed=written(max(self.now, since)),
            commit=commit,
            cluster=self.cluster,
            source=self.one.source,
            evidence=visible(self.one.evidence, EVIDENCE),
        )

    def _unknown(self, stamp: str, hits: int) -> Unclear:
        shown = visible(stamp.replace("sha256-", "sha256:"))
        whose = f"version of {visible(self.one.model)}" if self.one.model else "version of any model"
        if hits:
            return Unclear(
                self.one.place, f"its stamp {shown} is so short that {hits} versions have it", wrong=True
            )
        return Unclear(
            self.one.place,
            f"its stamp {shown} is that of no {whose}, now or before",
            "git fetch; if it stays unknown, it was deployed past the registry: register it, or roll back"
            if len(stamp) >= LEAST
            else f"a stamp has at least {LEAST} hex digits: compile again with this version of modelspec",
            wrong=True,
        )


def _with_removals(line: list[tuple[datetime, Receipt]]) -> Iterator[Receipt]:
    """Yield the receipts of one source's history, and that a model went where a later revision lacks it."""
    states: dict[str, dict[str, Receipt]] = {}
    for _, receipt in sorted(line, key=lambda item: item[0]):
        states.setdefault(receipt.since, {})[receipt.model] = receipt
        yield receipt
    before: dict[str, Receipt] = {}
    for since, now in states.items():
        some = next(iter(now.values()))
        for model in sorted(before.keys() - now.keys()):
            yield some.model_copy(update={"model": model, "slots": (), "since": since})
        before = now


def _slot(name: str) -> str:
    return name if re.fullmatch(NAME, name) else "unknown"
