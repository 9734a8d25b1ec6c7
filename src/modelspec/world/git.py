"""A git repository: what it resolves, holds and is asked, by `gitprocess` alone."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final, Literal

from modelspec.tree.finding import Refusal
from modelspec.tree.text import did_you_mean, visible
from modelspec.world.commitobject import told_time
from modelspec.world.folders import is_folder
from modelspec.world.gitprocess import SWITCHES, Done, begin_git, ended, environment, program, run_git

Algorithm = Literal["sha1", "sha256"]

_BUFFER: Final = 1 << 16
"""As much as a pipe holds: with less, reading many small objects is mostly calls of the kernel."""

_NETWORK: Final = (
    *(part for name in ("https", "http", "ssh", "file") for part in ("-c", f"protocol.{name}.allow=always")),
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip
_REACHING: Final = (
    "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "SSH_ASKPASS", "XDG_CONFIG_HOME",
    "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy",
    "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
)  # fmt: skip
"""What reaching a remote needs of the environment, besides PATH and HOME."""
_WHO: Final = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
_COMMIT: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\n")
_FROM_REFLOG: Final = re.compile(r"[^@{}]*@\{(?:-?[0-9]{1,9}|u|upstream|push)\}(?:[~^][0-9]{0,9})*", re.ASCII)
"""The revisions with `@{` that ask for no time. Git takes any other text in the braces for a date, and its
parser of dates makes an instant of every text."""
_DUBIOUS: Final = re.compile(r"dubious ownership|is owned by someone else")


class NoRepository(Refusal):
    """A folder lies in no git repository."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, and the folder that git runs in. `bare` is set for one that was named explicitly."""

    folder: Path
    bare: bool
    shallow: bool
    algorithm: Algorithm
    prefix: str = ""
    """Where the folder lies below the top of the repository."""
    quarantine: tuple[tuple[str, str], ...] = ()
    """Where a push that a hook judges keeps its objects until it is accepted, as git's variables say it."""

    def run(self, *arguments: str) -> Done:
        """Run git here. What came from outside must stand behind `--end-of-options`."""
        return run_git(self.folder, self._where(), arguments, extra=dict(self.quarantine))

    def write(self, *arguments: str, given: bytes = b"", extra: Mapping[str, str] | None = None) -> Done:
        """Run git here with bytes on its stdin, and with more in its environment (GIT_INDEX_FILE, say)."""
        return run_git(
            self.folder, self._where(), arguments, given, {**dict(self.quarantine), **(extra or {})}
        )

    def connect(self, git_dir: Path, *arguments: str, extra: Mapping[str, str]) -> Done:
        """Run git in another git folder with the protocols that fetch and push need, and no repository's own.

        That folder's configuration counts and not this repository's, which could name programs to run.
        """
        done = subprocess.run(
            [program(), *SWITCHES, *_NETWORK, f"--git-dir={git_dir}", *arguments],
            cwd=self.folder,
            env=environment()
            | {name: os.environ[name] for name in _REACHING if name in os.environ}
            | dict(self.quarantine)
            | dict(extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))

    def run_in(self, git_dir: Path, *arguments: str, given: bytes, extra: Mapping[str, str]) -> Done:
        """Run git in another git folder, with bytes on its stdin: its configuration counts, not ours."""
        return run_git(
            self.folder, (f"--git-dir={git_dir}",), arguments, given, {**dict(self.quarantine), **extra}
        )

    def start(
        self, *arguments: str, given: IO[bytes] | None = None, told: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a git that answers on its stdout what it is asked on its stdin, a pipe or an open file.

        `told`: what it complains of comes on its stdout, too; else nobody hears it.
        """
        return subprocess.Popen(
            [program(), *SWITCHES, *self._where(), *arguments],
            cwd=self.folder,
            env=environment() | dict(self.quarantine),
            bufsize=_BUFFER,
            stdin=subprocess.PIPE if given is None else given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if told else subprocess.DEVNULL,
        )

    def resolve(self, revision: str) -> str:
        """Return the full id of the commit that a revision names; raises Refusal with the cure."""
        return self.resolve_all((revision,))[0]

    def resolve_all(self, revisions: Sequence[str]) -> list[str]:
        """Return the full ids of several revisions, asked for at once; raises Refusal for one without."""
        for revision in revisions:
            _require_revision(revision)
        question, extra = ("rev-parse", "--verify", "--end-of-options"), dict(self.quarantine)
        names = [(*question, f"{revision}^{{commit}}") for revision in revisions]
        asked = [begin_git(self.folder, self._where(), name, extra) for name in names]
        answers = [ended(process) for process in asked]
        return [self._resolved(*one) for one in zip(revisions, answers, strict=True)]

    def _resolved(self, revision: str, done: Done) -> str:
        found = done.out.decode("ascii", "replace")
        if done.code != 0 or _COMMIT.fullmatch(found) is None:
            raise self._unresolved(revision, done.err)
        if "is ambiguous" in done.err:
            raise Refusal(
                f"{_quoted(revision)} is ambiguous: git knows more than one of that name",
                f"write it in full, such as {_full_name(self, revision)}",
            )
        return found.rstrip("\n")

    def known(self, revision: str) -> str | None:
        """Return the full id of the commit that a revision names, or None when it is not here."""
        try:
            return self.resolve(revision)
        except Refusal:
            return None

    def commit_time(self, commit: str) -> datetime:
        """Return the committer's time of a commit, given by its full id; in UTC."""
        done = self.run("cat-file", "commit", commit)
        return told_time(commit, done.out if done.code == 0 else b"")

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether a commit is the other one, or is reached from it; both by their full ids."""
        done = self.run("merge-base", "--is-ancestor", "--end-of-options", older, newer)
        if done.code not in (0, 1):
            raise Refusal(f"git can't compare {older} and {newer}", "run `git fsck`")
        return done.code == 0

    def is_before(self, older: str, newer: str) -> bool:
        """Whether a commit lies on the first-parent history of the other one, or is it; by their full ids."""
        done = self.run("rev-list", "--first-parent", "--format=%P", "--end-of-options", newer, f"^{older}")
        lines = done.out.decode("ascii", "replace").splitlines()
        if done.code != 0:
            raise Refusal(f"git can't compare {older} and {newer}", "run `git fsck`")
        return lines[-1].partition(" ")[0] == older if lines else older == newer

    def merge_bases(self, one: str, two: str) -> list[str]:
        """Return the best common ancestors of two commits, by full ids: several after a criss-cross."""
        done = self.run("merge-base", "--all", "--end-of-options", one, two)
        return done.out.decode("ascii", "replace").split() if done.code == 0 else []

    def refs(self) -> list[str]:
        """Return the short names of branches and tags, here and on remotes."""
        done = self.run(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"
        )
        return done.out.decode("utf-8", "surrogateescape").splitlines()

    def _where(self) -> tuple[str, ...]:
        return ("--git-dir=.",) if self.bare else ()

    def _unresolved(self, revision: str, error: str) -> Refusal:
        if "is ambiguous" in error:
            return Refusal(
                f"{_quoted(revision)} is the beginning of more than one commit id", "write more digits of it"
            )
        names = self.refs()
        if not names and self.run("rev-parse", "--verify", "HEAD").code != 0:
            return Refusal(
                "the repository has no commit yet", "commit first: git add . && git commit -m 'first'"
            )
        if revision == "HEAD":
            return Refusal(
                "HEAD is on a branch that has no commit yet",
                "commit first, or name another branch with --ref",
            )
        hint = did_you_mean(revision, names)
        if hint is None and self.shallow:
            hint = "the clone is shallow and may lack it: git fetch --unshallow (in CI: fetch-depth: 0)"
        if hint is None:
            hint = "fetch it first, or name a branch, a tag or a commit that `git log --all` lists"
        return Refusal(f"{_quoted(revision)} names no commit here", hint)


def open_repository(given: str | None = None) -> tuple[Repository, str, Path]:
    """Find the repository of a folder (default: here); return it, and where that folder lies in it.

    The second value is the folder's path below the top of the repository ("" at its top), the third the
    folder. A bare repository is opened only when it is named: one that is found on the way may have been
    committed by anybody, with a configuration of theirs.
    """
    folder = Path(given) if given is not None else Path.cwd()
    if not is_folder(folder):
        raise Refusal(f"{visible(str(folder), 200)} is not a folder", "name the registry's root")
    bare = given is not None and is_bare(folder)
    if bare and b"true" in run_git(folder / "..", (), ("rev-parse", "--is-inside-work-tree")).out:
        raise Refusal(
            f"{visible(str(folder), 200)} is a bare repository inside the work tree of another one",
            "anybody could have committed it there: move it out first if it is yours",
        )
    where = ("--git-dir=.",) if bare else ()
    # The prefix comes last: it is the only line that may hold a line feed.
    done = run_git(
        folder, where,
        ("rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--is-shallow-repository",
         "--show-object-format", "--show-prefix"),
    )  # fmt: skip
    if done.code != 0:
        raise _unopened(folder, done.err)
    is_bare_here, inside, shallow, algorithm, prefix = os.fsdecode(done.out).split("\n", 4)
    if not bare and (is_bare_here == "true" or inside != "true"):
        raise _unopened(folder, "cannot use bare repository")
    if algorithm not in ("sha1", "sha256"):
        raise Refusal(f"the repository's object format {visible(algorithm)} is unknown", "upgrade modelspec")
    known: Algorithm = "sha256" if algorithm == "sha256" else "sha1"
    below = prefix.removesuffix("\n").rstrip("/")
    if not bare:
        _require_top(folder, below)
    quarantine = _quarantine(folder, where) if "GIT_QUARANTINE_PATH" in os.environ else ()
    return Repository(folder, bare, shallow == "true", known, below, quarantine), below, folder


def _require_top(folder: Path, prefix: str) -> None:
    """Raise Refusal where the configuration puts the work tree elsewhere: paths would count from there."""
    depth = len(Path(prefix).parts)
    *nearer, top = (folder.joinpath(*[".."] * up, ".git") for up in range(depth + 1))
    if not os.path.lexists(top) or any(one.is_file() or (one / "HEAD").is_file() for one in nearer):
        raise Refusal(
            f"git is configured to have the work tree of {visible(str(folder.absolute()), 200)} elsewhere",
            "git config --unset core.worktree; or name the root below the folder that holds .git: --root",
        )


def _quarantine(folder: Path, where: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return git's variables for the objects of a push that is still judged: a pre-receive hook runs us.

    Only a folder directly inside this repository's own objects counts, wherever else the environment points,
    and its objects are believed by their ids as all others are. With the variables git also refuses to move
    a ref as long as the push may still be turned down.
    """
    own = Path(
        os.fsdecode(run_git(folder, where, ("rev-parse", "--git-path", "objects")).out).removesuffix("\n")
    )
    objects = (folder / own).resolve()
    found = (folder / os.environ["GIT_QUARANTINE_PATH"]).resolve()
    if found.parent != objects or not found.is_dir():
        return ()
    return (
        ("GIT_QUARANTINE_PATH", str(found)),
        ("GIT_OBJECT_DIRECTORY", str(found)),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(objects)),
    )


def is_bare(folder: Path) -> bool:
    """Whether a folder looks like a bare repository: no work tree, only what git keeps."""
    try:
        return (folder / "HEAD").is_file() and all((folder / name).is_dir() for name in ("objects", "refs"))
    except (OSError, ValueError):
        return False


def _unopened(folder: Path, error: str) -> Refusal:
    shown = visible(str(folder.absolute()), 200)
    if _DUBIOUS.search(error):
        return Refusal(
            f"git does not trust the repository at {shown}: another user owns it",
            f"if you do: git config --global --add safe.directory {shown}",
        )
    if "cannot use bare repository" in error:
        return Refusal(
            f"{shown} is a bare repository, or lies in a .git folder",
            "if you mean it, name it: --root REPOSITORY.git --ref REV",
        )
    if "not a git repository" in error:
        return NoRepository(
            f"{shown} is in no git repository", "run `git init` there, or name the root: --root"
        )
    lines = error.strip().splitlines() or ["no reason was given"]
    return Refusal(f"git can't open the repository at {shown}: {visible(lines[0], 200)}")


def _full_name(repository: Repository, revision: str) -> str:
    done = repository.run("for-each-ref", "--format=%(refname)")
    names = [name for name in os.fsdecode(done.out).splitlines() if name.endswith("/" + revision)]
    return visible(" or ".join(names[:3]), 200) if names else "refs/heads/NAME, refs/tags/NAME or a commit id"


def _is_argument(text: str) -> bool:
    """Whether a program can be given this text."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _require_revision(revision: str) -> None:
    # `^main^{commit}` would ask git for everything but main.
    if not revision or revision.startswith("^") or not _is_argument(revision):
        raise Refusal(f"{_quoted(revision)} is not a revision", "name a branch, a tag or a commit")
    if "@{" in revision and _FROM_REFLOG.fullmatch(revision) is None:
        raise Refusal(
            f"{_quoted(revision)} leaves a time to git, which takes any text for one",
            "name a branch, a tag or a commit",
        )


def _quoted(revision: str) -> str:
    return f"“{visible(revision)}”"


def author() -> dict[str, str]:
    """Return who commits, where the environment says so; else git's configuration does."""
    return {name: os.environ[name] for name in _WHO if os.environ.get(name)}
