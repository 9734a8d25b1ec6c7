"""Sums of replays: merging parts is the whole, quantiles hold what they promise, the worst are kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelspec.spec.model import Threshold
from modelspec.trace.tally import WORST, Tally

LATE = Threshold(name="late", output="m", op=">=", value=60)


def added(was: list[float], now: list[float], tolerance: float = 0.0) -> Tally:
    tally = Tally()
    tally.add(
        [f"r{index}" for index in range(len(was))], np.arange(len(was)),
        {"m": np.array(was, np.float32)}, {"m": np.array(now, np.float32)}, tolerance, [LATE],
    )  # fmt: skip
    return tally


PAIRS = st.lists(
    st.tuples(st.floats(-100, 100, width=32), st.floats(-100, 100, width=32)), min_size=2, max_size=60
)


@given(PAIRS, st.integers(1, 59))
def test_parts_merged_are_the_whole(pairs: list[tuple[float, float]], cut: int) -> None:
    was, now = [one for one, _ in pairs], [other for _, other in pairs]
    cut = min(cut, len(pairs) - 1)
    whole = added(was, now)
    parts = added(was[:cut], now[:cut])
    parts.merge(added(was[cut:], now[cut:]))
    assert parts.verdicts == whole.verdicts and parts.differences == whole.differences
    assert (parts.greatest, parts.most_ulps, parts.compared) == (
        whole.greatest,
        whole.most_ulps,
        whole.compared,
    )
    assert [one.difference for one in parts.worst] == [one.difference for one in whole.worst]
    theirs, mine = whole.thresholds["late"], parts.thresholds["late"]
    assert (mine.kept, mine.to_true, mine.to_false) == (theirs.kept, theirs.to_true, theirs.to_false)


@given(PAIRS, st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_near_the_exact_one(pairs: list[tuple[float, float]], share: float) -> None:
    was, now = [one for one, _ in pairs], [other for _, other in pairs]
    apart = np.sort(np.abs(np.array(was, np.float32).astype(float) - np.array(now, np.float32).astype(float)))
    exact = apart[max(0, int(np.ceil(share * len(apart))) - 1)]
    told = added(was, now).quantile(share)
    assert told is not None
    if exact >= 1e-23:
        assert exact * 0.999999 <= told <= exact * 1.075
    else:
        assert told <= 1e-20


def test_the_worst_are_kept_with_ids_and_rows() -> None:
    tally = Tally()
    was = {"m": np.zeros((40, 1), np.float32)}
    now = {"m": np.arange(40, dtype=np.float32).reshape(40, 1)}
    tally.add([f"r{index}" for index in range(20)], np.repeat(np.arange(20), 2), was, now, 0.0)
    assert len(tally.worst) == WORST
    first = tally.worst[0]
    assert (first.id, first.row, first.difference, first.was, first.now) == ("r19", 1, 39.0, "0.0", "39.0")


def test_decisions_that_changed() -> None:
    told = added([59, 61, 70, 1], [61, 59, 71, 2]).thresholds["late"]
    assert (told.kept, told.to_true, told.to_false, told.examples) == (2, 1, 1, ["r0", "r1"])


def test_what_was_not_logged_is_counted() -> None:
    tally = Tally()
    tally.add(["a"], np.zeros(1, int), {}, {"m": np.zeros((1, 1))}, 0.0)
    assert (tally.rows, tally.unlogged, tally.compared, tally.quantile(0.5)) == (1, 1, 0, None)


def test_rows_without_a_measure_are_different() -> None:
    tally = Tally()
    tally.add(["a"], np.zeros(1, int), {"m": np.zeros((1, 1))}, {"m": np.zeros((1, 2))}, 9.0, [LATE])
    assert (tally.count("different"), tally.measureless, tally.thresholds["late"].unclear) == (1, 1, 1)
