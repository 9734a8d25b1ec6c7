"""Finds where a node of a document stands, by a second walk: positions are kept by nobody."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(slots=True)
class _Open:
    """A collection that is being read: the index of its next item, or the key that waits for its value."""

    index: int | None
    key: str | None = None
    key_mark: Mark = START


def locate(source: bytes, route: Route, *, key: bool = False) -> Mark:
    """Return where the node at `route` stands (or its key); the nearest ancestor when it is not there.

    A map or a list inside a map is marked at its key: that is the line people look for. A text that does
    not parse gives the best place before the trouble.
    """
    best = START
    if text_faults(source):
        return best
    following = events(source)
    inside: list[_Open] = []
    # How many collections of `inside` lie on the route; the node that is looked for is in the last of them.
    matched = 0
    try:
        while True:
            event: Event = following()
            if event is None or isinstance(event, DocumentEndEvent):
                return best
            if isinstance(event, MappingEndEvent | SequenceEndEvent):
                inside.pop()
                if len(inside) == matched:
                    return best
                continue
            opens = isinstance(event, MappingStartEvent | SequenceStartEvent)
            if not opens and not isinstance(event, ScalarEvent | AliasEvent):
                continue
            here = span(event)
            if not inside:
                best = here
                if not route or not opens:
                    return best
            else:
                into = inside[-1]
                if into.index is None and into.key is None and isinstance(event, ScalarEvent):
                    into.key, into.key_mark = event.value, here
                    continue
                if len(inside) == matched + 1 and _is(into, route[matched]):
                    matched += 1
                    last = matched == len(route)
                    best = into.key_mark if into.index is None and (opens or (key and last)) else here
                    if last or not opens:
                        return best
                if into.index is None:
                    into.key = None
                else:
                    into.index += 1
            if opens:
                inside.append(_Open(0 if isinstance(event, SequenceStartEvent) else None))
    except yaml.YAMLError:
        return best


def _is(into: _Open, part: str | int) -> bool:
    if into.index is None:
        return isinstance(part, str) and into.key == part
    return isinstance(part, int) and into.index == part
