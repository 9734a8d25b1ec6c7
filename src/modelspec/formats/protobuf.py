"""Protobuf's wire format, read where it lies: what is not asked for is skipped, never loaded.

A message is a part of a stream. Reading a field gives numbers, or where its bytes are; a file of two
gigabytes costs what its tags cost. Every length is judged against the message that it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from modelspec.formats.foreign import Unreadable

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
MAX_TAGS: Final = 1_000_000
"""Fields that one file may be walked through: more is no graph that somebody serves."""
MAX_BYTES: Final = 1024 * 1024
"""The most bytes of one text, or of one message that is read into memory."""
MAX_READ: Final = 128 * 1024 * 1024
"""The most bytes of all that is read into memory of one file: a million texts may have a megabyte each."""
_WINDOW: Final = 4096


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a message: its number, its wire type, its value (varint, fixed), where its bytes are."""

    number: int
    wire: int
    value: int
    begin: int
    end: int


class Wire:
    """A stream of protobuf, read in small windows."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, 2)
        self._window = b""
        self._at = 0
        self._tags = 0
        self._read_so_far = 0

    def parts(self, begin: int = 0, end: int | None = None) -> Iterator[Part]:
        """Yield the fields of the message in a part of the stream; raises Unreadable for what is none."""
        at, stop = begin, self.size if end is None else end
        while at < stop:
            self._tags += 1
            if self._tags > MAX_TAGS:
                raise Unreadable(f"it has more than {MAX_TAGS:,} fields")
            tag, at = self._varint(at, stop)
            number, wire = tag >> 3, tag & 7
            if number == 0 or number >= 1 << 29:
                raise Unreadable(f"at byte {at:,}: {number} is no field of a protobuf message")
            if wire == VARINT:
                value, after = self._varint(at, stop)
                yield Part(number, wire, value, at, after)
                at = after
                continue
            if wire == BYTES:
                length, at = self._varint(at, stop)
            elif wire in (FIXED32, FIXED64):
                length = 4 if wire == FIXED32 else 8
            else:
                raise Unreadable(f"at byte {at:,}: {wire} is no wire type of protobuf")
            if length > stop - at:
                raise Unreadable(
                    f"at byte {at:,}: {length:,} bytes are announced, {stop - at:,} are left: it is cut"
                )
            value = int.from_bytes(self._read(at, length), "little") if wire != BYTES else 0
            yield Part(number, wire, value, at, at + length)
            at += length

    def inside(self, part: Part) -> Iterator[Part]:
        """Yield the fields of the message that a part holds."""
        if part.wire != BYTES:
            raise Unreadable(f"at byte {part.begin:,}: field {part.number} is no message")
        return self.parts(part.begin, part.end)

    def raw(self, part: Part) -> bytes:
        """Return the bytes of a part; raises Unreadable when they are many."""
        if part.wire != BYTES:
            raise Unreadable(f"at byte {part.begin:,}: field {part.number} is no text")
        if part.end - part.begin > MAX_BYTES:
            raise Unreadable(f"at byte {part.begin:,}: a text of {part.end - part.begin:,} bytes")
        self._read_so_far += part.end - part.begin
        if self._read_so_far > MAX_READ:
            raise Unreadable(f"its names and texts have more than {MAX_READ:,} bytes")
        return self._read(part.begin, part.end - part.begin)

    def text(self, part: Part) -> str:
        """Return the text of a part; raises Unreadable when it is none."""
        try:
            return self.raw(part).decode()
        except UnicodeDecodeError:
            raise Unreadable(f"at byte {part.begin:,}: field {part.number} is no UTF-8") from None

    def _varint(self, at: int, stop: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            if at >= stop:
                raise Unreadable(f"at byte {at:,}: a number has no end: the file is cut")
            if not self._at <= at < self._at + len(self._window):
                self._window, self._at = self._read(at, _WINDOW), at
            byte = self._window[at - self._at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (1 << 64) - 1, at
            shift += 7
            if shift > 63:
                raise Unreadable(f"at byte {at:,}: a number of more than 64 bits")

    def _read(self, at: int, length: int) -> bytes:
        self._stream.seek(at)
        data = self._stream.read(length)
        if not data and length:
            raise Unreadable("the file became shorter while it was read", "wait until nothing writes it")
        return data


def signed(value: int) -> int:
    """Return a varint as the signed 64-bit number that it is for int32 and int64 fields."""
    return value - (1 << 64) if value >= 1 << 63 else value
