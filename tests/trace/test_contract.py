"""Values beside the contract: each kind of violation, and what the numbers meant."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logged import columns, features, version
from modelspec.spec.feature import Feature, Transform
from modelspec.trace.columns import inputs_of, matched
from modelspec.trace.contract import contract_words, judged, meaning, violations


def kinds(*row: float | None) -> list[tuple[str, list[str]]]:
    tensors = matched([features(*row)], inputs_of(version()), columns())
    return [(one.name.rpartition(".")[2], [found.kind for found in one.violations])
            for one in judged(tensors, columns()) if one.violations]  # fmt: skip


def test_a_request_that_keeps_the_contract_has_none() -> None:
    assert kinds(0.5, 1, 8, 0) == []


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((1.5, 1, 8, 0), [("distance_norm", ["range"])]),
        ((0.5, 9, 8, 0), [("city", ["category"])]),
        ((0.5, 1.5, 8, 0), [("city", ["category"])]),
        ((0.5, 1, None, 0), [("departure_hour", ["null"])]),
        ((0.5, 1, math.nan, math.inf), [("departure_hour", ["nan"]), ("rain", ["nan"])]),
        ((0.5, 1, "8", 0), [("departure_hour", ["type"])]),
        (
            (500.0, 1, 24, -1),
            [("distance_norm", ["range"]), ("departure_hour", ["range"]), ("rain", ["range"])],
        ),
    ],
)
def test_each_violation_is_marked(row: tuple[float, ...], expected: list[tuple[str, list[str]]]) -> None:
    assert kinds(*row) == expected


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_ends_of_a_range_as_float32_are_inside(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    field = Feature(name="x", dtype="float32", range=(low, high))
    for end in (low, high):
        [value] = struct.unpack("<f", struct.pack("<f", end))
        assert list(violations([value], field)) == []


def test_what_a_number_was_before_its_transformation() -> None:
    tensors = matched([features(0.5, 2, 8, 0)], inputs_of(version()), columns())
    assert [one.raw for one in judged(tensors, columns())] == ["60 km", "lis", "", ""]
    clipped = matched([features(1.0, 3, 8, 0)], inputs_of(version()), columns())
    assert [one.raw for one in judged(clipped, columns())][:2] == ["at least 120 km", "other"]


def test_a_vector_of_codes_has_one_set() -> None:
    field = Feature(
        name="city", dtype="float32", transform=Transform(kind="onehot", codes={"ams": 0, "ber": 1})
    )
    assert meaning([0, 1], field) == "ber"
    assert [one.message for one in violations([1, 1], field)] == ["2 of its 2 columns are set, not one"]
    assert [one.kind for one in violations([0, 2], field)] == ["category"]


def test_texts_have_categories() -> None:
    field = Feature(name="city", dtype="string", categories=("ams", "ber"))
    assert list(violations(["ams"], field)) == []
    assert [one.kind for one in violations(["AMS"], field)] == ["category"]
    assert [one.kind for one in violations([3], field)] == ["type"]


def test_a_thousandfold_is_told() -> None:
    field = Feature(name="d", dtype="float32", unit="km", range=(0, 120))
    [found] = violations([60000.0], field)
    assert "a thousandth" in found.message


def test_hidden_fields_are_said_to_be_hidden() -> None:
    tensors = matched([features(7.0, 1, 8, 0)], inputs_of(version()), columns())
    first = next(judged(tensors, columns(), frozenset({"distance_norm"})))
    assert first.hidden and first.value is None and not first.violations


def test_a_contract_in_a_few_words() -> None:
    words = [contract_words(one.feature) for one in columns() if one.feature is not None]
    assert words[0].startswith("float32, 0 to 1, minmax(min 0, max 120")
    assert "ordinal (0 ams, 1 ber, 2 lis, 3 other)" in words[1]
    assert words[3] == "float32, mm, 0 to 80, never null"
