"""What docs/ci.md and docs/deploy.md show: it parses, and what follows compiled/ finds objects there."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import yaml
from click.testing import CliRunner

from ci.steps import WORKFLOWS, loaded
from conftest import ROOT
from docs.pages import blocks
from modelspec.cli.main import cli

CI, DEPLOY = ROOT / "docs/ci.md", ROOT / "docs/deploy.md"


def documents() -> list[dict[str, Any]]:
    shown = [block.text for page in (CI, DEPLOY) for block in blocks(page) if block.info == "yaml"]
    return [one for text in shown for one in yaml.safe_load_all(text)]


def of_kind(kind: str) -> dict[str, Any]:
    return next(one for one in documents() if isinstance(one, dict) and one.get("kind") == kind)


def test_all_yaml_of_the_pages_parses() -> None:
    assert len(documents()) == 6


def test_argo_cd_applies_objects_and_nothing_else() -> None:
    source = of_kind("Application")["spec"]["source"]
    folder = ROOT / source["path"]
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    # Argo CD's globs let a star match slashes too, as fnmatch does.
    chosen = [name for name in names if fnmatchcase(name, source["directory"]["include"])]
    assert chosen and len(chosen) < len(names)
    for name in chosen:
        for one in yaml.safe_load_all((folder / name).read_text()):
            assert one["apiVersion"] and one["kind"] and one["metadata"]["name"], name


def test_flux_finds_objects_only_among_the_yaml_files() -> None:
    folder = ROOT / of_kind("Kustomization")["spec"]["path"]
    found = [one for path in folder.rglob("*.yaml") for one in yaml.safe_load_all(path.read_text())]
    assert found and all(one["apiVersion"] and one["kind"] for one in found)


def test_the_table_of_jobs_names_every_workflow_and_job() -> None:
    text = CI.read_text()
    for path in WORKFLOWS:
        assert f"`{path.name}`" in text
        for job in loaded(path)["jobs"].values():
            assert f"`{job['name']}`" in text


def test_every_report_that_the_page_names_is_one_of_check() -> None:
    table = CI.read_text().partition("| report of `check` |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    help_text = CliRunner().invoke(cli, ["check", "--help"]).output
    shown = set(re.findall(r"\w+", help_text.partition("--format [")[2].partition("]")[0]))
    assert named | {"text"} == shown
