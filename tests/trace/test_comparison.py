"""Three verdicts and the ulp distance: laws over all floats, and what has no measure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.spec.model import Threshold
from modelspec.trace.comparison import FAR, compare, compare_rows, decisions, ulps

FLOATS = st.floats(width=32, allow_nan=False)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@given(FLOATS, st.integers(1, 50))
def test_ulps_count_steps_of_nextafter(value: float, steps: int) -> None:
    start = f32(value)
    other = start.copy()
    with np.errstate(over="ignore"):
        for _ in range(steps):
            other = np.nextafter(other, np.float32(np.inf))
    if math.isinf(value) or np.isinf(other[0]):
        return
    # nextafter knows one zero, bits know two.
    crossed = int(start[0] < 0 <= other[0] or (start[0] == 0 and np.signbit(start[0])))
    assert abs(int(ulps(start, other)[0]) - steps) <= crossed
    assert ulps(start, other)[0] == ulps(other, start)[0]


@given(FLOATS, FLOATS)
def test_no_distance_means_the_same_bits(one: float, other: float) -> None:
    left, right = f32(one), f32(other)
    assert (ulps(left, right)[0] == 0) == (left.tobytes() == right.tobytes())


@given(st.floats(width=64), st.floats(width=64))
def test_doubles_over_the_whole_line_do_not_overflow(one: float, other: float) -> None:
    apart = ulps(np.array([one]), np.array([other]))[0]
    assert 0 <= apart <= FAR


def test_nan_equals_nan_and_nothing_else() -> None:
    rows = compare_rows(f32(math.nan, math.nan, 1.0), f32(math.nan, 1.0, math.nan), 1.0)
    assert rows.verdicts.tolist() == [0, 2, 2]
    assert rows.ulps.tolist() == [0, FAR, FAR]


def test_minus_zero_is_one_step_from_zero() -> None:
    rows = compare_rows(f32(0.0), f32(-0.0), 0.0)
    assert (rows.verdicts[0], rows.ulps[0], rows.differences[0]) == (2, 1, 0.0)
    assert compare_rows(f32(0.0), f32(-0.0), 1e-9).verdicts[0] == 1


def test_infinities_of_one_sign_are_equal() -> None:
    rows = compare_rows(f32(math.inf, math.inf), f32(math.inf, -math.inf), 1e9)
    assert rows.verdicts.tolist() == [0, 2]


def test_a_tolerance_of_zero_lets_nothing_else_pass() -> None:
    near = np.nextafter(np.float32(1), np.float32(2))
    assert compare_rows(f32(1.0), f32(near), 0.0).verdicts[0] == 2
    assert compare_rows(f32(1.0), f32(near), 1e-6).verdicts[0] == 1


def test_whole_numbers_and_texts() -> None:
    whole = compare_rows(np.array([1, 2]), np.array([1, 5]), 0.0)
    assert whole.verdicts.tolist() == [0, 2] and whole.differences.tolist() == [0.0, 3.0]
    vast = compare_rows(np.array([2**60]), np.array([2**60 + 1]), 0.5)
    assert vast.verdicts.tolist() == [2] and vast.differences.tolist() == [1.0]
    texts = compare_rows(np.array(["a", "b"], object), np.array(["a", "c"], object), 1.0)
    assert texts.verdicts.tolist() == [0, 2]


def test_a_row_is_as_bad_as_its_worst_value() -> None:
    rows = compare_rows(np.zeros((2, 3), np.float32), np.array([[0, 0, 0], [0, 2, 1]], np.float32), 0.0)
    assert rows.verdicts.tolist() == [0, 2] and rows.differences.tolist() == [0.0, 2.0]


def test_another_shape_is_no_row_for_row_comparison() -> None:
    with pytest.raises(ValueError, match="beside"):
        compare_rows(np.zeros((2, 1)), np.zeros((2, 2)), 0.0)
    assert compare({"a": np.zeros(2)}, {"a": np.zeros(3)}, 1.0).difference is None


def test_decisions_flip_at_thresholds() -> None:
    late = Threshold(name="late", output="minutes", op=">=", value=60)
    found = compare({"minutes": f32(59.0)}, {"minutes": f32(61.0)}, 0.0, [late])
    assert found.decisions == (("late", False, True),)
    assert (found.verdict, found.difference) == ("different", 2.0)
    assert not decisions(late, f32(math.nan))[0]


def test_an_output_of_several_numbers_decides_nothing() -> None:
    late = Threshold(name="late", output="minutes", op=">=", value=60)
    found = compare({"minutes": f32(59.0, 1.0)}, {"minutes": f32(61.0, 1.0)}, 0.0, [late])
    assert found.decisions == (("late", None, None),)


def test_nothing_on_both_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="both sides"):
        compare({"a": f32(1)}, {"b": f32(1)}, 0.0)
