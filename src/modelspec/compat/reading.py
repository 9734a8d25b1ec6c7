"""Which served schema a version reads, and what that does to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from modelspec.compat.fields import FieldJudgement, SchemaJudgement, judge
from modelspec.compat.reads import reads
from modelspec.compat.table import Verdict
from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Revalidation
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import MODEL, SCHEMA, VERSION, VIEW
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.text import visible

Fields = tuple[str, ...] | None
Demands = tuple[tuple[str, str, Fields], ...]
"""(view, schema that it was trained on, fields) of all that a version reads."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an environment serves of one view: `current` to anybody, `numbered` to who asks by number."""

    access: Literal["current", "numbered"]
    refs: tuple[str, ...]

    @classmethod
    def of(cls, pin: FeaturePin) -> Offer:
        """Return what a feature pin offers."""
        return cls(pin.access, pin.serves)


@dataclass(frozen=True, slots=True)
class Reading:
    """One view as a version would read it: trained on one schema, served another (or the same).

    `served` is None when the environment serves nothing of the view; `judgement` is None when both
    schemas are the same one, or when one of them could not be read (then `trouble` says so). `withdrawn`
    is why the view's owners took the served one back: nobody should read it, whatever it means to them.
    """

    view: str
    trained: str
    fields: Fields
    served: str | None
    judgement: SchemaJudgement | None
    verdict: Verdict
    lifted: Revalidation | None = None
    trouble: str | None = None
    withdrawn: str | None = None

    @property
    def fits(self) -> bool:
        """Whether it means the same to the version: it is safe, or a recorded revalidation lifts it."""
        return self.verdict is Verdict.S or self.lifted is not None

    @property
    def stands(self) -> bool:
        """Whether the version may read this: it fits, and is not withdrawn."""
        return self.fits and self.withdrawn is None

    @property
    def told(self) -> str:
        """What is wrong with it, in one line; "" when it may be read."""
        if self.withdrawn is None:
            return self.told_of_meaning
        gone = f"{self.view} {ref_name(self.served or '')} is withdrawn: {visible(self.withdrawn)}"
        return gone if self.fits else f"{gone}; {self.told_of_meaning}"

    @property
    def told_of_meaning(self) -> str:
        """What is wrong with what it means to the version, in one line; "" when that is safe."""
        if self.trouble is not None:
            return self.trouble
        if self.judgement is None or self.verdict is Verdict.S:
            return ""
        if self.judgement.absent:
            names = ", ".join(self.judgement.absent[:3])
            return f"{self.view} {ref_name(self.trained)} itself has no {names}"
        return explained(self.judgement)


_SHOWN = 3


def explained(judgement: SchemaJudgement) -> str:
    """Return the changes that make the verdict in one line; the rest is counted.

    Where the transformation is another kind, the unit and the range follow from it and are left out.
    """
    lines: list[str] = []
    for field in judgement.fields:
        kinds = [change for change in field.changes if change.row == "transform-kind"]
        lines += [one.message for one in kinds or field.changes if one.verdict is judgement.verdict]
    lines += [one.message for one in judgement.shared if one.verdict is judgement.verdict]
    more = len(lines) - _SHOWN
    return "; ".join(lines[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


class Judgements:
    """Judges pairs of schemas of a registry, each pair and set of fields once.

    Schemas are known by the content of their files, so that head and base may share one memory.
    """

    def __init__(self, registry: Registry, known: dict[object, SchemaJudgement] | None = None) -> None:
        self.registry = registry
        self.known: dict[object, SchemaJudgement] = {} if known is None else known
        self._schemas: dict[tuple[str, str], Entry[FeatureSchema] | None] = {}
        self._versions: dict[tuple[str, str], Entry[ModelVersion] | None] = {}
        self._wanted: dict[str, dict[str, Fields]] = {}
        self._demands: dict[tuple[str, str], Demands | None] = {}
        self._withdrawn: dict[str, frozenset[str]] = {}
        self._fields: dict[tuple[str, str], dict[str, FieldJudgement]] = {}
        self._serveable: dict[str, list[str]] = {}
        self._taken_back: dict[str, dict[str, str]] = {}
        self._met: dict[object, tuple[Reading, ...]] = {}

    def sharing(self, registry: Registry) -> Judgements:
        """Return judgements of another registry that share what depends on the content of files alone."""
        found = Judgements(registry, self.known)
        found._wanted, found._fields = self._wanted, self._fields
        return found

    def version(self, model: str, ref: str) -> Entry[ModelVersion] | None:
        """Return a published version by its reference (or its bare number), or None."""
        key = (model, ref)
        if key not in self._versions:
            self._versions[key] = self.registry.value(VERSION, model, ref_name(ref))
        return self._versions[key]

    def wanted(self, version: Entry[ModelVersion]) -> dict[str, Fields]:
        """Return the fields that a version reads of each view, worked out once."""
        found = self._wanted.get(version.blob)
        if found is None:
            found = self._wanted[version.blob] = reads(version.value)
        return found

    def demands(self, model: str, ref: str) -> Demands | None:
        """Return what a version reads, as a value: versions that read the same are equal. None if unknown."""
        key = (model, ref)
        if key not in self._demands:
            entry = self.version(model, ref)
            found = None
            if entry is not None:
                wanted = self.wanted(entry)
                found = tuple((one.view, one.schema_, wanted[one.view]) for one in entry.value.feature_refs)
            self._demands[key] = found
        return self._demands[key]

    def withdrawn(self, model: str) -> frozenset[str]:
        """Return the numbers of a model's withdrawn versions."""
        if model not in self._withdrawn:
            owner = self.registry.value(MODEL, model)
            retired = owner.value.retired if owner is not None else ()
            self._withdrawn[model] = frozenset(
                ref_name(one.version) for one in retired if one.state == "withdrawn"
            )
        return self._withdrawn[model]

    def _schema(self, view: str, ref: str) -> Entry[FeatureSchema] | None:
        key = (view, ref)
        if key not in self._schemas:
            self._schemas[key] = self.registry.value(SCHEMA, view, ref_name(ref))
        return self._schemas[key]

    def taken_back(self, view: str) -> dict[str, str]:
        """Return the numbers of a view's withdrawn schemas, each with the reason."""
        if view not in self._taken_back:
            head = self.registry.value(VIEW, view)
            gone = head.value.withdrawn if head is not None else ()
            self._taken_back[view] = {ref_name(one.schema_): one.reason for one in gone}
        return self._taken_back[view]

    def serveable(self, view: str) -> list[str]:
        """Return the published schemas of a view that are not withdrawn, the latest first."""
        if view not in self._serveable:
            gone = self.taken_back(view)
            entries = (self.registry.value(SCHEMA, *name) for name in self.registry.names(SCHEMA, view))
            known = [one for one in entries if one is not None and str(one.value.number) not in gone]
            known.sort(key=lambda entry: -entry.value.number)
            self._serveable[view] = [f"{entry.value.number}@{entry.digest}" for entry in known]
        return self._serveable[view]

    def of(self, view: str, trained: str, served: str, fields: Fields) -> SchemaJudgement | str:
        """Return the judgement of two schemas given by reference, or why there is none."""
        ours, theirs = self._schema(view, trained), self._schema(view, served)
        if ours is None or theirs is None:
            lost = trained if ours is None else served
            return f"{view} has no schema {ref_name(lost)} that can be read"
        key = (ours.blob, theirs.blob, fields)
        found = self.known.get(key)
        if found is None:
            memory = self._fields.setdefault((ours.blob, theirs.blob), {})
            found = self.known[key] = judge(ours.value, theirs.value, fields, known=memory)
        return found

    def read(
        self, view: str, trained: str, fields: Fields, offer: Offer | None, lifts: Iterable[Revalidation] = ()
    ) -> tuple[Reading, ...]:
        """Return each schema that a version may meet: all served ones under `current`, one if `numbered`.

        `lifts` are the revalidations recorded for this version. Numbered, it asks for its own schema if
        that is served, else for the highest safe one, else for the highest that comes nearest. A withdrawn
        one is asked for only where no other may be read.
        """
        proofs = tuple(lifts)
        if proofs:
            return self._read(view, trained, fields, offer, proofs)
        key = (view, trained, fields, offer)
        found = self._met.get(key)
        if found is None:
            found = self._met[key] = self._read(view, trained, fields, offer, ())
        return found

    def _read(
        self, view: str, trained: str, fields: Fields, offer: Offer | None, lifts: tuple[Revalidation, ...]
    ) -> tuple[Reading, ...]:
        if offer is None or not offer.refs:
            trouble = f"{view} is not served"
            return (Reading(view, trained, fields, None, None, Verdict.B, trouble=trouble),)
        if offer.access == "numbered":
            own = self._one(view, trained, fields, trained, lifts) if trained in offer.refs else None
            if own is not None and own.stands:
                return (own,)
            met = [self._one(view, trained, fields, ref, lifts) for ref in offer.refs]
            best = min(met, key=lambda one: (_rank(one), -int(ref_name(one.served or "0"))))
            return (best if own is None or best.stands else own,)
        return tuple(self._one(view, trained, fields, ref, lifts) for ref in offer.refs)

    def _one(
        self, view: str, trained: str, fields: Fields, served: str, lifts: Iterable[Revalidation]
    ) -> Reading:
        gone = self.taken_back(view).get(ref_name(served))
        if trained == served:
            return Reading(view, trained, fields, served, None, Verdict.S, withdrawn=gone)
        found = self.of(view, trained, served, fields)
        if isinstance(found, str):
            return Reading(view, trained, fields, served, None, Verdict.B, trouble=found, withdrawn=gone)
        lifted = None
        if found.verdict is Verdict.R:
            pair = (view, trained, served)
            lifted = next((one for one in lifts if (one.view, one.trained, one.served) == pair), None)
        return Reading(view, trained, fields, served, found, found.verdict, lifted, withdrawn=gone)


def _rank(reading: Reading) -> tuple[Verdict, bool]:
    """What is safe comes before what is only revalidated, and that before what is neither."""
    return _weight(reading), not reading.stands


def _weight(reading: Reading) -> Verdict:
    return Verdict.B if reading.withdrawn is not None else reading.verdict


def worst(readings: Sequence[Reading]) -> Verdict:
    """Return the worst verdict of what does not stand, where withdrawn is as bad as any; else S."""
    return max((_weight(one) for one in readings if not one.stands), default=Verdict.S)
