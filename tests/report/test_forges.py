"""The reports that forges read, each judged by what reads it: SARIF's schema, an XML parser, a JSON parser."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Git, Run, edit
from modelspec.api.catalogue import CATALOGUE
from modelspec.report.fingerprint import fingerprinted
from modelspec.report.gitlab import code_quality
from modelspec.report.junit import junit
from modelspec.report.sarif import LIMIT, sarif
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding, Related
from modelspec.tree.place import Place
from modelspec.tree.snapshot import DictSnapshot

PATH = "registry/models/eta/model.yaml"
SOURCE = b'apiVersion: modelspec/v1\nkind: Model\nmodel: eta\nowner: "ada"\n'
REGISTRY = Registry(DictSnapshot({PATH: SOURCE}))
_PUBLISHED = (Path(__file__).parent / "sarif-2.1.0.schema.json").read_text()
# One pattern of the published schema has a bracket too many, which strict readers of patterns refuse.
SCHEMA = jsonschema_rs.validator_for(json.loads(_PUBLISHED.replace("{2}]?$", "{2}$")), validate_formats=True)
PIN = "registry/environments/production/features/trip_features.yaml"


def finding(**changes: Any) -> Finding:
    keys: dict[str, Any] = {
        "code": "MS301",
        "name": "schema-served",
        "severity": "error",
        "place": Place(PATH, ("owner",)),
        "message": "ada is wrong",
        "value": "ada",
    }
    return Finding(**(keys | changes))


def log(*findings: Finding, prefix: str = "", compared: bool = False) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(sarif(REGISTRY, findings, CATALOGUE, prefix, compared=compared))
    SCHEMA.validate(data)
    run: dict[str, Any] = data["runs"][0]
    return run


def cases(*findings: Finding, unrun: tuple[str, ...] = ()) -> dict[str, ET.Element]:
    root = ET.fromstring(junit(REGISTRY, findings, CATALOGUE, unrun))
    return {case.attrib["name"].split()[0]: case for case in root.iter("testcase")}


def test_the_schema_tells_bad_sarif_from_good() -> None:
    data = json.loads(sarif(REGISTRY, [finding()], CATALOGUE))
    assert SCHEMA.is_valid(data)
    data["runs"][0]["results"][0]["level"] = "fatal"
    assert not SCHEMA.is_valid(data)


def test_sarif_has_place_rule_help_and_fingerprint() -> None:
    run = log(
        finding(fix="write bob", related=(Related(Place(PATH, ("model",)), "as said at"),)), prefix="a b/"
    )
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": f"a%20b/{PATH}", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 4, "startColumn": 8, "endColumn": 13}
    assert result["message"]["text"] == "ada is wrong\nfix: write bob"
    assert result["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 3
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "MS301" and "*Why:*" in rule["help"]["text"]
    assert re.fullmatch("[0-9a-f]{64}", result["partialFingerprints"]["modelspec/v1"])
    assert "baselineState" not in result and "suppressions" not in result


def test_sarif_says_what_is_waived_and_what_the_base_had() -> None:
    waived, existing, new = log(
        finding(waived="registry/waivers/a.yaml"), finding(existing=True), finding(), compared=True
    )["results"][::-1]
    assert waived["suppressions"][0]["status"] == "accepted"
    assert "registry/waivers/a.yaml" in waived["suppressions"][0]["justification"]
    assert [one["baselineState"] for one in (existing, new)] == ["unchanged", "new"]


def test_sarif_keeps_what_blocks_where_a_forge_keeps_no_more() -> None:
    warnings = [finding(severity="warn", value=str(at)) for at in range(LIMIT + 1)]
    run = log(*warnings, finding(value="last"))
    assert len(run["results"]) == LIMIT and run["results"][0]["level"] == "error"
    said = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert said.startswith("2 findings left out")


def test_a_fingerprint_stays_when_lines_move_and_is_never_twice_in_a_report() -> None:
    moved = Registry(DictSnapshot({PATH: b"# a comment\n\n" + SOURCE}))
    before, after = (json.loads(code_quality(one, [finding()])) for one in (REGISTRY, moved))
    assert before[0]["fingerprint"] == after[0]["fingerprint"]
    assert [one[0]["location"]["lines"]["begin"] for one in (before, after)] == [4, 6]
    same = [finding(), finding(), finding(value="bob"), finding(place=Place(PATH, ("owner", 0)))]
    assert len({fingerprint for _, fingerprint in fingerprinted(same)}) == 4


def test_junit_has_a_case_for_each_rule() -> None:
    listed = cases(
        finding(message='"ada" < bob & co'),
        finding(code="MS501", name="pin-version-known", severity="warn"),
        unrun=("MS401",),
    )
    assert set(listed) == {rule.code for rule in CATALOGUE}
    failure = listed["MS301"].find("failure")
    assert failure is not None and failure.text == f'{PATH}:4:8: "ada" < bob & co'
    assert failure.attrib["message"].startswith("1 finding: ")
    assert listed["MS501"].find("failure") is None
    assert (listed["MS501"].findtext("system-out") or "").startswith("warn: registry/")
    assert listed["MS401"].find("skipped") is not None
    assert not list(listed["MS101"])


def test_junit_counts_what_it_holds() -> None:
    root = ET.fromstring(junit(REGISTRY, [finding(), finding(waived="w")], CATALOGUE, ("MS401", "MS402")))
    assert root.attrib["failures"] == "1" == str(len(list(root.iter("failure"))))
    assert root.attrib["skipped"] == "2" == str(len(list(root.iter("skipped"))))
    assert root.attrib["tests"] == str(len(list(root.iter("testcase"))))


def test_gitlab_gets_what_it_requires() -> None:
    issues = json.loads(
        code_quality(REGISTRY, [finding(), finding(severity="warn"), finding(waived="w")], "ml/")
    )
    assert [one["severity"] for one in issues] == ["critical", "minor", "info"]
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["location"] == {"path": f"ml/{PATH}", "lines": {"begin": 4}}


@given(st.text(), st.text(), st.text(min_size=1))
def test_hostile_text_breaks_no_report(message: str, fix: str, path: str) -> None:
    one = finding(message=message, fix=fix, place=Place(path), waived=None)
    other = finding(message=message, fix=fix, place=Place(path), waived=path, code="MS302")
    log(one, other)
    assert len(json.loads(code_quality(REGISTRY, [one, other]))) == 2
    assert cases(one, other)["MS301"].find("failure") is not None


def test_one_run_writes_every_report(invoke: Run, git: Git, tmp_path: Path) -> None:
    edit(git.root, PIN, "serves:\n  - 1@", "serves:\n  - 9@")
    forms = {"sarif": "a.sarif", "junit": "a.xml", "gitlab": "a.json", "text": "a.txt", "json": "b.json"}
    reports = [part for form, file in forms.items() for part in ("--report", f"{form}={tmp_path / file}")]
    done = invoke("check", "--format", "github", *reports, cwd=git.root)
    assert done.returncode == 1 and done.stdout.startswith("::error file=registry/")
    told = json.loads((tmp_path / "b.json").read_text())["findings"]
    SCHEMA.validate(sarif_log := json.loads((tmp_path / "a.sarif").read_text()))
    assert len(sarif_log["runs"][0]["results"]) == len(told) > 0
    assert len(json.loads((tmp_path / "a.json").read_text())) == len(told)
    assert ET.parse(tmp_path / "a.xml").getroot().attrib["failures"] != "0"
    assert "\x1b" not in (tmp_path / "a.txt").read_text()


def test_paths_count_from_the_repository_and_not_from_the_registry(
    invoke: Run, example: Path, tmp_path: Path
) -> None:
    repository = Git(tmp_path)
    repository.commit("A registry in a folder of a larger repository")
    edit(example, PIN, "serves:\n  - 1@", "serves:\n  - 9@")
    done = invoke("check", "--format", "github", cwd=example)
    assert "file=example/registry/" in done.stdout
    issues = json.loads(invoke("check", "--format", "gitlab", cwd=example).stdout)
    assert issues and all(one["location"]["path"].startswith("example/registry/") for one in issues)


@pytest.mark.parametrize(("given", "said"), [("sariff=x", "Did you mean sarif?"), ("sarif", "needs a file")])
def test_a_report_that_can_t_be_written_is_a_usage_error(
    given: str, said: str, invoke: Run, example: Path
) -> None:
    done = invoke("check", "--report", given, cwd=example)
    assert done.returncode == 2 and said in done.stderr
