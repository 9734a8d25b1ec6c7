"""Judges bytes as text, before any parser sees them."""

from __future__ import annotations

import re
from typing import Final

from modelspec.tree.finding import Fault
from modelspec.tree.place import Mark
from modelspec.tree.snapshot import LIMIT
from modelspec.tree.text import INVISIBLE, visible

UNSEEN: Final = re.compile(f"[{INVISIBLE}]")
"""A character that no text of a registry may have, raw or escaped."""
BULK: Final = (
    "keep bulk out of it; a feature view of so many fields is published as several views, an artifact of so "
    "many files is packed into fewer"
)
"""The way out of a file that is too long: no kind of file can be split into two of its kind."""
_UNSEEN_ASCII: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_RULE: Final = "text-clean"


def text_faults(source: bytes) -> list[Fault]:
    """Judge size, UTF-8, and the absence of byte order marks, controls and invisible characters.

    Tab and line feed are the two controls that a text may have. At most one fault: the first.
    """
    if len(source) > LIMIT:
        message = f"the file has {len(source):,} bytes; the limit is {LIMIT:,}"
        return [Fault(_RULE, message, BULK, Mark(1, 1, 2))]
    # Nearly every file is ASCII, and that is the quick way to know.
    if source.isascii() and _UNSEEN_ASCII.search(source) is None:
        return []
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        return [_undecodable(source, error.start)]
    unseen = UNSEEN.search(text)
    return [] if unseen is None else [_unseen(unseen.group(), _mark_after(text[: unseen.start()]))]


def _undecodable(source: bytes, start: int) -> Fault:
    fix = "save the file as UTF-8"
    if source.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return Fault(_RULE, "the file is UTF-16 or UTF-32", fix, Mark(1, 1, 2))
    mark = _mark_after(source[:start].decode("utf-8", "replace"))
    return Fault(_RULE, f"byte 0x{source[start]:02x} is not UTF-8", fix, mark)


def _unseen(char: str, mark: Mark) -> Fault:
    if char == "\r":
        fix = "save with LF line ends (`* text eol=lf` in .gitattributes)"
        return Fault(_RULE, "a carriage return ends this line", fix, mark)
    if char == "\ufeff":
        return Fault(_RULE, "a byte order mark stands here", "save the file as UTF-8 without BOM", mark)
    if char == "\0":
        fix = "save the file as UTF-8 text"
        return Fault(_RULE, "a NUL byte stands here: this is a binary file, or UTF-16", fix, mark)
    message = f"the invisible character {visible(char)} (U+{ord(char):04X}) stands here"
    return Fault(_RULE, message, "remove it", mark)


def _mark_after(before: str) -> Mark:
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Mark(before.count("\n") + 1, column, column + 1)
