"""`log`: what happened to pins, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from modelspec.delta.events import Event, Undecided, event_between, events_of
from modelspec.spec.history import Revision, Touch
from modelspec.spec.kinds import PIN, classify
from modelspec.tree.snapshot import Snapshot

ENVIRONMENTS: Final = "registry/environments"


class Past(Protocol):
    """A first-parent history, as the log asks it."""

    def newest(self, path: str, *, whole: bool = False) -> Iterator[Touch]:
        """Yield what commits did to a file, or below a folder: the newest first; all of it with `whole`."""
        ...

    def of_all(self, paths: Sequence[str]) -> Mapping[str, Sequence[Revision]]:
        """Return what each of some files became in every commit that changed it, the oldest first."""
        ...

    def warm(self, revisions: Iterable[Revision]) -> None:
        """Read the files of these revisions at once, ahead of whoever asks for them one by one."""
        ...

    def order(self, commit: str) -> int:
        """Return where a commit stands in the history, counted from the oldest."""
        ...

    def snapshot(self, commit: str) -> Snapshot:
        """Return the tree at a commit."""
        ...

    @property
    def tip(self) -> str:
        """The commit that the history ends at."""
        ...


@dataclass(frozen=True, slots=True)
class Logged:
    """Events, the newest first; `more` says that older ones were left out."""

    events: tuple[Event, ...]
    more: bool


def log(past: Past, environment: str | None, model: str | None, limit: int) -> Logged:
    """Return the newest `limit` changes of the pins of an environment, of a model, or all (0: no limit).

    For a model alone the environments are those that the tip has; one that is gone is asked by its name.
    """
    if model is None:
        folder = ENVIRONMENTS if environment is None else f"{ENVIRONMENTS}/{environment}/models"
        found = _of_folder(past, folder, limit)
    else:
        found = _of_model(past, environment, model)
    newest = sorted(found, key=lambda event: (-past.order(event.commit.id), event.environment, event.model))
    # One more than was asked for was looked up, to know whether there is any.
    return Logged(tuple(newest[:limit] if limit else newest), bool(limit) and len(newest) > limit)


def _of_model(past: Past, environment: str | None, model: str) -> list[Event]:
    places = [environment] if environment is not None else environments(past)
    names = {PIN.locate(place, model): place for place in places}
    found = past.of_all(list(names))
    return [event for path, revisions in found.items() for event in events_of(revisions, names[path], model)]


def environments(past: Past) -> list[str]:
    """Return the names of the environments at the tip."""
    return [name for name, is_folder in past.snapshot(past.tip).ls(ENVIRONMENTS) if is_folder]


def _of_folder(past: Past, folder: str, limit: int) -> list[Event]:
    touches: list[tuple[Touch, str, str]] = []
    for touch in past.newest(folder, whole=not limit):
        found = classify(touch.path)
        if found is not None and found[0] is PIN:
            touches.append((touch, *found[1]))  # type: ignore[arg-type]  # a pin has two names
            if limit and len(touches) > limit:
                break
    if not limit:
        return _whole(past, touches)
    done: list[Event] = []
    wanted: dict[str, set[str]] = {}
    for touch, environment, model in touches:
        try:
            done.append(event_between(touch.commit, environment, model, touch.was, touch.now))
        except Undecided:
            wanted.setdefault(touch.path, set()).add(touch.commit.id)
    names = {touch.path: (environment, model) for touch, environment, model in touches}
    whole = past.of_all(list(wanted))
    for path, revisions in whole.items():
        done += _kept(events_of(revisions, *names[path]), {path: wanted[path]})
    return done


def _whole(past: Past, touches: list[tuple[Touch, str, str]]) -> list[Event]:
    """Return the events of touches that are all of history, in any order."""
    pins: dict[tuple[str, str], list[Revision]] = {}
    for touch, environment, model in touches:
        pins.setdefault((environment, model), []).append(Revision(touch.commit, touch.now))
    past.warm(revision for revisions in pins.values() for revision in revisions)
    return [event for name, revisions in pins.items() for event in events_of(revisions[::-1], *name)]


def _kept(events: Iterator[Event] | list[Event], wanted: Mapping[str, set[str]]) -> list[Event]:
    return [
        event
        for event in events
        if event.commit.id in wanted.get(PIN.locate(event.environment, event.model), ())
    ]
