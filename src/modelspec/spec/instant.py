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
    trimmed = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text) if "." in text else text
    try:
        found = datetime.fromisoformat(trimmed)
        # Within a day of the first or the last year it may be an instant that UTC has no date for.
        found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found


def earlier(moment: datetime, length: timedelta) -> datetime:
    """Return the instant so long before another, or the first that there is."""
    try:
        return moment - length
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def later(moment: datetime, length: timedelta) -> datetime:
    """Return the instant so long after another, or the last that there is."""
    try:
        return moment + length
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def days(count: int) -> timedelta:
    """Return so many days, or as many as can be counted: files may ask for any number."""
    return timedelta(days=min(count, timedelta.max.days))


def duration(text: str) -> timedelta:
    """Return the length of `15m`, `24h`, `7d`; the text has the form that the models demand."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
