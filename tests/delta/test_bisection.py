"""Bisection finds the first bad state, asks no state twice, and says what skips hide."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelspec.delta.bisection import Verdict, bisect


@given(st.integers(2, 200), st.data())
def test_the_first_bad_state_is_found(count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, count - 1))
    skipped = data.draw(st.sets(st.integers(0, count - 1), max_size=count // 2))
    asked: list[int] = []

    def judge(index: int) -> Verdict:
        asked.append(index)
        return "skip" if index in skipped else "bad" if index >= first else "good"

    found = bisect(count, judge)
    assert len(asked) == len(set(asked))
    good = [index for index in range(first) if index not in skipped]
    bad = [index for index in range(first, count) if index not in skipped]
    if good and bad:
        # Between the last good and the first bad state only skipped ones lie.
        assert found.suspects == tuple(range(good[-1] + 1, bad[0] + 1))
        assert first in found.suspects
    else:
        assert found.suspects == ()
        assert found.why
    if not skipped:
        assert len(asked) <= count.bit_length() + 3


def test_there_is_nothing_to_find_where_nothing_changes() -> None:
    assert "newest" in bisect(5, lambda _: "good").why
    assert "oldest" in bisect(5, lambda _: "bad").why
    assert "no state" in bisect(5, lambda _: "skip").why
    assert "only state" in bisect(1, lambda _: "bad").why
