"""The README is true: its finding is printed, its files are the example's, its verbs are those that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.codes import listed
from docs.finding import printed
from docs.pages import ROOT, blocks, prose
from modelspec.api.catalogue import CATALOGUE
from modelspec.cli.main import VERBS
from modelspec.tree.yaml import read

PAGE = ROOT / "README.md"


def test_the_finding_is_what_check_prints(tmp_path: Path) -> None:
    (text,) = [block.text for block in blocks(PAGE) if block.info == "console"]
    done = printed(tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert text == f"$ modelspec check\n{done.stdout}", "write it again: make pages"
    assert "MS301 schema-served" in done.stdout


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
    assert sorted(re.findall("`([a-z-]+)`", " ".join(rows))) == sorted(VERBS)


@pytest.mark.parametrize("command", ["demo", "test"])
def test_the_two_commands_are_targets_of_make(command: str) -> None:
    assert any(f"make {command}" in block.text for block in blocks(PAGE))
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_changelog_names_every_rule_and_no_other() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert set(re.findall(r"\bMS\d{3}\b", text)) == {rule.code for rule in CATALOGUE}
    assert text == listed(text), "write it again: make pages"
