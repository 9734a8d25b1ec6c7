"""What the keys of foreign records say: ids, instants, stamps, bodies; all of it may be anything."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from modelspec.formats.records.payload import PayloadError
from modelspec.spec.instant import instant
from modelspec.tree.record import Values
from modelspec.tree.text import visible

_STAMP: Final = re.compile(r"sha256[-:]([0-9a-f]{12,64})(?![0-9a-f])")
_SHORT: Final = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{32})(?![0-9a-f])")
_MAX_ID: Final = 1024
_SPACED: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9:.]+) ?(?:UTC|Z|\+00(?::?00)?)?")


def stamp_in(text: Any) -> str | None:
    """Return the stamp in a text as `sha256-<hex>`, perhaps shortened, or None.

    With its prefix it has at least 12 digits; without, the 32 or 64 that labels and names have.
    """
    if not isinstance(text, str):
        return None
    found = _STAMP.search(text)
    if found is not None:
        return f"sha256-{found.group(1)}"
    short = _SHORT.search(text)
    return f"sha256-{short.group()}" if short is not None else None


def ids_of(*values: Any) -> tuple[str, ...]:
    """Return the ids among values, each once. Raises PayloadError when there is none."""
    found = [str(one) for one in values if (isinstance(one, str) and one) or type(one) is int]
    if not found or any(len(one) > _MAX_ID for one in found):
        raise PayloadError("it has no request id")
    return tuple(dict.fromkeys(found))


def text_of(value: Any) -> str | None:
    """Return a text that says something, or None."""
    return value if isinstance(value, str) and value else None


def time_of(value: Any) -> datetime | None:
    """Return the instant that a value names: RFC 3339, `2026-11-02 14:03:00 UTC`, or milliseconds since 1970.

    Raises PayloadError for what is there and names none.
    """
    if value is None or value == "":
        return None
    found: datetime | None = None
    if isinstance(value, str):
        spaced = _SPACED.fullmatch(value)
        found = instant(f"{spaced.group(1)}T{spaced.group(2)}Z" if spaced is not None else value)
    elif type(value) is int:
        try:
            found = datetime.fromtimestamp(value / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            found = None
    if found is None:
        raise PayloadError(f"its time {visible(str(value), 40)} is none")
    return found.astimezone(UTC)


def bytes_of(value: Any) -> bytes:
    """Return what was written as base64, or as bytes in Parquet. Raises PayloadError."""
    if isinstance(value, Mapping) and isinstance(value.get("base64"), str):
        value = value["base64"]
    if not isinstance(value, str):
        raise PayloadError("its body is no base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise PayloadError("its body is no base64") from None


def batch_of(values: tuple[Values, ...]) -> int | None:
    """Return how many rows tensors have, where they agree."""
    counts = {one.shape[0] for one in values if one.shape}
    return counts.pop() if len(counts) == 1 else None
