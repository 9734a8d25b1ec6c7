"""Reading an artifact so that what is loaded is what was declared: each byte is read once, and verified."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelspec.tree.digest import artifact_digest, is_digest, sha256
from modelspec.tree.paths import path_trouble

_SHOWN = 10
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class ArtifactError(Exception):
    """The bytes on disk are not the declared artifact; the message says what differs."""

    def __init__(self, where: object, troubles: Sequence[str]) -> None:
        more = len(troubles) - _SHOWN
        shown = [*troubles[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        super().__init__(f"{where} is refused: " + "; ".join(shown))
        self.troubles = tuple(troubles)


@dataclass(frozen=True)
class DeclaredFile:
    """One file of an artifact as its version declares it."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class DeclaredArtifact:
    """An artifact as its version declares it: the digest of its listing, and the files in it."""

    digest: str
    files: tuple[DeclaredFile, ...]


def read_verified(folder: Path, declared: DeclaredArtifact) -> Mapping[str, bytes]:
    """Return the bytes of every declared file, by path; refuse a tree that differs in anything.

    The folder itself may be reached through links (volumes are mounted so); below it there are none.
    """
    troubles = list(_listing_troubles(declared))
    if troubles:
        raise ArtifactError(f"artifact {declared.digest}", troubles)
    try:
        root = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError as error:
        raise ArtifactError(f"artifact at {folder}", [f"no such folder ({error.strerror})"]) from error
    try:
        found, troubles = _read(root, {file.path: file for file in declared.files})
    except OSError as error:
        raise ArtifactError(f"artifact at {folder}", [f"{error.filename}: {error.strerror}"]) from error
    finally:
        os.close(root)
    if troubles:
        raise ArtifactError(f"artifact at {folder}", troubles)
    return found


def _listing_troubles(declared: DeclaredArtifact) -> Iterator[str]:
    """Say what is wrong with the declaration itself, before any path of it is opened."""
    if not declared.files:
        yield "it declares no files"
    seen: set[str] = set()
    for file in declared.files:
        trouble = path_trouble(file.path)
        if trouble:
            yield f"declared path {file.path!r} {trouble}"
        if file.path in seen:
            yield f"{file.path!r} is declared twice"
        if not is_digest(file.digest):
            yield f"{file.path!r} has no sha256 digest: {file.digest!r}"
        seen.add(file.path)
    listed = artifact_digest((file.path, file.digest) for file in declared.files)
    if listed != declared.digest:
        yield f"its digest is {declared.digest}, the listing of its files has {listed}"


def _read(root: int, declared: Mapping[str, DeclaredFile]) -> tuple[dict[str, bytes], list[str]]:
    found: dict[str, bytes] = {}
    troubles: list[str] = []
    present: set[str] = set()
    for path, name, at in _entries(root, troubles):
        present.add(path)
        file = declared.get(path)
        if file is None:
            troubles.append(f"{path!r} is not declared")
            continue
        data = _read_file(name, at, file, troubles)
        if data is not None:
            found[path] = data
    troubles.extend(f"{path!r} is missing" for path in sorted(declared.keys() - present))
    return found, troubles


def _entries(root: int, troubles: list[str]) -> Iterator[tuple[str, str, int]]:
    """Yield (path, name, open folder) of each entry that is no folder, and report every link."""
    for above, folders, files, at in os.fwalk(".", dir_fd=root, follow_symlinks=False, onerror=_raise):
        folders.sort()
        troubles.extend(f"{_join(above, name)!r} is a link" for name in _links(folders, at))
        for name in sorted(files):
            yield _join(above, name), name, at


def _links(names: Iterable[str], at: int) -> list[str]:
    return [name for name in names if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)]


def _read_file(name: str, at: int, file: DeclaredFile, troubles: list[str]) -> bytes | None:
    """Return the file's bytes if they are the declared ones; never read more than was declared."""
    if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
        troubles.append(f"{file.path!r} is no regular file")
        return None
    with os.fdopen(os.open(name, _OPEN, dir_fd=at), "rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        if size != file.size:
            troubles.append(f"{file.path!r} has {size} bytes, {file.size} are declared")
            return None
        data = handle.read(file.size + 1)
    digest = sha256(data)
    if digest != file.digest:
        troubles.append(f"{file.path!r} has {digest}, {file.digest} is declared")
        return None
    return data


def _join(above: str, name: str) -> str:
    return os.path.normpath(os.path.join(above, name))  # noqa: PTH118 (a Path would cost one object an entry)


def _raise(error: OSError) -> None:
    raise error
