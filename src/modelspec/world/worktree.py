"""The one reader of a work tree. Nothing outside the root is read, whatever the tree holds.

A path is opened component by component from the root's descriptor, and no link is followed in any of
them; only regular files are read, without waiting, up to a limit. So `..`, absolute paths, links, FIFOs
and devices lead nowhere, and no race between a look and an open changes that.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Fault, Refusal
from modelspec.tree.snapshot import EXECUTABLE, LIMIT, LINK, REGULAR, Blob, Snapshot, irregular
from modelspec.tree.text import visible
from modelspec.world.folders import said
from modelspec.world.limits import MAX_DEPTH, MAX_NODES, too_large

JUDGED: Final = ("registry", "templates")
"""Folders in which a second name of a file (a hard link) is refused: it could change behind our back."""
COMPARED: Final = (*JUDGED, "compiled")
"""What of a work tree is compared with another snapshot: the rest is not the registry's."""
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KEPT: Final = 64
_RULE: Final = "file-regular"


class WorkTree:
    """The files below a root on disk, as they are when they are asked for; folders are listed once."""

    def __init__(self, root: Path) -> None:
        try:
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Refusal(
                f"{visible(str(root), 200)} can't be opened: {said(error)}",
                "name the registry's root: --root",
            ) from None
        self.root = root
        self._open: OrderedDict[str, int] = OrderedDict({"": descriptor})
        self._listed: dict[str, dict[str, bool]] = {}
        self._finalizer = weakref.finalize(self, _close, self._open)

    def __enter__(self) -> WorkTree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folders that are open. The tree can't be read after that."""
        self._finalizer()

    def get(self, path: str) -> Blob | None:
        folder, slash, name = path.rpartition("/")
        if not _is_name(name) or (slash and not folder):
            return None
        listed = self._listed.get(folder)
        if listed is not None and listed.get(name, True):
            return None
        descriptor = self._folder(folder)
        if descriptor is None:
            return None
        try:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except (FileNotFoundError, UnicodeEncodeError):
            return None
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
                return None
            raise _closed_folder(folder, error) from None
        if stat.S_ISDIR(found.st_mode):
            return None
        mode = _git_mode(found.st_mode)
        return Blob(mode, lambda: irregular(mode) or self._read(path))

    def ls(self, folder: str) -> Sequence[tuple[str, bool]]:
        return sorted(self._list(folder).items())

    def walk(self, under: str) -> Iterator[tuple[str, Blob]]:
        single = self.get(under) if under else None
        if single is not None:
            yield under, single
            return
        left = MAX_NODES
        waiting = [(under, iter(self._sorted(under)))]
        while waiting:
            here, entries = waiting[-1]
            entry = next(entries, None)
            if entry is None:
                waiting.pop()
                continue
            left -= 1
            if left < 0:
                raise Refusal(
                    f"{visible(under) or 'the tree'} holds more than {MAX_NODES:,} files and folders"
                )
            name, is_folder = entry
            path = f"{here}/{name}" if here else name
            if is_folder:
                waiting.append((path, iter(self._sorted(path))))
            elif (blob := self.get(path)) is not None:
                yield path, blob

    def changes(self, other: Snapshot) -> Iterator[str]:
        """Yield the sorted paths below `registry/`, `templates/` and `compiled/` that differ."""
        for folder in sorted(COMPARED):
            left, right = dict(self.walk(folder)), dict(other.walk(folder))
            for path in sorted(left.keys() | right.keys()):
                was, now = left.get(path), right.get(path)
                if was is None or now is None or was.mode != now.mode or _id(was, now) != now.id:
                    yield path

    def _sorted(self, folder: str) -> list[tuple[str, bool]]:
        """Return the names in a folder, in byte order of the paths below them."""
        return sorted(self._list(folder).items(), key=lambda item: item[0] + "/" if item[1] else item[0])

    def _list(self, folder: str) -> dict[str, bool]:
        known = self._listed.get(folder)
        if known is not None:
            return known
        descriptor = self._folder(folder)
        names: dict[str, bool] = {}
        if descriptor is not None:
            try:
                # Opened anew: where a fork reads the same folder, the two would share one position in it.
                again = os.open(".", _OPEN | os.O_DIRECTORY, dir_fd=descriptor)
                try:
                    with os.scandir(again) as entries:
                        names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
                finally:
                    os.close(again)
            except OSError as error:
                raise _closed_folder(folder, error) from None
            if not folder:
                names.pop(".git", None)
        self._listed[folder] = names
        return names

    def _folder(self, path: str) -> int | None:
        """Return a descriptor of a folder, None when there is no folder (a link is none)."""
        known = self._open.get(path)
        if known is not None:
            if path:
                self._open.move_to_end(path)
            return known
        above, slash, name = path.rpartition("/")
        if not _is_name(name) or (slash and not above):
            return None
        if path.count("/") >= MAX_DEPTH:
            raise Refusal(
                f"{visible(path)} is nested deeper than {MAX_DEPTH} folders",
                "remove it: no registry needs that",
            )
        parent = self._folder(above)
        if parent is None:
            return None
        try:
            descriptor = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=parent)
        except UnicodeEncodeError:
            return None
        except OSError as error:
            # Not there, a file, a link (ELOOP, or ENOTDIR on Linux), a name that no file can have.
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
                return None
            raise _closed_folder(path, error) from None
        self._open[path] = descriptor
        if len(self._open) > _KEPT:
            oldest = next(key for key in self._open if key)
            os.close(self._open.pop(oldest))
        return descriptor

    def _read(self, path: str) -> bytes | Fault:
        folder, _, name = path.rpartition("/")
        parent = self._folder(folder)
        if parent is None:
            return _vanished()
        try:
            descriptor = os.open(name, _OPEN, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return _vanished()
            if error.errno == errno.ELOOP:
                return irregular(LINK) or _vanished()
            return Fault(
                _RULE, f"the file can't be read: {said(error)}", "give yourself the right to read it"
            )
        try:
            found = os.fstat(descriptor)
            refused = irregular(_git_mode(found.st_mode)) or _second_name(path, found.st_nlink)
            if refused is not None:
                return refused
            if found.st_size > LIMIT:
                return too_large(found.st_size)
            return _bytes(descriptor)
        except OSError as error:
            return Fault(_RULE, f"the file can't be read: {said(error)}")
        finally:
            os.close(descriptor)


def _bytes(descriptor: int) -> bytes | Fault:
    data = b""
    # A file of a kernel (/proc) says that it has no bytes; one that grows has more than it said.
    while chunk := os.read(descriptor, LIMIT + 1 - len(data)):
        data = data + chunk if data else chunk
        if len(data) > LIMIT:
            return too_large(len(data))
    return data


def _second_name(path: str, links: int) -> Fault | None:
    if links == 1 or path.split("/", 1)[0] not in JUDGED:
        return None
    return Fault(
        _RULE,
        "this file has a second name somewhere (a hard link), through which it could change",
        "copy it, and put the copy in its place",
    )


def _vanished() -> Fault:
    return Fault(_RULE, "the file vanished while the tree was read", "run again when nothing writes there")


def _git_mode(mode: int) -> int:
    if stat.S_ISREG(mode):
        return EXECUTABLE if mode & stat.S_IXUSR else REGULAR
    return LINK if stat.S_ISLNK(mode) else stat.S_IFMT(mode)


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and "\0" not in name


def _id(mine: Blob, theirs: Blob) -> str:
    """Return the id of a file on disk in the algorithm that the other one's repository uses."""
    if theirs.known_id is None or len(theirs.known_id) != 64:
        return mine.id
    data = mine.read()
    return "!" if isinstance(data, Fault) else hashlib.sha256(b"blob %d\0" % len(data) + data).hexdigest()


def _closed_folder(path: str, error: OSError) -> Refusal:
    shown = visible(path) or "the root"
    return Refusal(
        f"the folder {shown} can't be read: {said(error)}", f"give yourself the right: chmod u+rx {shown}"
    )


def _close(descriptors: OrderedDict[str, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])
