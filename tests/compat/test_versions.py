"""The rows on signatures, artifacts and runtimes, in both directions, by the cases that name them."""

from __future__ import annotations

from typing import Any

import pytest

from modelspec.compat.artifact import Host, host_changes, rebuilt_changes
from modelspec.compat.rows import TABLE
from modelspec.compat.signature import signature_changes
from modelspec.compat.table import Bump, Verdict
from modelspec.spec.model import Code, Runtime

from .cases import cases, version

SIGNATURE_CASES = cases("signature")
RUNTIME_CASES = cases("runtime")


def title(case: dict[str, Any]) -> str:
    shown = {
        key: value for key, value in case.items() if key not in ("row", "out", "back", "verdict", "bump")
    }
    return f"{case['row']}: {shown}"[:120]


@pytest.mark.parametrize("case", SIGNATURE_CASES, ids=title)
@pytest.mark.parametrize("column", ["out", "back"])
def test_a_row_judges_what_callers_meet(case: dict[str, Any], column: str) -> None:
    changes = list(signature_changes(version(case["old"]), version(case["new"]), column))  # type: ignore[arg-type]
    rows = {change.row: change.verdict for change in changes}
    if column in case.get("unread", ()):
        assert (rows, case[column]) == ({}, "S")
        return
    assert set(rows) == {case["row"], *case.get("also", ())}
    assert rows[case["row"]] is Verdict[case[column]]
    assert rows[case["row"]] in TABLE[case["row"]].allowed(column) or TABLE[case["row"]].mirror  # type: ignore[arg-type]
    assert all(change.message for change in changes)


@pytest.mark.parametrize("case", RUNTIME_CASES, ids=title)
def test_a_row_judges_what_runs_a_version(case: dict[str, Any]) -> None:
    if "old" in case:
        changes = list(rebuilt_changes(version(case["old"]), version(case["new"])))
    else:
        code = Code.model_validate(case["host_code"]) if "host_code" in case else None
        changes = list(
            host_changes(version(case["version"]), Host(Runtime.model_validate(case["host"]), code))
        )
    if case["row"] is None:
        assert changes == []
        return
    assert {change.row for change in changes} == {case["row"]}
    assert {change.verdict for change in changes} == {Verdict[case["verdict"]]}
    assert {change.bump for change in changes} == {Bump[case["bump"]]}


@pytest.mark.parametrize("cases", [SIGNATURE_CASES, RUNTIME_CASES], ids=["signature", "runtime"])
def test_a_version_changes_nothing_against_itself(cases: list[dict[str, Any]]) -> None:
    for content in [case[key] for case in cases for key in ("old", "new", "version") if key in case]:
        one = version(content)
        assert not list(signature_changes(one, one, "out"))
        assert not list(rebuilt_changes(one, one))


def test_every_row_of_a_version_has_a_case() -> None:
    named = {case["row"] for case in (*SIGNATURE_CASES, *RUNTIME_CASES)}
    assert {row.key for row in TABLE.values() if row.group in ("signature", "runtime")} <= named


def test_a_version_without_a_signature_is_not_judged() -> None:
    one = version({"inputs": [{"name": "a", "dtype": "float32", "shape": [-1]}]})
    lost = one.model_copy(update={"signature": None})
    assert not list(signature_changes(one, lost, "out"))
    assert not list(signature_changes(lost, one, "back"))
