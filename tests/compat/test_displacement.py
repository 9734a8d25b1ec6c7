"""Displacement against brute force: what both sides serve, computed as the formats define it, on a dense grid."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.compat.displacement import TOLERANCE, UNBOUNDED_ZSCORE, Line, constants, displacement
from modelspec.compat.fields import judge
from modelspec.spec.feature import Feature

from .cases import field, of_field

np = pytest.importorskip("numpy", reason="brute force on a grid needs numpy")
POINTS = 4001

ends = st.tuples(st.floats(-200, 200), st.floats(0.5, 300)).map(lambda t: (t[0], t[0] + t[1]))


@st.composite
def sides(draw: st.DrawFn) -> tuple[Feature, Feature]:
    """Draw the trained and the served side of one affine kind; either may clip, or be silent about its ranges."""
    kind = draw(st.sampled_from(["minmax", "zscore", "linear"]))
    near = draw(st.booleans())
    base = _parameters(draw, kind)
    found = []
    for side in range(2):
        keys: dict[str, Any] = {}
        if draw(st.booleans()):
            keys["source"] = {"dtype": "float64", "range": draw(ends)}
        if draw(st.integers(0, 4)):
            keys["range"] = draw(ends.map(lambda pair: (pair[0] / 50, pair[1] / 50)))
        transform = dict(base)
        if side and near:
            name = draw(st.sampled_from(sorted(base)))
            transform[name] = base[name] + draw(st.floats(-0.2, 0.2))
        elif side:
            transform = _parameters(draw, kind)
        # A z-score and a line clip to the range that is served, so that there has to be one.
        clip = draw(st.booleans()) and (kind == "minmax" or "range" in keys)
        keys["transform"] = {"kind": kind, "clip": clip, **transform}
        found.append(field(keys))
    return found[0], found[1]


def _parameters(draw: st.DrawFn, kind: str) -> dict[str, float]:
    if kind == "minmax":
        low, high = draw(ends)
        return {"min": low, "max": high}
    if kind == "zscore":
        return {"mean": draw(st.floats(-50, 50)), "std": draw(st.floats(0.5, 60))}
    return {"slope": draw(st.floats(-3, 3)), "intercept": draw(st.floats(-20, 20))}


def served(side: Feature, raw: Any) -> Any:
    """Return what a side serves for raw values, as docs/formats.md defines its kind."""
    t = side.transform
    assert t is not None
    if t.kind == "minmax":
        assert t.min is not None
        assert t.max is not None
        value = (raw - t.min) / (t.max - t.min)
        return np.clip(value, 0, 1) if t.clip else value
    value = (raw - t.mean) / t.std if t.kind == "zscore" else t.slope * raw + t.intercept
    return np.clip(value, *side.range) if t.clip and side.range is not None else value


def raw_range(side: Feature) -> tuple[float, float] | None:
    t = side.transform
    assert t is not None
    if side.source is not None and side.source.range is not None:
        return side.source.range
    if t.kind == "minmax":
        assert t.min is not None
        assert t.max is not None
        return t.min, t.max
    if t.kind == "zscore":
        assert t.mean is not None
        assert t.std is not None
        return t.mean - 3 * t.std, t.mean + 3 * t.std
    return None


def sampled(trained: Feature, other: Feature) -> tuple[float, float] | None:
    """Return the displacement on a dense grid, and by how much the grid may miss it; None without a measure."""
    ours, theirs = raw_range(trained), raw_range(other)
    assert trained.transform is not None
    if ours is None or theirs is None:
        return None
    if trained.range is not None:
        over = trained.range[1] - trained.range[0]
    elif trained.transform.kind == "zscore":
        over = UNBOUNDED_ZSCORE
    else:
        return None
    raw = np.linspace(min(ours[0], theirs[0]), max(ours[1], theirs[1]), POINTS)
    apart = np.abs(served(trained, raw) - served(other, raw))
    # Between two points of the grid a line moves by no more than its steepest step does: two steps bound it.
    step = raw[1] - raw[0]
    slopes = sum(abs(_slope(side)) for side in (trained, other))
    return float(apart.max() / over), float(2 * slopes * step / over)


def _slope(side: Feature) -> float:
    t = side.transform
    assert t is not None
    if t.kind == "minmax":
        assert t.min is not None
        assert t.max is not None
        return 1 / (t.max - t.min)
    if t.kind == "zscore":
        assert t.std is not None
        return 1 / t.std
    assert t.slope is not None
    return t.slope


@given(sides())
def test_it_is_what_dense_sampling_finds(pair: tuple[Feature, Feature]) -> None:
    found, expected = displacement(*pair), sampled(*pair)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        seen, slack = expected
        assert seen - 1e-9 * max(1, seen) <= found <= seen + slack + 1e-9 * max(1, seen)


@given(sides())
def test_the_tolerance_decides_the_row(pair: tuple[Feature, Feature]) -> None:
    trained, other = (one.model_dump(by_alias=True, exclude_none=True) for one in pair)
    moved = displacement(*pair)
    rows = {change.row for change in judge(of_field(1, trained), of_field(2, other)).changes}
    same = pair[0].transform == pair[1].transform and pair[0].range == pair[1].range
    if same:
        assert not rows & {"transform-near", "transform-far"}
    elif moved is None or moved > TOLERANCE:
        assert "transform-near" not in rows
        assert ("transform-far" in rows) == (pair[0].transform != pair[1].transform or _clipped(pair[0]))
    else:
        assert "transform-far" not in rows


def _clipped(side: Feature) -> bool:
    return side.transform is not None and bool(side.transform.clip) and side.transform.kind != "minmax"


@given(sides())
def test_a_side_is_not_displaced_against_itself(pair: tuple[Feature, Feature]) -> None:
    assert displacement(pair[0], pair[0]) in (0.0, None)


@given(sides())
def test_two_sides_are_as_far_apart_either_way(pair: tuple[Feature, Feature]) -> None:
    """The distance is one; only the width that it is measured in is that of the trained side."""
    there, back = displacement(*pair), displacement(*pair[::-1])
    widths = [UNBOUNDED_ZSCORE if one.range is None else one.range[1] - one.range[0] for one in pair]
    if there is not None and back is not None:
        assert there * widths[0] == pytest.approx(back * widths[1], rel=1e-9, abs=1e-12)


def test_the_worked_example_of_the_page() -> None:
    """0 to 120 km becomes 0 to 150 km: 0.2 of the width at 120 km."""
    first, second = (
        field({"range": (0, 1), "transform": {"kind": "minmax", "min": 0, "max": top, "clip": True}})
        for top in (120, 150)
    )
    assert displacement(first, second) == pytest.approx(0.2)
    refreshed = field({"range": (0, 1), "transform": {"kind": "minmax", "min": 0, "max": 121, "clip": True}})
    assert displacement(first, refreshed) == pytest.approx(1 / 121)


@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(1, 200))
def test_an_imputed_constant(trained: float, other: float, width: float) -> None:
    side = field({"range": (0, width)})
    assert constants(trained, other, side) == pytest.approx(abs(trained - other) / width)
    assert constants(trained, other, field({})) is None


def test_where_there_is_no_measure() -> None:
    line = {"kind": "linear", "slope": 1, "intercept": 0}
    ranged = field({"range": (0, 1), "transform": line})
    assert displacement(ranged, ranged) is None, "a line without a raw range"
    assert displacement(field({}), field({})) is None
    scaled = field({"range": (0, 1), "transform": {"kind": "minmax", "min": 0, "max": 1}})
    assert displacement(ranged, scaled) is None, "two kinds"
    point = field({"range": (1, 1), "transform": {"kind": "minmax", "min": 0, "max": 1}})
    moved = field({"range": (1, 1), "transform": {"kind": "minmax", "min": 0, "max": 2}})
    assert displacement(point, moved) is None, "a range without a width"
    assert displacement(point, point) == 0


def test_a_mean_that_moves_in_a_span_that_no_float_holds_is_displaced_by_no_measure() -> None:
    """Three standard deviations are infinite: no proof, and no error."""
    trained, served = ({"kind": "zscore", "mean": mean, "std": 1e308} for mean in (0, 1))
    assert displacement(field({"transform": trained}), field({"transform": served})) is None


def test_the_raw_value_of_a_served_one_is_found_again_however_large() -> None:
    whole = Line.scaled(-1e308, 1.5e308)
    assert whole.before(whole.at(7e307)) == pytest.approx(7e307)
    assert Line.scaled(0, 1e300).before(-1e300) == -float("inf")
