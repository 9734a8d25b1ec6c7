"""What is inside a compressed file, as a stream that is decompressed no further than it is read."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any, Final

_STEP: Final = 1024
"""How much is decompressed at once: what comes before damage has to be seen, as a loader does."""
_PARTS: Final = 1_000
_MEMORY: Final = 128 * 1024 * 1024
"""What LZMA may take; its strongest preset takes 65 MB. A header can ask for 4 GB."""


class DecompressionError(ValueError):
    """It can't be decompressed. `begun`: something came out before."""

    def __init__(self, message: str, *, begun: bool) -> None:
        super().__init__(message)
        self.begun = begun


class _Zlib:
    """zlib's decompressor with the interface of the other two."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, most)


COMPRESSED: Final[tuple[tuple[re.Pattern[bytes], Callable[[], Any]], ...]] = (
    (re.compile(rb"\x1f\x8b"), lambda: _Zlib(31)),
    (re.compile(rb"x[\x01\x5e\x9c\xda]"), lambda: _Zlib(15)),
    (re.compile(rb"BZh"), bz2.BZ2Decompressor),
    (re.compile(rb"\xfd7zXZ|\x5d\x00"), lambda: lzma.LZMADecompressor(memlimit=_MEMORY)),
)
"""What joblib compresses pickles with, told as joblib tells it; several such parts in a row are one file."""
_FAULTS: Final = (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError, MemoryError)


class _Decompressed(io.RawIOBase):
    """The content of a compressed stream; reading raises DecompressionError where it can't be had."""

    def __init__(self, stream: IO[bytes], decompressor: Callable[[], Any]) -> None:
        super().__init__()
        self._stream = stream
        self._new = decompressor
        self._inner = decompressor()
        self._parts = 1
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._some(len(buffer))
        except _FAULTS as error:
            raise DecompressionError(str(error), begun=self._begun) from None
        self._begun = self._begun or bool(data)
        buffer[: len(data)] = data
        return len(data)

    def _some(self, most: int) -> bytes:
        while True:
            given = b""
            if self._inner.eof:
                # Zeros may fill a file up; anything else is one more compressed part.
                given = self._inner.unused_data.lstrip(b"\0")
                while not given and (more := self._stream.read(_STEP)):
                    given = more.lstrip(b"\0")
                self._parts += 1
                if self._parts > _PARTS:
                    raise ValueError("it has too many parts")
                if not given:
                    return b""
                self._inner = self._new()
            elif self._inner.needs_input:
                given = self._stream.read(_STEP)
                if not given:
                    return b""
            found: bytes = self._inner.decompress(given, most)
            if found:
                return found


@contextmanager
def decompressed(
    opened: Callable[[], AbstractContextManager[IO[bytes]]], decompressor: Callable[[], Any]
) -> Iterator[io.BufferedReader]:
    """Open the content of a compressed stream."""
    with opened() as stream:
        yield io.BufferedReader(_Decompressed(stream, decompressor), 64 * 1024)
