"""The objects in one file of a request log: JSON lines, a JSON array, CSV with a heading, rows of Parquet.

Told by the first bytes, never by the name; gzip and zstd are unpacked as they are read. Values are JSON's:
what Parquet has beside them becomes text (instants) or `{"base64": ...}` (bytes that are no UTF-8).
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.record import Unreadable
from modelspec.tree.text import visible

PARQUET: Final = b"PAR1"
MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one JSON line, and of a file that is one JSON value."""
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ROWS: Final = 1024
_PIECE: Final = 16 * 1024
"""Bytes that are unpacked at a time: where a file breaks off, what came before is read."""
_LARGE: Final = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{300}")
Object = Mapping[str, Any]


def objects(stream: BinaryIO, shown: str) -> Iterator[tuple[str, Object] | Unreadable]:
    """Yield (place, object) of everything in a file, and what is none. Closes the stream."""
    with stream:
        try:
            yield from _objects(stream, shown)
        except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
            yield Unreadable(shown, f"it breaks off: {_said(error)}")


def _objects(stream: BinaryIO, shown: str) -> Iterator[tuple[str, Object] | Unreadable]:
    head = stream.read(4)
    stream.seek(0)
    if head == PARQUET:
        yield from _parquet(stream, shown)
        return
    plain = unpacked(stream, head)
    buffered = io.BufferedReader(plain, 1024 * 1024)
    first = buffered.peek(64)[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not first:
        if not buffered.read(1):
            yield Unreadable(shown, "it is empty")
            return
        first = b"{"
    if first.startswith(b"["):
        yield from _array(buffered, shown)
    elif first.startswith(b"{"):
        yield from _lines(buffered, shown)
    elif b"\0" in first or any(byte > 0x7E for byte in first):
        yield Unreadable(shown, "no format that is known here begins like this")
    else:
        yield from _csv(buffered, shown)


def unpacked(stream: BinaryIO, head: bytes) -> Any:
    """Return a stream of the plain bytes."""
    if head.startswith(_GZIP):
        return _Raw(gzip.GzipFile(fileobj=stream).read1)
    if head != _ZSTD:
        return stream if isinstance(stream, io.RawIOBase | io.BufferedIOBase) else _Raw(stream.read)
    try:
        import pyarrow as pa
    except ImportError:
        raise Refusal(
            "nothing is installed that unpacks zstd", 'pip install "modelspec-gitops[trace]"'
        ) from None
    return _Raw(pa.CompressedInputStream(stream, "zstd").read, _PIECE)


class _Raw(io.RawIOBase):
    """Any `read` as what io wraps. With `most`, no more at once: a read that fails loses what it had."""

    def __init__(self, read: Callable[[int], bytes], most: int | None = None) -> None:
        self._read, self._most = read, most

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._read(min(len(into), self._most or len(into)))
        into[: len(data)] = data
        return len(data)


def _lines(stream: io.BufferedReader, shown: str) -> Iterator[tuple[str, Object] | Unreadable]:
    """Yield JSON lines; a file whose first line is no JSON is read as one object over several lines."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        place = f"{shown}:{number}"
        if len(line) > MAX_LINE:
            yield Unreadable(place, f"a line has more than {MAX_LINE:,} bytes")
            return
        if not line.strip():
            continue
        value = _json(line)
        if number == 1 and isinstance(value, _Bad):
            rest = stream.read(MAX_LINE)
            whole = _json(line + rest) if rest.strip() else value
            if not isinstance(whole, _Bad):
                yield _object(whole, shown)
                return
            yield Unreadable(place, value.why)
            stream = io.BufferedReader(_Joined(rest, stream))
            continue
        yield Unreadable(place, value.why) if isinstance(value, _Bad) else _object(value, place)


class _Joined(io.RawIOBase):
    """Bytes that were read already, before what is left of a stream."""

    def __init__(self, first: bytes, rest: io.BufferedReader) -> None:
        self._first, self._rest = io.BytesIO(first), rest

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._first.read(len(into)) or self._rest.read(len(into))
        into[: len(data)] = data
        return len(data)


def _array(stream: io.BufferedReader, shown: str) -> Iterator[tuple[str, Object] | Unreadable]:
    data = stream.read(MAX_LINE + 1)
    if len(data) > MAX_LINE:
        yield Unreadable(shown, f"a JSON array of more than {MAX_LINE:,} bytes; write JSON lines")
        return
    value = _json(data)
    if isinstance(value, _Bad):
        yield Unreadable(shown, value.why)
        return
    for at, one in enumerate(value):
        yield _object(one, f"{shown}[{at}]")


def _csv(stream: io.BufferedReader, shown: str) -> Iterator[tuple[str, Object] | Unreadable]:
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    reader = csv.reader(text)
    previous = csv.field_size_limit(MAX_LINE)
    try:
        heading = next(reader, [])
        if len(heading) < 2 or len(set(heading)) != len(heading):
            yield Unreadable(shown, "no format that is known here begins like this")
            return
        for row in reader:
            place = f"{shown}:{reader.line_num}"
            if len(row) != len(heading):
                yield Unreadable(place, f"a row of {len(row)} values, the heading has {len(heading)}")
                continue
            yield place, dict(zip(heading, map(_cell, row), strict=True))
    finally:
        csv.field_size_limit(previous)


def _cell(cell: str) -> Any:
    """Return a cell; one that is a JSON object or list as its value, for CSV has no other way to hold it."""
    if cell.startswith(("{", "[")) and cell.endswith(("}", "]")):
        value = _json(cell.encode())
        return cell if isinstance(value, _Bad) else value
    return cell


def _parquet(stream: BinaryIO, shown: str) -> Iterator[tuple[str, Object] | Unreadable]:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise Refusal(
            "nothing is installed that reads Parquet", 'pip install "modelspec-gitops[trace]"'
        ) from None
    row = 0
    try:
        for batch in pq.ParquetFile(stream).iter_batches(_ROWS, use_threads=False):
            for value in batch.to_pylist(maps_as_pydicts="lossy"):
                yield f"{shown}[{row}]", plain(value)
                row += 1
    except MemoryError:
        yield Unreadable(shown, "its rows take more memory than there is")
    except Exception as error:
        # pyarrow raises classes of its own, and its C++ errors as others.
        yield Unreadable(shown, f"it is no whole Parquet file: {_said(error)}")


def plain(value: Any) -> Any:
    """Return a value of Parquet as JSON has it."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        told = value.isoformat(timespec="microseconds")
        return told if value.tzinfo is not None else f"{told}Z"
    if isinstance(value, date | Decimal):
        return str(value)
    return value


class _Bad:
    def __init__(self, why: str) -> None:
        self.why = why


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_float=_finite if _LARGE.search(data) else None)
    except UnicodeDecodeError:
        return _Bad("it is not UTF-8")
    except RecursionError:
        return _Bad("it is nested too deep")
    except json.JSONDecodeError as error:
        return _Bad(f"it is no whole JSON: {error.msg.removesuffix(' at')} at {error.pos:,}")
    except ValueError as error:
        return _Bad(f"it is no JSON: {visible(str(error), 80)}")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), -float("inf")):
        raise ValueError(f"the number {text[:30]} is more than a double holds")
    return number


def _object(value: Any, place: str) -> tuple[str, Object] | Unreadable:
    return (place, value) if isinstance(value, dict) else Unreadable(place, "it is no JSON object")


def _said(error: Exception) -> str:
    return visible(str(error).partition("\n")[0] or type(error).__name__, 160)
