"""One writer at a time: a lock on the root folder itself, which leaves no file behind.

The kernel lets go of it when the process ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the lock of a root; raises Refusal at once when another process holds it."""
    shown = visible(str(root), 200)
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(f"{shown} can't be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                raise Refusal(
                    f"another modelspec is writing in {shown}", "wait until it ends, then run this again"
                ) from None
            raise Refusal(
                f"{shown} can't be locked: {error.strerror}", "use a file system that has locks (a local one)"
            ) from None
        yield
    finally:
        os.close(descriptor)
