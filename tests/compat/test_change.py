"""How a change is told."""

from __future__ import annotations

import pytest

from modelspec.compat.change import Pair
from modelspec.compat.parts import VALUES
from modelspec.spec.feature import Feature


@pytest.mark.parametrize(
    ("row", "what", "column", "told"),
    [
        ("categories-added", "'s categories", "back", "city's categories are now with c (were without c)"),
        (
            "categories-added",
            "'s categories",
            "out",
            "city's categories are still with c (trained on without c)",
        ),
        ("codes-moved", "'s codes", "back", "city's codes are now with c (were without c)"),
        ("unit", "'s unit", "back", "city's unit is now with c (was without c)"),
    ],
)
def test_what_is_several_things_is_told_as_several(row: str, what: str, column: str, told: str) -> None:
    city = Feature(name="city", dtype="string")
    pair = Pair(city, city, column)  # type: ignore[arg-type]
    assert pair.change(row, VALUES, what, "without c", "with c").message == told
