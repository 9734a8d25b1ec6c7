"""Hashes the files of an artifact where they lie, streaming."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelspec.tree.finding import Refusal
from modelspec.tree.paths import path_trouble
from modelspec.tree.text import visible

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HashedFile:
    """One file of a tree: its path in the tree, its size in bytes, its sha256."""

    path: str
    size: int
    digest: str


def tree_files(root: Path) -> list[HashedFile]:
    """Hash every file below a folder (or one file, as a tree of itself), sorted by path in byte order.

    Raises Refusal for a link, anything else that is no regular file, a path that no artifact may have,
    an empty folder, and a file that changes while it is read.
    """
    single = root.name if not root.is_dir() else None
    paths = (
        [(single, root)]
        if single is not None
        else sorted(_walk(root, ""), key=lambda item: os.fsencode(item[0]))
    )
    if not paths:
        raise Refusal(f"{visible(str(root), 200)} holds no files", "an artifact has at least one")
    return [_hash(path, file) for path, file in paths]


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, Path(entry.path)


def _hash(path: str, file: Path) -> HashedFile:
    shown = visible(str(file), 200)
    trouble = path_trouble(path)
    if trouble is not None:
        raise Refusal(f"the path of {shown} {trouble}", "rename it: this can't be a path in an artifact")
    try:
        # Non-blocking, so that a FIFO is refused below and not waited for.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if file.is_symlink():
            raise Refusal(f"{shown} is a symbolic link", "put the file itself in its place") from None
        raise Refusal(f"{shown} can't be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as stream:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise Refusal(f"{shown} is not a regular file")
        hashed, size = hashlib.sha256(), 0
        while chunk := stream.read(_CHUNK):
            hashed.update(chunk)
            size += len(chunk)
        after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != after.st_size:
        raise Refusal(f"{shown} changed while it was read", "wait until nothing writes it")
    return HashedFile(path, size, "sha256:" + hashed.hexdigest())
