"""The README is true: its finding is printed, its files are the example's, its verbs are those that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import Run, edit
from docs.pages import ROOT, blocks, prose
from modelspec.api.catalogue import CATALOGUE
from modelspec.cli.main import VERBS
from modelspec.spec.kinds import SCHEMA
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot
from modelspec.tree.yaml import read

PAGE = ROOT / "README.md"
FEATURE_PIN = "registry/environments/production/features/trip_features.yaml"


def test_the_finding_is_what_check_prints(example: Path, modelspec: Run) -> None:
    (shown,) = [block.text for block in blocks(PAGE) if block.info == "console"]
    command, _, printed = shown.partition("\n")
    schema = Registry(DictSnapshot({SCHEMA.locate("trip_features", "2"): _schema(2)})).value(
        SCHEMA, "trip_features", "2"
    )
    assert schema is not None
    line = next(one for one in (example / FEATURE_PIN).read_text().splitlines() if one.startswith("  - 1@"))
    edit(example, FEATURE_PIN, line, f"  - 2@{schema.digest}")
    done = modelspec(*command.removeprefix("$ modelspec ").split(), cwd=example)
    assert (done.returncode, done.stdout, done.stderr) == (1, printed, "")
    assert "MS301 schema-served" in printed


def _schema(number: int) -> bytes:
    return (ROOT / "registry" / "features" / "trip_features" / f"{number}.yaml").read_bytes()


def test_the_pin_is_the_examples() -> None:
    pin = (ROOT / "registry" / "environments" / "production" / "models" / "eta.yaml").read_text()
    assert pin in [block.text for block in blocks(PAGE)]


def test_the_version_is_the_examples_shortened() -> None:
    (shown,) = [block.text for block in blocks(PAGE) if "kind: ModelVersion" in block.text]
    found, faults = read(shown.encode())
    assert not faults
    whole, _ = read((ROOT / "registry/models/eta/versions/2.3.0.yaml").read_bytes())
    assert isinstance(found, dict)
    assert _shortened(found, whole), found


def _shortened(shown: object, whole: object) -> bool:
    """Whether every value that is shown is the file's, where … stands for what was left out."""
    if isinstance(shown, dict):
        return isinstance(whole, dict) and all(
            key in whole and _shortened(value, whole[key]) for key, value in shown.items()
        )
    if shown in ("…", ["…"]):
        return True
    if isinstance(shown, list):
        return isinstance(whole, list) and all(map(_shortened, shown, whole))
    if isinstance(shown, str) and shown.endswith("…"):
        return isinstance(whole, str) and whole.startswith(shown[:-1])
    return shown == whole


def test_the_verbs_are_those_that_exist() -> None:
    section = prose(PAGE).partition("## The verbs")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(re.findall("`([a-z]+)`", " ".join(rows))) == sorted(VERBS)


@pytest.mark.parametrize("command", ["demo", "test"])
def test_the_two_commands_are_targets_of_make(command: str) -> None:
    assert any(f"make {command}" in block.text for block in blocks(PAGE))
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_changelog_names_every_rule_and_no_other() -> None:
    named = set(re.findall(r"\bMS\d{3}\b", (ROOT / "CHANGELOG.md").read_text()))
    assert named == {rule.code for rule in CATALOGUE}
