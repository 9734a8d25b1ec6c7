"""Asks a scanner what a pickle would call. It reads opcodes and loads nothing; here it does so in a child.

A scanner is a list of what is known to be bad: its silence proves nothing, and what it stumbles over is
never taken for silence.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.world.foreign import foreign
from modelspec.world.isolated import isolated

EXTRA: Final = 'pip install "modelspec-gitops[scan]"'
_SEVEN: Final = b"7z\xbc\xaf\x27\x1c"


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scanner says of a file: what is dangerous in it, and why it did not see all of it."""

    dangerous: tuple[str, ...] = ()
    failed: str | None = None


def scanned(path: Path) -> Scanned:
    """Scan one file; raises Refusal without the package, and for a file that can't be opened."""
    from importlib.util import find_spec

    if find_spec("picklescan") is None:
        raise Refusal("scanning needs the package picklescan", EXTRA)
    with foreign(path) as stream:
        # It would be unpacked to a temporary folder.
        if stream.read(len(_SEVEN)) == _SEVEN:
            return Scanned(failed="it is packed with 7-Zip")
    try:
        found = json.loads(isolated(lambda: _scan(path)))
    except Refusal as refusal:
        return Scanned(failed=refusal.message)
    return Scanned(tuple(found["dangerous"]), found["failed"])


class _Complaints(logging.Handler):
    """Keeps count of what the scanner says that it could not read, and prints nothing."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += not str(record.msg).endswith("FOUND")


def _scan(path: Path) -> bytes:
    from picklescan import scanner

    complaints, log = _Complaints(), logging.getLogger("picklescan")
    log.handlers, log.propagate = [complaints], False
    dangerous: list[str] = []
    failed: str | None = None
    try:
        with path.open("rb") as stream:
            result = scanner.scan_bytes(stream, "file", path.suffix.lower())
        dangerous = sorted(
            {f"{one.module}.{one.name}" for one in result.globals if one.safety.value == "dangerous"}
        )
        if result.scan_err or complaints.count:
            failed = "it could not read all of it"
    except MemoryError:
        raise
    except Exception as error:
        # picklescan, and what it reads with, raise whatever the bytes make them raise.
        failed = f"it stumbled over it: {type(error).__name__}"
    return json.dumps({"dangerous": dangerous, "failed": failed}).encode()
