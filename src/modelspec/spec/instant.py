"""Instants (RFC 3339 with an offset) and durations, parsed by us: lenient parsers accept nonsense."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[-+][0-9]{2}:[0-9]{2})"
)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def instant(text: str) -> datetime | None:
    """Return the instant that `2026-10-01T00:00:00Z` names, or None when the text names none."""
    if _INSTANT.fullmatch(text) is None:
        return None
    # Python keeps microseconds: finer digits are cut.
    trimmed = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)
    try:
        found = datetime.fromisoformat(trimmed)
        # Within a day of the first or the last year it may be an instant that UTC has no date for.
        found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found


def duration(text: str) -> timedelta:
    """Return the length of `15m`, `24h`, `7d`; the text has the form that the models demand."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
