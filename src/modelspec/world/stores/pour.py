"""Copies bytes into a new file while they are hashed: read, hashed and written at once.

Large files go past the system's cache where the file system lets them (`direct`): neither what it holds for
others nor a container's memory goes for them.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from queue import SimpleQueue
from typing import Final

from modelspec.tree.protocols import Progress
from modelspec.world import durable, parallel
from modelspec.world.direct import BLOCK, LEAST, directly, pages, share
from modelspec.world.files import whole

_DEEP: Final = 8
"""Buffers of a lane. One is hashed while another is written; memory that a disk has just read is slow to fill
again, so it rests for a while."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What is there of a file already: how many bytes from its beginning on, and the hash up to there."""

    size: int
    hashed: hashlib._Hash


class _First:
    """The first error of several threads: no lane goes on after it."""

    error: BaseException | None = None

    def note(self, error: BaseException) -> None:
        self.error = self.error or error


class Lanes:
    """A thread beside each thread that copies, which writes what that one has read."""

    def __init__(self, count: int) -> None:
        self._size = share(_DEEP, count)
        self._own = threading.local()
        self._all: list[_Lane] = []
        self._first = _First()

    def lane(self) -> _Lane:
        """Return the lane of this thread."""
        found: _Lane | None = getattr(self._own, "lane", None)
        if found is None:
            found = self._own.lane = _Lane(self._size, self._first)
            self._all.append(found)
        return found

    def close(self) -> BaseException | None:
        """Return when all is written, or given up: what went wrong, if anything."""
        for lane in self._all:
            lane.close()
        return self._first.error


@contextmanager
def lanes(files: int) -> Iterator[Lanes]:
    """Open lanes for the threads that copy so many files; what they took is written at the end.

    Raises OSError then when it could not be, unless something else was raised before.
    """
    opened = Lanes(parallel.threads(files))
    try:
        yield opened
    finally:
        failed = opened.close()
    if failed is not None:
        raise failed


class _Lane:
    """Hashes files, one after the other, and has a thread write their bytes, until the first error."""

    def __init__(self, size: int, first: _First) -> None:
        self._first = first
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        for _ in range(_DEEP):
            self._free.put(pages(size))
        self._full: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        # Where no more threads are to be had (a container's limit, memory), what reads writes as well.
        with suppress(RuntimeError):
            self._thread.start()

    def copy(
        self,
        fill: Callable[[memoryview], int],
        descriptor: int,
        progress: Progress,
        begun: Begun | None = None,
    ) -> tuple[int, str]:
        """Copy what fills buffers, to the first that is not full; return how many bytes, and their digest.

        `begun`: what the file has already, which counts; the rest comes behind it.
        It may be written after this returns, through a descriptor of its own. Raises what filling a buffer
        raises, or what went wrong before, here or in another lane.
        """
        found, size = (begun.hashed.copy(), begun.size) if begun is not None else (hashlib.sha256(), 0)
        target, more = None, True
        if begun is not None:
            os.lseek(descriptor, size, os.SEEK_SET)
            progress(size)
        try:
            while more:
                parallel.go_on()
                buffer = self._free.get()
                if self._first.error is not None:
                    raise self._first.error
                count = fill(buffer)
                more = count == len(buffer)
                if target is None and count < LEAST and not more:
                    durable.write(descriptor, buffer[:count])
                    self._free.put(buffer)
                else:
                    target = target or _Target(os.dup(descriptor), size)
                    self._hand((target, buffer, count))
                # The buffer comes back to this thread alone, and so not before it is hashed.
                found.update(buffer[:count])
                size += count
                progress(count)
        except BaseException as error:
            self._first.note(error)
            raise
        finally:
            if target is not None:
                self._hand((target, None, 0))
        return size, "sha256:" + found.hexdigest()

    def close(self) -> None:
        """Return when all is written, or given up."""
        if self._thread.ident is not None:
            self._full.put(None)
            self._thread.join()

    def _hand(self, job: _Job) -> None:
        self._full.put(job) if self._thread.ident is not None else self._do(job)

    def _write(self) -> None:
        while (job := self._full.get()) is not None:
            self._do(job)

    def _do(self, job: _Job) -> None:
        target, buffer, count = job
        try:
            if buffer is None:
                target.close()
            elif self._first.error is None:
                target.write(buffer[:count])
        except BaseException as error:
            self._first.note(error)
        if buffer is not None:
            self._free.put(buffer)


class _Target:
    """A new file that is written from a byte on to its end."""

    def __init__(self, descriptor: int, at: int) -> None:
        self._descriptor = descriptor
        self._direct = directly(descriptor, True)
        self._at = at

    def write(self, chunk: memoryview) -> None:
        """Write what comes next."""
        at, rest = self._at, chunk
        if self._direct:
            rest = chunk[self._past_the_cache(chunk[: len(chunk) // BLOCK * BLOCK]) :]
            if rest:
                # No whole block: the end of the file; or a disk that wants larger ones.
                self._direct = directly(self._descriptor, False)
        while rest:
            rest = rest[self._put(rest) :]
        if not self._direct and len(chunk) >= LEAST:
            durable.begin_writing(self._descriptor, at, len(chunk))

    def close(self) -> None:
        """Close it, not flushed."""
        os.close(self._descriptor)

    def _past_the_cache(self, blocks: memoryview) -> int:
        """Write whole blocks directly; return how much of them the file system has taken so."""
        done = 0
        try:
            while done < len(blocks) and done % BLOCK == 0:
                done += self._put(blocks[done:])
        except OSError as error:
            if error.errno not in durable.UNSUPPORTED:
                raise
        return done

    def _put(self, part: memoryview) -> int:
        count = durable.taken(os.pwrite(self._descriptor, part, self._at))
        self._at += count
        return count


_Job = tuple[_Target, memoryview | None, int]
"""What is to be written, and where; no buffer: that was all of it."""


def hashed(stream: FileIO, size: int, progress: Progress) -> tuple[int, str]:
    """Read a raw stream to its end; return how many bytes there were, and their digest."""
    found, count = hashlib.sha256(), 0
    for chunk in whole(stream, size):
        found.update(chunk)
        count += len(chunk)
        progress(len(chunk))
    return count, "sha256:" + found.hexdigest()
