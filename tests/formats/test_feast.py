"""Feast: what each form of one view gives, which view is meant, and bytes that are none."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.fixture import FIXTURES
from modelspec.formats.feast import from_dump, from_registry
from modelspec.formats.foreign import Unreadable
from modelspec.formats.looseyaml import read_yaml


def registry(name: str = "registry.db") -> io.BytesIO:
    return io.BytesIO((FIXTURES / name).read_bytes())


def test_every_form_of_a_view_gives_the_same_fields() -> None:
    proto = from_registry(registry(), "driver_stats")
    assert from_registry(registry("driver_stats.pb"), "any").fields == proto.fields
    dumped = json.loads((FIXTURES / "feast.json").read_text())
    assert from_dump(dumped, "driver_stats") == proto
    assert from_dump(read_yaml((FIXTURES / "driver_stats.yaml").read_bytes()), "any").fields == proto.fields
    assert (proto.entity, proto.freshness, proto.owner) == ("driver_id", "1d", "@data-rides")


def test_of_several_views_the_name_chooses() -> None:
    assert from_registry(registry(), "Driver-Stats").fields[0]["name"] == "conv_rate"
    with pytest.raises(Unreadable, match="driver_stats, ratio"):
        from_registry(registry(), "weather")


def test_the_code_of_a_function_is_named_by_its_digest() -> None:
    proto, dumped = (
        from_registry(registry(), "ratio"),
        from_dump(json.loads((FIXTURES / "feast.json").read_text()), "ratio"),
    )
    (field,) = proto.fields
    assert field["transform"]["kind"] == "code"  # type: ignore[index, call-overload]
    assert dumped.fields == proto.fields


@pytest.mark.parametrize(
    ("seconds", "wanted"), [("90s", "90s"), ("3600s", "1h"), ("0s", None), ("86400.5s", "1d"), ("x", None)]
)
def test_durations(seconds: str, wanted: str | None) -> None:
    view = {"spec": {"name": "v", "ttl": seconds, "features": [{"name": "x", "valueType": "INT64"}]}}
    assert from_dump(view, "v").freshness == wanted


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (7, "neither a map nor a list"),
        ({}, "no feature view in it"),
        ({"spec": 7}, "no map"),
        ({"spec": {"name": "v", "features": [7]}}, "no map"),
        ({"spec": {"name": "v", "features": []}}, "no field in it"),
        ({"spec": {"name": "v", "features": [{"name": "x", "valueType": "MAP"}]}}, "no field is MAP"),
        ({"featureViews": 7}, "no feature view in it"),
    ],
)
def test_what_is_wrong_with_a_dump_is_said(data: Any, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_dump(data, "v")


def test_a_cut_registry_is_an_error_or_a_part_of_it() -> None:
    data = registry().getvalue()
    for length in range(len(data)):
        try:
            from_registry(io.BytesIO(data[:length]), "driver_stats")
        except Unreadable as error:
            assert error.message


@given(st.binary(max_size=200))
def test_any_bytes_give_a_view_or_an_error(data: bytes) -> None:
    try:
        from_registry(io.BytesIO(data), "v")
    except Unreadable as error:
        assert error.message
