"""What somebody saved: a JSON file, or stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.foreign import foreign

LIMIT: Final = 8 * 1024 * 1024
"""The most bytes of one answer: a thousand objects of a cluster."""


class Saved:
    """A saved answer of one of the systems that are known."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def shown(self) -> str:
        return "stdin" if self._path == "-" else visible(self._path, 200)

    def look(self) -> Iterator[tuple[str, bytes]]:
        if self._path == "-":
            data = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with foreign(Path(self._path)) as stream:
                data = stream.read(LIMIT + 1)
        yield self.shown, within(data, self.shown)


def within(data: bytes, shown: str) -> bytes:
    """Return the bytes; raises Refusal when there are more than an answer may have."""
    if len(data) > LIMIT:
        raise Refusal(
            f"{shown} has more than {LIMIT:,} bytes", "ask for less: one namespace, or one kind of object"
        )
    return data
