"""The old names of files that a store has taken over go, when all that refers to them is written.

A folder goes out of its place in one step, so that whoever comes again finds it whole or not at all; then
its files go one by one, each only if it is the one that was registered. What is not stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelspec.tree.protocols import StoredFile
from modelspec.tree.text import plural, visible
from modelspec.world import durable
from modelspec.world.files import LocalFile, hashed_source
from modelspec.world.folders import opened, said
from modelspec.world.parallel import each

_ASIDE: Final = ".moved"


@dataclass(frozen=True, slots=True)
class Original:
    """A file where it came from, by its path in the artifact; what the disk said of it last."""

    path: str
    file: Path
    state: os.stat_result


@dataclass(frozen=True, slots=True)
class Originals:
    """The files of one artifact where they came from."""

    files: tuple[Original, ...]

    def remove(self, source: Path) -> str | None:
        """Remove the folder, or the file, that these are all of; return what stays, and why, in words."""
        source = source.resolve()
        try:
            return _folder(source, self.files) if source.is_dir() else _file(source, self.files)
        except OSError as error:
            rest = source if os.path.lexists(source) else aside_of(source)
            return f"{_shown(rest)} could not be removed: {said(error)}"


def finish(source: Path, held: Callable[[Collection[StoredFile]], Collection[str]]) -> str | None:
    """Remove what a killed run took out of its place; return what is to be said of it, None for nothing.

    A file goes only when `held`, which is asked of all of them, says that a store has its bytes (its digest).
    """
    source = source.resolve()
    aside = aside_of(source)
    if os.path.lexists(source) or not aside.is_dir() or aside.is_symlink():
        return None
    places = [Path(folder, name) for folder, _, names in os.walk(aside) for name in names]
    files = [file for file in places if not file.is_symlink() and file.is_file()]
    known = each(lambda file: hashed_source(LocalFile(file.name, file)), files)
    stored = held(known)
    for file, one in zip(files, known, strict=True):
        if one.digest in stored:
            file.unlink()
    _rmdirs(aside)
    if not aside.exists():
        _flush(source.parent)
        return f"removed {_shown(aside)}, which an earlier run had moved"
    return f"{_shown(aside)} holds what an earlier run had moved, and no store has: look at it, and remove it"


def _file(source: Path, files: Sequence[Original]) -> str | None:
    if len(files) != 1 or not _same(source, files[0].state):
        return f"{_shown(source)} is not what was registered any more: it stays"
    source.unlink()
    _flush(source.parent)
    return None


def _folder(source: Path, files: Sequence[Original]) -> str | None:
    aside = aside_of(source)
    if os.path.lexists(aside):
        return f"{_shown(aside)} is in the way: {_shown(source)} stays"
    source.rename(aside)
    _flush(source.parent)
    strange = [original.path for original in files if not _same(aside / original.path, original.state)]
    for original in () if strange else files:
        (aside / original.path).unlink()
    _rmdirs(aside)
    if not aside.exists():
        _flush(source.parent)
        return None
    # Something came, or changed, at the last moment: it is the user's, at the name that it had.
    others = [path for path in aside.rglob("*") if not path.is_dir() or path.is_symlink()]
    if not others:
        return f"{_shown(aside)} is empty, and could not be removed"
    if os.path.lexists(source):
        return f"{plural(len(others), 'file')} that came to {_shown(source)} meanwhile: in {_shown(aside)}"
    aside.rename(source)
    _flush(source.parent)
    what = "changed" if strange else "came"
    return f"something in {_shown(source)} {what} meanwhile: {plural(len(others), 'file')} there stay"


def aside_of(source: Path) -> Path:
    """Return where a folder is while its files go."""
    return source.with_name(f".{source.name}{_ASIDE}")


def _same(file: Path, state: os.stat_result) -> bool:
    """Whether it is that file, and nobody wrote it; the time of change is that of its bytes and its names."""
    try:
        found = file.lstat()
    except OSError:
        return False
    return (found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns, found.st_ctime_ns) == (
        state.st_ino,
        state.st_dev,
        state.st_size,
        state.st_mtime_ns,
        state.st_ctime_ns,
    )


def _rmdirs(top: Path) -> None:
    """Remove a folder and those in it, as far as they are empty."""
    for folder, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()


def _flush(folder: Path) -> None:
    with opened(folder) as descriptor:
        durable.flush(descriptor)


def _shown(path: Path) -> str:
    return visible(str(path), 200)
