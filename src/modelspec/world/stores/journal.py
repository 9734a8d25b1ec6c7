"""Which trees a long verification has found to hold, so that the next run goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Self

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.folders import said


class Journal:
    """A file with one line for each tree; nothing without a file. Used by one thread."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: set[tuple[str, str]] = set()
        self._stream: IO[str] | None = None

    def __enter__(self) -> Self:
        if self._file is None:
            return self
        try:
            if self._file.exists():
                self._known = set(_lines(self._file.read_text()))
            self._stream = self._file.open("a")
            if self._file.stat().st_size:
                # What a kill cut off in the middle ends here.
                self._stream.write("\n")
        except (OSError, UnicodeDecodeError) as error:
            why = said(error) if isinstance(error, OSError) else "it is no text"
            raise Refusal(f"{visible(str(self._file), 200)} can't be used: {why}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def has(self, store: str, digest: str) -> bool:
        """Whether the tree was found to hold before."""
        return (store, digest) in self._known

    def note(self, store: str, digest: str) -> None:
        """Write down that a tree holds."""
        if self._stream is not None:
            self._stream.write(json.dumps([store, digest]) + "\n")
            self._stream.flush()


def _lines(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        try:
            store, digest = json.loads(line)
        except (ValueError, TypeError):
            continue
        found.append((str(store), str(digest)))
    return found
