"""A tree of files as git holds it at a commit, read lazily from tree objects and blobs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from modelspec.tree.finding import Fault, Refusal
from modelspec.tree.snapshot import LIMIT, Blob, Snapshot, irregular, read
from modelspec.tree.text import visible
from modelspec.world.git import Repository
from modelspec.world.limits import MAX_DEPTH, MAX_NODES, too_large
from modelspec.world.objects import FOLDER, Objects, TooLarge, Tree

_EMPTY: Final[Tree] = {}
_FEW: Final = 16
"""So many folders of one depth are read to find files in them; of more git is asked by path."""
_ASKED: Final = re.compile(r"[!-~]+")
"""The paths that git can be asked for: a question is one line, without blanks."""


class GitSnapshot:
    """The tree of files below `prefix` at a commit. Names are data: none of them is ever opened on disk."""

    def __init__(
        self, repository: Repository, commit: str, prefix: str = "", objects: Objects | None = None
    ) -> None:
        self._repository = repository
        self._objects = objects or Objects(repository)
        self._folders: dict[str, str | None] = {"": self._root(commit, prefix)}
        self._budget = _Budget()
        self.commit = commit

    def __enter__(self) -> GitSnapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads. Reading again starts another."""
        self._objects.close()

    @property
    def objects(self) -> Objects:
        """What reads the objects, for others that read the same repository."""
        return self._objects

    def at(self, commit: str, prefix: str = "") -> GitSnapshot:
        """Return the tree at another commit of the same repository, read by the same process."""
        return GitSnapshot(self._repository, commit, prefix, self._objects)

    def get(self, path: str) -> Blob | None:
        folder, slash, name = path.rpartition("/")
        # A path that begins with a slash names nothing in a tree.
        found = self._entries(folder).get(name) if folder or not slash else None
        return None if found is None or found[0] == FOLDER else blob_of(self._objects, *found)

    def ls(self, folder: str) -> Sequence[tuple[str, bool]]:
        return sorted((name, mode == FOLDER) for name, (mode, _) in self._entries(folder).items())

    def walk(self, under: str) -> Iterator[tuple[str, Blob]]:
        single = self.get(under) if under else None
        if single is not None:
            yield under, single
            return
        identity = self._folder(under)
        if identity is None:
            return
        for path, mode, blob in self._below(identity, under):
            yield path, blob_of(self._objects, mode, blob)

    def contents(self, under: str) -> Iterator[tuple[str, bytes | Fault]]:
        """Yield path and bytes of every file below a folder, read in batches."""
        listed = [(path, blob.mode, blob.id) for path, blob in self.walk(under)]
        read = [identity for _, mode, identity in listed if irregular(mode) is None]
        found = self._objects.read_all(read, "blob", LIMIT)
        for path, mode, _ in listed:
            data = irregular(mode) or next(found)
            yield path, too_large(data.size) if isinstance(data, TooLarge) else data

    def ahead(self, paths: Sequence[str]) -> None:
        """Let git begin to read files that `look` will be asked for."""
        self._objects.ahead([name for name in self._named(paths) if name is not None])

    def look(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of many files in batches; None where there is none that is read."""
        named = self._named(paths)
        told = iter(self._objects.look([name for name in named if name is not None], LIMIT))
        found = [None if name is None else next(told) for name in named]
        for at, (path, name) in enumerate(zip(paths, named, strict=True)):
            if found[at] is None and name is not None and ":" in name:
                # Of a path git does not say whether nothing is there, or what is there is missing.
                found[at] = read(self.get(path))
        return found

    def _named(self, paths: Sequence[str]) -> list[str | None]:
        """Return what git calls the files at these paths; None where there is no file that is read.

        Folders are opened as long as they are few; through the many below them git finds its own way.
        """
        folders = {path.rpartition("/")[0] for path in paths}
        folders |= {above for folder in folders for above in _above(folder)}
        opened = {""}
        for depth in range(max((folder.count("/") for folder in folders), default=-1) + 1):
            level = [folder for folder in folders if folder.count("/") == depth]
            if len(level) > _FEW:
                break
            opened.update(level)
        return [self._name(path, opened) for path in paths]

    def _name(self, path: str, opened: Collection[str]) -> str | None:
        folder, _, name = path.rpartition("/")
        if folder in opened or not _ASKED.fullmatch(path):
            mode, identity = self._entries(folder).get(name, (0, ""))
            return identity if mode and irregular(mode) is None else None
        # The folder below the last that is opened: its id is known from there.
        parts = path.split("/")
        at = next(at for at in range(len(parts)) if "/".join(parts[:at]) not in opened)
        identity_of = self._folder("/".join(parts[:at]))
        return None if identity_of is None else f"{identity_of}:{'/'.join(parts[at:])}"

    def search_ahead(self, folder: str, words: Sequence[str]) -> None:
        """Let git begin to look for what `search` will be asked for."""
        identity = self._folder(folder)
        if identity is not None:
            self._objects.searches.begin(identity, words)

    def search(self, folder: str, words: Sequence[str]) -> frozenset[str] | None:
        """Return the paths of the files below a folder that hold a word; None where they have to be read."""
        identity = self._folder(folder)
        found = frozenset[str]() if identity is None else self._objects.searches.holding(identity, words)
        return None if found is None else frozenset(f"{folder}/{name}" for name in found)

    def changes(self, other: Snapshot) -> Iterator[str]:
        if not isinstance(other, GitSnapshot):
            # Each of the others knows best what comparing with it costs.
            return other.changes(self)
        budget = _Budget()
        return iter(sorted(self._differing(other, self._folders[""], other._folders[""], "", budget)))

    def _differing(
        self, other: GitSnapshot, mine: str | None, theirs: str | None, folder: str, budget: _Budget
    ) -> Iterator[str]:
        if mine == theirs:
            return
        left = self._objects.tree(mine) if mine else _EMPTY
        right = other._objects.tree(theirs) if theirs else _EMPTY
        for name in left.keys() | right.keys():
            was, now = left.get(name), right.get(name)
            if was == now:
                continue
            budget.spend(folder)
            path = f"{folder}/{name}" if folder else name
            if (was and was[0] != FOLDER) or (now and now[0] != FOLDER):
                yield path
            was_folder = was[1] if was and was[0] == FOLDER else None
            now_folder = now[1] if now and now[0] == FOLDER else None
            yield from self._differing(other, was_folder, now_folder, path, budget)

    def _below(self, identity: str, folder: str) -> Iterator[tuple[str, int, str]]:
        """Yield (path, mode, id) of every file, in byte order of the whole path."""
        waiting = [(folder, iter(self._sorted(identity)))]
        budget = _Budget()
        while waiting:
            here, entries = waiting[-1]
            entry = next(entries, None)
            if entry is None:
                waiting.pop()
                continue
            budget.spend(here)
            name, mode, child = entry
            path = f"{here}/{name}" if here else name
            if mode == FOLDER:
                waiting.append((path, iter(self._sorted(child))))
            else:
                yield path, mode, child

    def _sorted(self, identity: str) -> list[tuple[str, int, str]]:
        entries = [(name, mode, child) for name, (mode, child) in self._objects.tree(identity).items()]
        return sorted(entries, key=lambda entry: entry[0] + "/" if entry[1] == FOLDER else entry[0])

    def _entries(self, folder: str) -> Tree:
        identity = self._folder(folder)
        return _EMPTY if identity is None else self._objects.tree(identity)

    def _folder(self, path: str) -> str | None:
        """Return the id of the tree at a path, or None when there is no folder."""
        if path in self._folders:
            return self._folders[path]
        above, slash, name = path.rpartition("/")
        if slash and not above:
            return None
        self._budget.spend(path)
        found = self._entries(above).get(name)
        identity = found[1] if found is not None and found[0] == FOLDER else None
        self._folders[path] = identity
        return identity

    def _root(self, commit: str, prefix: str) -> str | None:
        first = self._objects.commit(commit).split(b"\n", 1)[0]
        identity: str | None = first.removeprefix(b"tree ").decode("ascii", "replace")
        for part in filter(None, prefix.split("/")):
            found = self._objects.tree(identity).get(part) if identity else None
            identity = found[1] if found is not None and found[0] == FOLDER else None
        return identity


def _above(folder: str) -> Iterator[str]:
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        yield folder


def blob_of(objects: Objects, mode: int, identity: str) -> Blob:
    """Return the file that git holds under this id and mode, read when it is asked for."""

    def load() -> bytes | Fault:
        refused = irregular(mode)
        if refused is not None:
            return refused
        data = objects.read(identity, "blob", LIMIT)
        return too_large(data.size) if isinstance(data, TooLarge) else data

    return Blob(mode, load, identity)


class _Budget:
    """What one walk may look at."""

    def __init__(self) -> None:
        self.left = MAX_NODES

    def spend(self, folder: str) -> None:
        """Count one node in a folder; raises Refusal for one too many, or too deep."""
        self.left -= 1
        if self.left < 0:
            raise Refusal(f"the tree holds more than {MAX_NODES:,} files and folders")
        if folder.count("/") >= MAX_DEPTH:
            raise Refusal(
                f"{visible(folder)} is nested deeper than {MAX_DEPTH} folders",
                "remove it: no registry needs that",
            )
