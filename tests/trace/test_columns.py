"""Values of a log and the tensors of a version: by name, by position, by field; and what does not fit."""

from __future__ import annotations

import pytest

from logged import columns, features, minutes, version
from modelspec.spec.feature import Feature, FeatureSchema, Transform
from modelspec.spec.model import Input
from modelspec.trace.columns import Mismatch, columns_of, inputs_of, matched, outputs_of
from modelspec.tree.record import Values


def test_columns_follow_the_from_list() -> None:
    assert [(one.name, one.start, one.size) for one in columns()] == [
        ("trip_features.distance_norm", 0, 1),
        ("trip_features.city", 1, 1),
        ("trip_features.departure_hour", 2, 1),
        ("request.rain", 3, 1),
    ]
    assert all(one.feature is not None for one in columns())


def test_a_vector_takes_as_many_columns_as_it_has_codes() -> None:
    one = Feature(
        name="city", dtype="float32", transform=Transform(kind="onehot", codes={"ams": 0, "ber": 1})
    )
    other = Feature(name="hour", dtype="float32")
    schema = FeatureSchema(
        apiVersion="modelspec/v1", kind="FeatureSchema", view="v", number=1, fields=(one, other)
    )
    tensor = Input(name="x", dtype="float32", shape=(-1, 3), **{"from": ("v.city", "v.hour")})
    eta = version().model_copy(
        update={"signature": version().signature.model_copy(update={"inputs": (tensor,)})}
    )
    assert [(c.start, c.size) for c in columns_of(eta, {"v": schema})] == [(0, 2), (2, 1)]


def test_by_name_by_position_and_by_field() -> None:
    eta = version()
    named = matched([features(0.5, 1, 8, 0)], inputs_of(eta), columns())
    bare = matched([Values("", "", (4,), (0.5, 1, 8, 0))], inputs_of(eta), columns())
    short = [Values(name, "", (1,), (value,)) for name, value in
             (("rain", 0), ("city", 1), ("distance_norm", 0.5), ("departure_hour", 8))]  # fmt: skip
    by_field = matched(short, inputs_of(eta), columns())
    assert [tuple(found["features"].data) for found in (named, bare, by_field)] == [(0.5, 1, 8, 0)] * 3
    assert {found["features"].shape for found in (named, bare, by_field)} == {(1, 4)}


def test_rows_of_named_fields_are_put_side_by_side() -> None:
    given = [Values(name, "", (2,), values) for name, values in
             (("distance_norm", (0.1, 0.2)), ("city", (1, 2)), ("departure_hour", (8, 9)), ("rain", (0, 3)))]  # fmt: skip
    found = matched(given, inputs_of(version()), columns())
    assert found["features"].shape == (2, 4)
    assert list(found["features"].data) == [0.1, 1, 8, 0, 0.2, 2, 9, 3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([features(0.5, 1, 8, 0, name="fetures")], "did you mean features"),
        ([features(0.5, 1, 8)], "shape"),
        ([features(0.5, 1, 8, 0), features(0.5, 1, 8, 0)], "one name twice"),
        ([], "the log has inputs none"),
        ([Values("", "", (1,), (1,)), Values("", "", (1,), (1,))], "without names"),
        ([Values("distance_norm", "", (1,), (0.5,)), Values("town", "", (1,), (1,))], "distance_norm, town"),
    ],
)
def test_what_does_not_fit_is_named(values: list[Values], message: str) -> None:
    with pytest.raises(Mismatch, match=message):
        matched(values, inputs_of(version()), columns())


def test_a_request_may_ask_for_some_outputs_only() -> None:
    assert matched([minutes(3.0)], outputs_of(version()), what="outputs", partly=True)["minutes"].data == (
        3.0,
    )
    with pytest.raises(Mismatch, match="hours"):
        matched([minutes(3.0, "hours")], outputs_of(version()), what="outputs", partly=True)
