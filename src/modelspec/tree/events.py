"""The events of libyaml, which the reader and the locator walk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from modelspec.tree.finding import Refusal
from modelspec.tree.place import Mark

Event: TypeAlias = Any
"""An event of libyaml: its classes share no useful base, and PyYAML's C parser is not typed."""

START: Final = Mark(1, 1, 2)
"""Where a file begins."""


def events(source: bytes) -> Callable[[], Event]:
    """Return a function that gives the next event of a text each time, and None after the last."""
    try:
        from yaml._yaml import CParser
    except ImportError as error:
        raise Refusal(
            "PyYAML is installed without libyaml", "install its wheel: pip install --force-reinstall pyyaml"
        ) from error
    following: Callable[[], Event] = CParser(source).get_event
    return following


def span(event: Event) -> Mark:
    """Return the part of its first line that an event covers."""
    start, end = event.start_mark, event.end_mark
    line, column = start.line + 1, start.column + 1
    last = end.column + 1 if end.line == start.line and end.column > start.column else column + 1
    return Mark(line, column, last)
