"""The strict YAML reader: an iterative walk over libyaml's events that refuses what it can't vouch for.

Iterative, so that depth is refused before any stack grows; on events, so that duplicates, limits,
anchors and tags are judged before anything is built from them. Positions are not kept: `locate` walks
again when a finding needs one.
"""

from __future__ import annotations

from typing import Final, TypeAlias

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

from modelspec.tree.clean import BULK, UNSEEN, text_faults
from modelspec.tree.data import Data
from modelspec.tree.events import START, Event, events, span
from modelspec.tree.finding import Fault, FaultName
from modelspec.tree.scalars import Ambiguous, plain
from modelspec.tree.syntax import syntax_fault
from modelspec.tree.text import visible
from modelspec.tree.usual import usual

MAX_DEPTH: Final = 32
MAX_NODES: Final = 200_000
"""What the longest file needs: a schema of 5,000 fields with all of it declared, which nearly fills 1 MiB."""
MAX_SCALAR: Final = 64 * 1024
MAX_FAULTS: Final = 50
"""More faults than this in one file help nobody."""

_MISSING: Final = object()
Collection: TypeAlias = list[Data] | dict[str, Data]
Read: TypeAlias = "tuple[Data, list[Fault]]"


def read(source: bytes) -> Read:
    """Return the data of one strict YAML document and the faults found; data is None when there are any."""
    quick = usual(source)
    if quick is not None:
        return quick, []
    faults = text_faults(source)
    if faults:
        return None, faults
    walk = _Walk(source)
    data: Data = None
    try:
        data = walk.run()
    except _Stop:
        pass
    except yaml.YAMLError as error:
        walk.faults.append(syntax_fault(error, source, MAX_DEPTH))
    return (None, walk.faults) if walk.faults else (data, [])


class _Stop(Exception):
    """A limit was reached: what follows is not looked at."""


class _Walk:
    """One pass over the events of one document."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.faults: list[Fault] = []

    def run(self) -> Data:
        following = events(self.source)
        escapes = b"\\" in self.source
        root: object = _MISSING
        documents = nodes = 0
        # The collection that is being filled, its key that waits for a value, and those around it.
        into: Collection | None = None
        key: object = _MISSING
        outer: list[tuple[Collection | None, object]] = []
        node: Data
        opened: Collection | None
        while True:
            event = following()
            kind = type(event)
            if kind is ScalarEvent:
                text: str = event.value
                if event.anchor is not None or event.tag is not None or len(text) > MAX_SCALAR:
                    self._judge(event)
                if not event.style:
                    value = plain(text)
                    if isinstance(value, Ambiguous):
                        node = self._ambiguous(event, value, type(into) is dict and key is _MISSING)
                    else:
                        node = value
                else:
                    node = text
                    if escapes and event.style == '"' and UNSEEN.search(text):
                        self._hidden(event)
                opened = None
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                into, key = outer.pop()
                continue
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if event.anchor is not None or event.tag is not None:
                    self._judge(event)
                if len(outer) >= MAX_DEPTH:
                    self._fault(event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
                    raise _Stop
                node = opened = {} if kind is MappingStartEvent else []
            elif kind is DocumentStartEvent:
                documents += 1
                self._document(event, documents)
                continue
            elif kind is AliasEvent:
                message = f"the alias *{visible(event.anchor)} is not allowed"
                self._fault(event, message, "write the value out")
                node = opened = None
            elif kind is StreamEndEvent or event is None:
                break
            else:
                continue
            nodes += 1
            if nodes > MAX_NODES:
                self._fault(event, f"more than {MAX_NODES:,} values in one file", BULK)
                raise _Stop
            # Put the node where it belongs.
            if type(into) is dict:
                if key is _MISSING:
                    key = self._key(event, node, into, nodes)
                elif type(key) is str:
                    into[key] = node
                    key = _MISSING
            elif type(into) is list:
                into.append(node)
            else:
                root = node
            if opened is not None:
                outer.append((into, key))
                into, key = opened, _MISSING
        if root is _MISSING:
            self.faults.append(Fault("yaml-subset", "the file is empty", None, START))
            return None
        return root  # type: ignore[return-value]  # a node was put there

    def _fault(
        self, event: Event, message: str, fix: str | None = None, rule: FaultName = "yaml-subset"
    ) -> None:
        self.faults.append(Fault(rule, message, fix, span(event)))
        if len(self.faults) >= MAX_FAULTS:
            raise _Stop

    def _document(self, event: Event, number: int) -> None:
        if event.version is not None or event.tags:
            self._fault(event, "a directive (%YAML, %TAG) is not allowed", "remove it")
        if number > 1:
            self._fault(event, "a second document starts here", "one file holds one document")
            raise _Stop

    def _ambiguous(self, event: Event, found: Ambiguous, is_key: bool) -> str:
        text: str = event.value
        # A key is text, so quoting is all that helps it.
        fix = f'quote it ("{text}")' if is_key and text != "<<" else found.fix
        self._fault(event, f"a plain {visible(text)} {found.why}", visible(fix, limit=200), "scalar-plain")
        return text

    def _hidden(self, event: Event) -> None:
        message = f"an escape hides a control or invisible character: {visible(event.value)}"
        self._fault(event, message, "remove it", "text-clean")

    def _key(self, event: Event, node: Data, into: dict[str, Data], number: int) -> str:
        """Judge a key; a bad one gets a stand-in, so that the walk goes on."""
        if type(node) is str:
            if node in into:
                self._fault(event, f"the key {visible(node)} stands here twice", "keep one of the two")
            return node
        if type(event) is ScalarEvent:
            shown = visible(event.value)
            fix = f'quote it ("{shown}")' if shown else "write a key"
            self._fault(event, f"the key {shown or '(empty)'} is not text", fix, "scalar-plain")
        elif type(event) is not AliasEvent:
            self._fault(event, "a list or a map can't be a key", "use a text")
        return f"\0{number}"

    def _judge(self, event: Event) -> None:
        if event.anchor is not None:
            message = f"the anchor &{visible(event.anchor)} is not allowed"
            self._fault(event, message, "write the value out where it is used")
        if event.tag is not None:
            self._fault(event, f"the tag {visible(event.tag)} is not allowed", "remove it")
        if type(event) is ScalarEvent and len(event.value) > MAX_SCALAR:
            message = f"a text of {len(event.value):,} characters; the limit is {MAX_SCALAR:,}"
            self._fault(event, message, "shorten it")
