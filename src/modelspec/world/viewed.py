"""Bytes that are in memory already as a stream, which are not copied for that."""

from __future__ import annotations

import io
from typing import Final

_PEEKED: Final = 8192


class Viewed(io.BufferedIOBase):
    """A stream over a buffer, for as long as nobody fills it anew."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to so many bytes; all that are left, without a number."""
        begin = self._at
        end = len(self._data) if size is None or size < 0 else begin + size
        part = bytes(self._data[begin:end])
        self._at = begin + len(part)
        return part

    read1 = read

    def peek(self, _: int = 0, /) -> bytes:
        """Return some of what comes next, and stay: a line is looked for in it."""
        return bytes(self._data[self._at : self._at + _PEEKED])

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on elsewhere; return where."""
        begin = (0, self._at, len(self._data))[whence] + offset
        if begin < 0:
            raise ValueError("before the beginning")
        self._at = begin
        return begin

    def tell(self) -> int:
        """Return where it is."""
        return self._at
