"""What is printed of findings: text with its caret, JSON, annotations; and nothing raw in any of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.api.build import Built
from modelspec.api.check import Checked
from modelspec.report.check import checked_github, checked_json, checked_text
from modelspec.report.compile import built_json, built_text
from modelspec.report.github import LIMIT, workflow_commands
from modelspec.report.paint import Paint
from modelspec.report.table import table
from modelspec.report.text import findings_text, summary
from modelspec.spec.registry import Registry
from modelspec.tree.clean import UNSEEN
from modelspec.tree.finding import Finding, Related
from modelspec.tree.place import Mark, Place
from modelspec.tree.snapshot import DictSnapshot

PATH = "registry/models/eta/model.yaml"
SOURCE = b'apiVersion: modelspec/v1\nkind: Model\nmodel: eta\nowner: "ada"\n'
REGISTRY = Registry(DictSnapshot({PATH: SOURCE, "registry/notes.txt": b"one\ntwo three\n"}))
PLAIN = Paint(False)


def finding(**changes: Any) -> Finding:
    keys: dict[str, Any] = {
        "code": "MS501",
        "name": "some-rule",
        "severity": "error",
        "place": Place(PATH, ("owner",)),
        "message": "ada is wrong",
        "value": "ada",
    }
    return Finding(**(keys | changes))


def test_a_finding_as_people_read_it() -> None:
    one = finding(
        related=(Related(Place(PATH, ("model",)), "as said at"), Related(Place("gone"), "and at")),
        fix="write bob",
    )
    assert findings_text(REGISTRY, [one], PLAIN) == (
        f"{PATH}:4:8: MS501 some-rule\n"
        "  ada is wrong\n"
        '     4 | owner: "ada"\n'
        "       |        ^^^^^\n"
        f"  as said at {PATH}:3:8\n"
        "  and at gone:1:1\n"
        "  fix: write bob\n"
    )


@pytest.mark.parametrize(
    ("changes", "head", "tail"),
    [
        ({"severity": "warn"}, "MS501 some-rule (warning)", ""),
        (
            {"waived": "registry/waivers/a.yaml"},
            "MS501 some-rule (waived)",
            "  waived by registry/waivers/a.yaml\n",
        ),
        ({"existing": True}, "MS501 some-rule (existing)", ""),
        ({"severity": "warn", "waived": "w"}, "MS501 some-rule (waived)", "  waived by w\n"),
    ],
)
def test_how_a_finding_counts_is_said(changes: dict[str, Any], head: str, tail: str) -> None:
    text = findings_text(REGISTRY, [finding(**changes)], PLAIN)
    assert text.splitlines()[0].endswith(head)
    assert text.endswith(tail)


@pytest.mark.parametrize(
    ("place", "where", "caret"),
    [
        (Place(PATH, ("owner",), key=True), "4:1", "^^^^^"),
        (Place(PATH), "1:1", "^"),
        (Place(PATH, ("none",)), "1:1", "^"),
        (Place("registry/notes.txt", mark=Mark(2, 5, 10)), "2:5", "^^^^^"),
        (Place("registry/none.yaml"), "1:1", None),
        (Place("registry/notes.txt", mark=Mark(9, 1, 2)), "9:1", None),
    ],
)
def test_the_caret_stands_under_what_is_meant(place: Place, where: str, caret: str | None) -> None:
    lines = findings_text(REGISTRY, [finding(place=place)], PLAIN).splitlines()
    assert lines[0].startswith(f"{place.path}:{where}: ")
    drawn = [line for line in lines if set(line.strip(" |")) == {"^"}]
    assert [line.strip(" |") for line in drawn] == ([caret] if caret else [])
    for line in drawn:
        above = lines[lines.index(line) - 1]
        assert above[line.index("^") - 1] in ' "' and len(above) >= line.rindex("^")


def test_a_caret_keeps_its_place_behind_what_is_escaped_and_in_a_long_line() -> None:
    odd = Registry(
        DictSnapshot({"a": "\u202e\x1bxx mark\n".encode(), "b": b"y" * 5000 + b" mark " + b"z" * 5000})
    )
    for place in (Place("a", mark=Mark(1, 6, 10)), Place("b", mark=Mark(1, 5002, 5006))):
        lines = findings_text(odd, [finding(place=place)], PLAIN).splitlines()
        shown, caret = lines[2], lines[3]
        assert shown[caret.index("^") : caret.rindex("^") + 1] == "mark"
        assert len(shown) < 600


def test_colours_are_only_where_they_are_asked_for() -> None:
    painted = findings_text(REGISTRY, [finding(fix="x")], Paint(True))
    assert "\x1b[31mMS501\x1b[0m" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == findings_text(REGISTRY, [finding(fix="x")], PLAIN)


def test_the_closing_line_counts_every_kind() -> None:
    found = [
        finding(), finding(), finding(severity="warn"), finding(waived="w"), finding(existing=True),
    ]  # fmt: skip
    assert summary(found, 1) == "2 errors, 1 warning, 1 existing, 1 waived in 1 file"
    assert summary([finding()], 2000) == "1 error in 2,000 files"
    assert summary([], 3) == "3 files: no findings"


def test_the_next_command_is_named_when_something_blocks() -> None:
    assert "modelspec explain MS501 says more" in checked_text(REGISTRY, Checked((finding(),), 1), PLAIN)
    assert "explain" not in checked_text(REGISTRY, Checked((finding(waived="w"),), 1), PLAIN)


def test_a_finding_as_data() -> None:
    one = finding(related=(Related(Place(PATH, ("model",)), "see"),), fix="f", waived="w")
    data = json.loads(checked_json(REGISTRY, Checked((one,), 2)))
    assert (data["format"], data["blocked"], data["files"]) == ("modelspec/check/1", False, 2)
    assert data["findings"] == [
        {
            "code": "MS501", "name": "some-rule", "severity": "error", "path": PATH, "line": 4, "column": 8,
            "end_column": 13, "route": "/owner", "value": "ada", "message": "ada is wrong",
            "related": [{"path": PATH, "line": 3, "column": 8, "end_column": 11, "route": "/model", "message": "see"}],
            "fix": "f", "waived": "w", "existing": False,
        }
    ]  # fmt: skip


def test_waived_findings_stand_in_every_report_of_both_verbs() -> None:
    waiver = "registry/waivers/eta.yaml"
    one = finding(waived=waiver)
    checked, built = Checked((one,), 1), Built({"compiled/a": b""}, (one,), 1, ("compiled",))
    reports = [
        checked_text(REGISTRY, checked, PLAIN),
        checked_json(REGISTRY, checked),
        built_text(REGISTRY, built, ("compiled/a",), PLAIN),
        built_json(REGISTRY, built, ("compiled/a",), PLAIN),
    ]
    assert all(waiver in text and "MS501" in text for text in reports)
    annotation = checked_github(REGISTRY, checked)
    assert annotation.startswith(f"::notice file={PATH},line=4,col=8,")
    assert "1 waived in 1 file" in annotation


def test_an_annotation_is_one_line_whatever_the_message_holds() -> None:
    one = finding(message="50% of\nthem: a, b\r\n::error::x", fix="line\ntwo")
    (line,) = workflow_commands(REGISTRY, [one])
    assert line == (
        f"::error file={PATH},line=4,col=8,endColumn=13,title=MS501 some-rule"
        "::50%25 of%0Athem: a, b\\x0d%0A\\::error::x%0Afix: line%0Atwo"
    )


def test_a_path_can_not_end_its_property() -> None:
    (line,) = workflow_commands(REGISTRY, [finding(place=Place("a,line=9::b%\n::c"))])
    assert line.startswith("::error file=a%2Cline=9%3A%3Ab%25%0A\\%3A%3Ac,line=1,")


def test_what_github_would_hide_is_counted() -> None:
    many = [finding() for _ in range(LIMIT + 5)] + [finding(severity="warn")]
    lines = list(workflow_commands(REGISTRY, many))
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == LIMIT
    assert errors[-1] == "::error title=modelspec::6 more findings: see the log of `modelspec check`"
    assert sum(line.startswith("::warning") for line in lines) == 1
    assert len(list(workflow_commands(REGISTRY, many[:LIMIT]))) == LIMIT


def test_what_a_compile_did_is_said() -> None:
    built = Built({"compiled/a": b"", "compiled/b": b""}, (), 1, ("compiled",))
    assert built_text(REGISTRY, built, ("compiled/a", "compiled/gone"), PLAIN) == (
        "written  compiled/a\nremoved  compiled/gone\n1 pin, 2 files: 2 files written\n"
    )
    assert built_text(REGISTRY, built, (), PLAIN) == "1 pin, 2 files: nothing to write\n"
    assert built_text(REGISTRY, built, ("compiled/a", "compiled/x"), PLAIN, compare=True) == (
        "differs  compiled/a\nextra    compiled/x\n"
        "compiled/ differs from the pins in 2 files\n  fix: modelspec compile\n"
    )
    assert built_text(REGISTRY, built, (), PLAIN, compare=True) == "compiled/ is what 1 pin says: 2 files\n"
    blocked = Built({}, (finding(),), 1, ("compiled",))
    assert built_text(REGISTRY, blocked, (), PLAIN).endswith("1 error: nothing was written\n")
    data = json.loads(built_json(REGISTRY, built, ("compiled/a", "compiled/gone"), PLAIN))
    assert data["format"] == "modelspec/compile/1"
    assert data["changes"] == [
        {"path": "compiled/a", "change": "written"}, {"path": "compiled/gone", "change": "removed"},
    ]  # fmt: skip


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([("A", "B"), ("long", ""), ("x", "y")]) == "A     B\nlong\nx     y\n"
    assert table([]) == ""


hostile = st.text(st.characters() | st.sampled_from("\x1b\u202e\u200b\n\r:#[%,\u2028\udcff"), max_size=20)


@given(hostile, hostile, hostile, hostile)
def test_no_report_carries_hidden_characters_or_commands(
    path: str, message: str, fix: str, line: str
) -> None:
    registry = Registry(DictSnapshot({path: line.encode("utf-8", "surrogatepass")}))
    one = finding(
        place=Place(path, mark=Mark(1, 2, 5)), message=message, fix=fix, waived=path,
        related=(Related(Place(path), message),),
    )  # fmt: skip
    checked = Checked((one,), 1)
    text = findings_text(registry, [one], PLAIN)
    assert not UNSEEN.search(text) and not re.search(r"^\s*(::|##\[)", text, re.MULTILINE)
    data = checked_json(registry, checked)
    assert data.isascii() and json.loads(data)["findings"][0]["path"] == path
    (command,) = workflow_commands(registry, [one])
    assert not UNSEEN.search(command) and "\n" not in command and command.count("::") >= 2
    text.encode(), command.encode()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:secret@host/a", "https://**********host/a"),
        ("https://me:sec/ret@host/a", "https://***********host/a"),
        ("https://host/a?token=secret", "https://host/a?************"),
        ("ssh://git@host/a", "ssh://git@host/a"),
        ("s3://lake/a", "s3://lake/a"),
    ],
)
def test_an_excerpt_shows_no_password_of_an_address(address: str, shown: str) -> None:
    registry = Registry(DictSnapshot({PATH: f'owner: "{address}"\n'.encode()}))
    text = findings_text(registry, [finding()], PLAIN)
    assert f'     1 | owner: "{shown}"\n       |        {"^" * (len(address) + 2)}\n' in text
