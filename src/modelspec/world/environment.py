"""A virtual environment built from a lock, and a script run in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from modelspec.tree.finding import Refusal

_VERSION: Final = re.compile(r"([0-9]+\.[0-9]+)(?:\.[0-9]+[a-z0-9]*)?", re.ASCII)


def interpreter(version: str | None) -> str:
    """Return the Python of that version (3.11, 3.11.7) on PATH, else the one that runs this.

    A version says it, and may be hostile: with a slash in it, it would name a program of the folder here.
    """
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    match = _VERSION.fullmatch(version or own)
    found = shutil.which(f"python{match[1]}") if match is not None and match[1] != own else None
    return found or sys.executable


@contextmanager
def environment(python: str, requirements: Path, *, hashed: bool) -> Iterator[str]:
    """Build an environment and yield its Python; it is gone afterwards.

    pip takes packages from where the user's configuration says: that is the network that a run needs. What
    is installed is what the lock names and nothing else, and with hashes only those bytes. Raises Refusal
    when a package can't be had.
    """
    with tempfile.TemporaryDirectory(prefix="modelspec-run-") as name:
        made = Path(name) / "venv"
        mine = {"TMPDIR": name}
        if _done([python, "-I", "-m", "venv", str(made)], None, mine).returncode != 0:
            raise Refusal("no virtual environment can be built", "install the venv module of this Python")
        inside = str(made / "bin" / "python")
        options = ["--require-hashes"] if hashed else []
        command = [
            inside, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
            *options, "-r", str(requirements.absolute()),
        ]  # fmt: skip
        if _done(command, None, mine).returncode != 0:
            raise Refusal(
                "the lock can't be installed: pip says why above", "give pip its index, or its network"
            )
        yield inside


def answer_of(python: str, script: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run a script that prints one JSON object, in its own folder; raises Refusal when it prints none."""
    done = _done([python, "-I", script.name, *arguments], script.parent, {}, subprocess.PIPE)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        why = f"signal {-done.returncode} ended it" if done.returncode < 0 else "what is above says why"
        raise Refusal(f"the model could not be asked again: {why}")
    return found


def _done(
    command: Sequence[str], folder: Path | None, variables: Mapping[str, str], out: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; what it says goes to stderr, unless `out` is a pipe.

    It has a process group of its own: when this run is ended, so is whatever the program began. venv leaves
    pip's installation to a child, which would go on to write into a folder that is being removed.
    """
    told = sys.stderr.fileno()
    try:
        running = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=told if out is None else out,
            stderr=told,
            process_group=0,
        )
    except OSError as error:
        raise Refusal(f"the Python of the run can't be started: {error.strerror}") from None
    with running:
        try:
            answer, _ = running.communicate()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, running.returncode, answer)
