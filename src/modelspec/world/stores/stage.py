"""A tree of files on its way to its name: written under a name that nobody reads, and flushed."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress, SourceFile, StoredFile
from modelspec.tree.text import visible
from modelspec.world import durable
from modelspec.world.files import LocalFile, Reading, filling
from modelspec.world.folders import cure_of, discard, forget, said
from modelspec.world.parallel import each
from modelspec.world.stores.pour import Begun, Lanes, hashed, lanes
from modelspec.world.stores.sent import F, ordered

PREFIX: Final = ".incoming-"
TREE: Final = "tree"
_ENTER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BULK: Final = 32
"""From so many files on, the whole file system is flushed in one call, where there is one."""
_CLONED: Final = 64 * 1024
"""From this size on, a file shares the blocks of its source where the file system can: less saves little."""
_CREATE: Final = (durable.CREATE & ~os.O_ACCMODE) | os.O_RDWR


class Stage:
    """A new folder in `top`, held by a lock that the kernel drops when its owner ends."""

    def __init__(self, top: int, name: str, descriptor: int) -> None:
        self.top = top
        self.name = name
        self.descriptor = descriptor
        self._folders: set[str] = {TREE}
        self._files: list[str] = []
        self._clones = True
        self.begun: dict[str, Begun] = {}
        """Path -> what is there already of a file of the tree, from its beginning on."""
        self.stays = False
        """Whether it is left where it is, for a later run."""

    def write(self, files: Sequence[SourceFile], progress: Progress) -> tuple[StoredFile, ...]:
        """Copy the files into the tree, hashing on the way; sorted by path. Nothing is flushed yet."""
        return self.fill(self.begin(files), progress)

    def fill(self, files: Sequence[SourceFile], progress: Progress) -> tuple[StoredFile, ...]:
        """Copy files of the tree that was begun; in their order."""
        with lanes(len(files)) as beside:
            return tuple(each(lambda file: self._copy(file, beside, progress), files))

    def begin(self, files: Sequence[F]) -> list[F]:
        """Make the folders of the tree; return its files sorted by path. Raises Refusal for hostile ones."""
        sources = ordered(files)
        os.mkdir(TREE, 0o755, dir_fd=self.descriptor)
        for file in sources:
            self._make(file.path.rpartition("/")[0])
        self._files = [f"{TREE}/{file.path}" for file in sources]
        return sources

    def drop(self, path: str) -> None:
        """Remove a file of the tree that has come out wrong; it can be copied anew."""
        self.begun.pop(path, None)
        os.unlink(f"{TREE}/{path}", dir_fd=self.descriptor)

    def flush(self) -> None:
        """Return when the tree is on the disk."""
        if len(self._files) >= _BULK and durable.can_flush_all():
            durable.flush_all(self.descriptor)
            return
        for path in (*self._files, *sorted(self._folders, reverse=True)):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.descriptor)
            try:
                durable.flush(descriptor)
            finally:
                os.close(descriptor)
        durable.flush(self.descriptor)

    def _make(self, folder: str) -> None:
        path = TREE
        for part in folder.split("/") if folder else ():
            path = f"{path}/{part}"
            if path not in self._folders:
                os.mkdir(path, 0o755, dir_fd=self.descriptor)
                self._folders.add(path)

    def _copy(self, file: SourceFile, beside: Lanes, progress: Progress) -> StoredFile:
        begun = self.begun.get(file.path)
        flags = _CREATE if begun is None else _CREATE & ~(os.O_CREAT | os.O_EXCL)
        descriptor = os.open(f"{TREE}/{file.path}", flags, 0o644, dir_fd=self.descriptor)
        try:
            # Readers of a store share its bytes: nobody may write them.
            os.fchmod(descriptor, 0o444)
            if isinstance(file, LocalFile):
                with file.reading() as source:
                    size, digest = self._clone(source, descriptor, progress) or beside.lane().copy(
                        source.fill, descriptor, progress
                    )
            else:
                size, digest = beside.lane().copy(filling(file.chunks()), descriptor, progress, begun)
        finally:
            os.close(descriptor)
        return StoredFile(file.path, size, digest)

    def _clone(self, source: Reading, descriptor: int, progress: Progress) -> tuple[int, str] | None:
        """Share the blocks of a local file and hash what came of it; None where that can't be."""
        if not self._clones or source.size < _CLONED:
            return None
        if not durable.clone(source.fileno(), descriptor):
            self._clones = False
            return None
        with FileIO(descriptor, "rb", closefd=False) as own:
            return hashed(own, source.size, progress)


@contextmanager
def staged(top: int, *, swept: bool = True) -> Iterator[Stage]:
    """Open a new stage in a folder; it is gone afterwards, whatever happens, unless it `stays`.

    `swept`: those of killed runs are removed first; else only where a full disk demands it.
    """
    if swept:
        sweep(top)
    try:
        name, descriptor = _new(top)
    except OSError:
        if swept:
            raise
        sweep(top)
        name, descriptor = _new(top)
    stage = Stage(top, name, descriptor)
    try:
        yield stage
    finally:
        os.close(descriptor)
        if not stage.stays:
            forget(top, name)


def sweep(top: int, before: Callable[[int], object] = lambda _: None) -> None:
    """Remove the stages of runs that were killed: those that nobody holds.

    `before` gets each of them open, and held, before it goes.
    """
    with os.scandir(top) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(PREFIX)]
    for name in names:
        with suppress(OSError):
            descriptor = os.open(name, _ENTER, dir_fd=top)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                before(descriptor)
                discard(top, name)
            finally:
                os.close(descriptor)


def _new(top: int) -> tuple[str, int]:
    """Make a folder and hold it. Before it was held, a sweep may have taken it for a leftover."""
    while True:
        name = PREFIX + secrets.token_hex(8)
        os.mkdir(name, 0o700, dir_fd=top)
        try:
            descriptor = os.open(name, _ENTER, dir_fd=top)
        except FileNotFoundError:
            continue
        except OSError:
            forget(top, name)
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(name, dir_fd=top).st_ino == os.fstat(descriptor).st_ino:
                return name, descriptor
        except (FileNotFoundError, BlockingIOError):
            pass
        except OSError:
            os.close(descriptor)
            forget(top, name)
            raise
        os.close(descriptor)


@contextmanager
def refusing(shown: str) -> Iterator[None]:
    """Turn an error of the system into a refusal that says what could not be written."""
    try:
        yield
    except OSError as error:
        raise Unwritable(shown, error) from None


class Unwritable(Refusal):
    """A place that can't be written; what was to be written there may well be whole."""

    def __init__(self, shown: str, error: OSError) -> None:
        super().__init__(f"{visible(shown, 200)} can't be written: {said(error)}", cure_of(error))
        self.error = error
