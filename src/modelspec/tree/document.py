"""One YAML file that was read: its data, and where each node stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from modelspec.tree.data import Data, at
from modelspec.tree.digest import spec_digest
from modelspec.tree.locate import locate
from modelspec.tree.place import Mark, Route


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """The data of a file beside its source. Positions are found again when they are asked for."""

    path: str
    source: bytes
    data: Data
    _digest: list[str] = field(default_factory=list, init=False, repr=False)

    def mark(self, route: Route, *, key: bool = False) -> Mark:
        """Return line and columns of the node at `route`, or of its nearest ancestor."""
        return locate(self.source, route, key=key)

    def value(self, route: Route) -> Data:
        """Return the node at `route`, or None."""
        return at(self.data, route)

    @property
    def digest(self) -> str:
        """The spec digest of the document, computed once."""
        if not self._digest:
            self._digest.append(spec_digest(self.data))
        return self._digest[0]


def line_of(source: bytes, number: int) -> str:
    """Return the line `number` (from 1) of a text, "" when it has none."""
    lines = _lines(source)
    return lines[number - 1].decode("utf-8", "replace") if 0 < number <= len(lines) else ""


@lru_cache(maxsize=8)
def _lines(source: bytes) -> list[bytes]:
    """Return the lines of a text; remembered, since a file may have thousands of findings."""
    return source.split(b"\n")


def written(source: bytes, mark: Mark) -> str:
    """Return the text that a mark covers, as it is written in the source."""
    return line_of(source, mark.line)[mark.column - 1 : mark.end - 1]
