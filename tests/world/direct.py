"""What tests of direct reads and writes ask the system."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelspec.world import direct


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No thread and no descriptor outlives a test."""
    before, opened = set(threading.enumerate()), opened_files()
    yield
    assert set(threading.enumerate()) <= before
    assert opened_files() <= opened


def opened_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def is_direct(descriptor: int) -> bool:
    """Whether the reads and writes of an open file go past the cache."""
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT)


def goes_past(folder: Path) -> bool:
    """Whether the file system of a folder has direct reads and writes."""
    descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR)
    try:
        return direct.directly(descriptor, True)
    finally:
        os.close(descriptor)


def is_cold(path: Path) -> bool:
    with path.open("rb", buffering=0) as stream:
        return direct.is_cold(stream.fileno(), path.stat().st_size)


def chilled(path: Path) -> Path:
    """Take a file out of the system's cache."""
    with path.open("rb+", buffering=0) as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path
