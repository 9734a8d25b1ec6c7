"""The structural part of the table beside Avro's own resolution: where they differ, docs/avro.md says why.

Avro's reader is who was trained, its writer is who serves.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given

from docs.pages import ROOT, prose
from modelspec.compat.fields import FieldJudgement, judge
from modelspec.compat.table import Verdict

from .avro_records import Keys, converted, pairs

REFERENCE = "the public reference implementation is the avro package"
avro_schema = pytest.importorskip("avro.schema", reason=REFERENCE)
compatibility = pytest.importorskip("avro.compatibility", reason=REFERENCE)

STRICTER = {
    "int-float": "an integer for a float",
    "kind-of-type": "another kind of type with the same bytes",
    "decimal-scale": "another kind of type with the same bytes",
    "decimal-precision": "another kind of type with the same bytes",
    "added-default": "a constant for a missing field",
    "removed-default": "a constant for a missing field",
    "added": "null for a missing field",
    "removed": "null for a missing field",
    "renamed": "null for a missing field",
    "renamed-alias": "a renamed field",
    "default": "another default",
    "declared-once": "a default on one side",
    "categories-added": "a symbol that falls back",
    "categories-removed": "a symbol that falls back",
}
"""Avro resolves, we say R or B: the row that decides -> the class in docs/avro.md."""
LAXER = {
    "width": "a narrower number",
    "not-nullable": "a null that falls back",
    "nullable": "a null that falls back",
    "default": "a null that falls back",
    "declared-once": "text for a symbol",
}
"""Avro refuses, we say S or R: the row that decides -> the class."""


def resolves(reader: Keys, writer: Keys) -> bool:
    """Whether Avro's checker lets the reader read what the writer wrote."""
    sides = [avro_schema.parse(json.dumps(one)) for one in (reader, writer)]
    found = compatibility.ReaderWriterCompatibilityChecker().get_compatibility(*sides)
    return found.compatibility is compatibility.SchemaCompatibilityType.compatible


def only(record: Keys, name: str) -> Keys:
    """Return a record with one of its fields."""
    return record | {"fields": [one for one in record["fields"] if one["name"] == name]}


def difference(avro: bool, ours: FieldJudgement) -> str | None:
    """Return the class of a disagreement about one field, or None where both say the same."""
    if (avro, ours.verdict) in ((True, Verdict.S), (False, Verdict.B)):
        return None
    known = STRICTER if avro else LAXER
    deciding = [one.row for one in ours.changes if one.verdict is ours.verdict or not avro]
    classes = [known[row] for row in deciding if row in known]
    assert classes, f"Avro {'resolves' if avro else 'refuses'} it, we say {ours}"
    if avro:
        assert len(classes) == len(deciding), f"a reason that no class knows: {ours}"
    return classes[0]


@given(pairs())
def test_every_difference_has_a_class(pair: tuple[Keys, Keys]) -> None:
    reader, writer = pair
    found = judge(converted(2, reader), converted(1, writer))
    for ours in found.fields:
        difference(resolves(only(reader, ours.field), writer), ours)


@given(pairs())
def test_a_record_is_judged_by_its_worst_field(pair: tuple[Keys, Keys]) -> None:
    """Field by field is no shortcut of this test: Avro judges a record in the same way."""
    reader, writer = pair
    names = [one["name"] for one in reader["fields"]]
    assert resolves(reader, writer) == all(resolves(only(reader, name), writer) for name in names)


def enum(symbols: str, **more: Any) -> Keys:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def of(kind: Any, **more: Any) -> list[Keys]:
    return [{"name": "x", "type": kind, **more}]


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
EXAMPLES: list[tuple[str | None, list[Keys], list[Keys], bool, str]] = [
    (None, of("long"), of("int"), True, "S"),
    (None, of("double"), of("float"), True, "S"),
    (None, of("int"), of("float"), False, "B"),
    (None, of("int"), of("boolean"), False, "B"),
    (None, of("string"), of("int"), False, "B"),
    (None, of("int"), [], False, "B"),
    (None, [], of("int"), True, "S"),
    (None, of(["null", "int"]), of("int"), True, "S"),
    (None, of("int"), of(["null", "int"]), False, "B"),
    (None, of(enum("abc")), of(enum("ab")), True, "S"),
    (None, of(enum("ab")), of(enum("abc")), False, "B"),
    (None, of(enum("ab")), of(enum("ba")), True, "S"),
    ("a renamed field", [{"name": "y", "type": "int", "aliases": ["x"]}], of("int"), True, "B"),
    (None, of("int"), [{"name": "y", "type": "int", "aliases": ["x"]}], False, "B"),
    ("an integer for a float", of("float"), of("long"), True, "R"),
    ("an integer for a float", of("double"), of("long"), True, "R"),
    (None, of("double"), of("int"), True, "S"),
    ("another kind of type with the same bytes", of("string"), of("bytes"), True, "B"),
    ("another kind of type with the same bytes", of("int"), of({"type": "int", "logicalType": "date"}), True, "B"),
    ("another kind of type with the same bytes", of(DECIMAL), of({**DECIMAL, "scale": 3}), True, "B"),
    ("another kind of type with the same bytes", of({**DECIMAL, "precision": 5}), of(DECIMAL), True, "R"),
    ("a constant for a missing field", of("int", default=0), [], True, "R"),
    (
        "a renamed field",
        of("int", default=0),
        [{"name": "y", "type": "int", "aliases": ["x"]}],
        True,
        "B",
    ),
    ("null for a missing field", of(["null", "int"], default=None), [], True, "B"),
    ("another default", of("int", default=0), of("int", default=1), True, "B"),
    ("a default on one side", of("int", default=0), of("int"), True, "R"),
    ("a symbol that falls back", of(enum("ab", default="a")), of(enum("abc", default="a")), True, "R"),
    ("a narrower number", of("int"), of("long"), False, "R"),
    ("a narrower number", of("float"), of("double"), False, "R"),
    ("a null that falls back", of(enum("ab", default="a")), of(["null", enum("ab", default="a")]), False, "R"),
    ("text for a symbol", of(enum("ab")), of("string"), False, "R"),
    ("text for a symbol", of("string"), of(enum("ab")), False, "R"),
]  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one[1]} reads {one[2]}"[:100])
def test_an_example_of_a_class(example: tuple[str | None, list[Keys], list[Keys], bool, str]) -> None:
    name, trained, served, avro, verdict = example
    reader, writer = ({"type": "record", "name": "R", "fields": one} for one in (trained, served))
    assert resolves(reader, writer) is avro
    found = judge(converted(2, reader), converted(1, writer))
    assert found.verdict is Verdict[verdict]
    assert [difference(avro, one) for one in found.fields] == ([name] if trained else [])


def test_the_page_explains_every_class_and_no_other() -> None:
    page = prose(ROOT / "docs" / "avro.md")
    told = set(re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.MULTILINE))
    shown = {example[0] for example in EXAMPLES} - {None}
    assert told == {*STRICTER.values(), *LAXER.values()} == shown
