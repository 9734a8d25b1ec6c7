"""The clock. Everything below the shell takes the instant as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return this instant, in UTC."""
    return datetime.now(UTC)


def ticks() -> float:
    """Return seconds that only ever grow, for how long something took."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Wait so many seconds."""
    time.sleep(seconds)
