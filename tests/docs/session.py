"""Runs the shell blocks of a page as a reader would: in their order, in one fresh folder.

A block ```sh is a script. It must succeed, unless the fence says `sh exits N`. With `sh needs TOOL` it is
left out where there is no such tool. When the next block is ```text, that is what the script prints, errors
included. `make pages` writes into a page what was really printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.pages import ROOT, Block, blocks

IN_A_CLONE = ("digests.md",)
"""Pages whose reader stands in a clone of this repository."""


@dataclass(frozen=True)
class Ran:
    """A block that was run, what it printed, its exit code, and the block that shows what it prints."""

    block: Block
    printed: str
    code: int
    shown: Block | None

    @property
    def expected(self) -> int:
        """The exit code that the fence promises."""
        return int(said(self.block, "exits") or 0)


def said(block: Block, word: str) -> str | None:
    """Return what follows a word of the fence, None when it does not stand there."""
    words = block.info.split()
    return words[words.index(word) + 1] if word in words else None


def runs(block: Block) -> bool:
    """Whether a block is a script that this machine has the tools for."""
    tool = said(block, "needs")
    return block.info.split()[:1] == ["sh"] and (tool is None or shutil.which(tool) is not None)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a reader: modelspec and its Python on the PATH, a name for commits."""
    programs = folder / "bin"
    programs.mkdir()
    for name, arguments in (("modelspec", " -m modelspec"), ("python3", "")):
        command = programs / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
        command.chmod(0o755)
    (folder / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.com\n")
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": "2026-11-24T09:00:00Z",
        "GIT_COMMITTER_DATE": "2026-11-24T09:00:00Z",
        "PYTHONPATH": str(ROOT / "src"),
    }


def ran(page: Path, folder: Path) -> Iterator[Ran]:
    """Run the scripts of a page, one after another, in `folder/here`; stops at an unexpected exit code.

    A page that begins in a clone finds the example there, and everything else empty.
    """
    env = environment(folder)
    here = folder / "here"
    here.mkdir()
    if page.name in IN_A_CLONE:
        for name in ("registry", "store"):
            shutil.copytree(ROOT / name, here / name)
    found = blocks(page)
    for index, block in enumerate(found):
        if not runs(block):
            continue
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", block.text],
            cwd=here,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        following = found[index + 1] if index + 1 < len(found) else None
        one = Ran(
            block, done.stdout, done.returncode, following if following and following.info == "text" else None
        )
        yield one
        if one.code != one.expected:
            return


def rewritten(page: Path, folder: Path) -> str:
    """Return the page with what its scripts print now."""
    lines = page.read_text().splitlines(keepends=True)
    for one in reversed(list(ran(page, folder))):
        if one.code != one.expected:
            raise SystemExit(f"{page}:{one.block.line}: exit {one.code}\n{one.printed}")
        if one.shown is not None:
            start = one.shown.line
            lines[start : start + one.shown.text.count("\n")] = one.printed.splitlines(keepends=True)
    return "".join(lines)
