"""Replaces compiled output in one step: whoever looks sees the old tree or the new one, never a mixture.

The deepest folder that holds all changes is built again beside it, in `.compiled.new` at the root:
unchanged files are hard links to the old ones, changed ones are written and flushed. Then the two folders
swap names. A run that is killed leaves the old tree or the new one, and at most a `.compiled.new`, which
the next run removes. Since files are shared between the two, none is ever changed in place.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import plural, visible
from modelspec.world import durable
from modelspec.world.compiled import Difference, difference, read_regular
from modelspec.world.folders import cure_of, discard, entered, opened, parts_of, said
from modelspec.world.limits import MAX_DEPTH
from modelspec.world.parallel import each

FOLDER: Final = "compiled"
NEW: Final = ".compiled.new"
OLD: Final = ".compiled.old"
MARKER: Final = ".compiled.swap"
"""Only where folders can't swap names: holds the path of the folder that is being replaced."""
ONE_BY_ONE: Final = 64
"""Up to so many files and folders are flushed one by one; more, and the whole file system is, once."""
_COPIED: Final = 64 * 1024 * 1024
_LISTED: Final = 20
_GROUPS: Final = 16


def compare_tree(root: Path, wanted: Mapping[str, bytes], scope: Iterable[str]) -> Difference:
    """Return what `replace_tree` would change; nothing is written."""
    with opened(root) as top:
        return difference(top, wanted, scope)


def replace_tree(
    root: Path, wanted: Mapping[str, bytes], scope: Iterable[str], *, clean: bool = False
) -> tuple[str, ...]:
    """Make the folders in `scope` hold `wanted` and nothing else; return the paths that changed, sorted.

    Paths are relative to the root and lie below `compiled/`; the caller holds the root's lock. Files that
    no compile wrote stop it, or go with `clean`. Raises Refusal, and then nothing has changed.
    """
    scope = tuple(scope)
    if any(parts_of(folder)[0] != FOLDER for folder in scope):
        raise ValueError(f"only what lies below {FOLDER}/ is replaced")
    with opened(root) as top:
        _finish(top)
        found = difference(top, wanted, scope)
        if found.strangers and not clean:
            raise _strangers(found.strangers)
        gone = frozenset((*found.removed, *found.strangers))
        written = {path: wanted[path] for path in found.written}
        changed = sorted(written.keys() | gone)
        if changed:
            try:
                _replace(top, written, gone)
            except OSError as error:
                raise Refusal(
                    f"{FOLDER}/ can't be written: {said(error)}; nothing was changed", cure_of(error)
                ) from None
        return tuple(changed)


def _replace(top: int, written: Mapping[str, bytes], gone: frozenset[str]) -> None:
    try:
        place = _place(top, sorted(written.keys() | gone))
        if _Build(top, written, gone).make(place):
            _swap(top, place)
        else:
            _take_away(top, place)
    finally:
        # The old tree, or the new one that failed. What resists twice is left to the next run.
        for _ in range(2):
            with suppress(OSError):
                _clear(top)
                break


def _place(top: int, changed: Sequence[str]) -> tuple[str, ...]:
    """Return the deepest folder that holds all changes; above it, the first one that is not there yet."""
    folders = [path.split("/")[:-1] for path in changed]
    first, last = min(folders), max(folders)
    depth = next((at for at, part in enumerate(first) if at >= len(last) or part != last[at]), len(first))
    place = tuple(first[:depth])
    for depth in range(1, len(place)):
        try:
            with entered(top, place[:depth]):
                continue
        except FileNotFoundError:
            return place[:depth]
    return place


@dataclass(slots=True)
class _Build:
    """The new folder while it is being built, at `.compiled.new`."""

    top: int
    written: Mapping[str, bytes]
    gone: frozenset[str]
    touched: frozenset[str] = frozenset()
    """The folders somewhere below which a file is written or goes."""
    folders: list[tuple[str, ...]] = field(default_factory=list)
    linked: int = 0

    def make(self, place: tuple[str, ...]) -> bool:
        """Build what is to stand at `place`; False, and an empty folder, when nothing is."""
        self.touched = frozenset(
            path[:end] for path in (*self.written, *self.gone) for end in range(len(path)) if path[end] == "/"
        )
        os.mkdir(NEW, dir_fd=self.top)
        self.folders.append((NEW,))
        if _there(self.top, place):
            with entered(self.top, place) as old, entered(self.top, (NEW,)) as new:
                self._link(old, new, "/".join(place), (NEW,))
        if not self.linked and not self.written:
            return False
        one_by_one = not durable.can_flush_all() or len(self.written) + len(self.folders) <= ONE_BY_ONE
        self._write(len(place), one_by_one)
        for folder in self.folders if one_by_one else ():
            with entered(self.top, folder) as descriptor:
                durable.flush(descriptor)
        if not one_by_one:
            durable.flush_all(self.top)
        return True

    def _link(self, old: int, new: int, path: str, at: tuple[str, ...]) -> None:
        """Link what stays; a folder in which nothing stays is not made."""
        if len(at) > MAX_DEPTH:
            raise Refusal(f"{visible(path)} is nested deeper than {MAX_DEPTH} folders", "remove it")
        for name, is_folder in _names(old):
            inner = f"{path}/{name}"
            if not is_folder:
                if self._stays(inner):
                    _link(old, new, name)
                    self.linked += 1
                continue
            with entered(old, (name,), inner) as old_inner:
                if inner in self.touched and not self._keeps(old_inner, inner):
                    continue
                os.mkdir(name, dir_fd=new)
                self.folders.append((*at, name))
                with entered(new, (name,)) as new_inner:
                    self._link(old_inner, new_inner, inner, (*at, name))

    def _stays(self, path: str) -> bool:
        return path not in self.gone and path not in self.written

    def _keeps(self, folder: int, path: str) -> bool:
        """Whether anything below a folder stays."""
        for name, is_folder in _names(folder):
            inner = f"{path}/{name}"
            if not is_folder:
                if self._stays(inner):
                    return True
                continue
            with entered(folder, (name,), inner) as deeper:
                if self._keeps(deeper, inner):
                    return True
        return False

    def _write(self, skip: int, one_by_one: bool) -> None:
        """Write the files that change; `skip` parts of their paths lead to the folder that is built."""
        by_folder: dict[tuple[str, ...], list[str]] = {}
        for path in sorted(self.written):
            by_folder.setdefault((NEW, *path.split("/")[skip:-1]), []).append(path)
        there = set(self.folders)
        if one_by_one:
            self._fill(by_folder, there, flushed=True)
            return
        # Making a file is work of the file system, which does several in folders of their own at a time.
        depth = _spread(by_folder)
        apart: dict[tuple[str, ...], dict[tuple[str, ...], list[str]]] = {}
        for folder, paths in by_folder.items():
            self._make(folder[: depth - 1], there)
            apart.setdefault(folder[:depth], {})[folder] = paths
        each(lambda one: self._fill(one, set(there), flushed=False), apart.values())

    def _fill(
        self,
        by_folder: Mapping[tuple[str, ...], Sequence[str]],
        there: set[tuple[str, ...]],
        *,
        flushed: bool,
    ) -> None:
        """Write files into their folders, which are made where they are not there."""
        for folder, paths in by_folder.items():
            self._make(folder, there)
            with entered(self.top, folder) as descriptor:
                for path in paths:
                    name = path.rpartition("/")[2]
                    durable.create(descriptor, name, self.written[path], flushed=flushed)

    def _make(self, folder: tuple[str, ...], there: set[tuple[str, ...]]) -> None:
        for depth in range(1, len(folder)):
            inner = folder[: depth + 1]
            if inner in there:
                continue
            with entered(self.top, folder[:depth]) as above:
                os.mkdir(folder[depth], dir_fd=above)
            there.add(inner)
            self.folders.append(inner)


def _spread(folders: Iterable[tuple[str, ...]]) -> int:
    """Return the depth at which folders part into enough groups for several to be filled at a time."""
    known = list(folders)
    deepest = max(map(len, known))
    return next((at for at in range(1, deepest) if len({one[:at] for one in known}) >= _GROUPS), deepest)


def _names(folder: int) -> list[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _link(old: int, new: int, name: str) -> None:
    try:
        os.link(name, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
    except OSError as error:
        # A file system without hard links, or another user's file, which Linux lets nobody link.
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        data = read_regular(old, name, _COPIED)
        if data is None:
            raise
        durable.create(new, name, data)


def _swap(top: int, place: tuple[str, ...]) -> None:
    """Put the new folder in its place; the old one, if there is one, is then at one of our names."""
    name = place[-1]
    with entered(top, place[:-1]) as above:
        if not _there(above, (name,)):
            os.rename(NEW, name, src_dir_fd=top, dst_dir_fd=above)
            _settle(top, above, lambda: os.rename(name, NEW, src_dir_fd=above, dst_dir_fd=top))
        elif durable.exchange(top, NEW, above, name):
            _settle(top, above, lambda: durable.exchange(top, NEW, above, name))
        else:
            durable.create(top, MARKER, "/".join(place).encode())
            durable.flush(top)
            os.rename(name, OLD, src_dir_fd=above, dst_dir_fd=top)
            # Between these two there is no such folder; what ends here is put right by `_clear`.
            os.rename(NEW, name, src_dir_fd=top, dst_dir_fd=above)
            _settle(top, above, lambda: os.rename(name, NEW, src_dir_fd=above, dst_dir_fd=top))


def _take_away(top: int, place: tuple[str, ...]) -> None:
    """Take away a folder that is to be empty, with those above it that hold nothing else."""
    while len(place) > 1:
        with entered(top, place[:-1]) as above, os.scandir(above) as entries:
            if any(entry.name != place[-1] for entry in entries):
                break
        place = place[:-1]
    with entered(top, place[:-1]) as above:
        os.rename(place[-1], NEW, src_dir_fd=above, dst_dir_fd=top)
        _settle(top, above, lambda: os.rename(NEW, place[-1], src_dir_fd=top, dst_dir_fd=above))


def _settle(top: int, above: int, undo: Callable[[], object]) -> None:
    """Return when the swap is on the disk; a swap that can't be made sure of is undone."""
    try:
        durable.flush(above)
        durable.flush(top)
    except OSError:
        undo()
        raise


def _clear(top: int) -> None:
    """Remove what a run leaves behind, however it ended; a folder that it took away is put back first."""
    with suppress(FileNotFoundError):
        place = (read_regular(top, MARKER, 4096) or b"").decode("utf-8", "replace").split("/")
        if place[0] == FOLDER and not any(part in ("", ".", "..") for part in place):
            with entered(top, place[:-1]) as above:
                if not _there(above, (place[-1],)):
                    os.rename(OLD, place[-1], src_dir_fd=top, dst_dir_fd=above)
                    durable.flush(above)
    for name in (NEW, OLD, MARKER):
        discard(top, name)


def _finish(top: int) -> None:
    """Clear up after an earlier run that was killed."""
    try:
        _clear(top)
    except OSError as error:
        raise Refusal(
            f"what a killed run left ({NEW}, {OLD}) can't be removed: {said(error)}; nothing was changed",
            "remove it by hand, then run this again",
        ) from None


def _there(folder: int, parts: tuple[str, ...]) -> bool:
    try:
        with entered(folder, parts[:-1]) as above:
            os.stat(parts[-1], dir_fd=above, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _strangers(paths: Sequence[str]) -> Refusal:
    listed = "".join(f"\n  {visible(path, 200)}" for path in paths[:_LISTED])
    more = f"\n  and {len(paths) - _LISTED:,} more" if len(paths) > _LISTED else ""
    return Refusal(
        f"{plural(len(paths), 'file')} below {FOLDER}/ that no compile wrote:{listed}{more}",
        f"move what you need out of {FOLDER}/; `modelspec compile --clean` removes the rest",
    )
