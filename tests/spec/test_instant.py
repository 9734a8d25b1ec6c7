"""Instants and durations: RFC 3339 and nothing that a lenient parser would take for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.spec.instant import days, duration, earlier, instant, later


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-10-01T00:00:00Z", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T02:00:00+02:00", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-09-30T18:30:00-05:30", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T00:00:00.5Z", datetime(2026, 10, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-10-01T00:00:00.123456789Z", datetime(2026, 10, 1, 0, 0, 0, 123_456, tzinfo=UTC)),
        ("2028-02-29T23:59:59Z", datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_an_instant(text: str, wanted: datetime) -> None:
    assert instant(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "now", "yesterday", "1 year ago", "2026-10-01", "2026-10-01T00:00:00", "2026-10-01 00:00:00Z", "2026-10-01T00:00Z",
     "2026-10-01t00:00:00z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-10-01T24:00:00Z", "2026-10-01T00:60:00Z",
     "2026-10-01T00:00:60Z", "2026-10-01T00:00:00+24:00", "2026-10-01T00:00:00+0200", "2026-10-01T00:00:00,5Z",
     "2026-10-01T00:00:00Z\n", " 2026-10-01T00:00:00Z", "20261001T000000Z", "2026-W40-4T00:00:00Z", "1790812800",
     "٢٠٢٦-10-01T00:00:00Z", "2026-10-01T00:00:00.Z", "0000-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_names_no_instant(text: str) -> None:
    assert instant(text) is None


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_every_instant_is_read_back(moment: datetime) -> None:
    assert instant(moment.isoformat()) == moment


@given(st.text(max_size=30))
def test_any_text_is_an_instant_with_an_offset_or_none(text: str) -> None:
    found = instant(text)
    assert found is None or found.utcoffset() is not None


def test_durations() -> None:
    assert [duration(text) for text in ("0s", "15m", "24h", "7d")] == [
        timedelta(0), timedelta(minutes=15), timedelta(days=1), timedelta(days=7),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"])
def test_an_instant_that_utc_has_no_date_for_is_none(text: str) -> None:
    assert instant(text) is None


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(min_value=timedelta(0), max_value=timedelta.max))
def test_what_lies_before_or_after_stays_inside_what_can_be_counted(
    moment: datetime, length: timedelta
) -> None:
    assert datetime.min.replace(tzinfo=UTC) <= earlier(moment, length) <= moment
    assert moment <= later(moment, length) <= datetime.max.replace(tzinfo=UTC)
    assert moment - earlier(moment, length) <= length


@pytest.mark.parametrize("count", [10**9, 2**53 - 1])
def test_more_days_than_can_be_counted_are_as_many_as_can(count: int) -> None:
    assert days(count) == days(count + 1) > days(10**6)
