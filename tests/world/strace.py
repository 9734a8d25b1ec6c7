"""Runs the driver under strace: to see its system calls, to kill it before one, to let one fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

DRIVER = Path(__file__).parent / "drive.py"
CHANGING = (
    "flock,mkdir,mkdirat,openat,write,pwrite64,ioctl,ftruncate,fchmod,fsync,syncfs,linkat,"
    "rename,renameat,renameat2,unlink,unlinkat,rmdir"
)
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|\?)(.*)$")


@dataclass(frozen=True)
class Call:
    """One system call: its name, how many of that name there were with it, arguments, and the rest."""

    name: str
    number: int
    arguments: str
    result: str


@cache
def unusable() -> str | None:
    """Say why strace can't be used here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "strace may not trace here"


needs_strace = pytest.mark.skipif(unusable() is not None, reason=str(unusable()))


def drive(
    root: Path, verb: str, plan: Path, *changes: str, inject: str | None = None, trace: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the driver; with strace when something is injected or traced."""
    command = [sys.executable, "-B", str(DRIVER), str(root), verb, str(plan), *changes]
    return run(command, inject=inject, trace=trace)


def run(
    command: Sequence[str], *, inject: str | None = None, trace: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; with strace when something is injected or traced."""
    if inject is not None or trace is not None:
        options = ["-y", "-s", "64", "-e", f"trace={CHANGING}", "-o", str(trace or os.devnull)]
        options += ["-e", f"inject={inject}"] if inject else []
        # Faster, but a signal is then delivered after the call.
        options += ["--seccomp-bpf"] if "signal=" not in str(inject) else []
        command = ["strace", "-f", "-qq", *options, *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def calls(trace: Path) -> list[Call]:
    """Return the calls of a trace from the lock on: what is before it is the interpreter's."""
    counts: Counter[str] = Counter()
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match is not None:
            counts[match[1]] += 1
            found.append(Call(match[1], counts[match[1]], match[2], match[3] + match[4]))
    start = next(at for at, call in enumerate(found) if call.name == "flock")
    return found[start:]


def changing(trace: Path) -> list[Call]:
    """Return the calls that change files: an openat that creates, a write to a file, an ioctl that clones."""
    return [
        call
        for call in calls(trace)
        if (call.name != "openat" or "O_CREAT" in call.arguments)
        and (call.name != "write" or not call.arguments.startswith(("1<", "2<")))
        and (call.name != "ioctl" or "FICLONE" in call.arguments)
    ]


def traced(root: Path, trace: Path, *arguments: str) -> tuple[set[str], list[str], int]:
    """Run the command; return the programs that it started, the sockets that are not local, its exit code."""
    command = [sys.executable, "-B", "-m", "modelspec", *arguments]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-s", "200", "-e", "trace=execve,socket,connect", "-o", str(trace), *command],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = trace.read_text(errors="replace").splitlines()
    programs = {match[1] for line in lines if (match := re.search(r'execve\("([^"]+)".* = 0$', line))}
    sockets = [line for line in lines if re.search(r"\b(socket|connect)\(", line) and "AF_UNIX" not in line]
    return programs, sockets, done.returncode
