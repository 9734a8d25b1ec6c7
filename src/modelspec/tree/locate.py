"""Finds where the nodes of a document stand, by a second walk: positions are kept by nobody.

One walk finds all of them, and the last few files are remembered: a file may have thousands of findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from modelspec.tree.clean import text_faults
from modelspec.tree.events import START, Event, events, span
from modelspec.tree.place import Mark, Route

_DEEPEST: Final = 40
"""No document that is read is deeper; what is deeper gets the place of its ancestor."""
_MOST: Final = 210_000
"""No document that is read has more nodes."""
_REMEMBERED: Final = 8
"""How many files are remembered."""

Marks = dict[Route, tuple[Mark, Mark]]
"""Route -> where the node stands, and where its key does (the node itself where it has none)."""


@dataclass(slots=True)
class _Open:
    """A collection that is being read: its route, the index of its next item or the key that waits."""

    route: Route
    index: int | None
    key: str | None = None
    key_mark: Mark = START


def locate(source: bytes, route: Route, *, key: bool = False) -> Mark:
    """Return where the node at `route` stands (or its key); the nearest ancestor when it is not there.

    A map or a list inside a map is marked at its key: that is the line people look for. A text that does
    not parse gives the best place before the trouble.
    """
    marks = _marks(source)
    found = marks.get(route)
    if found is not None:
        return found[key]
    for length in range(len(route) - 1, -1, -1):
        found = marks.get(route[:length])
        if found is not None:
            return found[0]
    return START


@lru_cache(maxsize=_REMEMBERED)
def _marks(source: bytes) -> Marks:
    """Return the places of all nodes; of a key that stands twice the first one's."""
    marks: Marks = {}
    if text_faults(source):
        return marks
    following = events(source)
    inside: list[_Open] = []
    try:
        while len(marks) < _MOST:
            event: Event = following()
            if event is None or isinstance(event, DocumentEndEvent):
                break
            if isinstance(event, MappingEndEvent | SequenceEndEvent):
                inside.pop()
                continue
            opens = isinstance(event, MappingStartEvent | SequenceStartEvent)
            if not opens and not isinstance(event, ScalarEvent | AliasEvent):
                continue
            route = _enter(marks, inside, event, opens)
            if opens and route is not None:
                inside.append(_Open(route, 0 if isinstance(event, SequenceStartEvent) else None))
    except yaml.YAMLError:
        pass
    return marks


def _enter(marks: Marks, inside: list[_Open], event: Event, opens: bool) -> Route | None:
    """Note where an event's node stands; return its route, or None for a key."""
    here = span(event)
    if not inside:
        marks.setdefault((), (here, here))
        return ()
    into = inside[-1]
    if into.index is None and into.key is None and isinstance(event, ScalarEvent):
        into.key, into.key_mark = event.value, here
        return None
    if into.index is None:
        route: Route = (*into.route, into.key or "")
        node = (into.key_mark if opens else here, into.key_mark)
        into.key = None
    else:
        route, node = (*into.route, into.index), (here, here)
        into.index += 1
    if len(route) > _DEEPEST:
        # What is too deep shares the route of its ancestor, which is noted already.
        return route[:_DEEPEST]
    marks.setdefault(route, node)
    return route
