"""Collects from a store over a network: marks, waits a grace time, marks again, and looks at each time again.

Such a store has no lock that every writer knows. What stands in for it: whoever stores a tree notes the time
before its bytes and after them, and a tree whose time is young stays; it is asked right before a tree goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Dead, Store, Swept


class Dated(Store, Protocol):
    """A store that knows when each tree was stored, or stored again, last."""

    def stored(self, digest: str) -> datetime | None:
        """Return when that was, or the newest file of one without a listing; None where nothing tells."""
        ...

    def unlisted(self) -> Iterator[str]:
        """Yield the digests of trees of which there are files, but no listing; sorted."""
        ...

    def note(self, digest: str) -> None:
        """Note the time of a tree that nothing tells of, from which its grace time is counted."""
        ...

    def tidy(self, before: datetime) -> None:
        """Remove what writers that were killed left behind before then, and what nobody reads."""
        ...

    def deletes(self) -> None:
        """Raise Refusal when the server removes nothing; asked before anything is removed."""
        ...


def collect_dated(
    store: Dated,
    marks: Callable[[], frozenset[str]],
    *,
    now: datetime,
    grace: timedelta,
    delete: bool,
) -> Swept:
    """Find the trees that nothing needs and that are older than the grace time; remove them if told.

    Raises Refusal, with nothing removed, when one of them is needed by the time that all is looked at.
    """
    if delete:
        store.deletes()
        store.tidy(now - grace)
    live, kept, young = marks(), 0, 0
    dead: list[Dead] = []
    for digest in [*store.trees(), *store.unlisted()]:
        if digest in live:
            kept += 1
        elif _young(store, digest, now, grace):
            young += 1
            if delete and store.stored(digest) is None:
                store.note(digest)
        else:
            dead.append(Dead(digest, sum(store.files(digest).values())))
    if not delete or not dead:
        return Swept(store.shown, tuple(dead), kept, young)
    again = marks() & {one.digest for one in dead}
    if again:
        raise Refusal(
            f"{len(again)} of these trees were pinned while they were collected: nothing was removed",
            "run it again",
        )
    gone = []
    for one in dead:
        if _young(store, one.digest, now, grace):
            young += 1
            continue
        store.delete(one.digest)
        gone.append(one)
    return Swept(store.shown, tuple(gone), kept, young)


def _young(store: Dated, digest: str, now: datetime, grace: timedelta) -> bool:
    stored = store.stored(digest)
    return stored is None or now - stored.astimezone(UTC) < grace
