"""The log of pins: what each commit did to one, by its state before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelspec.delta.pins import Back, PinChange, changes_between
from modelspec.delta.tenure import held
from modelspec.spec.history import Commit, Revision
from modelspec.spec.pinned import Declared, read_pin
from modelspec.tree.snapshot import Blob


@dataclass(frozen=True, slots=True)
class Event:
    """One commit that changed one pin. `now` is None where the pin went, or can't be read."""

    commit: Commit
    environment: str
    model: str
    changes: tuple[PinChange, ...]
    """Empty when nothing changed but layout and comments, or when it can't be told."""
    now: Declared | None
    untold: str = ""
    """Why the change can't be told: a file that could not be read."""


class Undecided(Exception):
    """Whether a change goes back, or deploys a model first, is a question to the whole history of the pin."""


def events_of(revisions: Sequence[Revision], environment: str, model: str) -> Iterator[Event]:
    """Yield what happened to one pin, oldest first; `revisions` are all of its file."""
    first: dict[tuple[str, str], int] = {}

    def back(slot: str, old: str, new: str) -> bool:
        mine, theirs = first.get((slot, new)), first.get((slot, old))
        return mine is not None and (theirs is None or mine < theirs)

    was, was_there, last = None, False, None
    for index, revision in enumerate(revisions):
        now = _read(revision.blob, environment, model)
        yield _event(revision.commit, environment, model, (was, was_there), (now, revision.blob), back, last)
        was, was_there, last = now, revision.blob is not None, now or last
        for slot, ref in held(now).items():
            first.setdefault((slot, ref), index)


def event_between(commit: Commit, environment: str, model: str, was: Blob | None, now: Blob | None) -> Event:
    """Return what one commit did to a pin; raises Undecided when that takes the pin's whole history."""

    def back(slot: str, old: str, new: str) -> bool:
        raise Undecided

    if was is None and now is not None:
        raise Undecided
    before = (_read(was, environment, model), was is not None)
    return _event(commit, environment, model, before, (_read(now, environment, model), now), back)


def _read(blob: Blob | None, environment: str, model: str) -> Declared | None:
    return None if blob is None else read_pin(blob, environment, model)


def _event(
    commit: Commit,
    environment: str,
    model: str,
    before: tuple[Declared | None, bool],
    after: tuple[Declared | None, Blob | None],
    back: Back,
    last: Declared | None = None,
) -> Event:
    (was, was_there), (now, blob) = before, after
    if blob is not None and now is None:
        return Event(commit, environment, model, (), None, "the file can't be read")
    if was_there and was is None:
        return Event(commit, environment, model, (), now, "the file before it can't be read")
    return Event(commit, environment, model, changes_between(was, now, back, last), now)
