"""JSON Schemas of targets: judged in words, and no schema reaches beyond its file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelspec.compile.schema import MAX_TROUBLES, Schema, Trouble, compiled

REPLICAS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "min": {"type": "integer", "minimum": 1, "maximum": 9},
        "cpu": {"type": "string", "pattern": "^[0-9]+m?$"},
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "$defs": {"replicas": REPLICAS},
    "properties": {
        "replicas": {"$ref": "#/$defs/replicas"},
        "mode": {"enum": ["all", "none"]},
        "zones": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "required": ["mode"],
}


def schema(data: Any) -> Schema:
    found = compiled(json.dumps(data).encode())
    assert isinstance(found, Schema), found
    return found


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        ({"mode": "al"}, Trouble(("mode",), "mode is one of all, none; found al", "did you mean all?")),
        ({}, Trouble((), "mode is missing", "add `mode:`")),
        ({"mode": "all", "replica": 1},
         Trouble(("replica",), "the key replica is unknown", "did you mean replicas?", key=True)),
        ({"mode": "all", "replicas": {"mix": 1}},
         Trouble(("replicas", "mix"), "the key mix in replicas is unknown", "did you mean min?", key=True)),
        ({"mode": "all", "replicas": {"zzz": 1}},
         Trouble(("replicas", "zzz"), "the key zzz in replicas is unknown", "known here: cpu, min", True)),
        ({"mode": "all", "replicas": {"min": 0}},
         Trouble(("replicas", "min"), "replicas.min is at least 1; found 0")),
        ({"mode": "all", "replicas": {"min": 10}},
         Trouble(("replicas", "min"), "replicas.min is at most 9; found 10")),
        ({"mode": "all", "replicas": {"min": "1"}},
         Trouble(("replicas", "min"), "replicas.min is a whole number; found the text 1")),
        ({"mode": "all", "replicas": {"min": True}},
         Trouble(("replicas", "min"), "replicas.min is a whole number; found true")),
        ({"mode": "all", "replicas": []}, Trouble(("replicas",), "replicas is a map; found a list")),
        ({"mode": "all", "replicas": {"cpu": "1x\n"}},
         Trouble(("replicas", "cpu"), "replicas.cpu does not match ^[0-9]+m?$; found 1x\\x0a")),
        ({"mode": "all", "zones": ["a", None]}, Trouble(("zones", 1), "zones[1] is text; found nothing")),
        ({"mode": "all", "zones": []}, Trouble(("zones",), "zones does not fit: [] has less than 1 item")),
        (1, Trouble((), "the whole is a map; found 1")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_words(data: Any, trouble: Trouble) -> None:
    assert schema(SCHEMA).troubles(data) == [trouble]


def test_what_fits_is_silent_and_more_than_enough_is_cut() -> None:
    assert (
        schema(SCHEMA).troubles({"mode": "all", "replicas": {"min": 1, "cpu": "500m"}, "zones": ["a"]}) == []
    )
    assert len(schema(SCHEMA).troubles({"mode": "all", "zones": [1] * 500})) == MAX_TROUBLES


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"{", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": 1, "a": 2}', "the key a stands there twice"),
        (b"[]", "it is no map"),
        (b"true", "it is no map"),
        (b'{"type": "objekt"}', "it is no JSON Schema"),
        (b'{"$ref": "#/nowhere"}', "it is no JSON Schema"),
        (b'{"$ref": "https://example.com/a.json"}', "https://example.com/a.json, which is outside"),
        (b'{"$ref": "file:///etc/passwd"}', "file:///etc/passwd, which is outside"),
        (b'{"properties": {"a": {"$ref": "other.json"}}}', "other.json, which is outside"),
        (b'{"pattern": "("}', "it is no JSON Schema"),
        (b'{"pattern": "(?=a)"}', "it is no JSON Schema"),
        (b'{"pattern": "(a{1000}){1000}"}', "it is no JSON Schema"),
        (b'{"$schema": "https://example.com/meta"}', "example.com/meta"),
    ],
)
def test_what_is_no_schema_of_its_own_is_refused(source: bytes, said: str) -> None:
    found = compiled(source)
    assert isinstance(found, str)
    assert said in found and "\n" not in found


def test_patterns_take_linear_time() -> None:
    found = schema({"pattern": "^(a+)+$"}).troubles("a" * 50_000 + "!")
    assert len(found) == 1 and len(found[0].message) < 250


def test_a_schema_may_refer_to_itself() -> None:
    tree = schema({"type": "object", "additionalProperties": {"$ref": "#"}})
    assert tree.troubles({"a": {"b": {}}}) == []
    assert tree.troubles({"a": {"b": 1}}) == [Trouble(("a", "b"), "a.b is a map; found 1")]
