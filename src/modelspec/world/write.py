"""Writes files so that a kill, a full disk or a power cut leaves the old bytes or the new ones."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.snapshot import Patch
from modelspec.tree.text import visible
from modelspec.world import durable
from modelspec.world.folders import cure_of, discard, entered, forget, opened, parts_of, said

_SUFFIX: Final = ".modelspec-new"


def write_file(path: Path, data: bytes) -> None:
    """Write one file that the user named, whole or not at all; raises Refusal when it can't."""
    # Two runs may be told to write the same file, and hold no lock: each has its own temporary name.
    temporary = f".{secrets.token_hex(8)}{_SUFFIX}"
    with opened(path.parent) as folder:
        try:
            mode = _replaced(folder, path.name, str(path))
            durable.create(folder, temporary, data, mode=mode)
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            durable.flush(folder)
        except OSError as error:
            forget(folder, temporary)
            raise Refusal(
                f"{visible(str(path), 200)} can't be written: {said(error)}", cure_of(error)
            ) from None
        except BaseException:  # a signal, most often
            forget(folder, temporary)
            raise


def apply_patch(root: Path, patch: Patch) -> None:
    """Write a patch below the root; the caller holds its lock. Raises Refusal when it can't.

    All new files are on the disk under temporary names before the first one gets its own: what runs out
    (space, rights) runs out while nothing has changed yet.
    """
    with opened(root) as top:
        staged = _Staged(top)
        path = ""
        try:
            for path, data in sorted(patch.items()):
                if data is not None:
                    staged.stage(parts_of(path), data)
                else:
                    parts_of(path)
            for path, data in sorted(patch.items()):
                if data is not None:
                    staged.publish(parts_of(path))
                else:
                    staged.remove(parts_of(path))
            staged.flush()
        except OSError as error:
            raise Refusal(
                f"{visible(path)} can't be written: {said(error)}; {staged.undo()}", cure_of(error)
            ) from None
        except BaseException:  # a refusal, or a signal
            staged.undo()
            raise


class _Staged:
    """The files of one patch on their way to their names."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._waiting: list[tuple[str, ...]] = []
        self._made: list[tuple[str, ...]] = []
        self._changed: dict[tuple[str, ...], None] = {}
        self._published: list[str] = []

    def stage(self, parts: tuple[str, ...], data: bytes) -> None:
        """Write the new file beside the place where it will stand."""
        folder, name = parts[:-1], parts[-1]
        self._make(folder)
        with entered(self._top, folder) as descriptor:
            mode = _replaced(descriptor, name, "/".join(parts))
            # A leftover of a run that was killed; the lock says that nobody else is writing it.
            discard(descriptor, _temporary(name))
            self._waiting.append(parts)
            durable.create(descriptor, _temporary(name), data, mode=mode)

    def publish(self, parts: tuple[str, ...]) -> None:
        """Give a staged file its name."""
        name = parts[-1]
        with entered(self._top, parts[:-1]) as descriptor:
            os.rename(_temporary(name), name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
        self._waiting.remove(parts)
        self._published.append("/".join(parts))
        self._changed[parts[:-1]] = None

    def remove(self, parts: tuple[str, ...]) -> None:
        """Remove a file, and the folders that it leaves empty: git keeps none either."""
        try:
            with entered(self._top, parts[:-1]) as descriptor:
                os.unlink(parts[-1], dir_fd=descriptor)
        except FileNotFoundError:
            return
        self._published.append("/".join(parts))
        folder = parts[:-1]
        while folder:
            with entered(self._top, folder[:-1]) as above:
                try:
                    os.rmdir(folder[-1], dir_fd=above)
                except OSError:
                    break
            folder = folder[:-1]
        self._changed[folder] = None

    def flush(self) -> None:
        """Return when the new names are on the disk."""
        for folder in (*self._changed, *(made[:-1] for made in self._made)):
            with suppress(FileNotFoundError), entered(self._top, folder) as descriptor:
                durable.flush(descriptor)

    def undo(self) -> str:
        """Remove what has no name yet; say what has."""
        for parts in self._waiting:
            with suppress(OSError), entered(self._top, parts[:-1]) as descriptor:
                forget(descriptor, _temporary(parts[-1]))
        for parts in reversed(self._made):
            with suppress(OSError), entered(self._top, parts[:-1]) as descriptor:
                os.rmdir(parts[-1], dir_fd=descriptor)
        if not self._published:
            return "nothing was changed"
        return f"{visible(', '.join(self._published), 400)} changed already"

    def _make(self, folder: tuple[str, ...]) -> None:
        for depth in range(len(folder)):
            with entered(self._top, folder[:depth]) as descriptor:
                try:
                    os.mkdir(folder[depth], dir_fd=descriptor)
                except FileExistsError:
                    continue
                self._made.append(folder[: depth + 1])


def _temporary(name: str) -> str:
    return f".{name}{_SUFFIX}"


def _replaced(folder: int, name: str, path: str) -> int | None:
    """Return the permissions of the file that is replaced, None when there is none."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(found.st_mode):
        return stat.S_IMODE(found.st_mode) & 0o777
    what = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder"}.get(
        stat.S_IFMT(found.st_mode), "no regular file"
    )
    raise Refusal(f"{visible(path, 200)} is {what}: it is not replaced", "remove it, or choose another name")
