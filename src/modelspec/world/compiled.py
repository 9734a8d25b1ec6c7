"""Compares what a compile would write with what lies on disk, and tells our files from those of others."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.folders import entered, parts_of, said
from modelspec.world.limits import MAX_DEPTH

MANIFEST: Final = "manifest.json"
_PIN_DEPTH: Final = 4
"""compiled/<environment>/models/<model>, compiled/<environment>/features/<view>"""
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MANIFEST_LIMIT: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths below the root, sorted: to write, to remove, and those that no compile wrote."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    strangers: tuple[str, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """The paths whose content a compile would change."""
        return tuple(sorted((*self.written, *self.removed)))


def difference(top: int, wanted: Mapping[str, bytes], scope: Iterable[str]) -> Difference:
    """Compare the whole content wanted of some folders with what they hold; nothing is written.

    `top` is the root's descriptor, paths are relative to it. A regular file is ours when a manifest on
    disk lists it, or when it stands where the compile writes; everything else is a stranger.
    """
    folders = tuple(scope)
    for path in wanted:
        parts_of(path)
        if not any(path.startswith(folder + "/") for folder in folders):
            raise ValueError(f"{path} lies in none of the folders that are written")
    ours = _Ours(top)
    same: set[str] = set()
    removed: set[str] = set()
    strangers: set[str] = set()
    for folder in folders:
        for path, regular, equal in _scan(top, folder, wanted):
            if not regular or not (path in wanted or ours.lists(path)):
                strangers.add(path)
            elif path not in wanted:
                removed.add(path)
            elif equal:
                same.add(path)
    written = wanted.keys() - same
    return Difference(tuple(sorted(written)), tuple(sorted(removed)), tuple(sorted(strangers)))


class _Ours:
    """What the manifests on disk list. They are data: a path in one of them is compared, never opened."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._known: dict[tuple[str, ...], frozenset[str]] = {}

    def lists(self, path: str) -> bool:
        parts = tuple(path.split("/"))
        pin, inside = parts[:_PIN_DEPTH], "/".join(parts[_PIN_DEPTH:])
        if not inside or pin[2] not in ("models", "features"):
            return False
        if pin not in self._known:
            with entered(self._top, pin) as folder:
                self._known[pin] = _listed(read_regular(folder, MANIFEST, _MANIFEST_LIMIT))
        return inside == MANIFEST or inside in self._known[pin]


def _listed(manifest: bytes | None) -> frozenset[str]:
    try:
        outputs = json.loads(manifest or b"")["outputs"]
    except (ValueError, RecursionError, KeyError, TypeError):
        # Damaged (by a merge, say): it vouches for nothing.
        return frozenset()
    return (
        frozenset(path for path in outputs if isinstance(path, str))
        if isinstance(outputs, dict)
        else frozenset()
    )


def _scan(top: int, folder: str, wanted: Mapping[str, bytes]) -> Iterator[tuple[str, bool, bool]]:
    """Yield (path, whether it is a regular file, whether it holds what is wanted) of all in a folder."""
    parts = parts_of(folder)
    try:
        with entered(top, parts[:-1]) as above:
            yield from _below(above, parts[-1], folder, len(parts), wanted)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refusal(f"{visible(folder)} can't be read: {said(error)}") from None


def _below(
    above: int, name: str, path: str, depth: int, wanted: Mapping[str, bytes]
) -> Iterator[tuple[str, bool, bool]]:
    if depth > MAX_DEPTH:
        raise Refusal(f"{visible(path)} is nested deeper than {MAX_DEPTH} folders", "remove it")
    with entered(above, (name,), path) as folder:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for inner, is_folder in found:
            below = f"{path}/{inner}"
            if is_folder:
                yield from _below(folder, inner, below, depth + 1, wanted)
                continue
            status = os.stat(inner, dir_fd=folder, follow_symlinks=False)
            regular = stat.S_ISREG(status.st_mode)
            data = wanted.get(below)
            equal = regular and data is not None and status.st_size == len(data)
            yield below, regular, equal and read_regular(folder, inner, status.st_size) == data


def read_regular(folder: int, name: str, limit: int) -> bytes | None:
    """Return the bytes of a regular file in a folder, None when it is none or has more than `limit`."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
        return data if len(data) <= limit else None
    finally:
        os.close(descriptor)
