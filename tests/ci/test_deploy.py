"""The deploy branch and the restore form: their shell, run against a bare repository."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.steps import Runner, step
from conftest import ROOT, Git, Run, edit, reference

DEPLOY = step(ROOT / "ci/github/modelspec-deploy.yml", "Compile and push")["run"]
RESTORE = step(ROOT / "ci/github/modelspec-restore.yml", "Open the pull request")["run"]
PIN = "registry/environments/production/models/eta.yaml"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "runner")


@pytest.fixture
def forge(git: Git, tmp_path: Path) -> tuple[Git, Git]:
    """A bare forge, and a clone of it with main checked out."""
    bare = tmp_path / "forge.git"
    git("clone", "--quiet", "--bare", str(git.root), str(bare))
    git("clone", "--quiet", str(bare), str(tmp_path / "clone"))
    there = Git.__new__(Git)
    there.root = bare
    return there, Git(tmp_path / "clone")


def deployed(runner: Runner, clone: Git) -> tuple[int, str]:
    sha = clone("rev-parse", "HEAD")
    done = runner.run(DEPLOY, clone.root, {"GH_TOKEN": "t0ken", "BRANCH": "deploy", "GITHUB_SHA": sha})
    assert "t0ken" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_deploy_branch_follows_main_and_never_goes_back(
    runner: Runner, forge: tuple[Git, Git], invoke: Run
) -> None:
    bare, clone = forge
    first = clone("rev-parse", "HEAD")
    assert deployed(runner, clone)[0] == 0
    assert bare("ls-tree", "--name-only", "deploy") == "compiled"
    once = bare("rev-parse", "deploy")
    code, log = deployed(runner, clone)
    assert code == 0 and "already" in log and bare("rev-parse", "deploy") == once

    edit(clone.root, PIN, "max: 10", "max: 12")
    second = clone.commit("More replicas")
    assert deployed(runner, clone)[0] == 0
    assert bare("rev-parse", "deploy^") == once
    assert bare("log", "-1", "--format=%(trailers:key=Modelspec-Source,valueonly)", "deploy") == second
    assert invoke("compile", cwd=clone.root).returncode == 0
    file = "compiled/production/models/eta/kserve/inference-service.yaml"
    assert bare("show", f"deploy:{file}") == (clone.root / file).read_text().rstrip("\n")
    # The work tree's own index is as it was: nothing is staged.
    assert clone("diff", "--cached", "--name-only") == ""

    clone("checkout", "--quiet", "--force", "--detach", first)
    twice = bare("rev-parse", "deploy")
    code, log = deployed(runner, clone)
    assert code == 0 and "later commit" in log and bare("rev-parse", "deploy") == twice


def test_a_main_that_was_rewritten_is_said_and_not_deployed(runner: Runner, forge: tuple[Git, Git]) -> None:
    bare, clone = forge
    edit(clone.root, PIN, "max: 10", "max: 12")
    clone.commit("More replicas")
    assert deployed(runner, clone)[0] == 0
    there = bare("rev-parse", "deploy")
    clone("reset", "--quiet", "--hard", "HEAD~1")
    edit(clone.root, PIN, "max: 10", "max: 14")
    clone.commit("Another past")
    code, log = deployed(runner, clone)
    assert code == 1 and "docs/deploy.md" in log and bare("rev-parse", "deploy") == there


def test_nothing_is_deployed_of_a_registry_that_is_wrong(runner: Runner, forge: tuple[Git, Git]) -> None:
    bare, clone = forge
    edit(clone.root, PIN, "version: 2.3.0@", "version: 9.9.9@")
    clone.commit("Wrong")
    assert deployed(runner, clone)[0] == 1
    assert bare("branch", "--list", "deploy") == ""


def test_a_forge_that_can_t_be_reached_is_no_new_branch(
    runner: Runner, forge: tuple[Git, Git], tmp_path: Path
) -> None:
    _, clone = forge
    clone("remote", "set-url", "origin", str(tmp_path / "gone.git"))
    code, log = deployed(runner, clone)
    assert code == 1 and "can't be reached" in log


def restored(runner: Runner, clone: Git, tmp_path: Path, **inputs: str) -> tuple[int, str, list[list[str]]]:
    """Run the form with a `gh` that writes down how it is called."""
    programs = tmp_path / "programs"
    programs.mkdir(exist_ok=True)
    calls = tmp_path / "calls"
    gh = programs / "gh"
    gh.write_text(
        f'#!/bin/sh\nfor word; do printf "%s\\n" "$word" >> {calls}; done\necho --- >> {calls}\n'
        'case $1 in pr) echo "https://github.example.com/ml/models/pull/12";; esac\n'
    )
    gh.chmod(0o755)
    extra = {
        "GH_TOKEN": "t0ken", "MODEL": "eta", "TARGET": "production", "REASON": "Late in Lisbon",
        "RUN": "https://github.example.com/ml/models/actions/runs/7", **inputs,
    }  # fmt: skip
    done = runner.run(RESTORE, clone.root, extra, programs=programs)
    assert "t0ken" not in done.stdout + done.stderr
    said = calls.read_text().split("---\n") if calls.exists() else []
    return done.returncode, done.stdout + done.stderr, [one.splitlines() for one in said if one]


@pytest.fixture
def promoted(forge: tuple[Git, Git], invoke: Run) -> tuple[Git, Git]:
    """A forge whose eta in production has moved on once."""
    bare, clone = forge
    was, now = (reference(clone.root, "eta", version) for version in ("2.3.0", "2.3.1"))
    edit(clone.root, PIN, was, now)
    assert invoke("compile", cwd=clone.root).returncode == 0
    clone.commit("Move eta on")
    clone("push", "--quiet", "origin", "main")
    return bare, clone


def test_the_form_opens_a_pull_request_and_has_it_checked(
    runner: Runner, promoted: tuple[Git, Git], tmp_path: Path
) -> None:
    bare, clone = promoted
    code, log, calls = restored(runner, clone, tmp_path)
    assert code == 0, log
    branch = json.loads((runner.temp / "outcome.json").read_text())["branch"]
    assert branch == "modelspec/production/eta"
    pin = bare("show", f"{branch}:{PIN}")
    assert "2.3.0@" in pin and "Late in Lisbon" in pin and "actions/runs/7" in pin
    assert calls == [["workflow", "run", "modelspec.yml", "--ref", branch]]
    assert branch in runner.summary.read_text()
    assert bare("rev-parse", "main") == clone("rev-parse", "main")


@pytest.mark.parametrize(
    "inputs",
    [
        {"MODEL": "--help"},
        {"MODEL": "$(touch x)"},
        {"TARGET": "--to=1"},
        {"TARGET": "../staging"},
    ],
)
def test_hostile_inputs_are_words_and_open_nothing(
    inputs: dict[str, str], runner: Runner, promoted: tuple[Git, Git], tmp_path: Path
) -> None:
    bare, clone = promoted
    code, log, calls = restored(runner, clone, tmp_path, **inputs)
    assert code in (1, 2), log
    assert calls == [] and bare("branch", "--list", "modelspec/*") == ""


def test_a_reason_is_text_whatever_it_says(runner: Runner, promoted: tuple[Git, Git], tmp_path: Path) -> None:
    _, clone = promoted
    code, log, calls = restored(runner, clone, tmp_path, REASON="$(touch x)\n::error::a: [b]")
    assert code == 0, log
    assert len(calls) == 1 and not (clone.root / "x").exists()
    assert not any(line.startswith("::") for line in log.splitlines())
    edited = clone("show", f"modelspec/production/eta:{PIN}")
    assert yaml.safe_load(edited)["hold"]["text"] == "$(touch x)\n::error::a: [b]"


def test_a_pin_that_never_moved_has_nowhere_to_go_back_to(
    runner: Runner, forge: tuple[Git, Git], tmp_path: Path
) -> None:
    bare, clone = forge
    code, log, calls = restored(runner, clone, tmp_path)
    assert code == 1 and "declined" in log
    assert calls == [] and bare("branch", "--list", "modelspec/*") == ""


def on_gitlab(runner: Runner, forge: tuple[Git, Git], job: str, **env: str) -> tuple[int, str]:
    """Run a job of GitLab by a plain `sh`, without the install; the checkout is a commit, as there."""
    bare, clone = forge
    _, jobs = yaml.safe_load_all((ROOT / "ci/gitlab/modelspec-deploy.yml").read_text())
    _, script = jobs[job]["script"]
    clone("remote", "set-url", "origin", str(bare.root.parent / "no-address-with-a-job-token"))
    given = {
        "GITHUB_ACTIONS": "", "GITLAB_CI": "true", "MODELSPEC_TOKEN": "t0ken", "BRANCH": "deploy",
        "CI_PROJECT_URL": str(bare.root).removesuffix(".git"), "CI_SERVER_URL": "https://gitlab.example.com",
        "CI_COMMIT_SHA": clone("rev-parse", "HEAD"), "CI_DEFAULT_BRANCH": "main", **env,
    }  # fmt: skip
    clone("checkout", "--quiet", "--detach")
    done = runner.run(script, clone.root, given, shell=("sh",))
    said = done.stdout + done.stderr
    assert "t0ken" not in said
    return done.returncode, said


def test_on_gitlab_the_deploy_branch_follows_main_and_never_goes_back(
    runner: Runner, forge: tuple[Git, Git]
) -> None:
    bare, clone = forge
    first = clone("rev-parse", "HEAD")
    assert on_gitlab(runner, forge, "modelspec-deploy")[0] == 0
    once = bare("rev-parse", "deploy")
    assert bare("ls-tree", "--name-only", "deploy") == "compiled"
    code, log = on_gitlab(runner, forge, "modelspec-deploy")
    assert (code, bare("rev-parse", "deploy")) == (0, once) and "already" in log
    clone("switch", "--quiet", "main")
    edit(clone.root, PIN, "max: 10", "max: 12")
    second = clone.commit("More replicas")
    assert on_gitlab(runner, forge, "modelspec-deploy")[0] == 0
    twice = bare("rev-parse", "deploy")
    assert bare("rev-parse", "deploy^") == once
    assert bare("log", "-1", "--format=%(trailers:key=Modelspec-Source,valueonly)", "deploy") == second
    clone("checkout", "--quiet", "--force", "--detach", first)
    code, log = on_gitlab(runner, forge, "modelspec-deploy")
    assert (code, bare("rev-parse", "deploy")) == (0, twice) and "later commit" in log
    edit(clone.root, PIN, "max: 10", "max: 14")
    clone.commit("Another past")
    code, log = on_gitlab(runner, forge, "modelspec-deploy")
    assert (code, bare("rev-parse", "deploy")) == (1, twice) and "docs/deploy.md" in log
    bare.root.rename(bare.root.with_suffix(".gone"))
    code, log = on_gitlab(runner, forge, "modelspec-deploy")
    assert code == 1 and "can't be reached" in log


@pytest.fixture
def gitlab() -> Iterator[tuple[str, list[tuple[str, str | None, dict[str, str]]]]]:
    """GitLab's API as far as the form asks it; the second request from one branch is a conflict."""
    asked: list[tuple[str, str | None, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers["PRIVATE-TOKEN"], body))
            self.send_response(201 if len(asked) == 1 else 409 if len(asked) == 2 else 403)
            self.end_headers()
            self.wfile.write(b'{"web_url": "https://gitlab.example.com/ml/models/-/merge_requests/12"}')

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v4", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_on_gitlab_the_form_opens_one_merge_request(
    runner: Runner, promoted: tuple[Git, Git], gitlab: tuple[str, list[Any]]
) -> None:
    bare, clone = promoted
    api, asked = gitlab
    form = {
        "CI_API_V4_URL": api, "CI_PROJECT_ID": "7", "RESTORE_MODEL": "eta", "RESTORE_ENVIRONMENT": "production",
        "RESTORE_REASON": "Late in $(touch sprung) Lisbon", "CI_JOB_URL": "https://gitlab.example.com/jobs/9",
        "GITLAB_USER_NAME": "Ada", "GITLAB_USER_EMAIL": "ada@example.com", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    code, log = on_gitlab(runner, promoted, "modelspec-restore", **form)
    assert code == 0, log
    branch = "modelspec/production/eta"
    pin = bare("show", f"{branch}:{PIN}")
    assert "2.3.0@" in pin and "Late in $(touch sprung) Lisbon" in pin and "jobs/9" in pin
    assert bare("log", "-1", "--format=%an", branch) == "Ada"
    assert not (clone.root / "sprung").exists()
    ((path, token, body),) = asked
    assert (path, token) == ("/api/v4/projects/7/merge_requests", "t0ken")
    assert (body["source_branch"], body["target_branch"]) == (branch, "main")
    assert "merge_requests/12" in log
    code, log = on_gitlab(runner, promoted, "modelspec-restore", **form)
    assert code == 0 and "already" in log, log
    code, log = on_gitlab(runner, promoted, "modelspec-restore", **form)
    assert code == 1 and "403" in log, log
    code, log = on_gitlab(runner, promoted, "modelspec-restore", **{**form, "RESTORE_MODEL": "--help"})
    assert code != 0 and len(asked) == 3
