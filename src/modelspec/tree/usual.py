"""The usual layout of a registry's files, read line by line: several times as fast as libyaml's events.

What is not laid out as expected (another script than ASCII, an anchor, a text over several lines, a bad
indent, anything that `yaml.read` would refuse) is left to the walk over events, which alone finds faults.
So this must never accept what the walk refuses, nor read it differently: a test compares the two.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias

from modelspec.tree.data import Data, Scalar
from modelspec.tree.scalars import Ambiguous, plain

MAX_BYTES: Final = 64 * 1024
"""Far below this size no limit on nodes can be reached."""
MAX_LINE: Final = 1000
"""libyaml knows a key only within 1024 characters of its colon."""
MAX_BLOCKS: Final = 16
MAX_FLOWS: Final = 8
"""Together below the depth that the walk allows."""

_EXPECTED: Final = bytes(range(ord(" "), 127)) + b"\n"
_KEY: Final = r"([A-Za-z_][A-Za-z0-9_.-]*)"
_CHARS: Final = r"A-Za-z0-9_./@+%<=>~()!;'?-"
_QUOTED: Final = r""""[^"\\]*"|'[^']*'"""


def _plain(chars: str) -> str:
    """Words of these characters; a colon only between two of them, where it ends no key."""
    words = rf"[{chars}]*(?::[{chars}]+)*(?:[ ]+[{chars}]+(?::[{chars}]+)*)*"
    return rf"(?:[A-Za-z0-9_/]|-(?=[0-9])){words}"


_LINES: Final = re.compile("^( *)(.+)$", re.MULTILINE)
_LINE: Final = re.compile(
    rf"""(-[ ])?                                             # starts an item of a list
         (?:{_KEY}:(?:[ ]+|$))?
         (?:([\[{{].*)|({_QUOTED})|({_plain("," + _CHARS)}))?
         (?:(?<![^ ])[#].*|[ ]+[#].*)?                       # a comment
    """,
    re.VERBOSE,
)
_FLOW: Final = re.compile(rf"(?:{_KEY}: )?(?:([\[{{])|({_QUOTED})|({_plain(_CHARS)}))([\]}}]*)(, )?")
"""A value of a list or map that stands on one line, with its key, and what ends behind it."""
_AFTER: Final = re.compile("(?:[ ]+[#].*)?")

Line: TypeAlias = tuple[bool, str | None, Data, bool]
"""Whether it starts an item, its key, its value (None: it follows), and whether it is a collection."""


def usual(source: bytes) -> dict[str, Data] | None:
    """Return the data of a document without any null, or None when it has to be walked."""
    if len(source) > MAX_BYTES or source.translate(None, _EXPECTED):
        return None
    root: dict[str, Data] = {}
    into: dict[str, Data] | list[Data] = root
    column = 0
    outer: list[tuple[int, dict[str, Data] | list[Data]]] = []
    waiting: str | None = None
    for spaces, text in _LINES.findall(source.decode("ascii")):
        line = _line(text)
        if line is None:
            if text[0] == "#":
                continue
            return None
        dash, key, value, collected = line
        indent = len(spaces)
        if indent != column or waiting is not None:
            if waiting is not None:
                if indent <= column or len(outer) >= MAX_BLOCKS:
                    return None
                inner: dict[str, Data] | list[Data] = [] if dash else {}
                into[waiting] = inner  # type: ignore[call-overload]  # only a map's key waits
                outer.append((column, into))
                column, into, waiting = indent, inner, None
            else:
                while indent < column:
                    column, into = outer.pop()
                if indent != column:
                    return None
        if dash:
            if type(into) is not list:
                return None
            if key is None:
                into.append(_copied(value) if collected else value)
                continue
            # A map begins behind the dash.
            first: dict[str, Data] = {}
            into.append(first)
            outer.append((column, into))
            column += 2
            into = first
        if type(into) is not dict or key is None or key in into:
            return None
        if value is None:
            waiting = key
        into[key] = _copied(value) if collected else value
    return root if root and waiting is None else None


@lru_cache(maxsize=8192)
def _line(text: str) -> Line | None:
    """Read a line without its indent. Remembered: the files of a registry repeat most of their lines."""
    match = _LINE.fullmatch(text) if len(text) <= MAX_LINE else None
    if match is None:
        return None
    dash, key, flow, quoted, bare = match.groups()
    value: Data = None
    try:
        if key is not None:
            _typed(key, str)
        if bare is not None:
            value = _typed(bare)
        elif flow is not None:
            value = _flow(flow)
        elif quoted is not None:
            value = quoted[1:-1]
        elif key is None:
            return None
    except _Unusual:
        return None
    return bool(dash), key, value, flow is not None


class _Unusual(Exception):
    """The walk has to judge this."""


def _typed(text: str, wanted: type[str] | None = None) -> Scalar:
    value = plain(text)
    if value is None or isinstance(value, Ambiguous) or (wanted is not None and type(value) is not wanted):
        raise _Unusual
    return value


def _flow(text: str) -> Data:
    """Read a list or a map that stands on one line, with nothing but a comment behind it."""
    root: list[Data] = []
    into: list[Data] | dict[str, Data] = root
    outer: list[list[Data] | dict[str, Data]] = []
    at = 0
    while True:
        match = _FLOW.match(text, at)
        if match is None:
            raise _Unusual
        key, opening, quoted, bare, closings, comma = match.groups()
        value: Data
        opened: list[Data] | dict[str, Data] | None = None
        if bare is not None:
            value = _typed(bare)
        elif quoted is not None:
            value = quoted[1:-1]
        else:
            value = opened = {} if opening == "{" else []
        if type(into) is dict:
            if key is None or key in into:
                raise _Unusual
            _typed(key, str)
            into[key] = value
        elif key is None:
            into.append(value)  # type: ignore[union-attr]  # not a map, so a list
        else:
            raise _Unusual
        if opened is not None:
            outer.append(into)
            into = opened
        for closing in closings:
            if closing != ("]" if type(into) is list else "}") or not outer:
                raise _Unusual
            into = outer.pop()
        at = match.end()
        if not outer:
            if comma or _AFTER.fullmatch(text, at) is None:
                raise _Unusual
            return root[0]
        # A comma follows every value but the last; what was only opened has its first value next.
        if len(outer) > MAX_FLOWS or (comma is None) != (opened is not None and not closings):
            raise _Unusual


def _copied(node: Data) -> Data:
    """Copy a remembered collection, since each document owns its own."""
    if type(node) is dict:
        return {key: _copied(value) if type(value) in _COLLECTIONS else value for key, value in node.items()}
    if type(node) is list:
        return [_copied(value) if type(value) in _COLLECTIONS else value for value in node]
    return node


_COLLECTIONS: Final = frozenset((dict, list))
