"""`observe` with what a system would have shown, for the tests beside this file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import GIT_ENV, Git, Run, reference


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
