"""Which versions a window holds, from the revisions of a pin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.delta.window import served_ever, stricter, ways_back
from modelspec.spec.environment import Pin, Window
from modelspec.spec.history import Commit, Revision

START = datetime(2026, 1, 1, tzinfo=UTC)


def ref(minor: int) -> str:
    return f"1.{minor}.0@sha256:{minor:064x}"


def pin(minor: int) -> Pin:
    data = {"apiVersion": "modelspec/v1", "kind": "Pin", "environment": "p", "model": "m"}
    return Pin.model_validate({**data, "stable": {"version": ref(minor)}})


class Log:
    """Revisions, one a day, and what reads them; `read` counts."""

    def __init__(self, states: Sequence[int | None]) -> None:
        self.states = states
        self.read = 0
        self.revisions = [
            Revision(Commit(f"{day:040x}", START + timedelta(days=day), "a", "a@b", "s"), None)
            for day in range(len(states))
        ]

    def __call__(self, revision: Revision) -> Pin | None:
        self.read += 1
        minor = self.states[int(revision.commit.id, 16)]
        return None if minor is None else pin(minor)


def window(
    states: Sequence[int | None], stable: int, versions: int, days: int, day: int, without: str = ""
) -> list[int]:
    log = Log(states)
    found = ways_back(
        log.revisions, log, ref(stable), Window(versions=versions, days=days), START + timedelta(days=day),
        {without},
    )  # fmt: skip
    return [int(one.split(".")[1]) for one in found]


@pytest.mark.parametrize(
    ("states", "stable", "versions", "days", "day", "found"),
    [
        ([1, 2, 3], 3, 3, 90, 10, [3, 2, 1]),
        ([1, 2, 3], 3, 2, 90, 10, [3, 2]),
        # What the change replaces ceases now, whatever the days.
        ([1, 2, 3], 4, 3, 0, 10, [4, 3]),
        # 1 ceased on the second day, 2 on the third: exactly `days` ago is inside.
        ([1, 2, 3], 3, 9, 8, 10, [3, 2]),
        ([1, 2, 3], 3, 9, 9, 10, [3, 2, 1]),
        # A version that came back ceased when it last did.
        ([1, 2, 1, 3], 3, 3, 90, 10, [3, 1, 2]),
        # A pin that was gone for a while, and one that could not be read.
        ([1, None, 2], 2, 3, 90, 10, [2, 1]),
        ([], 1, 3, 90, 10, [1]),
    ],
)
def test_a_window(
    states: list[int | None], stable: int, versions: int, days: int, day: int, found: list[int]
) -> None:
    assert window(states, stable, versions, days, day) == found


def test_a_withdrawn_version_does_not_count() -> None:
    assert window([1, 2, 3], 3, 2, 90, 10, without="1.2.0") == [3, 1]


def test_no_more_is_read_than_the_window_holds() -> None:
    log = Log(range(1000))
    ways_back(log.revisions, log, ref(999), Window(versions=3, days=90), START + timedelta(days=1000))
    assert log.read == 3
    log = Log(range(1000))
    ways_back(log.revisions, log, ref(999), Window(versions=900, days=7), START + timedelta(days=1000))
    assert log.read < 10


@given(st.lists(st.integers(0, 4) | st.none(), max_size=12), st.integers(1, 6), st.integers(0, 15))
def test_a_wider_window_holds_all_that_a_narrower_one_does(
    states: list[int | None], versions: int, days: int
) -> None:
    narrow = window(states, 9, versions, days, 13)
    assert set(narrow) <= set(window(states, 9, versions + 1, days + 1, 13))
    assert len(narrow) <= versions and narrow[0] == 9


def test_days_beyond_the_calendar_are_all_of_the_history() -> None:
    assert window([1, 2], 2, 9, 10**9, 10) == [2, 1]


def test_the_stricter_window_counts() -> None:
    small, long = Window(versions=3, days=9), Window(versions=2, days=90)
    assert stricter(small, long) == Window(versions=3, days=90)
    assert (stricter(None, long), stricter(small, None), stricter(None, None)) == (long, small, None)


def test_what_ever_served_is_told_with_its_times() -> None:
    log = Log([1, 2, 1, None, 3])
    found = [
        (int(one.split(".")[1]), (since - START).days, until and (until - START).days)
        for one, since, until in served_ever(log.revisions, log)
    ]
    assert found == [(3, 4, None), (1, 0, 3), (2, 1, 2)]
