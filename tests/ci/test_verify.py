"""The jobs that read the bytes behind a change, run by a shell in a real clone with its store."""

from __future__ import annotations

import http.server
import json
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.steps import ROOT, Runner, step
from conftest import Git, Run, edit

VERIFY = step(ROOT / "ci/github/modelspec-verify.yml", "Verify")["run"]
PIN = "registry/environments/staging/models/eta.yaml"
OLD, NEW = "registry/models/eta/versions/2.3.1.yaml", "registry/models/eta/versions/2.3.9.yaml"
TREE = "sha256-a874cb04b712ac095cea11e4463842290fc72b7892556154f0bbdc5a2782c5ce"
"""The artifact of what production pins of eta."""
KEY = "sha256:" + "5" * 64
CLAIMED = f"  signature:\n    digest: sha256:{'7' * 64}\n    method: key\n    identity: {KEY}\n    key: MFkw\n  observed:"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "runner")


@pytest.fixture
def forge(example: Path, tmp_path: Path) -> Git:
    """A clone of a bare forge with the store in it, and a branch to work on; staging demands a signature."""
    shutil.copytree(ROOT / "store", example / "store")
    edit(
        example,
        "registry/modelspec.yaml",
        "stores:",
        f"signers:\n  release: {{method: key, identity: {KEY}}}\nstores:",
    )
    place = example / "registry/environments/staging/environment.yaml"
    place.write_text(place.read_text() + "gates: {signature: [release]}\n")
    Git(example).commit("The example")
    Git(example)("clone", "--quiet", "--bare", str(example), str(tmp_path / "forge.git"))
    Git(example)("clone", "--quiet", str(tmp_path / "forge.git"), str(tmp_path / "clone"))
    here = Git(tmp_path / "clone")
    here("switch", "--quiet", "--create", "change")
    return here


def damage(root: Path) -> None:
    """Flip a bit of what production serves."""
    file = root / "store" / TREE / "model.onnx"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


def promoted(forge: Git, modelspec: Run, *, claims: bool) -> str:
    """Commit a new version, which may say that it is signed, and pin it in staging."""
    text = (forge.root / OLD).read_text().replace("version: 2.3.1\n", "version: 2.3.9\n", 1)
    if claims:
        assert text.count("  observed:") == 1
        text = text.replace("  observed:", CLAIMED)
    (forge.root / NEW).write_text(text)
    digest = modelspec("digest", NEW, cwd=forge.root).stdout.strip()
    before = (forge.root / PIN).read_text()
    (forge.root / PIN).write_text(before.rpartition("version: ")[0] + f"version: 2.3.9@{digest}\n")
    return forge.commit("Promote")


def ran(runner: Runner, forge: Git, event: str, **env: str) -> tuple[int, str]:
    """Run the step as GitHub does for an event, without a role."""
    runner.summary.write_text("")
    given = {"EVENT": event, "GITHUB_EVENT_NAME": event, "AWS_ROLE_ARN": "", "AWS_REGION": "", **env}
    done = runner.run(VERIFY.replace(" --network", ""), forge.root, given)
    assert f"exit code {done.returncode}" in runner.summary.read_text(), done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_record_that_claims_a_signer_passes_the_check_and_not_this(
    runner: Runner, forge: Git, modelspec: Run
) -> None:
    promoted(forge, modelspec, claims=True)
    checked = modelspec("check", "--base", "origin/main", cwd=forge.root)
    assert "MS540" not in checked.stdout
    code, log = ran(runner, forge, "pull_request", GITHUB_BASE_REF="main")
    assert code == 1 and "eta" in log and "2.3.9" in log
    assert "staging demands a signature by release" in log


def test_only_what_the_change_pins_is_read(runner: Runner, forge: Git, modelspec: Run) -> None:
    damage(forge.root)
    edit(forge.root, "registry/environments/production/models/eta.yaml", "max: 10", "max: 12")
    forge.commit("More replicas, and a damaged store")
    code, log = ran(runner, forge, "pull_request", GITHUB_BASE_REF="main")
    assert code == 0 and "the change brings no version" in log, log
    # The whole of it is read at night.
    code, log = ran(runner, forge, "schedule")
    assert code == 1 and "WRONG" in log and "2.3.0" in log


@pytest.mark.parametrize("event", ["merge_group", "push"])
def test_a_merge_queue_and_a_push_are_compared_with_the_commit_before(
    runner: Runner, forge: Git, modelspec: Run, event: str
) -> None:
    before = forge("rev-parse", "HEAD")
    after = promoted(forge, modelspec, claims=False)
    payload: dict[str, Any] = {"ref": "refs/heads/main", "before": before, "after": after}
    if event == "merge_group":
        payload = {"merge_group": {"base_sha": before}}
    code, log = ran(runner, forge, event, GITHUB_EVENT_PATH=runner.event(payload))
    assert code == 1 and "it is not signed" in log and "fraud" not in log


def test_what_an_environment_demands_from_now_on_is_read_for_all_that_it_pins(
    runner: Runner, forge: Git, modelspec: Run
) -> None:
    edit(
        forge.root,
        "registry/environments/production/environment.yaml",
        "{artifact: verified}",
        "{code: verified}",
    )
    forge.commit("Demand more")
    code, log = ran(runner, forge, "pull_request", GITHUB_BASE_REF="main")
    assert code == 1 and "production requires code to be verified" in log


def test_without_a_base_it_says_what_is_missing(runner: Runner, forge: Git) -> None:
    code, log = ran(runner, forge, "pull_request")
    assert code == 3 and "--base origin/main" in log


class Tokens(http.server.BaseHTTPRequestHandler):
    """What a runner has for identity tokens."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        type(self).asked.append((self.path, self.headers.get("Authorization")))
        body = json.dumps({"count": 1, "value": "the-token"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def tokens() -> Iterator[str]:
    Tokens.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
    server.shutdown()
    server.server_close()


def seen(folder: Path) -> Path:
    """Put a modelspec on the PATH that writes down what it was given."""
    folder.mkdir()
    program = folder / "modelspec"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" > {folder}/arguments\nenv > {folder}/env\n'
        f'if [ -n "$AWS_WEB_IDENTITY_TOKEN_FILE" ]; then cat "$AWS_WEB_IDENTITY_TOKEN_FILE" > {folder}/token; fi\n'
    )
    program.chmod(0o755)
    return folder


def test_a_role_gets_a_token_that_nobody_else_can_read(runner: Runner, tokens: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    programs = seen(tmp_path / "programs")
    env = {
        "EVENT": "push",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/verify",
        "AWS_REGION": "eu-central-1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "ask",
        "ACTIONS_ID_TOKEN_REQUEST_URL": tokens,
    }
    done = runner.run(VERIFY, tmp_path, env, programs=programs)
    assert done.returncode == 0, done.stderr
    assert Tokens.asked == [("/token?api-version=2.0&audience=sts.amazonaws.com", "bearer ask")]
    assert (programs / "token").read_text() == "the-token"
    assert (programs / "arguments").read_text() == "verify --changed --network\n"
    assert stat.S_IMODE((runner.temp / "modelspec-aws").stat().st_mode) == 0o600
    assert "the-token" not in done.stdout + done.stderr + runner.summary.read_text()
    assert "AWS_ROLE_ARN=arn:aws:iam" in (programs / "env").read_text()


def test_without_a_role_the_libraries_see_none(runner: Runner, tmp_path: Path) -> None:
    programs = seen(tmp_path / "programs")
    done = runner.run(
        VERIFY, tmp_path, {"EVENT": "schedule", "AWS_ROLE_ARN": "", "AWS_REGION": ""}, programs=programs
    )
    assert done.returncode == 0, done.stderr
    assert (programs / "arguments").read_text() == "verify --window --network\n"
    told = (programs / "env").read_text()
    assert not any(
        f"{name}=" in told for name in ("AWS_ROLE_ARN", "AWS_REGION", "AWS_WEB_IDENTITY_TOKEN_FILE")
    )


def on_gitlab(runner: Runner, cwd: Path, programs: Path | None, **env: str) -> tuple[int, str]:
    _, jobs = yaml.safe_load_all((ROOT / "ci/gitlab/modelspec-verify.yml").read_text())
    _, script = jobs["modelspec-verify"]["script"]
    extra = {"GITHUB_ACTIONS": "", "GITLAB_CI": "true", "MODELSPEC_AWS": "the-token", **env}
    if programs is None:
        script = script.replace(" --network", "")
    done = runner.run(script, cwd, extra, shell=("sh",), programs=programs)
    return done.returncode, done.stdout + done.stderr


def test_on_gitlab_a_merge_request_is_compared_with_its_target(
    runner: Runner, forge: Git, modelspec: Run
) -> None:
    promoted(forge, modelspec, claims=True)
    forge("checkout", "--quiet", "--detach")
    forge("update-ref", "-d", "refs/remotes/origin/main")
    code, log = on_gitlab(
        runner,
        forge.root,
        None,
        CI_PIPELINE_SOURCE="merge_request_event",
        CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
    )
    assert code == 1 and "staging demands a signature by release" in log, log


def test_on_gitlab_a_role_gets_the_token_of_the_job(runner: Runner, tmp_path: Path) -> None:
    programs = seen(tmp_path / "programs")
    arn = "arn:aws:iam::123456789012:role/verify"
    code, log = on_gitlab(runner, tmp_path, programs, CI_PIPELINE_SOURCE="schedule", AWS_ROLE_ARN=arn)
    assert code == 0, log
    assert (programs / "token").read_text() == "the-token" and "the-token" not in log
    assert (programs / "arguments").read_text() == "verify --window --network\n"


@pytest.mark.parametrize("path", ["ci/github/modelspec-verify.yml", "ci/gitlab/modelspec-verify.yml"])
@pytest.mark.parametrize(
    "requirement", ["modelspec-gitops==0.1.0", "modelspec-gitops @ git+https://example.com/modelspec@abc"]
)
def test_what_is_installed_brings_what_stores_need(
    path: str, requirement: str, runner: Runner, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python").write_text(
        f'#!/bin/sh\nfor last; do :; done\nprintf %s "$last" > {tmp_path}/wanted\n'
    )
    (programs / "python").chmod(0o755)
    if "github" in path:
        script, shell = step(ROOT / path, "Install modelspec")["run"], ("bash", "-e")
    else:
        _, jobs = yaml.safe_load_all((ROOT / path).read_text())
        script, shell = jobs["modelspec-verify"]["script"][0], ("sh", "-e")
    env = {"MODELSPEC": requirement, "EXTRAS": "s3,signing"}
    assert runner.run(script, tmp_path, env, programs=programs, shell=shell).returncode == 0
    wanted = requirement.replace("modelspec-gitops", "modelspec-gitops[s3,signing]", 1)
    assert (tmp_path / "wanted").read_text() == wanted
