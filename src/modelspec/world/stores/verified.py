"""What a store gives back is compared with its digest: while streaming, and for a whole tree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Protocol

from modelspec.tree.digest import sha256, short
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import read_listing
from modelspec.tree.protocols import Chunk, Progress, Store
from modelspec.tree.text import visible
from modelspec.world.parallel import each, go_on
from modelspec.world.shares import each_of
from modelspec.world.stores.names import REPAIR


class Look(Protocol):
    """Sees the files of a tree while it is read; only what it saw of those that hold is kept."""

    def at(self, path: str, whole: Chunk | None) -> object:
        """Look at a file, in any thread or process; return what is to be known of it here.

        `whole`: its bytes, where they are in memory all at once, and until this returns.
        """

    def keep(self, path: str, seen: object) -> None:
        """Keep what was seen."""


def verified(store: Store, tree: str, path: str, digest: str) -> Iterator[Chunk]:
    """Yield the bytes of a file; raises Refusal at their end when they are not what the digest says."""
    hashed = hashlib.sha256()
    for chunk in store.open(tree, path):
        go_on()
        hashed.update(chunk)
        yield chunk
    compare(store, tree, path, digest, "sha256:" + hashed.hexdigest())


def compare(store: Store, tree: str, path: str, digest: str, found: str) -> None:
    """Raise Refusal when the bytes that came of a file are not what its digest says."""
    if found != digest:
        raise Refusal(
            f"{visible(path, 200)} of {short(tree)} in {store.shown} does not have its digest: "
            f"{short(found)}, not {short(digest)}",
            f"the bytes were changed: {REPAIR}",
        )


def rows_of(store: Store, tree: str) -> tuple[tuple[str, str], ...] | None:
    """Return (path, digest) of the files of a tree from its listing, None when there is no such tree.

    Raises Refusal when the listing is not the one that the digest is of, or names paths that no tree has.
    """
    listed = store.listing(tree)
    if listed is None:
        return None
    if sha256(listed) != tree:
        raise Refusal(
            f"the listing of {short(tree)} in {store.shown} has the digest {short(sha256(listed))}",
            f"it was changed: {REPAIR}",
        )
    rows = read_listing(listed)
    if isinstance(rows, str):
        raise Refusal(f"{short(tree)} in {store.shown} is refused: {rows}", REPAIR)
    return rows


def troubles(
    store: Store,
    tree: str,
    listed: bytes | None = None,
    progress: Progress = lambda _: None,
    look: Look | None = None,
    forks: bool = False,
) -> list[str]:
    """Read a whole tree and say all that is wrong with it; empty when its bytes are those of its digest.

    `listed` stands for the tree's own listing where that may not be there yet. `look` sees each file while
    its bytes are near; what it saw of one that does not hold is dropped. `forks`: forks may read it, which
    is wrong for a store behind a connection that they would share.
    """
    try:
        if listed is None:
            rows = rows_of(store, tree)
        else:
            known = read_listing(listed)
            rows = None if isinstance(known, str) else known
        present = store.files(tree)
    except Refusal as refusal:
        return [refusal.message]
    if rows is None:
        return [f"{short(tree)} is not in {store.shown}"]
    declared = dict(rows)
    found = [f"{visible(path, 200)} is not in the listing" for path in present if path not in declared]
    found += [f"{visible(path, 200)} is missing" for path in declared if path not in present]
    there = [(path, digest, present[path]) for path, digest in rows if path in present]
    read_one = partial(_read, store, tree, look)
    read = each_of(read_one, there, progress) if forks else each(lambda row: read_one(row, progress), there)
    for (path, _, _), (trouble, seen) in zip(there, read, strict=True):
        if trouble is not None:
            found.append(trouble)
        elif look is not None:
            look.keep(path, seen)
    return found


def _read(
    store: Store, tree: str, look: Look | None, row: tuple[str, str, int], progress: Progress
) -> tuple[str | None, object]:
    """Return what is wrong with a file, None for nothing; and what was seen of it."""
    (path, digest, size), seen = row, None
    try:
        for number, chunk in enumerate(verified(store, tree, path, digest)):
            progress(len(chunk))
            # Not a later one: behind a pointer there are other bytes than the size is of.
            if look is not None and number == 0 and len(chunk) == size:
                seen = look.at(path, chunk)
    except Refusal as refusal:
        return refusal.message, None
    return None, look.at(path, None) if look is not None and seen is None else seen
