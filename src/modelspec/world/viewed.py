"""Bytes that are in memory already as a stream, which are not copied for that."""

from __future__ import annotations

import io
from typing import Any


class Viewed(io.RawIOBase):
    """A raw stream over a buffer, for as long as nobody fills it anew: `io.BufferedReader(Viewed(data))`."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next; return how much of it."""
        part = self._data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on elsewhere; return where."""
        begin = (0, self._at, len(self._data))[whence]
        if begin + offset < 0:
            raise ValueError("before the beginning")
        self._at = begin + offset
        return self._at
