"""Opens a file that the user names and others wrote."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.folders import said

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def foreign(path: Path | str) -> Iterator[BinaryIO]:
    """Open a regular file for reading; raises Refusal for a link, a FIFO, and what can't be read."""
    try:
        descriptor = os.open(path, _OPEN)
    except (OSError, ValueError) as error:
        shown = visible(str(path), 200)
        if os.path.islink(path):  # noqa: PTH114  (Path.is_symlink raises for a name that is too long)
            raise Refusal(f"{shown} is a symbolic link", "name the file that it leads to") from None
        why = said(error) if isinstance(error, OSError) else str(error).lower()
        raise Refusal(f"{shown} can't be read: {why}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Refusal(f"{visible(str(path), 200)} is not a regular file")
        # With a size given, Python does not ask each of thousands of files whether it is a terminal.
        with os.fdopen(descriptor, "rb", buffering=io.DEFAULT_BUFFER_SIZE) as stream:
            yield stream
    except OSError as error:
        # A call on an open file does not name it; one that names a file is about another.
        if error.errno is None or isinstance(error.filename, str | bytes):
            raise
        raise Refusal(f"{visible(str(path), 200)} can't be read: {said(error)}") from None
