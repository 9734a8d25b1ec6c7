"""UBJSON as XGBoost writes it: maps, lists, typed lists, big-endian numbers. Keys can be left unread.

Format: ubjson.org, draft 12. Lengths come from the file and are compared with what is left of it.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from typing import BinaryIO, Final

from modelspec.formats.foreign import Unreadable
from modelspec.tree.data import Data

_NUMBERS: Final = {
    b"i": ">b", b"U": ">B", b"I": ">h", b"u": ">H", b"l": ">i", b"m": ">I", b"L": ">q", b"M": ">Q",
    b"d": ">f", b"D": ">d",
}  # fmt: skip
_WHOLE: Final = frozenset(b"iUIulmLM"[index : index + 1] for index in range(8))
_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 1_000_000
_MAX_TEXT: Final = 1024 * 1024


def read_ubjson(stream: BinaryIO, skip: Container[str] = ()) -> Data:
    """Return the data of a stream; the values of keys in `skip` are passed over and read as None."""
    return _Walk(stream, skip).value(0, keep=True)


class _Walk:
    def __init__(self, stream: BinaryIO, skip: Container[str]) -> None:
        start = stream.tell()
        self.end = stream.seek(0, 2)
        stream.seek(start)
        self.stream, self.skip, self.nodes = stream, skip, 0

    def value(self, depth: int, *, keep: bool, kind: bytes | None = None) -> Data:
        if depth > _MAX_DEPTH:
            raise Unreadable(f"it is nested deeper than {_MAX_DEPTH} levels")
        kind = kind or self._mark()
        if keep:
            self.nodes += 1
            if self.nodes > _MAX_NODES:
                raise Unreadable(f"its header holds more than {_MAX_NODES:,} values")
        if kind == b"{":
            return self._map(depth, keep)
        if kind == b"[":
            return self._list(depth, keep)
        if kind == b"S":
            return self._text(self._count())
        if kind in _NUMBERS:
            return self._number(kind)
        if kind in (b"Z", b"T", b"F"):
            return {b"Z": None, b"T": True, b"F": False}[kind]
        if kind == b"C":
            return self._text(1)
        raise _damaged()

    def _map(self, depth: int, keep: bool) -> Data:
        found: dict[str, Data] = {}
        kind, count = self._typed()
        while count is None or count > 0:
            mark = self._mark()
            if count is None and mark == b"}":
                break
            key = self._text(self._count(mark))
            inner = keep and key not in self.skip
            value = self.value(depth + 1, keep=inner, kind=kind)
            if inner:
                found[key] = value
            count = None if count is None else count - 1
        return found

    def _list(self, depth: int, keep: bool) -> Data:
        kind, count = self._typed()
        if kind in _NUMBERS and count is not None:
            size = struct.calcsize(_NUMBERS[kind or b""])
            if not keep:
                self._pass(size * count)
                return None
        found: list[Data] = []
        while count is None or count > 0:
            mark = kind or self._mark()
            if count is None and mark == b"]":
                break
            value = self.value(depth + 1, keep=keep, kind=mark)
            if keep:
                found.append(value)
            count = None if count is None else count - 1
        return found

    def _typed(self) -> tuple[bytes | None, int | None]:
        """Return the type and the count that a container declares, each if it does."""
        kind, mark = None, self._mark()
        if mark == b"$":
            kind, mark = self._mark(), self._mark()
            # A type without bytes would let a few bytes stand for endless values.
            if mark != b"#" or kind in (b"Z", b"T", b"F", b"N"):
                raise _damaged()
        if mark == b"#":
            return kind, self._count()
        self.stream.seek(-1, 1)
        return kind, None

    def _count(self, mark: bytes | None = None) -> int:
        mark = mark or self._mark()
        if mark not in _WHOLE:
            raise _damaged()
        count = int(self._number(mark))
        if count < 0:
            raise _damaged()
        return count

    def _number(self, kind: bytes) -> int | float:
        form = _NUMBERS[kind]
        size = struct.calcsize(form)
        number: int | float = struct.unpack(form, self._take(size))[0]
        return number

    def _text(self, size: int) -> str:
        if size > _MAX_TEXT:
            raise Unreadable(f"a text of it has {size:,} bytes")
        return self._take(size).decode("utf-8", "replace")

    def _mark(self) -> bytes:
        while (mark := self._take(1)) == b"N":
            pass
        return mark

    def _take(self, size: int) -> bytes:
        data = self.stream.read(size)
        if len(data) != size:
            raise _damaged()
        return data

    def _pass(self, size: int) -> None:
        if self.stream.tell() + size > self.end:
            raise _damaged()
        self.stream.seek(size, 1)


def _damaged() -> Unreadable:
    return Unreadable("it is UBJSON that is cut off or damaged", "save it again")
