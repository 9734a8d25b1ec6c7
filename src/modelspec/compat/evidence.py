"""What changed between two versions of one model, and the bump that it asks of the version number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from modelspec.compat.artifact import rebuilt_changes
from modelspec.compat.change import Change
from modelspec.compat.fields import judge
from modelspec.compat.reads import reads
from modelspec.compat.rows import TABLE
from modelspec.compat.signature import request_changes, signature_changes
from modelspec.compat.table import Bump
from modelspec.spec.base import API
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.model import LostFeatures, ModelVersion

Schemas = Callable[[str, str], FeatureSchema | None]
"""(view, reference) -> the schema, or None where it can't be read."""

REQUEST: Final = "request"


def changes(old: ModelVersion, new: ModelVersion, schemas: Schemas) -> Iterator[Change]:
    """Yield what changed from an earlier version to a later one: fields, signature, artifact.

    Verdicts are those of a rollout (the column `out`), which alone ask for a bump.
    """
    yield from _features(old, new, schemas)
    yield from _fields(_request(old, 1), _request(new, 2), None, REQUEST)
    request = request_changes(old, new, "out")
    yield from (one for one in signature_changes(old, new, "out") if one not in request)
    yield from rebuilt_changes(old, new)


def bump(found: Sequence[Change]) -> Bump:
    """Return the least bump that changes ask for: the largest of them."""
    return max((one.bump for one in found), default=Bump.PATCH)


def _features(old: ModelVersion, new: ModelVersion, schemas: Schemas) -> Iterator[Change]:
    if isinstance(old.features, LostFeatures) or isinstance(new.features, LostFeatures):
        return  # nobody can tell what changed
    before = {one.view: one.schema_ for one in old.feature_refs}
    after = {one.view: one.schema_ for one in new.feature_refs}
    read_before, read_now = reads(old), reads(new)
    for view, ref in after.items():
        if view not in before:
            yield Change("added", TABLE["added"].out, f"{view} is newly read")
            continue
        trained, served = schemas(view, ref), schemas(view, before[view])
        if trained is None or served is None:
            continue
        if ref != before[view]:
            yield from _fields(served, trained, read_now[view], view)
        yield from _dropped(view, trained, read_before[view], read_now[view])
    for view in sorted(before.keys() - after.keys()):
        yield Change("removed", TABLE["removed"].out, f"{view} is no longer read")


def _dropped(
    view: str, now: FeatureSchema, before: tuple[str, ...] | None, after: tuple[str, ...] | None
) -> Iterator[Change]:
    """Yield the fields that are no longer read; one that is read under another name is not dropped."""
    if before is None or after is None:
        return
    kept = {one.alias for one in now.fields if one.name in after}
    for name in before:
        if name not in after and name not in kept:
            yield Change("removed", TABLE["removed"].out, f"{view}.{name} is no longer read")


def _fields(
    old: FeatureSchema, new: FeatureSchema, wanted: tuple[str, ...] | None, view: str
) -> Iterator[Change]:
    """Yield the changes of the fields that the later version reads, told from the earlier to the later."""
    if old.fields == new.fields and view == REQUEST:
        return
    told = {
        (field.field, change.row): change.message
        for field in judge(old, new, column="back").fields
        for change in field.changes
    }
    found = judge(new, old, wanted, column="out")
    for change in found.shared:
        yield change
    for field in found.fields:
        for change in field.changes:
            newly = f"{view}.{field.field} is new"
            message = newly if change.row.startswith("added") else told.get((field.field, change.row))
            yield Change(change.row, change.verdict, message or change.message, change.part)
    if view == REQUEST:
        yield from _dropped(view, new, *(tuple(one.name for one in side.fields) for side in (old, new)))


def _request(version: ModelVersion, number: int) -> FeatureSchema:
    """Return the fields of a request as a schema: they are contracts like a feature's."""
    return FeatureSchema.model_construct(
        api_version=API, kind="FeatureSchema", view=REQUEST, number=number, fields=version.request
    )
