"""MLflow: a file of YAML that others wrote, and the signature in it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from modelspec.formats.foreign import Unreadable
from modelspec.formats.looseyaml import read_yaml
from modelspec.formats.mlflow import from_mlmodel


def signature(*inputs: Any) -> Any:
    return {"signature": {"inputs": json.dumps(inputs)}}


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ({"type": "long", "name": "x"}, {"dtype": "int64"}),
        ({"type": "long", "name": "x", "optional": True}, {"dtype": "int64", "nullable": True}),
        ({"type": "binary", "name": "x", "required": False}, {"dtype": "bytes", "nullable": True}),
        (
            {"type": "tensor", "name": "x", "tensor-spec": {"dtype": "object", "shape": [-1]}},
            {"dtype": "string"},
        ),
        (
            {"type": "tensor", "name": "x", "tensor-spec": {"dtype": "uint8", "shape": [-1, -1, 3]}},
            {"dtype": "uint8", "shape": [-1, 3]},
        ),
    ],
)
def test_columns(column: Any, wanted: dict[str, Any]) -> None:
    (field,) = from_mlmodel(signature(column)).fields
    assert field == {"name": "x", **wanted}


def test_a_column_without_a_name_is_named_by_its_place() -> None:
    found = from_mlmodel(signature({"type": "long"}, {"type": "double"}))
    assert [field["name"] for field in found.fields] == ["column_0", "column_1"]
    assert "has no name in the source" in found.notes[0].message


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("x", "no signature"),
        ({"flavors": {}}, "no signature"),
        ({"signature": {"inputs": ""}}, "no signature"),
        ({"signature": {"inputs": "{"}}, "line 1"),
        ({"signature": {"inputs": '{"a": 1}'}}, "no list"),
        ({"signature": {"inputs": "[1]"}}, "no map"),
        (signature({"type": "tensor", "name": "x"}), "no `tensor-spec`"),
        (
            signature({"type": "tensor", "name": "x", "tensor-spec": {"dtype": "f", "shape": ["a"]}}),
            "whole numbers",
        ),
        (signature({"type": "map", "name": "x", "values": {"type": "long"}}), "no field is map"),
        (signature({"type": "object", "name": "x", "properties": {"a": 1}}), "no map"),
    ],
)
def test_what_is_wrong_is_said(data: Any, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_mlmodel(data)


def test_loose_yaml_keeps_every_scalar_as_text() -> None:
    text = b"a: 012\nb: no\nc: 2026-01-01\nd: null\ne: &x [1, 1e3]\nf: *x\ng: !!python/object:os.system x\n"
    assert read_yaml(text) == {
        "a": "012", "b": "no", "c": "2026-01-01", "d": "", "e": ["1", "1e3"], "f": ["1", "1e3"], "g": "x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "empty"),
        (b"a: [1", "this is not YAML"),
        (b"a: *b", "stands inside of what it names|undefined"),
        (b"a: &a [*a]", "stands inside of what it names"),
        (b"[" * 500_000, "nested deeper than 64|not YAML"),
        (b"{a: " * 500_000, "nested deeper than 64|not YAML"),
        (b"- x\n" * 250_000, "more than 200,000 values"),
        (b"[a]: 1", "a key is no text"),
        (b"a: 1\n---\nb: 2", "more than one YAML document"),
        (b"a: \xff", "this is not YAML"),
        (b"x" * 9_000_000, "more than 8,388,608 bytes"),
    ],
)
def test_hostile_yaml(text: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read_yaml(text)


def test_aliases_of_aliases_count_as_often_as_whoever_goes_through_them_meets_them() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    start = time.perf_counter()
    with pytest.raises(Unreadable, match="more than 200,000 values"):
        read_yaml("\n".join(lines).encode())
    assert time.perf_counter() - start < 1
    chain = ["a0: &a0 [x]", *(f"a{n}: &a{n} {{b: *a{n - 1}}}" for n in range(1, 62))]
    data = read_yaml("\n".join(chain).encode())
    assert json.dumps(data).count("{") == 1 + sum(range(62))
    with pytest.raises(Unreadable, match="nested deeper than 64"):
        read_yaml("\n".join([*chain, "y: &y {b: [*a61]}", "z: *y"]).encode())
