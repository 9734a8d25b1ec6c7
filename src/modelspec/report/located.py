"""Turns a symbolic place into line, column and the line's text."""

from __future__ import annotations

from dataclasses import dataclass

from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry
from modelspec.tree.document import line_of
from modelspec.tree.finding import Fault
from modelspec.tree.locate import locate
from modelspec.tree.place import Mark, Place


@dataclass(frozen=True, slots=True)
class Located:
    """A place as people find it; `text` is the whole line, "" when the file can't be shown."""

    path: str
    mark: Mark
    text: str


def located(registry: Registry, place: Place) -> Located:
    """Find a place in its file; a file that is not there gives line 1."""
    source = _source(registry, place.path)
    mark = place.mark or (locate(source, place.route, key=place.key) if source else Mark(1, 1, 2))
    return Located(place.path, mark, line_of(source, mark.line))


def _source(registry: Registry, path: str) -> bytes:
    entry = registry.at(path)
    if isinstance(entry, Entry):
        return entry.document.source
    if isinstance(entry, Broken):
        return entry.source
    blob = registry.snapshot.get(path)
    source = blob.read() if blob is not None else b""
    return b"" if isinstance(source, Fault) else source
