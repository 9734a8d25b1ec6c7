"""JSON Schema: references and their cycles, one-sided ranges, unions, and what has no form here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelspec.formats.foreign import Imported, Unreadable
from modelspec.formats.jsonschema import from_json_schema


def schema(properties: Any, **more: Any) -> Imported:
    return from_json_schema(json.dumps({"type": "object", "properties": properties, **more}).encode())


def one(property_: Any, **more: Any) -> dict[str, Any]:
    (field,) = schema({"x": property_}, required=["x"], **more).fields
    return field


def notes(found: Imported) -> str:
    return "\n".join(note.message for note in found.notes)


@pytest.mark.parametrize(
    ("property_", "wanted"),
    [
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 9}, {"dtype": "int64", "range": [1, 9]}),
        (
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9},
            {"dtype": "int64", "range": [1, 9]},
        ),
        (
            {"type": "integer", "minimum": 5, "exclusiveMinimum": 0, "maximum": 9},
            {"dtype": "int64", "range": [5, 9]},
        ),
        ({"type": "number", "minimum": 0.0, "maximum": 1.0}, {"dtype": "float64", "range": [0, 1]}),
        ({"type": "number", "minimum": 0}, {"dtype": "float64"}),
        ({"const": "a"}, {"dtype": "string", "categories": ["a"]}),
        ({"enum": ["a", "b", None]}, {"dtype": "string", "categories": ["a", "b"], "nullable": True}),
        ({"type": "string", "nullable": True}, {"dtype": "string", "nullable": True}),
        (
            {"oneOf": [{"type": "null"}, {"type": "integer", "format": "int32"}]},
            {"dtype": "int32", "nullable": True},
        ),
        ({"allOf": [{"type": "boolean"}], "default": True}, {"dtype": "bool", "default": True}),
        ({"type": "array", "items": {"type": "number"}, "minItems": 1}, {"dtype": "float64", "shape": [-1]}),
        ({"type": "string", "format": "date-time", "default": "now"}, {"dtype": "timestamp"}),
        ({"type": "string", "default": "bad\u202etext"}, {"dtype": "string"}),
        ({"type": "string", "enum": ["a", "b\u200b"]}, {"dtype": "string"}),
        ({"type": "number", "minimum": -(10**30), "maximum": 10**30}, {"dtype": "float64"}),
    ],
)
def test_properties(property_: Any, wanted: dict[str, Any]) -> None:
    assert one(property_) == {"name": "x", "nullable": False, **wanted}


@pytest.mark.parametrize(
    ("property_", "told"),
    [
        ({}, "it has no type"),
        (True, "nothing is said of it"),
        ({"type": "null"}, "only ever null"),
        ({"type": ["string", "integer"]}, "it is string, integer"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "anyOf of 2"),
        ({"$ref": "other.json"}, "nothing is fetched"),
        ({"$ref": "#/$defs/loop"}, "holds itself"),
        ({"$ref": "#/properties/x"}, "holds itself"),
        ({"type": "array", "items": {"type": "object", "properties": {}}}, "a list of objects"),
        ({"type": "array"}, "nothing is said of it"),
        ({"type": "array", "items": [{"type": "number"}]}, "tuple"),
    ],
)
def test_what_is_left_out_is_said(property_: Any, told: str) -> None:
    loop = {"$ref": "#/$defs/again"}
    found = schema(
        {"x": property_, "y": {"type": "number"}},
        **{"$defs": {"loop": loop, "again": {"$ref": "#/$defs/loop"}}},
    )
    assert [field["name"] for field in found.fields] == ["y"]
    assert "x is left out" in notes(found)
    assert told in notes(found)


def test_references_that_unfold_without_end_are_refused() -> None:
    defs: dict[str, Any] = {"d0": {"type": "object", "properties": {"x": {"type": "number"}}}}
    for number in range(1, 30):
        ref = {"$ref": f"#/$defs/d{number - 1}"}
        defs[f"d{number}"] = {"type": "object", "properties": {"a": ref, "b": ref}}
    with pytest.raises(Unreadable, match="more than"):
        schema({"x": {"$ref": "#/$defs/d29"}}, **{"$defs": defs})


def test_a_long_target_behind_many_references_is_refused() -> None:
    long = {f"k{n}": n for n in range(20_000)}
    properties = {f"p{n}": {"$ref": "#/$defs/long"} for n in range(9_000)}
    with pytest.raises(Unreadable, match="without end"):
        schema(properties, **{"$defs": {"long": {"type": "number", **long}}})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("[]", "is a map"),
        ("{}", "no object with `properties`"),
        ('{"properties": {}}', "no field in it"),
        ('{"properties": {"x": {"type": "float"}}}', "which JSON has not"),
        ('{"properties": {"x": {"$ref": "#/$defs/none"}}}', "is not there"),
        ('{"$ref": "#"}', "no object"),
    ],
)
def test_what_is_wrong_is_said(source: str, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_json_schema(source.encode())


def test_five_thousand_properties_are_five_thousand_fields() -> None:
    found = schema({f"f{number}": {"type": "number"} for number in range(5_000)})
    assert len(found.fields) == 5_000
