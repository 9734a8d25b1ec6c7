"""What `import-schema` did: as people read it, and as `modelspec/import-schema/1`."""

from __future__ import annotations

from modelspec.api.importing import Prepared, note_line
from modelspec.tree.data import Data
from modelspec.tree.serialise import pretty
from modelspec.tree.text import plural, visible_lines


def imported_text(prepared: Prepared, view: str) -> str:
    """Return the lines that say which files were written, and what comes next."""
    lines = [f"added    {path}" for path in sorted(prepared.patch)]
    lines.append(f"{view} {prepared.number}@{prepared.digest}: {plural(prepared.fields, 'field')}")
    lines.append(
        "next: add what the notes say is missing, run modelspec check, and commit it: then it is immutable"
    )
    return "\n".join(lines) + "\n"


def notes_text(prepared: Prepared) -> str:
    """Return a line for each thing that could not be expressed, or that the source leaves open."""
    return "".join(f"note: {visible_lines(note_line(note))}\n" for note in prepared.notes)


def imported_json(prepared: Prepared, view: str, what: str, *, written: bool) -> str:
    """Return the files, the reference of the schema and the notes as JSON."""
    files: list[Data] = [
        {"path": path, "text": (data or b"").decode()} for path, data in sorted(prepared.patch.items())
    ]
    notes: list[Data] = [{"field": note.field, "message": note.message} for note in prepared.notes]
    return pretty(
        {
            "format": "modelspec/import-schema/1",
            "source": what,
            "view": view,
            "number": prepared.number,
            "digest": prepared.digest,
            "fields": prepared.fields,
            "written": written,
            "files": files,
            "notes": notes,
        }
    )
