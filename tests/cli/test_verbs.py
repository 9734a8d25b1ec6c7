"""The verbs one by one, in this process: what they print in each format, and what they refuse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from conftest import Git, Run, edit
from modelspec.api.catalogue import CATALOGUE
from modelspec.spec.kinds import KINDS
from modelspec.tree.yaml import read

PIN = "registry/environments/production/models/eta.yaml"
WAIVER = """\
apiVersion: modelspec/v1
kind: Waiver
rule: {rule}
finding: {{path: {path}, route: {route}, value: "{value}"}}
by: "@ada"
reason: The lake is being moved
link: https://tracker.example.com/9
from: "2026-11-01T00:00:00Z"
until: "2026-12-01T00:00:00Z"
"""
NOW = "2026-11-24T00:00:00Z"


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_every_rule_is_explained_by_its_code_and_by_its_name(
    rule: object, invoke: Run, tmp_path: Path
) -> None:
    code, name = rule.code, rule.name  # type: ignore[attr-defined]
    by_code = invoke("explain", code.lower(), cwd=tmp_path)
    assert by_code.returncode == 0
    assert by_code.stdout.startswith(f"# {code} {name}\n")
    assert "*Why:*" in by_code.stdout and "*Fix:*" in by_code.stdout
    assert invoke("explain", name, cwd=tmp_path).stdout == by_code.stdout


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values()])
def test_every_kind_has_its_schema_and_init_writes_it(kind: str, invoke: Run, tmp_path: Path) -> None:
    printed = invoke("schema", kind.lower(), cwd=tmp_path)
    assert printed.returncode == 0
    schema = json.loads(printed.stdout)
    jsonschema_rs.meta.validate(schema)
    assert schema["$id"].endswith(f":{kind}")
    invoke("init", cwd=tmp_path)
    assert json.loads((tmp_path / f".modelspec/schemas/{kind}.json").read_text()) == schema


def test_the_schema_that_a_new_file_names_is_there_and_fits(invoke: Run, tmp_path: Path) -> None:
    invoke("init", cwd=tmp_path)
    for path in (tmp_path / "registry").rglob("*.yaml"):
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
        assert named is not None
        schema = json.loads((path.parent / named[1]).resolve().read_text())
        jsonschema_rs.validate(schema, read(path.read_bytes())[0])


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (["check"], "modelspec/check/1"),
        (["compile"], "modelspec/compile/1"),
        (["compile", "--check"], "modelspec/compile/1"),
        (["list"], "modelspec/list/1"),
        (["show", "eta"], "modelspec/model/1"),
        (["show", "eta@2.3.0"], "modelspec/version/1"),
        (["target", "list"], "modelspec/targets/1"),
    ],
)
def test_what_is_for_machines_has_a_versioned_shape(
    arguments: list[str], shape: str, invoke: Run, example: Path
) -> None:
    done = invoke(*arguments, "--format", "json", cwd=example)
    assert json.loads(done.stdout)["format"] == shape
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("path", "lost"),
    [(PIN, "Production"), ("registry/models/eta/model.yaml", "Withdrawn"),
     ("registry/environments/production/environment.yaml", "Production")],
)  # fmt: skip
@pytest.mark.parametrize("verb", [["list"], ["show", "eta"], ["show", "eta@2.3.0"]], ids=" ".join)
def test_a_state_that_a_broken_file_hides_is_said_to_be_missing(
    verb: list[str], path: str, lost: str, invoke: Run, example: Path
) -> None:
    with (example / path).open("a") as file:
        file.write("unknown: 1\n")
    done = invoke(*verb, "--format", "json", cwd=example)
    assert (done.returncode, json.loads(done.stdout)["unread"]) == (1, [path])
    done = invoke(*verb, cwd=example)
    assert not re.search(rf"^(eta|2\.3\.0).*{lost} \(production\)", done.stdout, re.MULTILINE)
    assert (done.returncode, done.stderr) == (
        1,
        f"modelspec: {path} can't be read, so states may be missing: `modelspec check` says why\n",
    )


def test_a_broken_file_of_another_model_hides_nothing_of_this_one(invoke: Run, example: Path) -> None:
    with (example / PIN).open("a") as file:
        file.write("unknown: 1\n")
    assert invoke("list", "fraud", cwd=example).returncode == 0


def test_other_revisions_are_listed_and_shown(invoke: Run, git: Git) -> None:
    before = git("rev-parse", "HEAD")
    edit(git.root, "registry/models/eta/model.yaml", "owner: ", "owner: another-")
    git.commit("Another owner")
    assert "another-" in invoke("show", "eta", cwd=git.root).stdout
    assert "another-" not in invoke("show", "eta", "--ref", before, cwd=git.root).stdout
    assert invoke("list", "--ref", before, cwd=git.root).stdout == invoke("list", cwd=git.root).stdout
    done = invoke("list", "--ref", "nothing", cwd=git.root)
    assert done.returncode == 3 and "names no commit" in done.stderr


@pytest.mark.parametrize("now", ["yesterday", "2026-11-24", "2026-11-24T00:00:00", "1 week ago", "",
                                 "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])  # fmt: skip
def test_a_time_that_is_none_is_wrong_usage(now: str, invoke: Run, example: Path) -> None:
    done = invoke("check", "--now", now, cwd=example)
    assert done.returncode == 2 and "is not an instant such as" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["compile", "--stdout", "--check"], ["compile", "--stdout", "--clean"], ["compile", "--check", "--clean"],
     ["check", "--format", "yaml"], ["show"], ["list", "--env"], ["digest"], ["digest", "nothing"],
     ["check", "--output"], ["completion", "csh"], ["target", "add"],
     ["target", "add", "../../etc"], ["show", "../eta"], ["show", "eta@../2.3.0"], ["compile", "../production"],
     ["compile", "--model=-x"], ["compile", "--model", "../eta"], ["list", "eta\n"], ["schema", "../Pin"]],
)  # fmt: skip
def test_wrong_usage_is_exit_2(arguments: list[str], invoke: Run, example: Path) -> None:
    done = invoke(*arguments, cwd=example)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert not (example / "compiled").exists()


def waive(root: Path) -> None:
    """Break one thing that a waiver may lift, and waive it."""
    path = "registry/environments/production/models/fraud.yaml"
    served = root / "registry/environments/production/features/payment_features.yaml"
    served.unlink()
    waived = root / "registry/waivers"
    waived.mkdir()
    version = re.findall(r"version: (\S+)", (root / path).read_text())
    routes = re.findall(r"^(stable|standby|shadow|canary):", (root / path).read_text(), re.MULTILINE)
    for route, value in zip(routes, version, strict=True):
        text = WAIVER.format(rule="view-served", path=path, route=f"/{route}/version", value=value)
        (waived / f"{route}.yaml").write_text(text)


def test_a_waiver_lifts_until_it_expires_and_every_report_lists_it(invoke: Run, example: Path) -> None:
    waive(example)
    shown = invoke("check", "--now", NOW, cwd=example)
    assert shown.returncode == 0, shown.stdout
    assert "(waived)" in shown.stdout and "waived by registry/waivers/stable.yaml" in shown.stdout
    assert re.search(r"\d waived in \d+ files", shown.stdout)
    data = json.loads(invoke("check", "--now", NOW, "--format", "json", cwd=example).stdout)
    assert "registry/waivers/stable.yaml" in [one["waived"] for one in data["findings"]]
    assert "::notice file=" in invoke("check", "--now", NOW, "--format", "github", cwd=example).stdout
    late = invoke("check", "--now", "2026-12-01T00:00:00Z", cwd=example)
    assert late.returncode == 1
    assert "MS591 waiver-current" in late.stdout and "(waived)" not in late.stdout
    # Nothing that time did stops a compile, and it lists what was lifted.
    compiled = invoke("compile", cwd=example)
    assert compiled.returncode == 0 and "waived by registry/waivers/stable.yaml" in compiled.stdout


def test_a_waiver_that_lifts_nothing_says_so(invoke: Run, example: Path) -> None:
    waive(example)
    waiver = "registry/waivers/stable.yaml"
    edit(example, waiver, "rule: view-served", "rule: MS101")
    done = invoke("check", "--now", NOW, cwd=example)
    assert done.returncode == 1
    assert f"{waiver}:4:1: MS592 waiver-matches (warning)" in done.stdout


@pytest.mark.parametrize(
    ("rule", "path", "broken"),
    [
        ("value-typed", PIN, ("model: eta", "model: 7")),
        ("MS601", "templates/mlserver/settings.json.j2", ("{", "{ {{ nothing }}: 1, ")),
    ],
)
def test_reading_and_rendering_can_not_be_waived(
    rule: str, path: str, broken: tuple[str, str], invoke: Run, example: Path
) -> None:
    file = example / path
    file.write_text(file.read_text().replace(*broken, 1))
    found = json.loads(invoke("check", "--now", NOW, "--format", "json", cwd=example).stdout)["findings"]
    assert found
    (example / "registry/waivers").mkdir()
    for at, one in enumerate(found):
        text = WAIVER.format(
            rule=one["code"], path=one["path"], route=one["route"] or '""', value=one["value"] or "x"
        )
        if not one["value"]:
            text = text.replace(', value: "x"', "")
        (example / f"registry/waivers/w{at}.yaml").write_text(text)
    done = invoke("check", "--now", NOW, "--format", "json", cwd=example)
    after = json.loads(done.stdout)["findings"]
    assert done.returncode == 1
    assert not any(one["waived"] for one in after if one["code"].startswith(("MS0", "MS6")))
    assert {one["code"] for one in after} >= {one["code"] for one in found} | {"MS593"}


HEAVY = {
    "pydantic",
    "yaml",
    "jinja2",
    "jsonschema_rs",
    "rfc8785",
    "subprocess",
    "asyncio",
    "ruamel",
    "json",
    "rich",
}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["check"], HEAVY - {"asyncio", "ruamel", "rich"}),
    ],
)
def test_a_verb_imports_what_it_needs(arguments: list[str], allowed: set[str], example: Path) -> None:
    code = (
        "import sys; from modelspec.cli.main import run; run(sys.argv[1:]);"
        "print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=example, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded & HEAVY <= allowed, sorted(loaded & HEAVY)


def test_output_that_can_not_be_written_is_refused_and_leaves_what_was_there(
    invoke: Run, example: Path
) -> None:
    (example / "folder").mkdir()
    for path in ("folder", "none/report.json"):
        done = invoke("check", "--output", path, cwd=example)
        assert done.returncode == 3 and done.stderr.startswith("modelspec: ")
    (example / "report").write_text("old")
    outside = example.parent / "outside"
    outside.write_text("theirs")
    (example / "link").symlink_to(outside)
    invoke("check", "--output", "link", cwd=example)
    assert outside.read_text() == "theirs", "a link is replaced or refused, never followed"
