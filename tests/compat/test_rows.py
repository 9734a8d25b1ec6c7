"""Every row of the table, in both directions, by the cases that name it."""

from __future__ import annotations

from typing import Any

import pytest

from modelspec.compat.fields import judge
from modelspec.compat.rows import TABLE
from modelspec.compat.table import PEERS, Verdict
from modelspec.spec.feature import FeatureSchema

from .cases import cases, sides

FIELD_GROUPS = ("structure", "value", "media")
FIELD_CASES = [case for group in FIELD_GROUPS for case in cases(group)]


def title(case: dict[str, Any]) -> str:
    return f"{case['row']}: {case.get('old', case.get('in_old'))} -> {case.get('new', case.get('in_new'))}"[
        :120
    ]


@pytest.mark.parametrize("case", FIELD_CASES, ids=title)
@pytest.mark.parametrize("column", ["out", "back"])
def test_a_row_judges_its_change(case: dict[str, Any], column: str) -> None:
    if column not in case:
        return
    old, new = sides(case)
    trained, served = (new, old) if column == "out" else (old, new)
    found = judge(trained, served)
    rows = {change.row: change.verdict for change in found.changes}
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
            if change.row in ("view-order", "descriptive") or column not in case:
                continue
            assert change.message.startswith(("x", "y", "the "))
            if not change.row.startswith(("added", "removed", "renamed")):
                assert ("(was " if column == "back" else "(trained on ") in change.message


def test_every_row_of_a_field_has_a_case() -> None:
    named = {case["row"] for case in FIELD_CASES}
    rows = {row.key for row in TABLE.values() if row.group in FIELD_GROUPS}
    # A positional vector is a signature's, a returning name takes three schemas: tested there.
    assert rows - named == {"vector-order", "name-returns"}


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
