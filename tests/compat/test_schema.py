"""One schema by itself, where the cases of the rules do not reach."""

from __future__ import annotations

from typing import Any

import pytest

from modelspec.compat.parts import coverage
from modelspec.compat.produced import produced
from modelspec.compat.schema import field_flaws
from modelspec.spec.feature import Feature

from .cases import field


def test_a_category_that_stands_twice_is_found_however_python_keeps_its_text() -> None:
    """Two equal texts may be one object or two."""
    one = "ams"
    for other in (one, "".join(["a", "m", "s"])):
        field = Feature.model_construct(name="city", dtype="string", categories=(one, other))
        (flaw,) = field_flaws(field)
        assert flaw.route == ("categories", 1)
        assert "twice" in flaw.message


@pytest.mark.parametrize(
    ("transform", "raw", "values"),
    [
        # In floats the width is infinite, and everything was 0.
        ({"kind": "minmax", "min": -1e308, "max": 1e308}, [-1e308, 1e308], (0.0, 1.0)),
        # In floats slope * raw + intercept is the difference of two large numbers.
        ({"kind": "minmax", "min": 1e16, "max": 1e16 + 6}, [1e16, 1e16 + 6], (0.0, 1.0)),
        ({"kind": "minmax", "min": 0, "max": 5e-324}, [0, 5e-324], (0.0, 1.0)),
        ({"kind": "zscore", "mean": 1e300, "std": 1e-300}, [-1e300, 1e300], (float("-inf"), 0.0)),
        ({"kind": "linear", "slope": 1e200, "intercept": 0}, [-1e200, 1e200], (float("-inf"), float("inf"))),
    ],
)
def test_what_a_transformation_produces_is_worked_out_exactly(
    transform: dict[str, Any], raw: list[float], values: tuple[float, float]
) -> None:
    found = produced(field({"source": {"dtype": "float64", "range": raw}, "transform": transform}))
    assert found is not None
    assert found.values == values


def test_a_span_that_no_float_holds_is_no_flaw_and_a_wrong_range_of_it_is_one() -> None:
    keys = {
        "source": {"dtype": "float64", "range": [-1e308, 1e308]},
        "transform": {"kind": "minmax", "min": -1e308, "max": 1e308},
    }
    assert list(field_flaws(field({**keys, "range": [0, 1]}))) == []
    (flaw,) = field_flaws(field({**keys, "range": [0, 2]}))
    assert "produces 0 to 1" in flaw.message
    raw = {"dtype": "float64", "source": {"dtype": "float64", "range": [-1e308, 1e308]}}
    (flaw,) = field_flaws(field({**raw, "range": [-1e307, 1e307]}))
    assert "its transformation (identity) produces" in flaw.message


def test_the_part_of_a_range_that_was_seen_is_worked_out_where_its_width_overflows() -> None:
    assert coverage((-1e308, 1e308), (-1e308, 1.5e308)) == pytest.approx(0.8)
    assert coverage((-1e308, 0), (-1e308, 1.5e308)) == pytest.approx(0.4)
    assert coverage((0, 0), (0, 5e-324)) == 0
