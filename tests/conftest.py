"""What several tests share: the example registry as a copy, real git repositories, the command itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from modelspec.tree.digest import spec_digest
from modelspec.tree.yaml import read

# Whoever runs the tests behind his back (`nohup make test &`) has a shell that ignores Ctrl-C for them, and a
# terminal that closes; what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).parent.parent
EXAMPLE = ("registry", "templates")
GIT_ENV = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "slow", parent=settings.get_profile("default"), max_examples=2000, suppress_health_check=list(HealthCheck)
)
settings.load_profile("default")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def modelspec() -> Run:
    """Run the command as a whole process; gives its exit code, stdout and stderr."""

    def run(
        *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MODELSPEC_", "GIT_", "GITHUB_", "GITLAB_", "CI_"))
        }
        return subprocess.run(
            [sys.executable, "-m", "modelspec", *arguments],
            cwd=cwd,
            env={**clean, **(env or {})},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def ordinary(modelspec: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command as a process that may not read everything, though root may have begun it."""
    if os.geteuid() == 0:
        if (setpriv := shutil.which("setpriv")) is None:
            pytest.skip("root may read everything, and setpriv is not here")
        rights = "-dac_override,-dac_read_search"
        python = tmp_path / "ordinary-python"
        python.write_text(
            f'#!/bin/sh\nexec {setpriv} --inh-caps={rights} --bounding-set={rights} {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
    return modelspec


@pytest.fixture
def invoke(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process: ten times as quick, for what needs no process of its own."""
    from modelspec.cli.main import run as main

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(cwd)
        for key in [key for key in os.environ if key.startswith(("MODELSPEC_", "GIT_"))]:
            monkeypatch.delenv(key)
        capfd.readouterr()
        code = main(list(arguments))
        said = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example: its registry and its targets, without artifacts and without compiled/."""
    root = tmp_path / "example"
    for folder in EXAMPLE:
        shutil.copytree(ROOT / folder, root / folder)
    return root


class Git:
    """A real repository and the git command in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self("init", "--quiet", "--initial-branch=main")

    def __call__(self, *arguments: str, check: bool = True, **env: str) -> str:
        """Run git; return its stdout without the last newline."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**clean, **GIT_ENV, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout.rstrip("\n")

    def commit(self, message: str) -> str:
        """Commit everything that changed; return the commit."""
        self("add", "--all")
        self("commit", "--quiet", "--allow-empty", "--message", message)
        return self("rev-parse", "HEAD")


@pytest.fixture
def git(example: Path) -> Git:
    """The copy of the example as a repository with one commit."""
    repository = Git(example)
    repository.commit("The example")
    return repository


def edit(root: Path, path: str, old: str, new: str) -> None:
    """Replace the one place where `old` stands in a file."""
    file = root / path
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    file.write_text(text.replace(old, new))


def reference(root: Path, model: str, version: str) -> str:
    """Return a version as a pin names it: with the spec digest of its file."""
    data, faults = read((root / f"registry/models/{model}/versions/{version}.yaml").read_bytes())
    assert not faults
    return f"{version}@{spec_digest(data)}"
