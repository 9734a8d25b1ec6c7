"""The shapes that a checkout comes in, broken and hostile ones too: each made with real git."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from conftest import GIT_ENV, Git

PIN = "registry/environments/production/models/m0.yaml"
CONFIG = "compiled/production/models/m0/kserve/inference-service.yaml"
Shape = Callable[[Git, Path], Path]
SHAPES: dict[str, Shape] = {}


def shape(make: Shape) -> Shape:
    """Register a shape; it gives the root that verbs run in."""
    SHAPES[make.__name__] = make
    return make


def within(root: Path) -> Git:
    """Git in a checkout that is there."""
    git = Git.__new__(Git)
    git.root = root
    return git


@shape
def plain(git: Git, tmp: Path) -> Path:
    return git.root


@shape
def shallow(git: Git, tmp: Path) -> Path:
    git("clone", "-q", "--depth", "1", f"file://{git.root}", str(tmp / "shape"))
    return tmp / "shape"


@shape
def detached(git: Git, tmp: Path) -> Path:
    git("switch", "-q", "--detach")
    return git.root


@shape
def submodule(git: Git, tmp: Path) -> Path:
    (tmp / "outer").mkdir()
    above = Git(tmp / "outer")
    above("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(git.root), "ml")
    inner = within(tmp / "outer" / "ml")
    inner("config", "user.name", "Ada")
    inner("config", "user.email", "ada@example.com")
    return inner.root


@shape
def worktree(git: Git, tmp: Path) -> Path:
    git("switch", "-q", "--detach")
    git("worktree", "add", "-q", str(tmp / "beside"), "main")
    return tmp / "beside"


@shape
def sparse(git: Git, tmp: Path) -> Path:
    git("sparse-checkout", "set", "registry", "templates")
    return git.root


@shape
def unborn(git: Git, tmp: Path) -> Path:
    git("switch", "-q", "--orphan", "fresh")
    git("checkout", "main", "--", ".")
    return git.root


@shape
def empty(git: Git, tmp: Path) -> Path:
    shutil.rmtree(git.root / ".git")
    Git(git.root)
    return git.root


@shape
def replaced(git: Git, tmp: Path) -> Path:
    """The first commit says something else to git, and its blob as well."""
    first = git("rev-list", "--max-parents=0", "HEAD")
    git("replace", first, "HEAD")
    git("replace", git("rev-parse", f"HEAD:{PIN}"), git("rev-parse", f"HEAD:{PIN.replace('m0', 'm1')}"))
    return git.root


@shape
def hostile(git: Git, tmp: Path) -> Path:
    """Whatever git could be made to run touches a file."""
    trap = tmp / "trap"
    trap.write_text(f"#!/bin/sh\ntouch '{tmp / 'sprung'}'\ncat\n")
    trap.chmod(0o755)
    hooks = tmp / "hooks"
    hooks.mkdir()
    for hook in ("pre-commit", "post-commit", "reference-transaction", "post-index-change", "post-checkout"):
        shutil.copy(trap, hooks / hook)
    (git.root / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    for key in (
        "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "diff.external", "diff.evil.textconv",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "merge.evil.driver", "gpg.program",
        "core.alternateRefsCommand", "credential.helper", "pager.log",
    ):  # fmt: skip
        git("config", key, str(trap))
    git("config", "core.hooksPath", str(hooks))
    git("config", "log.showSignature", "true")
    git("config", "alias.log", f"!{trap}")
    return git.root


@shape
def lying_clock(git: Git, tmp: Path) -> Path:
    """A commit of the year 1970, and one whose date no git can read."""
    tree = git("rev-parse", "HEAD^{tree}")
    for date in ("@0 +0000", "@1790000000 +0000"):
        commit = git(
            "commit-tree", tree, "-p", "HEAD", "-m", "odd", GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date
        )
        git("reset", "-q", "--hard", commit)
    raw = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=git.root, env={**GIT_ENV, "PATH": "/usr/bin:/bin"},
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    bad = raw.replace(b"1790000000 +0000", b"99999999999999999999 +0000")
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "--literally", "-w", "--stdin"], cwd=git.root, input=bad,
        env={**GIT_ENV, "PATH": "/usr/bin:/bin"}, capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    git("reset", "-q", "--hard", made)
    return git.root


@shape
def markers(git: Git, tmp: Path) -> Path:
    """Conflict markers, and bytes that are no text, committed in a pin."""
    file = git.root / PIN
    file.write_bytes(b"<<<<<<< HEAD\n" + file.read_bytes() + b"=======\n\x00\xff\xfe\n>>>>>>> other\n")
    git.commit("Resolve later")
    return git.root
