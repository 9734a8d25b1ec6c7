"""What a zip archive holds, by its directory and what its members begin with; it is never unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import IO, BinaryIO, Final

from modelspec.formats.keras import code_in

_MEMBERS: Final = 10_000
_DIRECTORY: Final = 8 * 1024 * 1024
"""The most bytes of an archive's directory: zipfile reads all of it, and makes ten times as many."""
_CONFIG: Final = 16 * 1024 * 1024
_NESTED: Final = 64 * 1024 * 1024
_DEPTH: Final = 3
_END: Final = 22 + 65_535
"""Bytes of the end of an archive: its last record, and the longest comment."""
_MANY: Final = ("zip", True, "an archive of too many files, which were not looked at")
RunsCode = Callable[[Callable[[], AbstractContextManager[IO[bytes]]]], bool]


def is_zip(stream: BinaryIO) -> bool:
    """Whether a stream is a zip archive by its end: it may begin with anything."""
    try:
        # Most files are none, which one look tells in half the time that it takes to search twice.
        stream.seek(-min(_END, stream.seek(0, io.SEEK_END)), io.SEEK_END)
        return stream.read(_END).rfind(b"PK\x05\x06") >= 0 and zipfile.is_zipfile(stream)
    except Exception:
        # zipfile raises whatever the bytes make it raise; reading the archive says that it can't be read.
        return True


def detect_zip(stream: BinaryIO, runs_code: RunsCode) -> tuple[str, bool, str]:
    """Return (format, unsafe, why). An archive that can't be read to its end is unsafe, never harmless."""
    return _Archives(runs_code).detect(stream, 0)


class _Archives:
    """An archive and those in it, which are looked into as long as they are small, and not many."""

    def __init__(self, runs_code: RunsCode) -> None:
        self._runs_code = runs_code
        self._left = _NESTED

    def detect(self, stream: BinaryIO, depth: int) -> tuple[str, bool, str]:
        try:
            if _directory(stream) > _DIRECTORY:
                return _MANY
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
                return _MANY if len(members) > _MEMBERS else self._members(archive, members, depth)
        except Exception:
            # zipfile, and what unpacks for it, raise whatever the bytes make them raise.
            return "zip", True, "an archive that can't be read, which others may read differently"

    def _members(
        self, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], depth: int
    ) -> tuple[str, bool, str]:
        names = {member.filename for member in members}
        last = {name.rpartition("/")[2] for name in names}
        if "data.pkl" in last:
            return "torch", True, "a torch archive, whose data.pkl is a pickle"
        for member in members:
            if member.is_dir():
                continue
            if self._runs_code(partial(archive.open, member)):
                return "zip", True, "an archive with a pickle in it"
            with archive.open(member) as opened:
                if opened.read(2) == b"PK" and (why := self._nested(archive, member, depth)):
                    return "zip", True, why
        if "schema.json" in names:
            return "skops", False, ""
        if "config.json" in names and {"metadata.json", "model.weights.h5"} & names:
            with archive.open("config.json") as opened:
                config = opened.read(_CONFIG + 1)
            code = "a configuration that is too long" if len(config) > _CONFIG else code_in(config)
            return "keras", code is not None, "" if code is None else f"a Keras model with {code}"
        return "", False, ""

    def _nested(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, depth: int) -> str:
        """Say what is wrong with an archive in an archive; "" where nothing in it runs code."""
        if depth == _DEPTH or member.file_size > self._left:
            return "an archive with archives in it that were not looked into"
        self._left -= member.file_size
        with archive.open(member) as opened:
            # A member gives no more than its directory says, whatever is packed in it.
            _, unsafe, why = self.detect(io.BytesIO(opened.read(member.file_size)), depth + 1)
        return f"an archive with another one in it: {why}" if unsafe else ""


def _directory(stream: BinaryIO) -> int:
    """Return how many bytes the directory of an archive has; raises as zipfile does where there is none."""
    # Private names of zipfile: whoever looks for the end in another way than it does may find another one.
    end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
    return int(end[zipfile._ECD_SIZE])  # type: ignore[attr-defined]
