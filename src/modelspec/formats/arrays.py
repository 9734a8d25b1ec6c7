"""Whether an array of numpy holds Python objects, which are pickled: its header is read as numpy reads it."""

from __future__ import annotations

import ast
import re
from typing import Any, Final

MAGIC: Final = b"\x93NUMPY"
_PLAIN: Final = re.compile(r"[<>=|][?bBiufcSaUVmM][0-9]+(?:\[[0-9A-Za-z/]+\])?")
_KEYS: Final = {"descr", "fortran_order", "shape"}
_FAULTS: Final = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def has_objects(head: bytes) -> bool:
    """Whether the first bytes of an array say that objects are in it, or can't be read as numpy has them."""
    wide = head[6:7] != b"\x01"
    begin = 12 if wide else 10
    length = int.from_bytes(head[8:begin], "little")
    text = head[begin : begin + length]
    if len(text) < length:
        return True
    try:
        # numpy takes the header for a literal of Python too: the last of two equal keys counts, and escapes.
        header = ast.literal_eval(text.decode("utf-8" if head[6:7] == b"\x03" else "latin-1").strip())
    except _FAULTS:
        return True
    return not isinstance(header, dict) or set(header) != _KEYS or not _plain(header["descr"])


def _plain(kind: Any) -> bool:
    """Whether a kind of element is numbers, texts or times, or fields that are."""
    if isinstance(kind, str):
        return _PLAIN.fullmatch(kind) is not None
    if isinstance(kind, list):
        return all(isinstance(field, tuple) and len(field) in (2, 3) and _plain(field[1]) for field in kind)
    return isinstance(kind, tuple) and len(kind) == 2 and _plain(kind[0])
