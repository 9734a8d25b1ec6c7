"""Reads and writes of large files that go past the system's cache, where the file system lets them.

O_DIRECT of open(2): bytes are not copied into the cache and out of it, and what it holds for others stays
there. Such reads and writes begin and end at whole blocks, in the file and in memory.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from queue import SimpleQueue
from typing import Final

from modelspec.world import parallel
from modelspec.world.durable import UNSUPPORTED

BLOCK: Final = 4096
"""What all is aligned to: no disk in use has larger sectors."""
LEAST: Final = 256 * 1024
"""Smaller files are not worth a direct write."""
_AHEAD: Final = 4 * 1024 * 1024
"""Smaller files the system reads ahead by itself, as a whole, and sooner than a thread of ours would."""
_LARGEST: Final = 4 * 1024 * 1024
_BUDGET: Final = 64 * 1024 * 1024
"""Bytes of the buffers of one purpose together, however many threads there are."""
_DEEP: Final = 3
"""Buffers of a reader: one is hashed while others are filled."""
_SPARE: Final[deque[memoryview]] = deque(maxlen=8)
"""Buffers of readers that nobody uses now."""


def directly(descriptor: int, on: bool) -> bool:
    """Have an open file's reads and writes go past the cache, or not; return whether they do now.

    What is written so needs a flush as any other write does. Linux, and not every file system.
    """
    flag = getattr(os, "O_DIRECT", None)
    if flag is None:
        return False
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | flag if on else flags & ~flag)
    except OSError:
        return not on
    return on


def pages(size: int) -> memoryview:
    """Return memory that begins at a page, in large pages, which cost direct reads and writes less."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


def share(deep: int, threads: int) -> int:
    """Return the size of each buffer where so many threads work with `deep` of them each."""
    return min(_LARGEST, _BUDGET // (threads * deep) // BLOCK * BLOCK)


def is_cold(descriptor: int, size: int) -> bool:
    """Whether the cache lacks some of a large file: asked at a few places (preadv2(2), RWF_NOWAIT)."""
    flag = getattr(os, "RWF_NOWAIT", None)
    if flag is None or size < _AHEAD:
        return False
    byte = bytearray(1)
    try:
        for at in (0, size // 3, 2 * size // 3, size - 1):
            os.preadv(descriptor, [byte], at, flag)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def ahead(stream: FileIO, size: int) -> Iterator[memoryview]:
    """Yield what a raw stream holds, read directly, and ahead of who hashes it: by a thread of its own."""
    directly(stream.fileno(), True)
    part = share(_DEEP, parallel.threads(parallel.MOST))
    free: SimpleQueue[memoryview | None] = SimpleQueue()
    full: SimpleQueue[tuple[memoryview, int] | BaseException] = SimpleQueue()

    def read() -> None:
        try:
            while (buffer := free.get()) is not None:
                full.put((buffer, count := _read(stream, buffer)))
                if not count:
                    break
        except BaseException as error:
            full.put(error)

    thread = threading.Thread(target=read, daemon=True)
    buffers = [_lent(part) for _ in range(_DEEP if size >= part else 1)]
    if size >= part:
        # Where no more threads are to be had (a container's limit, memory), it is read without one.
        with suppress(RuntimeError):
            thread.start()
    if thread.ident is None:
        while count := _read(stream, buffers[0]):
            yield buffers[0][:count]
        _SPARE.extend(buffers)
        return
    for buffer in buffers:
        free.put(buffer)
    try:
        while True:
            found = full.get()
            if isinstance(found, BaseException):
                raise found
            buffer, count = found
            if not count:
                return
            yield buffer[:count]
            free.put(buffer)
    finally:
        free.put(None)
        thread.join()
        _SPARE.extend(buffers)


def _read(stream: FileIO, buffer: memoryview) -> int:
    try:
        count = stream.readinto(buffer) or 0
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        # A disk that wants larger blocks.
        directly(stream.fileno(), False)
        count = stream.readinto(buffer) or 0
    if count % BLOCK:
        # The end, most often; what comes after it, if anything, is at no block.
        directly(stream.fileno(), False)
    return count


def _lent(size: int) -> memoryview:
    with suppress(IndexError):
        if len(spare := _SPARE.pop()) == size:
            return spare
    return pages(size)
