"""Templates with holes: the text that a template writes is read as strict YAML, then its holes are filled
in the data. So no value can become structure, and each hole knows where it went."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from modelspec.compile.language import MARK
from modelspec.compile.template import BOUNDED, Filling, Run, Stop, Template, compiled
from modelspec.tree.data import Data, spelled
from modelspec.tree.finding import Fault
from modelspec.tree.place import Route
from modelspec.tree.protocols import Hole, Rendered, RenderFault
from modelspec.tree.snapshot import LIMIT
from modelspec.tree.text import visible
from modelspec.tree.yaml import MAX_NODES, read

WHOLE: Final = "hole-whole"
READABLE: Final = "target-readable"
_KEPT: Final = 512
"""How many templates, and how many texts, are remembered."""
_SHORT: Final = 64 * 1024
"""Longer texts are not remembered."""


class HoleRenderer:
    """Renders in this process: templates that are trusted, or all of them inside the child with limits."""

    def __init__(self) -> None:
        self._templates: dict[str, Template | tuple[RenderFault, ...]] = {}
        self._texts: dict[str, _Structure | Fault | RenderFault] = {}

    def template(self, source: str) -> Template | tuple[RenderFault, ...]:
        """Return the template of a source, parsed once."""
        known = self._templates.get(source)
        if known is None:
            if len(self._templates) >= _KEPT:
                self._templates.clear()
            known = self._templates[source] = compiled(source)
        return known

    def render(self, source: str, context: Mapping[str, Data]) -> Rendered | RenderFault:
        """Return the data that the template describes over a context, or why there is none."""
        template = self.template(source)
        if isinstance(template, tuple):
            return template[0]
        run = template.run(context)
        if isinstance(run, RenderFault):
            return run
        text = run.text()
        # Placeholders are numbered, so pins with the same shape write the same text: it is read once.
        structure = self._texts.get(text)
        if structure is None:
            structure = _structure(text, run)
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            if len(text) <= _SHORT:
                self._texts[text] = structure
        if isinstance(structure, RenderFault):
            return structure
        if isinstance(structure, Fault):
            line = run.line_of(structure.mark.line) if structure.mark else None
            message = f"what the template writes is no strict YAML: {structure.message}"
            return RenderFault(READABLE, message, line, structure.fix)
        try:
            return _Filler(structure.quoted, run).fill(structure.data)
        except Stop as stop:
            return stop.fault


@dataclass(frozen=True, slots=True)
class _Structure:
    """What a text holds: data with placeholders, and the placeholders that stand in quotes."""

    data: Data
    quoted: frozenset[str]


def _structure(text: str, run: Run) -> _Structure | Fault | RenderFault:
    data, faults = read(text.encode("utf-8", "surrogatepass"))
    if faults:
        return faults[0]
    marks = {f"{run.mark}{index}-": filling for index, filling in enumerate(run.fillings)}
    misplaced = _misplaced(data, marks)
    if misplaced is not None:
        return misplaced
    return _Structure(data, frozenset(re.findall(rf"[\"']({re.escape(run.mark)}[0-9]+-)[\"']", text)))


def _misplaced(data: Data, marks: Mapping[str, Filling]) -> RenderFault | None:
    """Say which hole is not one whole scalar of the data, once; None when all are."""
    left = dict(marks)
    inside: list[str] = []
    stack: list[Data] = [data]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack += node.values()
            stack += node.keys()
        elif isinstance(node, list):
            stack += node
        elif isinstance(node, str) and MARK in node and left.pop(node, None) is None:
            inside.append(node)
    if inside:
        # The first of the template's own lines that is concerned.
        torn = [left[mark].line for mark in left if any(mark in text for text in inside)]
        return RenderFault(
            WHOLE,
            "a hole is a whole scalar, this one is part of a text",
            min(torn, default=None),
            "ask for a value that is already whole: write {{ x.uri }}, not s3://{{ x }}",
        )
    if left:
        line = min(filling.line for filling in left.values())
        return RenderFault(WHOLE, "this hole is in a comment, so its value goes nowhere", line, "remove it")
    return None


@dataclass(slots=True)
class _Filler:
    quoted: frozenset[str]
    run: Run
    holes: list[Hole] = field(default_factory=list)
    nodes: int = 0
    characters: int = 0

    def fill(self, data: Data) -> Rendered:
        filled = self._node(data, ())
        return Rendered(filled, tuple(self.holes))

    def _node(self, node: Data, route: Route) -> Data:
        if isinstance(node, str):
            return self._value(node, route) if node.startswith(MARK) else node
        if isinstance(node, dict):
            filled: dict[str, Data] = {}
            for key, value in node.items():
                if key.startswith(MARK):
                    key = self._key(key, route, node, filled)
                filled[key] = self._node(value, (*route, key))
            return filled
        if isinstance(node, list):
            return [self._node(item, (*route, index)) for index, item in enumerate(node)]
        return node

    def _filling(self, mark: str) -> Filling:
        return self.run.fillings[int(mark[len(self.run.mark) : -1])]

    def _value(self, mark: str, route: Route) -> Data:
        filling = self._filling(mark)
        value = filling.value
        if mark in self.quoted and not isinstance(value, str):
            if isinstance(value, list | dict):
                fix = "remove the quotes"
                raise Stop(RenderFault(WHOLE, "a list or a map is no text", filling.line, fix))
            value = spelled(value)
        if isinstance(value, list | dict):
            self._weigh(value, filling.line)
        self.holes.append(Hole(route, filling.source, filling.line))
        return value

    def _key(self, mark: str, route: Route, node: dict[str, Data], filled: dict[str, Data]) -> str:
        filling = self._filling(mark)
        key = filling.value
        if not isinstance(key, str):
            fix = "quote the hole" if not isinstance(key, list | dict) else None
            if mark not in self.quoted or isinstance(key, list | dict):
                raise Stop(RenderFault(WHOLE, "a key is text, this value is not", filling.line, fix))
            key = spelled(key)
        if key in node or key in filled:
            raise Stop(RenderFault(WHOLE, f"the key {visible(key)} stands here twice", filling.line))
        self.holes.append(Hole((*route, key), filling.source, filling.line, key=True))
        return key

    def _weigh(self, value: Data, line: int) -> None:
        """Count what a list or a map brings along; stop when it is more than an output may hold."""
        stack = [value]
        while stack:
            node = stack.pop()
            self.nodes += 1
            if isinstance(node, dict):
                stack += node.values()
                self.characters += sum(map(len, node))
            elif isinstance(node, list):
                stack += node
            elif isinstance(node, str):
                self.characters += len(node)
            if self.nodes > MAX_NODES or self.characters > LIMIT:
                message = f"fills in more than {MAX_NODES:,} values or {LIMIT:,} characters"
                raise Stop(RenderFault(BOUNDED, message, line, "write less into one file"))
