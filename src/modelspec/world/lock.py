"""One writer at a time: a lock on the root folder itself, which leaves no file behind.

The kernel lets go of it when the process ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world import waiting

_PAUSE: Final = 0.02
_PATIENCE: Final = 120.0
"""Seconds that a `shared` one waits: a pipeline that registers is not to fail as `gc` happens to look."""


@contextmanager
def lock(root: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of a folder; raises Refusal when another process holds it for longer than `patience`.

    `patience` is in seconds; by default the refusal comes at once.
    """
    with _locked(root, fcntl.LOCK_EX, "another modelspec is writing in", patience):
        yield


@contextmanager
def shared(root: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the lock of a folder together with others who share it; waits for `lock`, as `lock` can."""
    with _locked(root, fcntl.LOCK_SH, "another modelspec (gc) is removing from", patience):
        yield


@contextmanager
def _locked(root: Path, kind: int, held: str, patience: float) -> Iterator[None]:
    shown = visible(str(root), 200)
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(f"{shown} can't be opened: {error.strerror}") from None
    try:
        begun = time.monotonic()
        while not _taken(descriptor, kind, shown):
            waited = time.monotonic() - begun
            if waited >= patience:
                raise Refusal(f"{held} {shown}", "wait until it ends, then run this again")
            if waited >= waiting.LONG:
                waiting.say(f"{held} {shown}: this waits for it")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, kind: int, shown: str) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            return False
        raise Refusal(
            f"{shown} can't be locked: {error.strerror}", "use a file system that has locks (a local one)"
        ) from None
    return True
