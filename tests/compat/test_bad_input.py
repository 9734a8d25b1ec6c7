"""Schemas that nobody should write: refused with a place, quickly, and never with an exception."""

from __future__ import annotations

import time

import pytest

from modelspec.compat.fields import judge
from modelspec.compat.schema import schema_flaws
from modelspec.compat.table import Verdict
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import SCHEMA
from modelspec.spec.reader import Broken, Entry, Reader
from modelspec.tree.snapshot import DictSnapshot
from rules.cases import findings, printed

from .cases import schema

PATH = "registry/features/trips/2.yaml"
HEAD = "apiVersion: modelspec/v1\nkind: FeatureSchema\nview: trips\nnumber: 2\nentity: trip_id\nfields:\n"


def told(fields: str) -> list[str]:
    """Return what is found in the schema with these fields, in a registry."""
    registry, found = findings({"edits": [{"file": PATH, "content": HEAD + fields}]})
    return [printed(registry, one) for one in found]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        # A transformation can name no other field, so a ring of them can't be written in any way.
        ("  - &x {name: hour, dtype: float32, transform: *x}\n", "MS003"),
        ("  - {name: a, dtype: float32, transform: {kind: linear, of: a}}\n", "MS006"),
        ("  - {name: a, dtype: float32, alias: b}\n  - {name: b, dtype: float32, alias: a}\n", "MS222"),
        ("  - {name: a, dtype: float32, range: [low, high]}\n", "MS007"),
        ("  - {name: a, dtype: float32, range: {from: 0, to: 1}}\n", "MS007"),
        ("  - {name: a, dtype: float32, range: [0, 1, 2]}\n", "MS007"),
        ("  - {name: a, dtype: float32, range: 0-1}\n", "MS007"),
        ("  - {name: a, dtype: float32, range: [0, .inf]}\n", "MS004"),
        ("  - {name: a, dtype: float32, range: [0, .nan]}\n", "MS004"),
        ("  - {name: a, dtype: float32, transform: {kind: minmax, min: zero, max: 1}}\n", "MS007"),
        ("  - {name: a, dtype: float32, transform: {kind: fourier}}\n", "MS007"),
        ("  - {name: a, dtype: float32}\n  - {name: a, dtype: string}\n", "MS222"),
        ("  - {name: a, dtype: float32, dtype: string}\n", "MS003"),
        ("  - {name: a, dtype: complex128}\n", "MS007"),
        ("  - {name: a, dtype: float32, transform: {kind: ordinal, codes: {a: 0.5}}}\n", "MS007"),
    ],
)  # fmt: skip
def test_a_schema_that_contradicts_its_form_is_a_finding_with_a_place(fields: str, code: str) -> None:
    found = told(fields)
    assert any(line.startswith(f"{PATH}:") and f" {code} " in line for line in found), found


def test_a_ring_of_needs_ends() -> None:
    version = "registry/models/eta/versions/1.3.0.yaml"
    ref = "1.3.0@sha256:" + "0" * 64
    registry, found = findings(
        {
            "edits": [
                {
                    "file": version,
                    "old": "tolerance: 0",
                    "new": f"tolerance: 0\nneeds: [{{model: eta, version: {ref}}}]\nlineage: {{parent: {ref}}}",
                },
            ],
            "history": [],
        }
    )
    assert "MS521" in {one.code for one in found}, [printed(registry, one) for one in found]


def test_a_view_of_5000_fields_is_read_and_judged_in_time() -> None:
    whole = (
        "dtype: float32, unit: km, nullable: false, source: {dtype: float64, unit: km, range: [0, 120]}, "
        "transform: {kind: minmax, min: 0, max: 120, clip: true}"
    )

    def view(top: int, rest: str = "dtype: float32") -> Entry[FeatureSchema]:
        fields = (f"  - {{name: f{place}, {rest}, range: [0, {top}]}}\n" for place in range(5000))
        blob = DictSnapshot({PATH: (HEAD + "".join(fields)).encode()}).get(PATH)
        assert blob is not None
        entry = Reader().read(SCHEMA, ("trips", "2"), PATH, blob)
        assert isinstance(entry, Entry)
        return entry

    started = time.process_time()
    narrow, wide = view(1), view(3)
    assert list(schema_flaws(narrow.value)) == []
    assert [one.verdict for one in judge(narrow.value, wide.value, column="back").fields] == [
        Verdict.B
    ] * 5000
    assert judge(narrow.value, wide.value, ("f7",), column="back").worst[0].row == "range-widened"
    # With everything declared it had more values than were read.
    assert list(schema_flaws(view(1, whole).value)) == []
    assert time.process_time() - started < 15


def test_a_file_beyond_the_limits_of_the_reader_is_refused_and_not_read_in_part() -> None:
    text = HEAD + "".join(f"  - {{name: f{place}, dtype: int8}}\n" for place in range(26_000))
    text += "".join(f"  - {{tags: [{'1,' * 30}]}}\n" for _ in range(2_400))
    blob = DictSnapshot({PATH: text.encode()}).get(PATH)
    assert blob is not None
    entry = Reader().read(SCHEMA, ("trips", "2"), PATH, blob)
    assert isinstance(entry, Broken) and entry.faults[0].rule == "yaml-subset"
    assert entry.faults[0].fix is not None and "several views" in entry.faults[0].fix


def test_a_number_that_skips_is_a_schema_like_any_other() -> None:
    old, new = (
        schema(1, {"fields": [{"name": "x", "dtype": "float32"}]}),
        schema(900_000_000, {"fields": [{"name": "x", "dtype": "float32"}]}),
    )
    assert judge(old, new).verdict == judge(new, old).verdict == 0
