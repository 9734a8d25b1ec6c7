"""Killed while a receipt is written: the branch has it or has it not, and the next look completes it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import GIT_ENV, Git, reference
from receipts.branch import stored
from world.strace import needs_strace

REF = "refs/heads/modelspec/receipts"
COMMAND = [sys.executable, "-B", "-m", "modelspec", "observe", "--env", "production", "saved.json"]


@pytest.fixture
def ready(git: Git) -> Git:
    """A repository with one receipt, and an answer that is news."""
    git("config", "user.name", GIT_ENV["GIT_AUTHOR_NAME"])
    git("config", "user.email", GIT_ENV["GIT_AUTHOR_EMAIL"])
    for version in ("2.3.0", "2.3.1"):
        said = {
            "digest": reference(git.root, "eta", version).partition("@")[2],
            "model": "eta",
            "slot": "stable",
        }
        data = {"name": "eta", "inputs": [], "outputs": [], "parameters": said}
        (git.root / "saved.json").write_text(json.dumps(data))
        if version == "2.3.0":
            subprocess.run(COMMAND, cwd=git.root, check=True, capture_output=True)
    return git


def whole(git: Git, was: str) -> None:
    """The branch stands where it stood, or one receipt further; and another look leaves it with two."""
    assert git("rev-parse", REF) == was or len(stored(git.root)) == 2
    for left in [*git.root.rglob(".git/**/*.lock")]:
        # git's own locks are named, with their cure, by whoever comes next.
        left.unlink()
    done = subprocess.run(COMMAND, cwd=git.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [one.slots[0].digest for one in stored(git.root)] == [
        reference(git.root, "eta", version).partition("@")[2] for version in ("2.3.0", "2.3.1")
    ]
    assert not list((git.root / ".git").glob("modelspec-*"))
    assert "error" not in git("fsck", "--strict", "--no-dangling")


@needs_strace
@pytest.mark.parametrize(
    ("call", "number", "fault"),
    [("fsync", 1, "signal=KILL"), ("link", 1, "signal=KILL"), ("link", 5, "signal=KILL"),
     ("rename", 1, "signal=KILL"), ("fsync", 3, "error=EIO"), ("link", 2, "error=ENOSPC")],
)  # fmt: skip
def test_a_git_that_dies_or_fails(ready: Git, call: str, number: int, fault: str) -> None:
    was = ready("rev-parse", REF)
    strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
    subprocess.run(
        [*strace, "-e", f"inject={call}:{fault}:when={number}", *COMMAND],
        cwd=ready.root, capture_output=True, check=False,
    )  # fmt: skip
    whole(ready, was)


def killed_after(git: Git, seconds: float) -> None:
    """Start a look, and kill all of it after a while."""
    was = git("rev-parse", REF)
    process = subprocess.Popen(
        COMMAND, cwd=git.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    whole(git, was)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_look_that_is_killed(ready: Git, tmp_path: Path, part: float) -> None:
    copy = tmp_path / "timed"
    shutil.copytree(ready.root, copy)
    began = time.monotonic()
    subprocess.run(COMMAND, cwd=copy, check=True, capture_output=True)
    killed_after(ready, part * (time.monotonic() - began))
