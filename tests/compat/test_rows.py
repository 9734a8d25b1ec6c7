"""Every row of the table, in both directions, by the cases that name it."""

from __future__ import annotations

from typing import Any

import pytest

from modelspec.compat.fields import judge
from modelspec.compat.modes import breaches
from modelspec.compat.rows import TABLE
from modelspec.compat.table import PEERS, Column, Verdict
from modelspec.spec.feature import FeatureSchema

from .cases import cases, schema, sides

COLUMNS: tuple[Column, ...] = ("out", "back")
FIELD_GROUPS = ("structure", "value", "media")
FIELD_CASES = [case for group in FIELD_GROUPS for case in cases(group)]


def title(case: dict[str, Any]) -> str:
    return f"{case['row']}: {case.get('old', case.get('in_old'))} -> {case.get('new', case.get('in_new'))}"[
        :120
    ]


@pytest.mark.parametrize("case", FIELD_CASES, ids=title)
@pytest.mark.parametrize("column", ["out", "back"])
def test_a_row_judges_its_change(case: dict[str, Any], column: str) -> None:
    old, new = sides(case)
    trained, served = (new, old) if column == "out" else (old, new)
    found = judge(trained, served)
    rows = {change.row: change.verdict for change in found.changes}
    if column in case.get("unread", ()):
        assert (found.fields, found.changes, found.verdict) == ((), (), Verdict[case[column]])
        return
    if "in_gap" in case:
        # No row of its own: the two contracts are compared across the gap, and the parts say what differs.
        assert set(rows) == set(case["also"])
        assert found.verdict is Verdict[case[column]] is TABLE[case["row"]].verdict(column)
        gap = schema(9, case["in_gap"])
        # A pairwise promise does not see across the gap, a transitive one does.
        assert breaches("FORWARD", [old, gap], new) == ()
        assert [one.earlier for one in breaches("FORWARD_TRANSITIVE", [old, gap], new)] == [old]
        return
    assert set(rows) - {case["row"]} == set(case.get("also", ()))
    assert rows[case["row"]] is Verdict[case[column]]
    assert rows[case["row"]] in TABLE[case["row"]].allowed(column) or TABLE[case["row"]].mirror
    assert found.verdict is max(rows.values())


@pytest.mark.parametrize("case", FIELD_CASES, ids=title)
def test_the_verdict_does_not_know_which_side_is_older(case: dict[str, Any]) -> None:
    for trained, served in (sides(case), sides(case)[::-1]):
        assert judge(trained, served, column="out").verdict is judge(trained, served, column="back").verdict


@pytest.mark.parametrize("case", FIELD_CASES, ids=title)
def test_messages_name_the_field_and_both_sides(case: dict[str, Any]) -> None:
    old, new = sides(case)
    for column, (trained, served) in {"out": (new, old), "back": (old, new)}.items():
        for change in judge(trained, served).changes:
            if change.row in ("view-order", "descriptive"):
                continue
            assert change.message.startswith(("x", "y", "the "))
            if not change.row.startswith(("added", "removed", "renamed")):
                said = ("(was ", "(were ") if column == "back" else ("(trained on ",)
                assert any(words in change.message for words in said)


def test_every_row_of_a_field_has_a_case() -> None:
    named = {case["row"] for case in FIELD_CASES}
    rows = {row.key for row in TABLE.values() if row.group in FIELD_GROUPS}
    # A positional vector is a signature's: tested there.
    assert rows - named == {"vector-order"}


def test_every_row_has_a_case_for_both_columns() -> None:
    """What the table says without any condition is what a case shows, in each direction."""
    shown = {
        (case["row"], column, case.get(column, case.get("verdict")))
        for group in (*FIELD_GROUPS, "signature", "runtime")
        for case in cases(group)
        if "when" not in case
        for column in ("out", "back")
    }
    says = {(row.key, column, row.verdict(column).name) for row in TABLE.values() for column in COLUMNS}
    assert says <= shown, says - shown


def test_a_field_that_comes_back_as_it_was_is_the_same_field() -> None:
    case = next(case for case in FIELD_CASES if case["row"] == "name-returns")
    assert judge(schema(1, case["in_old"]), schema(3, case["in_old"])).verdict is Verdict.S


def test_every_condition_of_a_field_has_a_case() -> None:
    named = {(case["row"], case["when"]) for case in FIELD_CASES if "when" in case}
    assert named == {
        (row.key, unless.when) for row in TABLE.values() if row.group in FIELD_GROUPS for unless in row.unless
    }


def test_cases_of_a_condition_differ_from_the_row() -> None:
    for case in FIELD_CASES:
        if "when" in case:
            row = TABLE[case["row"]]
            assert (case.get("out"), case.get("back")) != (row.out.name, row.back.name)


def test_rows_are_complete_sentences_about_known_peers() -> None:
    for row in TABLE.values():
        assert row.why.endswith("."), row.key
        assert row.why[0].isupper(), row.key
        assert {*row.follows, *row.departs} <= set(PEERS), row.key


def test_a_field_that_nobody_has_is_absent() -> None:
    empty = FeatureSchema.model_validate(
        {"apiVersion": "modelspec/v1", "kind": "FeatureSchema", "view": "v", "number": 1, "fields": []}
    )
    found = judge(empty, empty, ["x"])
    assert found.absent == ("x",)
    assert found.verdict is Verdict.B
