"""The base that CI names, and a change beside a base that moved on, in real repositories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Git, Run, edit
from modelspec.cli.base import CiJob, ci_job

VIEW = "registry/features/trip_features/view.yaml"
OTHER = "registry/features/payment_features/view.yaml"
PIN = "registry/environments/production/models/eta.yaml"
SHA = "0123456789abcdef0123456789abcdef01234567"


def event(folder: Path, payload: object) -> dict[str, str]:
    file = folder / "event.json"
    file.write_text(json.dumps(payload))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(file)}


def test_nothing_outside_ci() -> None:
    assert ci_job({"GITHUB_BASE_REF": "main"}) == CiJob()


def test_github_names_the_target_the_queue_the_push_and_the_moved_tag(tmp_path: Path) -> None:
    pull = {"GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": "main"}
    assert ci_job(pull) == CiJob(base="refs/remotes/origin/main")
    assert ci_job(event(tmp_path, {"merge_group": {"base_sha": SHA}})) == CiJob(base=SHA)
    assert ci_job(event(tmp_path, {"ref": "refs/heads/main", "before": SHA})) == CiJob(tip=SHA)
    assert ci_job(event(tmp_path, {"before": "0" * 40})) == CiJob()
    moved = {"ref": "refs/tags/v1", "before": SHA, "after": SHA[::-1]}
    assert ci_job(event(tmp_path, moved)) == CiJob(tag=("refs/tags/v1", SHA, SHA[::-1]))
    assert ci_job(event(tmp_path, {**moved, "before": "0" * 40})) == CiJob()


def test_a_dispatched_run_is_judged_against_the_default_branch(tmp_path: Path) -> None:
    payload = {"ref": "refs/heads/modelspec/production/eta", "repository": {"default_branch": "trunk"}}
    environ = {**event(tmp_path, payload), "GITHUB_EVENT_NAME": "workflow_dispatch"}
    assert ci_job(environ) == CiJob(base="refs/remotes/origin/trunk")
    for odd in ({}, {"repository": 1}, {"repository": {"default_branch": 5}}):
        assert ci_job({**environ, **event(tmp_path, odd)}) == CiJob()


@pytest.mark.parametrize("payload", [[], {"merge_group": 1}, {"before": 5}, {"before": "-x"}, "[" * 1000])
def test_a_payload_that_says_nothing_is_no_base(payload: object, tmp_path: Path) -> None:
    environ = event(tmp_path, payload)
    if isinstance(payload, str):
        (tmp_path / "event.json").write_text(payload)
    assert ci_job(environ) == CiJob()


def test_gitlab_names_the_target_and_the_push() -> None:
    merge = {"GITLAB_CI": "true", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    assert ci_job(merge) == CiJob(base="refs/remotes/origin/main")
    assert ci_job({"GITLAB_CI": "true", "CI_COMMIT_BEFORE_SHA": SHA}) == CiJob(tip=SHA)
    assert ci_job({"GITLAB_CI": "true", "CI_COMMIT_BEFORE_SHA": "0" * 40}) == CiJob()


def test_a_force_pushed_main_is_found(modelspec: Run, git: Git) -> None:
    edit(git.root, VIEW, "What is known", "All that is known")
    seen = git.commit("Seen last")
    assert modelspec("check", "--tip", seen, cwd=git.root).returncode == 0
    git("reset", "--quiet", "--hard", "HEAD~1")
    git.commit("Something else")
    for tip in (seen, SHA):
        done = modelspec("check", "--tip", tip, cwd=git.root)
        assert done.returncode == 1 and "history-kept" in done.stdout, done


def test_a_moved_tag_is_found_in_the_job_of_its_push(modelspec: Run, git: Git, tmp_path: Path) -> None:
    environ = event(tmp_path, {"ref": "refs/tags/v1", "before": SHA, "after": git("rev-parse", "HEAD")})
    done = modelspec("check", cwd=git.root, env=environ)
    assert done.returncode == 1 and "the tag refs/tags/v1 was moved" in done.stdout


def test_an_older_finding_is_existing_and_does_not_block(modelspec: Run, git: Git) -> None:
    edit(git.root, PIN, "2.3.0@sha256:4", "2.3.0@sha256:5")
    git.commit("Break a pin")
    edit(git.root, VIEW, "What is known", "All that is known")
    assert modelspec("check", cwd=git.root).returncode == 1
    done = modelspec("check", "--base", "HEAD", cwd=git.root)
    assert done.returncode == 0 and "(existing)" in done.stdout
    (git.root / PIN).write_text((git.root / PIN).read_text() + "# touched\n")
    assert modelspec("check", "--base", "HEAD", cwd=git.root).returncode == 1


def test_what_is_judged_is_what_main_will_be(modelspec: Run, git: Git) -> None:
    """Main withdraws a version while a branch pins it: each is right against its own base."""
    digest = modelspec("digest", "registry/models/eta/versions/2.3.1.yaml", cwd=git.root).stdout.strip()
    git("checkout", "--quiet", "-b", "promote")
    pin = git.root / PIN
    old = pin.read_text().rsplit("stable:", 1)[0]
    pin.write_text(f"{old}stable:\n  version: 2.3.1@{digest}\n")
    git.commit("Promote eta 2.3.1")
    git("checkout", "--quiet", "main")
    gone = f'retired:\n  - {{version: "2.3.1@{digest}", state: withdrawn, reason: Wrong in Lisbon}}'
    edit(git.root, "registry/models/eta/model.yaml", "retired: []", gone)
    git.commit("Withdraw eta 2.3.1")
    assert modelspec("check", "--ref", "promote", cwd=git.root).returncode == 0
    done = modelspec("check", "--base", "main", "--ref", "promote", cwd=git.root)
    assert done.returncode == 1 and "withdrawn-not-pinned" in done.stdout
    git("checkout", "--quiet", "promote")
    assert modelspec("check", "--base", "main", cwd=git.root).returncode == 1


def test_one_file_that_both_changed_is_refused_with_the_cure(modelspec: Run, git: Git) -> None:
    git("checkout", "--quiet", "-b", "mine")
    edit(git.root, VIEW, "What is known", "All that is known")
    git.commit("Mine")
    git("checkout", "--quiet", "main")
    edit(git.root, VIEW, "What is known", "Whatever is known")
    git.commit("Theirs")
    done = modelspec("check", "--base", "main", "--ref", "mine", cwd=git.root)
    assert done.returncode == 3 and VIEW in done.stderr and "git rebase main" in done.stderr


def test_a_base_without_common_history_is_refused(modelspec: Run, git: Git) -> None:
    git("checkout", "--quiet", "--orphan", "other")
    git.commit("Another beginning")
    done = modelspec("check", "--base", "main", cwd=git.root)
    assert done.returncode == 3 and "share no history" in done.stderr


def test_a_shallow_clone_is_refused_with_the_cure(modelspec: Run, git: Git, tmp_path: Path) -> None:
    edit(git.root, VIEW, "What is known", "All that is known")
    git.commit("A second commit")
    git("clone", "--quiet", "--depth=1", f"file://{git.root}", str(tmp_path / "shallow"))
    done = modelspec("check", "--base", "HEAD", cwd=tmp_path / "shallow")
    assert done.returncode == 3 and "fetch-depth: 0" in done.stderr


def test_a_base_that_is_no_revision_is_refused(modelspec: Run, git: Git) -> None:
    for base in ("-x", "--output=stolen", "nowhere"):
        done = modelspec("check", f"--base={base}", cwd=git.root)
        assert done.returncode == 3 and "Traceback" not in done.stderr
    assert not (git.root / "stolen").exists()


@pytest.mark.parametrize(
    "arguments", [("check", "--base", ""), ("check", "--tip", ""), ("plan", "--base", "")]
)
def test_an_empty_base_is_refused_and_never_taken_for_none(
    arguments: tuple[str, ...], invoke: Run, git: Git
) -> None:
    done = invoke(*arguments, cwd=git.root)
    assert done.returncode == 3 and "“” is not a revision" in done.stderr


@pytest.mark.parametrize(
    "lost", ["registry/environments/production/environment.yaml", "registry/models/eta/model.yaml"]
)
def test_what_a_changed_pin_is_judged_by_must_be_readable(lost: str, invoke: Run, git: Git) -> None:
    with (git.root / lost).open("a") as file:
        file.write("unknown: 1\n")
    git.commit("Break it")
    edit(git.root, OTHER, "owner: ", "owner: another-")
    assert invoke("check", "--base", "HEAD", cwd=git.root).returncode == 0
    edit(git.root, PIN, "max: 10", "max: 11")
    done = invoke("check", "--base", "HEAD", cwd=git.root)
    assert done.returncode == 1 and f"{lost}:" in done.stdout and "(existing)" not in done.stdout
