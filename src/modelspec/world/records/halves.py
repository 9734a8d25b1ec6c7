"""Requests that wait for their responses, or these for them: few in memory, the rest in a file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MEMORY: Final = 20_000
"""Halves that are held in memory."""


@dataclass(frozen=True, slots=True)
class Half:
    """One side of a record as it was read, to be parsed when the other is there."""

    side: str
    value: Mapping[str, Any]
    path: str
    place: str


@dataclass(slots=True)
class Halves:
    """What waits, by id. Use as a context: the file goes with it."""

    memory: int = MEMORY
    _held: dict[str, Half] = field(default_factory=dict)
    _folder: Any = None
    _database: Any = None

    def __enter__(self) -> Halves:
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()
            self._folder.cleanup()

    def meet(self, request: str, half: Half) -> Half | None:
        """Return the other side of an id and forget it; else keep this one, and what was there of its side
        goes back to the caller as it came."""
        other = self._held.pop(request, None) or self._fetched(request)
        if other is not None:
            if other.side == half.side:
                self._keep(request, half)
            return other
        self._keep(request, half)
        return None

    def alone(self) -> Iterator[tuple[str, Half]]:
        """Yield every half whose other side never came."""
        yield from self._held.items()
        if self._database is not None:
            for request, told in self._database.execute("SELECT id, half FROM halves"):
                yield request, _half(told)

    def _keep(self, request: str, half: Half) -> None:
        self._held[request] = half
        if len(self._held) > self.memory:
            self._spill()

    def _spill(self) -> None:
        import sqlite3

        if self._database is None:
            self._folder = tempfile.TemporaryDirectory(prefix="modelspec-")
            self._database = sqlite3.connect(Path(self._folder.name) / "halves", isolation_level=None)
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute("CREATE TABLE halves (id TEXT PRIMARY KEY, half TEXT) WITHOUT ROWID")
        rows = [
            (request, json.dumps([half.side, half.value, half.path, half.place]))
            for request, half in self._held.items()
        ]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO halves VALUES (?, ?)", rows)
        self._database.execute("COMMIT")
        self._held.clear()

    def _fetched(self, request: str) -> Half | None:
        if self._database is None:
            return None
        row = self._database.execute("DELETE FROM halves WHERE id = ? RETURNING half", (request,)).fetchone()
        return None if row is None else _half(row[0])


def _half(told: str) -> Half:
    side, value, path, place = json.loads(told)
    return Half(side, value, path, place)
