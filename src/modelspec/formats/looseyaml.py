"""YAML that others wrote: its structure, with every scalar as the text that stands there.

A walk over libyaml's events, since its own loaders fall to deep nesting and to aliases of aliases. An
alias gives the node that its anchor names, and nothing is copied; but who goes through the data meets that
node again with each alias, so it counts each time, in how many values there are and in how deep they lie.
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
    extents: dict[int, tuple[int, int]] = {}
    """How many values a finished map or list with an anchor holds, and how many levels, by its identity."""
    unfinished: set[int] = set()
    outer: list[tuple[Any, Any, int, int]] = []
    """What is around: the node and its key, how many values there were before, how deep it was by then."""
    into: Any = _NONE
    key: Any = _NONE
    root: Any = _NONE
    node: Any
    nodes = documents = levels = 0
    while (event := following()) is not None:
        kind = type(event)
        if kind in (MappingEndEvent, SequenceEndEvent):
            unfinished.discard(id(into))
            node, (into, key, before, levels_before) = into, outer.pop()
            extents[id(node)] = (nodes - before, levels + 1)
            levels = max(levels_before, levels + 1)
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
        _bounded(nodes, len(outer))
        if kind is AliasEvent:
            node = anchors.get(event.anchor, _NONE)
            if node is _NONE or id(node) in unfinished:
                raise Unreadable(f"the alias *{visible(event.anchor)} stands inside of what it names")
            more, deeper = extents.get(id(node), (0, 0))
            nodes, levels = nodes + more, max(levels, deeper)
            _bounded(nodes, len(outer) + deeper)
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
            _bounded(nodes, len(outer) + 1)
            outer.append((into, key, nodes, levels))
            unfinished.add(id(node))
            into, key, levels = node, _NONE, 0
    if root is _NONE:
        raise Unreadable("the file is empty")
    found: Node = root
    return found


def _bounded(nodes: int, depth: int) -> None:
    if nodes > MAX_NODES:
        raise Unreadable(f"it has more than {MAX_NODES:,} values")
    if depth > MAX_DEPTH:
        raise Unreadable(f"it is nested deeper than {MAX_DEPTH} levels")
