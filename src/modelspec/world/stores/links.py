"""Equal files of two trees share their bytes on disk: a hard link, made only after hashing them again."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Final

from modelspec.tree.digest import stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import LIMIT, read_listing
from modelspec.tree.protocols import StoredFile
from modelspec.world.files import READ, whole
from modelspec.world.folders import entered
from modelspec.world.stores.names import SUFFIX
from modelspec.world.stores.stage import TREE, Stage

_LEAST: Final = 4096
"""A smaller file saves no block."""
_HEX: Final = 64


def link_equal(top: int, stage: Stage, written: Sequence[StoredFile], others: Iterable[str]) -> None:
    """Replace staged files that another tree, or this one, holds as well by links to those."""
    wanted: dict[str, list[StoredFile]] = {}
    for file in written:
        if file.size >= _LEAST:
            wanted.setdefault(file.digest, []).append(file)
    for files in wanted.values():
        for again in files[1:]:
            _link(stage, stage.descriptor, f"{TREE}/{files[0].path}", again)
    names = _names(wanted)
    for digest in others:
        if not wanted:
            return
        for path, file_digest in _rows(top, digest, names):
            equal = wanted.get(file_digest)
            place = f"{stamp(digest)}/{path}"
            if (
                equal is not None
                and _same(top, place, equal[0])
                and all(_link(stage, top, place, file) for file in equal)
            ):
                del wanted[file_digest]


def held(top: int, files: Iterable[StoredFile], trees: Iterable[str]) -> frozenset[str]:
    """Return the digests of those files of whose bytes one of these trees has a file, hashed again."""
    wanted = {file.digest: file for file in files}
    found, names = set[str](), _names(wanted)
    for digest in trees:
        for path, file_digest in _rows(top, digest, names) if wanted else ():
            file = wanted.get(file_digest)
            if file is not None and _same(top, f"{stamp(digest)}/{path}", file):
                found.add(file_digest)
                del wanted[file_digest]
    return frozenset(found)


def _names(digests: Iterable[str]) -> frozenset[bytes]:
    """Return digests as a listing has them, at the beginning of its lines."""
    return frozenset(digest.removeprefix("sha256:").encode() for digest in digests)


def _rows(top: int, digest: str, wanted: Collection[bytes]) -> Sequence[tuple[str, str]]:
    """Return (path, digest) of a tree's files; none where its listing names nothing that is wanted.

    Most trees of a store have nothing in common: that is told without judging the paths of each.
    """
    try:
        with os.fdopen(os.open(stamp(digest) + SUFFIX, READ, dir_fd=top), "rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError:
        return ()
    if not any(line[:_HEX] in wanted for line in data.split(b"\n")):
        return ()
    rows = read_listing(data)
    return () if isinstance(rows, str) else rows


def _same(top: int, place: str, file: StoredFile) -> bool:
    """Whether the file at a place is the staged one, hashed again."""
    *folders, name = place.split("/")
    with (
        suppress(OSError, Refusal),
        entered(top, folders) as folder,
        os.fdopen(os.open(name, READ, dir_fd=folder), "rb", buffering=0) as stream,
    ):
        found = os.fstat(stream.fileno())
        # One that is writable could change under both trees.
        if found.st_size != file.size or not stat.S_ISREG(found.st_mode) or found.st_mode & 0o222:
            return False
        hashed = hashlib.sha256()
        for chunk in whole(stream, found.st_size):
            hashed.update(chunk)
        return hashed.hexdigest() == file.digest.removeprefix("sha256:")
    return False


def _link(stage: Stage, source: int, place: str, file: StoredFile) -> bool:
    """Put a link in the staged file's place; False where the file system has none (left)."""
    with suppress(OSError):
        os.link(place, "linked", src_dir_fd=source, dst_dir_fd=stage.descriptor, follow_symlinks=False)
        os.replace("linked", f"{TREE}/{file.path}", src_dir_fd=stage.descriptor, dst_dir_fd=stage.descriptor)
        # Two names of one file: the rename does nothing, and leaves the first.
        with suppress(FileNotFoundError):
            os.unlink("linked", dir_fd=stage.descriptor)
        return True
    return False
