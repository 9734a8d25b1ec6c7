"""`observe`, whole: from a source to the branch, and what it says when it can't."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import GIT_ENV, Git, Run, edit, reference
from receipts.branch import stored

PIN = "registry/environments/production/models/eta.yaml"


@pytest.fixture(autouse=True)
def _who(git: Git) -> None:
    git("config", "user.name", GIT_ENV["GIT_AUTHOR_NAME"])
    git("config", "user.email", GIT_ENV["GIT_AUTHOR_EMAIL"])


def digest(git: Git, version: str) -> str:
    return reference(git.root, "eta", version).partition("@")[2]


def metadata(git: Git, version: str, **more: Any) -> dict[str, Any]:
    said = {"model": "eta", "version": version, "digest": digest(git, version), "slot": "stable",
            "environment": "production", **more}  # fmt: skip
    return {"name": "eta", "versions": [version], "inputs": [], "outputs": [], "parameters": said}


def save(git: Git, data: Any) -> str:
    (git.root / "saved.json").write_text(json.dumps(data))
    return "saved.json"


def observe(invoke: Run, git: Git, source: str, *more: str) -> Any:
    done = invoke("observe", "--env", "production", source, "--format", "json", *more, cwd=git.root)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def promote(git: Git, version: str) -> str:
    """Commit another version in the pin; return the commit."""
    text = (git.root / PIN).read_text()
    line = next(line for line in text.splitlines() if line.startswith("  version: "))
    edit(git.root, PIN, line, f"  version: {reference(git.root, 'eta', version)}")
    return git.commit(f"Promote eta {version}")


def application(*history: tuple[str, str], path: str = "compiled/production") -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "production"},
        "spec": {"source": {"path": path}},
        "status": {
            "health": {"status": "Healthy"},
            "history": [
                {"id": number, "revision": revision, "deployedAt": time}
                for number, (revision, time) in enumerate(history)
            ],
        },
    }


def test_a_look_is_written_once(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.0"))
    first = observe(invoke, git, saved)
    assert [one["slots"][0]["version"] for one in first["receipts"]] == ["2.3.0"]
    assert first["commit"] == git("rev-parse", "modelspec/receipts")
    again = observe(invoke, git, saved)
    assert (again["receipts"], again["commit"], again["known"]) == ([], None, 1)


def test_a_history_of_revisions_becomes_receipts_of_the_past(git: Git, invoke: Run) -> None:
    first = git("rev-parse", "HEAD")
    second = promote(git, "2.3.1")
    git("revert", "--no-edit", "HEAD")
    third = git("rev-parse", "HEAD")
    times = [f"2026-10-0{day}T10:00:00Z" for day in (1, 2, 3)]
    found = observe(invoke, git, save(git, application(*zip((first, second, third), times, strict=True))))
    eta = [one for one in found["receipts"] if one["model"] == "eta"]
    assert [(one["since"], one["commit"], one["slots"][0]["version"]) for one in eta] == [
        (times[0], first, "2.3.0"),
        (times[1], second, "2.3.1"),
        (times[2], third, "2.3.0"),
    ]
    fraud = [one for one in found["receipts"] if one["model"] == "fraud"]
    assert [one["since"] for one in fraud] == times[:1], "it did not change"
    assert {one["slot"]: one["share"] for one in fraud[0]["slots"]} == {"stable": 100, "standby": 0}


def kustomization(*history: tuple[str, str, str]) -> dict[str, Any]:
    """As Flux has it, newest first: (revision, applied first, applied last)."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "production", "namespace": "flux-system"},
        "spec": {"path": "./compiled/production/models"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "lastAppliedRevision": f"main@sha1:{history[0][0]}",
            "history": [
                {
                    "firstReconciled": first,
                    "lastReconciled": last,
                    "lastReconciledStatus": "ReconciliationSucceeded",
                    "metadata": {"revision": f"main@sha1:{revision}"},
                }
                for revision, first, last in history
            ],
        },
    }


def test_a_revert_that_flux_files_under_its_old_entry_is_seen(git: Git, invoke: Run) -> None:
    second = promote(git, "2.3.1")
    git("revert", "--no-edit", "HEAD")
    third = git("rev-parse", "HEAD")
    made = git("show", "--no-patch", "--format=%cI", second)
    long_ago, later = (
        "2026-10-01T10:00:00Z",
        (datetime.fromisoformat(made) + timedelta(seconds=9)).isoformat(),
    )
    found = observe(invoke, git, save(git, kustomization((third, long_ago, later), (second, made, made))))
    versions = {
        one["since"]: one["slots"][0]["version"] for one in found["receipts"] if one["model"] == "eta"
    }
    assert list(versions.values()) == ["2.3.1", "2.3.0"], "in the order in which they served"
    assert long_ago not in versions, "the commit of the revert was not there then"


def test_a_time_of_flux_before_the_commit_is_not_that_commit_s(git: Git, invoke: Run) -> None:
    """Another model's promotion gives the same as before for the Kustomization that is looked at."""
    promote(git, "2.3.1")
    latest = git("rev-parse", "HEAD")
    found = observe(
        invoke, git, save(git, kustomization((latest, "2026-10-01T10:00:00Z", "2026-10-02T10:00:00Z")))
    )
    assert {one["since"] == one["observed"] for one in found["receipts"]} == {True}, "merely seen"


def test_a_revision_without_a_pin_says_that_nothing_serves(git: Git, invoke: Run) -> None:
    first = git("rev-parse", "HEAD")
    (git.root / PIN).unlink()
    second = git.commit("Stop serving eta")
    times = ["2026-10-01T10:00:00Z", "2026-10-02T10:00:00Z"]
    found = observe(invoke, git, save(git, application((first, times[0]), (second, times[1]))))
    eta = [one for one in found["receipts"] if one["model"] == "eta"]
    assert [(one["since"], len(one["slots"])) for one in eta] == [(times[0], 1), (times[1], 0)]


@pytest.mark.parametrize(
    ("path", "models"),
    [
        ("compiled/production/models/fraud/kserve", {"fraud"}),
        ("./compiled/production/", {"eta", "fraud"}),
        ("deploy/overlay", {"eta", "fraud"}),
        ("compiled/staging", set()),
    ],
)
def test_the_folder_that_is_applied_says_of_what(git: Git, invoke: Run, path: str, models: set[str]) -> None:
    saved = save(git, application((git("rev-parse", "HEAD"), "2026-10-01T10:00:00Z"), path=path))
    assert {one["model"] for one in observe(invoke, git, saved)["receipts"]} == models


@pytest.mark.parametrize("revision", ["f" * 40, "main", "HEAD", "--output=x", "../../x", "v1\n"])
def test_a_revision_that_is_no_commit_here_is_a_finding(git: Git, invoke: Run, revision: str) -> None:
    found = observe(invoke, git, save(git, application((revision, "2026-10-01T10:00:00Z"))))
    assert found["receipts"] == []
    assert "is no commit here" in found["findings"][0]["message"]
    assert not (git.root / "x").exists()


def test_a_stamp_of_no_version_is_a_finding_and_the_rest_is_written(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.0", digest="sha256:" + "0" * 64))
    done = invoke("observe", "--env", "production", saved, cwd=git.root)
    assert done.returncode == 1
    assert "is that of no version of eta, now or before" in done.stdout
    assert "fix: git fetch" in done.stdout
    assert git("branch", "--list", "modelspec/receipts") == ""


@pytest.mark.parametrize("digits", [12, 32, 64])
def test_a_shortened_stamp_finds_its_version(git: Git, invoke: Run, digits: int) -> None:
    stamp = digest(git, "2.3.1").removeprefix("sha256:")[:digits]
    found = observe(invoke, git, save(git, metadata(git, "2.3.1", digest=f"sha256-{stamp}")))
    assert found["receipts"][0]["slots"][0]["digest"] == digest(git, "2.3.1")


def test_a_stamp_of_a_version_that_is_gone_is_found_in_history(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.1"))
    (git.root / "registry/models/eta/versions/2.3.1.yaml").unlink()
    git.commit("Delete a version, past all rules")
    found = observe(invoke, git, saved)
    assert found["receipts"][0]["slots"][0]["version"] == "2.3.1"


def test_a_stamp_finds_its_model(git: Git, invoke: Run) -> None:
    data = {"EndpointName": "x", "EndpointStatus": "InService", "LastModifiedTime": "2026-10-01T10:00:00Z",
            "ProductionVariants": [{"VariantName": f"stable-{digest(git, '2.3.0')[7:39]}", "CurrentWeight": 1}]}  # fmt: skip
    found = observe(invoke, git, save(git, data))
    assert [(one["model"], one["source"]) for one in found["receipts"]] == [("eta", "sagemaker")]


def test_a_clock_that_is_ahead_is_a_finding(git: Git, invoke: Run) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = observe(invoke, git, save(git, application((git("rev-parse", "HEAD"), later))))
    assert found["receipts"] == []
    assert "a clock lies" in found["findings"][0]["message"]


def test_a_clock_that_is_a_little_ahead_is_taken_for_now(git: Git, invoke: Run) -> None:
    later = (datetime.now(UTC) + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = observe(invoke, git, save(git, application((git("rev-parse", "HEAD"), later))))
    assert all(one["since"] == one["observed"] < later for one in found["receipts"])


def test_another_environment_is_left_out(git: Git, invoke: Run) -> None:
    found = observe(invoke, git, save(git, metadata(git, "2.3.0", environment="staging")))
    assert found["receipts"] == []
    assert "not production" in found["left_out"][0]["message"]


def test_hostile_words_reach_no_terminal_and_no_path(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.0", model="../../staging/eta", slot="\x1b[2J"))
    done = invoke("observe", "--env", "production", saved, cwd=git.root)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    saved = save(git, {**metadata(git, "2.3.0", slot="\x1b[2J"), "name": "\x1b]0;x\x07"})
    assert invoke("observe", "--env", "production", saved, cwd=git.root).returncode == 0
    (one,) = stored(git.root)
    assert (one.slots[0].slot, "\x1b" in one.evidence) == ("unknown", False)


def test_what_is_no_json_of_a_system_is_a_finding(git: Git, invoke: Run) -> None:
    (git.root / "saved.json").write_text("{}")
    done = invoke("observe", "--env", "production", "saved.json", cwd=git.root)
    assert (done.returncode, "no system that is known" in done.stdout) == (1, True)
    (git.root / "link.json").symlink_to("saved.json")
    assert invoke("observe", "--env", "production", "link.json", cwd=git.root).returncode == 3
    assert invoke("observe", "--env", "produktion", "saved.json", cwd=git.root).returncode == 2


def test_stdin_is_read(git: Git) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelspec", "observe", "--env", "production", "-"],
        cwd=git.root, input=json.dumps(metadata(git, "2.3.0")), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "production/eta: stable 2.3.0" in done.stdout) == (0, True), done.stderr


def test_a_dry_run_writes_nothing(git: Git, invoke: Run) -> None:
    found = observe(invoke, git, save(git, metadata(git, "2.3.0")), "--dry-run")
    assert (len(found["receipts"]), found["commit"]) == (1, None)
    assert git("branch", "--list", "modelspec/receipts") == ""


@pytest.mark.parametrize(
    ("environment", "model"), [("production", "fraud"), ("staging", "fraud"), ("staging", "eta")]
)
def test_what_is_compiled_for_kserve_is_recognised(
    git: Git, invoke: Run, environment: str, model: str
) -> None:
    """The stamps that the compiler writes are those that observers find: canary, shadow and standby as well."""
    assert invoke("compile", environment, "--model", model, cwd=git.root).returncode == 0
    folder = git.root / f"compiled/{environment}/models/{model}/kserve"
    objects = [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))]
    for one in objects:
        one["metadata"]["generation"] = 1
        one["status"] = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    saved = save(git, {"apiVersion": "v1", "kind": "List", "items": objects})
    done = invoke("observe", "--env", environment, saved, "--format", "json", cwd=git.root)
    (one,) = json.loads(done.stdout)["receipts"]
    declared = json.loads(
        invoke("at", "2030-01-01T00:00:00Z", model, environment, "--format", "json", cwd=git.root).stdout
    )["pins"][0]["slots"]
    assert {(slot["slot"], slot["digest"], slot["share"]) for slot in one["slots"]} == {
        (slot["slot"], slot["digest"], float(slot["weight"] or 0)) for slot in declared
    }
    assert invoke("drift", environment, "--grace", "0", cwd=git.root).returncode == 0


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve on a free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def says(data: Any, code: int = 200, **headers: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_a_live_server_is_asked_for_each_model_that_is_pinned(git: Git, invoke: Run) -> None:
    asked: list[str] = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        found = handler.path.endswith("/eta")
        says(metadata(git, "2.3.0") if found else {"error": "not found"}, 200 if found else 404)(handler)

    with serving(answer) as url:
        found = observe(invoke, git, url)
        assert asked == ["/v2/models/eta", "/v2/models/fraud"]
        assert observe(invoke, git, f"{url}/v2/models/eta")["known"] == 1
        assert (
            invoke("observe", "--env", "production", f"{url}/v2/models/fraud", cwd=git.root).returncode == 3
        )
    (one,) = found["receipts"]
    assert (one["source"], one["model"], one["since"]) == ("open-inference", "eta", one["observed"])


def slow(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("answer", "says_so"),
    [
        (says(b"", 302, Location="http://127.0.0.1:1/secret"), "redirects elsewhere"),
        (says(b" " * (1024 * 1024 + 1)), "more than"),
        (says(b"", 500), "answered 500"),
        (slow, "did not answer"),
        (lambda handler: handler.wfile.write(b"no http\r\n\r\n"), "can't be asked"),
    ],
)
def test_a_hostile_server_is_refused(
    git: Git, invoke: Run, answer: Answer, says_so: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelspec.world.observers.endpoint.SECONDS", 1.0)
    with serving(answer) as url:
        done = invoke("observe", "--env", "production", url, cwd=git.root)
    assert (done.returncode, says_so in done.stderr) == (3, True), done.stderr


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://models.example.com", "plain HTTP to another machine"),
        ("http://127.0.0.1.example.com", "plain HTTP to another machine"),
        ("https://user:secret@models.example.com", "has a user"),
        ("https://models.example.com/?x=1", "a query"),
        ("https://models.example.com:99999", "no address"),
        ("https://", "no address"),
        ("https://models.exаmple.com", "no address"),
    ],
)
def test_an_address_that_is_not_asked(git: Git, invoke: Run, url: str, why: str) -> None:
    done = invoke("observe", "--env", "production", url, cwd=git.root)
    assert (done.returncode, why in done.stderr, "secret" in done.stderr) == (3, True, False), done.stderr


def program(folder: Path, name: str, body: str) -> dict[str, str]:
    """Put a program of that name first on PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_kubectl_is_asked_with_a_list_of_arguments(git: Git, modelspec: Run, tmp_path: Path) -> None:
    data = application((git("rev-parse", "HEAD"), "2026-10-01T10:00:00Z"))
    (tmp_path / "answer.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [data]}))
    env = program(
        tmp_path / "bin", "kubectl", f'printf "%s\\n" "$@" > {tmp_path}/asked; cat {tmp_path}/answer.json'
    )
    done = modelspec(
        "observe", "--env", "production", "kubectl:applications.argoproj.io", "--namespace", "argocd",
        "--context", "eu-1", cwd=git.root, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().split() == [
        "get", "applications.argoproj.io", "--output=json", "--namespace=argocd", "--context=eu-1"
    ]  # fmt: skip
    assert len(stored(git.root)) == 2


def test_a_program_that_fails_says_why(git: Git, modelspec: Run, tmp_path: Path) -> None:
    env = program(tmp_path / "bin", "aws", "echo 'Could not find endpoint' >&2; exit 254")
    done = modelspec("observe", "--env", "production", "sagemaker:eta", cwd=git.root, env=env)
    assert (done.returncode, "Could not find endpoint" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    "source", ["kubectl:--kubeconfig=x", "kubectl:pods;id", "kubectl:", "sagemaker:-x", "sagemaker:a/b"]
)
def test_what_is_no_name_reaches_no_program(git: Git, invoke: Run, source: str) -> None:
    done = invoke("observe", "--env", "production", source, cwd=git.root)
    assert (done.returncode, "is no" in done.stderr) == (3, True)


def test_without_the_program_it_says_what_to_do(git: Git, modelspec: Run, tmp_path: Path) -> None:
    alone = tmp_path / "bin"
    alone.mkdir()
    (alone / "git").symlink_to(shutil.which("git") or "")
    done = modelspec("observe", "--env", "production", "kubectl:pods", cwd=git.root, env={"PATH": str(alone)})
    assert (done.returncode, "save its JSON" in done.stderr) == (3, True), done.stderr


def test_a_source_that_is_no_file(git: Git, invoke: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name, why in (
        ("", "is not a regular file"),
        ("pipe", "is not a regular file"),
        ("link", "is a symbolic link"),
        ("nothing", "no such file"),
    ):
        done = invoke("observe", "--env", "production", str(tmp_path / name), cwd=git.root)
        assert done.returncode == 3 and why in done.stderr
