"""Asks a scanner what a pickle would call. It reads opcodes and loads nothing; here it does so in a child.

A scanner is a list of what is known to be bad: its silence proves nothing, and what it stumbles over is
never taken for silence.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from modelspec.tree.finding import Refusal
from modelspec.world.foreign import foreign
from modelspec.world.isolated import isolated

EXTRA: Final = 'pip install "modelspec-gitops[scan]"'
_SEVEN: Final = b"7z\xbc\xaf\x27\x1c"
_ARRAY: Final = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scanner says of a file: what is dangerous in it, and why it did not see all of it.

    `numbers`: so many bytes lie between its opcodes and are none; it was given the opcodes alone.
    """

    dangerous: tuple[str, ...] = ()
    failed: str | None = None
    numbers: int = 0


Opcodes = Callable[[BinaryIO], tuple[tuple[bytes, ...], int] | None]
"""Gives the pickles of a file in which other bytes lie between the opcodes, and how many those are."""


def scanned(path: Path, opcodes: Opcodes) -> Scanned:
    """Scan one file; raises Refusal without the package, and for a file that can't be opened.

    Where the scanner stumbles over the file, it is given the opcodes alone, if `opcodes` tells them.
    """
    from importlib.util import find_spec

    if find_spec("picklescan") is None:
        raise Refusal("scanning needs the package picklescan", EXTRA)
    with foreign(path) as stream:
        head = stream.read(len(_SEVEN))
    if head == _SEVEN:
        # It would be unpacked to a temporary folder.
        return Scanned(failed="it is packed with 7-Zip")
    # The scanner goes by names, and passes over what it can't read in a file that is called as torch's are.
    suffix = ".npy" if head == _ARRAY else ""
    try:
        found = json.loads(isolated(lambda: _scan(path, suffix, opcodes)))
    except Refusal as refusal:
        return Scanned(failed=refusal.message)
    return Scanned(tuple(found["dangerous"]), found["failed"], found["numbers"])


class _Complaints(logging.Handler):
    """Keeps count of what the scanner says that it could not read, and prints nothing."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += not str(record.msg).endswith("FOUND")


def _scan(path: Path, suffix: str, opcodes: Opcodes) -> bytes:
    from picklescan import scanner

    dangerous, failed = _asked(
        lambda: path.open("rb"), lambda stream: scanner.scan_bytes(stream, "file", suffix)
    )
    numbers = 0
    if failed is not None:
        with path.open("rb") as stream:
            told = opcodes(stream)
        if told is not None:
            pickles, numbers = told
            said = [
                _asked(partial(io.BytesIO, one), lambda stream: scanner.scan_pickle_bytes(stream, "file"))
                for one in pickles
            ]
            dangerous = dangerous.union(*(names for names, _ in said))
            failed = next((why for _, why in said if why is not None), None)
    return json.dumps({"dangerous": sorted(dangerous), "failed": failed, "numbers": numbers}).encode()


def _asked(opened: Callable[[], IO[bytes]], scan: Callable[[IO[bytes]], Any]) -> tuple[set[str], str | None]:
    """Return what a scanner calls dangerous in a stream, and why it did not see all of it."""
    complaints, log = _Complaints(), logging.getLogger("picklescan")
    log.handlers, log.propagate = [complaints], False
    try:
        with opened() as stream:
            result = scan(stream)
        dangerous = {f"{one.module}.{one.name}" for one in result.globals if one.safety.value == "dangerous"}
        return dangerous, "it could not read all of it" if result.scan_err or complaints.count else None
    except MemoryError:
        raise
    except Exception as error:
        # picklescan, and what it reads with, raise whatever the bytes make them raise.
        return set(), f"it stumbled over it: {type(error).__name__}"
