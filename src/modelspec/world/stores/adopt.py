"""Files that a store takes over instead of copying them: its names for the bytes that lie there already.

The store's name is a hard link, the bytes are hashed through it, and the old names go last (`originals`). So
until the very end each byte has both names, and what fails or is killed has lost nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.paths import MAX_PARTS
from modelspec.tree.protocols import Progress, StoredFile
from modelspec.tree.text import visible
from modelspec.world.files import READ, LocalFile
from modelspec.world.folders import said
from modelspec.world.shares import each_of
from modelspec.world.stores.originals import Original, Originals
from modelspec.world.stores.pour import hashed
from modelspec.world.stores.stage import PREFIX, TREE, Stage

_ELSEWHERE: Final = {
    errno.EXDEV: "it lies on another file system than the store",
    errno.EPERM: "it belongs to somebody else, or its file system has no hard links",
    errno.EACCES: "it belongs to somebody else, or its file system has no hard links",
    errno.ENOTSUP: "its file system has no hard links",
    errno.EMLINK: "it has as many hard links as a file can have",
}


class KeptError(Exception):
    """Why files are to be copied."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A file that has a name in the stage: which one it is, and its permissions before."""

    file: LocalFile
    node: tuple[int, int]
    mode: int


class Adopted:
    """The files of a stage that are links to where they came from."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._taken: list[_Taken] = []
        self.written: tuple[StoredFile, ...] = ()
        self._states: tuple[tuple[int, int, int], ...] = ()

    def fill(self, top: int, files: Sequence[LocalFile], progress: Progress) -> None:
        """Link the files into the stage, flush them, and hash what the links lead to.

        Raises KeptError where one of them can't be taken over, and Refusal for one that somebody writes.
        They are flushed before they are hashed: a write through a mapping, which leaves the time as it is
        while its page is not on the disk yet, is seen as well.
        """
        ordered = self._stage.begin(files)
        found = [file.file.lstat() for file in ordered]
        names = _names(top, found)
        for file, before in zip(ordered, found, strict=True):
            self._take(file, before, names)
        self._stage.flush()
        rows = each_of(self._hash, self._taken, progress)
        self.written = tuple(row[0] for row in rows)
        self._states = tuple(row[1] for row in rows)

    def undo(self) -> None:
        """Give files back the permissions that they had; not those whose tree has its name already."""
        for taken in self._taken:
            with suppress(OSError):
                descriptor = os.open(f"{TREE}/{taken.file.path}", READ, dir_fd=self._stage.descriptor)
                try:
                    if _node(os.fstat(descriptor)) == taken.node:
                        os.fchmod(descriptor, taken.mode)
                finally:
                    os.close(descriptor)

    def left(self) -> Originals:
        """Return the files where they came from, which may go; raises Refusal when one changed meanwhile.

        Asked when the stage is gone: its links count in a file's time of change.
        """
        places = []
        for taken, state in zip(self._taken, self._states, strict=True):
            try:
                found = taken.file.file.lstat()
            except OSError:
                raise _changed(taken.file.file) from None
            if _state(found) != state:
                raise _changed(taken.file.file)
            places.append(Original(taken.file.path, taken.file.file, found))
        return Originals(tuple(places))

    def _take(self, file: LocalFile, before: os.stat_result, names: Counter[tuple[int, int]]) -> None:
        if not stat.S_ISREG(before.st_mode):
            with file.reading():
                raise _changed(file.file)
        if before.st_uid != os.geteuid():
            raise KeptError(f"{_shown(file.file)} belongs to somebody else, who could write it")
        if before.st_nlink > names[_node(before)]:
            raise KeptError(f"{_shown(file.file)} has another hard link, through which it could be written")
        place = f"{TREE}/{file.path}"
        try:
            os.link(file.file, place, dst_dir_fd=self._stage.descriptor, follow_symlinks=False)
            descriptor = os.open(place, READ, dir_fd=self._stage.descriptor)
            try:
                after = os.fstat(descriptor)
                if _state(after)[1:] != _state(before)[1:]:
                    raise _changed(file.file)
                if after.st_ino != before.st_ino:
                    # Which file a name leads to can't be told there, as on sshfs.
                    raise KeptError(f"{_shown(file.file)}: its hard link is not known to be the same file")
                self._taken.append(_Taken(file, _node(after), stat.S_IMODE(after.st_mode)))
                os.fchmod(descriptor, 0o444)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in _ELSEWHERE:
                raise
            raise KeptError(f"{_shown(file.file)}: {_ELSEWHERE[error.errno]}") from None

    def _hash(self, taken: _Taken, progress: Progress) -> tuple[StoredFile, tuple[int, int, int]]:
        descriptor = os.open(f"{TREE}/{taken.file.path}", READ, dir_fd=self._stage.descriptor)
        with FileIO(descriptor, "rb") as stream:
            before = os.fstat(descriptor)
            with _unwritten(descriptor, taken.file.file):
                size, digest = hashed(stream, before.st_size, progress)
            after = os.fstat(descriptor)
        if _node(before) != taken.node or _all(before) != _all(after) or size != after.st_size:
            raise _changed(taken.file.file)
        return StoredFile(taken.file.path, size, digest), _state(after)


@contextmanager
def _unwritten(descriptor: int, shown: Path) -> Iterator[None]:
    """Make sure that nobody has a file open for writing, from here to the end of the block.

    Linux: a read lease is given for a file that nobody has open for writing, nor mapped so; whoever opens
    it so meanwhile waits, and the lease is then on its way out. Raises Refusal, and KeptError where the file
    system or the system has no leases.
    """
    lease, holds, call = (getattr(fcntl, name, None) for name in ("F_SETLEASE", "F_GETLEASE", "F_SETSIG"))
    if lease is None or holds is None or call is None:
        raise KeptError(f"{_shown(shown)}: this system can't say whether somebody writes it")
    written = Refusal(
        f"{_shown(shown)} is open for writing",
        "wait until nothing writes it; or leave --move out, as on NFS, which may say so of every file",
    )
    try:
        # Whoever breaks the lease has the kernel send a signal: one that nobody minds, and not SIGIO.
        fcntl.fcntl(descriptor, call, signal.SIGURG)
        fcntl.fcntl(descriptor, lease, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            raise written from None
        raise KeptError(
            f"{_shown(shown)}: its file system can't say whether somebody writes it ({said(error)})"
        ) from None
    yield
    if fcntl.fcntl(descriptor, holds) != fcntl.F_RDLCK:
        raise written
    fcntl.fcntl(descriptor, lease, fcntl.F_UNLCK)


def _names(top: int, found: Sequence[os.stat_result]) -> Counter[tuple[int, int]]:
    """Count the names that each file has among these, and in the store: a killed run gave it some there."""
    names = Counter(map(_node, found))
    wanted = {_node(one) for one in found if one.st_nlink > names[_node(one)]}
    if wanted:
        device = os.fstat(top).st_dev
        names.update((device, inode) for inode in _inodes(top, 0) if (device, inode) in wanted)
    return names


def _inodes(folder: int, depth: int) -> Iterator[int]:
    """Yield the inode of every file in a store; what another run has on its way is no part of it."""
    with os.scandir(folder) as entries:
        here = list(entries)
    for entry in here:
        if not entry.is_dir(follow_symlinks=False):
            yield entry.inode()
        # Deeper than any path of an artifact no run of ours has given a name.
        elif 0 < depth <= MAX_PARTS or (not depth and not entry.name.startswith(PREFIX)):
            with suppress(OSError):
                inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    yield from _inodes(inner, depth + 1)
                finally:
                    os.close(inner)


def _node(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _state(found: os.stat_result) -> tuple[int, int, int]:
    """What a link and new permissions leave as it is; the time of change they do not."""
    return found.st_ino, found.st_size, found.st_mtime_ns


def _all(found: os.stat_result) -> tuple[int, ...]:
    return *_state(found), found.st_ctime_ns, found.st_mode, found.st_nlink


def _shown(path: Path) -> str:
    return visible(str(path), 200)


def _changed(path: Path) -> Refusal:
    return Refusal(
        f"{_shown(path)} changed while it was registered", "wait until nothing writes it; or leave --move out"
    )
