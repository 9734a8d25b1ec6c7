"""Runs a command of the user's, as an argument list and never through a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command with more environment variables; return its exit code, negative for a signal.

    What it prints goes to stderr: stdout is for our own answer. It gets nothing on stdin.
    """
    try:
        return subprocess.run(
            list(command),
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            check=False,
        ).returncode
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Refusal(
            f"{visible(command[0], 200)} can't be run: {said}", "name a program, by its path or on PATH"
        ) from None
