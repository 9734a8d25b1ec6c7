"""Two revisions of a registry beside each other, in meaning: pins, versions, schemas, settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelspec.change.leaves import Leaf, leaves
from modelspec.change.versions import VersionDiff, version_diff
from modelspec.compat.change import Change as Contrast
from modelspec.compat.fields import judge
from modelspec.delta.pairs import Change, pairs, touched
from modelspec.delta.pins import PinChange, changes_between
from modelspec.delta.tenure import Standing, is_restore, last_said
from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import FEATURE_PIN, PIN, SCHEMA, VERSION
from modelspec.spec.reader import Broken
from modelspec.spec.registry import Registry

History = Callable[[str, str], Sequence[Standing]]
"""What the pin of (environment, model) said, from the base's history."""


@dataclass(frozen=True, slots=True)
class PinDiff:
    """One pin that differs, with the version tuples that moved in it."""

    environment: str
    model: str
    path: str
    changes: tuple[PinChange, ...]
    params: tuple[Leaf, ...]
    versions: tuple[VersionDiff, ...]
    broken: bool = False
    """Whether a side can't be read, so that nothing is known of it."""


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """A schema against another one of its view; `added` are names of fields."""

    view: str
    was: str
    now: str
    changes: tuple[Contrast, ...]
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServedDiff:
    """What an environment serves of a view, before and after: references to schemas."""

    environment: str
    view: str
    path: str
    was: tuple[str, ...]
    now: tuple[str, ...]
    access: tuple[str, str]
    schemas: tuple[SchemaDiff, ...]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """Any other file; `state` is `added`, `removed`, `changed` or `unreadable`."""

    kind: str
    path: str
    state: str
    leaves: tuple[Leaf, ...] = ()


@dataclass(slots=True)
class RegistryDiff:
    """All that differs; `layout` are the paths that differ in comments and layout only."""

    pins: list[PinDiff] = field(default_factory=list)
    served: list[ServedDiff] = field(default_factory=list)
    published: list[tuple[str, str, VersionDiff | None]] = field(default_factory=list)
    """(model, version, what differs from its parent where that can be read)."""
    schemas: list[tuple[str, str, SchemaDiff | None]] = field(default_factory=list)
    """(view, number, what differs from the number before it where that can be read)."""
    files: list[FileDiff] = field(default_factory=list)
    layout: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing differs in meaning."""
        return not (self.pins or self.served or self.published or self.schemas or self.files)


def registry_diff(base: Registry, head: Registry, history: History) -> RegistryDiff:
    """Return what differs in meaning between two revisions."""
    found = RegistryDiff()
    paths = touched(base, head)
    paired = list(pairs(base, head, paths))
    known = {change.path for change in paired}
    for change in paired:
        _sort(found, base, head, change, history)
    for path in paths:
        if path not in known:
            sides = [side.snapshot.get(path) is not None for side in (base, head)]
            found.files.append(FileDiff("file", path, _state(*sides)))
    return found


def _state(was: bool, now: bool) -> str:
    return "changed" if was and now else "added" if now else "removed"


def _sort(found: RegistryDiff, base: Registry, head: Registry, change: Change[Any], history: History) -> None:
    if not change.meant:
        found.layout.append(change.path)
    elif change.kind is PIN:
        found.pins.append(pin_diff(base, head, change, history))
    elif isinstance(change.was, Broken) or isinstance(change.now, Broken):
        found.files.append(FileDiff(change.kind.name, change.path, "unreadable"))
    elif change.kind is FEATURE_PIN:
        found.served.append(served_diff(base, head, change))
    elif change.kind is VERSION and change.was is None:
        found.published.append((*change.name, _against_parent(head, change)))  # type: ignore[arg-type]
    elif change.kind is SCHEMA and change.was is None:
        view, number = change.name
        before = str(int(number) - 1)
        found.schemas.append((view, number, _schemas(head, head, view, before, number)))
    else:
        state = _state(change.was is not None, change.now is not None)
        inner: tuple[Leaf, ...] = ()
        if change.before is not None and change.after is not None:
            inner = tuple(leaves(change.before.document.data, change.after.document.data))
        found.files.append(FileDiff(change.kind.name, change.path, state, inner))


def pin_diff(base: Registry, head: Registry, change: Change[Pin], history: History) -> PinDiff:
    """Return what a change does to one pin."""
    environment, model = change.name
    if isinstance(change.was, Broken) or isinstance(change.now, Broken):
        return PinDiff(environment, model, change.path, (), (), (), broken=True)
    was, now = change.before, change.after
    changes = changes_between(
        was.value if was else None,
        now.value if now else None,
        lambda slot, old, new: is_restore(history(environment, model), slot, old, new),
        last_said(history(environment, model)) if was is None else None,
    )
    params = tuple(leaves(dict(was.value.serve), dict(now.value.serve), ("serve",))) if was and now else ()
    moved = dict.fromkeys((one.was, one.now) for one in changes if one.was != one.now)
    found = (_versions(base, head, model, old, new) for old, new in moved if old and new)
    return PinDiff(environment, model, change.path, changes, params, tuple(one for one in found if one))


def _versions(base: Registry, head: Registry, model: str, was: str, now: str) -> VersionDiff | None:
    old, new = base.value(VERSION, model, ref_name(was)), head.value(VERSION, model, ref_name(now))
    return version_diff(old, new) if old is not None and new is not None else None


def _against_parent(head: Registry, change: Change[Any]) -> VersionDiff | None:
    lineage = change.after.value.lineage if change.after is not None else None
    if lineage is None or lineage.parent is None:
        return None
    return _versions(head, head, change.name[0], lineage.parent, change.name[1])


def served_diff(base: Registry, head: Registry, change: Change[FeaturePin]) -> ServedDiff:
    """Return what a change does to what is served of one view."""
    environment, view = change.name
    sides = [side.value if side is not None else None for side in (change.before, change.after)]
    was, now = (side.serves if side is not None else () for side in sides)
    access = tuple(side.access if side is not None else "" for side in sides)
    gone, come = [ref for ref in was if ref not in now], [ref for ref in now if ref not in was]
    pairs_ = ((old, new) for old in (gone or was)[-1:] for new in come)
    found = (_schemas(base, head, view, ref_name(old), ref_name(new)) for old, new in pairs_)
    schemas = tuple(one for one in found if one is not None)
    return ServedDiff(environment, view, change.path, was, now, (access[0], access[1]), schemas)


def _schemas(base: Registry, head: Registry, view: str, was: str, now: str) -> SchemaDiff | None:
    old, new = base.value(SCHEMA, view, was), head.value(SCHEMA, view, now)
    return schema_diff(old.value, new.value) if old is not None and new is not None else None


def schema_diff(was: FeatureSchema, now: FeatureSchema) -> SchemaDiff:
    """Return what differs between two schemas of a view, by the rows of the compatibility table."""
    judged = judge(was, now, column="back")
    names = {one.name for one in was.fields}
    added = tuple(one.name for one in now.fields if one.name not in names)
    return SchemaDiff(was.view, str(was.number), str(now.number), judged.changes, added)
