"""The clock. Everything below the shell takes the instant as an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return this instant, in UTC."""
    return datetime.now(UTC)
