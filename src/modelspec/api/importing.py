"""`import-schema` without input and output: a schema from elsewhere becomes a patch that is judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from modelspec.api.catalogue import CATALOGUE
from modelspec.change.schema import schema_file, served_by, view_file
from modelspec.compat.schema import schema_flaws
from modelspec.formats.foreign import Imported, Note, Unreadable
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import SCHEMA, VIEW
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry, Scope
from modelspec.tree.data import Data
from modelspec.tree.protocols import Renderer
from modelspec.tree.snapshot import DictSnapshot, Patch, Patched
from modelspec.tree.text import visible


@dataclass(frozen=True, slots=True)
class Prepared:
    """A schema that may be written: the files, its number and digest, and what could not be expressed."""

    patch: Patch
    path: str
    number: int
    digest: str
    fields: int
    notes: tuple[Note, ...]


def next_number(registry: Registry, view: str) -> int:
    """Return the number that comes after the greatest one of a view."""
    return 1 + max((int(name[1]) for name in registry.names(SCHEMA, view)), default=0)


def prepare(
    registry: Registry, imported: Imported, *, view: str, number: int, owner: str | None, source: str,
    renderer: Renderer,
) -> Prepared:  # fmt: skip
    """Return the files of a schema (and of its view, when that is new), which no rule objects to.

    `owner` is asked for only where the view is new. Raises Unreadable when the file is there already, when
    the owner is missing or another one than the view has, or when what was found elsewhere can't be a schema.
    """
    path, head = SCHEMA.locate(view, str(number)), VIEW.locate(view)
    if registry.snapshot.get(path) is not None:
        raise Unreadable(
            f"{path} is there already: a schema is written once", "leave --number out, or raise it"
        )
    known = registry.get(VIEW, view)
    if isinstance(known, Broken):
        raise Unreadable(f"{head} can't be read", "mend what `modelspec check` says of it first")
    if known is not None and owner is not None and owner != known.value.owner:
        raise Unreadable(
            f"the view {view} is there and its owner is {visible(known.value.owner)}",
            f"leave --owner out; another owner is a change of {head}",
        )
    fields, notes = _sound(imported, view, number, path)
    imported = replace(imported, notes=(*imported.notes, *notes))
    files: dict[str, bytes] = {path: schema_file(imported, fields, view, number, _comments(imported, source))}
    if known is None:
        said = owner or imported.owner
        if said is None:
            raise Unreadable(
                f"the view {view} is new, and a view has an owner", "say who answers for it: --owner"
            )
        files[head] = view_file(view, said, imported.description)
    for one, kind in ((path, SCHEMA), (head, VIEW)):
        if one in files and registry.snapshot.get(f".modelspec/schemas/{kind.name}.json") is not None:
            files[one] = served_by(kind.name, files[one])
    entry = _judged(registry, files, path, renderer)
    return Prepared(files, path, number, entry.digest, len(fields), imported.notes)


def _sound(imported: Imported, view: str, number: int, path: str) -> tuple[list[dict[str, Data]], list[Note]]:
    """Return the fields without what contradicts itself in the source, and the notes that say so."""
    fields = [dict(field) for field in imported.fields]
    notes: list[Note] = []
    for _ in range(8):
        text = schema_file(imported, fields, view, number, ())
        entry = Registry(DictSnapshot({path: text})).get(SCHEMA, view, str(number))
        if not isinstance(entry, Entry):
            raise Unreadable(f"it gives no schema: {_first_fault(entry)}")
        removed = list(_contradictions(entry.value, fields))
        if not removed:
            return fields, notes
        notes += removed
    raise Unreadable("what it says of its fields contradicts itself")


def _contradictions(schema: FeatureSchema, fields: list[dict[str, Data]]) -> Iterable[Note]:
    """Take out of each field what can't be true beside the rest of it; say what and why."""
    for flaw in list(schema_flaws(schema)):
        key = flaw.route[2] if len(flaw.route) > 2 else None
        field = fields[int(flaw.route[1])] if len(flaw.route) > 1 else {}
        if key in ("name", "dtype", None) or key not in field:
            if key not in ("name", "dtype", None):
                continue
            raise Unreadable(f"it contradicts itself: {flaw.message}", flaw.fix)
        del field[str(key)]
        if "range" not in field and "categories" not in field:
            field.pop("origin", None)
        yield Note(str(field["name"]), f"its `{key}` is left out: {flaw.message}")


def _first_fault(entry: object) -> str:
    if isinstance(entry, Broken) and entry.faults:
        return entry.faults[0].message
    return "it can't be read again"


def _judged(registry: Registry, files: Patch, path: str, renderer: Renderer) -> Entry[FeatureSchema]:
    """Read the files as they will be read, and run every rule on them; raises Unreadable at an error."""
    after = Registry(Patched(registry.snapshot, files), registry.reader)
    entries = [after.at(one) for one in sorted(files)]
    for entry in entries:
        if not isinstance(entry, Entry):
            where = entry.path if isinstance(entry, Broken) else path
            raise Unreadable(f"{where} would not be read: {_first_fault(entry)}")
    scene = Scene(after, renderer, catalogue=CATALOGUE)
    for finding in run(CATALOGUE, scene, Scope(entries=tuple(entries), broken=())):
        if finding.blocks and finding.place.path in files:
            raise Unreadable(f"{finding.code} {finding.name}: {finding.message}", finding.fix)
    found: Entry[FeatureSchema] = after.at(path)
    return found


def _comments(imported: Imported, source: str) -> list[str]:
    """Return the lines above the schema: where it comes from, and what it does not say."""
    lines = [f"Imported from {visible(source)}, {imported.what}."]
    if imported.notes:
        lines.append("What the source says and a schema does not, or leaves open:")
    return lines + [f"- {note_line(note)}" for note in imported.notes]


def note_line(note: Note) -> str:
    """Return a note as people read it."""
    return note.message if note.field is None else f"{note.field}: {note.message}"
