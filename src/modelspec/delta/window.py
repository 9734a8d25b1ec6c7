"""Which earlier versions must stay deployable: the window of an environment, from its history."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from modelspec.spec.base import ref_name
from modelspec.spec.environment import Pin, Window
from modelspec.spec.history import Revision
from modelspec.spec.instant import days, earlier
from modelspec.spec.kinds import PIN
from modelspec.spec.reader import Entry, Reader

Opened = Callable[[Revision], Pin | None]
"""A revision of a pin -> the pin; None where it was gone or can't be read."""


def opened(reader: Reader, environment: str, model: str) -> Opened:
    """Return what reads the revisions of one pin."""
    name, path = (environment, model), PIN.locate(environment, model)

    def pin(revision: Revision) -> Pin | None:
        if revision.blob is None:
            return None
        entry = reader.read(PIN, name, path, revision.blob)
        return entry.value if isinstance(entry, Entry) else None

    return pin


def ways_back(
    revisions: Sequence[Revision],
    pin: Opened,
    stable: str,
    limit: Window,
    now: datetime,
    without: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the versions inside a window, the current stable first, then the last that ceased to be it.

    `revisions` are those of the base, the oldest first; what the last one says ceases now, unless it is
    `stable` still. Those that ceased more than `limit.days` ago are out, `limit.versions` is how many there
    are in all, and `without` names versions that do not count (the withdrawn ones). Only as many revisions
    are read as the window holds.
    """
    found = [stable]
    ceased = now
    earliest = earlier(now, days(limit.days))
    for revision in reversed(revisions):
        if len(found) >= limit.versions or ceased < earliest:
            break
        was = pin(revision)
        if was is not None:
            ref = was.stable.version
            if ref not in found and ref_name(ref) not in without:
                found.append(ref)
        ceased = revision.commit.time
    return tuple(found)


def stricter(base: Window | None, head: Window | None) -> Window | None:
    """Return the window that a change is judged by: the base's, and the head's where it is wider."""
    if base is None or head is None:
        return head if base is None else base
    return Window(versions=max(base.versions, head.versions), days=max(base.days, head.days))


Served = tuple[str, datetime, datetime | None]
"""A version, when it first was stable, and when it last ceased to be (None: it still is)."""


def served_ever(revisions: Sequence[Revision], pin: Opened) -> tuple[Served, ...]:
    """Return each version that was ever stable, the last one first."""
    found: dict[str, tuple[datetime, datetime | None]] = {}
    ceased: datetime | None = None
    for revision in reversed(revisions):
        was = pin(revision)
        if was is not None:
            _, last = found.get(was.stable.version, (None, ceased))
            found[was.stable.version] = (revision.commit.time, last)
        ceased = revision.commit.time
    return tuple((ref, first, last) for ref, (first, last) in found.items())
