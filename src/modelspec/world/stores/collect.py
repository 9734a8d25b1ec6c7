"""Collects from a folder store: marks, moves aside, marks again, and only then deletes."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from modelspec.tree.digest import stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Dead, Swept
from modelspec.world import durable
from modelspec.world.folders import discard, opened
from modelspec.world.lock import lock
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.names import SUFFIX
from modelspec.world.stores.stage import PREFIX, refusing, sweep

_ASIDE: Final = ".collected-"


def collect(
    store: FolderStore,
    marks: Callable[[], frozenset[str]],
    *,
    now: datetime,
    grace: timedelta,
    delete: bool,
) -> Swept:
    """Find the trees that nothing needs and that are older than the grace time; remove them if told.

    What a killed run left without a listing is such a tree, too.
    The store is locked against every `put` and `register` while it is marked and swept.
    """
    with lock(store.root), opened(store.root) as top, refusing(store.shown):
        if delete:
            _restore(store, top)
        live, kept, young = marks(), 0, 0
        unneeded = []
        for digest in [*store.trees(), *store.unlisted()]:
            if digest in live:
                kept += 1
            elif now - _stored(top, digest) < grace:
                young += 1
            else:
                unneeded.append(digest)
        dead = _freed(store, unneeded)
        if delete:
            sweep(top)
        if delete and dead:
            _sweep(store, top, dead, marks)
    return Swept(store.shown, tuple(dead), kept, young)


def _sweep(store: FolderStore, top: int, dead: list[Dead], marks: Callable[[], frozenset[str]]) -> None:
    aside, unlisted = _ASIDE + secrets.token_hex(8), frozenset(store.unlisted())
    os.mkdir(aside, 0o700, dir_fd=top)
    for one in dead:
        if one.digest in unlisted:
            continue
        # The listing first: from here on the tree does not exist.
        for name in (stamp(one.digest) + SUFFIX, stamp(one.digest)):
            with suppress(FileNotFoundError):
                os.rename(name, f"{aside}/{name}", src_dir_fd=top, dst_dir_fd=top)
    durable.flush(top)
    # Somebody may have pinned one while we marked: what is needed now comes back, and nothing goes.
    try:
        again = marks() & {one.digest for one in dead}
    except BaseException:
        # It can't be told any more: what was moved would be missing until the next run.
        _restore(store, top)
        raise
    if again:
        _restore(store, top)
        raise Refusal(
            f"{len(again)} of these trees were pinned while they were collected: nothing was removed",
            "run it again",
        )
    # Another name, in one step: what a kill leaves from here on is rubbish, and no half tree comes back.
    rubbish = PREFIX + secrets.token_hex(8)
    os.rename(aside, rubbish, src_dir_fd=top, dst_dir_fd=top)
    for digest in unlisted.intersection(one.digest for one in dead):
        os.rename(stamp(digest), f"{rubbish}/{stamp(digest)}", src_dir_fd=top, dst_dir_fd=top)
    durable.flush(top)
    discard(top, rubbish)
    durable.flush(top)


def _restore(store: FolderStore, top: int) -> None:
    """Put back what a run that was stopped had moved aside: trees, then their listings."""
    with os.scandir(top) as entries:
        stopped = sorted(entry.name for entry in entries if entry.name.startswith(_ASIDE))
    for aside in stopped:
        found = (entry.name for entry in (store.root / aside).iterdir())
        names = sorted(found, key=lambda name: name.endswith(SUFFIX))
        for name in names:
            whole = name.endswith(SUFFIX) or f"{name}{SUFFIX}" in names
            if whole and not os.path.lexists(store.root / name):
                os.rename(f"{aside}/{name}", name, src_dir_fd=top, dst_dir_fd=top)
        discard(top, aside)
        durable.flush(top)


def _stored(top: int, digest: str) -> datetime:
    try:
        found = os.stat(stamp(digest) + SUFFIX, dir_fd=top, follow_symlinks=False)
    except FileNotFoundError:
        found = os.stat(stamp(digest), dir_fd=top, follow_symlinks=False)
    return datetime.fromtimestamp(found.st_mtime, UTC)


def _freed(store: FolderStore, digests: Sequence[str]) -> list[Dead]:
    """Return trees with the bytes that go when all of them do: of files that have no name but in these.

    A file that several of them share goes with the last.
    """
    names: Counter[tuple[int, int]] = Counter()
    dead = []
    for digest in digests:
        freed = 0
        for path in store.files(digest):
            found = (store.root / stamp(digest) / path).lstat()
            names[found.st_dev, found.st_ino] += 1
            freed += found.st_size if names[found.st_dev, found.st_ino] == found.st_nlink else 0
        dead.append(Dead(digest, freed))
    return dead
