"""`observe` of what is live: a server that is asked, and programs that ask for it."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import Git, Run
from receipts.branch import stored
from receipts.observing import _who, application, metadata, observe

__all__ = ["_who"]


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
