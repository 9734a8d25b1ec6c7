"""`trace`: one request beside the version that answered it, the pin that let it, and its contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, gt, le, lt

from modelspec.api.show import ShownVersion, show_version
from modelspec.delta.message import pull_request, reviewers
from modelspec.delta.tenure import standings, tenures
from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.history import Commit, History
from modelspec.spec.kinds import ENVIRONMENT, MODEL, PIN, SCHEMA, VERSION
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.trace.candidates import Identified
from modelspec.trace.columns import Mismatch, columns_of, inputs_of, matched, outputs_of
from modelspec.trace.contract import Judged, judged
from modelspec.trace.declared import Declaration, declarations, declared_at
from modelspec.tree.record import Record, Values


@dataclass(frozen=True, slots=True)
class Held:
    """A version as its file was when it could be read last: today, or before it was pruned.

    `registry` is the tree that the file stands in; `commit` is None for the work tree.
    """

    entry: Entry[ModelVersion]
    registry: Registry
    commit: str | None = None

    @property
    def version(self) -> ModelVersion:
        """The version."""
        return self.entry.value


@dataclass(frozen=True, slots=True)
class PinThen:
    """The pin that gave a version its slot: where, which slot, by which change, and what stood beside it."""

    environment: str
    slot: str
    commit: Commit
    pull_request: str | None
    reviewers: tuple[str, ...]
    beside: tuple[tuple[str, str, float], ...]
    """(slot, version reference, share) of all other slots at the time of the request."""
    lasted: bool
    """Whether it stood at the time of the request; else it was the last before that held the version."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One output as it was logged: name, shape, the values."""

    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision: its threshold in words, and what it came to; None where the output has no one number."""

    name: str
    words: str
    decision: bool | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a replay said: the verdict (None: nothing to compare with), how far off, or why there was none."""

    verdict: str | None
    ulps: int | None = None
    difference: float | None = None
    why_not: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Traced:
    """One request, traced. `held` is None when the version is not known, or its file is nowhere."""

    record: Record
    copies: int
    at: datetime | None
    at_by: str
    """What says when it was: the record, its id, or the caller."""
    identified: Identified
    names: Mapping[str, tuple[str, str]]
    """Digest -> (model, version) of what is talked about."""
    held: Held | None
    shown: ShownVersion | None
    levels: Mapping[str, tuple[str, str]]
    """Component -> (level, what that rests on)."""
    retired: str
    pins: tuple[PinThen, ...]
    fields: tuple[Judged, ...]
    answers: tuple[Answer, ...]
    decisions: tuple[Decided, ...]
    replay: Asked | None
    notes: tuple[str, ...]

    @property
    def violations(self) -> int:
        """How many violations of the contract there are."""
        return sum(len(one.violations) for one in self.fields)


def places_of(
    history: History, registry: Registry, model: str, environment: str | None
) -> dict[str, tuple[Declaration, ...]]:
    """Return what git declared for a model, by environment: in one of them, or in all that ever pinned it."""
    known = [name[0] for name in registry.names(ENVIRONMENT)]
    found = {}
    for place in [environment] if environment is not None else known:
        told = tuple(declarations(history.of(PIN.locate(place, model)), place, model))
        if told or environment is not None:
            found[place] = told
    return found


def held(registry: Registry, history: History, model: str, version: str, digest: str) -> Held | None:
    """Return a version by name and digest: from the files of today, else as the history has it last."""
    entry = registry.value(VERSION, model, version)
    if entry is not None and entry.digest == digest:
        return Held(entry, registry)
    path = VERSION.locate(model, version)
    for revision in reversed(history.of(path)):
        if revision.blob is None:
            continue
        found = registry.reader.read(VERSION, (model, version), path, revision.blob)
        if isinstance(found, Entry) and found.digest == digest:
            then = Registry(history.snapshot(revision.commit.id), registry.reader)
            return Held(found, then, revision.commit.id)
    return None


def schemas_of(one: Held, registry: Registry) -> dict[str, FeatureSchema]:
    """Return the schemas that a version was trained on, by view; without those whose digest no file has."""
    found = {}
    for ref in one.version.feature_refs:
        for tree in (one.registry, registry):
            entry = tree.value(SCHEMA, ref.view, ref_name(ref.schema_))
            if entry is not None and entry.digest == ref_digest(ref.schema_):
                found[ref.view] = entry.value
                break
    return found


def retired_as(registry: Registry, model: str, digest: str) -> str:
    """Return what became of a version: `archived: why`, `withdrawn: why`, or "" for neither."""
    owner = registry.value(MODEL, model)
    for line in owner.value.retired if owner is not None else ():
        if ref_digest(line.version) == digest:
            return f"{line.state}: {line.reason}"
    return ""


def pins_then(
    history: History,
    registry: Registry,
    model: str,
    digest: str,
    at: datetime | None,
    places: Mapping[str, Sequence[Declaration]],
) -> tuple[PinThen, ...]:
    """Return the pins that gave a version its slots: those of that instant, else the last ones before it.

    Without an instant, the last ones of all.
    """
    standing: list[PinThen] = []
    before: list[PinThen] = []
    for environment, declared in places.items():
        log = standings(history, registry.reader, environment, model)
        mine = [one for one in tenures(log) if ref_digest(one.ref) == digest]
        mine = [one for one in mine if at is None or one.since.time <= at]
        now = [one for one in mine if at is None or one.until is None or one.until.time > at]
        for tenure in now or mine[-1:]:
            moment = at if at is not None and now else tenure.since.time
            found = PinThen(
                environment, tenure.slot, tenure.since, pull_request(tenure.since), reviewers(tenure.since),
                _other_slots(declared, moment, tenure.slot), bool(now),
            )  # fmt: skip
            (standing if now else before).append(found)
    return tuple(standing or before)


def _other_slots(
    declared: Sequence[Declaration], at: datetime, slot: str
) -> tuple[tuple[str, str, float], ...]:
    one = declared_at(declared, at)
    if one is None:
        return ()
    names = dict(one.names)
    return tuple(
        (other.slot, f"{names.get(other.digest, '?')}@{other.digest}", other.share)
        for other in one.slots or ()
        if other.slot != slot
    )


def fields_of(
    record: Record, one: Held, schemas: Mapping[str, FeatureSchema]
) -> tuple[tuple[Judged, ...], str]:
    """Return each field of a request beside its contract, or why the request can't be laid beside it."""
    columns = columns_of(one.version, schemas)
    try:
        tensors = matched(record.inputs, inputs_of(one.version), columns)
    except Mismatch as error:
        return (), str(error)
    return tuple(judged(tensors, columns, record.hidden)), ""


def answers_of(record: Record, version: ModelVersion | None) -> tuple[tuple[Answer, ...], str]:
    """Return what was answered, by the names of the version's outputs where they fit, or why they do not."""
    plain = tuple(Answer(one.name, one) for one in record.outputs)
    if version is None or not record.outputs:
        return plain, ""
    try:
        found = matched(record.outputs, outputs_of(version), what="outputs", partly=True)
    except Mismatch as error:
        return plain, str(error)
    return tuple(Answer(name, one) for name, one in found.items()), ""


def decisions_of(version: ModelVersion, answers: Iterable[Answer]) -> tuple[Decided, ...]:
    """Return what each threshold of a version decides on what was answered."""
    values = {one.name: one.values.data for one in answers}
    found = []
    for cut in version.config.thresholds if version.config is not None else ():
        data = values.get(cut.output, ())
        words = f"{cut.output} {cut.op} {cut.value:g}"
        [value] = data if len(data) == 1 else [None]
        found.append(Decided(cut.name, words, _holds(value, cut.op, cut.value)))
    return tuple(found)


def _holds(value: object, op: str, bound: float) -> bool | None:
    if not isinstance(value, int | float):
        return None
    held_by = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq}
    return bool(held_by[op](value, bound))


def shown_version(one: Held) -> ShownVersion | None:
    """Return a version as `show` has it, from the tree that it stands in."""
    return show_version(one.registry, one.version.model, one.version.version)
