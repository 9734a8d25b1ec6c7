"""Which trees a long verification has found to hold, so that the next run goes on where it was stopped."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import IO, Final, Self

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.folders import said

_ROW: Final = re.compile(rb'\[("(?:[^"\\]|\\.)*"), "(sha256:[0-9a-f]{64})"\]')
_TORN: Final = re.compile(rb'(?:\["[^\n\]]*)?\[?\0*')
"""What a kill, or a power cut, may leave of a row."""
_CURE: Final = "name a file that does not exist yet"


class Journal:
    """A file with one line for each tree; nothing without a file. Used by one thread."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: set[tuple[str, str]] = set()
        self._stream: IO[str] | None = None

    def __enter__(self) -> Self:
        if self._file is None:
            return self
        shown = visible(str(self._file), 200)
        try:
            if os.path.lexists(self._file):
                # It is removed when all is well: it has to be ours.
                if not stat.S_ISREG(self._file.lstat().st_mode):
                    raise Refusal(f"{shown} is no regular file", _CURE)
                self._known = _rows(self._file.read_bytes(), shown)
            self._stream = self._file.open("a")
            if self._file.stat().st_size:
                # What a kill cut off in the middle ends here.
                self._stream.write("\n")
        except OSError as error:
            raise Refusal(f"{shown} can't be used: {said(error)}") from None
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


def _rows(data: bytes, shown: str) -> set[tuple[str, str]]:
    """Return what a file notes; raises Refusal for one that no run wrote: it is none of ours to change."""
    found = set()
    for line in data.split(b"\n"):
        match = _ROW.fullmatch(line)
        if match is not None:
            found.add((str(json.loads(match[1])), match[2].decode()))
        elif not _TORN.fullmatch(line):
            raise Refusal(f"{shown} is no file that `verify --resume` wrote", _CURE)
    return found
