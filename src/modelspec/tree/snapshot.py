"""A tree of files at one moment, read lazily; and a patch over one.

`world` reads trees from git and from disk; here are the protocol, the dict (tests) and the patched tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from modelspec.tree.finding import Fault

REGULAR = 0o100644
EXECUTABLE = 0o100755
LINK = 0o120000
SUBMODULE = 0o160000
LIMIT = 1024 * 1024
"""The most bytes that one file of a registry may have."""

Patch = Mapping[str, bytes | None]
"""Path -> new content, or None where the file goes."""


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """One file of a snapshot: git's mode, its content's identity, and how to read it."""

    mode: int
    load: Callable[[], bytes | Fault]
    known_id: str | None = None

    def read(self) -> bytes | Fault:
        """Return the bytes, or why they are refused (a link, a FIFO, no permission, too large)."""
        return self.load()

    @property
    def id(self) -> str:
        """The git blob id of the content (SHA-1 or SHA-256 as the repository has it); `!` when unreadable."""
        if self.known_id is not None:
            return self.known_id
        data = self.load()
        return "!" if isinstance(data, Fault) else blob_id(data)


def blob_id(data: bytes) -> str:
    """Return the id that git gives to these bytes as a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def irregular(mode: int) -> Fault | None:
    """Say why a file of this git mode is never read, or None when it may be."""
    if mode in (REGULAR, EXECUTABLE):
        return None
    what = {LINK: "a symbolic link", SUBMODULE: "a submodule"}.get(mode, "not a regular file")
    return Fault("file-regular", f"this is {what}", "commit a regular file in its place")


class Snapshot(Protocol):
    """A tree of files. Paths are posix and relative to the root that holds `registry/`."""

    def get(self, path: str) -> Blob | None:
        """Return the file at `path`, or None."""
        ...

    def ls(self, folder: str) -> Sequence[tuple[str, bool]]:
        """Return the sorted names directly in `folder` ("" is the root), each with whether it is a folder."""
        ...

    def walk(self, under: str) -> Iterator[tuple[str, Blob]]:
        """Yield every file below the folder `under` (or `under` itself when it is a file), sorted by path."""
        ...

    def changes(self, other: Snapshot) -> Iterator[str]:
        """Yield the sorted paths whose content or mode differs between the two trees."""
        ...


@runtime_checkable
class Looks(Protocol):
    """A snapshot that is much quicker when many files are looked through at once."""

    def look(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of these files; None where there is none that is read.

        Where a link is in place of a file, this may be what the link holds.
        """
        ...

    def ahead(self, paths: Sequence[str]) -> None:
        """Begin to read files that will be looked through, while others do something else."""
        ...

    def search(self, folder: str, words: Sequence[str]) -> frozenset[str] | None:
        """Return the paths of the files below a folder that hold one of the words.

        None where that is no quicker than to read them.
        """
        ...

    def search_ahead(self, folder: str, words: Sequence[str]) -> None:
        """Begin a search, while others do something else."""
        ...


def look(tree: Snapshot, paths: Sequence[str]) -> list[bytes | None]:
    """Return the bytes of many files of any snapshot, to look through; None where none is read."""
    if isinstance(tree, Looks):
        return tree.look(paths)
    return [read(tree.get(path)) for path in paths]


def ahead(tree: Snapshot, paths: Sequence[str]) -> None:
    """Begin to read many files, where that is quicker: `look` asks for them next."""
    if isinstance(tree, Looks):
        tree.ahead(paths)


def search(tree: Snapshot, folder: str, words: Sequence[str]) -> frozenset[str] | None:
    """Return the paths of the files below a folder that hold one of the words.

    None where that is no quicker than to read them. Words have no line feed; larger files may be named.
    """
    return tree.search(folder, words) if isinstance(tree, Looks) else None


def search_ahead(tree: Snapshot, folder: str, words: Sequence[str]) -> None:
    """Begin a search, where that is quicker: `search` asks for the same next."""
    if isinstance(tree, Looks):
        tree.search_ahead(folder, words)


def read(blob: Blob | None) -> bytes | None:
    """Return the bytes of a file, None where there is none that is read."""
    data = blob.read() if blob is not None else None
    return data if isinstance(data, bytes) else None


def walk(tree: Snapshot, under: str) -> Iterator[tuple[str, Blob]]:
    """Walk a snapshot through its `ls`, in byte order of the whole path."""
    single = tree.get(under) if under else None
    if single is not None:
        yield under, single
        return
    # A folder sorts as if its name ended in "/", which is the byte order of whole paths.
    names = sorted(tree.ls(under), key=lambda item: item[0] + "/" if item[1] else item[0])
    for name, is_folder in names:
        path = f"{under}/{name}" if under else name
        if is_folder:
            yield from walk(tree, path)
        else:
            blob = tree.get(path)
            if blob is not None:
                yield path, blob


def changes(one: Snapshot, two: Snapshot) -> Iterator[str]:
    """Compare two snapshots of any kinds, file by file."""
    left, right = dict(one.walk("")), dict(two.walk(""))
    for path in sorted(left.keys() | right.keys()):
        was, now = left.get(path), right.get(path)
        if was is None or now is None or (was.mode, was.id) != (now.mode, now.id):
            yield path


class DictSnapshot:
    """A tree held in memory: path -> bytes."""

    def __init__(self, files: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> None:
        self._files = dict(files)
        self._modes = dict(modes or {})
        self._folders: dict[str, dict[str, bool]] = {"": {}}
        for path in self._files:
            parts = path.split("/")
            for depth, part in enumerate(parts):
                inside = self._folders.setdefault("/".join(parts[:depth]), {})
                inside[part] = inside.get(part, False) or depth < len(parts) - 1

    def get(self, path: str) -> Blob | None:
        data = self._files.get(path)
        if data is None:
            return None
        mode = self._modes.get(path, REGULAR)
        return Blob(mode, lambda: irregular(mode) or data)

    def ls(self, folder: str) -> Sequence[tuple[str, bool]]:
        return sorted(self._folders.get(folder, {}).items())

    def walk(self, under: str) -> Iterator[tuple[str, Blob]]:
        return walk(self, under)

    def changes(self, other: Snapshot) -> Iterator[str]:
        return changes(self, other)


class Overlaid:
    """A snapshot with other files over some of its paths; the snapshot below is not touched."""

    def __init__(self, below: Snapshot, over: Mapping[str, Blob | None]) -> None:
        """Put the blobs of `over` at their paths; None is where a file goes."""
        self._below = below
        self._over = dict(over)
        self._gone = frozenset(path for path, blob in over.items() if blob is None)
        self._names = DictSnapshot({path: b"" for path, blob in over.items() if blob is not None})

    def get(self, path: str) -> Blob | None:
        return self._over[path] if path in self._over else self._below.get(path)

    def ls(self, folder: str) -> Sequence[tuple[str, bool]]:
        names = dict(self._below.ls(folder)) | dict(self._names.ls(folder))
        prefix = f"{folder}/" if folder else ""
        return sorted((name, deep) for name, deep in names.items() if self._lives(prefix + name, deep))

    def _lives(self, path: str, is_folder: bool) -> bool:
        if not is_folder:
            return path not in self._gone
        # Only a folder that lost a file can have lost all of them.
        if not any(gone.startswith(path + "/") for gone in self._gone):
            return True
        return next(walk(self, path), None) is not None

    def walk(self, under: str) -> Iterator[tuple[str, Blob]]:
        return walk(self, under)

    def look(self, paths: Sequence[str]) -> list[bytes | None]:
        below = iter(look(self._below, [path for path in paths if path not in self._over]))
        return [read(self._over[path]) if path in self._over else next(below) for path in paths]

    def ahead(self, paths: Sequence[str]) -> None:
        ahead(self._below, [path for path in paths if path not in self._over])

    def search(self, folder: str, words: Sequence[str]) -> frozenset[str] | None:
        below = search(self._below, folder, words)
        if below is None:
            return None
        wanted = [word.encode() for word in words]
        inside = [path for path in self._over if path.startswith(f"{folder}/")]
        held = {path: read(self._over[path]) or b"" for path in inside}
        mine = {path for path, data in held.items() if any(word in data for word in wanted)}
        return frozenset(mine | (below - self._over.keys()))

    def search_ahead(self, folder: str, words: Sequence[str]) -> None:
        search_ahead(self._below, folder, words)

    def changes(self, other: Snapshot) -> Iterator[str]:
        # What lies below may know a quick way to compare itself; here only the paths above it are added.
        below = () if other is self._below else self._below.changes(other)
        for path in sorted({*below, *self._over}):
            was, now = other.get(path), self.get(path)
            if (was is None) != (now is None) or (
                was is not None and now is not None and (was.mode, was.id) != (now.mode, now.id)
            ):
                yield path


class Patched(Overlaid):
    """A snapshot with a patch over it: bytes, as regular files."""

    def __init__(self, below: Snapshot, patch: Patch) -> None:
        """Put the bytes of the patch at their paths."""
        super().__init__(
            below, {path: None if data is None else of_bytes(data) for path, data in patch.items()}
        )


def of_bytes(data: bytes, mode: int = REGULAR) -> Blob:
    """Return a file that holds these bytes."""
    return Blob(mode, lambda: irregular(mode) or data)


def merged(ancestor: Snapshot, ours: Snapshot, theirs: Snapshot) -> tuple[Overlaid, tuple[str, ...]]:
    """Return `theirs` with what `ours` changed since the ancestor, and the paths that both changed.

    File by file: two changes of one file are a conflict, even where git could join their lines.
    """
    mine = tuple(ours.changes(ancestor))
    moved = frozenset(theirs.changes(ancestor)) if mine else frozenset()
    over, conflicts = {}, []
    for path in mine:
        blob, other = ours.get(path), theirs.get(path)
        if path not in moved:
            over[path] = blob
        elif (blob and (blob.mode, blob.id)) != (other and (other.mode, other.id)):
            conflicts.append(path)
    return Overlaid(theirs, over), tuple(conflicts)
