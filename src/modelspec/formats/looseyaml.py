"""YAML that others wrote: its structure, with every scalar as the text that stands there.

A walk over libyaml's events, since its own loaders fall to deep nesting and to aliases of aliases. An
alias gives the node that its anchor names, once: nothing is copied.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from modelspec.formats.foreign import Unreadable
from modelspec.formats.strictjson import LIMIT
from modelspec.tree.events import events
from modelspec.tree.text import visible


class Quoted(str):
    """A scalar that stands in quotes: a text, whatever it looks like."""

    __slots__ = ()


Node: TypeAlias = "str | list[Node] | dict[str, Node]"
MAX_DEPTH: Final = 64
MAX_NODES: Final = 200_000
_NONE: Final = object()


def read_yaml(source: bytes) -> Node:
    """Return the first document of a YAML text; raises Unreadable. A null is "", as nothing stands there."""
    if len(source) > LIMIT:
        raise Unreadable(f"it has more than {LIMIT:,} bytes, which no schema needs", "import a smaller file")
    try:
        return _walk(source)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        told = getattr(error, "problem", None) or str(error)
        raise Unreadable(f"{where}this is not YAML: {visible(told, 120)}") from None


def _walk(source: bytes) -> Node:
    following = events(source)
    anchors: dict[str, Any] = {}
    unfinished: set[int] = set()
    outer: list[tuple[Any, Any]] = []
    into: Any = _NONE
    key: Any = _NONE
    root: Any = _NONE
    nodes = documents = 0
    while (event := following()) is not None:
        kind = type(event)
        if kind in (MappingEndEvent, SequenceEndEvent):
            unfinished.discard(id(into))
            into, key = outer.pop()
            continue
        if kind is DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise Unreadable("it holds more than one YAML document", "import one of them")
            continue
        if kind is StreamEndEvent:
            break
        if kind not in (ScalarEvent, AliasEvent, MappingStartEvent, SequenceStartEvent):
            continue
        nodes += 1
        if nodes > MAX_NODES:
            raise Unreadable(f"it has more than {MAX_NODES:,} values")
        node: Any
        if kind is AliasEvent:
            node = anchors.get(event.anchor, _NONE)
            if node is _NONE or id(node) in unfinished:
                raise Unreadable(f"the alias *{visible(event.anchor)} stands inside of what it names")
        elif kind is ScalarEvent:
            plain = "" if event.value in ("~", "null") else event.value
            node = Quoted(event.value) if event.style else plain
        else:
            node = {} if kind is MappingStartEvent else []
        if kind is not AliasEvent and event.anchor is not None:
            anchors[event.anchor] = node
        if isinstance(into, dict) and key is _NONE:
            if not isinstance(node, str):
                raise Unreadable(f"line {event.start_mark.line + 1}: a key is no text")
            key = node
            continue
        if isinstance(into, dict):
            into[key], key = node, _NONE
        elif isinstance(into, list):
            into.append(node)
        else:
            root = node
        if kind in (MappingStartEvent, SequenceStartEvent):
            if len(outer) >= MAX_DEPTH:
                raise Unreadable(f"it is nested deeper than {MAX_DEPTH} levels")
            outer.append((into, key))
            unfinished.add(id(node))
            into, key = node, _NONE
    if root is _NONE:
        raise Unreadable("the file is empty")
    found: Node = root
    return found
