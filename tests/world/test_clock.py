"""The clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelspec.world.clock import now


def test_now_is_this_instant_in_utc() -> None:
    assert now().tzinfo is UTC
    assert abs(datetime.now(UTC) - now()) < timedelta(seconds=5)
