"""A trained schema against a served one, field by field, for the fields that a version reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from modelspec.compat import describe, encodings, media, parts
from modelspec.compat.change import Change, Pair, differs
from modelspec.compat.encoding import CODED
from modelspec.compat.numbers import class_of, is_number
from modelspec.compat.rows import TABLE
from modelspec.compat.table import PARTS, Column, Verdict
from modelspec.spec.feature import Feature, FeatureSchema
from modelspec.spec.instant import duration

_JUDGES: Final = (
    parts.type_and_shape,
    parts.nullability,
    parts.defaults,
    parts.unit,
    parts.values,
    parts.nan,
    encodings.transformation,
    encodings.aggregation,
    media.media,
)


@dataclass(frozen=True, slots=True)
class FieldJudgement:
    """What serving does to one field that is read: the worst of its changes.

    `judged`: the parts (1 to 9) that a side declares; `applicable`: those that can apply to such a field.
    """

    field: str
    verdict: Verdict
    changes: tuple[Change, ...]
    judged: tuple[int, ...]
    applicable: tuple[int, ...]


@dataclass(frozen=True)
class SchemaJudgement:
    """What serving one schema does to a version that reads some fields as another one describes them.

    `shared` holds what belongs to the schemas and so to each field that is read; `absent` names fields
    that the trained schema itself does not have.
    """

    fields: tuple[FieldJudgement, ...]
    shared: tuple[Change, ...] = ()
    absent: tuple[str, ...] = ()

    @cached_property
    def verdict(self) -> Verdict:
        """The worst of all that is read; a schema of which nothing is read is safe."""
        if self.absent:
            return Verdict.B
        if not self.fields:
            return Verdict.S
        return max(
            *(field.verdict for field in self.fields), *(one.verdict for one in self.shared), Verdict.S
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, in the order of the fields."""
        return (*self.shared, *(change for field in self.fields for change in field.changes))

    @property
    def worst(self) -> tuple[Change, ...]:
        """The changes that make the verdict, at least revalidate; none when it is safe."""
        if self.verdict is Verdict.S:
            return ()
        return tuple(change for change in self.changes if change.verdict is self.verdict)

    @property
    def judged(self) -> str:
        """On how much the judgement stands: "judged on 5 of 8 parts", the least of its fields."""
        if not self.fields:
            return "nothing of it is read"
        least = min(self.fields, key=lambda one: (len(one.judged) / len(one.applicable), one.field))
        return f"judged on {len(least.judged)} of {len(least.applicable)} parts"


def judge(
    trained: FeatureSchema,
    served: FeatureSchema,
    fields: Collection[str] | None = None,
    *,
    column: Column | None = None,
    known: dict[str, FieldJudgement] | None = None,
) -> SchemaJudgement:
    """Judge what `served` does to a version that was trained on `trained` and reads `fields` (None: all).

    `column` says which is the older (`back`: the trained one); without it the numbers do. It decides
    which row names a change, never the verdict. `known` remembers the fields of this very pair.
    """
    if column is None:
        column = "out" if trained.number > served.number else "back"
    ours, theirs = by_name(trained), by_name(served)
    wanted = sorted(set(ours) if fields is None else set(fields))
    memory: dict[str, FieldJudgement] = {} if known is None else known
    for name in wanted:
        if name in ours and name not in memory:
            memory[name] = _field(ours[name], ours, theirs, column)
    found = [memory[name] for name in wanted if name in ours]
    return SchemaJudgement(
        tuple(found),
        tuple(_shared(trained, served, column)) if found else (),
        tuple(name for name in wanted if name not in ours),
    )


def by_name(schema: FeatureSchema) -> dict[str, Feature]:
    """Return the fields by name; of two with one name the first counts."""
    found: dict[str, Feature] = {}
    for field in schema.fields:
        found.setdefault(field.name, field)
    return found


def _field(
    trained: Feature, ours: dict[str, Feature], theirs: dict[str, Feature], column: Column
) -> FieldJudgement:
    served = theirs.get(trained.name)
    before: list[Change] = []
    if served is None and trained.alias is not None and trained.alias in theirs:
        # The contract is judged as well: serving both names may be all that is missing.
        served = theirs[trained.alias]
        told = differs(column, trained.name, served.name)
        before.append(Change("renamed-alias", TABLE["renamed-alias"].out, f"{trained.name} {told}"))
    if served is None:
        change = _missing(trained, ours, theirs, column)
        return FieldJudgement(trained.name, change.verdict, (change,), *_parts(trained, trained))
    changes = (*before, *compare(Pair(trained, served, column)))
    worst = max((change.verdict for change in changes), default=Verdict.S)
    return FieldJudgement(trained.name, worst, changes, *_parts(trained, served))


def compare(pair: Pair) -> Iterator[Change]:
    """Yield the changes between two contracts of one field, part by part."""
    # Python takes 0 for False; a default is told apart by its own part.
    if pair.trained == pair.served and next(parts.defaults(pair), None) is None:
        return
    for part in _JUDGES:
        yield from part(pair)
    ours, theirs = ((side.description, side.tags, side.sensitive) for side in (pair.trained, pair.served))
    if ours != theirs:
        yield Change("descriptive", Verdict.S, f"{pair.trained.name} is described in other words")


def _missing(
    trained: Feature, ours: dict[str, Feature], theirs: dict[str, Feature], column: Column
) -> Change:
    """The served schema does not have the field: removed since, or not there yet."""
    name, defaulted = trained.name, trained.default is not None
    heir = next((one.name for one in theirs.values() if one.alias == name and one.name not in ours), None)
    if heir is not None:
        told = f"{name} {differs(column, name, heir)}; nothing maps it back"
        return Change("renamed-alias", TABLE["renamed-alias"].back, told)
    stem = "added" if column == "out" else "removed"
    words = "is not served yet" if column == "out" else "is no longer served"
    if defaulted:
        told = f"{name} {words}: only its default {describe.word(trained.default)} would be read"
        return Change(f"{stem}-default", TABLE[f"{stem}-default"].verdict(column), told)
    twin = next((one.name for one in theirs.values() if one.name not in ours and _twins(trained, one)), None)
    if twin is not None:
        told = f"{name} {words}; {twin} has the same contract, but no alias says that it is the same field"
        return Change("renamed", TABLE["renamed"].verdict(column), told)
    return Change(stem, TABLE[stem].verdict(column), f"{name} {words}")


def _twins(first: Feature, second: Feature) -> bool:
    plain = {"name": "same", "alias": None, "description": None, "tags": (), "sensitive": None}
    return first.model_copy(update=plain) == second.model_copy(update=plain)


def _shared(trained: FeatureSchema, served: FeatureSchema, column: Column) -> Iterator[Change]:
    """What belongs to the schemas: the entity key, the freshness, the order of the fields."""
    yield from _entity(trained, served, column)
    yield from _freshness(trained, served, column)
    ours, theirs = [one.name for one in trained.fields], [one.name for one in served.fields]
    if ours != theirs:
        both = set(ours) & set(theirs)
        if [one for one in ours if one in both] != [one for one in theirs if one in both]:
            yield Change("view-order", Verdict.S, "the fields stand in another order")


def _entity(trained: FeatureSchema, served: FeatureSchema, column: Column) -> Iterator[Change]:
    if trained.entity != served.entity:
        row = "declared-once" if None in (trained.entity, served.entity) else "entity"
        told = differs(column, describe.word(trained.entity), describe.word(served.entity))
        yield Change(row, TABLE[row].verdict(column), f"the entity key {told}")


def _freshness(trained: FeatureSchema, served: FeatureSchema, column: Column) -> Iterator[Change]:
    if trained.freshness != served.freshness:
        told = differs(column, describe.word(trained.freshness), describe.word(served.freshness))
        if trained.freshness is None or served.freshness is None:
            yield Change("declared-once", TABLE["declared-once"].verdict(column), f"the freshness {told}")
            return
        ours, theirs = duration(trained.freshness), duration(served.freshness)
        if ours != theirs:
            looser = theirs > ours if column == "back" else ours > theirs
            row = "freshness-loosened" if looser else "freshness-tightened"
            yield Change(row, TABLE[row].verdict(column), f"the freshness {told}")


def _parts(trained: Feature, served: Feature) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the parts that a side declares, and those that can apply."""
    declares = _declared(trained) | _declared(served)
    applies = declares | _applicable(trained) | _applicable(served)
    return tuple(sorted(declares)), tuple(sorted(applies))


def _declared(field: Feature) -> set[int]:
    facts = (
        True,
        field.nullable is not None,
        field.default is not None or field.missing is not None,
        field.unit is not None,
        field.range is not None or bool(field.categories),
        field.nan is not None,
        encodings.declared(field) is not None,
        field.aggregation is not None or field.tz is not None,
        any(one is not None for one in (field.embedding, field.tokenizer, field.image, field.audio)),
    )
    return {number for number, fact in enumerate(facts, 1) if fact}


def _applicable(field: Feature) -> set[int]:
    number, kind = is_number(field.dtype), class_of(field.dtype)
    coded = field.transform is not None and field.transform.kind in CODED
    cannot = {
        4: not (number or kind == "time") or coded,
        5: not (number or kind == "string"),
        6: kind != "float",
        9: not (field.shape or kind in ("string", "bytes")),
    }
    return {part for part in range(1, len(PARTS) + 1) if not cannot.get(part, False)}
