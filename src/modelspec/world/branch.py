"""The main branch: its name, its tip, whether it is checked out; and what a killed git left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.git import Repository

HEADS: Final = "refs/heads/"
ORIGIN: Final = "origin"
"""The remote that is fetched from and pushed to."""
_USUAL: Final = ("main", "master")


@dataclass(frozen=True, slots=True)
class Folders:
    """The folder of this work tree's own state (index, HEAD), and the one that all work trees share."""

    own: Path
    common: Path


def folders(repository: Repository) -> Folders:
    """Return where git keeps the state of a repository."""
    done = repository.run("rev-parse", "--git-dir", "--git-common-dir")
    lines = os.fsdecode(done.out).split("\n")
    if done.code != 0 or len(lines) < 2:
        raise Refusal("git does not say where its folder is", "run `git rev-parse --git-dir`")
    own, common = ((repository.folder / line).resolve() for line in lines[:2])
    return Folders(own, common)


def main_branch(repository: Repository) -> str:
    """Return the short name of the main branch: what origin's HEAD names, else main, else master."""
    done = repository.run("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
    named = os.fsdecode(done.out).rstrip("\n").removeprefix("refs/remotes/origin/")
    known = [named] if done.code == 0 and named else []
    for name in (*known, *_USUAL):
        if repository.run("show-ref", "--verify", "--quiet", "--", HEADS + name).code == 0:
            return name
    if head(repository) in {HEADS + name for name in (*known, *_USUAL)}:
        raise Refusal("the main branch has no commit yet", "commit first: git add . && git commit -m 'first'")
    raise Refusal(
        "there is no main branch here: neither main nor master, and origin names none",
        "git fetch origin && git remote set-head origin --auto, then git branch NAME origin/NAME",
    )


def head(repository: Repository) -> str | None:
    """Return the full name of the branch that is checked out here, None when HEAD is detached."""
    done = repository.run("symbolic-ref", "--quiet", "HEAD")
    return os.fsdecode(done.out).rstrip("\n") if done.code == 0 else None


def tip(repository: Repository, ref: str) -> str | None:
    """Return the commit that a full ref name stands at, None when there is no such ref."""
    done = repository.run("rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}")
    return done.out.decode("ascii").rstrip("\n") if done.code == 0 else None


def must_be_checked_out(repository: Repository, name: str) -> None:
    """Raise Refusal unless the branch of this short name is what is checked out here."""
    here = head(repository)
    if here == HEADS + name:
        return
    where = "HEAD is detached" if here is None else f"{visible(here.removeprefix(HEADS))} is checked out"
    raise Refusal(
        f"{where}, and --commit writes to {visible(name)}",
        f"git switch {visible(name)}, or --branch, which leaves the work tree alone",
    )


def checked_out(repository: Repository, ref: str) -> str | None:
    """Return a work tree that has a ref checked out, or None."""
    done = repository.run("worktree", "list", "--porcelain", "-z")
    for record in os.fsdecode(done.out).split("\0\0"):
        fields = dict(line.partition(" ")[::2] for line in record.split("\0") if line)
        if fields.get("branch") == ref:
            return fields.get("worktree", "")
    return None


def locks(where: Folders, *refs: str) -> Iterator[Path]:
    """Yield the lock files of git that stand in the way of these refs and of the index."""
    names = [where.own / "index.lock", where.own / "HEAD.lock", where.common / "packed-refs.lock"]
    for path in (*names, *(where.common / f"{ref}.lock" for ref in refs)):
        if os.path.lexists(path):
            yield path


def await_locks(where: Folders, *refs: str, patience: float = 2.0) -> None:
    """Wait for a git that is running; raise Refusal that names what a killed one left, with age and cure."""
    _await(lambda: next(locks(where, *refs), None), patience)


def await_index(where: Folders, patience: float = 2.0) -> None:
    """Wait until nobody writes the index; raise Refusal that names what a killed git left."""
    path = where.own / "index.lock"
    _await(lambda: path if os.path.lexists(path) else None, patience)


def _await(found: Callable[[], Path | None], patience: float) -> None:
    end = time.monotonic() + patience
    while (path := found()) is not None:
        if time.monotonic() >= end:
            raise locked(path)
        time.sleep(0.05)


def locked(path: Path) -> Refusal:
    """Return the refusal that names one lock file."""
    shown = visible(str(path), 300)
    try:
        age = f"{_age(max(0.0, time.time() - path.lstat().st_mtime))} old"
    except OSError:
        age = "gone by now"
    return Refusal(
        f"git is locked: {shown} is there, {age}",
        f"wait for the git that is running; if none is, one was killed: rm '{shown}'",
    )


def _age(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{int(seconds)} seconds"
