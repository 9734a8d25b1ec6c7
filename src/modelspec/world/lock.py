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

_PAUSE: Final = 0.02


@contextmanager
def lock(root: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of a folder; raises Refusal when another process holds it for longer than `patience`.

    `patience` is in seconds; by default the refusal comes at once.
    """
    shown = visible(str(root), 200)
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(f"{shown} can't be opened: {error.strerror}") from None
    try:
        end = time.monotonic() + patience
        while not _taken(descriptor, shown):
            if time.monotonic() >= end:
                raise Refusal(
                    f"another modelspec is writing in {shown}", "wait until it ends, then run this again"
                )
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, shown: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            return False
        raise Refusal(
            f"{shown} can't be locked: {error.strerror}", "use a file system that has locks (a local one)"
        ) from None
    return True
