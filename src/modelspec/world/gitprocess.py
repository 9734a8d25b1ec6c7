"""Runs git: arguments as lists, a cleared environment, nothing of the repository runs.

What a repository's own configuration could make git execute is switched off on the command line, which
beats every configuration file; replace refs, lazy fetching, prompts and protocols are off as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal

SWITCHES: Final = (
    "--no-pager",
    "-c", "core.fsmonitor=false",
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.fsync=committed",
    "-c", "log.showSignature=false",
    # Else a user's git may leave out what the first commit added, or write and print other than UTF-8.
    "-c", "log.showRoot=true",
    "-c", "i18n.commitEncoding=UTF-8",
    "-c", "i18n.logOutputEncoding=UTF-8",
    "-c", "core.warnAmbiguousRefs=true",
    # Of our own GIT_GRAFT_FILE: it would stand before the reason in what git says.
    "-c", "advice.graftFileDeprecated=false",
    "-c", "protocol.allow=never",
    "-c", "safe.bareRepository=explicit",
)  # fmt: skip
_HARDENED: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",  # git >= 2.44; before it, protocol.allow=never stops the fetch
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LANG": "C",
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a run of git gave: exit code, stdout, and stderr as text."""

    code: int
    out: bytes
    err: str


def run_git(
    folder: Path,
    where: tuple[str, ...],
    arguments: tuple[str, ...],
    given: bytes = b"",
    extra: Mapping[str, str] | None = None,
) -> Done:
    """Run git in a folder. In `arguments`, what came from outside stands behind `--end-of-options`."""
    return ended(begin_git(folder, where, arguments, extra), given)


def begin_git(
    folder: Path, where: tuple[str, ...], arguments: tuple[str, ...], extra: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    """Start git in a folder, so that several run at once; `ended` gives what came of it."""
    return subprocess.Popen(
        [program(), *SWITCHES, *where, *arguments],
        cwd=folder,
        env=environment() | dict(extra or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(process: subprocess.Popen[bytes], given: bytes = b"") -> Done:
    """Wait for a git that was started, with its input; killed when this is interrupted."""
    with process:
        try:
            out, error = process.communicate(given)
        except BaseException:
            process.kill()
            raise
    return Done(process.returncode, out, error.decode("utf-8", "replace"))


@cache
def program() -> str:
    """Return git's absolute path. Raises Refusal without git."""
    found = shutil.which("git", path=_search(os.environ))
    if found is None:
        raise Refusal("git is not installed, or not on PATH", "install git 2.35 or later")
    return found


def environment() -> dict[str, str]:
    """Return the environment that git is given: where programs are, the user's home, and what hardens it."""
    kept = {"PATH": _search(os.environ)}
    if "HOME" in os.environ:
        kept["HOME"] = os.environ["HOME"]
    return kept | _HARDENED


def _search(environ: Mapping[str, str]) -> str:
    """Return PATH without relative parts: a tree that is being judged must not supply the git."""
    parts = environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(part for part in parts if part.startswith(os.sep))
