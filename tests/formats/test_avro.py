"""Avro: names and namespaces, unions, logical types, recursion, and what a header may announce."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from modelspec.formats.avro import from_avsc, from_container
from modelspec.formats.foreign import Imported, Unreadable


def record(*fields: dict[str, Any], **more: Any) -> Imported:
    return from_avsc(json.dumps({"type": "record", "name": "R", "fields": fields, **more}).encode(), "r")


def one(type_: Any, **more: Any) -> dict[str, Any]:
    """The field that a type becomes."""
    (field,) = record({"name": "x", "type": type_, **more}).fields
    return field


def notes(found: Imported) -> str:
    return "\n".join(note.message for note in found.notes)


@pytest.mark.parametrize(
    ("type_", "wanted"),
    [
        ("int", {"dtype": "int32"}),
        ({"type": "long"}, {"dtype": "int64"}),
        ({"type": {"type": "float"}}, {"dtype": "float32"}),
        ({"type": "string", "avro.java.string": "String"}, {"dtype": "string"}),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 4},
            {"dtype": "decimal", "precision": 4, "scale": 0},
        ),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}, {"dtype": "bytes"}),
        ({"type": "long", "logicalType": "timestamp-micros"}, {"dtype": "timestamp", "tz": "UTC"}),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, {"dtype": "timestamp"}),
        ({"type": "string", "logicalType": "uuid"}, {"dtype": "string"}),
        (
            {"type": "array", "items": {"type": "array", "items": "int"}},
            {"dtype": "int32", "shape": [-1, -1]},
        ),
    ],
)
def test_types(type_: Any, wanted: dict[str, Any]) -> None:
    assert one(type_) == {"name": "x", "nullable": False, **wanted}


def test_null_in_a_union_is_nullable_wherever_it_stands() -> None:
    assert one(["null", "int"])["nullable"] is True
    assert one(["int", {"type": "null"}], default=3) == {
        "name": "x",
        "dtype": "int32",
        "nullable": True,
        "default": 3,
    }


def test_names_are_found_in_their_namespace() -> None:
    city = {"type": "enum", "name": "City", "symbols": ["a", "b"]}
    found = record(
        {"name": "x", "type": city},
        {"name": "y", "type": "City"},
        {"name": "z", "type": "com.example.City"},
        namespace="com.example",
    )
    assert [field["categories"] for field in found.fields] == [["a", "b"]] * 3
    with pytest.raises(Unreadable, match="nowhere defined"):
        record({"name": "x", "type": "Town"})


def test_two_fields_of_one_flat_name_are_told_apart() -> None:
    inner = {"type": "record", "name": "I", "fields": [{"name": "b", "type": "int"}]}
    found = record({"name": "a_b", "type": "int"}, {"name": "a", "type": inner})
    assert [field["name"] for field in found.fields] == ["a_b", "a_b_2"]
    assert "called a.b in the source" in notes(found)


def test_a_record_in_itself_ends() -> None:
    found = record({"name": "x", "type": "int"}, {"name": "next", "type": ["null", "R"]})
    assert [field["name"] for field in found.fields] == ["x"]
    assert "next is left out: it is of a type that holds itself" in notes(found)


def test_records_that_unfold_without_end_are_refused() -> None:
    """Forty records of two fields each, which are the record before: 2 to the 40 fields in 3 KB."""
    schema: Any = {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "int"}]}
    for number in range(1, 40):
        fields = [{"name": "a", "type": schema}, {"name": "b", "type": f"R{number - 1}"}]
        schema = {"type": "record", "name": f"R{number}", "fields": fields}
    with pytest.raises(Unreadable, match=r"nested deeper|more than"):
        from_avsc(json.dumps(schema).encode(), "r")


def test_wide_rather_than_deep_is_refused_too() -> None:
    schema: Any = {
        "type": "record",
        "name": "R0",
        "fields": [{"name": f"x{n}", "type": "int"} for n in range(200)],
    }
    fields = [{"name": "first", "type": schema}, *({"name": f"y{n}", "type": "R0"} for n in range(200))]
    with pytest.raises(Unreadable, match="more than 10,000 fields"):
        record(*fields)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ("[]", "no record"),
        ('"int"', "no record"),
        ('{"type": "record", "name": "R"}', "no list of fields"),
        ('{"type": "record", "name": "R", "fields": [{"type": "int"}]}', "no name or no type"),
        ('{"type": "record", "name": "R", "fields": []}', "no field in it"),
        ('{"type": "record", "name": "R", "fields": [{"name": "x", "type": 7}]}', "no type of Avro"),
        ('{"type": "record", "type": "record"}', "stands twice"),
        ("[" * 5_000 + "]" * 5_000, "nested deeper"),
        ("[" * 500_000, "nested deeper"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": 1e999}', "more than a double"),
        ('{"a": ' + "1" * 5_000 + "}", "no JSON"),
        ("{", "line 1, column 2"),
        ("\xff", "no record|line 1"),
    ],
)
def test_what_is_wrong_is_said(schema: str, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_avsc(schema.encode(), "r")


def test_of_several_records_the_view_names_one() -> None:
    def made(name: str) -> dict[str, Any]:
        return {"type": "record", "name": name, "fields": [{"name": name.lower(), "type": "int"}]}

    source = json.dumps([made("TripFeatures"), made("Payment")]).encode()
    assert from_avsc(source, "trip_features").fields[0]["name"] == "tripfeatures"
    with pytest.raises(Unreadable, match=r"TripFeatures, Payment.*none of them"):
        from_avsc(source, "eta")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"Obj\x01", "cut"),
        (b"Obj\x01" + b"\xff" * 20, "without end"),
        (b"Obj\x01\xfe\xff\xff\xff\x0f", "entries"),
        (b"Obj\x01\x02\xfe\xff\xff\xff\x0f", "announces a text"),
        (b"Obj\x01\x02\x01", "announces a text"),
        (b"Obj\x01\x00", "no schema"),
        (b"Obj\x01\x02\x06abc\x04{}\x00", "no schema"),
        (b"Obj\x01\x02\x16avro.schema\x04{}\x00", "no record"),
    ],
)
def test_headers_of_containers(header: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_container(io.BytesIO(header), "r")
