"""The action's shell, run by bash in real repositories with what GitHub sets for each kind of event."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ci.steps import ACTION, Runner, step
from conftest import ROOT, Git, Run, edit

JUDGE = step(ACTION, "Check, plan, compile")["run"]
PIN = "registry/environments/production/models/eta.yaml"
SERVED = "registry/environments/production/features/trip_features.yaml"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "runner")


@pytest.fixture
def forge(git: Git, invoke: Run, tmp_path: Path) -> Git:
    """A clone of a bare forge, as actions/checkout leaves it: main at origin, and a branch to work on."""
    assert invoke("compile", cwd=git.root).returncode == 0
    git.commit("Compiled")
    bare = tmp_path / "forge.git"
    git("clone", "--quiet", "--bare", str(git.root), str(bare))
    clone = tmp_path / "clone"
    git("clone", "--quiet", str(bare), str(clone))
    here = Git(clone)
    here("switch", "--quiet", "--create", "change")
    return here


def changed(forge: Git, invoke: Run) -> str:
    """Commit one more replica for eta, compiled."""
    edit(forge.root, PIN, "max: 10", "max: 12")
    assert invoke("compile", cwd=forge.root).returncode == 0
    return forge.commit("More replicas")


def judged(runner: Runner, forge: Git, **env: str) -> tuple[int, str, str, str]:
    """Run the step; return exit code, log, state, summary."""
    done = runner.run(JUDGE, forge.root, {"COMPILED": "committed", **env})
    state = runner.output.read_text().removeprefix("state=").strip()
    assert state == (runner.temp / "modelspec/state").read_text().strip()
    return done.returncode, done.stdout + done.stderr, state, runner.summary.read_text()


def test_a_pull_request(runner: Runner, forge: Git, invoke: Run) -> None:
    changed(forge, invoke)
    code, log, state, summary = judged(
        runner, forge, GITHUB_EVENT_NAME="pull_request", GITHUB_BASE_REF="main"
    )
    assert (code, state) == (0, "changes"), log
    assert summary.startswith("<!-- modelspec plan -->") and "eta" in summary
    files = {path.name for path in (runner.temp / "modelspec").iterdir()}
    assert {"plan.md", "plan.txt", "plan.json", "check.json", "modelspec.sarif", "junit.xml"} <= files
    # Both revisions stand at the end.
    base, head = (forge("rev-parse", name)[:12] for name in ("origin/main", "HEAD"))
    last = (runner.temp / "modelspec/plan.md").read_text().rstrip().splitlines()[-1]
    assert base in last and f"the work tree on {head}" in last


def test_a_pull_request_that_is_wrong_is_annotated_and_blocked(runner: Runner, forge: Git) -> None:
    one, two = (line.strip() for line in ("- 1@", "- 2@"))
    old = next(line for line in (forge.root / SERVED).read_text().splitlines() if one in line)
    new = next(
        line
        for line in (forge.root / "registry/environments/staging/features/trip_features.yaml")
        .read_text()
        .splitlines()
        if two in line
    )
    edit(forge.root, SERVED, old, new)
    forge.commit("Serve schema 2 alone")
    code, log, state, summary = judged(
        runner, forge, GITHUB_EVENT_NAME="pull_request", GITHUB_BASE_REF="main"
    )
    assert (code, state) == (1, "blocked")
    assert "::error file=registry/environments/production/models/eta.yaml,line=" in log
    assert "MS301" in summary and "exited with 1" in summary
    assert json.loads((runner.temp / "modelspec/modelspec.sarif").read_text())["runs"][0]["results"]


def test_a_stale_compiled_fails_unless_it_is_kept_on_a_branch(runner: Runner, forge: Git) -> None:
    edit(forge.root, PIN, "max: 10", "max: 12")
    forge.commit("Not compiled")
    event = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_BASE_REF": "main"}
    assert judged(runner, forge, **event)[0] == 1
    runner.output.write_text("")
    assert judged(runner, forge, **event, COMPILED="branch")[0] == 0


def test_a_merge_group(runner: Runner, forge: Git, invoke: Run) -> None:
    base = forge("rev-parse", "HEAD")
    changed(forge, invoke)
    event = runner.event({"merge_group": {"base_sha": base}})
    code, log, state, _ = judged(runner, forge, GITHUB_EVENT_NAME="merge_group", GITHUB_EVENT_PATH=event)
    assert (code, state) == (0, "changes"), log


def test_a_push_to_main_says_what_it_changed(runner: Runner, forge: Git, invoke: Run) -> None:
    before = forge("rev-parse", "HEAD")
    after = changed(forge, invoke)
    event = runner.event({"ref": "refs/heads/main", "before": before, "after": after})
    code, log, state, _ = judged(runner, forge, GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=event)
    assert (code, state) == (0, "changes"), log


def test_a_restore_branch_that_was_dispatched(runner: Runner, forge: Git, invoke: Run) -> None:
    changed(forge, invoke)
    event = runner.event({"ref": "refs/heads/change", "repository": {"default_branch": "main"}})
    code, log, state, _ = judged(
        runner, forge, GITHUB_EVENT_NAME="workflow_dispatch", GITHUB_EVENT_PATH=event
    )
    assert (code, state) == (0, "changes"), log


def test_a_fork_needs_no_token_and_its_hostile_names_stay_data(
    runner: Runner, forge: Git, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    (forge.root / "pip").mkdir()
    (forge.root / "pip/__main__.py").write_text(f"open({str(trap)!r}, 'w')\n")
    (forge.root / "modelspec.py").write_text(f"open({str(trap)!r}, 'w')\n")
    edit(forge.root, PIN, "model: eta\n", 'model: eta\nreason: {text: "::error::$(touch x) `id` @all"}\n')
    (forge.root / "registry/models/$(touch y)").mkdir()
    (forge.root / "registry/models/$(touch y)/::error::z.yaml").write_text("a: 1\n")
    forge.commit("From a fork")
    code, log, _, summary = judged(
        runner, forge, GITHUB_EVENT_NAME="pull_request", GITHUB_BASE_REF="main", GITHUB_HEAD_REF="x$(id)"
    )
    assert code == 1
    assert not trap.exists() and not (forge.root / "x").exists() and not (forge.root / "y").exists()
    assert not any(line.startswith("::error::") for line in log.splitlines())
    assert "@all" not in summary


def test_the_same_again_is_no_change(runner: Runner, forge: Git) -> None:
    (forge.root / "README.md").write_text("words\n")
    forge.commit("Words")
    code, _, state, summary = judged(runner, forge, GITHUB_EVENT_NAME="pull_request", GITHUB_BASE_REF="main")
    assert (code, state) == (0, "same") and "no change" in summary


def test_without_history_there_is_no_plan_and_the_summary_has_the_cure(
    runner: Runner, forge: Git, tmp_path: Path
) -> None:
    shallow = tmp_path / "shallow"
    forge("clone", "--quiet", "--depth=1", f"file://{tmp_path / 'forge.git'}", str(shallow))
    done = runner.run(
        JUDGE,
        shallow,
        {"COMPILED": "committed", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_BASE_REF": "main"},
    )
    assert done.returncode == 3
    assert runner.output.read_text() == "state=none\n"
    assert "no plan" in runner.summary.read_text() and "fetch-depth: 0" in runner.summary.read_text()


def test_a_summary_stays_within_what_github_keeps(runner: Runner, forge: Git, tmp_path: Path) -> None:
    fake = tmp_path / "fake"
    fake.mkdir()
    program = fake / "modelspec"
    program.write_text(
        '#!/bin/sh\nfor last; do case $last in */plan.md) head -c 3000000 /dev/zero | tr "\\0" x > "$last";; esac; done\n'
    )
    program.chmod(0o755)
    done = runner.run(JUDGE, forge.root, {"COMPILED": "committed"}, programs=fake)
    assert done.returncode == 0, done.stderr
    assert runner.summary.stat().st_size == 1_000_000


def on_gitlab(runner: Runner, clone: Path, **env: str) -> tuple[int, str]:
    """Run the component's job by a plain `sh`, without the install."""
    _, jobs = yaml.safe_load_all((ROOT / "ci/gitlab/modelspec.yml").read_text())
    _, script = jobs["modelspec-check"]["script"]
    extra = {"GITHUB_ACTIONS": "", "GITLAB_CI": "true", "COMPILED": "committed", **env}
    done = runner.run(script, clone, extra, shell=("sh",))
    return done.returncode, done.stdout + done.stderr


def test_a_merge_request_on_gitlab_fetches_its_target_and_leaves_the_reports(
    runner: Runner, forge: Git, invoke: Run
) -> None:
    changed(forge, invoke)
    # What GitLab brings: the commits of the merge request, and no branch of the target.
    forge("checkout", "--quiet", "--detach")
    forge("update-ref", "-d", "refs/remotes/origin/main")
    code, log = on_gitlab(runner, forge.root, CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main")
    assert code == 0, log
    assert "eta" in (forge.root / "modelspec-plan.md").read_text()
    assert json.loads((forge.root / "modelspec-quality.json").read_text()) == []
    assert (forge.root / "modelspec-junit.xml").exists()


def test_a_fork_on_gitlab_is_judged_against_the_project_that_it_goes_to(
    runner: Runner, forge: Git, invoke: Run, tmp_path: Path
) -> None:
    url = f"file://{tmp_path}/parent"
    forge("clone", "--quiet", "--bare", ".", f"{tmp_path}/parent.git")
    changed(forge, invoke)
    # The fork's own main says that all of it is there already.
    forge("push", "--quiet", "--force", "origin", "HEAD:main")
    env = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_PROJECT_URL": f"file://{tmp_path}/fork"}
    code, log = on_gitlab(runner, forge.root, **env, CI_MERGE_REQUEST_PROJECT_URL=url)
    assert code == 0, log
    assert "eta" in (forge.root / "modelspec-plan.md").read_text()


def test_what_is_wrong_fails_on_gitlab_and_is_in_the_report(runner: Runner, forge: Git) -> None:
    before = forge("rev-parse", "HEAD")
    edit(forge.root, PIN, "version: 2.3.0@", "version: 9.9.9@")
    forge.commit("Wrong")
    code, _ = on_gitlab(runner, forge.root, CI_COMMIT_BEFORE_SHA=before)
    assert code == 1
    (issue, *_) = json.loads((forge.root / "modelspec-quality.json").read_text())
    assert issue["severity"] == "critical" and issue["location"]["path"] == PIN
