"""Pointers that other tools commit in place of bytes: git-LFS and DVC. They are read as they are, never made.

The bytes are taken from that tool's own cache in the clone. Nothing is fetched: its own command does that.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.protocols import Chunk
from modelspec.tree.text import visible
from modelspec.world.files import LocalFile, local_tree
from modelspec.world.foreign import foreign

_POINTER_LIMIT: Final = 1024
_MANIFEST_LIMIT: Final = 256 * 1024 * 1024
_LFS: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n"
)
_BEGINS: Final = b"version https://git-lfs.github.com/"
_MD5: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class LfsPointer:
    """What a git-LFS pointer says: the sha256 and the size of the file that it stands for."""

    digest: str
    size: int


def lfs_pointer(data: bytes) -> LfsPointer | None:
    """Return what a git-LFS pointer says, None for any other bytes."""
    match = _LFS.fullmatch(data) if len(data) < _POINTER_LIMIT else None
    return None if match is None else LfsPointer(f"sha256:{match[1].decode()}", int(match[2]))


def lfs_bytes(near: Path, stream: io.FileIO, size: int) -> Iterator[Chunk] | None:
    """Return the bytes that an open file stands for when it is a git-LFS pointer, else None.

    They are looked up in the clone that `near` is in. The stream is left at its beginning.
    """
    if size >= _POINTER_LIMIT:
        return None
    head = stream.read(_POINTER_LIMIT) or b""
    stream.seek(0)
    pointer = lfs_pointer(head)
    return None if pointer is None else _lfs_file(near, pointer).chunks()


@dataclass(frozen=True, slots=True)
class LfsFile:
    """A file that git-LFS tracks, in its cache: its sha256 is compared while its bytes go by."""

    path: str
    file: Path
    digest: str

    def chunks(self) -> Iterator[Chunk]:
        """Yield its bytes; raises Refusal at their end when they are not those of the pointer."""
        hashed = hashlib.sha256()
        for chunk in LocalFile(self.path, self.file).chunks():
            hashed.update(chunk)
            yield chunk
        if f"sha256:{hashed.hexdigest()}" != self.digest:
            raise Refusal(
                f"{visible(self.path)} in git-LFS' cache does not have the sha256 that its pointer says",
                f"remove {visible(str(self.file), 300)}, then git lfs pull",
            )


def lfs_file(path: str, file: Path) -> LfsFile | None:
    """Return the bytes that a pointer file stands for as a file of a tree; None when it is no pointer.

    Its digest in the tree is the pointer's own oid: both are the sha256 of the bytes.
    """
    # Whatever reads it afterwards says what a link or a FIFO is; opening one here would wait for ever.
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size >= _POINTER_LIMIT:
        return None
    with foreign(file) as stream:
        data = stream.read(_POINTER_LIMIT)
    pointer = lfs_pointer(data)
    if pointer is None:
        if data.startswith(_BEGINS):
            raise Refusal(
                f"{visible(str(file), 300)} begins as a git-LFS pointer does, and is none",
                "git lfs pull; something has changed it, such as its line ends",
            )
        return None
    return LfsFile(path, _lfs_file(file.parent, pointer).file, pointer.digest)


def behind(file: Path) -> Path:
    """Return where the bytes of a file of a tree are: git-LFS may have left a pointer in their place."""
    with suppress(OSError):  # whoever opens it says what is wrong with it
        pointed = lfs_file(file.name, file)
        return file if pointed is None else pointed.file
    return file


def _lfs_file(near: Path, pointer: LfsPointer) -> LocalFile:
    name = pointer.digest.removeprefix("sha256:")
    found = _git_folder(near) / "lfs" / "objects" / name[:2] / name[2:4] / name
    if not found.is_file():
        raise Refusal("the bytes behind a git-LFS pointer are not in this clone", "git lfs pull")
    return LocalFile(name, found)


def _git_folder(near: Path) -> Path:
    start = near.absolute()
    for folder in (start, *start.parents):
        git = folder / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return _linked(folder, git)
    raise Refusal("a git-LFS pointer lies in no git repository", "git lfs pull, in the clone it came from")


def _linked(folder: Path, git: Path) -> Path:
    """Return the git folder of the repository that a linked work tree belongs to."""
    where = folder / _line(git).removeprefix("gitdir:").strip()
    common = where / "commondir"
    return where / _line(common) if common.is_file() else where


def _line(file: Path) -> str:
    return os.fsdecode(file.read_bytes()).strip()


@dataclass(frozen=True, slots=True)
class DvcFile:
    """A file that DVC tracks, in its cache: its md5 is compared while its bytes go by."""

    path: str
    file: Path
    md5: str

    def chunks(self) -> Iterator[Chunk]:
        """Yield its bytes; raises Refusal at their end when they do not have DVC's md5."""
        if not self.file.is_file():
            raise Refusal(f"the bytes of {visible(self.path)} are not in DVC's cache", "dvc pull")
        hashed = hashlib.md5(usedforsecurity=False)
        for chunk in LocalFile(self.path, self.file).chunks():
            hashed.update(chunk)
            yield chunk
        if hashed.hexdigest() != self.md5:
            raise Refusal(
                f"{visible(self.path)} in DVC's cache does not have the md5 that its pointer says",
                "remove it from the cache, then dvc pull",
            )


def dvc_tree(pointer: Path) -> Sequence[DvcFile]:
    """Return the files that a `.dvc` file stands for, from the cache of the repository it is in.

    A folder's files come from the manifest (`<md5>.dir`) in that cache. Raises Refusal for what is no
    such pointer, with more than one output, or not pulled.
    """
    shown = visible(str(pointer), 200)
    md5, path = _output(pointer, shown)
    cache = _dvc_cache(pointer)
    if not md5.endswith(".dir"):
        return _pulled([(path, md5)], cache, shown)
    try:
        with _cached(cache, md5).open("rb") as stream:
            data = stream.read(_MANIFEST_LIMIT)
    except OSError:
        raise Refusal(f"the list of files of {shown} is not in DVC's cache", "dvc pull") from None
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
        raise Refusal(f"the list of files of {shown} in DVC's cache was changed", "dvc pull --force")
    try:
        found = [(str(row["relpath"]), str(row["md5"])) for row in json.loads(data)]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refusal(f"the list of files of {shown} is not DVC's", "dvc pull --force") from None
    trouble = paths_trouble(name for name, _ in found)
    if trouble is not None or any(_MD5.fullmatch(one) is None for _, one in found):
        raise Refusal(
            f"{shown} is refused: {trouble or 'its list of files has something else than an md5'}",
            "dvc add it again",
        )
    return _pulled(sorted(found), cache, shown)


def _pulled(found: Sequence[tuple[str, str]], cache: Path, shown: str) -> tuple[DvcFile, ...]:
    files = tuple(DvcFile(name, _cached(cache, md5), md5) for name, md5 in found)
    if any(not file.file.is_file() for file in files):
        raise Refusal(f"the bytes of {shown} are not in DVC's cache", "dvc pull")
    return files


def dvc_md5(place: Path) -> str:
    """Return what DVC (3 and later) writes down of a file, or of a folder, where it ends in `.dir`."""
    files = local_tree(place)
    rows = [{"md5": _md5(file), "relpath": file.path} for file in files]
    if not place.is_dir():
        return rows[0]["md5"]
    rows.sort(key=lambda row: tuple(row["relpath"].split("/")))
    return hashlib.md5(json.dumps(rows, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(file: LocalFile) -> str:
    hashed = hashlib.md5(usedforsecurity=False)
    for chunk in file.chunks():
        hashed.update(chunk)
    return hashed.hexdigest()


def _output(pointer: Path, shown: str) -> tuple[str, str]:
    from modelspec.tree.snapshot import LIMIT
    from modelspec.tree.yaml import read

    with foreign(pointer) as stream:
        data, faults = read(stream.read(LIMIT + 1))
    outs = data.get("outs") if isinstance(data, dict) and not faults else None
    out = outs[0] if isinstance(outs, list) and len(outs) == 1 else None
    md5, path = (out.get("md5"), out.get("path")) if isinstance(out, dict) else (None, None)
    if not isinstance(md5, str) or _MD5.fullmatch(md5.removesuffix(".dir")) is None:
        raise Refusal(
            f"{shown} is no DVC pointer with one output and its md5", "name a file that `dvc add` wrote"
        )
    if not isinstance(path, str) or (trouble := paths_trouble([path])) is not None:
        raise Refusal(
            f"{shown} is refused: {trouble if isinstance(path, str) else 'it names no path'}",
            "name a file that `dvc add` wrote",
        )
    return md5, path


def _dvc_cache(pointer: Path) -> Path:
    start = pointer.absolute().parent
    for folder in (start, *start.parents):
        if (folder / ".dvc").is_dir():
            return folder / ".dvc" / "cache"
    raise Refusal(f"{visible(str(pointer), 200)} lies in no DVC repository", "name the pointer in its clone")


def _cached(cache: Path, md5: str) -> Path:
    """Return where DVC keeps it: since 3.0 below files/md5/, before that at the top."""
    new = cache / "files" / "md5" / md5[:2] / md5[2:]
    old = cache / md5[:2] / md5[2:]
    return old if not os.path.lexists(new) and os.path.lexists(old) else new


def pointed_tree(root: Path) -> list[LocalFile | LfsFile]:
    """Return the files below a folder, each git-LFS pointer among them replaced by its bytes."""
    return [lfs_file(file.path, file.file) or file for file in local_tree(root)]
