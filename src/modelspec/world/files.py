"""Reads the files of an artifact where they lie: streaming, several at a time, and never through a link."""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final, TypeVar

from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.paths import MAX_PARTS, path_trouble
from modelspec.tree.protocols import Chunk, Progress, SourceFile, StoredFile
from modelspec.tree.text import visible
from modelspec.world.direct import ahead, is_cold
from modelspec.world.folders import said
from modelspec.world.forks import expendable
from modelspec.world.parallel import each, go_on

CHUNK: Final = 1024 * 1024
"""Bytes read at a time: more is no faster, and each thread holds one."""
# Non-blocking, so that a FIFO is refused and not waited for.
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAPPED: Final = 64 * 1024
"""Smaller files are copied sooner than they are mapped."""
C = TypeVar("C", bytes, Chunk)
_SPARE: Final[deque[memoryview]] = deque(maxlen=16)
"""Buffers that nobody uses now."""


class Reading:
    """An open file: its size when it was opened, and what of it has been read (None: it was not asked)."""

    def __init__(self, stream: FileIO, size: int, shown: str) -> None:
        self._stream, self.size, self._shown = stream, size, shown
        self.count: int | None = None
        self._fill: Callable[[memoryview], int] | None = None

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._stream.fileno()

    def fill(self, buffer: memoryview) -> int:
        """Read into a buffer until it is full or the file ends; return how much. Raises Refusal."""
        if self._fill is None:
            self._fill = filling(self.chunks()) if is_cold(self.fileno(), self.size) else self._filled
        return self._fill(buffer)

    def chunks(self) -> Iterator[memoryview]:
        """Yield its bytes, in buffers that are filled again and again; raises Refusal."""
        self.count = 0
        with self._refusing():
            for chunk in whole(self._stream, self.size):
                self.count += len(chunk)
                yield chunk

    def _filled(self, buffer: memoryview) -> int:
        filled = 0
        with self._refusing():
            while filled < len(buffer) and (count := self._stream.readinto(buffer[filled:])):
                filled += count
        self.count = (self.count or 0) + filled
        return filled

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Refusal(f"{self._shown} can't be read: {said(error)}") from None


def filling(chunks: Iterable[Chunk]) -> Callable[[memoryview], int]:
    """Return what fills a buffer with the chunks that come next, and returns how much: less at their end."""
    source, rest = iter(chunks), memoryview(b"")

    def fill(buffer: memoryview) -> int:
        nonlocal rest
        filled = 0
        while filled < len(buffer):
            while not rest:
                try:
                    rest = memoryview(next(source))
                except StopIteration:
                    return filled
            count = min(len(rest), len(buffer) - filled)
            buffer[filled : filled + count], rest = rest[:count], rest[count:]
            filled += count
        return filled

    return fill


def skipping(chunks: Iterable[C], count: int) -> Iterator[C]:
    """Yield chunks but for the first `count` bytes of them all."""
    for chunk in chunks:
        if rest := chunk[count:]:
            yield rest
        count = max(0, count - len(chunk))


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on disk as a file of a tree."""

    path: str
    file: Path

    def chunks(self) -> Iterator[Chunk]:
        """Yield its bytes, one buffer again and again; raises Refusal when it changes while it is read."""
        with self.reading() as source:
            yield from source.chunks()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Open it; raises Refusal for no regular file, and at the end when it has changed."""
        shown = visible(str(self.file), 200)
        trouble = path_trouble(self.path)
        if trouble is not None:
            raise Refusal(f"the path of {shown} {trouble}", "rename it: this can't be a path in an artifact")
        try:
            descriptor = os.open(self.file, READ)
        except OSError as error:
            if self.file.is_symlink():
                raise Refusal(f"{shown} is a symbolic link", "put the file itself in its place") from None
            raise Refusal(f"{shown} can't be read: {said(error)}") from None
        with FileIO(descriptor, "rb") as stream:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise Refusal(f"{shown} is not a regular file")
            source = Reading(stream, before.st_size, shown)
            yield source
            after = os.fstat(descriptor)
        if _state(before) != _state(after) or source.count not in (None, before.st_size):
            raise self._changed()

    def _changed(self) -> Refusal:
        return Refusal(
            f"{visible(str(self.file), 200)} changed while it was read", "wait until nothing writes it"
        )


def whole(stream: FileIO, size: int) -> Iterator[memoryview]:
    """Yield all that a raw stream holds, in buffers that are filled again and again.

    What the system's cache lacks of a large file is read past it, ahead of who hashes it. Where this process
    may die of it, the rest is not copied out of the cache but mapped.
    """
    for chunk in ahead(stream, size) if is_cold(stream.fileno(), size) else _cached(stream, size):
        go_on()
        yield chunk


def _mapped(stream: FileIO, size: int) -> Iterator[memoryview]:
    """Yield the bytes of a file as they lie in the cache, and set the stream behind what could be mapped.

    A file that gets shorter meanwhile, or can't be read, kills who looks (SIGBUS).
    """
    for start in range(0, size, CHUNK):
        part = min(CHUNK, size - start)
        try:
            memory = mmap.mmap(stream.fileno(), part, prot=mmap.PROT_READ, offset=start)
        except (OSError, ValueError):
            # A file system that maps nothing; a file that is shorter by now.
            return
        stream.seek(start + part)
        # It is unmapped when nobody looks at it any more.
        yield memoryview(memory)


def _cached(stream: FileIO, size: int) -> Iterator[memoryview]:
    if size >= _MAPPED and expendable() and stream.tell() == 0:
        yield from _mapped(stream, size)
        # What could not be mapped, or has come since.
        size -= stream.tell()
    if size < CHUNK // 16:
        yield from _filled(stream, memoryview(bytearray(max(size, 4095) + 1)))
        return
    # A new buffer for each of thousands of files is memory that the system has to clear each time.
    try:
        buffer = _SPARE.pop()
    except IndexError:
        buffer = memoryview(bytearray(CHUNK))
    try:
        yield from _filled(stream, buffer)
    finally:
        _SPARE.append(buffer)


def _filled(stream: FileIO, buffer: memoryview) -> Iterator[memoryview]:
    while count := stream.readinto(buffer):
        yield buffer[:count]


def local_tree(root: Path, without: tuple[str, ...] = ()) -> list[LocalFile]:
    """Return every file below a folder (or one file, as a tree of itself), sorted by path in byte order.

    `without`: what paths that are left out begin with. Raises Refusal for an empty folder, for one that can't
    be read, and for paths that no artifact may have.
    """
    try:
        found = list(walked(root)) if root.is_dir() else [(root.name, root)]
    except OSError as error:
        shown = visible(str(error.filename or root), 200)
        raise Refusal(f"{shown} can't be read: {said(error)}", "give yourself the right to it") from None
    found.sort(key=lambda item: os.fsencode(item[0]))
    found = [item for item in found if not item[0].startswith(without)] if without else found
    if not found:
        raise Refusal(f"{visible(str(root), 200)} holds no files", "an artifact has at least one")
    trouble = paths_trouble(path for path, _ in found)
    if trouble is not None:
        raise Refusal(f"in {visible(str(root), 200)} {trouble}", "rename it: this can't be in an artifact")
    return [LocalFile(path, file) for path, file in found]


def tree_files(root: Path, progress: Progress = lambda _: None) -> list[StoredFile]:
    """Hash every file below a folder (or one file, as a tree of itself), sorted by path in byte order.

    Raises Refusal for a link, anything else that is no regular file, a path that no artifact may have,
    an empty folder, and a file that changes while it is read.
    """
    return each(lambda file: hashed_source(file, progress), local_tree(root))


def hashed_source(file: SourceFile, progress: Progress = lambda _: None) -> StoredFile:
    """Read a file once and return its size and digest."""
    found, size = hashlib.sha256(), 0
    for chunk in file.chunks():
        found.update(chunk)
        size += len(chunk)
        progress(len(chunk))
    return StoredFile(file.path, size, "sha256:" + found.hexdigest())


def _state(found: os.stat_result) -> tuple[int, ...]:
    # The change time can't be set back, the modification time can.
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def walked(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Yield path and place of everything below a folder that is no folder itself, in any order."""
    with os.scandir(folder) as entries:
        for entry in entries:
            # What is deeper is no path of an artifact: the folder stands for all that is in it.
            if entry.is_dir(follow_symlinks=False) and prefix.count("/") < MAX_PARTS:
                yield from walked(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, Path(entry.path)
