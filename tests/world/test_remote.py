"""What reaches a remote of a repository's own configuration: a header of CI's, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import Git
from modelspec.tree.finding import Refusal
from modelspec.world.branch import folders
from modelspec.world.checkout import Place
from modelspec.world.git import open_repository
from modelspec.world.remote import origin, reached


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server that writes down who asks, and has nothing."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            self.send_error(404)

        def log_message(self, *_: Any) -> None: ...

    there = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=there.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{there.server_port}", asked
    there.shutdown()
    there.server_close()


@pytest.mark.parametrize("included", [False, True])
def test_the_token_that_ci_left_is_sent_and_never_printed(
    included: bool, git: Git, server: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = server
    git("remote", "add", "origin", f"{url}/ml/models.git")
    key, value = f"http.{url}/.extraheader", "AUTHORIZATION: basic dDBrZW4="
    if included:
        apart = tmp_path / "credentials.config"
        git("config", "--file", str(apart), key, value)
        git("config", f"includeIf.gitdir:{git.root}/.git.path", str(apart))
    else:
        git("config", "--local", key, value)
    repository, prefix, _ = open_repository(str(git.root))
    place = Place(repository, folders(repository), prefix)
    with pytest.raises(Refusal) as caught, reached(place, origin(place)) as there:
        there.tips(["main"])
    assert "basic dDBrZW4=" in asked
    assert "dDBrZW4" not in caught.value.message


def test_no_helper_of_the_repository_is_run(git: Git, server: tuple[str, list[str]], tmp_path: Path) -> None:
    url, _ = server
    git("remote", "add", "origin", f"{url}/ml/models.git")
    trap = tmp_path / "trap"
    git("config", "credential.helper", f"!touch {trap}")
    git("config", "core.askPass", f"touch {trap}")
    repository, prefix, _ = open_repository(str(git.root))
    place = Place(repository, folders(repository), prefix)
    with pytest.raises(Refusal), reached(place, origin(place)) as there:
        there.tips(["main"])
    assert not trap.exists()
